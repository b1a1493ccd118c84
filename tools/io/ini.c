/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* Making and ending an association: NVMe base 2.0, section 3.1.3 and 3.3.2 (fabrics). */

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "ini_priv.h"
#include "nvme_text.h"
#include "ticks.h"

#define ADMIN_DEPTH    32
#define NS_PER_MS      1000000ull
#define SHUTDOWN_TICKS ticks_from_ns(1000 * NS_PER_MS)

int
ini_fail(struct ini *ini, int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(ini->err, sizeof(ini->err), fmt, ap);
	va_end(ap);
	return err;
}

int
ini_status_error(struct ini *ini, const struct qp_io *io, bool admin)
{
	uint16_t sc = NVME_CPL_SC(io->cpl.status);

	return ini_fail(ini, -EREMOTEIO, "%s failed: %s (status 0x%03x)",
			nvme_text_opcode(io->cmd.opc, io->cmd.fctype, admin),
			nvme_text_status(sc, io->cmd.opc == NVME_OPC_FABRICS), sc);
}

static void
exec_done(struct qp_io *io, int err)
{
	*(int *)io->arg = err == 0 ? 1 : err;
}

int
ini_exec(struct ini *ini, struct qp *qp, struct qp_io *io)
{
	int state = 0, ret;

	io->done = exec_done;
	io->arg = &state;
	while ((ret = qp_submit(qp, io, ticks_now())) == -EAGAIN && qp_ready(qp))
		qp_poll(qp, ticks_now());
	while (ret == 0 && state == 0)
		if (qp_poll(qp, ticks_now()) == 0 && state == 0)
			qp_wait(qp, 10);
	if (ret < 0 || state < 0)
		return ini_fail(ini, ret < 0 ? ret : state, "%s", qp_error(qp));
	if (NVME_CPL_SC(io->cpl.status) != 0)
		return ini_status_error(ini, io, qp == ini->admin);
	return 0;
}

/* Socket, ICReq, ICResp. */
static int
open_queue(struct ini *ini, struct qp **out, uint16_t depth)
{
	const struct ini_conf *c = &ini->conf;
	uint64_t end = ticks_now() + ini->timeout;
	struct qp_conf qc = {.depth = depth, .hdgst = c->hdgst, .ddgst = c->ddgst, .timeout = ini->timeout};
	struct sock_peer peer = {c->addr, c->port, (int)(c->timeout / NS_PER_MS), c->congestion};
	struct qp *qp;
	int ret;

	if (ini->admin != NULL) {
		qc.discard = c->discard;
		qc.rx_bytes = c->rx_bytes;
	}
	ret = sock_xport_open(&qc.xport, &peer, ini->err, sizeof(ini->err));
	if (ret < 0)
		return ret;
	ret = qp_create(&qp, &qc);
	if (ret < 0) {
		qc.xport->ops->close(qc.xport);
		return ini_fail(ini, ret, "cannot make a queue: %s", strerror(-ret));
	}
	while (!qp_ready(qp) && (ret = qp_poll(qp, ticks_now())) >= 0) {
		if (ticks_now() > end)
			qp_fail(qp, -ETIMEDOUT, "%s port %u accepts connections but does not answer as NVMe/TCP",
				c->addr, c->port);
		else if (!qp_ready(qp))
			qp_wait(qp, 10);
	}
	if (!qp_ready(qp)) {
		ret = ini_fail(ini, qp_status(qp), "%s", qp_error(qp));
		qp_destroy(qp);
		return ret;
	}
	*out = qp;
	return 0;
}

