/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* Received bytes to PDUs. One cursor (rx_head, rx_off, rx_len) walks the list the carrier gave; headers that straddle
 * pieces are gathered in conn->hdr, so that the beginning of a header never keeps a receive buffer from being reused.
 */

#include <string.h>

#include <rte_branch_prediction.h>

#include "conn.h"
#include "strake_account.h"
#include "strake_kernel.h"

STRAKE_STEP(parse_step, STRAKE_AT_FRONT_IN, "NVMe/TCP: PDUs in, commands")

static void
skip(struct nvme_tcp_conn *conn, uint32_t n)
{
	conn->rx_len -= n;
	while (n > 0) {
		struct strake_buf *buf = conn->rx_head;
		uint32_t run = RTE_MIN(n, buf->len - conn->rx_off);

		conn->rx_off += run;
		n -= run;
		if (conn->rx_off == buf->len) {
			conn->rx_head = buf->next;
			conn->rx_off = 0;
			strake_buf_put(buf);
		}
	}
}

void
nvme_tcp_rx_discard(struct nvme_tcp_conn *conn)
{
	strake_buf_put_list(conn->rx_head);
	conn->rx_head = NULL;
	conn->rx_off = 0;
	conn->rx_len = 0;
}

/* The next @n bytes in one piece, or NULL until they have come. They stay unparsed until header_done(). */
static const uint8_t *
header_peek(struct nvme_tcp_conn *conn, uint32_t n)
{
	if (likely(conn->hdr_have == 0 && conn->rx_len >= n && conn->rx_head->len - conn->rx_off >= n))
		return conn->rx_head->addr + conn->rx_off;
	while (conn->hdr_have < n && conn->rx_len > 0) {
		uint32_t run = RTE_MIN(n - conn->hdr_have, conn->rx_head->len - conn->rx_off);

		memcpy(conn->hdr + conn->hdr_have, conn->rx_head->addr + conn->rx_off, run);
		conn->hdr_have += (uint8_t)run;
		skip(conn, run);
	}
	return conn->hdr_have >= n ? conn->hdr : NULL;
}

static void
header_done(struct nvme_tcp_conn *conn, uint32_t n)
{
	if (conn->hdr_have != 0)
		conn->hdr_have = 0;
	else
		skip(conn, n);
}

/* The rest of the front piece, or @n bytes of it, as a buf of its own. NULL: out of descriptors. */
static struct strake_buf *
take(struct nvme_tcp_conn *conn, uint32_t n)
{
	struct strake_buf *buf = conn->rx_head, *piece;

	if (conn->rx_off + n < buf->len) {
		piece = strake_buf_slice(buf, conn->rx_off, n);
		if (unlikely(piece == NULL))
			return NULL;
		conn->rx_off += n;
	} else {
		/* To its end: the descriptor itself, cut in front if nobody else sees it. */
		if (conn->rx_off == 0 || __atomic_load_n(&buf->refcnt, __ATOMIC_ACQUIRE) == 1) {
			conn->rx_head = buf->next;
			buf->addr += conn->rx_off;
			buf->len -= conn->rx_off;
			piece = buf;
		} else {
			piece = strake_buf_slice(buf, conn->rx_off, n);
			if (unlikely(piece == NULL))
				return NULL;
			conn->rx_head = buf->next;
			strake_buf_put(buf);
		}
		conn->rx_off = 0;
	}
	conn->rx_len -= n;
	piece->next = NULL;
	return piece;
}

/* @n bytes of the front piece belong to the payload of cur. @return false: out of descriptors, nothing taken. */
static bool
take_payload(struct nvme_tcp_conn *conn, uint32_t n)
{
	struct nvme_tcp_slot *slot = conn->cur;
	const uint8_t *from = conn->rx_head->addr + conn->rx_off;
	struct strake_buf *piece;

	if (slot->page != NULL) {
		if (from != slot->page->addr + slot->got) {
			memcpy(slot->page->addr + slot->got, from, n);
			conn->lc->stats.bytes_placed += n;
		}
		skip(conn, n);
	} else {
		piece = take(conn, n);
		if (unlikely(piece == NULL))
			return false;
		if (slot->tail == NULL)
			slot->cmd.data = piece;
		else
			slot->tail->next = piece;
		slot->tail = piece;
	}
	slot->got += n;
	return true;
}

