/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* Receiving: a push parser. Headers are read in place when whole; payload goes to the command's buffer once, or, when
 * the stream can, straight into it. Whatever the controller sends is checked before it is used. */

#include <errno.h>
#include <string.h>

#include "crc.h"
#include "qp_priv.h"

/* Remaining payload from which it pays to fetch it straight into its place, or to drop it unseen. */
#define DIRECT_MIN   8192
#define POLL_FETCHES 4
#define PACE_BYTES   4096

static void
broken(struct qp *qp, const void *pdu, uint16_t fes, size_t fei, const char *text)
{
	struct pdu_fault f = {.fes = fes, .fei = (uint32_t)fei, .text = text};

	qp_protocol_error(qp, &f, pdu, ((const struct nvme_tcp_ch *)pdu)->hlen);
}

static void
rx_icresp(struct qp *qp, const struct nvme_tcp_icresp *r)
{
	bool hdgst = (r->dgst & NVME_TCP_DGST_HDR) != 0, ddgst = (r->dgst & NVME_TCP_DGST_DATA) != 0;

	if (qp->state != QP_CONNECTING)
		broken(qp, r, NVME_TCP_FES_SEQUENCE, 0, "a second ICResp");
	else if (r->pfv != NVME_TCP_PFV)
		broken(qp, r, NVME_TCP_FES_UNSUPPORTED, offsetof(struct nvme_tcp_icresp, pfv), "unknown PDU format");
	else if (r->cpda > NVME_TCP_PDA_MAX)
		broken(qp, r, NVME_TCP_FES_INVALID_HEADER, offsetof(struct nvme_tcp_icresp, cpda), "CPDA above 31");
	else if (r->maxh2c < NVME_TCP_MAXH2C_MIN || r->maxh2c % 4 != 0)
		broken(qp, r, NVME_TCP_FES_INVALID_HEADER, offsetof(struct nvme_tcp_icresp, maxh2c), "bad MAXH2CDATA");
	else if (hdgst != qp->hdgst || ddgst != qp->ddgst)
		broken(qp, r, NVME_TCP_FES_UNSUPPORTED, offsetof(struct nvme_tcp_icresp, dgst),
		       "digests other than those asked for");
	else {
		qp->align = (r->cpda + 1u) * 4;
		qp->max_h2c = r->maxh2c;
		qp->state = QP_READY;
	}
}

static void
rx_term(struct qp *qp, const struct nvme_tcp_term *t)
{
	qp_fail(qp, -ECONNABORTED, "the target ended the connection: %s (FES %u, FEI 0x%x)", pdu_fes_text(t->fes),
		t->fes, t->fei);
}

static void
rx_resp(struct qp *qp, const struct nvme_tcp_capsule_resp *r)
{
	struct nvme_cpl cpl;
	struct slot *s;

	memcpy(&cpl, r->cqe, sizeof(cpl));
	s = qp_slot_of(qp, cpl.cid);
	if (s == NULL)
		broken(qp, r, NVME_TCP_FES_INVALID_HEADER, sizeof(r->ch) + offsetof(struct nvme_cpl, cid),
		       "a completion for a command that is not under way");
	else if (NVME_CPL_SC(cpl.status) == 0 && s->io->dir == QP_IN && s->moved != s->io->len)
		broken(qp, r, NVME_TCP_FES_SEQUENCE, 0, "success of a command whose data did not all come");
	else if (NVME_CPL_SC(cpl.status) == 0 && s->io->dir == QP_OUT && !s->in_capsule && s->moved != s->io->len)
		broken(qp, r, NVME_TCP_FES_SEQUENCE, 0, "success of a command whose data was not all asked for");
	else
		qp_slot_answer(qp, s, &cpl);
}

