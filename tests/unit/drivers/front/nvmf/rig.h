/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef NVMF_RIG_H
#define NVMF_RIG_H

/* A target with two subsystems, and hosts that hand commands to it by a transport that is the test itself. */

#include <cstdlib>
#include <cstring>
#include <deque>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "tests/unit/pipeline/world.h"

extern "C" {
#include "nvmf.h"
#include "nvmf_mem_stage.h"
}

#define HOST_A	   "nqn.2014-08.org.nvmexpress:uuid:aaaaaaaa-0000-0000-0000-000000000001"
#define HOST_B	   "nqn.2014-08.org.nvmexpress:uuid:bbbbbbbb-0000-0000-0000-000000000002"
#define SUB_LISTED "nqn.2026-01.org.example:listed"
#define SUB_OPEN   "nqn.2026-01.org.example:open"

static const uint8_t kUuid[16] = {0x10, 1, 2, 3, 4, 5, 0x46, 7, 0x88, 9, 10, 11, 12, 13, 14, 15};
static const uint8_t kUuid2[16] = {0x20, 1, 2, 3, 4, 5, 0x46, 7, 0x88, 9, 10, 11, 12, 13, 14, 16};

struct Cmd {
	nvmf_cmd c = {};
	bool done = false;
	bool rejected = false; /* by nvmf_cmd_check() */
	unsigned int order = 0;
	std::vector<uint8_t> data;

	uint16_t
	sc() const
	{
		return NVME_CPL_SC(c.cqe.status);
	}
	bool
	dnr() const
	{
		return (c.cqe.status & NVME_CPL_DNR) != 0;
	}
	template <typename T>
	const T *
	as() const
	{
		return reinterpret_cast<const T *>(data.data());
	}
};

struct Host {
	nvmf_qpair qp = {}; /* first */
	std::deque<std::unique_ptr<Cmd>> cmds;
	bool killed = false, gone = false;
	uint16_t next_cid = 100;
	uint16_t cntlid = 0;
};

static unsigned int g_order;

static void
rig_done(nvmf_cmd *c)
{
	Cmd *cmd = reinterpret_cast<Cmd *>(c);

	EXPECT_FALSE(cmd->done) << "answered twice";
	cmd->done = true;
	cmd->order = ++g_order;
	EXPECT_EQ(c->data_len, c->xfer == NVMF_XFER_TO_HOST ? strake_buf_list_len(c->data) : 0u);
	cmd->data.resize(c->data_len);
	if (c->data_len > 0) {
		strake_buf_copy_out(c->data, 0, cmd->data.data(), c->data_len);
		strake_buf_put_list(c->data);
		c->data = nullptr;
	}
}

static void
rig_kill(nvmf_qpair *qp)
{
	reinterpret_cast<Host *>(qp)->killed = true;
}

static void
rig_gone(nvmf_qpair *qp)
{
	Host *h = reinterpret_cast<Host *>(qp);

	EXPECT_FALSE(h->gone) << "gone twice";
	EXPECT_EQ(0u, qp->inflight);
	h->gone = true;
}

static const nvmf_transport kTransport = {"fake", NVME_TRTYPE_TCP, 8192, 131072, rig_kill, nullptr};

class Rig : public World
{
      protected:
	void
	SetUp() override
	{
		up(1);
	}

