/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef LOG_GROUP_H
#define LOG_GROUP_H

/**
 * @file
 * A log group: k data and m parity columns in segments over drives of unequal size, for one store (strake_space.h).
 *
 * The data path is the owner lcore's; members, superblocks and notes are main's; they talk by message. Rules that no
 * failure may break:
 * - A row or an intent is done with status 0 only when every member in service has its part, or is known on every
 *   survivor, durably, to lack it. So a stale column never assembles as good.
 * - At most m members are ever out of service. One more is not given up: what needs it ends with -EIO, and when it is
 *   back all is as it was.
 *
 * What the space adds to strake_space.h:
 * - READ and REPAIR with an attempt that cannot be carried out just now (too few columns) end with -EIO; the next may
 *   do. -ERANGE only when there is none left.
 * - REPAIR with attempt 0 takes the data as it lies for right and writes the parity that disagrees. After an unclean
 *   stop the store does that with rows that were not flushed, before it relies on them.
 * - A column that a drive cannot read (-EIO) is rebuilt and written again at once.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conf.h"
#include "strake_drive.h"
#include "strake_space.h"

#ifdef __cplusplus
extern "C" {
#endif

struct log_group;

enum log_member_state {
	LOG_MEMBER_IN_SYNC,
	LOG_MEMBER_STALE,   /**< there, being rebuilt: written, and read where it is rebuilt already */
	LOG_MEMBER_MISSING, /**< failed or not there */
};

/**
 * Assemble a log group from open drives, in any order, by their superblocks; or make a new one from blank drives if
 * conf->create. Main, at boot: runs turns of main's loop while it reads and writes.
 * @param drives members, and those of conf->spares that are there: a blank one is kept as a spare, one that took a
 * member's place is a member. Drives that were replaced, and spares that cannot be one, are left out with a warning.
 * @param owner data lcore of the store.
 * @return 0 and *out; -errno with one line in @p err that names the drive.
 */
int log_group_open(struct log_group **out, const struct conf_group *conf, struct strake_drive **drives, unsigned int n,
		   uint16_t owner, char *err, size_t errlen);
/** Stop in order. Main, after the owner left; runs turns. */
void log_group_close(struct log_group *g);
/** On each data lcore, before traffic; only the owner has something to do. @return 0, -ENOMEM. */
int log_group_lcore_init(struct log_group *g);
/** The owner's ios must be done. */
void log_group_lcore_fini(struct log_group *g);
/** Nothing is under way on this lcore. */
bool log_group_drained(const struct log_group *g);

/** The store's side. The store may submit as soon as the owner's lcore_init() returned. */
struct strake_space *log_group_space(struct log_group *g);

/* --- operator's words, main ------------------------------------------------------------------------------------- */

/** Take a member out of service. @return 0 when that is on its way; -EBUSY: m are out already; -EINVAL. */
int log_group_member_fail(struct log_group *g, unsigned int member);
/** Bring a drive back or put a new one, blank, in a missing member's place: it is rebuilt. One that has the superblock
 * it went with gets only the segments that it missed since, and those of which its volatile cache may have held
 * something; checksums above find what was changed on it behind our back. Runs turns.
 * @return 0 when the rebuild begins; -errno with one line in @p err. */
int log_group_member_return(struct log_group *g, unsigned int member, struct strake_drive *drive, char *err,
			    size_t errlen);
/** Whose place an open drive takes: that of the missing member that had its serial, else of the first missing one.
 * @return the member, or -ENOENT. */
int log_group_member_vacant(const struct log_group *g, const struct strake_drive *drive);
/** Let go of the drive of a member that is missing, so that it can be closed. Members in service keep theirs.
 * @return 0: the group does not use it any more, though I/Os that it began may still be under way; -EAGAIN: soon, ask
 * again; -EINVAL: no such member; -EBUSY: it is in service. */
