/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef NVME_TCP_SPDK_H
#define NVME_TCP_SPDK_H

/* SPDK's initiator, played: what its published source (lib/nvme: nvme_ctrlr.c, nvme_fabric.c, nvme_tcp.c) sends, in its
 * order, and what it goes by in the answers. The program itself is not here. */

#include "end.h"

#define KATO	    10000u /* ms, its default */
#define ADMIN_SQ    32u	   /* entries of its admin queue, and of its I/O queues at most */
#define IO_SQ	    256u
#define AERS	    8u	  /* outstanding at most, if the controller takes as many */
#define ADMIN_DATA  8192u /* what it puts into admin and fabrics capsules */
#define SHN_NORMAL  (1u << 14)
#define READY_WAIT  0x00460061u /* enabled, every command set (CSS 6), entries of 64 and 16 bytes */
#define CSI_ZNS	    2u
#define AER_ANA	    0x0c0302u /* notice, ANA change, its log */
#define AER_NS_LIST 0x040002u
#define AER_DISC    0x70f002u

struct Answer {
	nvme_cpl cqe;
	Bytes data;
	uint16_t
	sc() const
	{
		return cqe.status;
	}
	template <class T>
	const T *
	as() const
	{
		return (const T *)data.data();
	}
};

class Spdk : public NvmeTcpEnd
{
      protected:
	nvme_id_ctrlr id = {};
	uint64_t cap = 0;
	uint32_t maxh2c = 0, in_capsule = 0, n_queues = 0, io_entries = 0;
	std::vector<uint32_t> active;
	std::vector<uint16_t> aers;   /* command ids */
	std::vector<uint32_t> events; /* what they brought */
	uint16_t last = 0;

