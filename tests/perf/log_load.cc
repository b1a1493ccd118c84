/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/*
 * What the services of log volumes leave of their engines' speed: each engine alone and the stage with real chunks, in
 * turns on one CPU, medians; then the whole write path against what its kernels allow, and reads. Time is the thread's
 * on the processor, so that others on the machine disturb less; their use of the caches still does.
 *
 *     log-load --no-huge --no-pci -m 3000 -l 1 -- [runs [json|text [part]]]
 *
 * A part: "stages", "rows", "write path", "reads"; all without.
 */

#include "log_load.h"

#include <ctime>
#include <random>

#include <rte_eal.h>
#include <sys/mman.h>
#include <unistd.h>

uint8_t *ring;
unsigned int runs = 5;
bool json;

static const char *part;

bool
wanted(const char *name)
{
	return strstr(name, part) != nullptr;
}

void
must(bool ok, const char *what)
{
	if (!ok) {
		fprintf(stderr, "log-load: %s\n", what);
		exit(1);
	}
}

void
turn()
{
	strake_lcore_turn(strake_clock_ns());
}

/* Of each 128 bytes 56 are new, the rest repeats what lies 128 before. On huge pages, as what comes from the wire is.
 */
static void
make_ring()
{
	std::mt19937_64 rng(1);

	ring = (uint8_t *)aligned_alloc(2u << 20, kRing);
	must(ring != nullptr && madvise(ring, kRing, MADV_HUGEPAGE) == 0, "no memory");
	for (uint64_t i = 0; i < kRing; i += 8) {
		uint64_t v = rng();

		if (i % 128 < 56 || i < 128)
			memcpy(ring + i, &v, 8);
		else
			memcpy(ring + i, ring + i - 128, 8);
	}
}

strake_stage *
stage_make(const char *kind, const char *name, std::vector<const char *> pairs)
{
	const strake_stage_ops *ops = strake_stage_find(kind);
	strake_stage *st = nullptr;
	char err[200] = "";

	must(ops != nullptr, kind);
	pairs.push_back(nullptr);
	conf_values *v = conf_values_make(ops->keys, pairs.data(), err, sizeof(err));
	must(v != nullptr && strake_stage_create(&st, ops, name, v, -1, err, sizeof(err)) == 0, err);
	conf_values_free(v);
	return st;
}

void
stage_free(strake_stage *st)
{
	strake_stage_lcore_fini(st);
	strake_stage_destroy(st);
}

static char key_path[] = "/tmp/log_load_XXXXXX";

const char *
key_file()
{
	static int fd = -1;

	if (fd < 0) {
		fd = mkstemp(key_path);
		must(fd >= 0 && write(fd, ring, 32) == 32, "key file");
		close(fd);
		atexit([] { unlink(key_path); });
	}
	return key_path;
}

uint64_t
cpu_ns()
{
	timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

double
rate(uint64_t bytes, unsigned int ms, const std::function<void()> &fn)
{
	uint64_t begin = cpu_ns(), until = begin + ms * 1000000ull, end, n = 0;

	do {
		fn();
		n++;
		end = cpu_ns();
	} while (end < until);
	return (double)(n * bytes) * 1e9 / (double)(end - begin);
}

double
median(std::vector<double> v)
{
	std::sort(v.begin(), v.end());
	return v[v.size() / 2];
}

void
row(const std::string &name, double engine, double ours, double ratio)
{
	if (json)
		printf("{\"case\": \"%s\", \"engine_gbs\": %.3f, \"stage_gbs\": %.3f, \"ratio\": %.3f}\n", name.c_str(),
		       engine / 1e9, ours / 1e9, ratio);
	else
		printf("%-48s engine %6.2f GB/s   stage %6.2f GB/s   %5.1f %%\n", name.c_str(), engine / 1e9,
		       ours / 1e9, ratio * 100);
	fflush(stdout);
}

std::pair<double, double>
compare(const std::string &name, uint64_t bytes, unsigned int ms, const std::function<void()> &engine,
	const std::function<void()> &ours)
{
	std::vector<double> e, o, r;

	engine();
	for (unsigned int i = 0; i < 8; i++)
		ours(); /* keys are asked for, pages come into the cache */
	for (unsigned int i = 0; i < 4 * runs; i++) {
		e.push_back(rate(bytes, ms, engine));
		o.push_back(rate(bytes, ms, ours));
		r.push_back(o.back() / e.back());
	}
	row(name, median(e), median(o), median(r));
	return {median(e), median(o)};
}

int
main(int argc, char **argv)
{
	const strake_lcore_conf lc = {STRAKE_IDLE_SPIN, 0, SOCKET_ID_ANY};
	const strake_buf_conf bufs = {65536, 192u << 20, SOCKET_ID_ANY};
	const strake_pipeline_conf pipe = {1024, 4096, 64, SOCKET_ID_ANY, nullptr};
	int used = rte_eal_init(argc, argv);

	must(used >= 0, "EAL does not start");
	/* Nobody's turn shall be the one in which the kernel finds memory. */
	must(mlockall(MCL_CURRENT) == 0, "memory cannot be locked");
	argc -= used;
	argv += used;
	if (argc > 1)
		runs = (unsigned int)std::max(1, atoi(argv[1]));
	json = argc > 2 && strcmp(argv[2], "json") == 0;
	make_ring();
	must(strake_lcore_create(0, &lc) == 0, "lcore");
	strake_lcore_enter(0);
	must(strake_buf_init(&bufs) == 0 && strake_pipeline_init(&pipe) == 0 && strake_pipeline_lcore_init() == 0,
	     "no memory");
	turn();
	part = argc > 3 ? argv[3] : "";
	if (wanted("stages"))
		stages_run();
	path_run();
	return 0;
}