static int
connect_queue(struct ini *ini, struct qp *qp, uint16_t qid, uint16_t depth)
{
	struct nvme_connect_data data = {.cntlid = qid == 0 ? NVME_CNTLID_DYNAMIC : ini->cntlid};
	struct qp_io io = {.buf = &data, .len = sizeof(data), .dir = QP_OUT};
	int ret;

	memcpy(data.hostid, ini->hostid, sizeof(data.hostid));
	snprintf(data.subnqn, sizeof(data.subnqn), "%s", ini->conf.nqn);
	snprintf(data.hostnqn, sizeof(data.hostnqn), "%s", ini->conf.hostnqn);
	io.cmd.opc = NVME_OPC_FABRICS;
	io.cmd.fctype = NVME_FCTYPE_CONNECT;
	/* We count our own commands, so a read may end with its data: no completion need carry the queue's head. */
	io.cmd.cattr = NVME_CONNECT_DISABLE_SQ_FLOW;
	io.cmd.qid = qid;
	io.cmd.sqsize = depth; /* 0's based: one entry more than commands under way, so that it is never full */
	io.cmd.kato = qid == 0 ? ini->conf.kato : 0;
	qp_set_in_capsule(qp, NVME_TCP_ADMIN_ICD); /* Connect's data always goes with it */
	ret = ini_exec(ini, qp, &io);
	if (ret == 0 && qid == 0)
		ini->cntlid = (uint16_t)io.cpl.cdw0;
	if (qid != 0)
		qp_set_in_capsule(qp, ini->in_capsule);
	return ret;
}

static int
property_get(struct ini *ini, uint32_t ofst, bool wide, uint64_t *value)
{
	struct qp_io io = {.dir = QP_NONE};
	int ret;

	io.cmd.opc = NVME_OPC_FABRICS;
	io.cmd.fctype = NVME_FCTYPE_PROPERTY_GET;
	io.cmd.attrib = wide;
	io.cmd.ofst = ofst;
	ret = ini_exec(ini, ini->admin, &io);
	*value = wide ? io.cpl.result64 : io.cpl.cdw0;
	return ret;
}

static int
property_set(struct ini *ini, uint32_t ofst, uint64_t value)
{
	struct qp_io io = {.dir = QP_NONE};

	io.cmd.opc = NVME_OPC_FABRICS;
	io.cmd.fctype = NVME_FCTYPE_PROPERTY_SET;
	io.cmd.ofst = ofst;
	io.cmd.value = value;
	return ini_exec(ini, ini->admin, &io);
}

/* CC.EN, then CSTS.RDY within CAP.TO. */
static int
enable(struct ini *ini)
{
	uint64_t csts, vs = 0, end;
	int ret;

	ret = property_get(ini, NVME_PROP_CAP, true, &ini->cap);
	if (ret == 0)
		ret = property_get(ini, NVME_PROP_VS, false, &vs);
	if (ret < 0)
		return ret;
	ini->version = (uint32_t)vs;
	/* IOSQES 64 bytes, IOCQES 16 bytes, NVM command set, 4 KiB pages */
	ret = property_set(ini, NVME_PROP_CC, 1u | 6u << 16 | 4u << 20);
	end = ticks_now() + ticks_from_ns(((ini->cap >> 24 & 0xff) + 1) * 500 * NS_PER_MS);
	while (ret == 0) {
		ret = property_get(ini, NVME_PROP_CSTS, false, &csts);
		if (ret < 0 || (csts & NVME_CSTS_RDY) != 0)
			break;
		if ((csts & NVME_CSTS_CFS) != 0)
			ret = ini_fail(ini, -EREMOTEIO, "the controller reports a fatal status");
		else if (ticks_now() > end)
			ret = ini_fail(ini, -ETIMEDOUT, "the controller does not become ready");
		else
			usleep(1000);
	}
	return ret;
}

static int
identify_ctrlr(struct ini *ini)
{
	unsigned int page_shift = 12 + ((unsigned int)(ini->cap >> 48) & 0xf);
	int ret = ini_identify(ini, NVME_CNS_CTRLR, 0, &ini->ctrlr);

	if (ret < 0)
		return ret;
	ini->max_xfer = INI_XFER_MAX;
	if (ini->ctrlr.mdts != 0 && page_shift + ini->ctrlr.mdts < 31)
		ini->max_xfer = 1u << (page_shift + ini->ctrlr.mdts);
	if (ini->max_xfer > INI_XFER_MAX)
		ini->max_xfer = INI_XFER_MAX;
	if (ini->ctrlr.ioccsz > sizeof(struct nvme_cmd) / 16 && ini->ctrlr.icdoff == 0)
		ini->in_capsule = ini->ctrlr.ioccsz * 16 - (uint32_t)sizeof(struct nvme_cmd);
	return 0;
}

