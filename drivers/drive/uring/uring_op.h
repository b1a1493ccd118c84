/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef URING_OP_H
#define URING_OP_H

/**
 * @file
 * One I/O on its way through the kernel: how it is asked for, and what the answer means.
 */

#include "uring_file.h"
#include "uring_ring.h"

struct uring_drive {
	struct uring_file file;
	unsigned int slot;		    /* of the registered files, on every ring */
	bool registered;		    /* may use registered buffers and files */
	uint64_t short_ios, zeroes_written; /* rare: counted without care for lost updates */
};

/** Ask for @p io. Only if the queue has an entry free.
 * @return 0; -EAGAIN when there is no op or no page for it just now. */
int uring_op_begin(struct uring_ring *r, struct uring_drive *d, struct strake_io *io);
/** The window of the payload, as it lies: can the kernel take it without copying? */
bool uring_lies_well(const struct uring_file *f, const struct strake_io *io);
/** (Re)issue op's present step. @return false when the queue is full. */
bool uring_op_issue(struct uring_ring *r, struct uring_op *op);
/** The kernel answered @p res: go on, or end the I/O. */
void uring_op_answer(struct uring_ring *r, struct uring_op *op, int res);

#endif /* URING_OP_H */
