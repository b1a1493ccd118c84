/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/*
 * Queue pairs and the commands they have lent, on their lcore.
 *
 * Every lent command is on its queue pair's list from nvmf_execute() to nvmf_finish(). A queue pair that ends stops
 * what it can, tells main, and is gone when both its list is empty and main has answered: main sends nothing about a
 * queue pair after that answer, so its memory may go.
 */

#include <string.h>

#include <errno.h>

#include <rte_debug.h>
#include <rte_malloc.h>

#include "admin.h"
#include "io.h"
#include "sweep.h"

static struct nvmf_lcore *lcores[STRAKE_LCORE_MAX];

struct nvmf_lcore *
nvmf_lcore_self(void)
{
	return lcores[strake_self_index()];
}

const struct nvmf_lcore *
nvmf_lcore_at(uint16_t lcore)
{
	return lcores[lcore];
}

/* --- lists ---------------------------------------------------------------------------------------------------------
 */

static void
fifo_init(struct nvmf_fifo *f)
{
	f->head = NULL;
	f->tail = &f->head;
}

static void
fifo_push(struct nvmf_fifo *f, struct nvmf_cmd *cmd)
{
	cmd->qnext = NULL;
	*f->tail = cmd;
	f->tail = &cmd->qnext;
}

static struct nvmf_cmd *
fifo_pop(struct nvmf_fifo *f)
{
	struct nvmf_cmd *cmd = f->head;

	if (cmd == NULL)
		return NULL;
	f->head = cmd->qnext;
	if (f->head == NULL)
		f->tail = &f->head;
	return cmd;
}

static void
fifo_remove(struct nvmf_fifo *f, struct nvmf_cmd *cmd)
{
	struct nvmf_cmd **at = &f->head;

	while (*at != cmd)
		at = &(*at)->qnext;
	*at = cmd->qnext;
	if (f->tail == &cmd->qnext)
		f->tail = at;
}

static void
give_back(struct nvmf_qpair *qp, struct nvmf_cmd *cmd)
{
	*cmd->pprev = cmd->next;
	if (cmd->next != NULL)
		cmd->next->pprev = cmd->pprev;
	qp->inflight--;
}

struct nvmf_cmd *
nvmf_qpair_cmd(struct nvmf_qpair *qp, uint16_t cid)
{
	struct nvmf_cmd *cmd = qp->lent;

	while (cmd != NULL && cmd->sqe.cid != cid)
		cmd = cmd->next;
	return cmd;
}

/* --- failures to the error log -------------------------------------------------------------------------------------
 */

static void
note_main(struct strake_msg *msg)
{
	struct nvmf_note *note = container_of(msg, struct nvmf_note, msg);

	nvmf_ctrlr_error(note->ctrlr, &note->entry);
	/* Pairs with the acquire in note_error(): the note is its lcore's again. */
	__atomic_store_n(&note->busy, false, __ATOMIC_RELEASE);
}

static bool
worth_logging(uint16_t sct_sc)
{
	return sct_sc != NVME_SC_COMPARE && sct_sc != NVME_SC_FUSED_FAIL && sct_sc != NVME_SC_ABORT_REQ &&
	       sct_sc != NVME_SC_ABORT_SQ_DELETED;
}

/* Main frees a controller only after the queue pair's last message, so the pointer is good when the note arrives. */
static void
note_error(const struct nvmf_cmd *cmd)
{
	struct nvmf_lcore *lc = nvmf_lcore_self();
	struct nvmf_qpair *qp = cmd->qp;

	if (!qp->connected || qp->dying || !worth_logging(NVME_CPL_SC(cmd->cqe.status)))
		return;
	for (unsigned int i = 0; i < NVMF_NOTES; i++) {
		struct nvmf_note *note = &lc->note[i];

		if (__atomic_load_n(&note->busy, __ATOMIC_ACQUIRE))
			continue;
		note->busy = true;
		note->ctrlr = qp->ctrlr;
		note->entry = (struct nvme_error_entry){
			.sqid = qp->qid,
			.cid = cmd->sqe.cid,
			.status = cmd->cqe.status,
			.pel = UINT16_MAX,
			.lba = qp->qid != 0 ? cmd->sqe.slba : 0,
			.nsid = cmd->sqe.nsid,
			.trtype = qp->transport->trtype,
		};
		note->msg.fn = note_main;
		strake_msg_send(STRAKE_LCORE_MAIN, &note->msg);
		return;
	}
	lc->notes_lost++;
}

/* --- answers -------------------------------------------------------------------------------------------------------
 */

static void
fill_cqe(struct nvmf_cmd *cmd)
{
	struct nvmf_qpair *qp = cmd->qp;

	cmd->cqe.sqhd = qp->sqhd_off ? UINT16_MAX : qp->sqhd;
	cmd->cqe.sqid = 0;
	cmd->cqe.cid = cmd->sqe.cid;
	if (unlikely(cmd->cqe.status != 0)) {
		qp->errors++;
		if (qp->qid != 0)
			note_error(cmd);
	}
}

