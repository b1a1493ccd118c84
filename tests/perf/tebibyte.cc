/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/*
 * A volume of a TiB, all of it mapped: with a small cache of the map, with one that holds it all, and opened again
 * after the process was killed at a bad moment. The space computes what lies there (sparse_space.h) and takes its time
 * like a few drives; time is that of the clock.
 *
 *     tebibyte [EAL arguments] -- small|large|order [BLOCKS [json]]
 */

#include <cstdio>
#include <functional>
#include <random>
#include <string>

#include <sys/mman.h>

#include <rte_eal.h>

#include "sparse_rig.h"

namespace
{

const double kSecond = 1e9;

bool json;

void
figure(const std::string &name, double value, const char *unit)
{
	if (json)
		printf("{\"figure\": \"%s\", \"value\": %.3f, \"unit\": \"%s\"}\n", name.c_str(), value, unit);
	else
		printf("%-64s %12.3f %s\n", name.c_str(), value, unit);
	fflush(stdout);
}

double
mib(uint64_t bytes)
{
	return (double)bytes / (1 << 20);
}

void
reads(SparseRig &m, const std::string &name, uint64_t n)
{
	const struct map_stats before = *map_stats(m.st->map);
	std::mt19937_64 rnd(5);
	uint64_t begin = strake_clock_ns();

	for (uint64_t i = 0; i < n; i++)
		m.submit(STRAKE_OP_READ, rnd() % m.blocks, 1);
	m.drain();
	const struct map_stats &s = *map_stats(m.st->map);

	figure(name + ", 4 KiB random reads", (double)n * kSecond / (double)(strake_clock_ns() - begin), "/s");
	figure(name + ", pages of the map read for each", (double)(s.reads - before.reads) / (double)n, "");
}

/* Write until a checkpoint has written its pages and is not durable yet: all before it counts for nothing. */
void
write_until_bad(SparseRig &m, const std::string &name, const std::function<bool()> &one)
{
	const store_ckpt &c = m.st->ckpt;
	const store_stats before = m.st->stats;
	uint64_t bytes = m.space.bytes[STRAKE_SPACE_ROW], begin = strake_clock_ns(), n = 0, end = c.ended + 1;

	m.enough = [&] {
		return c.ended >= end && !c.list_only && c.state >= STORE_CKPT_TABLE && c.state <= STORE_CKPT_NOTE;
	};
	while (one()) {
		if (++n % 20000 == 0)
			m.flush();
	}
	m.enough = nullptr;
	figure(name + ", writes", (double)n * kSecond / (double)(strake_clock_ns() - begin), "/s");
	figure(name + ", rows written for them", mib(m.space.bytes[STRAKE_SPACE_ROW] - bytes), "MiB");
	figure(name + ", bytes of the map for each of theirs",
	       (double)(m.st->stats.appended[STORE_META] - before.appended[STORE_META]) /
		       (double)(m.st->stats.host_blocks - before.host_blocks) / LOG_BLOCK,
	       "");
}

void
restart(SparseRig &m, const std::string &name, uint64_t map_bytes)
{
	uint64_t n = m.space.done[STRAKE_SPACE_READ], bytes = m.space.bytes[STRAKE_SPACE_READ];
	uint64_t compute = m.space.compute_ns;

	m.kill();
	uint64_t ns = m.boot(map_bytes);

	figure(name + ", restart", (double)ns / kSecond, "s");
	figure(name + ", restart: of it computing what was read", (double)(m.space.compute_ns - compute) / kSecond,
	       "s");
	figure(name + ", restart: chunks played", (double)m.st->stats.replayed, "");
	figure(name + ", restart: playing them and finding them", (double)m.st->stats.replay_ns / kSecond, "s");
	figure(name + ", restart: reads", (double)(m.space.done[STRAKE_SPACE_READ] - n), "");
	figure(name + ", restart: read", mib(m.space.bytes[STRAKE_SPACE_READ] - bytes), "MiB");
	figure(name + ", restart: pages written", (double)m.st->stats.pages, "");
	figure(name + ", restart: cache grown", (double)m.st->stats.map_grown, "times");
	unsigned left = 3000;

	for (auto &w : m.written) {
		if (left-- == 0)
			break;
		m.submit(STRAKE_OP_READ, w.first, 1);
	}
	m.drain();
}

void
small_cache(const SparseConf &conf, uint64_t map_bytes)
{
	std::string name = "cache " + std::to_string(map_bytes >> 20) + " MiB";
	std::mt19937_64 rnd(1);
	SparseRig m(conf);

	figure(name + ", first opening", (double)m.boot(map_bytes) / kSecond, "s");
	reads(m, name, 20000);
	write_until_bad(m, name + ", random 4 KiB", [&] { return m.submit(STRAKE_OP_WRITE, rnd() % m.blocks, 1); });
	figure(name + ", memory", mib(m.memory()), "MiB");
	restart(m, name + ", random 4 KiB", map_bytes);
	m.kill();
}

void
all_in_memory(const SparseConf &conf, uint64_t map_bytes)
{
	std::string name = "cache " + std::to_string(map_bytes >> 20) + " MiB";
	std::mt19937_64 rnd(1);
	SparseRig m(conf);

	m.boot(map_bytes);
	for (uint64_t lba = 0; lba < m.blocks; lba += MAP_FANOUT)
		m.submit(STRAKE_OP_READ, lba, 1);
	m.drain();
	const struct map_stats &s = *map_stats(m.st->map);

	figure(name + ", pages in memory", (double)s.used, "");
	figure(name + ", pages of the map", (double)m.space.pages, "");
	figure(name + ", evictions", (double)s.evictions, "");
	figure(name + ", memory for each TiB", mib(m.memory()) / 1024 * (double)(1ull << 28) / (double)m.blocks, "GiB");
	reads(m, name, 20000);
	write_until_bad(m, name + ", random 4 KiB", [&] { return m.submit(STRAKE_OP_WRITE, rnd() % m.blocks, 1); });
	restart(m, name + ", random 4 KiB", map_bytes);
	m.kill();
}

/* The longest log for its pages. */
void
in_order(const SparseConf &conf, uint64_t map_bytes)
{
	std::string name = "cache " + std::to_string(map_bytes >> 20) + " MiB";
	uint64_t at = 0;
	SparseRig m(conf);

	m.boot(map_bytes);
	write_until_bad(m, name + ", 128 KiB in order", [&] {
		at += 32;
		return m.submit(STRAKE_OP_WRITE, at - 32, 32);
	});
	restart(m, name + ", 128 KiB in order", map_bytes);
	m.kill();
}

} // namespace

