/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* What a header may say, by connection state and PDU type (TCP transport 1.0, section 3.6). */

#include <stddef.h>

#include <rte_common.h>

#include "conn.h"

/* A PDU type as the controller receives it. */
struct pdu_rule {
	uint8_t hlen;	  /* 0: hosts never send it */
	bool digests;	  /* may carry digests */
	bool data;	  /* may carry data */
	uint16_t states;  /* bitmap of the connection states it is legal in */
	uint32_t max_len; /* of the whole PDU; 0: by its own rules */
};

#define IN(state) (1u << (state))

static const struct pdu_rule rules[] = {
	[NVME_TCP_ICREQ] = {NVME_TCP_HLEN_IC, false, false, IN(CONN_ICREQ), NVME_TCP_HLEN_IC},
	[NVME_TCP_H2C_TERM] = {NVME_TCP_HLEN_TERM, false, true, IN(CONN_ICREQ) | IN(CONN_CONNECT) | IN(CONN_READY),
			       NVME_TCP_HLEN_TERM + NVME_TCP_TERM_DATA},
	[NVME_TCP_CAPSULE_CMD] = {NVME_TCP_HLEN_CMD, true, true, IN(CONN_CONNECT) | IN(CONN_READY), 0},
	/* A Connect command may fetch its data too; that an R2T is outstanding is checked with its TTAG. */
	[NVME_TCP_H2C_DATA] = {NVME_TCP_HLEN_DATA, true, true, IN(CONN_CONNECT) | IN(CONN_READY), 0},
	[NVME_TCP_R2T] = {0},
};

static int
bad(uint32_t *fei, size_t offset)
{
	*fei = (uint32_t)offset;
	return NVME_TCP_FES_INVALID_HEADER;
}

uint32_t
nvme_tcp_pdu_data_len(const struct nvme_tcp_conn *conn, const struct nvme_tcp_ch *ch)
{
	uint32_t begin, digest;

	if (ch->type == NVME_TCP_H2C_TERM)
		return ch->plen - ch->hlen;
	if (!rules[ch->type].data || ch->plen == ch->hlen + (uint32_t)conn->hdgst)
		return 0;
	begin = ch->pdo;
	digest = conn->ddgst;
	return ch->plen - begin - digest;
}

/* Data lies between PDO and the digest; PDO is aligned as our CPDA (0: dwords) asks. */
static int
check_data_place(const struct nvme_tcp_conn *conn, const struct nvme_tcp_ch *ch, uint32_t *fei)
{
	uint32_t end = ch->hlen + (uint32_t)conn->hdgst;

	if (ch->plen < end)
		return bad(fei, offsetof(struct nvme_tcp_ch, plen));
	if (ch->plen == end)
		return ch->type == NVME_TCP_H2C_DATA ? bad(fei, offsetof(struct nvme_tcp_ch, plen)) : 0;
	if (ch->pdo < end || ch->pdo % 4 != 0)
		return bad(fei, offsetof(struct nvme_tcp_ch, pdo));
	if (ch->plen <= ch->pdo + (uint32_t)conn->ddgst)
		return bad(fei, offsetof(struct nvme_tcp_ch, plen));
	if (((ch->flags & NVME_TCP_F_DDGST) != 0) != (conn->ddgst != 0))
		return bad(fei, offsetof(struct nvme_tcp_ch, flags));
	return 0;
}

int
nvme_tcp_pdu_check(const struct nvme_tcp_conn *conn, const struct nvme_tcp_ch *ch, uint32_t *fei)
{
	const struct pdu_rule *rule;

	*fei = 0;
	if (ch->type >= RTE_DIM(rules) || rules[ch->type].hlen == 0) {
		/* Ours to send, or unknown. */
		if (ch->type == NVME_TCP_ICRESP || ch->type == NVME_TCP_C2H_TERM || ch->type == NVME_TCP_CAPSULE_RESP ||
		    ch->type == NVME_TCP_C2H_DATA || ch->type == NVME_TCP_R2T)
			return NVME_TCP_FES_SEQUENCE;
		return bad(fei, offsetof(struct nvme_tcp_ch, type));
	}
	rule = &rules[ch->type];
	if ((rule->states & IN(conn->state)) == 0)
		return NVME_TCP_FES_SEQUENCE;
	if (ch->hlen != rule->hlen)
		return bad(fei, offsetof(struct nvme_tcp_ch, hlen));
	if (!rule->digests) {
		if (ch->plen < rule->hlen || ch->plen > rule->max_len)
			return bad(fei, offsetof(struct nvme_tcp_ch, plen));
		return 0;
	}
	if (((ch->flags & NVME_TCP_F_HDGST) != 0) != (conn->hdgst != 0))
		return bad(fei, offsetof(struct nvme_tcp_ch, flags));
	return check_data_place(conn, ch, fei);
}

int
nvme_tcp_icreq(struct nvme_tcp_conn *conn, const struct nvme_tcp_icreq *h, uint32_t *fei)
{
	struct nvme_tcp_icresp *resp;
	uint32_t align;

	*fei = 0;
	if (h->pfv != NVME_TCP_PFV) {
		*fei = offsetof(struct nvme_tcp_icreq, pfv);
		return NVME_TCP_FES_UNSUPPORTED;
	}
	if (h->hpda > NVME_TCP_PDA_MAX)
		return bad(fei, offsetof(struct nvme_tcp_icreq, hpda));
	resp = nvme_tcp_tx_small(conn, sizeof(*resp));
	*resp = (struct nvme_tcp_icresp){
		.ch = {.type = NVME_TCP_ICRESP, .hlen = NVME_TCP_HLEN_IC, .plen = NVME_TCP_HLEN_IC},
		.pfv = NVME_TCP_PFV,
		.dgst = h->dgst & (NVME_TCP_DGST_HDR | NVME_TCP_DGST_DATA),
		.maxh2c = nvme_tcp_limits.maxh2c,
	};
	conn->hdgst = h->dgst & NVME_TCP_DGST_HDR ? NVME_TCP_DIGEST_LEN : 0;
	conn->ddgst = h->dgst & NVME_TCP_DGST_DATA ? NVME_TCP_DIGEST_LEN : 0;
	conn->qp.touches = conn->stream->copies || conn->ddgst != 0;
	align = (h->hpda + 1u) * 4;
	conn->c2h_pdo = (uint8_t)((NVME_TCP_HLEN_DATA + conn->hdgst + align - 1) / align * align);
	/* MAXR2T: one R2T to a command is what everyone must allow, and all we send. */
	return 0;
}
