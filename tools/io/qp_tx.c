/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* Sending. Headers are written into an arena (a ring of bytes) and adjoining ones merge into one piece, so that a burst
 * of read commands is one buffer and one send(). Payload is sent from where it lies. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "crc.h"
#include "qp_priv.h"

#define SEND_PIECES_MAX 256
/* Header, padding and both digests of one PDU. */
#define PDU_ARENA_MAX (PDU_HEAD_MAX + NVME_TCP_DIGEST_LEN)
/* Header, payload, digest. */
#define PDU_PIECES 3

static uint32_t
pow2_from(uint32_t n)
{
	return n <= 1 ? 1 : 1u << (32 - __builtin_clz(n - 1));
}

int
qp_tx_init(struct qp *qp, unsigned int depth)
{
	uint32_t pieces = pow2_from(depth * PDU_PIECES + 64), arena = pow2_from(depth * 128 + 4 * PDU_ARENA_MAX);

	qp->tx = calloc(pieces, sizeof(*qp->tx));
	qp->tx_meta = calloc(pieces, sizeof(*qp->tx_meta));
	qp->arena = malloc(arena);
	if (qp->tx == NULL || qp->tx_meta == NULL || qp->arena == NULL)
		return -ENOMEM;
	qp->tx_mask = pieces - 1;
	qp->arena_mask = arena - 1;
	return 0;
}

void
qp_tx_fini(struct qp *qp)
{
	free(qp->tx);
	free(qp->tx_meta);
	free(qp->arena);
}

uint8_t *
qp_tx_room(struct qp *qp, uint32_t n, uint32_t pieces)
{
	uint32_t used = qp->arena_tail - qp->arena_head, at = qp->arena_tail & qp->arena_mask;
	uint32_t skip = at + n > qp->arena_mask + 1 ? qp->arena_mask + 1 - at : 0;

	if (used + skip + n > qp->arena_mask + 1 || qp->tx_tail - qp->tx_head + pieces > qp->tx_mask + 1)
		return NULL;
	qp->arena_tail += skip; /* freed with the piece that follows it */
	return qp->arena + (qp->arena_tail & qp->arena_mask);
}

void
qp_tx_head(struct qp *qp, uint8_t *p, uint32_t n)
{
	qp->arena_tail += n;
	if (qp->tx_tail != qp->tx_head) {
		uint32_t last = (qp->tx_tail - 1) & qp->tx_mask;

		if (qp->tx_meta[last].slot == NULL && (uint8_t *)qp->tx[last].iov_base + qp->tx[last].iov_len == p) {
			qp->tx[last].iov_len += n;
			qp->tx_meta[last].arena_tail = qp->arena_tail;
			return;
		}
	}
	qp->tx[qp->tx_tail & qp->tx_mask] = (struct iovec){p, n};
	qp->tx_meta[qp->tx_tail & qp->tx_mask] = (struct tx_meta){.arena_tail = qp->arena_tail};
	qp->tx_tail++;
}

void
qp_tx_payload(struct qp *qp, struct slot *s, const void *p, uint32_t n)
{
	uint32_t i = qp->tx_tail++ & qp->tx_mask, crc;
	uint8_t *digest;

	qp->tx[i] = (struct iovec){(void *)p, n};
	qp->tx_meta[i] = (struct tx_meta){.slot = s, .arena_tail = qp->arena_tail};
	s->tx_refs++;
	if (!qp->ddgst)
		return;
	crc = crc_of(p, n);
	digest = qp_tx_room(qp, sizeof(crc), 1); /* cannot fail: the caller asked for it with the header */
	memcpy(digest, &crc, sizeof(crc));
	qp_tx_head(qp, digest, sizeof(crc));
}

void
qp_tx_grant(struct qp *qp, struct slot *s)
{
	qp->xfer[(qp->xfer_head + qp->xfer_n++) % qp->depth] = (uint16_t)(s - qp->slots);
	s->queued = true;
}

/* One H2CData PDU of at most MAXH2CDATA bytes. */
static bool
send_h2c(struct qp *qp, struct slot *s)
{
	uint32_t n = s->granted - s->moved;
	struct nvme_tcp_data *pdu = (void *)qp_tx_room(qp, PDU_ARENA_MAX, PDU_PIECES);
	bool last;

	if (pdu == NULL)
		return false;
	last = n <= qp->max_h2c;
	if (!last)
		n = qp->max_h2c;
	memset(pdu, 0, sizeof(*pdu));
	pdu->ch.type = NVME_TCP_H2C_DATA;
	pdu->cccid = s->cid;
	pdu->ttag = s->ttag;
	pdu->datao = s->moved;
	pdu->datal = n;
	qp_tx_head(qp, (uint8_t *)pdu,
		   pdu_seal(&pdu->ch, sizeof(*pdu), n, last ? NVME_TCP_F_LAST : 0, qp->hdgst, qp->ddgst, qp->align));
	qp_tx_payload(qp, s, (uint8_t *)s->io->buf + s->moved, n);
	s->moved += n;
	qp->stats.h2c_pdus++;
	return true;
}

void
qp_tx_transfers(struct qp *qp)
{
	while (qp->xfer_n > 0) {
		struct slot *s = &qp->slots[qp->xfer[qp->xfer_head]];

		/* A command answered early (an error) wants no more of its data. */
		while (!s->answered && s->moved < s->granted)
			if (!send_h2c(qp, s))
				return;
		qp->xfer_head = (qp->xfer_head + 1) % qp->depth;
		qp->xfer_n--;
		s->queued = false;
		if (s->answered && s->tx_refs == 0)
			qp_slot_release(qp, s);
	}
}

/* @p n bytes have left. */
static void
retire(struct qp *qp, size_t n)
{
	while (n > 0) {
		uint32_t i = qp->tx_head & qp->tx_mask;
		struct slot *s = qp->tx_meta[i].slot;

		if (n < qp->tx[i].iov_len) {
			qp->tx[i].iov_base = (uint8_t *)qp->tx[i].iov_base + n;
			qp->tx[i].iov_len -= n;
			return;
		}
		n -= qp->tx[i].iov_len;
		qp->arena_head = qp->tx_meta[i].arena_tail;
		qp->tx_head++;
		if (s != NULL && --s->tx_refs == 0 && s->answered && !s->queued)
			qp_slot_release(qp, s);
	}
}

int
qp_flush(struct qp *qp)
{
	while (qp->state != QP_FAILED) {
		uint32_t head = qp->tx_head & qp->tx_mask, n;
		ssize_t sent;

		if (qp->xfer_n > 0)
			qp_tx_transfers(qp);
		n = qp->tx_tail - qp->tx_head;
		if (n == 0)
			break;
		if (n > qp->tx_mask + 1 - head)
			n = qp->tx_mask + 1 - head;
		if (n > SEND_PIECES_MAX)
			n = SEND_PIECES_MAX;
		sent = qp->xport->ops->send(qp->xport, &qp->tx[head], (int)n);
		qp->stats.sends++;
		if (sent == 0)
			break;
		if (sent < 0) {
			qp_fail(qp, (int)sent, "the connection was lost while sending: %s", strerror((int)-sent));
			break;
		}
		qp->stats.tx_bytes += (uint64_t)sent;
		retire(qp, (size_t)sent);
	}
	return qp->err;
}