static void
rx_r2t(struct qp *qp, const struct nvme_tcp_r2t *r)
{
	struct slot *s = qp_slot_of(qp, r->cccid);

	qp->stats.r2ts++;
	if (s == NULL || s->io->dir != QP_OUT || s->in_capsule)
		broken(qp, r, NVME_TCP_FES_INVALID_HEADER, offsetof(struct nvme_tcp_r2t, cccid),
		       "an R2T for a command that has nothing to send");
	else if (s->answered)
		broken(qp, r, NVME_TCP_FES_SEQUENCE, 0, "an R2T for a command that was answered");
	else if (s->queued || s->moved < s->granted)
		broken(qp, r, NVME_TCP_FES_R2T_LIMIT_EXCEEDED, 0, "an R2T while another one is served");
	else if (r->r2to != s->granted)
		broken(qp, r, NVME_TCP_FES_OUT_OF_RANGE, offsetof(struct nvme_tcp_r2t, r2to),
		       "an R2T out of order, or for data already sent");
	else if (r->r2tl == 0 || r->r2tl > s->io->len - r->r2to)
		broken(qp, r, NVME_TCP_FES_OUT_OF_RANGE, offsetof(struct nvme_tcp_r2t, r2tl),
		       "an R2T past the end of the data");
	else {
		s->granted += r->r2tl;
		s->ttag = r->ttag;
		qp_tx_grant(qp, s);
	}
}

static void
rx_data_done(struct qp *qp)
{
	struct slot *s = qp->rx_slot;
	struct nvme_cpl cpl = {.cid = s->cid};

	qp->rx_state = RX_HEAD;
	if (qp->rx_ch.flags & NVME_TCP_F_SUCCESS)
		qp_slot_answer(qp, s, &cpl);
}

static void
rx_data(struct qp *qp, const struct nvme_tcp_data *d)
{
	struct slot *s = qp_slot_of(qp, d->cccid);
	bool last = (d->ch.flags & NVME_TCP_F_LAST) != 0;

	qp->stats.c2h_pdus++;
	if (s == NULL || s->io->dir != QP_IN)
		broken(qp, d, NVME_TCP_FES_INVALID_HEADER, offsetof(struct nvme_tcp_data, cccid),
		       "data for a command that wants none");
	else if (d->datal != pdu_data_len(&d->ch) || d->datal == 0)
		broken(qp, d, NVME_TCP_FES_INVALID_HEADER, offsetof(struct nvme_tcp_data, datal),
		       "data length against PDU length");
	else if (d->datao != s->moved)
		broken(qp, d, NVME_TCP_FES_OUT_OF_RANGE, offsetof(struct nvme_tcp_data, datao), "data out of order");
	else if (d->datal > s->io->len - s->moved)
		broken(qp, d, NVME_TCP_FES_OUT_OF_RANGE, offsetof(struct nvme_tcp_data, datal),
		       "more data than was asked for");
	else if (last != (s->moved + d->datal == s->io->len))
		broken(qp, d, NVME_TCP_FES_SEQUENCE, 0, last ? "last data before all came" : "all data without LAST");
	else {
		qp->rx_ch = d->ch;
		qp->rx_slot = s;
		qp->rx_dst = s->io->buf != NULL ? (uint8_t *)s->io->buf + s->moved : NULL;
		qp->rx_left = d->datal;
		qp->rx_began = qp->rx_now;
		qp->rx_crc = CRC_INIT;
		qp->rx_state = RX_DATA;
		s->moved += d->datal;
	}
}

/* A header (all bytes before data) is complete at @p p. */
static void
rx_head(struct qp *qp, const void *p)
{
	const struct nvme_tcp_ch *ch = p;

	if ((ch->flags & NVME_TCP_F_HDGST) && !pdu_hdgst_ok(ch)) {
		uint32_t came;

		memcpy(&came, (const uint8_t *)p + ch->hlen, sizeof(came));
		broken(qp, p, NVME_TCP_FES_HEADER_DIGEST, came, "wrong header digest");
		return;
	}
	if (qp->state == QP_CONNECTING && ch->type != NVME_TCP_ICRESP && ch->type != NVME_TCP_C2H_TERM) {
		broken(qp, p, NVME_TCP_FES_SEQUENCE, 0, "a PDU before the ICResp");
		return;
	}
	switch (ch->type) {
	case NVME_TCP_ICRESP:
		rx_icresp(qp, p);
		break;
	case NVME_TCP_C2H_TERM:
		rx_term(qp, p);
		break;
	case NVME_TCP_CAPSULE_RESP:
		rx_resp(qp, p);
		break;
	case NVME_TCP_R2T:
		rx_r2t(qp, p);
		break;
	default: /* pdu_check() let nothing else through */
		rx_data(qp, p);
	}
}

