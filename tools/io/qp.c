/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* Commands: slots, submission, completion, time. */

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "qp_priv.h"

#define RX_BYTES_DEFAULT (256u << 10)
/* Fetched at a time when drop() takes the long payloads. */
#define RX_BYTES_DISCARD 4096u

static void
queue_icreq(struct qp *qp)
{
	struct nvme_tcp_icreq *pdu = (void *)qp_tx_room(qp, sizeof(*pdu), 1);

	pdu_icreq(pdu, qp->hdgst, qp->ddgst);
	qp_tx_head(qp, (uint8_t *)pdu, sizeof(*pdu));
}

int
qp_create(struct qp **out, const struct qp_conf *conf)
{
	struct qp *qp;

	if (conf->depth == 0 || conf->depth > QP_DEPTH_MAX)
		return -EINVAL;
	qp = calloc(1, sizeof(*qp));
	if (qp == NULL)
		return -ENOMEM;
	qp->depth = conf->depth;
	qp->hdgst = conf->hdgst;
	qp->ddgst = conf->ddgst;
	/* A digest cannot be checked over bytes that were never seen. */
	qp->discard = conf->discard && !conf->ddgst && conf->xport->ops->drop != NULL;
	qp->in_capsule = conf->in_capsule;
	qp->timeout = conf->timeout;
	qp->rx_bytes = conf->rx_bytes != 0 ? conf->rx_bytes : RX_BYTES_DEFAULT;
	if (qp->discard)
		qp->rx_bytes = RX_BYTES_DISCARD;
	qp->slots = calloc(qp->depth, sizeof(*qp->slots));
	qp->free_list = calloc(qp->depth, sizeof(*qp->free_list));
	qp->xfer = calloc(qp->depth, sizeof(*qp->xfer));
	qp->rx_buf = malloc(qp->rx_bytes);
	if (qp->slots == NULL || qp->free_list == NULL || qp->xfer == NULL || qp->rx_buf == NULL ||
	    qp_tx_init(qp, qp->depth) < 0) {
		qp_destroy(qp);
		return -ENOMEM;
	}
	for (unsigned int i = 0; i < qp->depth; i++) {
		qp->slots[i].cid = (uint16_t)i;
		qp->free_list[i] = (uint16_t)(qp->depth - 1 - i);
	}
	qp->nfree = qp->depth;
	qp->xport = conf->xport;
	queue_icreq(qp);
	*out = qp;
	return 0;
}

void
qp_destroy(struct qp *qp)
{
	if (qp == NULL)
		return;
	if (qp->xport != NULL) {
		qp_fail(qp, -ECANCELED, "closed");
		qp->xport->ops->close(qp->xport);
	}
	qp_tx_fini(qp);
	free(qp->slots);
	free(qp->free_list);
	free(qp->xfer);
	free(qp->rx_buf);
	free(qp);
}

bool
qp_ready(const struct qp *qp)
{
	return qp->state == QP_READY;
}

const char *
qp_error(const struct qp *qp)
{
	return qp->text;
}

int
qp_status(const struct qp *qp)
{
	return qp->err;
}

unsigned int
qp_inflight(const struct qp *qp)
{
	return qp->depth - qp->nfree;
}

void
qp_set_in_capsule(struct qp *qp, uint32_t bytes)
{
	qp->in_capsule = bytes;
}

void
qp_set_patience(struct qp *qp, uint64_t ticks)
{
	qp->patience = ticks;
}

const struct qp_stats *
qp_get_stats(const struct qp *qp)
{
	return &qp->stats;
}

struct slot *
qp_slot_of(struct qp *qp, uint16_t cid)
{
	unsigned int i = cid & CID_SLOT_MASK;

	if (i >= qp->depth || qp->slots[i].io == NULL || qp->slots[i].cid != cid || qp->slots[i].answered)
		return NULL;
	return &qp->slots[i];
}

void
qp_slot_release(struct qp *qp, struct slot *s)
{
	struct qp_io *io = s->io;

	s->io = NULL;
	s->answered = false;
	s->cid = (uint16_t)(s->cid + (1u << CID_SLOT_BITS));
	qp->free_list[qp->nfree++] = (uint16_t)(s - qp->slots);
	qp->done_count++;
	io->done(io, 0);
}

void
qp_slot_answer(struct qp *qp, struct slot *s, const struct nvme_cpl *cpl)
{
	s->io->cpl = *cpl;
	s->answered = true;
	if (s->tx_refs == 0 && !s->queued)
		qp_slot_release(qp, s);
}

