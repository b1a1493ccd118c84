/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef POWER_DRIVE_H
#define POWER_DRIVE_H

/**
 * @file
 * A drive that loses power, for tests.
 *
 * A *disk* is the medium: it outlives the strake_drive that was opened on it, as a real one outlives the process. Its
 * write cache is volatile: until a flush (or FUA) has completed, a power cut leaves each 512-byte sector with any of
 * the contents written since, or with what was durable before, sector by sector, so unflushed writes are lost and torn.
 * Writes under way when power goes may have reached any of their sectors.
 *
 * A *supply* feeds one or more disks, which therefore lose power at the same instant. After a cut every I/O, those
 * under way included, ends with -ENODEV, until power_restore(). Everything random follows from the supply's seed.
 *
 * Any lcore may submit, also several at once.
 *
 *     supply = power_supply_new(seed);
 *     disk = power_disk_new(supply, &(struct power_conf){.bytes = 64 << 20});
 *     power_drive_open(&drive, "d0", disk);
 *     ... run once, note power_writes(supply); run again with power_cut_at(supply, any number up to it) ...
 *     strake_drive_close(drive);
 *     power_restore(supply);
 *     power_drive_open(&drive, "d0", disk);
 *     ... what had been flushed must be there ...
 */

#include <stdbool.h>
#include <stdint.h>

#include "strake_drive.h"

#ifdef __cplusplus
extern "C" {
#endif

struct power_supply;
struct power_disk;
struct power_image;

struct power_supply *power_supply_new(uint64_t seed);
/** Its disks must be freed before. */
void power_supply_free(struct power_supply *ps);
/** Cut when the @p nth write, zeroes, deallocate or flush from now is submitted to any of its disks (that one is under
 * way when power goes); 0: not at all. */
void power_cut_at(struct power_supply *ps, uint64_t nth);
/** Cut now. What was under way ends with -ENODEV at the next turns. */
void power_cut(struct power_supply *ps);
/** Power is back, caches empty. */
void power_restore(struct power_supply *ps);
bool power_is_on(const struct power_supply *ps);
/** Writes, zeroes, deallocates and flushes submitted so far on all its disks. */
uint64_t power_writes(const struct power_supply *ps);

/** Call @p fn after each of those was submitted, with what power_writes() says; NULL: no more. */
void power_watch(struct power_supply *ps, void (*fn)(void *arg, uint64_t nth), void *arg);

/**
 * What the disks would hold had power gone now, as @p seed draws it: nothing changes. In power_watch()'s callback too.
 * Pages are shared with the disks until one is written, so it belongs to their thread.
 */
struct power_image *power_image_take(const struct power_supply *ps, uint64_t seed);
void power_image_free(struct power_image *im);
/** Make the disks of a supply, which are as many and as large, hold it. Nothing is under way on them. */
void power_image_load(struct power_supply *ps, const struct power_image *im);

/** All but bytes may be 0. */
struct power_conf {
	uint64_t bytes;
	uint32_t block_size;  /**< 0: 512 */
	bool write_through;   /**< no volatile cache: writes are durable when done */
	uint32_t delay_turns; /**< each I/O takes 1 to 1 + this many turns, and so they complete out of order */
	uint32_t depth;	      /**< most I/Os under way on the disk; more are not taken. 0: any number */
	uint32_t max_io;      /**< 0: STRAKE_BUF_PAGE_MAX */
	uint32_t align;	      /**< payload lies well in pieces that begin and end at its multiples; 0: any does */
	const char *serial;   /**< NULL: "power-N" */
};

struct power_disk *power_disk_new(struct power_supply *ps, const struct power_conf *conf);
/** Its drive must be closed before. */
void power_disk_free(struct power_disk *disk);
/** Open it as a strake_drive (kind "power"); strake_drive_lcore_init() and the rest as with any other. */
int power_drive_open(struct strake_drive **out, const char *name, struct power_disk *disk);

/** Fail I/Os on command. */
struct power_fault {
	uint32_t ops;	   /**< bitmap of 1 << STRAKE_IO_*; 0: all */
	uint64_t off, len; /**< only those that touch this range; len 0: anywhere */
	uint32_t skip;	   /**< let this many matching ones pass first */
	uint32_t count;	   /**< fail this many, then no more; 0: for ever */
	int status;	   /**< -EIO; nothing of the I/O is carried out */
	bool heals;	   /**< gone from where something was written, as a bad sector is */
};
/** Add one; the first that matches counts. At most 16. */
void power_disk_fault(struct power_disk *disk, const struct power_fault *fault);
void power_disk_no_faults(struct power_disk *disk);

/** Writes that a disk says are done, and are not. */
enum power_lie {
	POWER_LIE_LOST,	   /**< nothing was written, or not all sectors */
	POWER_LIE_ASTRAY,  /**< some or all sectors were written to another place instead */
	POWER_LIE_FLIPPED, /**< one bit is another */
	POWER_LIES
};
struct power_lies {
	uint64_t seed;
	uint32_t one_in; /**< of so many writes one is a lie; 0: none. Zeroes and deallocates may be lost */
	uint64_t from;	 /**< nothing goes astray to a place before this */
	uint64_t honest; /**< what is written before this is written */
	uint64_t head;	 /**< of writes before this one in `head_one_in` is a lie instead */
	uint32_t head_one_in;
	uint32_t kinds; /**< bitmap of 1 << POWER_LIE_*; 0: all */
};
void power_disk_lies(struct power_disk *disk, const struct power_lies *lies);

/** Pulled out (-ENODEV for all, also what is under way, which is not carried out), or plugged in again with its
 * contents and its cache as they were. */
void power_disk_vanish(struct power_disk *disk, bool gone);
/** Complete nothing (on = true), until released: I/Os that hang. */
void power_disk_hold(struct power_disk *disk, bool on);

/** Answer what is submitted from now on so many times as slowly; 1: as before. */
void power_disk_slow(struct power_disk *disk, uint32_t times);

/** What the disk saw. The last three are bugs of the caller: a test asserts that they are 0. */
struct power_figures {
	uint64_t ops[STRAKE_IO_OPS]; /**< carried out */
	uint64_t fua;
	uint64_t failed;   /**< by fault, cut or vanishing */
	uint64_t gathered; /**< writes that came with a payload that did not lie well */
	uint64_t lies[POWER_LIES];
	uint64_t inflight, most_inflight;
	uint64_t overlaps;	/**< submitted over a range that was being written, or written over one under way */
	uint64_t changed;	/**< payload changed between submit and completion */
	uint64_t out_of_bounds; /**< beyond the end, misaligned, or longer than max_io; failed with -ERANGE */
};
void power_disk_figures(const struct power_disk *disk, struct power_figures *out);

/** Look at or change the bytes without an I/O: as a reader would see them now. Changes are durable. */
void power_disk_peek(const struct power_disk *disk, uint64_t off, void *dst, uint64_t len);
void power_disk_poke(struct power_disk *disk, uint64_t off, const void *src, uint64_t len);

#ifdef __cplusplus
}
#endif

#endif /* POWER_DRIVE_H */
