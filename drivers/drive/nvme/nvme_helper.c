/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "nvme_helper.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <libnvme.h>
#include <rte_malloc.h>
#include <rte_ring.h>

#include "nvme_lane.h"

#define THREADS 4

/* One lcore's commands. */
struct helper_queue {
	struct strake_poller poller;
	struct nvme_lane *lane;
	struct rte_ring *done;
	int event_fd;
	unsigned int gathered; /* commands of this turn that no thread was woken for */
	struct helper_job {
		struct helper_queue *q;
		struct nvme_cmd cmd;
		int res;
	} jobs[NVME_LANE_SLOTS];
};

struct helper {
	struct nvme_dev *dev;
	struct rte_ring *todo;
	sem_t work;
	bool stop;
	pthread_t threads[THREADS];
	unsigned int n_threads;
};

/* --- a thread --------------------------------------------------------------------------------------------------------
 */

static int
execute(const struct nvme_dev *dev, const struct nvme_cmd *cmd)
{
	uint32_t result;
	int ret;

	if (cmd->opcode == nvme_cmd_read || cmd->opcode == nvme_cmd_write || cmd->opcode == nvme_cmd_write_zeroes) {
		struct nvme_io_args args = {
			.slba = (uint64_t)cmd->cdw11 << 32 | cmd->cdw10,
			.result = &result,
			.data = cmd->n_iov > 0 ? cmd->iov[0].iov_base : NULL,
			.args_size = sizeof(args),
			.fd = dev->fd,
			.timeout = dev->timeout_ms,
			.nsid = dev->nsid,
			.data_len = cmd->len,
			.nlb = (uint16_t)cmd->cdw12,
			.control = (uint16_t)(cmd->cdw12 >> 16),
		};

		ret = nvme_io(&args, cmd->opcode);
	} else {
		ret = nvme_io_passthru(dev->fd, cmd->opcode, 0, 0, dev->nsid, 0, 0, cmd->cdw10, cmd->cdw11, cmd->cdw12,
				       0, 0, 0, cmd->len, cmd->n_iov > 0 ? cmd->iov[0].iov_base : NULL, 0, NULL,
				       dev->timeout_ms, &result);
	}
	return ret < 0 ? -errno : ret;
}

static void *
helper_thread(void *arg)
{
	struct helper *h = arg;

	for (;;) {
		void *obj;

		while (sem_wait(&h->work) < 0)
			;
		if (__atomic_load_n(&h->stop, __ATOMIC_ACQUIRE))
			return NULL;
		if (rte_ring_mc_dequeue(h->todo, &obj) < 0)
			continue;
		struct helper_job *job = obj;
		struct helper_queue *q = job->q;

		job->res = execute(h->dev, &job->cmd);
		/* As many slots as jobs: there is room. */
		rte_ring_mp_enqueue(q->done, job);
		eventfd_write(q->event_fd, 1);
	}
}

/* --- an lcore's part -------------------------------------------------------------------------------------------------
 */

static bool
helper_submit(struct nvme_lane *lane, const struct nvme_cmd *cmd)
{
	const struct helper *h = lane->sh->dev->priv;
	struct helper_queue *q = lane->queue;
	struct helper_job *job = &q->jobs[(uint16_t)cmd->tag];

	job->cmd = *cmd;
	if (rte_ring_mp_enqueue(h->todo, job) < 0)
		return false;
	q->gathered++;
	return true;
}

static uint32_t
queue_poll(struct strake_poller *p, uint64_t now)
{
	struct helper_queue *q = container_of(p, struct helper_queue, poller);
	uint32_t n = 0;
	void *obj;

	RTE_SET_USED(now);
	while (rte_ring_sc_dequeue(q->done, &obj) == 0) {
		const struct helper_job *job = obj;

		nvme_lane_answer(q->lane, job->cmd.tag, job->res);
		n++;
	}
	return n;
}

static uint32_t
queue_flush(struct strake_poller *p, uint64_t now)
{
	struct helper_queue *q = container_of(p, struct helper_queue, poller);
	struct helper *h = q->lane->sh->dev->priv;
	uint32_t n = q->gathered;

	RTE_SET_USED(now);
	for (; q->gathered > 0; q->gathered--)
		sem_post(&h->work);
	return n;
}