/* Data of the current PDU, as far as it has come. @return false: out of descriptors. */
static bool
take_data(struct nvme_tcp_conn *conn)
{
	while (conn->left > 0 && conn->rx_len > 0) {
		uint32_t run = RTE_MIN(conn->left, conn->rx_head->len - conn->rx_off);
		const uint8_t *p = conn->rx_head->addr + conn->rx_off;
		bool payload = conn->pos >= conn->take_from && conn->pos < conn->take_to;
		uint32_t crc = conn->crc;

		if (payload)
			run = RTE_MIN(run, conn->take_to - conn->pos);
		else if (conn->pos < conn->take_from)
			run = RTE_MIN(run, conn->take_from - conn->pos);
		if (conn->digest_due)
			crc = strake_kernel->crc32c(crc, p, run);
		if (!payload)
			skip(conn, run);
		else if (unlikely(!take_payload(conn, run)))
			return false;
		conn->crc = crc;
		conn->pos += run;
		conn->left -= run;
	}
	return true;
}

static void
pdu_end(struct nvme_tcp_conn *conn)
{
	struct nvme_tcp_slot *slot = conn->cur;

	conn->phase = RX_HEADER;
	conn->cur = NULL;
	if (slot == NULL)
		return;
	if (slot->state == SLOT_R2T)
		nvme_tcp_r2t_data_end(slot);
	else
		nvme_tcp_capsule_end(slot);
}

/* After a header: where its data begins and how much there is. */
static void
data_begin(struct nvme_tcp_conn *conn, const struct nvme_tcp_ch *ch, uint32_t data_len)
{
	if (data_len == 0) {
		pdu_end(conn);
		return;
	}
	conn->digest_due = conn->ddgst != 0 && ch->type != NVME_TCP_H2C_TERM;
	conn->crc = 0;
	conn->pos = 0;
	conn->expecting = false;
	conn->data_left = data_len;
	conn->left = ch->type == NVME_TCP_H2C_TERM ? 0 : ch->pdo - ch->hlen - (uint32_t)conn->hdgst;
	conn->phase = RX_PAD;
	if (conn->left == 0) {
		conn->phase = RX_DATA;
		conn->left = data_len;
	}
}

/* @return false: no slot for a command; the header stays. */
static bool
dispatch(struct nvme_tcp_conn *conn, const uint8_t *h)
{
	uint32_t fei;
	int fes;

	switch (((const struct nvme_tcp_ch *)h)->type) {
	case NVME_TCP_CAPSULE_CMD:
		return nvme_tcp_capsule(conn, (const struct nvme_tcp_capsule_cmd *)h);
	case NVME_TCP_H2C_DATA:
		return nvme_tcp_r2t_data(conn, (const struct nvme_tcp_data *)h);
	case NVME_TCP_ICREQ:
		if (!nvme_tcp_tx_ready(conn->lc)) {
			nvme_tcp_conn_stall(conn);
			return false;
		}
		fes = nvme_tcp_icreq(conn, (const struct nvme_tcp_icreq *)h, &fei);
		if (fes != 0) {
			nvme_tcp_fatal(conn, (enum nvme_tcp_fes)fes, fei, h, NVME_TCP_HLEN_IC);
			return false;
		}
		nvme_tcp_conn_enter(conn, CONN_CONNECT);
		return true;
	default: /* H2CTermReq, by the table. What it says is for the host's log, not for ours. */
		conn->lc->stats.terms_in++;
		nvme_tcp_conn_close(conn, false);
		return false;
	}
}

static bool
header_digest_ok(struct nvme_tcp_conn *conn, const uint8_t *h, uint32_t hlen)
{
	uint32_t want, got;

	want = strake_kernel->crc32c(0, h, hlen);
	memcpy(&got, h + hlen, sizeof(got));
	if (likely(want == got))
		return true;
	conn->lc->stats.header_digest_errors++;
	nvme_tcp_fatal(conn, NVME_TCP_FES_HEADER_DIGEST, got, h, hlen);
	return false;
}

