/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/*
 * What cleaning costs a store: the real one on drives that are memory and virtual time, overwritten by 4 KiB. Prints
 * GC.md: bytes written for each byte of the host by phase, before parity, and the slowest operations at half load.
 */

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <memory>
#include <random>
#include <vector>

#include <rte_eal.h>
#include <rte_memory.h>

extern "C" {
#include "stages/volume/store.h"
#include "strake_chain.h"
#include "strake_volume.h"
}

namespace
{

constexpr uint32_t kRow = 65536, kRows = 8, kBlock = 4096, kColumns = 5;
uint32_t segments = 4096;
constexpr uint64_t kOpNs = 10000, kNsPerKib = 1000, kTurnNs = 5000; /* of the drives together: 1 GB/s */

uint64_t
space_bytes()
{
	return (uint64_t)kRow * kRows * segments;
}

/* Segments in memory; one thing after the other, by virtual time. */
class MemorySpace
{
      public:
	MemorySpace() : rows((size_t)segments * kRows)
	{
		grip.self = this;
		strake_space &sp = grip.sp;

		sp.ops = &ops;
		sp.name = "gc-load";
		memset(sp.uuid, 7, sizeof(sp.uuid));
		sp.data = kColumns - 1;
		sp.parity = 1; /* which agrees: each way of a read gives what was written */
		sp.unit = kRow / (kColumns - 1);
		sp.rows = kRows;
		sp.row_bytes = kRow;
		sp.segments = segments;
		sp.block = 4096;
		sp.intent_bytes = 1u << 20;
		sp.note_bytes = 1u << 20;
		sp.volatile_cache = true;
		grip.poller.name = "gc-load";
		grip.poller.fd = -2;
		grip.poller.poll = [](strake_poller *p, uint64_t now) {
			return ((Grip *)((uint8_t *)p - offsetof(Grip, poller)))->self->poll(now);
		};
	}

	strake_space *
	space()
	{
		return &grip.sp;
	}

	void
	start()
	{
		strake_poller_add(&grip.poller);
	}

	void
	stop()
	{
		strake_poller_del(&grip.poller);
	}

      private:
	struct Grip {
		strake_space sp;
		strake_poller poller;
		MemorySpace *self;
	} grip = {};
	struct Op {
		strake_space_io *io;
		uint64_t due;
		void (*note)(void *arg, int status);
		void *arg;
	};
	std::vector<std::unique_ptr<uint8_t[]>> rows;
	std::vector<uint8_t> note;
	std::deque<Op> queue;
	uint64_t busy = 0;

      public:
	uint64_t noted = 0; /* bytes of superblocks */

      private:
	static const strake_space_ops ops;

	static MemorySpace *
	of(strake_space *sp)
	{
		return ((Grip *)sp)->self;
	}

	uint64_t
	due(uint64_t bytes)
	{
		busy = std::max(busy, strake_now()) + kOpNs + bytes / 1024 * kNsPerKib;
		return busy;
	}

	static void
	submit(strake_space *sp, strake_space_io *io)
	{
		uint64_t bytes = io->op == STRAKE_SPACE_ROW ? kRow : io->op == STRAKE_SPACE_FREE ? 0 : io->len;

		io->status = 0;
		of(sp)->queue.push_back({io, of(sp)->due(bytes), nullptr, nullptr});
	}

	void
	carry_out(strake_space_io *io)
	{
		size_t first = (size_t)io->seg * kRows;

		if (io->op == STRAKE_SPACE_ROW) {
			auto &row = rows[first + io->row];

			if (!row)
				row.reset(new uint8_t[kRow]);
			io->status = strake_buf_copy_out(io->bufs, 0, row.get(), kRow);
		} else if (io->op == STRAKE_SPACE_FREE) {
			for (uint32_t r = 0; r < kRows; r++)
				rows[first + r].reset();
		} else if (io->op == STRAKE_SPACE_READ && io->attempt > kColumns) {
			io->status = -ERANGE;
		} else if (io->op == STRAKE_SPACE_READ || io->op == STRAKE_SPACE_INTENT_READ) {
			io->bufs = strake_buf_page(io->len);
			io->status = io->bufs == nullptr ? -ENOMEM : 0;
			if (io->status == 0)
				memset(io->bufs->addr, 0, io->len);
			for (uint32_t at = 0; io->status == 0 && io->op == STRAKE_SPACE_READ && at < io->len;) {
				uint64_t off = io->off + at;
				uint32_t n = std::min(io->len - at, kRow - (uint32_t)(off % kRow));

				if (rows[first + off / kRow])
					memcpy(io->bufs->addr + at, &rows[first + off / kRow][off % kRow], n);
				at += n;
			}
		}
		io->done(io);
	}

