/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* Making and ending an association: NVMe base 2.0, sections 3.1.3 and 3.3.2. */

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctcp.h"
#include "host.h"
#include "nvme_tcp_spec.h"
#include "ticks.h"

#define ADMIN_DEPTH 16
#define CC_ENABLE   (1u | 6u << 16 | 4u << 20) /* IOSQES 64 bytes, IOCQES 16 bytes, NVM command set, 4 KiB pages */
#define CC_SHUTDOWN (1u << 14)
#define XFER_MAX    (4u << 20)

struct link {
	struct ctcp *tcp;
	struct qp *qp;
};

struct host {
	struct host_conf conf;
	struct link admin, *io;
	unsigned int n_io;
	uint32_t depth, in_capsule, max_xfer, lba_shift;
	uint64_t nlb, cap, timeout;
	uint16_t cntlid;
	struct nvme_id_ctrlr ctrlr;
	struct nvme_id_ns ns;
	char err[NET_ERR_MAX];
};

static int
fail(struct host *h, int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(h->err, sizeof(h->err), fmt, ap);
	va_end(ap);
	return err;
}

static int
link_poll(struct host *h, struct link *l)
{
	int ret;

	if (l->qp == NULL)
		return 0;
	ret = qp_flush(l->qp);
	if (ret == 0)
		ret = ctcp_status(l->tcp);
	if (ret < 0)
		return qp_status(l->qp) != 0 ? fail(h, ret, "%s", qp_error(l->qp))
					     : fail(h, ret, "the connection was lost: %s", strerror(-ret));
	ctcp_finish(l->tcp);
	return 0;
}

int
host_poll(struct host *h, uint64_t now)
{
	int got = (int)net_poll(h->conf.net, now), ret = 0;

	for (unsigned int i = 0; i < h->n_io && ret == 0; i++)
		ret = link_poll(h, &h->io[i]);
	/* Nothing happens on the admin queue under load; looking at it costs as much as at the others. */
	if (ret == 0)
		ret = link_poll(h, &h->admin);
	net_flush(h->conf.net);
	return ret < 0 ? ret : got;
}

static int
push_rx(void *user, const void *data, size_t len)
{
	return qp_rx(user, data, len);
}

/* Connection, ICReq, ICResp. */
static int
link_try(struct host *h, struct link *l, uint16_t depth, uint64_t end)
{
	struct qp_conf qc = {.depth = depth, .hdgst = h->conf.hdgst, .ddgst = h->conf.ddgst, .rx_bytes = 4096};
	uint64_t now = ticks_now();
	int ret = ctcp_open(&l->tcp, h->conf.net, h->conf.service, now);

	if (ret < 0)
		return fail(h, ret, "cannot make a connection: %s", strerror(-ret));
	qc.xport = ctcp_xport(l->tcp);
	ret = qp_create(&l->qp, &qc);
	if (ret < 0) {
		qc.xport->ops->close(qc.xport);
		return fail(h, ret, "cannot make a queue: %s", strerror(-ret));
	}
	ctcp_attach(l->tcp, push_rx, l->qp);
	while (ret >= 0 && !qp_ready(l->qp)) {
		now = ticks_now();
		if (now > end)
			ret = fail(h, -ETIMEDOUT, "port %u %s", h->conf.service,
				   ctcp_connected(l->tcp) ? "does not answer as NVMe/TCP" : "does not accept");
		else
			net_poll(h->conf.net, now);
		if (ret == 0)
			ret = link_poll(h, l);
		net_flush(h->conf.net);
	}
	if (ret < 0) {
		qp_destroy(l->qp);
		l->qp = NULL;
		return ret;
	}
	return 0;
}

/* A target that has just come up has a link before it listens. */
static int
link_open(struct host *h, struct link *l, uint16_t depth)
{
	uint64_t end = ticks_now() + h->timeout;
	int ret;

	do
		ret = link_try(h, l, depth, end);
	while (ret == -ECONNREFUSED && ticks_now() < end);
	return ret;
}

static void
exec_done(struct qp_io *io, int err)
{
	*(int *)io->arg = err == 0 ? 1 : err;
}

