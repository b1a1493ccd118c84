/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "nvme_ring.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <libnvme.h>
#include <rte_malloc.h>

#include "drive_ring.h"
#include "nvme_lane.h"
#include "nvme_status.h"

#define SQES	    512
#define CQES	    4096
#define SETUP	    (IORING_SETUP_SQE128 | IORING_SETUP_CQE32)
#define SQE_BYTES   128 /* with IORING_SETUP_SQE128: 48 of them, then the command */
#define PROBE_TRIES 3

/* The arena is registered in pieces of 1 << REG_SHIFT bytes. Linux 6.1 counts all pages from a command's first to the
 * end of its piece against the drive's most segments (127 for most), clears an entry of 32 bytes for each of them (so
 * the fine pieces), and takes 16,384 pieces; what lies beyond them works unregistered. No page of the arena crosses a
 * multiple of its own size from the arena's beginning. */
#define REG_SHIFT    18
#define REG_MAX	     16384u
#define FINE_SHIFT   12
#define REG_SEGMENTS ((1u << REG_SHIFT) / 4096)

struct nvme_ring {
	struct strake_poller poller;
	struct drive_ring q;
	unsigned int users; /* drives */
	struct nvme_lane *lanes[NVME_DRIVES];
	uint64_t strangers;
};

static struct nvme_ring *rings[STRAKE_LCORE_MAX];

/* --- asking ----------------------------------------------------------------------------------------------------------
 */

static struct nvme_uring_cmd *
prepare(struct io_uring_sqe *sqe, int fd, const struct nvme_dev *dev, const struct nvme_cmd *cmd)
{
	struct nvme_uring_cmd *c = (struct nvme_uring_cmd *)sqe->cmd;

	memset(sqe, 0, SQE_BYTES);
	sqe->opcode = IORING_OP_URING_CMD;
	sqe->fd = fd;
	sqe->user_data = cmd->tag;
	sqe->cmd_op = NVME_URING_CMD_IO;
	c->opcode = cmd->opcode;
	c->nsid = dev->nsid;
	c->cdw10 = cmd->cdw10;
	c->cdw11 = cmd->cdw11;
	c->cdw12 = cmd->cdw12;
	c->timeout_ms = dev->timeout_ms;
	return c;
}

static bool
ring_submit(struct nvme_lane *lane, const struct nvme_cmd *cmd)
{
	const struct nvme_dev *dev = lane->sh->dev;
	struct nvme_ring *r = lane->queue;
	struct io_uring_sqe *sqe = io_uring_get_sqe(&r->q.ring);
	struct nvme_uring_cmd *c;
	int index;

	if (unlikely(sqe == NULL))
		return false;
	c = prepare(sqe, r->q.fixed_files ? dev->slot : dev->fd, dev, cmd);
	if (r->q.fixed_files)
		sqe->flags = IOSQE_FIXED_FILE;
	if (cmd->n_iov == 0)
		return true;
	if (cmd->n_iov > 1) {
		sqe->cmd_op = NVME_URING_CMD_IO_VEC;
		c->addr = (uintptr_t)cmd->iov;
		c->data_len = cmd->n_iov;
		return true;
	}
	c->addr = (uintptr_t)cmd->iov[0].iov_base;
	c->data_len = cmd->len;
	index = dev->fixed ? drive_ring_index(&r->q, cmd->iov[0].iov_base, cmd->len) : -1;
	if (likely(index >= 0)) {
		sqe->uring_cmd_flags = IORING_URING_CMD_FIXED;
		sqe->buf_index = (uint16_t)index;
	}
	return true;
}

/* --- the answer ------------------------------------------------------------------------------------------------------
 */

static uint32_t
reap(struct nvme_ring *r)
{
	uint64_t tags[DRIVE_RING_BATCH];
	int res[DRIVE_RING_BATCH];
	uint32_t total = 0;
	unsigned int n;

	while ((n = drive_ring_take(&r->q, tags, res, DRIVE_RING_BATCH)) > 0) {
		for (unsigned int i = 0; i < n; i++) {
			uint16_t drive = nvme_tag_drive(tags[i]);

			if (likely(drive < NVME_DRIVES && r->lanes[drive] != NULL))
				nvme_lane_answer(r->lanes[drive], tags[i], res[i]);
			else
				r->strangers++;
		}
		total += n;
	}
	return total;
}

static uint32_t
ring_poll(struct strake_poller *p, uint64_t now)
{
	RTE_SET_USED(now);
	return reap(container_of(p, struct nvme_ring, poller));
}

/* The one system call of a turn. */
static uint32_t
ring_flush(struct strake_poller *p, uint64_t now)
{
	struct nvme_ring *r = container_of(p, struct nvme_ring, poller);
	uint64_t before = r->q.enters;
	uint32_t handed = drive_ring_enter(&r->q);

	RTE_SET_USED(now);
	return r->q.enters != before ? reap(r) + handed : 0;
}

static bool
ring_arm(struct strake_poller *p, bool on)
{
	return drive_ring_arm(&container_of(p, struct nvme_ring, poller)->q, on);
}

static int
ring_sleep(struct strake_poller *p, const struct strake_sleep *s)
{
	return drive_ring_sleep(&container_of(p, struct nvme_ring, poller)->q, s);
}

/* --- making and ending -----------------------------------------------------------------------------------------------
 */