	uint32_t
	poll(uint64_t now)
	{
		uint32_t work = 0;

		for (; !queue.empty() && queue.front().due <= now; work++) {
			Op op = queue.front();

			queue.pop_front();
			if (op.io != nullptr)
				carry_out(op.io);
			else
				op.note(op.arg, 0);
		}
		return work;
	}

	static int
	note_read(strake_space *sp, unsigned, void *data, uint32_t *len)
	{
		auto &n = of(sp)->note;

		memcpy(data, n.data(), n.size());
		*len = (uint32_t)n.size();
		return 0;
	}

	static int
	note_write(strake_space *sp, unsigned, const void *data, uint32_t len)
	{
		of(sp)->note.assign((const uint8_t *)data, (const uint8_t *)data + len);
		of(sp)->noted += RTE_ALIGN_CEIL(len, kBlock);
		return 0;
	}

	static void
	note_async(strake_space *sp, unsigned id, const void *data, uint32_t len, void (*done)(void *arg, int status),
		   void *arg)
	{
		note_write(sp, id, data, len);
		of(sp)->queue.push_back({nullptr, of(sp)->due(len), done, arg});
	}
};

const strake_space_ops MemorySpace::ops = {MemorySpace::submit, MemorySpace::note_read, MemorySpace::note_write,
					   MemorySpace::note_async};

uint64_t now_ns = 1000;

uint64_t
clock_ns()
{
	return now_ns += kTurnNs;
}

struct Written {
	store_stats stats;
	uint64_t noted;
};

struct Host {
	MemorySpace space;
	store *st = nullptr;
	strake_volume *vol = nullptr;
	std::mt19937_64 rnd{1};
	uint64_t blocks = 0, open = 0, refused = 0;
	std::vector<uint64_t> latency;
	std::vector<uint8_t> page;

	void
	turn()
	{
		now_ns += kTurnNs;
		strake_lcore_turn(now_ns);
	}

	int
	up(uint64_t size)
	{
		strake_lcore_conf lc = {STRAKE_IDLE_SPIN, 0, SOCKET_ID_ANY};
		strake_buf_conf bufs = {8192, 64u << 20, SOCKET_ID_ANY};
		strake_pipeline_conf pipe = {2048, 2048, 64, SOCKET_ID_ANY};
		store_conf sc = {};
		log_conf lv = {};
		char err[300];

		if (strake_lcore_create(0, &lc) < 0)
			return -1;
		strake_lcore_enter(0);
		if (strake_buf_init(&bufs) < 0 || strake_pipeline_init(&pipe) < 0 || strake_pipeline_lcore_init() < 0)
			return -1;
		strake_lcore_turn(now_ns);
		space.start();
		sc.name = "gc-load";
		sc.space = space.space();
		sc.jobs = 512;
		sc.clock = clock_ns;
		lv.name = "v0";
		lv.bytes = size;
		lv.lba_shift = 12;
		lv.slab_shift = 47;
		if (store_open(&st, &sc, err, sizeof(err)) < 0) {
			fprintf(stderr, "%s\n", err);
			return -1;
		}
		lv.store = st;
		blocks = size / kBlock;
		page.resize(8 * kBlock, 0x5a);
		return log_create(&vol, &lv, err, sizeof(err)) < 0 || log_lcore_init(vol) < 0 ? -1 : 0;
	}