/* Bytes before the data of the PDU that begins at @p ch, or 0 after a failure. */
static uint32_t
head_len(struct qp *qp, const struct nvme_tcp_ch *ch)
{
	/* Until the ICResp has agreed on digests there are none. */
	bool agreed = qp->state == QP_READY;
	struct pdu_fault f;
	int ret = pdu_check(ch, agreed && qp->hdgst, agreed && qp->ddgst, &f);

	if (ret < 0) {
		qp_protocol_error(qp, &f, ch, sizeof(*ch));
		return 0;
	}
	return (uint32_t)ret;
}

/* Collect a header that came in pieces. @return bytes taken. */
static size_t
gather_head(struct qp *qp, const uint8_t *p, size_t n)
{
	size_t want = (qp->head_need != 0 ? qp->head_need : sizeof(struct nvme_tcp_ch)) - qp->head_have;

	if (want > n)
		want = n;
	memcpy(qp->head + qp->head_have, p, want);
	qp->head_have += (uint32_t)want;
	if (qp->head_need == 0 && qp->head_have == sizeof(struct nvme_tcp_ch))
		qp->head_need = head_len(qp, (const struct nvme_tcp_ch *)qp->head);
	if (qp->head_need != 0 && qp->head_have == qp->head_need) {
		qp->head_have = 0;
		qp->head_need = 0;
		rx_head(qp, qp->head);
	}
	return want;
}

static size_t
take_head(struct qp *qp, const uint8_t *p, size_t n)
{
	uint32_t need;

	if (qp->head_have > 0 || n < sizeof(struct nvme_tcp_ch))
		return gather_head(qp, p, n);
	need = head_len(qp, (const struct nvme_tcp_ch *)p);
	if (need == 0)
		return n;
	if (n < need) {
		qp->head_need = need;
		return gather_head(qp, p, n);
	}
	rx_head(qp, p);
	return need;
}

/* How long a payload took, for those that come. One that something held up shall not count for what it took. */
static void
learn_pace(struct qp *qp)
{
	uint64_t took = qp->rx_now - qp->rx_began;

	if (took > qp->patience)
		took = qp->patience;
	qp->rx_pace = (3 * qp->rx_pace + took * PACE_BYTES / pdu_data_len(&qp->rx_ch)) / 4;
}

/* Each look takes the socket's lock from the kernel, which adds to it on another CPU; the target would wait for us. A
 * little less than it should take: else no payload would ever be found to have taken less. */
static void
rest_until_more(struct qp *qp)
{
	uint64_t rest = qp->rx_pace * qp->rx_left / PACE_BYTES * 15 / 16;

	if (qp->rx_state == RX_DATA && qp->rx_left >= DIRECT_MIN)
		qp->rx_look = qp->rx_now + (rest < qp->patience ? rest : qp->patience);
}

/* @p n bytes of payload are in place, or were taken. */
static void
payload_taken(struct qp *qp, size_t n)
{
	if (qp->rx_dst != NULL)
		qp->rx_dst += n;
	qp->rx_left -= (uint32_t)n;
	if (qp->rx_left > 0)
		return;
	if (qp->patience > 0)
		learn_pace(qp);
	if (qp->ddgst) {
		qp->rx_state = RX_DIGEST;
		qp->rx_digest_have = 0;
	} else {
		rx_data_done(qp);
	}
}