int log_group_member_forget(struct log_group *g, unsigned int member);
/** Has the group the drive in hand, as a member, as a spare, or to make it one? */
bool log_group_has_drive(const struct log_group *g, const struct strake_drive *drive);
/** Keep a blank drive that takes the place of the next member that goes missing. @return 0, -ENOSPC, -EINVAL. */
int log_group_spare_add(struct log_group *g, struct strake_drive *drive, char *err, size_t errlen);
/** Keep one again that was a spare, or is known to be blank. */
void log_group_spare_put(struct log_group *g, struct strake_drive *drive);
bool log_group_spare_is(const struct log_group *g, const struct strake_drive *drive);
/** It is a spare no more. @return 0, -ENOENT. */
int log_group_spare_remove(struct log_group *g, const struct strake_drive *drive);
/** Add a drive: columns move to it, then there are more segments. Runs turns. @return 0 when that has begun. */
int log_group_drive_add(struct log_group *g, struct strake_drive *drive, char *err, size_t errlen);
/** Most bytes a second that rebuild and growth write; 0: no limit. */
void log_group_rebuild_rate(struct log_group *g, uint64_t bytes);
/** Read every row in use with its parity, from the first one on. What disagrees is told to @p found on the owner lcore
 * (the store knows which bytes are right, and repairs). @return 0, -EALREADY. */
int log_group_scrub_start(struct log_group *g, uint64_t bytes_per_s);
void log_group_scrub_stop(struct log_group *g);
/** What the scrubs of a group came to: kept over restarts by whoever plans them, told in telemetry. Times are seconds
 * of the wall clock. */
struct log_scrub_last {
	uint64_t ended;		      /**< 0: never */
	uint64_t rows, wrong, mended; /**< mended: columns written again */
	uint64_t next;		      /**< 0: when told */
};
void log_group_scrub_tell(struct log_group *g, const struct log_scrub_last *last);
/** Set before scrubbing, owner lcore: row @p row of @p seg does not agree with its parity. */
void log_group_scrub_watch(struct log_group *g, void (*found)(void *arg, uint32_t seg, uint32_t row), void *arg);

/* --- telemetry and tests, main ---------------------------------------------------------------------------------- */

struct log_group_status {
	char name[64];
	uint8_t uuid[16];
	unsigned int data, parity, members, missing, stale, spares;
	uint32_t unit, segment, segments, segments_coming; /**< coming: when growth is done */
	uint64_t bytes;					   /**< for data */
	uint64_t generation;
	uint64_t rows, reads, bytes_written, bytes_read;	 /**< rows written; parity not counted */
	uint64_t degraded_reads, degraded_writes, rebuilt_reads; /**< rebuilt: pieces made from parity */
	uint64_t repaired;		      /**< columns that were wrong or could not be read, written again */
	uint64_t mended;		      /**< of them: could not be read */
	uint64_t rebuild_done, rebuild_total; /**< segments; total 0: none under way */
	uint64_t rebuild_bytes, rebuild_rate, moves;
	uint64_t scrub_done, scrub_total, scrub_rows, scrub_wrong; /**< segments, segments, rows, rows */
	uint64_t scrubs_ended;					   /**< that went through all segments */
};
void log_group_status(const struct log_group *g, struct log_group_status *out);
/** How it stands, in words: "in order", "1 of 4 drives is missing", "rebuilding 43 %", "growing", "scrubbing 7 %";
 * several are joined by commas. @return @p text. */
const char *log_group_words(const struct log_group_status *s, char *text, size_t len);
struct log_member_figures {
	struct strake_drive *drive; /**< NULL: never there since start */
	char serial[64];
	enum log_member_state state;
	uint32_t slots;
	uint64_t read_errors, write_errors, wrong; /**< wrong: columns that had other bytes than they should */
};
int log_group_member_get(const struct log_group *g, unsigned int member, struct log_member_figures *out);
struct log_group *log_group_nth(unsigned int i);

#ifdef __cplusplus
}
#endif

#endif /* LOG_GROUP_H */
