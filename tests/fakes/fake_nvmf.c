/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "fake_nvmf.h"

#include <stdlib.h>
#include <string.h>

#include <rte_common.h>

static struct fake_nvmf *fake;
static struct strake_poller poller;
static struct nvmf_cmd *ready, *held;
static struct nvmf_qpair *leaving[2048];

/* In one piece of each 4 KiB, as a volume gives it; an odd first one, so that lists are walked. */
static void
read_disk(struct nvmf_cmd *cmd)
{
	uint32_t off = (uint32_t)(cmd->sqe.slba * 512) % FAKE_NVMF_DISK, left = cmd->xfer_len,
		 run = RTE_MIN(left, 1000u);
	struct strake_buf **at = &cmd->data;

	cmd->data = NULL;
	cmd->data_len = left;
	while (left > 0) {
		struct strake_buf *buf = strake_buf_page(run);

		memcpy(buf->addr, fake->disk + off, run);
		buf->next = NULL;
		*at = buf;
		at = &buf->next;
		off += run;
		left -= run;
		run = RTE_MIN(left, 4096u);
	}
}

static void
write_disk(struct nvmf_cmd *cmd)
{
	uint32_t off = (uint32_t)(cmd->sqe.slba * 512) % FAKE_NVMF_DISK;

	if (strake_buf_list_len(cmd->data) != cmd->xfer_len)
		fake->bad_payload++;
	else
		strake_buf_copy_out(cmd->data, 0, fake->disk + off, cmd->xfer_len);
	fake->page_aligned = cmd->data->next == NULL && ((uintptr_t)cmd->data->addr & 4095) == 0;
	strake_buf_put_list(cmd->data);
	cmd->data = NULL;
}

static void
finish(struct nvmf_cmd *cmd)
{
	struct nvmf_qpair *qp = cmd->qp;
	bool io = cmd->sqe.opc != NVME_OPC_FABRICS;

	cmd->cqe.status = 0;
	cmd->cqe.cid = cmd->sqe.cid;
	cmd->cqe.sqhd = qp->sqhd;
	if (io && fake->fail_sc != 0)
		cmd->cqe.status = NVME_CPL_STATUS(fake->fail_sc, true);
	else if (io && cmd->sqe.opc == NVME_IO_READ)
		read_disk(cmd);
	else if (io && cmd->sqe.opc == NVME_IO_WRITE)
		write_disk(cmd);
	else if (!io && cmd->sqe.fctype == NVME_FCTYPE_CONNECT && !qp->dying) {
		qp->connected = true;
		qp->qid = cmd->sqe.qid;
		qp->size = (uint16_t)fake->size;
		cmd->cqe.cdw0 = 1;
	}
	if (cmd->xfer == NVMF_XFER_TO_CONTROLLER && cmd->data != NULL) {
		strake_buf_put_list(cmd->data);
		cmd->data = NULL;
	}
	fake->done++;
	qp->inflight--;
	cmd->done(cmd);
}

static uint32_t
fake_poll(struct strake_poller *p, uint64_t now)
{
	struct nvmf_cmd *cmd = ready;
	uint32_t work = 0;

	ready = NULL;
	while (cmd != NULL) {
		struct nvmf_cmd *next = cmd->next;

		finish(cmd);
		cmd = next;
		work++;
	}
	for (unsigned int i = 0; i < RTE_DIM(leaving) && !fake->hold_gone; i++) {
		struct nvmf_qpair *qp = leaving[i];

		if (qp == NULL || qp->inflight != 0)
			continue;
		leaving[i] = NULL;
		fake->gone++;
		qp->gone(qp);
	}
	return work;
}

struct fake_nvmf *
fake_nvmf_create(void)
{
	fake = calloc(1, sizeof(*fake));
	fake->size = 128;
	ready = NULL;
	held = NULL;
	poller = (struct strake_poller){.name = "fake_nvmf", .poll = fake_poll, .fd = -2};
	strake_poller_add(&poller);
	return fake;
}

void
fake_nvmf_destroy(void)
{
	strake_poller_del(&poller);
	free(fake);
}

void
fake_nvmf_release(uint32_t n)
{
	while (n-- > 0 && held != NULL) {
		struct nvmf_cmd *cmd = held;

		held = cmd->next;
		fake->held--;
		cmd->next = ready;
		ready = cmd;
	}
}

int
nvmf_add_listener(const struct nvmf_transport *t, const char *address, uint16_t service)
{
	return 0;
}

void
nvmf_del_listener(const struct nvmf_transport *t, const char *address, uint16_t service)
{
}

void
nvmf_qpair_init(struct nvmf_qpair *qp)
{
	fake->qpairs++;
	qp->connected = false;
	qp->dying = false;
	qp->inflight = 0;
}

void
nvmf_qpair_fini(struct nvmf_qpair *qp, void (*gone)(struct nvmf_qpair *qp))
{
	if (qp->dying)
		abort(); /* twice */
	qp->dying = true;
	qp->gone = gone;
	for (unsigned int i = 0; i < RTE_DIM(leaving); i++)
		if (leaving[i] == NULL) {
			leaving[i] = qp;
			return;
		}
	abort();
}

bool
nvmf_cmd_check(struct nvmf_cmd *cmd, bool *in_capsule, uint64_t *sgl_offset)
{
	const struct nvme_sgl *sgl = &cmd->sqe.sgl;
	uint8_t dir = cmd->sqe.opc == NVME_OPC_FABRICS ? cmd->sqe.fctype & 3 : cmd->sqe.opc & 3;

	memset(&cmd->cqe, 0, sizeof(cmd->cqe));
	cmd->data_len = 0;
	cmd->xfer = dir == 1 ? NVMF_XFER_TO_CONTROLLER : dir == 2 ? NVMF_XFER_TO_HOST : NVMF_XFER_NONE;
	cmd->xfer_len = cmd->xfer == NVMF_XFER_NONE ? 0 : sgl->len;
	*in_capsule = sgl->type == NVME_SGL_IN_CAPSULE;
	*sgl_offset = sgl->addr;
	cmd->qp->sqhd++;
	if (cmd->sqe.opc != NVME_OPC_FABRICS && !cmd->qp->connected) {
		nvmf_fail(cmd, NVME_SC_SEQUENCE, true);
		return false;
	}
	if (cmd->xfer_len > STRAKE_BUF_PAGE_MAX) {
		nvmf_fail(cmd, NVME_SC_INVALID_FIELD, true);
		return false;
	}
	return true;
}

void
nvmf_execute(struct nvmf_qpair *qp, struct nvmf_cmd **cmds, uint16_t n)
{
	if (qp->dying || n == 0)
		abort();
	fake->bursts++;
	fake->burst_max = RTE_MAX(fake->burst_max, (uint32_t)n);
	for (uint16_t i = 0; i < n; i++) {
		qp->inflight++;
		fake->executed++;
		if (fake->hold && cmds[i]->sqe.opc != NVME_OPC_FABRICS) {
			cmds[i]->next = held;
			held = cmds[i];
			fake->held++;
		} else {
			cmds[i]->next = ready;
			ready = cmds[i];
		}
	}
}

void
nvmf_fail(struct nvmf_cmd *cmd, uint16_t sct_sc, bool dnr)
{
	cmd->cqe.result64 = 0;
	cmd->cqe.cid = cmd->sqe.cid;
	cmd->cqe.sqhd = cmd->qp->sqhd;
	cmd->cqe.status = NVME_CPL_STATUS(sct_sc, dnr);
	cmd->data_len = 0;
}