static size_t
take_payload(struct qp *qp, const uint8_t *p, size_t n)
{
	if (n > qp->rx_left)
		n = qp->rx_left;
	if (qp->rx_dst != NULL)
		memcpy(qp->rx_dst, p, n);
	if (qp->ddgst)
		qp->rx_crc = crc_feed(qp->rx_crc, p, n);
	payload_taken(qp, n);
	return n;
}

static size_t
take_digest(struct qp *qp, const uint8_t *p, size_t n)
{
	uint32_t digest;

	if (n > NVME_TCP_DIGEST_LEN - qp->rx_digest_have)
		n = NVME_TCP_DIGEST_LEN - qp->rx_digest_have;
	memcpy(qp->rx_digest + qp->rx_digest_have, p, n);
	qp->rx_digest_have += (uint32_t)n;
	if (qp->rx_digest_have < NVME_TCP_DIGEST_LEN)
		return n;
	memcpy(&digest, qp->rx_digest, sizeof(digest));
	if (digest != crc_end(qp->rx_crc))
		qp_fail(qp, -EBADMSG, "the target sent data with a wrong digest");
	else
		rx_data_done(qp);
	return n;
}

int
qp_rx(struct qp *qp, const void *data, size_t len)
{
	const uint8_t *p = data;

	while (len > 0 && qp->state != QP_FAILED) {
		size_t took;

		if (qp->rx_state == RX_HEAD)
			took = take_head(qp, p, len);
		else if (qp->rx_state == RX_DATA)
			took = take_payload(qp, p, len);
		else
			took = take_digest(qp, p, len);
		p += took;
		len -= took;
	}
	return qp->err;
}

/* Fetch once. @return bytes that came, 0 none, and whether the stream is drained. */
static ssize_t
fetch(struct qp *qp, bool *drained)
{
	struct iovec iov[2];
	bool direct = qp->rx_state == RX_DATA && qp->rx_left >= DIRECT_MIN;
	size_t asked = 0;
	ssize_t got;
	int n = 0;

	if (direct && qp->rx_dst == NULL && qp->discard) {
		got = qp->xport->ops->drop(qp->xport, qp->rx_left);
		*drained = got < (ssize_t)qp->rx_left;
		if (got > 0)
			payload_taken(qp, (size_t)got);
		return got;
	}
	if (direct && qp->rx_dst != NULL) {
		iov[n++] = (struct iovec){qp->rx_dst, qp->rx_left};
		asked = qp->rx_left;
	}
	iov[n++] = (struct iovec){qp->rx_buf, qp->rx_bytes};
	asked += qp->rx_bytes;
	got = qp->xport->ops->recv(qp->xport, iov, n);
	*drained = got < (ssize_t)asked;
	if (got <= 0)
		return got;
	if (n == 2) {
		size_t placed = (size_t)got < iov[0].iov_len ? (size_t)got : iov[0].iov_len;

		if (qp->ddgst)
			qp->rx_crc = crc_feed(qp->rx_crc, qp->rx_dst, placed);
		payload_taken(qp, placed);
		qp_rx(qp, qp->rx_buf, (size_t)got - placed);
		return got;
	}
	qp_rx(qp, qp->rx_buf, (size_t)got);
	return got;
}

void
qp_rx_poll(struct qp *qp, uint64_t now)
{
	bool drained = false;

	if (now < qp->rx_look)
		return;
	qp->rx_now = now;
	for (int i = 0; i < POLL_FETCHES && !drained && qp->state != QP_FAILED; i++) {
		ssize_t got = fetch(qp, &drained);

		qp->stats.recvs++;
		if (got == 0) {
			qp->stats.empty++;
			return;
		}
		if (got < 0) {
			qp_fail(qp, (int)got, "%s",
				got == -ECONNRESET ? "the target closed the connection" : strerror((int)-got));
			return;
		}
		qp->stats.rx_bytes += (uint64_t)got;
	}
	if (drained && qp->patience > 0)
		rest_until_more(qp);
}
