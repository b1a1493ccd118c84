/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef GROUP_H
#define GROUP_H

/**
 * @file
 * A group of drives in RAID 0, 1 or 10: geometry, members, superblocks, dirty regions, and the stripe stage that fans
 * chunks out.
 *
 * Member state, generation and the dirty map belong to main; data lcores hold copies that main publishes by message.
 * Rules that no failure may break:
 * - A write is acknowledged only when every member that the current generation calls in sync has it.
 * - Before the first acknowledgement of a write that some member lacks, a new generation that says so is durable on
 *   every survivor. So a stale half never assembles alone.
 * - A region is marked dirty durably before its first write is submitted. After an unclean stop dirty regions of
 *   mirrors are resynchronised, and until then read from one and the same half.
 */

#include <stdbool.h>
#include <stdint.h>

#include "conf.h"
#include "strake_chain.h"
#include "strake_drive.h"

#ifdef __cplusplus
extern "C" {
#endif

struct group;

enum group_member_state {
	GROUP_MEMBER_IN_SYNC,
	GROUP_MEMBER_STALE,   /**< back, being resynchronised: written, not read */
	GROUP_MEMBER_MISSING, /**< failed or not there */
};

/** What the group keeps on its drives about a plain volume. */
struct group_extent {
	char name[64];
	uint8_t uuid[16];
	uint64_t place, bytes; /**< in the data area */
};

/**
 * Assemble a group from open drives, in any order, by their superblocks; or make a new one from blank drives if
 * conf->create. Main, at boot: runs turns of main's loop while it reads and writes superblocks.
 *
 * @return 0 and *out; -errno with one line in @p err that names the drive: a foreign superblock, foreign data, a
 * missing member of a RAID 0, both halves of a mirror missing or stale, a drive that is too small.
 */
int group_open(struct group **out, const struct conf_group *conf, struct strake_drive **drives, unsigned int n,
	       char *err, size_t errlen);
/** Clean stop: clears the dirty map durably, writes the clean mark. Main, after the data lcores drained; runs turns. */
void group_close(struct group *g);
/** On each data lcore, before traffic. */
int group_lcore_init(struct group *g);
void group_lcore_fini(struct group *g);

/** The stage that ends the chunk chains of this group's volumes. */
struct strake_stage *group_stage(struct group *g);
/** Usable bytes of the data area, and its free part. */
uint64_t group_bytes(const struct group *g);
uint64_t group_bytes_free(const struct group *g);
/** True if any member has a volatile write cache. */
bool group_volatile_cache(const struct group *g);
/** Find the extent of a volume by name, or make it (with @p uuid, or a new one if NULL). Durable on return. Main.
 * @return 0; -ENOSPC; -EINVAL when it exists with another size. */
int group_extent(struct group *g, const char *name, uint64_t bytes, const uint8_t *uuid, struct group_extent *out,
		 char *err, size_t errlen);

/** Give a volume's extent another size in its place; what grows needs free room behind it. Durable on return. Main:
 * runs turns. @return 0; -ENOENT; -ENOSPC; -EIO, with one line in @p err. */
int group_extent_resize(struct group *g, const char *name, uint64_t bytes, char *err, size_t errlen);

/** Operator's words, main: take a member out of service; bring a drive back or put a new one in its place (resyncs). */
int group_member_fail(struct group *g, unsigned int member);
int group_member_return(struct group *g, unsigned int member, struct strake_drive *drive, char *err, size_t errlen);

/** Whose place an open drive takes: that of the missing member that had its serial, else of the first missing one that
 * has no drive. @return the member, or -ENOENT. */
int group_member_vacant(const struct group *g, const struct strake_drive *drive);

/** Let go of the drive of a member that is missing, so that it can be closed; members in service keep theirs. Main.
 * @return 0: nobody uses it any more; -EAGAIN: soon, ask again; -EINVAL: no such member; -EBUSY: it is in service. */
int group_member_forget(struct group *g, unsigned int member);
/** Has the group the drive in hand, as a member or to see whether it may be one? Main. */
bool group_has_drive(const struct group *g, const struct strake_drive *drive);

/** For telemetry and tests, main. */
struct group_status {
	char name[64];
	uint8_t uuid[16];
	unsigned int raid; /**< 0, 1, 10 */
	uint64_t chunk, bytes, bytes_free, region;
	uint64_t generation;
	unsigned int members;
	uint64_t regions, regions_dirty, regions_resync; /**< resync: still to do */
	uint64_t regions_bad;				 /**< of those: have blocks that no half can read */
	uint64_t resync_bytes, degraded_reads, degraded_writes, member_errors;
	/** Ranges that a half could not read and that were written again from another; those left as they are, because
	 * it was done before; bytes written again; bytes that no half could read, each time it was tried. */
	uint64_t mends, mends_skipped, mended_bytes, unreadable_bytes;
};
void group_status(const struct group *g, struct group_status *out);
enum group_member_state group_member_get(const struct group *g, unsigned int member, struct strake_drive **drive);
struct group *group_nth(unsigned int i);

#ifdef __cplusplus
}
#endif

#endif /* GROUP_H */
