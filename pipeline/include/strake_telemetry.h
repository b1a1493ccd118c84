/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef STRAKE_TELEMETRY_H
#define STRAKE_TELEMETRY_H

/**
 * @file
 * Figures: histograms that the data path writes, and how a room publishes them under /strake/ on the DPDK telemetry
 * socket.
 *
 * Counters have one writer (an lcore) and are read by the telemetry thread without a lock: plain 64-bit stores.
 */

#include <stdint.h>

#include <rte_telemetry.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Buckets of a histogram: four to an octave, from 2^0 to 2^40. */
#define STRAKE_HIST_BUCKETS 164

/** Log-linear histogram: value v falls into bucket strake_hist_bucket(v); error at most 12.5 %. */
struct strake_hist {
	uint64_t count, sum, max;
	uint64_t bucket[STRAKE_HIST_BUCKETS];
};

static inline unsigned int
strake_hist_bucket(uint64_t v)
{
	unsigned int octave, b;

	if (v < 4)
		return (unsigned int)v;
	octave = 63 - (unsigned int)__builtin_clzll(v);
	b = octave * 4 + (unsigned int)((v >> (octave - 2)) & 3) - 4;
	return b < STRAKE_HIST_BUCKETS ? b : STRAKE_HIST_BUCKETS - 1;
}

/** Smallest value of bucket @p b. */
uint64_t strake_hist_floor(unsigned int b);

static inline void
strake_hist_add(struct strake_hist *h, uint64_t v)
{
	h->count++;
	h->sum += v;
	if (v > h->max)
		h->max = v;
	h->bucket[strake_hist_bucket(v)]++;
}

/** Add @p from to @p to (readers: sum over lcores). */
void strake_hist_merge(struct strake_hist *to, const struct strake_hist *from);
/** Value below which @p permille of 1000 lie: the upper edge of its bucket, at most max. 0 when empty. */
uint64_t strake_hist_quantile(const struct strake_hist *h, unsigned int permille);
/** Publish as a dictionary: count, mean, max, p50, p99, p999, and buckets as "floor" arrays, non-empty ones only. */
void strake_hist_tel(const struct strake_hist *h, struct rte_tel_data *parent, const char *key);

/**
 * Register a telemetry command below /strake/. Thin: checks the prefix, then rte_telemetry_register_cmd().
 * Long lists take "first,count" as params: see strake_tel_page().
 */
int strake_tel_register(const char *cmd, telemetry_cb fn, const char *help);

/** Fills @p d. @p params is never NULL. @return 0 or -errno. */
typedef int (*strake_tel_fn)(const char *params, struct rte_tel_data *d);

/** The same for a command whose answer can only be made on main: @p fn runs there, and who asked waits for it; there
 * is no answer when main gives none. Another @p fn for a command that is registered takes its place. */
int strake_tel_register_on_main(const char *cmd, strake_tel_fn fn, const char *help);

/** Parse "first,count" (default 0 and the most a reply holds). @return 0 or -EINVAL. */
int strake_tel_page(const char *params, unsigned int *first, unsigned int *count);

#ifdef __cplusplus
}
#endif

#endif /* STRAKE_TELEMETRY_H */
