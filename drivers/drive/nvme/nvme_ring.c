/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "nvme_ring.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <liburing.h>
#include <libnvme.h>
#include <rte_log.h>
#include <rte_malloc.h>

#include "nvme_lane.h"
#include "nvme_status.h"

RTE_LOG_REGISTER(nvme_ring_logtype, strake.nvme.ring, INFO)

#define SQES	    512
#define CQES	    4096
#define REAP	    64
#define SQE_BYTES   128 /* with IORING_SETUP_SQE128: 48 of them, then the command */
#define PROBE_TRIES 3

/* The arena is registered in pieces of this many bytes. Linux 6.1 counts all pages from a command's first to the end of
 * its piece against the drive's most segments (127 for most), and takes 16,384 pieces; what lies beyond them works
 * unregistered. No page of the arena crosses a multiple of its own size from the arena's beginning. */
#define REG_SHIFT    18
#define REG_MAX	     16384u
#define REG_SEGMENTS ((1u << REG_SHIFT) / 4096)

struct nvme_ring {
	struct strake_poller poller;
	struct io_uring ring;
	unsigned int users; /* drives */
	bool fixed_bufs, fixed_files;
	bool deferred; /* completions are made when we ask: the kernel flags that there are some */
	int event_fd;
	uint8_t *arena; /* registered */
	size_t arena_len;
	struct nvme_lane *lanes[NVME_DRIVES];
	uint64_t enters, turn, in_turn, most; /* system calls: all, of the turn `turn`, and the most in any turn */
	uint64_t strangers;
};

static struct nvme_ring *rings[STRAKE_LCORE_MAX];

/* Best first: Linux 6.1, 5.19. */
static int
queue_init(struct io_uring *ring, unsigned int sqes, unsigned int cqes, bool *deferred)
{
	static const unsigned int flags[] = {
		IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_TASKRUN_FLAG,
		IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG,
		0,
	};
	int ret = -EINVAL;

	for (unsigned int i = 0; i < RTE_DIM(flags) && ret == -EINVAL; i++) {
		struct io_uring_params params = {
			.flags = flags[i] | IORING_SETUP_CQSIZE | IORING_SETUP_SQE128 | IORING_SETUP_CQE32,
			.cq_entries = cqes,
		};

		ret = io_uring_queue_init_params(sqes, ring, &params);
		*deferred = flags[i] != 0;
	}
	return ret;
}

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

static inline bool
in_arena(const struct nvme_ring *r, const void *addr)
{
	return (uintptr_t)addr - (uintptr_t)r->arena < r->arena_len;
}

static bool
ring_submit(struct nvme_lane *lane, const struct nvme_cmd *cmd)
{
	const struct nvme_dev *dev = lane->sh->dev;
	struct nvme_ring *r = lane->queue;
	struct io_uring_sqe *sqe = io_uring_get_sqe(&r->ring);
	struct nvme_uring_cmd *c;

	if (unlikely(sqe == NULL))
		return false;
	c = prepare(sqe, r->fixed_files ? dev->slot : dev->fd, dev, cmd);
	if (r->fixed_files)
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
	if (likely(dev->fixed && r->fixed_bufs && in_arena(r, cmd->iov[0].iov_base))) {
		sqe->uring_cmd_flags = IORING_URING_CMD_FIXED;
		sqe->buf_index = (uint16_t)(STRAKE_BUF_REG_ARENA + ((c->addr - (uintptr_t)r->arena) >> REG_SHIFT));
	}
	return true;
}

/* --- the answer ------------------------------------------------------------------------------------------------------
 */

