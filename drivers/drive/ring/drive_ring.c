/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "drive_ring.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <rte_common.h>
#include <rte_log.h>

#include "strake_lcore.h"

RTE_LOG_REGISTER(drive_ring_logtype, strake.ring, INFO)

/* Best first: Linux 6.1, 5.19, any. */
int
drive_ring_queue(struct io_uring *ring, unsigned int sqes, unsigned int cqes, unsigned int setup, bool prompt,
		 bool *deferred)
{
	static const unsigned int flags[] = {
		IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_TASKRUN_FLAG,
		IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG,
		0,
	};
	int ret = -EINVAL;

	for (unsigned int i = prompt ? RTE_DIM(flags) - 1 : 0; i < RTE_DIM(flags) && ret == -EINVAL; i++) {
		struct io_uring_params params = {
			.flags = flags[i] | IORING_SETUP_CQSIZE | setup,
			.cq_entries = cqes,
		};

		ret = io_uring_queue_init_params(sqes, ring, &params);
		*deferred = flags[i] != 0;
	}
	return ret;
}

/* @return pieces. */
static unsigned int
cut_arena(const struct drive_ring *r, struct iovec *iov, unsigned int shift)
{
	unsigned int n = 0;

	for (size_t off = 0; off < r->arena_len; off += (size_t)1 << shift, n++) {
		iov[n].iov_base = r->arena + off;
		iov[n].iov_len = RTE_MIN(r->arena_len - off, (size_t)1 << shift);
	}
	return n;
}

/* The smallest fine pieces for all of which there is room behind @p n others. @return 0 if there is for none. */
static unsigned int
fine_shift(const struct drive_ring *r, const struct drive_ring_conf *conf, unsigned int n)
{
	unsigned int shift = conf->fine_shift;

	while (shift != 0 && shift < r->reg_shift && ((r->arena_len - 1) >> shift) + 1 > conf->reg_max - n)
		shift++;
	return shift < r->reg_shift ? shift : 0;
}

static int
register_pieces(struct drive_ring *r, const struct drive_ring_conf *conf)
{
	struct iovec *iov = calloc(conf->reg_max, sizeof(*iov));
	unsigned int n, fine = 0;
	void *addr;
	size_t len;
	int ret;

	if (iov == NULL)
		return -ENOMEM;
	strake_buf_arena(&addr, &len);
	r->arena = addr;
	r->arena_len = RTE_MIN(len, (size_t)conf->reg_max << r->reg_shift);
	n = cut_arena(r, iov, r->reg_shift);
	r->fine_shift = fine_shift(r, conf, n);
	r->fine_from = n;
	if (r->fine_shift != 0)
		fine = cut_arena(r, iov + n, r->fine_shift);
	ret = io_uring_register_buffers(&r->ring, iov, n + fine);
	if (ret < 0 && fine > 0) {
		r->fine_shift = 0;
		ret = io_uring_register_buffers(&r->ring, iov, n);
	}
	free(iov);
	return ret;
}

/* What tells of completions that are yet to be made; silent until armed. */
static int
make_event(struct drive_ring *r)
{
	int ret;

	r->event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	ret = r->event < 0 ? -errno : io_uring_register_eventfd(&r->ring, r->event);
	if (ret == 0)
		ret = io_uring_cq_eventfd_toggle(&r->ring, false);
	if (ret < 0)
		drive_ring_close(r);
	return ret;
}

int
drive_ring_open(struct drive_ring *r, const struct drive_ring_conf *conf)
{
	int ret;

	*r = (struct drive_ring){.reg_shift = conf->reg_shift, .event = -1};
	for (unsigned int i = 0; i < DRIVE_RING_WAITS; i++)
		r->waits[i].fd = -1;
	ret = drive_ring_queue(&r->ring, conf->sqes, conf->cqes, conf->setup, conf->prompt, &r->deferred);
	if (ret == 0 && r->deferred)
		ret = make_event(r);
	if (ret < 0)
		return ret;
	r->no_sleep = (r->ring.features & IORING_FEAT_EXT_ARG) == 0;
	ret = register_pieces(r, conf);
	r->fixed_bufs = ret == 0;
	if (ret < 0)
		rte_log(RTE_LOG_WARNING, drive_ring_logtype, "%s: lcore %u works without registered buffers: %s%s\n",
			conf->kind, strake_self_index(), strerror(-ret),
			ret == -ENOMEM ? " (raise the limit of locked memory, ulimit -l)" : "");
	r->fixed_files = io_uring_register_files_sparse(&r->ring, conf->files) == 0;
	return 0;
}

void
drive_ring_close(struct drive_ring *r)
{
	io_uring_queue_exit(&r->ring);
	if (r->event >= 0)
		close(r->event);
}

int
drive_ring_file(struct drive_ring *r, unsigned int slot, int fd)
{
	int ret = r->fixed_files ? io_uring_register_files_update(&r->ring, slot, &fd, 1) : 0;

	return RTE_MIN(ret, 0);
}

void
drive_ring_count(struct drive_ring *r)
{
	uint64_t turn = strake_self()->turns;

	r->enters++;
	r->in_turn = turn == r->turn ? r->in_turn + 1 : 1;
	r->turn = turn;
	r->most = RTE_MAX(r->most, r->in_turn);
}