static int
ring_create(struct nvme_ring **out)
{
	static const struct drive_ring_conf conf = {
		.kind = "nvme",
		.sqes = SQES,
		.cqes = CQES,
		.files = NVME_DRIVES,
		.setup = SETUP,
		.reg_shift = REG_SHIFT,
		.reg_max = REG_MAX,
		.fine_shift = FINE_SHIFT,
	};
	struct nvme_ring *r = rte_zmalloc_socket("nvme_ring", sizeof(*r), RTE_CACHE_LINE_SIZE, strake_self()->socket);
	int ret;

	if (r == NULL)
		return -ENOMEM;
	ret = drive_ring_open(&r->q, &conf);
	if (ret < 0) {
		rte_free(r);
		return ret;
	}
	r->poller = (struct strake_poller){.name = "nvme_ring",
					   .poll = ring_poll,
					   .flush = ring_flush,
					   .arm = ring_arm,
					   .sleep = ring_sleep,
					   .fd = drive_ring_fd(&r->q)};
	strake_poller_add(&r->poller);
	*out = r;
	return 0;
}

static void
ring_put(struct nvme_ring *r)
{
	if (--r->users > 0)
		return;
	rings[strake_self_index()] = NULL;
	strake_poller_del(&r->poller);
	drive_ring_close(&r->q);
	rte_free(r);
}

static int
ring_lcore_init(struct nvme_dev *dev, struct nvme_lane *lane)
{
	struct nvme_ring **r = &rings[strake_self_index()];
	int ret = *r == NULL ? ring_create(r) : 0;

	if (ret < 0)
		return ret;
	(*r)->users++;
	ret = drive_ring_file(&(*r)->q, dev->slot, dev->fd);
	if (ret < 0) {
		ring_put(*r);
		return ret;
	}
	(*r)->lanes[dev->slot] = lane;
	lane->queue = *r;
	return 0;
}

static int
ring_adopt(struct nvme_dev *dev, struct nvme_lane *lane)
{
	struct nvme_ring *r = lane->queue;

	return drive_ring_file(&r->q, dev->slot, dev->fd);
}

static void
ring_lcore_fini(struct nvme_dev *dev, struct nvme_lane *lane)
{
	struct nvme_ring *r = lane->queue;

	drive_ring_file(&r->q, dev->slot, -1);
	r->lanes[dev->slot] = NULL;
	ring_put(r);
}

static void
ring_figures(const struct nvme_lane *lane, uint64_t *enters, uint64_t *most)
{
	const struct nvme_ring *r = lane->queue;

	*enters = r->q.enters;
	*most = r->q.most;
}

static void
ring_close(struct nvme_dev *dev)
{
	close(dev->fd);
}

/* --- probing ---------------------------------------------------------------------------------------------------------
 */

static int
probe_read(struct io_uring *ring, struct nvme_dev *dev, struct iovec *iov, bool fixed)
{
	struct nvme_cmd cmd = {.opcode = nvme_cmd_read, .len = (uint32_t)iov->iov_len};
	struct io_uring_sqe *sqe = io_uring_get_sqe(ring);
	struct io_uring_cqe *cqe;
	struct nvme_uring_cmd *c;
	int ret;

	if (sqe == NULL)
		return -EBUSY;
	c = prepare(sqe, dev->fd, dev, &cmd);
	c->addr = (uintptr_t)iov->iov_base;
	c->data_len = (uint32_t)iov->iov_len;
	if (fixed)
		sqe->uring_cmd_flags = IORING_URING_CMD_FIXED;
	ret = io_uring_submit_and_wait(ring, 1);
	while (ret == -EINTR)
		ret = io_uring_submit_and_wait(ring, 1);
	if (ret >= 0)
		ret = io_uring_wait_cqe(ring, &cqe);
	if (ret < 0)
		return ret;
	ret = cqe->res;
	io_uring_cqe_seen(ring, cqe);
	return ret;
}

int
nvme_ring_probe(struct nvme_dev *dev, uint32_t block, uint32_t segments)
{
	struct strake_buf *buf = strake_buf_page(block);
	struct iovec iov;
	struct io_uring ring;
	bool deferred;
	int ret = -ENOMEM;

	if (buf == NULL)
		return ret;
	ret = drive_ring_queue(&ring, 8, 8, SETUP, false, &deferred);
	if (ret < 0) {
		strake_buf_put(buf);
		return ret == -ENOMEM ? ret : -EOPNOTSUPP;
	}
	iov = (struct iovec){buf->addr, block};
	dev->fixed = (segments == 0 || segments >= REG_SEGMENTS) && io_uring_register_buffers(&ring, &iov, 1) == 0;
	for (unsigned int i = 0; i < PROBE_TRIES; i++) {
		ret = probe_read(&ring, dev, &iov, dev->fixed);
		if (ret < 0 && dev->fixed) {
			dev->fixed = false;
			ret = probe_read(&ring, dev, &iov, false);
		}
		if (ret != -EINTR && ret != -EAGAIN)
			break;
	}
	io_uring_queue_exit(&ring);
	strake_buf_put(buf);
	if (ret > 0 && nvme_status_silent(ret))
		return -ETIMEDOUT;
	/* What the drive says of its first block is for whoever reads it. */
	if (ret >= 0)
		return 0;
	if (ret == -EACCES || ret == -EPERM)
		return -EACCES;
	return ret == -EINVAL || ret == -ENOTTY || ret == -ENOSYS ? -EOPNOTSUPP : ret;
}

const struct nvme_dev_ops nvme_ring_ops = {
	.name = "passthrough",
	.identify = nvme_ask_identify,
	.log = nvme_ask_log,
	.feature = nvme_ask_feature,
	.format = nvme_ask_format,
	.sanitize = nvme_ask_sanitize,
	.lcore_init = ring_lcore_init,
	.lcore_fini = ring_lcore_fini,
	.submit = ring_submit,
	.adopt = ring_adopt,
	.figures = ring_figures,
	.close = ring_close,
};
