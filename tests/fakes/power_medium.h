/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef POWER_MEDIUM_H
#define POWER_MEDIUM_H

/**
 * @file
 * What a power_disk's bytes are: durable ones, those a reader sees now, and the writes between.
 *
 * Both are tables of pages that are shared until one is written, so a copy of a medium costs next to nothing. Copies
 * that share pages belong to one thread.
 */

#include <stdbool.h>
#include <stdint.h>

#define POWER_SECTOR 512u
#define POWER_PAGE   16384u

struct power_page;
struct power_payload;
struct strake_io;

/* A write that is not known to be durable. Oldest first. */
struct power_version {
	uint64_t sector;
	uint32_t count;
	bool fua;
	struct power_payload *data; /* NULL: zeroes */
};

struct power_medium {
	uint64_t bytes;
	struct power_page **durable, **now; /* NULL: zeroes */
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
/* A medium that holds the same, written and durable. */
void power_medium_clone(struct power_medium *to, const struct power_medium *from);
/* What a reader sees. */
void power_medium_read(const struct power_medium *m, uint64_t off, void *to, uint64_t len);
/* Other bytes, behind all caches: durable, and so is all that was written before. */
void power_medium_poke(struct power_medium *m, uint64_t off, const void *from, uint64_t len);
/* Sequence number the next version gets. */
uint64_t power_medium_seq(const struct power_medium *m);
/* Bytes to be written, with one reference. */
struct power_payload *power_payload_new(uint32_t len);
uint8_t *power_payload_bytes(struct power_payload *p);
/* Are they still what the write has? */
bool power_payload_is(struct power_payload *p, const struct strake_io *io);
void power_payload_put(struct power_payload *p);
/* Write bytes [off, off + len), in the cache only unless fua; @p data NULL: zeroes. Takes a reference of its own. */
void power_medium_write(struct power_medium *m, uint64_t off, uint32_t len, struct power_payload *data, bool fua);
/* As a write that was under way when power went: what reached the medium is drawn by the cut. */
void power_medium_half_write(struct power_medium *m, uint64_t off, uint32_t len, struct power_payload *data);
/* Versions before @p seq are durable now. */
void power_medium_settle(struct power_medium *m, uint64_t seq);
/* Power goes: decide what is left, and show it. */
void power_medium_cut(struct power_medium *m, uint64_t *rng);

#endif /* POWER_MEDIUM_H */