static bool
queue_arm(struct strake_poller *p, bool on)
{
	struct helper_queue *q = container_of(p, struct helper_queue, poller);
	eventfd_t drain;

	/* Threads write the descriptor after they put the answer down: what was written before is looked for below. */
	eventfd_read(q->event_fd, &drain);
	return !on || rte_ring_empty(q->done);
}

static int
helper_lcore_init(struct nvme_dev *dev, struct nvme_lane *lane)
{
	struct helper_queue *q =
		rte_zmalloc_socket("nvme_helper", sizeof(*q), RTE_CACHE_LINE_SIZE, strake_self()->socket);
	char name[RTE_RING_NAMESIZE];

	if (q == NULL)
		return -ENOMEM;
	snprintf(name, sizeof(name), "nvme_done_%u_%u", dev->slot, strake_self_index());
	q->done = rte_ring_create(name, 2 * NVME_LANE_SLOTS, strake_self()->socket, 0);
	q->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (q->done == NULL || q->event_fd < 0) {
		rte_ring_free(q->done);
		if (q->event_fd >= 0)
			close(q->event_fd);
		rte_free(q);
		return -ENOMEM;
	}
	for (unsigned int i = 0; i < NVME_LANE_SLOTS; i++)
		q->jobs[i].q = q;
	q->lane = lane;
	lane->queue = q;
	q->poller = (struct strake_poller){
		.name = "nvme_helper", .poll = queue_poll, .flush = queue_flush, .arm = queue_arm, .fd = q->event_fd};
	strake_poller_add(&q->poller);
	return 0;
}

static void
helper_lcore_fini(struct nvme_dev *dev, struct nvme_lane *lane)
{
	struct helper_queue *q = lane->queue;

	RTE_SET_USED(dev);
	strake_poller_del(&q->poller);
	rte_ring_free(q->done);
	close(q->event_fd);
	rte_free(q);
}

/* --- starting and ending ---------------------------------------------------------------------------------------------
 */

static void
helper_stop(struct helper *h)
{
	__atomic_store_n(&h->stop, true, __ATOMIC_RELEASE);
	for (unsigned int i = 0; i < h->n_threads; i++)
		sem_post(&h->work);
	for (unsigned int i = 0; i < h->n_threads; i++)
		pthread_join(h->threads[i], NULL);
	sem_destroy(&h->work);
	rte_ring_free(h->todo);
	rte_free(h);
}

static void
helper_close(struct nvme_dev *dev)
{
	helper_stop(dev->priv);
	close(dev->fd);
}

static const struct nvme_dev_ops helper_ops = {
	.name = "helper",
	.identify = nvme_ask_identify,
	.log = nvme_ask_log,
	.feature = nvme_ask_feature,
	.format = nvme_ask_format,
	.sanitize = nvme_ask_sanitize,
	.lcore_init = helper_lcore_init,
	.lcore_fini = helper_lcore_fini,
	.submit = helper_submit,
	.close = helper_close,
};

int
nvme_helper_start(struct nvme_dev *dev)
{
	struct helper *h = rte_zmalloc("nvme_helper", sizeof(*h), RTE_CACHE_LINE_SIZE);
	char name[RTE_RING_NAMESIZE];

	if (h == NULL)
		return -ENOMEM;
	snprintf(name, sizeof(name), "nvme_todo_%u", dev->slot);
	h->dev = dev;
	h->todo = rte_ring_create(name, NVME_LANE_SLOTS * STRAKE_LCORE_MAX * 2, SOCKET_ID_ANY, 0);
	if (h->todo == NULL) {
		rte_free(h);
		return -ENOMEM;
	}
	sem_init(&h->work, 0, 0);
	for (; h->n_threads < THREADS; h->n_threads++) {
		int ret = pthread_create(&h->threads[h->n_threads], NULL, helper_thread, h);

		if (ret != 0) {
			helper_stop(h);
			return -ret;
		}
		pthread_setname_np(h->threads[h->n_threads], "nvme-helper");
	}
	dev->priv = h;
	dev->ops = &helper_ops;
	dev->max_iov = 1;
	return 0;
}