void
qp_fail(struct qp *qp, int err, const char *fmt, ...)
{
	va_list ap;

	if (qp->state == QP_FAILED)
		return;
	qp->state = QP_FAILED;
	qp->err = err;
	va_start(ap, fmt);
	vsnprintf(qp->text, sizeof(qp->text), fmt, ap);
	va_end(ap);
	for (unsigned int i = 0; i < qp->depth; i++) {
		struct qp_io *io = qp->slots[i].io;

		if (io == NULL)
			continue;
		qp->slots[i].io = NULL;
		qp->free_list[qp->nfree++] = (uint16_t)i;
		qp->done_count++;
		io->done(io, err);
	}
}

void
qp_protocol_error(struct qp *qp, const struct pdu_fault *fault, const void *header, uint32_t len)
{
	uint8_t term[NVME_TCP_HLEN_TERM + NVME_TCP_TERM_DATA];
	const struct nvme_tcp_ch *ch = header;
	struct iovec iov = {term, pdu_term(term, fault, header, len)};

	/* Between PDUs only, else the target would read it as part of one; and nobody waits for it to leave. */
	if (qp->tx_head == qp->tx_tail)
		qp->xport->ops->send(qp->xport, &iov, 1);
	qp_fail(qp, -EPROTO, "the target broke the protocol: %s (%s)", fault->text, pdu_name(ch->type));
}

/* Command capsule: header, and the payload when it fits. */
static int
queue_capsule(struct qp *qp, struct slot *s)
{
	struct qp_io *io = s->io;
	uint32_t data = s->in_capsule ? io->len : 0, head;
	struct nvme_tcp_capsule_cmd *pdu = (void *)qp_tx_room(qp, PDU_HEAD_MAX + NVME_TCP_DIGEST_LEN, 3);

	if (pdu == NULL)
		return -EAGAIN;
	io->cmd.cid = s->cid;
	io->cmd.flags = (uint8_t)((io->cmd.flags & NVME_CMD_FUSE_MASK) | NVME_CMD_PSDT_SGL);
	io->cmd.sgl = (struct nvme_sgl){.len = io->dir == QP_NONE ? 0 : io->len,
					.type = s->in_capsule ? NVME_SGL_IN_CAPSULE : NVME_SGL_TRANSPORT_DATA};
	pdu->ch.type = NVME_TCP_CAPSULE_CMD;
	memcpy(pdu->sqe, &io->cmd, sizeof(pdu->sqe));
	head = pdu_seal(&pdu->ch, sizeof(*pdu), data, 0, qp->hdgst, qp->ddgst, qp->align);
	qp_tx_head(qp, (uint8_t *)pdu, head);
	if (data > 0) {
		qp_tx_payload(qp, s, io->buf, data);
		s->moved = data;
	}
	return 0;
}

int
qp_submit(struct qp *qp, struct qp_io *io, uint64_t now)
{
	struct slot *s;
	int ret;

	if (qp->state != QP_READY)
		return qp->state == QP_FAILED ? qp->err : -EAGAIN;
	if (qp->nfree == 0)
		return -EAGAIN;
	if (io->dir == QP_OUT && (io->buf == NULL || io->len == 0))
		return -EINVAL;
	s = &qp->slots[qp->free_list[qp->nfree - 1]];
	s->io = io;
	s->moved = 0;
	s->granted = 0;
	s->in_capsule = io->dir == QP_OUT && io->len <= qp->in_capsule;
	s->deadline = now + qp->timeout;
	ret = queue_capsule(qp, s);
	if (ret < 0) {
		s->io = NULL;
		return ret;
	}
	qp->nfree--;
	io->submitted = now;
	return 0;
}

static void
check_deadlines(struct qp *qp, uint64_t now)
{
	/* Eight looks per timeout: late by an eighth at most, and cheap. */
	qp->next_check = now + qp->timeout / 8 + 1;
	for (unsigned int i = 0; i < qp->depth; i++) {
		const struct slot *s = &qp->slots[i];

		if (s->io != NULL && now > s->deadline) {
			qp_fail(qp, -ETIMEDOUT,
				"the target did not answer in time (opcode 0x%02x, %u commands under way)",
				s->io->cmd.opc, qp_inflight(qp));
			return;
		}
	}
}

int
qp_poll(struct qp *qp, uint64_t now)
{
	qp->done_count = 0;
	qp_flush(qp);
	qp_rx_poll(qp, now);
	qp_flush(qp);
	if (qp->timeout != 0 && now >= qp->next_check && qp->state == QP_READY)
		check_deadlines(qp, now);
	return qp->state == QP_FAILED ? qp->err : (int)qp->done_count;
}

int
qp_wait(struct qp *qp, int ms)
{
	if (qp->xport->ops->wait == NULL)
		return 0;
	return qp->xport->ops->wait(qp->xport, qp->tx_head != qp->tx_tail, ms);
}