static int
open_io_queues(struct ini *ini)
{
	uint32_t want = ini->conf.queues, mqes = (uint32_t)(ini->cap & 0xffff), granted;
	struct qp_io io = {.dir = QP_NONE};
	int ret;

	io.cmd.opc = NVME_ADMIN_SET_FEATURES;
	io.cmd.cdw10 = NVME_FID_QUEUES;
	io.cmd.cdw11 = (want - 1) | (want - 1) << 16;
	ret = ini_exec(ini, ini->admin, &io);
	if (ret < 0)
		return ret;
	granted = (io.cpl.cdw0 & 0xffff) + 1;
	if ((io.cpl.cdw0 >> 16) + 1 < granted)
		granted = (io.cpl.cdw0 >> 16) + 1;
	if (granted < want)
		return ini_fail(ini, -EREMOTEIO, "the target grants %u I/O queues, %u were asked for", granted, want);
	ini->depth = ini->conf.depth;
	if (ini->depth > mqes)
		ini->depth = (uint16_t)mqes;
	if (ini->depth == 0)
		return ini_fail(ini, -EREMOTEIO, "the target has queues of one entry only");
	for (; ini->nqueues < want; ini->nqueues++) {
		ret = open_queue(ini, &ini->queue[ini->nqueues], ini->depth);
		if (ret < 0)
			return ret;
		ret = connect_queue(ini, ini->queue[ini->nqueues], (uint16_t)(ini->nqueues + 1), ini->depth);
		if (ret < 0) {
			qp_destroy(ini->queue[ini->nqueues]);
			return ret;
		}
	}
	return 0;
}

int
ini_open(struct ini **out, const struct ini_conf *conf, char *err)
{
	struct ini *ini = calloc(1, sizeof(*ini));
	uint8_t hash[EVP_MAX_MD_SIZE];
	int ret = -ENOMEM;

	if (ini == NULL) {
		snprintf(err, INI_ERR_MAX, "out of memory");
		return -ENOMEM;
	}
	ini->conf = *conf;
	if (ini->conf.hostnqn == NULL)
		ini->conf.hostnqn = ini_default_hostnqn();
	ini->timeout = ticks_from_ns(conf->timeout);
	/* The same name must always come with the same identifier, or targets refuse. */
	EVP_Digest(ini->conf.hostnqn, strlen(ini->conf.hostnqn), hash, NULL, EVP_sha256(), NULL);
	memcpy(ini->hostid, hash, sizeof(ini->hostid));
	ini->queue = calloc(conf->queues + 1, sizeof(struct qp *));
	if (ini->queue == NULL) {
		ini_fail(ini, ret, "out of memory");
		goto err_close;
	}
	ret = open_queue(ini, &ini->admin, ADMIN_DEPTH);
	if (ret == 0)
		ret = connect_queue(ini, ini->admin, 0, ADMIN_DEPTH - 1);
	if (ret == 0)
		ret = enable(ini);
	if (ret == 0)
		ret = identify_ctrlr(ini);
	if (ret == 0 && strcmp(conf->nqn, NVME_DISCOVERY_NQN) != 0 && conf->queues > 0)
		ret = open_io_queues(ini);
	if (ret < 0)
		goto err_close;
	ini->next_tick = ticks_now();
	*out = ini;
	return 0;

err_close:
	snprintf(err, INI_ERR_MAX, "%s", ini->err);
	ini_close(ini);
	return ret;
}

void
ini_close(struct ini *ini)
{
	uint64_t csts, end = ticks_now() + SHUTDOWN_TICKS;

	if (ini->admin != NULL && qp_ready(ini->admin) && ini->ctrlr.sqes != 0 &&
	    property_set(ini, NVME_PROP_CC, 1u | 1u << 14 | 6u << 16 | 4u << 20) == 0) {
		while (property_get(ini, NVME_PROP_CSTS, false, &csts) == 0 &&
		       (csts & NVME_CSTS_SHST_MASK) != NVME_CSTS_SHST_COMPLETE && ticks_now() < end)
			usleep(1000);
	}
	for (unsigned int i = 0; i < ini->nqueues; i++)
		qp_destroy(ini->queue[i]);
	qp_destroy(ini->admin);
	free(ini->queue);
	free(ini);
}