static int
exec(struct host *h, struct qp *qp, struct qp_io *io)
{
	uint64_t now = ticks_now(), end = now + h->timeout;
	int state = 0, ret;

	io->done = exec_done;
	io->arg = &state;
	ret = qp_submit(qp, io, now);
	while (ret >= 0 && state == 0 && now < end) {
		now = ticks_now();
		ret = host_poll(h, now);
	}
	if (ret < 0)
		return ret == -EAGAIN ? fail(h, ret, "the queue is full") : ret;
	if (state != 1)
		return fail(h, -ETIMEDOUT, "the target does not answer command 0x%02x", io->cmd.opc);
	if (NVME_CPL_SC(io->cpl.status) != 0)
		return fail(h, -EREMOTEIO, "command 0x%02x (fabrics 0x%02x) failed with status 0x%03x", io->cmd.opc,
			    io->cmd.fctype, NVME_CPL_SC(io->cpl.status));
	return 0;
}

static int
connect_queue(struct host *h, struct qp *qp, uint16_t qid, uint16_t depth)
{
	struct nvme_connect_data data = {.cntlid = qid == 0 ? NVME_CNTLID_DYNAMIC : h->cntlid};
	struct qp_io io = {.buf = &data, .len = sizeof(data), .dir = QP_OUT};
	int ret;

	snprintf((char *)data.hostid, sizeof(data.hostid), "strake-bench");
	snprintf(data.subnqn, sizeof(data.subnqn), "%s", h->conf.nqn);
	snprintf(data.hostnqn, sizeof(data.hostnqn), "%s", h->conf.hostnqn);
	io.cmd.opc = NVME_OPC_FABRICS;
	io.cmd.fctype = NVME_FCTYPE_CONNECT;
	io.cmd.qid = qid;
	io.cmd.sqsize = depth; /* 0's based: one entry more than commands under way */
	qp_set_in_capsule(qp, NVME_TCP_ADMIN_ICD);
	ret = exec(h, qp, &io);
	if (ret == 0 && qid == 0)
		h->cntlid = (uint16_t)io.cpl.cdw0;
	if (qid != 0)
		qp_set_in_capsule(qp, h->in_capsule);
	return ret;
}

static int
property(struct host *h, bool set, uint32_t ofst, bool wide, uint64_t *value)
{
	struct qp_io io = {.dir = QP_NONE};
	int ret;

	io.cmd.opc = NVME_OPC_FABRICS;
	io.cmd.fctype = set ? NVME_FCTYPE_PROPERTY_SET : NVME_FCTYPE_PROPERTY_GET;
	io.cmd.attrib = wide;
	io.cmd.ofst = ofst;
	if (set)
		io.cmd.value = *value;
	ret = exec(h, h->admin.qp, &io);
	if (!set)
		*value = wide ? io.cpl.result64 : io.cpl.cdw0;
	return ret;
}

static int
enable(struct host *h)
{
	uint64_t cc = CC_ENABLE, csts = 0, end = ticks_now() + h->timeout;
	int ret = property(h, false, NVME_PROP_CAP, true, &h->cap);

	if (ret == 0)
		ret = property(h, true, NVME_PROP_CC, false, &cc);
	while (ret == 0 && (csts & NVME_CSTS_RDY) == 0) {
		ret = property(h, false, NVME_PROP_CSTS, false, &csts);
		if (ret == 0 && ticks_now() > end)
			ret = fail(h, -ETIMEDOUT, "the controller does not become ready");
	}
	return ret;
}

static int
identify(struct host *h, uint8_t cns, uint32_t nsid, void *buf)
{
	struct qp_io io = {.buf = buf, .len = NVME_IDENTIFY_LEN, .dir = QP_IN};

	io.cmd.opc = NVME_ADMIN_IDENTIFY;
	io.cmd.nsid = nsid;
	io.cmd.cdw10 = cns;
	return exec(h, h->admin.qp, &io);
}

static int
learn(struct host *h)
{
	unsigned int page_shift = 12 + ((unsigned int)(h->cap >> 48) & 0xf);
	int ret = identify(h, NVME_CNS_CTRLR, 0, &h->ctrlr);

	if (ret == 0)
		ret = identify(h, NVME_CNS_NS, h->conf.nsid, &h->ns);
	if (ret < 0)
		return ret;
	h->max_xfer = XFER_MAX;
	if (h->ctrlr.mdts != 0 && page_shift + h->ctrlr.mdts < 22)
		h->max_xfer = 1u << (page_shift + h->ctrlr.mdts);
	if (h->ctrlr.ioccsz > sizeof(struct nvme_cmd) / 16 && h->ctrlr.icdoff == 0)
		h->in_capsule = h->ctrlr.ioccsz * 16 - (uint32_t)sizeof(struct nvme_cmd);
	h->nlb = h->ns.nsze;
	h->lba_shift = h->ns.lbaf[(h->ns.flbas & 0xf) | (h->ns.flbas & 0x60) >> 1].lbads;
	if (h->nlb == 0 || h->lba_shift < 9 || h->lba_shift > 16)
		return fail(h, -EREMOTEIO, "the subsystem has no usable namespace %u", h->conf.nsid);
	return 0;
}

