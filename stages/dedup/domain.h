/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef DOMAIN_H
#define DOMAIN_H

/**
 * @file
 * What the stages of one domain of one store share on one lcore: hasher, index, advice, figures.
 *
 * Main makes and forgets domains as stages are attached and destroyed; the lcore alone opens, uses and closes them.
 */

#include "dedup.h"
#include "fingerprint.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Writes under way that can be advised at once. */
#define DEDUP_ADVICE 1024u

/** Advice, and what was said at first: the volume writes over it. */
struct dedup_advice {
	struct strake_advice a; /* first */
	uint64_t gave[STRAKE_ADVICE_MAX];
};

/** A block on its way through the hasher. */
struct dedup_block {
	struct dedup_advice *advice;
	unsigned int at;
};

struct dedup_domain {
	struct dedup_domain *next; /* main: list */
	unsigned int stages;	   /* main: attached */
	uint8_t uuid[16];
	char name[DEDUP_DOMAIN_MAX];
	uint16_t lcore;
	enum dedup_kind kind;
	uint64_t memory;

	unsigned int users; /* from here on the lcore's */
	struct dedup_index *ix;
	struct dedup_hasher *hasher;
	struct dedup_advice *pool;
	struct strake_advice *free;
	uint8_t (*scratch)[STRAKE_ADVICE_BLOCK]; /* DEDUP_BATCH of them, for blocks that are spread over bufs */
	unsigned int n;				 /* of the next two */
	struct dedup_job job[DEDUP_BATCH];
	struct dedup_block block[DEDUP_BATCH];
	struct dedup_stats stats;
	char engine[32];
};

struct dedup_conf {
	const char *name;
	enum dedup_kind kind;
	uint64_t memory;
};

/** The domain of that name, store and lcore, made if need be; one more stage of it. Main. */
int dedup_domain_join(struct dedup_domain **out, const struct dedup_conf *conf, const uint8_t *uuid, uint16_t lcore,
		      char *err, size_t errlen);
/** One stage less; the last one forgets it. Main. */
void dedup_domain_leave(struct dedup_domain *d);

/** One more stage uses it; the first one takes the memory. On its lcore. @return 0, -ENOMEM. */
int dedup_domain_open(struct dedup_domain *d);
void dedup_domain_close(struct dedup_domain *d);

static inline struct dedup_advice *
dedup_advice_take(struct dedup_domain *d)
{
	struct strake_advice *a = d->free;

	if (a != NULL)
		d->free = a->next;
	return (struct dedup_advice *)a;
}

static inline void
dedup_advice_give(struct dedup_domain *d, struct strake_advice *a)
{
	a->next = d->free;
	d->free = a;
}

#ifdef __cplusplus
}
#endif

#endif /* DOMAIN_H */
