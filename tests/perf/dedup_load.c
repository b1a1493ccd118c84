/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/*
 * What the dedup stage's down() costs, held against its hash alone: ipsec-mb's jobs (the better of sixteen lanes and
 * the SHA instructions), or XXH3, over the same blocks in the same bursts, by turns of 20 ms. One line a case, with the
 * medians of the turns, as JSON if asked for; of the cases whose names begin so.
 *
 *     dedup-load --no-huge --no-pci -m 1024 -l 1 -- [turns [json|text [case]]]
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mman.h>

#include <intel-ipsec-mb.h>
#include <xxh_x86dispatch.h>

#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_memory.h>

#include "dedup.h"
#include "strake_advice.h"
#include "strake_chain.h"
#include "strake_volume.h"

#define BLOCK	  STRAKE_ADVICE_BLOCK
#define DATA	  (32u << 20) /* bytes written, over and over: beyond the second level cache */
#define HUGE_PAGE (2u << 20)
#define TABLE	  (64u << 20) /* looked up in: as large as the stage's index */
#define TURN_MS	  20u
#define TURNS_MAX 101u

struct load_case {
	const char *name, *fingerprint;
	unsigned int reqs, blocks; /* of a burst; of a request */
	uint32_t piece;		   /* longest buf of a payload */
	bool look;		   /* the engine looks each hash up, too */
};

static const struct load_case cases[] = {
	{"sha256, 1 x 4 KiB", "sha256", 1, 1, BLOCK, false},
	{"sha256, 8 x 4 KiB", "sha256", 8, 1, BLOCK, false},
	{"sha256, 16 x 4 KiB", "sha256", 16, 1, BLOCK, false},
	{"sha256, 32 x 4 KiB", "sha256", 32, 1, BLOCK, false},
	{"sha256, 64 x 4 KiB", "sha256", 64, 1, BLOCK, false},
	{"sha256, 4 x 128 KiB", "sha256", 4, 32, 32 * BLOCK, false},
	{"sha256, 32 x 4 KiB in frames", "sha256", 32, 1, 1448, false},
	{"sha256, 4 x 128 KiB in frames", "sha256", 4, 32, 8948, false},
	{"fast, 32 x 4 KiB", "fast", 32, 1, BLOCK, false},
	{"fast, 4 x 128 KiB", "fast", 4, 32, 32 * BLOCK, false},
	{"fast and a look, 4 x 128 KiB", "fast", 4, 32, 32 * BLOCK, true},
	{"fast, 4 x 128 KiB in frames", "fast", 4, 32, 8948, false},
};

static uint8_t *data, *table;
static volatile uint64_t found; /* of all looks, so that none is left out */
static struct strake_stage *stage;
static struct strake_volume volume = {.lba_shift = 12};
static IMB_MGR *managers[2];
static unsigned int n_managers;
static uint8_t digest[STRAKE_BURST * STRAKE_ADVICE_MAX][32];

static uint64_t
random_word(void)
{
	static uint64_t x = 88172645463325252ULL;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return x;
}

static void
fail(const char *what)
{
	fprintf(stderr, "dedup-load: %s\n", what);
	exit(1);
}

/* --- the hash alone ----------------------------------------------------------------------------------------------- */

static void
hash_lanes(IMB_MGR *m, const uint8_t *from, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		IMB_JOB *job = IMB_GET_NEXT_JOB(m);

		job->cipher_mode = IMB_CIPHER_NULL;
		job->cipher_direction = IMB_DIR_ENCRYPT;
		job->chain_order = IMB_ORDER_HASH_CIPHER;
		job->hash_alg = IMB_AUTH_SHA_256;
		job->src = from + (uint64_t)i * BLOCK;
		job->hash_start_src_offset_in_bytes = 0;
		job->msg_len_to_hash_in_bytes = BLOCK;
		job->auth_tag_output = digest[i];
		job->auth_tag_output_len_in_bytes = sizeof(digest[i]);
		IMB_SUBMIT_JOB_NOCHECK(m);
	}
	while (IMB_FLUSH_JOB(m) != NULL)
		;
}

static void
hash_fast(const uint8_t *from, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		XXH128_hash_t h = XXH3_128bits(from + (uint64_t)i * BLOCK, BLOCK);

		memcpy(digest[i], &h, sizeof(h));
	}
}

/* The least that a look in an index can be: the one line that the hash names, of as many as there are of buckets; all
 * of a burst at once, so that none waits for another. */