int
main(int argc, char **argv)
{
	int used = rte_eal_init(argc, argv);
	SparseConf conf;

	SparseRig::must(used >= 0, "EAL does not start");
	/* As huge pages are there when a process begins; else each page of the map is found while it is played. */
	SparseRig::must(mlockall(MCL_CURRENT) == 0, "memory cannot be locked");
	argc -= used;
	argv += used;
	SparseRig::must(argc > 1, "which: small, large or order");
	conf.blocks = argc > 2 ? strtoull(argv[2], nullptr, 0) : 1ull << 28;
	json = argc > 3;
	/* Four drives that read after 100 us, and a GB/s each. */
	conf.read_ns = 100000;
	conf.write_ns = 30000;
	conf.flush_ns = 100000;
	conf.free_ns = 200000;
	conf.byte_ns = 0.25;
	/* What a drive keeps takes no memory of the appliance's machine, where it may have to be found first. */
	conf.ready = 7168;
	if (argv[1][0] == 's')
		small_cache(conf, conf.blocks); /* a byte a block: 256 MiB for a TiB */
	else if (argv[1][0] == 'l')
		all_in_memory(conf, conf.blocks / 10 * 82); /* 8.2 bytes a block: 2.05 GiB for a TiB */
	else
		in_order(conf, conf.blocks);
	return 0;
}
