/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef POWER_MEDIUM_H
#define POWER_MEDIUM_H

/**
 * @file
 * What a power_disk's bytes are: durable ones, those a reader sees now, and the writes between.
 */

#include <stdbool.h>
#include <stdint.h>

#define POWER_SECTOR 512u

/* A write that is not known to be durable. Oldest first. */
struct power_version {
	uint64_t sector;
	uint32_t count;
	bool fua;
	uint8_t *data; /* NULL: zeroes */
};

struct power_medium {
	uint64_t bytes;
	uint8_t *durable, *now;
	struct power_version *versions;
	uint64_t n_versions, max_versions;
	uint64_t first_seq; /* sequence number of versions[0] */
};

/* The next random number of a sequence. */
uint64_t power_draw(uint64_t *rng);
/* Abort rather than go on without memory. */
void *power_must(void *p);

void power_medium_init(struct power_medium *m, uint64_t bytes);
void power_medium_fini(struct power_medium *m);
/* Sequence number the next version gets. */
uint64_t power_medium_seq(const struct power_medium *m);
/* Write bytes [off, off + len), in the cache only unless fua; takes data. */
void power_medium_write(struct power_medium *m, uint64_t off, uint32_t len, uint8_t *data, bool fua);
/* As a write that was under way when power went: what reached the medium is drawn by the cut; takes data. */
void power_medium_half_write(struct power_medium *m, uint64_t off, uint32_t len, uint8_t *data);
/* Versions before @p seq are durable now. */
void power_medium_settle(struct power_medium *m, uint64_t seq);
/* Power goes: decide what is left, and show it. */
void power_medium_cut(struct power_medium *m, uint64_t *rng);

#endif /* POWER_MEDIUM_H */
