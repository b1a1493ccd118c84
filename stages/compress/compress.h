/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef COMPRESS_H
#define COMPRESS_H

#include "expand.h"
#include "guess.h"
#include "lane.h"
#include "shrink.h"
#include "strake_stage.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Written by the lcore it belongs to, read by telemetry. */
struct compress_stats {
	uint64_t bytes_in, bytes_out;	       /**< written: before and after, chunks that stayed plain included */
	uint64_t shrunk, stayed_plain;	       /**< chunks that were tried */
	uint64_t skipped;		       /**< chunks that `auto` did not try */
	uint64_t expanded_in, expanded_out;    /**< bytes of reads, those of plain chunks not counted */
	uint64_t damaged;		       /**< reads whose bytes or seal are not what was written */
	uint64_t no_pages;		       /**< writes that stayed plain because no page was free */
	uint64_t gathered;		       /**< bytes copied because they lay in pieces, or could change */
	uint64_t waited;		       /**< reads that waited for a page or for the device */
	uint64_t device_failures, devices_off; /**< jobs a device failed with; devices left alone */
	uint64_t soft;			       /**< deflate chunks expanded by the processor in the device's place */
	uint64_t shrink_cycles, expand_cycles; /**< TSC */
};

/** What one lcore has. */
struct compress_lcore {
	struct compress_stats *stats;
	struct shrink lz4;
	struct guess guess;
	struct lane lane; /**< lane.dev NULL: none */
	struct inflate_state *inflate;
	uint8_t *flat;				    /**< COMPRESS_PLAIN_MAX bytes to gather in */
	struct strake_unit *waiting, *waiting_last; /**< reads, in order */
};

/** The instance's. */
struct compress {
	uint8_t mode, level;
	uint32_t gain; /**< percent */
	struct compress_device *device;
	struct compress_stats stats[STRAKE_LCORE_MAX];
};

enum compress_mode { COMPRESS_NONE, COMPRESS_LZ4, COMPRESS_DEFLATE, COMPRESS_AUTO };

/** Figures of a stage over all lcores. Any thread. */
void compress_stats(const struct strake_stage *st, struct compress_stats *sum);

/** Most bytes that a payload of @p plain may have to be worth keeping. */
static inline uint32_t
compress_room(const struct compress *c, uint32_t plain)
{
	return plain - RTE_MAX(COMPRESS_GRANULE, plain * c->gain / 100);
}

/** The payload is now @p buf, of codec @p codec. */
void compress_adopt(struct strake_unit *u, struct strake_buf *buf, uint32_t len);
/** The written payload goes down as it is. */
void compress_keep_plain(struct compress_lcore *lc, struct strake_unit *u);

/* --- write.c: down ------------------------------------------------------------------------------------------------ */

/** Jobs begun in one call, which the device gets together. */
struct compress_burst {
	struct lane_job *job[STRAKE_BURST];
	uint16_t n, pushed;
	bool fresh; /**< their units are in the hands of down() or up() */
};

void compress_write_down(struct compress *c, struct compress_lcore *lc, struct strake_unit *u,
			 struct compress_burst *burst);
/** The device is done with a write. */
void compress_write_end(struct compress *c, struct compress_lcore *lc, struct lane_job *job);

/* --- read.c: up ----------------------------------------------------------------------------------------------------
 */

/**
 * Expand, or begin to.
 * @return 0: finished, u->status says how; -EINPROGRESS: in the burst; -EAGAIN: later.
 */
int compress_read_up(struct compress_lcore *lc, struct strake_unit *u, struct compress_burst *burst);
/** The device is done with a read; u->status says how it went. */
void compress_read_end(struct compress_lcore *lc, struct lane_job *job);
/** Reads that wait: at the end, or back at the front. */
void compress_read_wait(struct compress_lcore *lc, struct strake_unit *u);
void compress_read_wait_first(struct compress_lcore *lc, struct strake_unit *u);

/* --- compress.c --------------------------------------------------------------------------------------------------- */

/** Give the burst to the device and take back what it has. */
void compress_flush(struct compress *c, struct compress_lcore *lc, struct compress_burst *burst);
/** A device failed with a job; it is counted, and said once when it is left alone. */
void compress_device_failed(struct compress_lcore *lc);

#ifdef __cplusplus
}
#endif

#endif /* COMPRESS_H */
