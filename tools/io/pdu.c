/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <errno.h>
#include <string.h>

#include "crc.h"
#include "pdu.h"

/* PDUs a controller may send: transport specification 1.0, section 3.6.2. */
static const struct kind {
	const char *name;
	uint8_t hlen;
	bool data, digests;
} kinds[] = {
	[NVME_TCP_ICRESP] = {"ICResp", NVME_TCP_HLEN_IC, false, false},
	[NVME_TCP_C2H_TERM] = {"C2HTermReq", NVME_TCP_HLEN_TERM, false, false},
	[NVME_TCP_CAPSULE_RESP] = {"CapsuleResp", NVME_TCP_HLEN_RESP, false, true},
	[NVME_TCP_C2H_DATA] = {"C2HData", NVME_TCP_HLEN_DATA, true, true},
	[NVME_TCP_R2T] = {"R2T", NVME_TCP_HLEN_R2T, false, true},
};

static int
fault_set(struct pdu_fault *fault, uint16_t fes, uint32_t fei, const char *text)
{
	*fault = (struct pdu_fault){.fes = fes, .fei = fei, .text = text};
	return -EPROTO;
}

static int
invalid(struct pdu_fault *fault, size_t field, const char *text)
{
	return fault_set(fault, NVME_TCP_FES_INVALID_HEADER, (uint32_t)field, text);
}

static int
check_data(const struct nvme_tcp_ch *ch, uint32_t head, bool ddgst, struct pdu_fault *fault)
{
	if (((ch->flags & NVME_TCP_F_DDGST) != 0) != ddgst)
		return invalid(fault, offsetof(struct nvme_tcp_ch, flags), "data digest flag against what was agreed");
	if ((ch->flags & NVME_TCP_F_SUCCESS) != 0 && (ch->flags & NVME_TCP_F_LAST) == 0)
		return invalid(fault, offsetof(struct nvme_tcp_ch, flags), "SUCCESS flag without LAST");
	if (ch->pdo < head || ch->pdo % 4 != 0)
		return invalid(fault, offsetof(struct nvme_tcp_ch, pdo), "data offset inside the header");
	if (ch->plen < ch->pdo + (ddgst ? NVME_TCP_DIGEST_LEN : 0u))
		return invalid(fault, offsetof(struct nvme_tcp_ch, plen), "PDU shorter than its headers");
	return ch->pdo;
}

int
pdu_check(const struct nvme_tcp_ch *ch, bool hdgst, bool ddgst, struct pdu_fault *fault)
{
	const struct kind *k = ch->type < sizeof(kinds) / sizeof(kinds[0]) ? &kinds[ch->type] : NULL;
	uint32_t head;

	if (k == NULL || k->name == NULL)
		return invalid(fault, offsetof(struct nvme_tcp_ch, type), "a PDU type no controller sends");
	if (ch->hlen != k->hlen)
		return invalid(fault, offsetof(struct nvme_tcp_ch, hlen), "wrong header length");
	if (!k->digests) {
		if (ch->flags & (NVME_TCP_F_HDGST | NVME_TCP_F_DDGST))
			return invalid(fault, offsetof(struct nvme_tcp_ch, flags),
				       "digest flag on a PDU that has none");
		if (ch->plen < k->hlen ||
		    ch->plen > (ch->type == NVME_TCP_C2H_TERM ? (uint32_t)k->hlen + NVME_TCP_TERM_DATA : k->hlen))
			return invalid(fault, offsetof(struct nvme_tcp_ch, plen), "wrong PDU length");
		return (int)ch->plen;
	}
	if (((ch->flags & NVME_TCP_F_HDGST) != 0) != hdgst)
		return invalid(fault, offsetof(struct nvme_tcp_ch, flags),
			       "header digest flag against what was agreed");
	head = k->hlen + (hdgst ? NVME_TCP_DIGEST_LEN : 0u);
	if (k->data)
		return check_data(ch, head, ddgst, fault);
	if (ch->flags & NVME_TCP_F_DDGST)
		return invalid(fault, offsetof(struct nvme_tcp_ch, flags), "data digest flag on a PDU without data");
	if (ch->plen != head)
		return invalid(fault, offsetof(struct nvme_tcp_ch, plen), "wrong PDU length");
	return (int)head;
}

uint32_t
pdu_data_len(const struct nvme_tcp_ch *ch)
{
	return ch->plen - ch->pdo - ((ch->flags & NVME_TCP_F_DDGST) ? NVME_TCP_DIGEST_LEN : 0u);
}

bool
pdu_hdgst_ok(const struct nvme_tcp_ch *ch)
{
	uint32_t digest;

	memcpy(&digest, (const uint8_t *)ch + ch->hlen, sizeof(digest));
	return digest == crc_of(ch, ch->hlen);
}

void
pdu_icreq(struct nvme_tcp_icreq *pdu, bool hdgst, bool ddgst)
{
	memset(pdu, 0, sizeof(*pdu));
	pdu->ch.type = NVME_TCP_ICREQ;
	pdu->ch.hlen = sizeof(*pdu);
	pdu->ch.plen = sizeof(*pdu);
	pdu->pfv = NVME_TCP_PFV;
	pdu->dgst = (uint8_t)((hdgst ? NVME_TCP_DGST_HDR : 0) | (ddgst ? NVME_TCP_DGST_DATA : 0));
}

uint32_t
pdu_seal(struct nvme_tcp_ch *ch, uint8_t hlen, uint32_t data, uint8_t flags, bool hdgst, bool ddgst, uint32_t align)
{
	uint32_t head = hlen + (hdgst ? NVME_TCP_DIGEST_LEN : 0u), crc;

	ch->hlen = hlen;
	ch->flags = (uint8_t)(flags | (hdgst ? NVME_TCP_F_HDGST : 0) | (ddgst && data > 0 ? NVME_TCP_F_DDGST : 0));
	if (data > 0) {
		uint32_t pdo = (head + align - 1) / align * align;

		memset((uint8_t *)ch + head, 0, pdo - head);
		ch->pdo = (uint8_t)pdo;
		ch->plen = pdo + data + (ddgst ? NVME_TCP_DIGEST_LEN : 0u);
		head = pdo;
	} else {
		ch->pdo = 0;
		ch->plen = head;
	}
	if (hdgst) {
		crc = crc_of(ch, hlen);
		memcpy((uint8_t *)ch + hlen, &crc, sizeof(crc));
	}
	return head;
}

uint32_t
pdu_term(void *out, const struct pdu_fault *fault, const void *header, uint32_t len)
{
	struct nvme_tcp_term *t = out;

	if (len > NVME_TCP_TERM_DATA)
		len = NVME_TCP_TERM_DATA;
	memset(t, 0, sizeof(*t));
	t->ch.type = NVME_TCP_H2C_TERM;
	t->ch.hlen = sizeof(*t);
	t->ch.plen = (uint32_t)sizeof(*t) + len;
	t->fes = fault->fes;
	t->fei = fault->fei;
	memcpy(t + 1, header, len);
	return t->ch.plen;
}

const char *
pdu_name(uint8_t type)
{
	if (type < sizeof(kinds) / sizeof(kinds[0]) && kinds[type].name != NULL)
		return kinds[type].name;
	return "PDU";
}

const char *
pdu_fes_text(uint16_t fes)
{
	static const char *const texts[] = {
		"no reason given",	 "invalid PDU header field",   "PDU sequence error",
		"header digest error",	 "data transfer out of range", "data transfer limit exceeded",
		"unsupported parameter",
	};

	return fes < sizeof(texts) / sizeof(texts[0]) ? texts[fes] : "unknown reason";
}