	void
	down()
	{
		log_lcore_fini(vol);
		log_destroy(vol);
		store_close(st, true);
		space.stop();
		strake_pipeline_lcore_fini();
		strake_pipeline_fini();
		strake_buf_fini();
		strake_lcore_enter(UINT16_MAX);
		strake_lcore_destroy(0);
	}

	static void
	over(strake_unit *u)
	{
		Host *h = (Host *)u->arg;

		h->open--;
		h->refused += u->status != 0;
		h->latency.push_back(now_ns - u->t_start);
		strake_req_free(strake_req_of(u));
	}

	void
	submit(uint8_t op, uint64_t lba, uint32_t n, uint16_t flags = 0)
	{
		strake_req *req = strake_req_alloc(false);

		if (req == nullptr)
			abort();
		req->vol = vol;
		req->u.op = op;
		req->u.lba = lba;
		req->u.nlb = n;
		req->u.flags |= flags;
		req->u.nbytes = op == STRAKE_OP_FLUSH ? 0 : n * kBlock;
		req->u.t_start = now_ns;
		if (op == STRAKE_OP_WRITE) {
			strake_buf *b = strake_buf_page(n * kBlock);

			if (b == nullptr)
				abort();
			memcpy(b->addr, page.data(), n * kBlock);
			strake_unit_append(&req->u, b);
		}
		req->u.arg = this;
		req->u.done = over;
		open++;
		strake_req_submit(&req, 1);
	}

	Written
	written() const
	{
		return {st->stats, space.noted};
	}

	void
	drain(uint64_t left = 0)
	{
		while (open > left)
			turn();
	}

