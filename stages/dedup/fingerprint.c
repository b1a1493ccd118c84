/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "fingerprint.h"

#include <errno.h>
#include <string.h>

#include <intel-ipsec-mb.h>
#include <openssl/evp.h>
#include <xxh_x86dispatch.h>

#include <rte_branch_prediction.h>
#include <rte_byteorder.h>
#include <rte_cpuflags.h>
#include <rte_malloc.h>
#include <rte_prefetch.h>

#define SHA256_BYTES 32u
/* Lanes of the wide manager, and from how many blocks on a batch that does not fill them is still faster there: it
 * costs as much as sixteen, and the SHA instructions take about a twelfth of that for each. */
#define WIDE_LANES 16u
#define WIDE_FROM  11u
/* Bytes of the next block fetched while XXH3 is at one. A quarter into the second level of the cache was best on a Xeon
 * (Sapphire Rapids), whose own prefetching does the rest. On an EPYC (Zen 5) that was worse than none, and the whole
 * block into the first level the best by far. */
#define AHEAD 1024u

struct dedup_hasher {
	IMB_MGR *wide;	 /* sixteen lanes of AVX-512, or NULL */
	IMB_MGR *narrow; /* the SHA instructions, or lanes of AVX2, AVX, SSE; or NULL */
	EVP_MD_CTX *evp;
	EVP_MD *sha256;
	enum dedup_kind kind;
	bool avx;
	bool all_ahead; /* the whole next block is fetched */
	uint8_t digest[DEDUP_BATCH][SHA256_BYTES];
};

static IMB_MGR *
wide_manager(void)
{
	IMB_MGR *m = alloc_mb_mgr(IMB_FLAG_SHANI_OFF);

	if (m == NULL)
		return NULL;
	if ((m->features & IMB_FEATURE_AVX512_SKX) == IMB_FEATURE_AVX512_SKX) {
		init_mb_mgr_avx512(m);
		if (imb_get_errno(m) == 0)
			return m;
	}
	free_mb_mgr(m);
	return NULL;
}

static IMB_MGR *
narrow_manager(void)
{
	IMB_MGR *m = alloc_mb_mgr(0);

	if (m == NULL)
		return NULL;
	if ((m->features & IMB_FEATURE_AVX2) != 0)
		init_mb_mgr_avx2(m);
	else
		init_mb_mgr_sse(m);
	if (imb_get_errno(m) == 0)
		return m;
	free_mb_mgr(m);
	return NULL;
}

int
dedup_hasher_create(struct dedup_hasher **out, enum dedup_kind kind, int socket)
{
	struct dedup_hasher *h = rte_zmalloc_socket("dedup_hasher", sizeof(*h), RTE_CACHE_LINE_SIZE, socket);

	if (h == NULL)
		return -ENOMEM;
	h->kind = kind;
	h->avx = rte_cpu_get_flag_enabled(RTE_CPUFLAG_AVX) == 1;
	h->all_ahead = __builtin_cpu_is("amd");
	if (kind == DEDUP_SHA256) {
		h->wide = wide_manager();
		h->narrow = narrow_manager();
		h->evp = EVP_MD_CTX_new();
		h->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
		if (h->evp == NULL || h->sha256 == NULL) {
			dedup_hasher_destroy(h);
			return -ENOMEM;
		}
	}
	*out = h;
	return 0;
}

void
dedup_hasher_destroy(struct dedup_hasher *h)
{
	if (h == NULL)
		return;
	dedup_hasher_without(h, true, true);
	EVP_MD_CTX_free(h->evp);
	EVP_MD_free(h->sha256);
	rte_free(h);
}

void
dedup_hasher_without(struct dedup_hasher *h, bool lanes, bool all)
{
	if ((lanes || all) && h->wide != NULL) {
		free_mb_mgr(h->wide);
		h->wide = NULL;
	}
	if (all && h->narrow != NULL) {
		free_mb_mgr(h->narrow);
		h->narrow = NULL;
	}
}

