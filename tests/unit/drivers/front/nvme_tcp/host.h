/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef NVME_TCP_HOST_H
#define NVME_TCP_HOST_H

/* A host for protocol tests: builds PDUs byte by byte over a raw pipe end, and takes replies apart, checking what every
 * PDU of the controller must satisfy. */

#include <cstring>
#include <string>
#include <vector>

#include <gtest/gtest.h>

extern "C" {
#include "nvme_spec.h"
#include "nvme_tcp_spec.h"
#include "pipe_stream.h"
#include "strake_kernel.h"
}

using Bytes = std::vector<uint8_t>;

struct Reply {
	uint8_t type = 0xff, flags = 0;
	Bytes header, data;

	nvme_cpl
	cqe() const
	{
		nvme_cpl c;
		memcpy(&c, header.data() + 8, sizeof(c));
		return c;
	}
	nvme_tcp_data
	c2h() const
	{
		nvme_tcp_data d;
		memcpy(&d, header.data(), sizeof(d));
		return d;
	}
	nvme_tcp_r2t
	r2t() const
	{
		nvme_tcp_r2t r;
		memcpy(&r, header.data(), sizeof(r));
		return r;
	}
	nvme_tcp_term
	term() const
	{
		nvme_tcp_term t;
		memcpy(&t, header.data(), sizeof(t));
		return t;
	}
};

class Host
{
      public:
	pipe_end *end = nullptr;
	bool hdgst = false, ddgst = false;
	uint8_t hpda = 0;