static int
open_io(struct host *h)
{
	uint32_t want = h->conf.queues, mqes = (uint32_t)(h->cap & 0xffff);
	struct qp_io io = {.dir = QP_NONE};
	int ret;

	io.cmd.opc = NVME_ADMIN_SET_FEATURES;
	io.cmd.cdw10 = NVME_FID_QUEUES;
	io.cmd.cdw11 = (want - 1) | (want - 1) << 16;
	ret = exec(h, h->admin.qp, &io);
	if (ret < 0)
		return ret;
	if ((io.cpl.cdw0 & 0xffff) + 1 < want)
		return fail(h, -EREMOTEIO, "the target grants %u I/O queues", (io.cpl.cdw0 & 0xffff) + 1);
	h->depth = h->conf.depth < mqes ? h->conf.depth : mqes;
	while (h->n_io < want) {
		struct link *l = &h->io[h->n_io];

		ret = link_open(h, l, (uint16_t)h->depth);
		if (ret < 0)
			return ret;
		h->n_io++;
		ret = connect_queue(h, l->qp, (uint16_t)h->n_io, (uint16_t)h->depth);
		if (ret < 0)
			return ret;
	}
	return 0;
}

int
host_open(struct host **out, const struct host_conf *conf, char *err)
{
	struct host *h = calloc(1, sizeof(*h));
	int ret = -ENOMEM;

	if (h == NULL)
		return ret;
	h->conf = *conf;
	h->timeout = ticks_from_ns(conf->timeout);
	h->io = calloc(conf->queues, sizeof(*h->io));
	if (h->io != NULL)
		ret = link_open(h, &h->admin, ADMIN_DEPTH);
	if (ret == 0)
		ret = connect_queue(h, h->admin.qp, 0, ADMIN_DEPTH - 1);
	if (ret == 0)
		ret = enable(h);
	if (ret == 0)
		ret = learn(h);
	if (ret == 0)
		ret = open_io(h);
	if (ret < 0) {
		snprintf(err, NET_ERR_MAX, "%s", h->err);
		host_close(h);
		return ret;
	}
	*out = h;
	return 0;
}

void
host_close(struct host *h)
{
	uint64_t cc = CC_ENABLE | CC_SHUTDOWN;

	if (h->admin.qp != NULL && h->cap != 0 && qp_ready(h->admin.qp))
		property(h, true, NVME_PROP_CC, false, &cc);
	for (unsigned int i = 0; i < h->n_io; i++)
		qp_destroy(h->io[i].qp);
	qp_destroy(h->admin.qp);
	free(h->io);
	free(h);
}

struct qp *
host_queue(struct host *h, unsigned int i)
{
	return h->io[i].qp;
}

unsigned int
host_queues(const struct host *h)
{
	return h->n_io;
}

uint32_t
host_depth(const struct host *h)
{
	return h->depth;
}

uint32_t
host_max_xfer(const struct host *h)
{
	return h->max_xfer;
}

uint32_t
host_lba_shift(const struct host *h)
{
	return h->lba_shift;
}

uint64_t
host_nlb(const struct host *h)
{
	return h->nlb;
}

uint32_t
host_nsid(const struct host *h)
{
	return h->conf.nsid;
}

void
host_tcp_stats(const struct host *h, struct ctcp_stats *sum)
{
	*sum = (struct ctcp_stats){0};
	for (unsigned int i = 0; i < h->n_io; i++) {
		const struct ctcp_stats *s = ctcp_get_stats(h->io[i].tcp);

		sum->segs_in += s->segs_in;
		sum->segs_out += s->segs_out;
		sum->bytes_in += s->bytes_in;
		sum->bytes_out += s->bytes_out;
		sum->acks_out += s->acks_out;
		sum->retransmits += s->retransmits;
		sum->timeouts += s->timeouts;
		sum->out_of_order += s->out_of_order;
		sum->duplicates += s->duplicates;
	}
}

const char *
host_error(const struct host *h)
{
	return h->err;
}