uint32_t
drive_ring_enter(struct drive_ring *r)
{
	int ret;

	if (io_uring_sq_ready(&r->ring) == 0 && !drive_ring_kernel_waits(r))
		return 0;
	drive_ring_count(r);
	/* A refusal (no memory just now, completions first) leaves the entries queued: the next turn offers them. */
	ret = r->deferred ? io_uring_submit_and_get_events(&r->ring) : io_uring_submit(&r->ring);
	return ret > 0 ? (uint32_t)ret : 0;
}

static bool
idle(const struct drive_ring *r)
{
	return io_uring_cq_ready(&r->ring) == 0 && !drive_ring_kernel_waits(r) && io_uring_sq_ready(&r->ring) == 0;
}

/* Shall the kernel write the event? @return whether it did until now. */
static bool
arm_event(struct drive_ring *r, bool on)
{
	bool was;

	if (r->event < 0)
		return false;
	was = io_uring_cq_eventfd_enabled(&r->ring);
	io_uring_cq_eventfd_toggle(&r->ring, on);
	return was;
}

bool
drive_ring_arm(struct drive_ring *r, bool on)
{
	bool was = arm_event(r, on);
	eventfd_t n;

	if (on) {
		/* Partner: the kernel, which flags that it has some, then looks whether we want to be told. */
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
		return idle(r);
	}
	if (was)
		eventfd_read(r->event, &n);
	return true;
}

/* --- sleeping --------------------------------------------------------------------------------------------------------
 *
 * What else wakes the lcore is watched by entries of the ring's own, each of which the kernel answers once. One that
 * was not answered stays for the next sleep: the descriptor that others wake us by is only written while we sleep. One
 * that was answered while we were awake ends the next sleep at once, in vain, and is then asked anew.
 */

static uint64_t
own_data(const struct drive_ring *r, unsigned int i)
{
	return DRIVE_RING_OWN | (uint64_t)r->epoch << 16 | i;
}

void
drive_ring_own(struct drive_ring *r, uint64_t data, int res)
{
	unsigned int i = data & UINT16_MAX;

	if ((uint32_t)(data >> 16) != r->epoch || i >= DRIVE_RING_WAITS)
		return;
	r->waits[i].armed = false;
	if (res < 0)
		r->no_sleep = true;
}

/* Numbers may stand for other files now. What the kernel still answers about the old ones is known by its epoch. */
static bool
forget_waits(struct drive_ring *r, uint32_t epoch)
{
	for (unsigned int i = 0; i < DRIVE_RING_WAITS; i++) {
		struct io_uring_sqe *sqe;

		if (r->waits[i].armed) {
			sqe = io_uring_get_sqe(&r->ring);
			if (sqe == NULL)
				return false;
			io_uring_prep_poll_remove(sqe, own_data(r, i));
			sqe->user_data = own_data(r, DRIVE_RING_WAITS);
		}
		r->waits[i].fd = -1;
		r->waits[i].armed = false;
	}
	r->epoch = epoch;
	return true;
}

/* @return the place of @p fd among those that are watched, or a free one; DRIVE_RING_WAITS: there is none. */
static unsigned int
place_of(const struct drive_ring *r, int fd)
{
	unsigned int i = 0;

	while (i < DRIVE_RING_WAITS && r->waits[i].fd >= 0 && r->waits[i].fd != fd)
		i++;
	return i;
}

static bool
watch(struct drive_ring *r, int fd)
{
	unsigned int i = place_of(r, fd);
	struct io_uring_sqe *sqe;

	if (i == DRIVE_RING_WAITS)
		return false;
	if (r->waits[i].armed)
		return true;
	sqe = io_uring_get_sqe(&r->ring);
	if (sqe == NULL)
		return false;
	io_uring_prep_poll_add(sqe, fd, POLLIN);
	sqe->user_data = own_data(r, i);
	r->waits[i].fd = fd;
	r->waits[i].armed = true;
	return true;
}

static bool
watch_all(struct drive_ring *r, const struct strake_sleep *s)
{
	if (r->epoch != s->epoch && !forget_waits(r, s->epoch))
		return false;
	for (unsigned int i = 0; i < s->n; i++) {
		if (s->fds[i].fd != drive_ring_fd(r) && !watch(r, s->fds[i].fd))
			return false;
	}
	return true;
}

/* Is there an answer about @p fd? It stays for who takes completions. */
static bool
answered(const struct drive_ring *r, int fd)
{
	uint64_t data = own_data(r, place_of(r, fd));
	struct io_uring_cqe *cqe;
	unsigned int head;

	io_uring_for_each_cqe(&r->ring, head, cqe)
	{
		if (cqe->user_data == data)
			return true;
	}
	return false;
}

int
drive_ring_sleep(struct drive_ring *r, const struct strake_sleep *s)
{
	struct __kernel_timespec most = {
		.tv_sec = (long long)(s->ns / STRAKE_NS_PER_SEC),
		.tv_nsec = (long long)(s->ns % STRAKE_NS_PER_SEC),
	};
	struct io_uring_cqe *cqe;

	if (r->no_sleep || !watch_all(r, s))
		return -EOPNOTSUPP;
	arm_event(r, false);
	/* Not both by one call: liburing would sleep once more where what it handed over was not answered in time. */
	if (io_uring_sq_ready(&r->ring) > 0) {
		r->enters++;
		io_uring_submit(&r->ring);
	}
	r->enters++;
	io_uring_wait_cqes(&r->ring, &cqe, 1, &most, NULL);
	return answered(r, s->fds[0].fd) ? 1 : 0;
}
