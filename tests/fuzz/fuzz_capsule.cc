/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/*
 * Commands straight into the target: fabrics, admin and I/O, singly and in bursts, from hosts that come and go, over
 * disks that hold, fail and end late. Every command is answered once and never from inside nvmf_execute(); its memory
 * is gone in that moment, as a queue pair's is when it is gone.
 */

#include "fuzz_target.h"

#include <memory>
#include <set>

namespace
{

struct Host {
	nvmf_qpair qp = {}; /* first */
	bool killed = false, ending = false;
	uint16_t cntlid = 0xffff;
};

struct Cmd {
	nvmf_cmd c = {}; /* first */
	bool makes_ctrlr = false;
};

std::vector<Host *> hosts;
std::set<Cmd *> lent;
std::vector<Cmd *> burst;
Host *burst_host;
bool executing;
uint16_t next_cid;

void
on_done(nvmf_cmd *c)
{
	Cmd *cmd = (Cmd *)c;
	Host *h = (Host *)c->qp;

	FUZZ_CHECK(!executing && strake_self_index() == 1);
	FUZZ_CHECK(lent.erase(cmd) == 1);
	FUZZ_CHECK(c->cqe.cid == c->sqe.cid && (c->cqe.status & 1) == 0);
	if (c->data_len > 0) {
		FUZZ_CHECK(c->xfer == NVMF_XFER_TO_HOST && c->data_len <= c->xfer_len);
		FUZZ_CHECK(strake_buf_list_len(c->data) == c->data_len);
		strake_buf_put_list(c->data);
	}
	if (cmd->makes_ctrlr && c->cqe.status == 0)
		h->cntlid = (uint16_t)c->cqe.cdw0;
	delete cmd;
}

void
on_kill(nvmf_qpair *qp)
{
	((Host *)qp)->killed = true;
}

void
on_gone(nvmf_qpair *qp)
{
	Host *h = (Host *)qp;
	auto at = std::find(hosts.begin(), hosts.end(), h);

	FUZZ_CHECK(at != hosts.end() && h->ending && qp->inflight == 0);
	hosts.erase(at);
	delete h;
}

const nvmf_transport transport = {"fuzz", NVME_TRTYPE_TCP, 8192, 131072, on_kill, nullptr};

void
flush()
{
	std::vector<nvmf_cmd *> list;

	for (Cmd *cmd : burst) {
		lent.insert(cmd);
		list.push_back(&cmd->c);
	}
	burst.clear();
	if (list.empty())
		return;
	strake_lcore_enter(1);
	executing = true;
	nvmf_execute(&burst_host->qp, list.data(), (uint16_t)list.size());
	executing = false;
}

strake_buf *
payload(const Bytes &head, uint32_t len)
{
	strake_buf *list = nullptr, **tail = &list;

	for (uint32_t at = 0, run; at < len; at += run) {
		run = std::min<uint32_t>(len - at, 3000);
		Bytes b(run);

		if (at < head.size())
			memcpy(b.data(), &head[at], std::min<size_t>(run, head.size() - at));
		*tail = fuzz_heap_buf(b.data(), run);
		if (*tail == nullptr) {
			strake_buf_put_list(list);
			return nullptr;
		}
		tail = &(*tail)->next;
	}
	return list;
}

/* @p later: keep it for a burst. @p refuse: the transport could not fetch the payload. */
void
submit(Host *h, nvme_cmd sqe, const Bytes &head, bool later, bool refuse)
{
	auto *cmd = new Cmd();
	bool in_capsule;
	uint64_t offset;

	if (burst_host != h)
		flush();
	burst_host = h;
	cmd->c.sqe = sqe;
	cmd->c.sqe.cid = next_cid++;
	cmd->c.qp = &h->qp;
	cmd->c.done = on_done;
	cmd->makes_ctrlr = sqe.opc == NVME_OPC_FABRICS && sqe.fctype == NVME_FCTYPE_CONNECT && sqe.qid == 0;
	strake_lcore_enter(1);
	if (!nvmf_cmd_check(&cmd->c, &in_capsule, &offset)) {
		FUZZ_CHECK(NVME_CPL_SC(cmd->c.cqe.status) != 0 && cmd->c.cqe.cid == cmd->c.sqe.cid);
		delete cmd;
		return;
	}
	FUZZ_CHECK(cmd->c.xfer_len <= transport.max_xfer);
	FUZZ_CHECK((cmd->c.xfer != NVMF_XFER_NONE) == (cmd->c.xfer_len > 0));
	if (in_capsule)
		FUZZ_CHECK(cmd->c.xfer == NVMF_XFER_TO_CONTROLLER && offset + cmd->c.xfer_len <= 8192);
	if (cmd->c.xfer == NVMF_XFER_TO_CONTROLLER) {
		cmd->c.data = refuse ? nullptr : payload(head, cmd->c.xfer_len);
		if (cmd->c.data == nullptr) {
			nvmf_fail(&cmd->c, NVME_SC_TRANSIENT_TRANSPORT, false);
			delete cmd;
			return;
		}
	}
	burst.push_back(cmd);
	if (!later || burst.size() >= STRAKE_BURST)
		flush();
}

Host *
new_host()
{
	auto *h = new Host();

	h->qp.transport = &transport;
	h->qp.lcore = 1;
	h->qp.size = 64;
	snprintf(h->qp.local, sizeof(h->qp.local), "10.0.0.2");
	snprintf(h->qp.peer, sizeof(h->qp.peer), "10.0.0.9");
	h->qp.local_service = 4420;
	strake_lcore_enter(1);
	nvmf_qpair_init(&h->qp);
	hosts.push_back(h);
	return h;
}

void
end(Host *h)
{
	if (h->ending)
		return;
	flush();
	h->ending = true;
	strake_lcore_enter(1);
	nvmf_qpair_fini(&h->qp, on_gone);
}

void
property_set(Host *h, uint32_t ofst, uint64_t value)
{
	nvme_cmd c = {};

	c.opc = NVME_OPC_FABRICS;
	c.flags = NVME_CMD_PSDT_SGL;
	c.fctype = NVME_FCTYPE_PROPERTY_SET;
	c.ofst = ofst;
	c.value = value;
	submit(h, c, {}, false, false);
}

void
connect(uint8_t how, uint16_t qid, uint32_t kato)
{
	uint16_t cntlid = 0xffff;

	if (hosts.size() >= 8)
		return;
	if (qid != 0 && !hosts.empty())
		cntlid = hosts[how >> 4 & 1 ? hosts.size() - 1 : 0]->cntlid;
	Host *h = new_host();

	submit(h, fuzz_connect_sqe(qid, 31, kato, (how & 8) != 0), bytes_of(fuzz_connect_data(how, cntlid)), false,
	       false);
	FuzzLcores::turns(2);
	if (h->cntlid == 0xffff)
		h->cntlid = cntlid;
	if (qid == 0 && std::find(hosts.begin(), hosts.end(), h) != hosts.end()) {
		property_set(h, NVME_PROP_CC, 0x460001);
		FuzzLcores::turns(2);
	}
}

void
command(Input &in)
{
	uint8_t which = in.u8();

	if (hosts.empty())
		return;
	Host *h = hosts[which % hosts.size()];
	nvme_cmd sqe = fuzz_sqe(in, h->qp.qid == 0);
	Bytes head;

	if (h->ending)
		return;
	if (sqe.opc == NVME_OPC_FABRICS && sqe.fctype == NVME_FCTYPE_CONNECT) {
		head = bytes_of(fuzz_connect_data(which >> 4, h->cntlid));
		if (which & 8)
			for (unsigned int n = in.u8() & 3; n > 0; n--)
				head[in.u16() % head.size()] = in.u8();
	} else if (sqe.opc == NVME_IO_DSM && h->qp.qid != 0) {
		for (unsigned int n = 0; n < 4; n++)
			head = head + bytes_of(nvme_dsm_range{0, in.u8(), in.u8()});
	} else if (h->qp.qid != 0 && (sqe.opc == NVME_IO_RESV_REGISTER || sqe.opc == NVME_IO_RESV_ACQUIRE ||
				      sqe.opc == NVME_IO_RESV_RELEASE)) {
		head = bytes_of(nvme_resv_keys{in.u8() & 3u, in.u8() & 3u});
	} else {
		head = in.bytes(in.u8() & 15);
	}
	submit(h, sqe, head, (which & 64) != 0, (which & 128) != 0 && (which & 8) == 0);
}

void
step(Input &in)
{
	static const uint64_t ns[] = {0,	  1000000,    10000000,	   200000000,
				      1000000000, 5000000000, 20000000000, 60000000000};
	uint8_t op = in.u8();

	switch (op & 15) {
	case 0:
		connect(in.u8(), 0, op & 16 ? in.u16() : 0);
		break;
	case 1:
		connect(in.u8(), op >> 4 & 7, 0);
		break;
	case 2:
	case 3:
		flush();
		FuzzLcores::turns(1 + (op >> 7) * 3, ns[op >> 4 & 7]);
		break;
	case 4:
		flush();
		FuzzTarget::disk_step(in.u8());
		break;
	case 5:
		FuzzTarget::ns_step(in.u8());
		break;
	case 6:
		if (!hosts.empty())
			end(hosts[(op >> 4) % hosts.size()]);
		break;
	case 7:
		if (op & 16)
			FuzzHog::take(op >> 5);
		else
			FuzzHog::put();
		break;
	default:
		command(in);
	}
	for (size_t i = 0; i < hosts.size(); i++)
		if (hosts[i]->killed)
			end(hosts[i]);
}

} // namespace

extern "C" int
LLVMFuzzerInitialize(int *, char ***argv)
{
	fuzz_eal((*argv)[0]);
	FuzzTarget::create();
	return 0;
}

extern "C" int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Input in(data, size);
	uint8_t open = in.u8();

	FuzzTarget::set_up();
	next_cid = 0;
	if (open & 1)
		connect(0, 0, 0);
	if (open & 2)
		connect(0, 1, 0);
	while (!in.empty())
		step(in);
	flush();
	FuzzTarget::let_go();
	FuzzLcores::turns(3);
	for (size_t i = 0; i < hosts.size(); i++)
		end(hosts[i]);
	/* an lcore takes 64 messages in a turn, and each byte may have been a change of both subsystems' namespaces */
	for (size_t i = 0; i < 5 + size / 4 && !(hosts.empty() && lent.empty()); i++)
		FuzzLcores::turn();
	FUZZ_CHECK(hosts.empty() && lent.empty());
	FuzzTarget::tear_down();
	return 0;
}