	uint64_t
	pick(bool skewed)
	{
		uint64_t hot = blocks / 10;

		if (!skewed)
			return rnd() % blocks;
		return rnd() % 10 < 9 ? rnd() % hot : hot + rnd() % (blocks - hot);
	}
};

/* What was written for each byte of the host. */
void
report(const char *name, const Written &a, const Written &b)
{
	const store_stats &s = a.stats, &t = b.stats;
	double host = (double)(t.host_blocks - s.host_blocks) * kBlock;
	auto part = [&](uint64_t now, uint64_t then) { return (double)(now - then) / host; };
	double data =
		part(t.appended[STORE_HOT] + t.appended[STORE_COLD], s.appended[STORE_HOT] + s.appended[STORE_COLD]);
	double gc = part(t.appended[STORE_WARM] + t.appended[STORE_GC], s.appended[STORE_WARM] + s.appended[STORE_GC]);
	double map = part(t.appended[STORE_META] + b.noted, s.appended[STORE_META] + a.noted);
	double padded = part(t.padded, s.padded), intents = part(t.intent_bytes, s.intent_bytes);

	printf("| %s | %.2f | %.3f | %.3f | %.3f | %.3f | %.3f | **%.2f** | %" PRIu64 " | %" PRIu64 " |\n", name,
	       host / (double)space_bytes(), data, gc, map, padded, intents, data + gc + map + padded + intents,
	       t.checkpoints - s.checkpoints, t.lists - s.lists);
	fflush(stdout);
}

/* Times over the space; @return ns for each write after the first time. */
uint64_t
overwrite(Host &h, bool skewed, unsigned times)
{
	uint64_t n = space_bytes() / kBlock, begun = 0;
	Written first = h.written();
	char name[32];

	for (unsigned t = 1; t <= times; t++) {
		Written before = h.written();

		for (uint64_t i = 0; i < n; i++) {
			h.drain(31);
			h.submit(STRAKE_OP_WRITE, h.pick(skewed), 1);
		}
		h.drain();
		snprintf(name, sizeof(name), "time %u", t);
		report(name, before, h.written());
		begun = t == 1 ? now_ns : begun;
	}
	report("all times", first, h.written());
	return (now_ns - begun) / (n * (times - 1));
}

/* Seven writes of ten, one of them forced, and reads; one every `gap` ns, as many as the space has blocks. */
void
paced(Host &h, bool skewed, uint64_t gap)
{
	uint64_t next = now_ns, n = space_bytes() / kBlock;

	h.latency.clear();
	for (uint64_t i = 0; i < n; i++) {
		unsigned dice = (unsigned)(h.rnd() % 10);

		for (; now_ns < next; h.turn())
			;
		next += gap;
		h.submit(dice < 7 ? STRAKE_OP_WRITE : STRAKE_OP_READ, h.pick(skewed), 1,
			 dice == 0 ? STRAKE_UNIT_FUA : 0);
	}
	h.drain();
	std::sort(h.latency.begin(), h.latency.end());
	auto at = [&](double q) { return (double)h.latency[(size_t)(q * (double)(h.latency.size() - 1))] / 1e6; };

	printf("\nAt half load, an operation every %.1f µs: half of them take at most %.3f ms, 99 %% %.3f ms, 99.99 %% "
	       "%.3f ms, the\nslowest **%.2f ms**.\n",
	       (double)gap / 1000, at(0.5), at(0.99), at(0.9999), at(1));
	fflush(stdout);
}

/* A store of its own. @return 0; 1: something was refused. */
int
traffic(bool skewed, unsigned times)
{
	/* What a block takes as it lies: its chunk's head, and up to a multiple of 64. */
	uint64_t blocks = space_bytes() / 5 * 4 / 4224;
	auto h = std::make_unique<Host>();

	if (h->up(blocks * kBlock) < 0)
		return 1;
	printf("\n## %s\n\n"
	       "| phase | spaces written | hosts | moved | map | empty | intents | all | checkpoints | lists |\n"
	       "|---|---|---|---|---|---|---|---|---|---|\n",
	       skewed ? "90 % of the writes to 10 % of the blocks" : "All blocks alike");
	Written before = h->written();

	for (uint64_t b = 0; b < blocks; b++) {
		h->drain(31);
		h->submit(STRAKE_OP_WRITE, b, 1);
	}
	h->drain();
	report("fill", before, h->written());
	paced(*h, skewed, 2 * overwrite(*h, skewed, times));
	if (h->refused > 0)
		printf("\n%" PRIu64 " operations were refused.\n", h->refused);
	h->down();
	return h->refused > 0;
}

int
run(unsigned times)
{
	printf("# What cleaning costs\n\n"
	       "Written by `gc-load`, which runs the store on drives in memory, by virtual time: the figures are the "
	       "same on every\nmachine. %u segments of %u KiB, 80 %% of their bytes filled with blocks of 4 KiB as "
	       "they "
	       "lie, no compression;\nthen single blocks are written at random, up to 32 at a time, as many times over "
	       "as the space has bytes.\n\n"
	       "Bytes written for each byte of the host, before parity: chunks of hosts with their heads, what "
	       "collection moves, the\nmap with checkpoints and superblocks, rows left empty, intents. In theory "
	       "greedy "
	       "cleaning writes 2.70 for blocks that\nare all alike. At half load each operation comes after twice the "
	       "time that a write takes at full load; 70 %% are writes\n(a seventh of them forced), 30 %% reads; "
	       "drives "
	       "together take 10 µs for a piece of work and move 1 GB/s.\n",
	       segments, kRow * kRows / 1024);
	int ret = traffic(false, times);

	return traffic(true, times) | ret;
}

} // namespace

/* gc-load [TIMES [SEGMENTS]] */
int
main(int argc, char **argv)
{
	const char *args[] = {argv[0],		"--no-huge",   "-m", "512", "--no-pci",
			      "--no-telemetry", "--no-shconf", "-l", "0",   "--log-level=3"};
	unsigned long times = argc > 1 ? strtoul(argv[1], nullptr, 0) : 5;

	if (argc > 2)
		segments = (uint32_t)strtoul(argv[2], nullptr, 0);
	if (times < 2 || segments < 64 || rte_eal_init(10, const_cast<char **>(args)) < 0) {
		fprintf(stderr, "gc-load [TIMES over the space, at least 2 [SEGMENTS, at least 64]]\n");
		return 2;
	}
	int ret = run((unsigned)times);

	rte_eal_cleanup();
	return ret;
}