const char *
dedup_hasher_name(const struct dedup_hasher *h)
{
	if (h->kind == DEDUP_FAST)
		return "xxh3";
	if (h->wide != NULL)
		return "avx512 lanes";
	if (h->narrow == NULL)
		return "openssl";
	return (h->narrow->features & IMB_FEATURE_SHANI) != 0 ? "sha instructions" : "lanes";
}

static void
run_lanes(struct dedup_hasher *h, IMB_MGR *m, const struct dedup_job *jobs, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		IMB_JOB *job = IMB_GET_NEXT_JOB(m);

		job->cipher_mode = IMB_CIPHER_NULL;
		job->cipher_direction = IMB_DIR_ENCRYPT;
		job->chain_order = IMB_ORDER_HASH_CIPHER;
		job->hash_alg = IMB_AUTH_SHA_256;
		job->src = jobs[i].block;
		job->hash_start_src_offset_in_bytes = 0;
		job->msg_len_to_hash_in_bytes = STRAKE_ADVICE_BLOCK;
		job->auth_tag_output = h->digest[i];
		job->auth_tag_output_len_in_bytes = SHA256_BYTES;
		IMB_SUBMIT_JOB_NOCHECK(m);
	}
	while (IMB_FLUSH_JOB(m) != NULL)
		;
	for (unsigned int i = 0; i < n; i++)
		memcpy(jobs[i].fp, h->digest[i], STRAKE_ADVICE_FP);
}

static int
run_openssl(struct dedup_hasher *h, const struct dedup_job *jobs, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		if (EVP_DigestInit_ex2(h->evp, h->sha256, NULL) != 1 ||
		    EVP_DigestUpdate(h->evp, jobs[i].block, STRAKE_ADVICE_BLOCK) != 1 ||
		    EVP_DigestFinal_ex(h->evp, h->digest[0], NULL) != 1)
			return -EIO;
		memcpy(jobs[i].fp, h->digest[0], STRAKE_ADVICE_FP);
	}
	return 0;
}

/* libxxhash 0.8.1 leaves the upper halves of the vector registers in use, and then each SSE instruction after it, of
 * which all else here is made, waits for them: a block would take more than twice as long. */
static inline void
end_vectors(bool avx, XXH128_hash_t *hash)
{
	if (avx)
		__asm__ volatile("vzeroupper" : "+r"(hash->low64), "+r"(hash->high64)::"memory");
}

/* A page that begins is new to the processor's own prefetching; this hash is faster than that learns. */
static inline void
fetch(const uint8_t *block, bool all)
{
	for (unsigned int l = 0; all && l < STRAKE_ADVICE_BLOCK; l += RTE_CACHE_LINE_SIZE)
		rte_prefetch0(block + l);
	for (unsigned int l = 0; !all && l < AHEAD; l += RTE_CACHE_LINE_SIZE)
		rte_prefetch1(block + l);
}

static void
run_fast(const struct dedup_hasher *h, const struct dedup_job *jobs, unsigned int n, unsigned int more)
{
	for (unsigned int i = 0; i < n; i++) {
		XXH128_hash_t hash;

		if (i + 1 < n + more)
			fetch(jobs[i + 1].block, h->all_ahead);
		hash = XXH3_128bits(jobs[i].block, STRAKE_ADVICE_BLOCK);
		end_vectors(h->avx, &hash);
		const rte_le64_t word[3] = {rte_cpu_to_le_64(hash.low64), rte_cpu_to_le_64(hash.high64), 0};

		memcpy(jobs[i].fp, word, STRAKE_ADVICE_FP);
	}
}

int
dedup_hasher_run(struct dedup_hasher *h, const struct dedup_job *jobs, unsigned int n, unsigned int more)
{
	unsigned int rest = n % WIDE_LANES;
	unsigned int wide = 0;

	if (h->kind == DEDUP_FAST) {
		run_fast(h, jobs, n, more);
		return 0;
	}
	if (likely(h->wide != NULL)) {
		wide = h->narrow == NULL || rest >= WIDE_FROM ? n : n - rest;
		run_lanes(h, h->wide, jobs, wide);
	}
	if (wide == n)
		return 0;
	if (unlikely(h->narrow == NULL))
		return run_openssl(h, jobs + wide, n - wide);
	run_lanes(h, h->narrow, jobs + wide, n - wide);
	return 0;
}
