/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "uring_op.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include <rte_branch_prediction.h>

/* --- asking --------------------------------------------------------------------------------------------------------
 */

static void
prep_rw(struct uring_ring *r, struct uring_op *op, struct io_uring_sqe *sqe)
{
	const struct uring_drive *d = op->drive;
	struct strake_io *io = op->io;
	uint64_t off = io->off + op->done;
	bool write = io->op == STRAKE_IO_WRITE;
	unsigned int n = 1, len;
	int index = -1;
	void *addr;

	if (op->page != NULL) {
		op->iov[0].iov_base = op->page->addr + op->done;
		op->iov[0].iov_len = io->len - op->done;
	} else {
		n = (unsigned int)strake_buf_iov(io->bufs, io->buf_off + op->done, io->len - op->done, op->iov,
						 URING_IOVS);
	}
	addr = op->iov[0].iov_base;
	len = (unsigned int)op->iov[0].iov_len;
	if (n == 1 && d->registered)
		index = drive_ring_index(&r->q, addr, len);
	if (index >= 0) {
		if (write)
			io_uring_prep_write_fixed(sqe, d->file.fd, addr, len, off, index);
		else
			io_uring_prep_read_fixed(sqe, d->file.fd, addr, len, off, index);
	} else if (write) {
		io_uring_prep_writev(sqe, d->file.fd, op->iov, n, off);
	} else {
		io_uring_prep_readv(sqe, d->file.fd, op->iov, n, off);
	}
	/* Durable like write and fdatasync in one; a device that can do it in the write itself is asked to. */
	if (write && (io->flags & STRAKE_IO_FUA) != 0)
		sqe->rw_flags = RWF_DSYNC;
}

static void
prep_fallocate(const struct uring_op *op, struct io_uring_sqe *sqe)
{
	const struct strake_io *io = op->io;
	int mode = io->op == STRAKE_IO_WRITE_ZEROES ? FALLOC_FL_ZERO_RANGE : FALLOC_FL_PUNCH_HOLE;

	io_uring_prep_fallocate(sqe, op->drive->file.fd, mode | FALLOC_FL_KEEP_SIZE, (off_t)io->off, (off_t)io->len);
}

static void
prep_fill(const struct uring_ring *r, const struct uring_op *op, struct io_uring_sqe *sqe)
{
	uint32_t len = RTE_MIN(op->io->len - op->done, STRAKE_BUF_PAGE_MAX);

	io_uring_prep_write(sqe, op->drive->file.fd, r->zeroes->addr, len, op->io->off + op->done);
}

bool
uring_op_issue(struct uring_ring *r, struct uring_op *op)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&r->q.ring);
	const struct uring_drive *d = op->drive;

	if (unlikely(sqe == NULL))
		return false;
	switch (op->step) {
	case URING_RW:
		prep_rw(r, op, sqe);
		break;
	case URING_FALLOC:
		prep_fallocate(op, sqe);
		break;
	case URING_FILL:
		prep_fill(r, op, sqe);
		break;
	case URING_FLUSH:
	case URING_FLUSH_ZERO:
		io_uring_prep_fsync(sqe, d->file.fd, IORING_FSYNC_DATASYNC);
		break;
	case URING_REFUSED:
		io_uring_prep_nop(sqe);
		break;
	}
	if (r->q.fixed_files && d->registered && op->step != URING_REFUSED) {
		sqe->fd = (int)d->slot;
		sqe->flags |= IOSQE_FIXED_FILE;
	}
	io_uring_sqe_set_data(sqe, op);
	return true;
}

bool
uring_lies_well(const struct uring_file *f, const struct strake_io *io)
{
	struct strake_buf_iter it;
	unsigned int pieces = 0;
	uint8_t *addr;
	uint32_t n;

	if (strake_buf_iter_init(&it, io->bufs, io->buf_off, io->len) < 0)
		return false;
	while ((n = strake_buf_iter_next(&it, &addr)) > 0) {
		if (((uintptr_t)addr & (f->mem_align - 1)) != 0 || (n & (f->len_align - 1)) != 0 ||
		    ++pieces > URING_IOVS)
			return false;
	}
	return true;
}

/* @return 0, -EAGAIN (no page just now), -ERANGE (payload too short). */
static int
begin_rw(struct uring_op *op)
{
	struct strake_io *io = op->io;

	op->step = URING_RW;
	if (io->bufs != NULL && uring_lies_well(&op->drive->file, io))
		return 0;
	op->page = strake_buf_page(io->len);
	if (op->page == NULL)
		return -EAGAIN;
	if (io->bufs == NULL)
		return io->op == STRAKE_IO_READ ? 0 : -ERANGE;
	/* A write is gathered now, a read scattered when it is there. */
	io->drive->stats[strake_self_index()]->bytes_gathered += io->len;
	if (io->op == STRAKE_IO_READ)
		return strake_buf_list_len(io->bufs) < (uint64_t)io->buf_off + io->len ? -ERANGE : 0;
	return strake_buf_copy_out(io->bufs, io->buf_off, op->page->addr, io->len);
}