	void
	up(unsigned int data_lcores, uint32_t units = 256)
	{
		start(data_lcores, units);
		strake_lcore_enter(0);
		disk = nvmf_mem_create("disk", 4096, 9, kUuid);
		big = nvmf_mem_create("big", 1024, 12, kUuid2);
		strake_buf_usage(&before);

		vols[0].name = "disk";
		vols[1].name = "big";
		spaces[0].nsid = 1;
		spaces[0].volume = &vols[0];
		spaces[1].nsid = 3;
		spaces[1].volume = &vols[1];
		subs[0].nqn = SUB_LISTED;
		subs[0].hosts = hosts;
		subs[0].n_hosts = 1;
		subs[0].namespaces = spaces;
		subs[0].n_namespaces = 2;
		subs[0].max_queues = 4;
		subs[0].queue_depth = 64;
		subs[1] = subs[0];
		subs[1].nqn = SUB_OPEN;
		subs[1].serial = "SERIAL7";
		subs[1].model = "Model 9";
		subs[1].any_host = true;
		subs[1].n_hosts = 0;
		conf_.subsystems = subs;
		conf_.n_subsystems = 2;
		conf_.classes = classes.data();
		conf_.n_classes = (unsigned int)classes.size();
		conf_.appliance.state = state.empty() ? nullptr : state.c_str();
		target_up();
		/* what is held is held on lcore 1: the slabs tests hold are dealt there */
		strake_lcore_enter(1);
		ASSERT_EQ(0, strake_stage_lcore_init(disk->stage));
		ASSERT_EQ(0, strake_stage_lcore_init(big->stage));
	}

	void
	TearDown() override
	{
		disk->hold = big->hold = false;
		strake_lcore_enter(1);
		nvmf_mem_release(disk);
		nvmf_mem_release(big);
		target_down();
		strake_lcore_enter(1);
		strake_stage_lcore_fini(disk->stage);
		strake_stage_lcore_fini(big->stage);
		strake_lcore_enter(0);
		nvmf_mem_destroy(disk);
		nvmf_mem_destroy(big);
		World::TearDown();
	}

	void
	target_up()
	{
		char err[256] = "";

		strake_lcore_enter(0);
		ASSERT_EQ(0, nvmf_create(&conf_, err, sizeof(err))) << err;
		for (uint16_t i = 1; i < lcores; i++) {
			strake_lcore_enter(i);
			ASSERT_EQ(0, nvmf_lcore_init());
		}
	}

	void
	target_down()
	{
		turn(5);
		for (auto &h : all)
			if (!h->qp.dying)
				fini(*h);
		turn(20);
		for (auto &h : all)
			EXPECT_TRUE(h->gone);
		strake_lcore_enter(0);
		EXPECT_TRUE(nvmf_drain()) << "a controller stayed";
		for (uint16_t i = 1; i < lcores; i++) {
			strake_lcore_enter(i);
			nvmf_lcore_fini();
		}
		strake_lcore_enter(0);
		nvmf_destroy();
	}

	/* The appliance as it comes back; every host has to connect anew. */
	void
	restart()
	{
		target_down();
		all.clear();
		target_up();
	}

	/* --- hosts --- */

	Host &
	host(uint16_t lcore = 1)
	{
		all.push_back(std::make_unique<Host>());
		Host &h = *all.back();

		h.qp.transport = &kTransport;
		h.qp.lcore = lcore;
		h.qp.size = 128;
		snprintf(h.qp.local, sizeof(h.qp.local), "10.0.0.2");
		snprintf(h.qp.peer, sizeof(h.qp.peer), "10.0.0.9");
		h.qp.local_service = came_by != 0 ? came_by : 4420;
		strake_lcore_enter(lcore);
		nvmf_qpair_init(&h.qp);
		return h;
	}

	void
	fini(Host &h)
	{
		strake_lcore_enter(h.qp.lcore);
		nvmf_qpair_fini(&h.qp, rig_gone);
	}

	/* --- commands --- */

	static strake_buf *
	payload(const std::vector<uint8_t> &bytes)
	{
		strake_buf *head = nullptr, **tail = &head;

		for (size_t off = 0; off < bytes.size(); off += 700) { /* in odd pieces, as mbufs would be */
			size_t n = std::min<size_t>(700, bytes.size() - off);

			*tail = strake_buf_page((uint32_t)n);
			memcpy((*tail)->addr, bytes.data() + off, n);
			tail = &(*tail)->next;
		}
		return head;
	}

