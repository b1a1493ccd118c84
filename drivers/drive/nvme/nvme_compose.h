/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef NVME_COMPOSE_H
#define NVME_COMPOSE_H

/**
 * @file
 * What a command of an I/O is: its opcode, how much of the I/O it takes, its words and its memory.
 */

#include <assert.h>

#include "nvme_lane.h"

/** Bytes of the page that holds what to deallocate: some drives fetch all 256 ranges whatever their number. */
#define NVME_RANGE_BYTES 4096u

/** What an I/O carries while a lane has it. */
struct nvme_part {
	struct strake_buf *page; /* where a read lands, or a gathered write */
	uint32_t next;		 /* bytes handed over so far; of a flush, 1 */
	uint16_t pending;	 /* commands not answered for good */
	bool waiting;
	int32_t status; /* of the first command that failed */
};

static inline struct nvme_part *
nvme_part_of(struct strake_io *io)
{
	static_assert(sizeof(struct nvme_part) <= sizeof(io->priv), "an I/O's private part");
	return (struct nvme_part *)io->priv;
}

/** Can the drive take the payload as it lies? */
bool nvme_lies_well(const struct nvme_dev *dev, const struct strake_io *io);
/** How many bytes at most the next command of an I/O takes, from byte @p from of it on: up to the drive's limit, ending
 * where the drive likes it. */
uint32_t nvme_cut(const struct nvme_lane *lane, const struct strake_io *io, uint32_t from);
uint8_t nvme_opcode_of(const struct nvme_lane *lane, const struct strake_io *io);
/** Fill in a command for what a slot says; memory in the slot's iov. */
void nvme_compose(struct nvme_lane *lane, struct nvme_slot *s, struct nvme_cmd *cmd);

#endif /* NVME_COMPOSE_H */