static void
look(unsigned int n)
{
	uint64_t same = 0;

	for (unsigned int i = 0; i < n; i++) {
		uint64_t hash, have;
		uint32_t word;

		memcpy(&word, digest[i], sizeof(word));
		memcpy(&hash, digest[i] + 8, sizeof(hash));
		memcpy(&have, table + ((uint64_t)word * (TABLE / 512) >> 32) * 512, sizeof(have));
		same += have == hash;
	}
	found = found + same;
}

/* Bytes a second of the engine @p which in one turn. */
static double
engine_turn(const struct load_case *c, unsigned int which)
{
	const uint32_t burst = c->reqs * c->blocks * BLOCK;
	uint64_t begin = rte_rdtsc(), end = begin + rte_get_tsc_hz() * TURN_MS / 1000, bytes = 0;
	uint32_t at = 0;

	while (rte_rdtsc() < end) {
		if (strcmp(c->fingerprint, "fast") == 0)
			hash_fast(data + at, burst / BLOCK);
		else
			hash_lanes(managers[which], data + at, burst / BLOCK);
		if (c->look)
			look(burst / BLOCK);
		bytes += burst;
		at = at + 2 * burst <= DATA ? at + burst : 0;
	}
	return (double)bytes * (double)rte_get_tsc_hz() / (double)(rte_rdtsc() - begin);
}

/* --- the stage ---------------------------------------------------------------------------------------------------- */

static struct strake_buf *
payload(uint8_t *from, uint32_t len, uint32_t piece)
{
	static const struct strake_backing still = {.name = "load"};
	struct strake_buf *list = NULL, **end = &list;

	for (uint32_t at = 0; at < len; at += piece) {
		*end = strake_buf_wrap(from + at, RTE_MIN(piece, len - at), &still, NULL, STRAKE_BUF_STABLE);
		if (*end == NULL)
			fail("no descriptor left");
		end = &(*end)->next;
	}
	return list;
}

/* The volume stores every block at a place of its own. */
static void
store(struct strake_unit **units, unsigned int n)
{
	static uint64_t place;

	for (unsigned int i = 0; i < n; i++) {
		struct strake_advice *a = strake_req_of(units[i])->advice;

		for (unsigned int b = 0; b < a->n; b++)
			a->block[b].where = ++place;
	}
}

/* Bytes a second through down() in one turn; the rest of the way is not counted. */
static double
stage_turn(const struct load_case *c)
{
	const uint32_t len = c->blocks * BLOCK;
	uint64_t end = rte_rdtsc() + rte_get_tsc_hz() * TURN_MS / 1000, bytes = 0, cycles = 0;
	struct strake_unit *units[STRAKE_BURST];
	uint32_t at = 0;

	while (rte_rdtsc() < end) {
		for (unsigned int i = 0; i < c->reqs; i++) {
			struct strake_req *req = strake_req_alloc(false);

			req->vol = &volume;
			req->u.op = STRAKE_OP_WRITE;
			req->u.nbytes = len;
			req->u.bufs = payload(data + at + (uint64_t)i * len, len, c->piece);
			units[i] = &req->u;
		}
		uint64_t begin = rte_rdtsc();

		stage->ops->down(stage, units, (uint16_t)c->reqs);
		cycles += rte_rdtsc() - begin;
		store(units, c->reqs);
		stage->ops->up(stage, units, (uint16_t)c->reqs);
		for (unsigned int i = 0; i < c->reqs; i++)
			strake_req_free(strake_req_of(units[i]));
		bytes += (uint64_t)c->reqs * len;
		at = at + 2 * c->reqs * len <= DATA ? at + c->reqs * len : 0;
	}
	return (double)bytes * (double)rte_get_tsc_hz() / (double)cycles;
}

static struct conf_values *
stage_up(const char *fingerprint)
{
	const struct strake_stage_ops *ops = strake_stage_find("dedup");
	const char *pairs[] = {"fingerprint", fingerprint, "index_memory", "64MiB", NULL};
	static const uint8_t uuid[16] = {1};
	char err[200] = "";
	struct conf_values *values = conf_values_make(ops->keys, pairs, err, sizeof(err));

	if (values == NULL || strake_stage_create(&stage, ops, "v.dedup", values, -1, err, sizeof(err)) < 0 ||
	    dedup_attach(stage, uuid, 1, err, sizeof(err)) < 0 || strake_stage_lcore_init(stage) < 0)
		fail(err);
	return values;
}