	Cmd &
	check(Host &h, nvme_cmd sqe)
	{
		h.cmds.push_back(std::make_unique<Cmd>());
		Cmd &cmd = *h.cmds.back();
		bool in_capsule;
		uint64_t offset;

		if (sqe.cid == 0)
			sqe.cid = h.next_cid++;
		if (sqe.flags == 0)
			sqe.flags = NVME_CMD_PSDT_SGL;
		cmd.c.sqe = sqe;
		cmd.c.qp = &h.qp;
		cmd.c.done = rig_done;
		strake_lcore_enter(h.qp.lcore);
		if (!nvmf_cmd_check(&cmd.c, &in_capsule, &offset)) {
			cmd.rejected = cmd.done = true;
			cmd.order = ++g_order;
		}
		return cmd;
	}

	void
	execute(Host &h, Cmd &cmd, const std::vector<uint8_t> &bytes = {})
	{
		nvmf_cmd *one = &cmd.c;

		strake_lcore_enter(h.qp.lcore);
		if (cmd.c.xfer == NVMF_XFER_TO_CONTROLLER) {
			ASSERT_EQ(cmd.c.xfer_len, bytes.size());
			cmd.c.data = payload(bytes);
		}
		nvmf_execute(&h.qp, &one, 1);
		EXPECT_FALSE(cmd.done) << "answered from inside nvmf_execute()";
	}

	/* Hands over; answered after some turns. */
	Cmd &
	submit(Host &h, nvme_cmd sqe, const std::vector<uint8_t> &bytes = {})
	{
		if (!bytes.empty() && sqe.sgl.len == 0)
			sqe.sgl.len = (uint32_t)bytes.size();
		if (sqe.sgl.len != 0 && sqe.sgl.type == 0)
			sqe.sgl.type = NVME_SGL_TRANSPORT_DATA;
		Cmd &cmd = check(h, sqe);

		if (!cmd.rejected)
			execute(h, cmd, bytes);
		return cmd;
	}

	Cmd &
	run(Host &h, nvme_cmd sqe, const std::vector<uint8_t> &bytes = {})
	{
		Cmd &cmd = submit(h, sqe, bytes);

		for (int i = 0; i < 20 && !cmd.done; i++)
			turn();
		EXPECT_TRUE(cmd.done) << "opcode " << (unsigned)sqe.opc << " was not answered";
		EXPECT_EQ(cmd.c.sqe.cid, cmd.c.cqe.cid);
		return cmd;
	}

	static nvme_connect_data
	connect_data(const char *subnqn, const char *hostnqn = HOST_A, uint16_t cntlid = 0xffff)
	{
		nvme_connect_data d = {};

		memset(d.hostid, 0x5a, sizeof(d.hostid));
		d.cntlid = cntlid;
		snprintf(d.subnqn, sizeof(d.subnqn), "%s", subnqn);
		snprintf(d.hostnqn, sizeof(d.hostnqn), "%s", hostnqn);
		return d;
	}

	static nvme_cmd
	connect_sqe(uint16_t qid, uint16_t sqsize = 31, uint32_t kato = 0)
	{
		nvme_cmd sqe = {};

		sqe.opc = NVME_OPC_FABRICS;
		sqe.fctype = NVME_FCTYPE_CONNECT;
		sqe.qid = qid;
		sqe.sqsize = sqsize;
		sqe.kato = kato;
		return sqe;
	}

	template <typename T>
	static std::vector<uint8_t>
	bytes_of(const T &v)
	{
		const uint8_t *p = reinterpret_cast<const uint8_t *>(&v);

		return std::vector<uint8_t>(p, p + sizeof(v));
	}

	Cmd &
	connect(Host &h, const nvme_cmd &sqe, const nvme_connect_data &d)
	{
		return run(h, sqe, bytes_of(d));
	}

	Cmd &
	property_set(Host &h, uint32_t ofst, uint64_t value, uint8_t attrib = 0)
	{
		nvme_cmd sqe = {};

		sqe.opc = NVME_OPC_FABRICS;
		sqe.fctype = NVME_FCTYPE_PROPERTY_SET;
		sqe.attrib = attrib;
		sqe.ofst = ofst;
		sqe.value = value;
		return run(h, sqe);
	}

	Cmd &
	property_get(Host &h, uint32_t ofst, uint8_t attrib = 0)
	{
		nvme_cmd sqe = {};

		sqe.opc = NVME_OPC_FABRICS;
		sqe.fctype = NVME_FCTYPE_PROPERTY_GET;
		sqe.attrib = attrib;
		sqe.ofst = ofst;
		return run(h, sqe);
	}