/* One header, whole. @return false: more bytes, a slot or nothing at all is wanted. */
static bool
take_header(struct nvme_tcp_conn *conn)
{
	struct nvme_tcp_ch ch;
	const uint8_t *h;
	uint32_t fei, need, data_len;
	int fes;

	h = header_peek(conn, sizeof(ch));
	if (h == NULL)
		return false;
	memcpy(&ch, h, sizeof(ch));
	fes = nvme_tcp_pdu_check(conn, &ch, &fei);
	if (unlikely(fes != 0)) {
		nvme_tcp_fatal(conn, (enum nvme_tcp_fes)fes, fei, h, sizeof(ch));
		return false;
	}
	/* ICReq and TermReq never have digests, also after they were agreed. */
	need = ch.hlen;
	if (ch.type == NVME_TCP_CAPSULE_CMD || ch.type == NVME_TCP_H2C_DATA)
		need += conn->hdgst;
	h = header_peek(conn, need);
	if (h == NULL)
		return false;
	if (need > ch.hlen && !header_digest_ok(conn, h, ch.hlen))
		return false;
	data_len = nvme_tcp_pdu_data_len(conn, &ch);
	conn->cur = NULL;
	conn->take_from = 0;
	conn->take_to = 0;
	if (!dispatch(conn, h) || conn->phase == RX_DISCARD)
		return false;
	conn->lc->stats.pdus_in++;
	conn->pdus++;
	header_done(conn, need);
	data_begin(conn, &ch, data_len);
	return true;
}

static bool
take_digest(struct nvme_tcp_conn *conn)
{
	const uint8_t *d = header_peek(conn, NVME_TCP_DIGEST_LEN);
	uint32_t got;

	if (d == NULL)
		return false;
	memcpy(&got, d, sizeof(got));
	header_done(conn, NVME_TCP_DIGEST_LEN);
	if (unlikely(got != conn->crc)) {
		conn->lc->stats.data_digest_errors++;
		if (conn->cur != NULL)
			conn->cur->bad_digest = true;
	}
	pdu_end(conn);
	return true;
}

/* Let a carrier that copies put the rest of this PDU's data where it belongs. */
static void
expect_rest(struct nvme_tcp_conn *conn)
{
	struct nvme_tcp_slot *slot = conn->cur;
	struct strake_stream *s = conn->stream;

	if (conn->phase != RX_DATA || conn->expecting || slot == NULL || slot->page == NULL ||
	    slot->state != SLOT_R2T || s->ops->expect == NULL)
		return;
	conn->expecting = true;
	s->ops->expect(s, slot->page, slot->got, conn->left);
}

/* @return false: nothing more to do with what has come. */
static bool
step(struct nvme_tcp_conn *conn)
{
	uint32_t n;

	switch (conn->phase) {
	case RX_HEADER:
		return take_header(conn);
	case RX_PAD:
		n = RTE_MIN(conn->left, conn->rx_len);
		skip(conn, n);
		conn->left -= n;
		if (conn->left > 0)
			return false;
		conn->phase = RX_DATA;
		conn->left = conn->data_left;
		return true;
	case RX_DATA:
		if (!take_data(conn)) {
			nvme_tcp_conn_stall(conn);
			return false;
		}
		if (conn->left > 0)
			return false;
		if (conn->digest_due)
			conn->phase = RX_DIGEST;
		else
			pdu_end(conn);
		return true;
	case RX_DIGEST:
		return take_digest(conn);
	default:
		nvme_tcp_rx_discard(conn);
		return false;
	}
}

void
nvme_tcp_parse(struct nvme_tcp_conn *conn)
{
	uint8_t before = strake_account_enter(&parse_step);

	while ((conn->rx_len > 0 || conn->hdr_have > 0) && step(conn))
		;
	nvme_tcp_burst_end(conn);
	if (conn->rx_len == 0 && !conn->dying && conn->stream != NULL)
		expect_rest(conn);
	strake_account_leave(before);
}

void
nvme_tcp_rx(struct strake_stream *s, struct strake_buf *bufs, uint32_t len)
{
	struct nvme_tcp_conn *conn = s->user;

	if (bufs == NULL)
		return;
	conn->qp.tos = s->tos;
	conn->qp.pcp = s->pcp;
	if (conn->rx_head == NULL)
		conn->rx_head = bufs;
	else
		conn->rx_tail->next = bufs;
	while (bufs->next != NULL)
		bufs = bufs->next;
	conn->rx_tail = bufs;
	conn->rx_len += len;
	nvme_tcp_parse(conn);
}