	/* The least that is free, as far as it matters: never as many as the queue has entries. */
	uint16_t
	cid(uint32_t entries)
	{
		do
			last = (uint16_t)((last + 1) % (entries - 1));
		while (std::find(aers.begin(), aers.end(), last) != aers.end());
		return last;
	}
	/* Every command has an SGL, of no length where there is no data. */
	static nvme_cmd
	sgl(nvme_cmd c, uint16_t cid, uint32_t len, bool inside = false)
	{
		c.flags |= NVME_CMD_PSDT_SGL;
		c.cid = cid;
		c.sgl.addr = 0;
		c.sgl.type = inside ? NVME_SGL_IN_CAPSULE : NVME_SGL_TRANSPORT_DATA;
		c.sgl.len = len;
		return c;
	}
	bool
	event(const Reply &r)
	{
		auto it =
			r.type == NVME_TCP_CAPSULE_RESP ? std::find(aers.begin(), aers.end(), r.cqe().cid) : aers.end();

		if (it == aers.end())
			return false;
		EXPECT_EQ(0, r.cqe().status);
		events.push_back(r.cqe().cdw0);
		aers.erase(it);
		return true;
	}
	/* Data in order and to the last byte, then the end: with it, or by a response. */
	Answer
	answer(Host &h, uint16_t cid, uint32_t want)
	{
		Answer a = {};

		for (;;) {
			Reply r = get(h);

			if (&h == &admin && event(r))
				continue;
			if (r.type == NVME_TCP_C2H_DATA) {
				EXPECT_EQ(cid, r.c2h().cccid);
				EXPECT_EQ(a.data.size(), r.c2h().datao);
				EXPECT_EQ(r.c2h().datal, r.data.size());
				EXPECT_LE(a.data.size() + r.data.size(), want);
				a.data.insert(a.data.end(), r.data.begin(), r.data.end());
				EXPECT_EQ((r.flags & NVME_TCP_F_LAST) != 0, want == a.data.size());
				if ((r.flags & NVME_TCP_F_SUCCESS) == 0)
					continue;
				EXPECT_TRUE(r.flags & NVME_TCP_F_LAST) << "or it ends the connection";
				return a;
			}
			EXPECT_EQ(NVME_TCP_CAPSULE_RESP, r.type);
			if (r.type != NVME_TCP_CAPSULE_RESP)
				return a;
			a.cqe = r.cqe();
			EXPECT_EQ(cid, a.cqe.cid);
			return a;
		}
	}
	Answer
	ask(Host &h, nvme_cmd c, uint32_t want = 0, const Bytes &out = {})
	{
		c = sgl(c, cid(&h == &admin ? ADMIN_SQ : io_entries), out.empty() ? want : (uint32_t)out.size(),
			!out.empty());
		h.write(h.capsule(c, out));
		return answer(h, c.cid, want);
	}
	/* What does not fit the capsule, as it is asked for: R2Ts in order, each answered up to its last PDU. */
	Answer
	put(Host &h, nvme_cmd c, const Bytes &out)
	{
		uint32_t sent = 0;

		c = sgl(c, cid(io_entries), (uint32_t)out.size());
		h.write(h.capsule(c));
		while (sent < out.size()) {
			Reply r = get(h);

			EXPECT_EQ(NVME_TCP_R2T, r.type);
			if (r.type != NVME_TCP_R2T)
				return Answer{};
			nvme_tcp_r2t t = r.r2t();
			EXPECT_EQ(c.cid, t.cccid);
			EXPECT_EQ(sent, t.r2to);
			EXPECT_LE(t.r2to + t.r2tl, out.size());
			for (uint32_t left = t.r2tl; left > 0;) {
				uint32_t n = std::min(left, maxh2c);

				left -= n;
				h.write(h.h2c(c.cid, t.ttag, sent, Bytes(&out[sent], &out[sent] + n), left == 0));
				sent += n;
			}
		}
		return answer(h, c.cid, 0);
	}
	void
	introduce(Host &h)
	{
		nvme_tcp_icresp r;

		strake_lcore_enter(1);
		h.end = pipe_open(pipe, 4420);
		ASSERT_NE(nullptr, h.end);
		h.write(h.icreq());
		Reply got = get(h);
		ASSERT_EQ(NVME_TCP_ICRESP, got.type);
		ASSERT_EQ(sizeof(r), got.header.size());
		memcpy(&r, got.header.data(), sizeof(r));
		EXPECT_EQ(0, r.pfv);
		EXPECT_LE(4096u, r.maxh2c);
		EXPECT_GE(31, r.cpda);
		EXPECT_EQ(h.hdgst, (r.dgst & NVME_TCP_DGST_HDR) != 0);
		EXPECT_EQ(h.ddgst, (r.dgst & NVME_TCP_DGST_DATA) != 0);
		EXPECT_EQ(0, r.cpda) << "it would pad, and so would have to this test";
		maxh2c = r.maxh2c;
	}
	void
	connect(Host &h, uint16_t qid, uint32_t entries, const char *subnqn = SUBNQN)
	{
		nvme_connect_data d = {};
		nvme_cmd c = fabrics(NVME_FCTYPE_CONNECT, 0);

		ASSERT_NO_FATAL_FAILURE(introduce(h));
		c.qid = qid;
		c.sqsize = (uint16_t)(entries - 1);
		c.kato = KATO;
		memset(d.hostid, 0x5a, sizeof(d.hostid));
		d.cntlid = qid == 0 ? NVME_CNTLID_DYNAMIC : cntlid;
		snprintf(d.subnqn, sizeof(d.subnqn), "%s", subnqn);
		snprintf(d.hostnqn, sizeof(d.hostnqn), HOSTNQN);
		h.write(h.capsule(sgl(c, 0, sizeof(d), true), Bytes((uint8_t *)&d, (uint8_t *)(&d + 1))));
		Answer a = answer(h, 0, 0);
		ASSERT_EQ(0, a.sc());
		if (qid == 0)
			cntlid = (uint16_t)a.cqe.cdw0;
		EXPECT_EQ(cntlid, a.cqe.cdw0) << "the upper half would ask it for authentication";
	}
	uint64_t
	reg(uint32_t offset, bool wide = false)
	{
		nvme_cmd c = fabrics(NVME_FCTYPE_PROPERTY_GET, 0);

		c.ofst = offset;
		c.attrib = wide;
		Answer a = ask(admin, c);
		EXPECT_EQ(0, a.sc()) << offset;
		return a.cqe.result64;
	}
	void
	set_cc(uint32_t value)
	{
		nvme_cmd c = fabrics(NVME_FCTYPE_PROPERTY_SET, 0);

		c.ofst = NVME_PROP_CC;
		c.value = value;
		EXPECT_EQ(0, ask(admin, c).sc());
	}
	Answer
	identify(uint32_t cns, uint32_t nsid, uint32_t csi = 0)
	{
		nvme_cmd c = {};

		c.opc = NVME_ADMIN_IDENTIFY;
		c.nsid = nsid;
		c.cdw10 = cns;
		c.cdw11 = csi << 24;
		return ask(admin, c, NVME_IDENTIFY_LEN);
	}
	Answer
	log(uint8_t lid, uint32_t nsid, uint32_t len, uint64_t offset = 0)
	{
		nvme_cmd c = {};

		c.opc = NVME_ADMIN_GET_LOG_PAGE;
		c.nsid = nsid;
		c.cdw10 = lid | (len / 4 - 1) << 16;
		c.cdw12 = (uint32_t)offset;
		c.cdw13 = (uint32_t)(offset >> 32);
		return ask(admin, c, len);
	}
	Answer
	feature(uint8_t opc, uint8_t fid, uint32_t value = 0)
	{
		nvme_cmd c = {};

		c.opc = opc;
		c.cdw10 = fid;
		c.cdw11 = value;
		return ask(admin, c);
	}
	void
	wait_events()
	{
		while (aers.size() < std::min(AERS, id.aerl + 1u)) {
			nvme_cmd c = {};
			uint16_t slot = cid(ADMIN_SQ);

			c.opc = NVME_ADMIN_ASYNC_EVENT;
			admin.write(admin.capsule(sgl(c, slot, 0)));
			aers.push_back(slot);
		}
	}
	/* Wait for an event, read what it is about, ask for the next. */
	void
	hear(uint32_t expected)
	{
		Reply r;

		for (int i = 0; i < 1000 && events.empty(); i++) {
			turn();
			if (admin.next(&r)) {
				ASSERT_TRUE(event(r));
			}
		}
		ASSERT_EQ(1u, events.size());
		EXPECT_EQ(expected, events[0]);
		events.clear();
		wait_events();
	}
	void
	enable()
	{
		uint32_t vs = (uint32_t)reg(NVME_PROP_VS);

		EXPECT_LE(NVME_VERSION(1, 3, 0), vs) << "or it asks for no descriptors of namespaces";
		cap = reg(NVME_PROP_CAP, true);
		EXPECT_TRUE(cap & NVME_CAP_CSS_NVM);
		EXPECT_TRUE(cap & NVME_CAP_CSS_IOCS);
		EXPECT_NE(0u, cap >> 24 & 0xff) << "the half seconds it waits, and for ever if there are none";
		EXPECT_EQ(0u, cap >> 48 & 0xf) << "pages of 4 KiB";
		io_entries = std::min(IO_SQ, (uint32_t)(cap & 0xffff) + 1);
		EXPECT_EQ(0u, NVME_CC_EN(reg(NVME_PROP_CC)));
		EXPECT_EQ(0u, reg(NVME_PROP_CSTS) & NVME_CSTS_RDY);
		set_cc(READY_WAIT);
		EXPECT_TRUE(reg(NVME_PROP_CSTS) & NVME_CSTS_RDY);
		Answer a = identify(NVME_CNS_CTRLR, 0);
		ASSERT_EQ(0, a.sc());
		memcpy(&id, a.as<nvme_id_ctrlr>(), sizeof(id));
		EXPECT_EQ(cntlid, id.cntlid);
		EXPECT_NE(0u, id.sgls & 3);
		EXPECT_NE(3u, id.sgls & 3) << "it stops itself";
	}
	void
	configure_events(uint32_t offered)
	{
		ASSERT_EQ(0, feature(NVME_ADMIN_SET_FEATURES, NVME_FID_ASYNC_EVENT, offered).sc());
		wait_events();
		Answer a = feature(NVME_ADMIN_GET_FEATURES, NVME_FID_KATO);
		ASSERT_EQ(0, a.sc());
		EXPECT_LE(KATO, a.cqe.cdw0) << "half of it is how often it calls";
	}
	void
	read_ana(uint8_t state)
	{
		uint32_t len = (uint32_t)(sizeof(nvme_log_ana) + id.nanagrpid * sizeof(nvme_ana_group) +
					  active.size() * sizeof(uint32_t));
		Answer a = log(NVME_LID_ANA, NVME_NSID_ALL, len);
		const auto *g = (const nvme_ana_group *)(a.as<nvme_log_ana>() + 1);

		ASSERT_EQ(0, a.sc());
		ASSERT_EQ(1u, a.as<nvme_log_ana>()->ngrps) << "it walks as many as there are, in the room it has";
		ASSERT_GE(id.nanagrpid, a.as<nvme_log_ana>()->ngrps);
		ASSERT_EQ(active.size(), g->nnsids);
		EXPECT_EQ(state, g->state);
		EXPECT_EQ(active,
			  std::vector<uint32_t>((const uint32_t *)(g + 1), (const uint32_t *)(g + 1) + g->nnsids));
	}
	void
	list_namespaces()
	{
		Answer a;

		active.clear();
		do {
			a = identify(NVME_CNS_ACTIVE_NS, active.empty() ? 0 : active.back());
			ASSERT_EQ(0, a.sc());
			for (uint32_t nsid : a.as<nvme_ns_list>()->nsid)
				if (nsid != 0)
					active.push_back(nsid);
		} while (a.as<nvme_ns_list>()->nsid[NVME_ID_LIST_MAX - 1] != 0);
		for (uint32_t nsid : active) {
			ASSERT_GE(id.nn, nsid) << "or it stops itself";
			a = identify(NVME_CNS_NS, nsid);
			ASSERT_EQ(0, a.sc());
			EXPECT_EQ(4096u, a.as<nvme_id_ns>()->nsze);
			EXPECT_EQ(0, a.as<nvme_id_ns>()->flbas & 0xf);
			EXPECT_EQ(9, a.as<nvme_id_ns>()->lbaf[0].lbads);
			EXPECT_EQ(1, a.as<nvme_id_ns>()->nmic) << "or no other path to it is taken";
		}
		for (uint32_t nsid : active) {
			a = identify(NVME_CNS_NS_DESC, nsid);
			ASSERT_EQ(0, a.sc());
			check_descriptors(a.data);
		}
	}
	/* It takes the identifiers it knows at their exact lengths. */
	static void
	check_descriptors(const Bytes &list)
	{
		std::vector<unsigned> found(5);
		size_t at = 0;

		for (; list[at + 1] != 0; at += sizeof(nvme_ns_desc) + list[at + 1]) {
			ASSERT_LE(list[at], 4);
			found[list[at]] = list[at + 1];
			if (list[at] == NVME_NIDT_UUID) {
				EXPECT_EQ(0, memcmp(&list[at + sizeof(nvme_ns_desc)], kUuid, 16));
			}
			if (list[at] == NVME_NIDT_CSI) {
				EXPECT_EQ(NVME_CSI_NVM, list[at + sizeof(nvme_ns_desc)]);
			}
		}
		EXPECT_EQ((std::vector<unsigned>{0, 8, 16, 16, 1}), found);
	}
	/* From the first byte to where it takes I/O. */
	void
	attach()
	{
		aers.clear();
		ASSERT_NO_FATAL_FAILURE(connect(admin, 0, ADMIN_SQ));
		ASSERT_NO_FATAL_FAILURE(enable());
		ASSERT_NO_FATAL_FAILURE(
			configure_events(0x1f | (id.oaes & (NVME_AEN_NS_ATTR | NVME_AEN_FW | NVME_AEN_ANA))));
		EXPECT_NE(0, id.kas) << "or it keeps nothing alive";
		EXPECT_NE(0, identify(NVME_CNS_CS_CTRLR, 0, CSI_ZNS).sc())
			<< "zoned, it would need to know the effects of its commands";
		ASSERT_LE(4u, id.ioccsz);
		ASSERT_EQ(0, id.icdoff);
		in_capsule = id.ioccsz * 16 - (uint32_t)sizeof(nvme_cmd);
		Answer a = feature(NVME_ADMIN_SET_FEATURES, NVME_FID_QUEUES, 1023 | 1023 << 16);
		ASSERT_EQ(0, a.sc());
		n_queues = std::min(a.cqe.cdw0 & 0xffff, a.cqe.cdw0 >> 16) + 1;
		EXPECT_EQ(4u, n_queues);
		ASSERT_NO_FATAL_FAILURE(list_namespaces());
		EXPECT_EQ(std::vector<uint32_t>{1}, active);
		ASSERT_TRUE(id.cmic & NVME_CMIC_ANA);
		ASSERT_NO_FATAL_FAILURE(read_ana(NVME_ANA_OPTIMIZED));
		keep_alive();
	}
	void
	keep_alive()
	{
		nvme_cmd c = {};

		c.opc = NVME_ADMIN_KEEP_ALIVE;
		EXPECT_EQ(0, ask(admin, c).sc());
	}
	void
	leave(Host &h)
	{
		strake_lcore_enter(1);
		pipe_shut(h.end);
		turn(20);
	}
	/* Queues first, then the controller is told, then it is gone. */
	void
	detach(std::initializer_list<Host *> queues)
	{
		uint64_t csts = 0;

		for (Host *h : queues)
			leave(*h);
		set_cc((uint32_t)reg(NVME_PROP_CC) | SHN_NORMAL);
		for (int i = 0; i < 100 && (csts & NVME_CSTS_SHST_MASK) != NVME_CSTS_SHST_COMPLETE; i++)
			csts = reg(NVME_PROP_CSTS);
		EXPECT_EQ(NVME_CSTS_SHST_COMPLETE, csts & NVME_CSTS_SHST_MASK);
		EXPECT_EQ(0u, csts & NVME_CSTS_CFS);
		leave(admin);
	}
	static Bytes
	pattern(uint32_t len, uint32_t seed)
	{
		Bytes b(len);

		for (uint32_t i = 0; i < len; i++)
			b[i] = (uint8_t)(i * 31 + i / 256 + seed);
		return b;
	}
	static nvme_cmd
	blocks(uint8_t opc, uint64_t slba, uint32_t len, uint8_t fuse = 0)
	{
		nvme_cmd c = Host::io(opc, 0, slba, len);

		c.flags = fuse;
		return c;
	}
};

#endif
