/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "uring_op.h"
#include "strake_account.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <rte_log.h>
#include <rte_malloc.h>

RTE_LOG_REGISTER_DEFAULT(uring_logtype, NOTICE)

#define REG_MAX	 64
#define QUIET_NS (3 * STRAKE_NS_PER_US)	 /* without work, until the kernel's workers get the CPU */
#define REST_NS	 (20 * STRAKE_NS_PER_US) /* most, for what else arrives waits meanwhile */

STRAKE_STEP(reap_step, STRAKE_AT_DRIVE, "uring: completions")
STRAKE_STEP(enter_step, STRAKE_AT_DRIVE, "uring: into the kernel")

static struct uring_ring *rings[STRAKE_LCORE_MAX];

static uint32_t
reap(struct uring_ring *r)
{
	struct io_uring_cqe *cqes[64];
	uint32_t total = 0;
	unsigned int n;

	while ((n = io_uring_peek_batch_cqe(&r->ring, cqes, RTE_DIM(cqes))) > 0) {
		struct uring_op *ops[RTE_DIM(cqes)];
		int res[RTE_DIM(cqes)];

		for (unsigned int i = 0; i < n; i++) {
			ops[i] = io_uring_cqe_get_data(cqes[i]);
			res[i] = cqes[i]->res;
		}
		io_uring_cq_advance(&r->ring, n);
		for (unsigned int i = 0; i < n; i++)
			uring_op_answer(r, ops[i], res[i]);
		total += n;
	}
	return total;
}

/* The kernel has completions for us that it only makes when we enter. */
static inline bool
kernel_waits(const struct uring_ring *r)
{
	return (IO_URING_READ_ONCE(*r->ring.sq.kflags) & (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW)) != 0;
}

static uint32_t
ring_poll(struct strake_poller *p, uint64_t now)
{
	uint8_t before = strake_account_enter(&reap_step);
	uint32_t work = reap(container_of(p, struct uring_ring, poller));

	strake_account_leave(before);
	return work;
}

static void
offer_again(struct uring_ring *r)
{
	while (r->again != NULL && uring_op_issue(r, r->again)) {
		r->again = r->again->next;
		if (r->again == NULL)
			r->again_tail = &r->again;
	}
}

/* A loop that spins keeps the workers of the kernel off its CPU, and writes wait for them, for milliseconds. So when
 * only they have something to do, the loop waits like one who sleeps, until something completes. What came is found by
 * the next turn: this one was idle. */
static void
rest(struct uring_ring *r, uint64_t now)
{
	struct __kernel_timespec most = {.tv_nsec = REST_NS};
	struct io_uring_cqe *cqe;
	uint8_t before;

	if (likely(r->helped == 0))
		return;
	if (strake_self()->worked != r->worked) {
		r->worked = strake_self()->worked;
		r->quiet = now;
	}
	if (now - r->quiet < QUIET_NS)
		return;
	r->enters++;
	before = strake_account_enter(&enter_step);
	io_uring_submit_and_wait_timeout(&r->ring, &cqe, 1, &most, NULL);
	strake_account_leave(before);
}

/* The one system call of a turn: hands over what the turn gathered and fetches what is ready. */
static uint32_t
ring_flush(struct strake_poller *p, uint64_t now)
{
	struct uring_ring *r = container_of(p, struct uring_ring, poller);
	uint8_t before;
	int ret;

	if (unlikely(r->again != NULL))
		offer_again(r);
	if (io_uring_sq_ready(&r->ring) == 0 && !kernel_waits(r)) {
		rest(r, now);
		return 0;
	}
	r->enters++;
	before = strake_account_enter(&enter_step);
	/* A refusal (no memory just now, completions first) leaves the entries queued: the next turn offers them. */
	ret = r->deferred ? io_uring_submit_and_get_events(&r->ring) : io_uring_submit(&r->ring);
	strake_account_leave(before);
	return reap(r) + (ret > 0 ? (uint32_t)ret : 0);
}

