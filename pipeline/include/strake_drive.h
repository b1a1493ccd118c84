/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef STRAKE_DRIVE_H
#define STRAKE_DRIVE_H

/**
 * @file
 * The contract of a drive: where bytes end.
 *
 * A drive may be used on every lcore at once; each lcore submits and completes its own I/Os. Two I/Os under way on
 * overlapping ranges are the caller's bug. A drive never keeps state of its own about ranges, so lcores need not agree.
 */

#include <stdbool.h>
#include <stdint.h>

#include "conf_key.h"
#include "strake_buf.h"
#include "strake_lcore.h"
#include "strake_telemetry.h"

#ifdef __cplusplus
extern "C" {
#endif

struct strake_drive;
struct conf_values;
struct rte_tel_data;

enum strake_io_op {
	STRAKE_IO_READ,
	STRAKE_IO_WRITE,
	STRAKE_IO_FLUSH, /**< every write completed before is durable when this is done */
	STRAKE_IO_WRITE_ZEROES,
	STRAKE_IO_DEALLOCATE, /**< reads as zeroes afterwards, or as before if the drive cannot; never an error for that
			       */
	STRAKE_IO_OPS,
};

#define STRAKE_IO_FUA	  0x0001 /**< write, write zeroes: durable before done */
#define STRAKE_IO_TOUCHED 0x0002 /**< read: STRAKE_UNIT_TOUCHED */

/** One I/O of one drive. From strake_io_alloc(), or the caller's own memory. */
struct strake_io {
	struct strake_io *link; /**< whoever holds it */
	struct strake_drive *drive;
	uint64_t off; /**< bytes, a multiple of the drive's block size */
	uint32_t len; /**< bytes, likewise; 0 for flush; up to 4 GiB less a block for zeroes and deallocate */
	uint8_t op;
	uint8_t retries;
	uint16_t flags;
	/** Write: the list that holds the payload, window [buf_off, buf_off + len). Not consumed: the caller's
	 * references keep it until done. Read: NULL, and done finds a list of exactly len bytes here, the caller's to
	 * put; or a list of writable bufs whose window is filled. */
	struct strake_buf *bufs;
	uint32_t buf_off;
	int32_t status; /**< at done: 0, -EIO (media), -ENODEV (gone), -ETIMEDOUT, -ENOSPC, -ENOMEM */
	/** On the lcore that submitted, once, never from inside submit(). */
	void (*done)(struct strake_io *io);
	void *arg;
	uint64_t t_start; /**< ns; set by strake_drive_submit() */
	uint64_t priv[4]; /**< the driver's */
};

/** What an operator may ask of the hardware itself. */
enum strake_drive_task {
	STRAKE_DRIVE_LOCATE,   /**< let its light say where it is */
	STRAKE_DRIVE_UNLOCATE, /**< and no longer */
	STRAKE_DRIVE_LOOK,     /**< look at its health now */
	STRAKE_DRIVE_FORMAT,   /**< lose all data of this namespace */
	STRAKE_DRIVE_SANITIZE, /**< lose all data of the whole drive, for good */
};

struct strake_drive_ops {
	const char *name;	     /**< `kind:` in the configuration. Required. */
	const struct conf_key *keys; /**< its configuration beside `name:` and `kind:` */

	/** Open: set block_size, bytes, volatile_cache, max_io, serial, priv. Main, or a thread that is no lcore, one
	 * at a time; may wait, but not long once drive->unwanted is set. @p err gets one line for the operator. @return
	 * 0 or -errno. Required. */
	int (*open)(struct strake_drive *drive, const struct conf_values *conf, char *err, size_t errlen);
	/** Nothing is under way on any lcore. Main. Required. */
	void (*close)(struct strake_drive *drive);
	/** Make this lcore able to submit to the drive (its ring, registered file). On that lcore, before traffic.
	 * A driver that polls adds its poller here, once per lcore. @return 0 or -errno. Optional. */
	int (*lcore_init)(struct strake_drive *drive);
	/** Undo; nothing is under way here. Optional. */
	void (*lcore_fini)(struct strake_drive *drive);
	/** Take a prefix of the burst. @return how many were taken, 0 to n; the rest is offered again later.
	 * Must not call done(). Required. */
	uint16_t (*submit)(struct strake_drive *drive, struct strake_io **ios, uint16_t n);
	/** Can it take the payload of this write as it lies? Else submit() gathers it; who writes the same to several
	 * drives gathers it once, before. Data lcores. Optional: without it, it can. */
	bool (*lies_well)(const struct strake_drive *drive, const struct strake_io *io);
	/** Begin a task; one at a time. For those that lose data the caller made sure that nobody uses the drive.
	 * Main. @return 0; -EOPNOTSUPP, -EBUSY, or another -errno with one line in @p err. Optional. */
	int (*order)(struct strake_drive *drive, enum strake_drive_task task, char *err, size_t errlen);
	/** How the last task went. Main. @return -EINPROGRESS; or 0 or -errno, and one line in @p said. With order. */
	int (*ordered)(struct strake_drive *drive, char *said, size_t len);
	/** Add the driver's own figures to a telemetry dictionary. Any thread. Optional. */
	void (*telemetry)(struct strake_drive *drive, struct rte_tel_data *dict);
};

/** By lcore, one writer. */
struct strake_drive_stats {
	uint64_t ops[STRAKE_IO_OPS], bytes[STRAKE_IO_OPS], errors[STRAKE_IO_OPS];
	uint64_t inflight;	 /**< submitted and not done */
	uint64_t bytes_gathered; /**< copied into aligned buffers because the drive could not take them as they lay */
	uint64_t full;		 /**< submit() took fewer than offered */
	struct strake_hist latency[2]; /**< read, write; ns */
};

struct strake_drive {
	const struct strake_drive_ops *ops;
	char name[64];
	char serial[64];     /**< of the hardware or file, for the operator */
	uint64_t bytes;	     /**< capacity */
	uint32_t block_size; /**< smallest unit of off and len: 512 or 4096 */
	uint32_t max_io;     /**< longest read or write, bytes; at least STRAKE_BUF_PAGE_MAX */
	bool volatile_cache; /**< writes are durable only after flush or FUA */
	/** How often it was found again after it had vanished. Written by the driver, atomically, from any thread. */
	unsigned int returns;
	bool failed;   /**< taken out of service by its group: submit nothing. Written by main. */
	bool unwanted; /**< while it is opened: nobody waits for it any more. Written by main, atomically. */
	void *priv;
	void *lc[STRAKE_LCORE_MAX]; /**< the driver's per-lcore part */
	struct strake_drive_stats *stats[STRAKE_LCORE_MAX];
};

/** Open a drive of a registered kind. Main. @return 0 and *out, or -errno and one line in @p err. */
int strake_drive_open(struct strake_drive **out, const char *name, const char *kind, const struct conf_values *conf,
		      char *err, size_t errlen);
/** What is opened beside main. */
struct strake_drive_begin {
	const char *name, *kind;
	const struct conf_values *conf; /**< stays until the end */
	/** What to do on that thread before; where it fails the drive is not opened. Optional. */
	int (*first)(void *arg, char *err, size_t errlen);
	void *arg;
};

/** The same on a thread beside main, which must go on, and beside others that are opened so: a drive that keeps silent
 * takes its time. Main. @return 0 and *out, or as above. */
struct strake_opening;
int strake_drive_open_begin(struct strake_opening **out, const struct strake_drive_begin *how, char *err,
			    size_t errlen);
/** Is it open? Main. @return -EINPROGRESS; else @p o is gone, and as strake_drive_open(). */
int strake_drive_open_end(struct strake_opening *o, struct strake_drive **out, char *err, size_t errlen);
/** Nobody waits for it any more: the driver tries no further. Main; strake_drive_open_end() or leave follows. */
void strake_drive_open_unwant(struct strake_opening *o);
/** Leave it; runs turns of the loop until the thread has noticed. Main. */
void strake_drive_open_leave(struct strake_opening *o);
/** Close and free. Main. */
void strake_drive_close(struct strake_drive *drive);
/** Make this lcore ready for the drive. On that lcore. */
int strake_drive_lcore_init(struct strake_drive *drive);
/** Undo; nothing happens on an lcore that is not ready. */
void strake_drive_lcore_fini(struct strake_drive *drive);
/** The @p i-th open drive or NULL; telemetry. */
struct strake_drive *strake_drive_nth(unsigned int i);

/** An I/O descriptor from the pool (cache per lcore), zeroed. NULL when empty. */
struct strake_io *strake_io_alloc(void);
void strake_io_free(struct strake_io *io);

/**
 * Submit I/Os, all of the same drive, on this lcore. What the driver does not take at once is kept, in order, and
 * offered again each turn, so the caller is never refused. Counts.
 */
void strake_drive_submit(struct strake_drive *drive, struct strake_io **ios, uint16_t n);
/** For drivers: this I/O is over. Counts, then calls done(). Not from inside submit(). */
void strake_io_complete(struct strake_io *io, int status);

/** One I/O and wait for it, by running turns on this lcore. For boot and shutdown on main only.
 * @return 0 or -errno. */
int strake_drive_sync(struct strake_drive *drive, enum strake_io_op op, uint64_t off, struct strake_buf *buf,
		      uint32_t len);

/** Called by STRAKE_DRIVE_REGISTER. */
void strake_drive_register(const struct strake_drive_ops *ops);
const struct strake_drive_ops *strake_drive_find(const char *kind);
const struct strake_drive_ops *strake_drive_kind(unsigned int i);

#define STRAKE_DRIVE_REGISTER(ops)                                                                                     \
	RTE_INIT(strake_drive_reg_##ops)                                                                               \
	{                                                                                                              \
		strake_drive_register(&(ops));                                                                         \
	}

#ifdef __cplusplus
}
#endif

#endif /* STRAKE_DRIVE_H */
