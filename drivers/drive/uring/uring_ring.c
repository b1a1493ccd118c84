/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "uring_op.h"
#include "strake_account.h"

#include <errno.h>
#include <string.h>

#include <rte_malloc.h>

#define REG_SHIFT 30 /* the kernel takes registered buffers of at most 1 GiB */
#define REG_MAX	  64
#define REAP_MAX  64			  /* completions of one look, most, */
#define REAP_PART 16			  /* and of what is under way one in so many */
#define QUIET_NS  (3 * STRAKE_NS_PER_US)  /* without work, until the kernel's workers get the CPU */
#define REST_NS	  (20 * STRAKE_NS_PER_US) /* most, for what else arrives waits meanwhile */

STRAKE_STEP(reap_step, STRAKE_AT_DRIVE, "uring: completions")
STRAKE_STEP(enter_step, STRAKE_AT_DRIVE, "uring: into the kernel")

static struct uring_ring *rings[STRAKE_LCORE_MAX];

/* A few, the rest in the turns that follow at once: their replies leave, and what the hosts ask for next reaches the
 * device, while the others still wait. Taken all together, or eight where 32 are under way, they go round together from
 * then on, and hosts and device wait for each other in turns. */
static uint32_t
reap(struct uring_ring *r)
{
	uint64_t data[REAP_MAX];
	int res[REAP_MAX];
	uint64_t part = RTE_MIN(r->inflight / REAP_PART + 1, (uint64_t)REAP_MAX);
	unsigned int n = drive_ring_take(&r->q, data, res, (unsigned int)part);

	for (unsigned int i = 0; i < n; i++)
		uring_op_answer(r, (struct uring_op *)(uintptr_t)data[i], res[i]);
	return n;
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
 * only they have something to do, the loop sleeps, until something completes or arrives. One that never sleeps waits
 * like one who does, for what completes. What came is found by the next turn: this one was idle. */
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
	if (strake_self()->sleeps) {
		strake_self()->rest = true;
		return;
	}
	drive_ring_count(&r->q);
	before = strake_account_enter(&enter_step);
	io_uring_submit_and_wait_timeout(&r->q.ring, &cqe, 1, &most, NULL);
	strake_account_leave(before);
}

/* The one system call of a turn. */
static uint32_t
ring_flush(struct strake_poller *p, uint64_t now)
{
	struct uring_ring *r = container_of(p, struct uring_ring, poller);
	uint32_t handed;
	uint8_t before;

	if (unlikely(r->again != NULL))
		offer_again(r);
	if (io_uring_sq_ready(&r->q.ring) == 0 && !drive_ring_kernel_waits(&r->q)) {
		rest(r, now);
		return 0;
	}
	before = strake_account_enter(&enter_step);
	handed = drive_ring_enter(&r->q);
	strake_account_leave(before);
	return reap(r) + handed;
}

static bool
ring_arm(struct strake_poller *p, bool on)
{
	struct uring_ring *r = container_of(p, struct uring_ring, poller);

	return drive_ring_arm(&r->q, on) && (!on || r->again == NULL);
}

static int
ring_sleep(struct strake_poller *p, const struct strake_sleep *s)
{
	return drive_ring_sleep(&container_of(p, struct uring_ring, poller)->q, s);
}

static int
ring_create(struct uring_ring **out)
{
	static const struct drive_ring_conf conf = {
		.kind = "uring",
		.sqes = URING_SQES,
		.cqes = URING_OPS,
		.files = URING_FILES,
		.reg_shift = REG_SHIFT,
		.reg_max = REG_MAX,
		.prompt = true,
	};
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
	ret = drive_ring_open(&r->q, &conf);
	if (ret < 0)
		goto err_zeroes;
	r->poller = (struct strake_poller){.name = "uring",
					   .poll = ring_poll,
					   .flush = ring_flush,
					   .arm = ring_arm,
					   .sleep = ring_sleep,
					   .fd = drive_ring_fd(&r->q)};
	strake_poller_add(&r->poller);
	*out = r;
	return 0;

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
	drive_ring_close(&r->q);
	rte_free(r->ops);
	rte_free(r);
}

void
uring_ring_file(struct uring_ring *r, unsigned int slot, int fd)
{
	if (drive_ring_file(&r->q, slot, fd) < 0)
		r->q.fixed_files = false;
}