static bool
ring_arm(struct strake_poller *p, bool on)
{
	struct uring_ring *r = container_of(p, struct uring_ring, poller);
	eventfd_t drain;

	io_uring_cq_eventfd_toggle(&r->ring, on);
	if (!on) {
		eventfd_read(r->event_fd, &drain);
		return true;
	}
	/* Whatever completed before the kernel could see the flag is looked for here, after it. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return io_uring_cq_ready(&r->ring) == 0 && !kernel_waits(r) && io_uring_sq_ready(&r->ring) == 0 &&
	       r->again == NULL;
}

/* Best first: Linux 6.1, 5.19, any. */
static int
queue_init(struct uring_ring *r)
{
	static const unsigned int flags[] = {
		IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_TASKRUN_FLAG,
		IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG,
		0,
	};
	int ret = -EINVAL;

	for (unsigned int i = 0; i < RTE_DIM(flags) && ret == -EINVAL; i++) {
		struct io_uring_params params = {
			.flags = flags[i] | IORING_SETUP_CQSIZE,
			.cq_entries = URING_OPS,
		};

		ret = io_uring_queue_init_params(URING_SQES, &r->ring, &params);
		r->deferred = flags[i] != 0;
	}
	return ret;
}

static void
register_arena(struct uring_ring *r)
{
	struct iovec iov[REG_MAX];
	unsigned int n = 0;
	void *addr;
	size_t len;
	int ret;

	strake_buf_arena(&addr, &len);
	r->arena = addr;
	r->arena_len = len;
	for (size_t off = 0; off < len && n < REG_MAX; off += (size_t)1 << URING_REG_SHIFT, n++) {
		iov[n].iov_base = r->arena + off;
		iov[n].iov_len = RTE_MIN(len - off, (size_t)1 << URING_REG_SHIFT);
	}
	ret = len > (size_t)REG_MAX << URING_REG_SHIFT ? -E2BIG : io_uring_register_buffers(&r->ring, iov, n);
	r->fixed_bufs = ret == 0;
	if (ret < 0)
		rte_log(RTE_LOG_WARNING, uring_logtype, "uring: lcore %u works without registered buffers: %s%s\n",
			strake_self_index(), strerror(-ret),
			ret == -ENOMEM ? " (raise the limit of locked memory, ulimit -l)" : "");
}

static int
ring_create(struct uring_ring **out)
{
	struct uring_ring *r;
	int ret = -ENOMEM;

	r = rte_zmalloc_socket("uring_ring", sizeof(*r), RTE_CACHE_LINE_SIZE, strake_self()->socket);
	if (r == NULL)
		return -ENOMEM;
	r->ops = rte_zmalloc_socket("uring_ops", sizeof(*r->ops) * URING_OPS, RTE_CACHE_LINE_SIZE,
				    strake_self()->socket);
	if (r->ops == NULL)
		goto err_free;
	for (unsigned int i = 0; i < URING_OPS; i++)
		uring_op_put(r, &r->ops[i]);
	r->again_tail = &r->again;
	/* Taken now: a lack of pages later must not look like a drive that fails. */
	r->zeroes = strake_buf_page(STRAKE_BUF_PAGE_MAX);
	if (r->zeroes == NULL)
		goto err_ops;
	memset(r->zeroes->addr, 0, STRAKE_BUF_PAGE_MAX);
	ret = queue_init(r);
	if (ret < 0)
		goto err_zeroes;
	r->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	ret = r->event_fd < 0 ? -errno : io_uring_register_eventfd(&r->ring, r->event_fd);
	if (ret < 0)
		goto err_ring;
	io_uring_cq_eventfd_toggle(&r->ring, false);
	register_arena(r);
	r->fixed_files = io_uring_register_files_sparse(&r->ring, URING_FILES) == 0;
	r->poller = (struct strake_poller){
		.name = "uring", .poll = ring_poll, .flush = ring_flush, .arm = ring_arm, .fd = r->event_fd};
	strake_poller_add(&r->poller);
	*out = r;
	return 0;

err_ring:
	if (r->event_fd >= 0)
		close(r->event_fd);
	io_uring_queue_exit(&r->ring);
err_zeroes:
	strake_buf_put(r->zeroes);
err_ops:
	rte_free(r->ops);
err_free:
	rte_free(r);
	return ret;
}

int
uring_ring_get(struct uring_ring **out)
{
	struct uring_ring **r = &rings[strake_self_index()];
	int ret;

	if (*r == NULL) {
		ret = ring_create(r);
		if (ret < 0)
			return ret;
	}
	(*r)->users++;
	*out = *r;
	return 0;
}

void
uring_ring_put(struct uring_ring *r)
{
	if (--r->users > 0)
		return;
	rings[strake_self_index()] = NULL;
	strake_poller_del(&r->poller);
	strake_buf_put(r->zeroes);
	io_uring_queue_exit(&r->ring);
	close(r->event_fd);
	rte_free(r->ops);
	rte_free(r);
}

void
uring_ring_file(struct uring_ring *r, unsigned int slot, int fd)
{
	if (r->fixed_files && io_uring_register_files_update(&r->ring, slot, &fd, 1) < 0)
		r->fixed_files = false;
}