void
nvmf_fail(struct nvmf_cmd *cmd, uint16_t sct_sc, bool dnr)
{
	nvmf_fused_failed(cmd);
	if (unlikely(cmd->state == NVMF_CMD_CONNECTS)) /* its payload was bad: the host may try another */
		cmd->qp->connecting = false;
	cmd->cqe.result64 = 0;
	cmd->data_len = 0;
	nvmf_status_set(cmd, sct_sc, dnr);
	fill_cqe(cmd);
}

static void
join_lcore(struct nvmf_qpair *qp)
{
	struct nvmf_lcore *lc = nvmf_lcore_self();

	qp->lc_next = lc->qpairs;
	qp->lc_prev = &lc->qpairs;
	if (lc->qpairs != NULL)
		lc->qpairs->lc_prev = &qp->lc_next;
	lc->qpairs = qp;
}

static void
leave_lcore(struct nvmf_qpair *qp)
{
	*qp->lc_prev = qp->lc_next;
	if (qp->lc_next != NULL)
		qp->lc_next->lc_prev = qp->lc_prev;
}

static void
fini_lcore(struct nvmf_qpair *qp)
{
	if (qp->main_done && qp->inflight == 0) {
		qp->main_done = false; /* once */
		leave_lcore(qp);
		qp->gone(qp);
	}
}

void
nvmf_finish(struct nvmf_cmd *cmd)
{
	struct nvmf_qpair *qp = cmd->qp;

	give_back(qp, cmd);
	cmd->state = NVMF_CMD_FREE;
	if (unlikely(cmd->xfer == NVMF_XFER_TO_CONTROLLER && cmd->data != NULL)) {
		strake_buf_put_list(cmd->data);
		cmd->data = NULL;
	}
	fill_cqe(cmd);
	cmd->done(cmd);
	if (unlikely(qp->dying))
		fini_lcore(qp);
}

void
nvmf_end_later(struct nvmf_cmd *cmd, uint16_t sct_sc)
{
	nvmf_status_set(cmd, sct_sc, nvmf_status_final(sct_sc));
	cmd->state = NVMF_CMD_ENDING;
	fifo_push(&nvmf_lcore_self()->ending, cmd);
}

void
nvmf_wait(struct nvmf_cmd *cmd)
{
	cmd->state = NVMF_CMD_WAITS;
	fifo_push(&nvmf_lcore_self()->waits, cmd);
}

bool
nvmf_cmd_stop(struct nvmf_cmd *cmd, uint16_t sct_sc)
{
	cmd->aborted = true;
	switch (cmd->state) {
	case NVMF_CMD_WAITS:
		fifo_remove(&nvmf_lcore_self()->waits, cmd);
		if (cmd->sqe.opc == NVME_IO_DSM && cmd->ranges != NULL) {
			strake_buf_put(cmd->ranges);
			cmd->ranges = NULL;
		}
		nvmf_fused_failed(cmd);
		nvmf_end_later(cmd, sct_sc);
		return true;
	case NVMF_CMD_FUSED:
		nvmf_fused_failed(cmd);
		nvmf_end_later(cmd, sct_sc);
		return true;
	case NVMF_CMD_RUNS:
		if (cmd->req == NULL) /* dataset management: begins no further ranges */
			return true;
		if ((cmd->req->u.flags & STRAKE_UNIT_SUBMITTED) != 0)
			return false;
		strake_req_cancel(cmd->req);
		return true;
	default:
		return false;
	}
}

/* --- the lcore -----------------------------------------------------------------------------------------------------
 */

static uint32_t
run_waits(struct nvmf_lcore *lc)
{
	struct strake_req *reqs[STRAKE_BURST];
	uint16_t n = 0;
	uint32_t work = 0;

	while (lc->waits.head != NULL && n < STRAKE_BURST) {
		struct nvmf_cmd *cmd = lc->waits.head;
		struct strake_req *req = NULL;

		fifo_pop(&lc->waits);
		if (!nvmf_io_start(cmd, &req)) {
			cmd->qnext = lc->waits.head; /* keeps its place */
			if (lc->waits.head == NULL)
				lc->waits.tail = &cmd->qnext;
			lc->waits.head = cmd;
			cmd->state = NVMF_CMD_WAITS;
			break;
		}
		work++;
		if (req != NULL)
			reqs[n++] = req;
	}
	if (n > 0)
		nvmf_submit(reqs, n);
	return work;
}