static void
stage_down(struct conf_values *values)
{
	strake_stage_lcore_fini(stage);
	strake_stage_destroy(stage);
	conf_values_free(values);
}

/* --- cases -------------------------------------------------------------------------------------------------------- */

static int
by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double
median(double *v, unsigned int n)
{
	qsort(v, n, sizeof(*v), by_value);
	return v[n / 2];
}

static void
run_case(const struct load_case *c, unsigned int turns, bool json)
{
	static double engine[TURNS_MAX], down[TURNS_MAX], ratio[TURNS_MAX];
	struct conf_values *values = stage_up(c->fingerprint);
	unsigned int best = 0;
	double e, d, r;

	if (n_managers > 1)
		best = engine_turn(c, 1) > engine_turn(c, 0);
	for (unsigned int t = 0; t < turns; t++) {
		engine[t] = engine_turn(c, best);
		down[t] = stage_turn(c);
		ratio[t] = down[t] / engine[t];
	}
	e = median(engine, turns) / 1e9;
	d = median(down, turns) / 1e9;
	r = median(ratio, turns);
	stage_down(values);
	if (json)
		printf("{\"case\": \"%s\", \"engine_gbs\": %.3f, \"stage_gbs\": %.3f, \"ratio\": %.3f}\n", c->name, e,
		       d, r);
	else
		printf("%-32s engine %6.2f GB/s   stage %6.2f GB/s   %5.1f %%\n", c->name, e, d, r * 100);
}

static void
engines_up(void)
{
	IMB_MGR *wide = alloc_mb_mgr(IMB_FLAG_SHANI_OFF), *narrow = alloc_mb_mgr(0);

	if (wide == NULL || narrow == NULL)
		fail("no ipsec-mb");
	init_mb_mgr_auto(wide, NULL);
	if ((narrow->features & IMB_FEATURE_AVX2) != 0)
		init_mb_mgr_avx2(narrow);
	else
		init_mb_mgr_sse(narrow);
	managers[n_managers++] = wide;
	managers[n_managers++] = narrow;
}

static void
world_up(void)
{
	const struct strake_lcore_conf lcore = {.idle = STRAKE_IDLE_SPIN};
	const struct strake_buf_conf bufs = {.descriptors = 16384, .arena_bytes = 8 << 20, .socket = SOCKET_ID_ANY};
	const struct strake_pipeline_conf pipeline = {
		.reqs = 1024, .chunks = 64, .reserve = 8, .socket = SOCKET_ID_ANY};

	if (strake_lcore_create(0, &lcore) < 0 || strake_lcore_create(1, &lcore) < 0 || strake_buf_init(&bufs) < 0 ||
	    strake_pipeline_init(&pipeline) < 0)
		fail("no memory");
	strake_lcore_enter(1);
	/* On huge pages, as what comes from the wire is, and as the index is. */
	data = aligned_alloc(HUGE_PAGE, DATA);
	table = aligned_alloc(HUGE_PAGE, TABLE);
	if (data == NULL || madvise(data, DATA, MADV_HUGEPAGE) < 0 || table == NULL ||
	    madvise(table, TABLE, MADV_HUGEPAGE) < 0)
		fail("no memory");
	memset(table, 1, TABLE);
	for (uint32_t at = 0; at < DATA; at += 8) {
		uint64_t word = random_word();

		memcpy(data + at, &word, 8);
	}
	engines_up();
}

int
main(int argc, char **argv)
{
	int used = rte_eal_init(argc, argv);
	unsigned int turns;

	if (used < 0)
		fail("rte_eal_init failed");
	/* Nobody's turn shall be the one in which the kernel finds memory. */
	if (mlockall(MCL_CURRENT) < 0)
		fail("memory cannot be locked");
	argc -= used;
	argv += used;
	turns = argc > 1 ? (unsigned int)atoi(argv[1]) : 15;
	if (turns == 0 || turns > TURNS_MAX)
		fail("turns: 1 to 101");
	world_up();
	for (unsigned int i = 0; i < RTE_DIM(cases); i++) {
		if (argc > 3 && strncmp(cases[i].name, argv[3], strlen(argv[3])) != 0)
			continue;
		run_case(&cases[i], turns, argc > 2 && strcmp(argv[2], "json") == 0);
	}
	return 0;
}