	static void
	append(Bytes &b, const void *p, size_t n)
	{
		b.insert(b.end(), (const uint8_t *)p, (const uint8_t *)p + n);
	}
	Bytes
	icreq(uint16_t pfv = 0) const
	{
		nvme_tcp_icreq r = {};

		r.ch = {NVME_TCP_ICREQ, 0, NVME_TCP_HLEN_IC, 0, NVME_TCP_HLEN_IC};
		r.pfv = pfv;
		r.hpda = hpda;
		r.dgst = (uint8_t)((hdgst ? NVME_TCP_DGST_HDR : 0) | (ddgst ? NVME_TCP_DGST_DATA : 0));
		return Bytes((uint8_t *)&r, (uint8_t *)(&r + 1));
	}
	/* Header, header digest, padding, data, data digest. */
	Bytes
	pdu(Bytes header, const Bytes &data, uint32_t pad = 0, bool bad_hdgst = false, bool bad_ddgst = false) const
	{
		nvme_tcp_ch *ch = (nvme_tcp_ch *)header.data();
		uint32_t hlen = (uint32_t)header.size();
		uint32_t crc;

		ch->hlen = (uint8_t)hlen;
		if (hdgst)
			ch->flags |= NVME_TCP_F_HDGST;
		ch->plen = hlen + (hdgst ? 4 : 0);
		if (!data.empty()) {
			ch->pdo = (uint8_t)(ch->plen + pad);
			if (ddgst)
				ch->flags |= NVME_TCP_F_DDGST;
			ch->plen += pad + (uint32_t)data.size() + (ddgst ? 4 : 0);
		}
		Bytes out = header;
		if (hdgst) {
			crc = strake_kernel->crc32c(0, out.data(), hlen) ^ (bad_hdgst ? 1 : 0);
			append(out, &crc, 4);
		}
		if (!data.empty()) {
			out.resize(out.size() + pad, 0xee);
			append(out, data.data(), data.size());
			if (ddgst) {
				crc = strake_kernel->crc32c(0, data.data(), data.size()) ^ (bad_ddgst ? 1 : 0);
				append(out, &crc, 4);
			}
		}
		return out;
	}
	Bytes
	capsule(const nvme_cmd &sqe, const Bytes &data = {}, uint32_t pad = 0, bool bad_ddgst = false) const
	{
		nvme_tcp_capsule_cmd h = {};

		h.ch.type = NVME_TCP_CAPSULE_CMD;
		memcpy(h.sqe, &sqe, sizeof(h.sqe));
		return pdu(Bytes((uint8_t *)&h, (uint8_t *)(&h + 1)), data, pad, false, bad_ddgst);
	}
	Bytes
	h2c(uint16_t cid, uint16_t ttag, uint32_t off, const Bytes &data, bool last, bool bad_ddgst = false) const
	{
		nvme_tcp_data h = {};

		h.ch.type = NVME_TCP_H2C_DATA;
		h.ch.flags = last ? NVME_TCP_F_LAST : 0;
		h.cccid = cid;
		h.ttag = ttag;
		h.datao = off;
		h.datal = (uint32_t)data.size();
		return pdu(Bytes((uint8_t *)&h, (uint8_t *)(&h + 1)), data, 0, false, bad_ddgst);
	}
	static nvme_cmd
	connect(bool no_flow, uint16_t qid = 1)
	{
		nvme_cmd c = {};

		c.opc = NVME_OPC_FABRICS;
		c.fctype = NVME_FCTYPE_CONNECT;
		c.flags = NVME_CMD_PSDT_SGL;
		c.cid = 0xfff0;
		c.qid = qid;
		c.sqsize = 127;
		c.cattr = no_flow ? NVME_CONNECT_DISABLE_SQ_FLOW : 0;
		c.sgl.type = NVME_SGL_IN_CAPSULE;
		c.sgl.len = sizeof(nvme_connect_data);
		return c;
	}
	static nvme_cmd
	io(uint8_t opc, uint16_t cid, uint64_t slba, uint32_t len, bool in_capsule = false)
	{
		nvme_cmd c = {};

		c.opc = opc;
		c.flags = NVME_CMD_PSDT_SGL;
		c.cid = cid;
		c.nsid = 1;
		c.slba = slba;
		c.nlb = (uint16_t)(len / 512 - 1);
		c.sgl.type = in_capsule ? NVME_SGL_IN_CAPSULE : NVME_SGL_TRANSPORT_DATA;
		c.sgl.len = len;
		return c;
	}
	void
	write(const Bytes &b)
	{
		pipe_write(end, b.data(), b.size());
	}
	/* The next whole PDU that has come. */
	bool
	next(Reply *r)
	{
		const uint8_t *p = pipe_peek(end);
		nvme_tcp_ch ch;
		uint32_t crc;

		if (pipe_avail(end) < sizeof(ch))
			return false;
		memcpy(&ch, p, sizeof(ch));
		if (pipe_avail(end) < ch.plen)
			return false;
		r->type = ch.type;
		r->flags = ch.flags;
		r->header.assign(p, p + ch.hlen);
		r->data.clear();
		bool digests = ch.type != NVME_TCP_ICRESP && ch.type != NVME_TCP_C2H_TERM;
		EXPECT_EQ(digests && hdgst, (ch.flags & NVME_TCP_F_HDGST) != 0);
		if (ch.flags & NVME_TCP_F_HDGST) {
			memcpy(&crc, p + ch.hlen, 4);
			EXPECT_EQ(strake_kernel->crc32c(0, p, ch.hlen), crc);
		}
		if (ch.type == NVME_TCP_C2H_DATA) {
			uint32_t dd = ddgst ? 4 : 0, n = ch.plen - ch.pdo - dd;
			EXPECT_EQ(0u, ch.pdo % ((hpda + 1u) * 4));
			EXPECT_EQ(ddgst, (ch.flags & NVME_TCP_F_DDGST) != 0);
			r->data.assign(p + ch.pdo, p + ch.pdo + n);
			if (ddgst) {
				memcpy(&crc, p + ch.pdo + n, 4);
				EXPECT_EQ(strake_kernel->crc32c(0, p + ch.pdo, n), crc);
			}
		} else if (ch.type == NVME_TCP_C2H_TERM) {
			r->data.assign(p + ch.hlen, p + ch.plen);
		}
		Bytes gone(ch.plen);
		pipe_read(end, gone.data(), gone.size());
		return true;
	}
};

#endif