static uint32_t
reap(struct nvme_ring *r)
{
	struct io_uring_cqe *cqes[REAP];
	uint32_t total = 0;
	unsigned int n;

	while ((n = io_uring_peek_batch_cqe(&r->ring, cqes, REAP)) > 0) {
		uint64_t tags[REAP];
		int res[REAP];

		for (unsigned int i = 0; i < n; i++) {
			tags[i] = cqes[i]->user_data;
			res[i] = cqes[i]->res;
		}
		io_uring_cq_advance(&r->ring, n);
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

/* The kernel has completions for us that it only makes when we enter. */
static inline bool
kernel_waits(const struct nvme_ring *r)
{
	return (IO_URING_READ_ONCE(*r->ring.sq.kflags) & (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW)) != 0;
}

static uint32_t
ring_poll(struct strake_poller *p, uint64_t now)
{
	RTE_SET_USED(now);
	return reap(container_of(p, struct nvme_ring, poller));
}

static void
count_enter(struct nvme_ring *r)
{
	uint64_t turn = strake_self()->turns;

	r->enters++;
	r->in_turn = turn == r->turn ? r->in_turn + 1 : 1;
	r->turn = turn;
	r->most = RTE_MAX(r->most, r->in_turn);
}

/* The one system call of a turn: hands over what the turn gathered and fetches what is ready. */
static uint32_t
ring_flush(struct strake_poller *p, uint64_t now)
{
	struct nvme_ring *r = container_of(p, struct nvme_ring, poller);
	int ret;

	RTE_SET_USED(now);
	if (io_uring_sq_ready(&r->ring) == 0 && !kernel_waits(r))
		return 0;
	count_enter(r);
	/* A refusal (no memory just now, completions first) leaves the entries queued: the next turn offers them. */
	ret = r->deferred ? io_uring_submit_and_get_events(&r->ring) : io_uring_submit(&r->ring);
	return reap(r) + (ret > 0 ? (uint32_t)ret : 0);
}

static bool
ring_arm(struct strake_poller *p, bool on)
{
	struct nvme_ring *r = container_of(p, struct nvme_ring, poller);
	eventfd_t drain;

	io_uring_cq_eventfd_toggle(&r->ring, on);
	if (!on) {
		eventfd_read(r->event_fd, &drain);
		return true;
	}
	/* Whatever completed before the kernel could see the flag is looked for here, after it. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return io_uring_cq_ready(&r->ring) == 0 && !kernel_waits(r) && io_uring_sq_ready(&r->ring) == 0;
}

/* --- making and ending -----------------------------------------------------------------------------------------------
 */

static void
register_arena(struct nvme_ring *r)
{
	struct iovec *iov = calloc(REG_MAX, sizeof(*iov));
	unsigned int n = 0;
	void *addr;
	size_t len;
	int ret = -ENOMEM;

	strake_buf_arena(&addr, &len);
	r->arena = addr;
	r->arena_len = RTE_MIN(len, (size_t)REG_MAX << REG_SHIFT);
	for (size_t off = 0; iov != NULL && off < r->arena_len; off += (size_t)1 << REG_SHIFT, n++) {
		iov[n].iov_base = r->arena + off;
		iov[n].iov_len = RTE_MIN(r->arena_len - off, (size_t)1 << REG_SHIFT);
	}
	if (iov != NULL)
		ret = io_uring_register_buffers(&r->ring, iov, n);
	r->fixed_bufs = ret == 0;
	if (ret < 0)
		rte_log(RTE_LOG_WARNING, nvme_ring_logtype, "nvme: lcore %u works without registered buffers: %s%s\n",
			strake_self_index(), strerror(-ret),
			ret == -ENOMEM ? " (raise the limit of locked memory, ulimit -l)" : "");
	free(iov);
}

static int
ring_create(struct nvme_ring **out)
{
	struct nvme_ring *r = rte_zmalloc_socket("nvme_ring", sizeof(*r), RTE_CACHE_LINE_SIZE, strake_self()->socket);
	int ret;

	if (r == NULL)
		return -ENOMEM;
	ret = queue_init(&r->ring, SQES, CQES, &r->deferred);
	if (ret < 0)
		goto err_free;
	r->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	ret = r->event_fd < 0 ? -errno : io_uring_register_eventfd(&r->ring, r->event_fd);
	if (ret < 0)
		goto err_ring;
	io_uring_cq_eventfd_toggle(&r->ring, false);
	register_arena(r);
	r->fixed_files = io_uring_register_files_sparse(&r->ring, NVME_DRIVES) == 0;
	r->poller = (struct strake_poller){
		.name = "nvme_ring", .poll = ring_poll, .flush = ring_flush, .arm = ring_arm, .fd = r->event_fd};
	strake_poller_add(&r->poller);
	*out = r;
	return 0;

err_ring:
	if (r->event_fd >= 0)
		close(r->event_fd);
	io_uring_queue_exit(&r->ring);
err_free:
	rte_free(r);
	return ret;
}

static void
ring_put(struct nvme_ring *r)
{
	if (--r->users > 0)
		return;
	rings[strake_self_index()] = NULL;
	strake_poller_del(&r->poller);
	io_uring_queue_exit(&r->ring);
	close(r->event_fd);
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
	if ((*r)->fixed_files) {
		ret = io_uring_register_files_update(&(*r)->ring, dev->slot, &dev->fd, 1);
		if (ret < 0) {
			ring_put(*r);
			return ret;
		}
	}
	(*r)->lanes[dev->slot] = lane;
	lane->queue = *r;
	return 0;
}

static int
ring_adopt(struct nvme_dev *dev, struct nvme_lane *lane)
{
	struct nvme_ring *r = lane->queue;
	int ret = r->fixed_files ? io_uring_register_files_update(&r->ring, dev->slot, &dev->fd, 1) : 0;

	return ret < 0 ? ret : 0;
}

static void
ring_lcore_fini(struct nvme_dev *dev, struct nvme_lane *lane)
{
	struct nvme_ring *r = lane->queue;
	int none = -1;

	/* A registered file stays open until it is taken out of the table. */
	if (r->fixed_files)
		io_uring_register_files_update(&r->ring, dev->slot, &none, 1);
	r->lanes[dev->slot] = NULL;
	ring_put(r);
}

static void
ring_figures(const struct nvme_lane *lane, uint64_t *enters, uint64_t *most)
{
	const struct nvme_ring *r = lane->queue;

	*enters = r->enters;
	*most = r->most;
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
	ret = queue_init(&ring, 8, 8, &deferred);
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