static uint32_t
lcore_poll(struct strake_poller *p, uint64_t now)
{
	struct nvmf_lcore *lc = container_of(p, struct nvmf_lcore, poller);
	struct nvmf_cmd *cmd, *end = NULL;
	uint32_t work = 0;

	if (likely(lc->ending.head == NULL && lc->waits.head == NULL && lc->sweeps == NULL))
		return 0;
	/* An answer may bring new commands that fail at once: those end in the next turn. */
	if (lc->ending.head != NULL)
		end = container_of(lc->ending.tail, struct nvmf_cmd, qnext);
	while (end != NULL && (cmd = fifo_pop(&lc->ending)) != NULL) {
		work++;
		if (cmd == end)
			end = NULL;
		nvmf_finish(cmd);
	}
	return work + run_waits(lc) + nvmf_sweep_poll(lc);
}

static bool
lcore_arm(struct strake_poller *p, bool on)
{
	struct nvmf_lcore *lc = container_of(p, struct nvmf_lcore, poller);

	return !on || (lc->ending.head == NULL && lc->waits.head == NULL);
}

int
nvmf_lcore_init(void)
{
	uint16_t self = strake_self_index();
	struct nvmf_lcore *lc;

	lc = rte_zmalloc_socket("nvmf", sizeof(*lc), RTE_CACHE_LINE_SIZE, strake_self()->socket);
	if (lc == NULL)
		return -ENOMEM;
	lc->poller.name = "nvmf";
	lc->poller.poll = lcore_poll;
	lc->poller.arm = lcore_arm;
	lc->poller.fd = -2;
	fifo_init(&lc->waits);
	fifo_init(&lc->ending);
	if (nvmf_classes_lcore_init(lc) < 0) {
		rte_free(lc);
		return -ENOMEM;
	}
	lcores[self] = lc;
	strake_poller_add(&lc->poller);
	__atomic_fetch_or(&nvmf_target->lcores, 1u << self, __ATOMIC_RELEASE);
	return 0;
}

void
nvmf_lcore_fini(void)
{
	uint16_t self = strake_self_index();

	if (lcores[self] == NULL)
		return;
	__atomic_fetch_and(&nvmf_target->lcores, ~(1u << self), __ATOMIC_RELEASE);
	strake_poller_del(&lcores[self]->poller);
	nvmf_classes_lcore_fini(lcores[self]);
	rte_free(lcores[self]);
	lcores[self] = NULL;
}

/* --- queue pairs ---------------------------------------------------------------------------------------------------
 */

void
nvmf_qpair_init(struct nvmf_qpair *qp)
{
	const struct nvmf_qpair was = *qp;

	memset(qp, 0, sizeof(*qp));
	qp->transport = was.transport;
	qp->lcore = was.lcore;
	qp->size = was.size;
	memcpy(qp->local, was.local, sizeof(qp->local));
	memcpy(qp->peer, was.peer, sizeof(qp->peer));
	qp->local_service = was.local_service;
	join_lcore(qp);
}

static void
forgotten(struct strake_msg *msg)
{
	struct nvmf_qpair *qp = container_of(msg, struct nvmf_qpair, msg);

	qp->main_done = true;
	fini_lcore(qp);
}

static void
answer(struct nvmf_qpair *qp)
{
	qp->msg.fn = forgotten;
	strake_msg_send(qp->lcore, &qp->msg);
}

/* On main. The answer comes from here, behind all that was sent about the queue pair before. */
static void
told(struct strake_msg *msg)
{
	nvmf_target->rounds--;
	answer(container_of(msg, struct nvmf_qpair, msg));
}

/* On the lcore of the one that can tell. Main knew it when it sent this, so its memory is still its own. */
static void
tell(struct strake_msg *msg)
{
	struct nvmf_qpair *qp = container_of(msg, struct nvmf_qpair, msg);
	struct nvmf_qpair *by = qp->tell_by;

	if (!by->dying)
		by->transport->tell(by, qp);
	msg->fn = told;
	strake_msg_send(STRAKE_LCORE_MAIN, msg);
}

static void
forget(struct strake_msg *msg)
{
	struct nvmf_qpair *qp = container_of(msg, struct nvmf_qpair, msg);

	qp->tell_by = nvmf_tell_by(qp);
	if (qp->ctrlr != NULL)
		nvmf_ctrlr_remove(qp->ctrlr, qp);
	qp->ctrlr = NULL;
	if (qp->tell_by == NULL) {
		answer(qp);
		return;
	}
	nvmf_target->rounds++;
	msg->fn = tell;
	strake_msg_send(qp->tell_by->lcore, msg);
}

void
nvmf_qpair_fini(struct nvmf_qpair *qp, void (*gone)(struct nvmf_qpair *qp))
{
	RTE_ASSERT(!qp->dying);
	qp->dying = true;
	qp->gone = gone;
	/* Stopping one may end its pair as well: neither leaves the list before the poller runs. */
	for (struct nvmf_cmd *cmd = qp->lent; cmd != NULL; cmd = cmd->next)
		nvmf_cmd_stop(cmd, NVME_SC_ABORT_SQ_DELETED);
	qp->msg.fn = forget;
	strake_msg_send(STRAKE_LCORE_MAIN, &qp->msg);
}