	static constexpr uint32_t kEnable = 1 | 6 << 16 | 4 << 20;

	/* A host with an enabled controller: its admin queue. */
	Host &
	admin(const char *subnqn = SUB_LISTED, const char *hostnqn = HOST_A, uint32_t kato = 0, uint16_t lcore = 1)
	{
		Host &h = host(lcore);
		Cmd &c = connect(h, connect_sqe(0, 31, kato), connect_data(subnqn, hostnqn));

		EXPECT_EQ(0, c.sc());
		h.cntlid = (uint16_t)c.c.cqe.cdw0;
		EXPECT_EQ(0, property_set(h, NVME_PROP_CC, kEnable).sc());
		EXPECT_EQ(1u, property_get(h, NVME_PROP_CSTS).c.cqe.cdw0);
		return h;
	}

	Host &
	io(const Host &a, uint16_t qid = 1, const char *subnqn = SUB_LISTED, uint16_t lcore = 1)
	{
		Host &h = host(lcore);

		EXPECT_EQ(0, connect(h, connect_sqe(qid), connect_data(subnqn, HOST_A, a.cntlid)).sc());
		EXPECT_EQ(qid, h.qp.qid);
		return h;
	}

	static nvme_cmd
	admin_sqe(uint8_t opc, uint32_t cdw10 = 0, uint32_t cdw11 = 0, uint32_t len = 0, uint32_t nsid = 0)
	{
		nvme_cmd sqe = {};

		sqe.opc = opc;
		sqe.nsid = nsid;
		sqe.cdw10 = cdw10;
		sqe.cdw11 = cdw11;
		sqe.sgl.len = len;
		return sqe;
	}

	Cmd &
	identify(Host &h, uint32_t cns, uint32_t nsid = 0, uint8_t csi = 0)
	{
		return run(h, admin_sqe(NVME_ADMIN_IDENTIFY, cns, (uint32_t)csi << 24, 4096, nsid));
	}

	Cmd &
	get_log(Host &h, uint8_t lid, uint32_t len, uint64_t offset = 0, bool rae = false,
		uint32_t nsid = NVME_NSID_ALL)
	{
		uint32_t numd = len / 4 - 1;
		nvme_cmd sqe = admin_sqe(NVME_ADMIN_GET_LOG_PAGE, lid | (rae ? 0x8000u : 0) | numd << 16, numd >> 16,
					 len, nsid);

		sqe.cdw12 = (uint32_t)offset;
		sqe.cdw13 = (uint32_t)(offset >> 32);
		return run(h, sqe);
	}

	static nvme_cmd
	rw(uint8_t opc, uint64_t slba, uint32_t blocks, uint32_t len, uint32_t nsid = 1, uint16_t control = 0)
	{
		nvme_cmd sqe = {};

		sqe.opc = opc;
		sqe.nsid = nsid;
		sqe.slba = slba;
		sqe.nlb = (uint16_t)(blocks - 1);
		sqe.control = control;
		sqe.sgl.len = len;
		return sqe;
	}

	static std::vector<uint8_t>
	pattern(size_t len, uint8_t seed = 1)
	{
		std::vector<uint8_t> v(len);

		for (size_t i = 0; i < len; i++)
			v[i] = (uint8_t)(i * 7 + i / 256 + seed);
		return v;
	}

	nvmf_mem *disk = nullptr, *big = nullptr;
	std::deque<std::unique_ptr<Host>> all;
	std::vector<conf_class> classes; /* of the configuration; to be filled before up() */
	uint16_t came_by = 0;		 /* port that new hosts come in by; 0: 4420 */
	std::string state;		 /* the state folder; the same */
	conf_subsystem subs[2] = {};
	conf conf_ = {};

      protected:
	const char *hosts[1] = {HOST_A};
	conf_volume vols[2] = {};
	conf_namespace spaces[2] = {};
};

#endif /* NVMF_RIG_H */
