/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef VOLUME_H
#define VOLUME_H

/**
 * @file
 * Plain volumes: the stage that turns requests into chunks and back, orders overlapping writes, and carries out
 * compare, compare-and-write, verify and the splitting of long ranges.
 */

#include "strake_volume.h"

#ifdef __cplusplus
extern "C" {
#endif

struct plain_conf {
	const char *name;
	uint64_t bytes;
	uint32_t lba_shift;  /**< 9 or 12 */
	uint32_t slab_shift; /**< log2 bytes */
	bool read_only;
	bool volatile_cache;
	uint64_t place; /**< in the group's data area */
	const uint8_t *uuid;
	struct strake_stage **req_stages; /**< above the volume stage, nearest the client first */
	unsigned int n_req_stages;
	struct strake_stage **chunk_stages; /**< below it, ending with the group's stripe stage */
	unsigned int n_chunk_stages;
};

/** A volume that is not served. */
struct volume_offline {
	const char *name, *word, *why; /**< why: in a word or two, and in a line */
	uint64_t bytes;
};
/** Who knows of such volumes, so that telemetry tells of them, too: @p nth says the n-th, on main. NULL: nobody. */
void volume_offline_ask(bool (*nth)(unsigned int n, struct volume_offline *out));

/** Make a plain volume with its two chains, and add it to the list of volumes. Main. */
int plain_create(struct strake_volume **out, const struct plain_conf *conf, char *err, size_t errlen);
/** Main, after drain. */
void plain_destroy(struct strake_volume *vol);
/** On each data lcore, before traffic, and after drain. */
int plain_lcore_init(struct strake_volume *vol);
void plain_lcore_fini(struct strake_volume *vol);

#ifdef __cplusplus
}
#endif

#endif /* VOLUME_H */