static bool
in_bounds(const struct strake_drive *drive, const struct strake_io *io)
{
	if (io->op == STRAKE_IO_FLUSH)
		return true;
	return io->len > 0 && ((io->off | io->len) & (drive->block_size - 1)) == 0 && io->off < drive->bytes &&
	       io->len <= drive->bytes - io->off && (io->op > STRAKE_IO_WRITE || io->len <= drive->max_io);
}

int
uring_op_begin(struct uring_ring *r, struct uring_drive *d, struct strake_io *io)
{
	struct uring_op *op = uring_op_get(r);
	int ret = 0;

	if (unlikely(op == NULL))
		return -EAGAIN;
	op->io = io;
	op->drive = d;
	op->page = NULL;
	op->done = 0;
	if (unlikely(!in_bounds(io->drive, io)))
		ret = -ERANGE;
	else if (likely(io->op <= STRAKE_IO_WRITE))
		ret = begin_rw(op);
	else
		op->step = io->op == STRAKE_IO_FLUSH ? URING_FLUSH : URING_FALLOC;
	if (unlikely(ret == -EAGAIN)) {
		uring_op_put(r, op);
		return ret;
	}
	if (unlikely(ret < 0))
		op->step = URING_REFUSED;
	/* Reads, and writes of a device, end in the interrupt. Else a worker of the kernel goes on: for the file system
	 * after each write, and for what is never done at once. */
	op->helped = io->op != STRAKE_IO_READ && (io->op != STRAKE_IO_WRITE || !d->file.device);
	r->helped += op->helped;
	r->inflight++;
	return uring_op_issue(r, op) ? 0 : -EAGAIN;
}

/* --- the answer ----------------------------------------------------------------------------------------------------
 */

static int
status_of(int res)
{
	switch (res) {
	case -ENODEV:
	case -ENXIO:
	case -EBADF:
		return -ENODEV;
	case -ENOSPC:
	case -EDQUOT:
	case -EFBIG:
		return -ENOSPC;
	case -ETIMEDOUT:
	case -ENOMEM:
	case -ERANGE:
		return res;
	default:
		return -EIO;
	}
}

static void
finish(struct uring_ring *r, struct uring_op *op, int status)
{
	struct strake_io *io = op->io;

	if (op->page != NULL) {
		if (io->op == STRAKE_IO_READ && status == 0 && io->bufs == NULL) {
			io->bufs = op->page;
		} else {
			if (io->op == STRAKE_IO_READ && status == 0)
				strake_buf_copy_in(io->bufs, io->buf_off, op->page->addr, io->len);
			strake_buf_put(op->page);
		}
	}
	r->helped -= op->helped;
	uring_op_put(r, op);
	r->inflight--;
	strake_io_complete(io, status);
}

static void
go_on(struct uring_ring *r, struct uring_op *op, enum uring_step step)
{
	op->step = step;
	if (uring_op_issue(r, op))
		return;
	op->next = NULL;
	*r->again_tail = op;
	r->again_tail = &op->next;
}

/* Part of a transfer is there: ask for the rest. @return true when all of it is. */
static bool
advance(struct uring_ring *r, struct uring_op *op, int res)
{
	op->done += (uint32_t)res;
	if (op->done >= op->io->len)
		return true;
	if (op->step == URING_RW)
		op->drive->short_ios++;
	go_on(r, op, op->step);
	return false;
}

static void
zeroed(struct uring_ring *r, struct uring_op *op)
{
	if (op->io->op == STRAKE_IO_WRITE_ZEROES && (op->io->flags & STRAKE_IO_FUA) != 0)
		go_on(r, op, URING_FLUSH_ZERO);
	else
		finish(r, op, 0);
}

static void
answer_fallocate(struct uring_ring *r, struct uring_op *op, int res)
{
	bool must = op->io->op == STRAKE_IO_WRITE_ZEROES;

	if (res == 0) {
		zeroed(r, op);
	} else if (res != -EOPNOTSUPP && res != -EINVAL && res != -ENOSYS && res != -EPERM) {
		finish(r, op, status_of(res));
	} else if (!must) {
		finish(r, op, 0); /* what is not forgotten reads as before */
	} else {
		op->drive->zeroes_written += op->io->len;
		go_on(r, op, URING_FILL);
	}
}

void
uring_op_answer(struct uring_ring *r, struct uring_op *op, int res)
{
	if (unlikely(res == -EAGAIN || res == -EINTR)) {
		r->retried++;
		go_on(r, op, op->step);
		return;
	}
	switch (op->step) {
	case URING_RW:
	case URING_FILL:
		if (unlikely(res <= 0))
			finish(r, op, res == 0 ? -EIO : status_of(res)); /* 0: the file was cut short behind our back */
		else if (advance(r, op, res)) {
			if (op->step == URING_FILL)
				zeroed(r, op);
			else
				finish(r, op, 0);
		}
		break;
	case URING_FALLOC:
		answer_fallocate(r, op, res);
		break;
	case URING_FLUSH:
	case URING_FLUSH_ZERO:
		finish(r, op, res < 0 ? status_of(res) : 0);
		break;
	case URING_REFUSED:
		finish(r, op, -ERANGE);
		break;
	}
}
