/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "ini_priv.h"
#include "ticks.h"

#define TICK_NS		  100000000ull
#define DISCOVERY_ENTRIES 4096

struct qp *
ini_admin(struct ini *ini)
{
	return ini->admin;
}

struct qp *
ini_queue(struct ini *ini, unsigned int i)
{
	return ini->queue[i];
}

unsigned int
ini_queues(const struct ini *ini)
{
	return ini->nqueues;
}

unsigned int
ini_depth(const struct ini *ini)
{
	return ini->depth;
}

const struct nvme_id_ctrlr *
ini_ctrlr(const struct ini *ini)
{
	return &ini->ctrlr;
}

uint32_t
ini_version(const struct ini *ini)
{
	return ini->version;
}

uint32_t
ini_max_xfer(const struct ini *ini)
{
	return ini->max_xfer;
}

const char *
ini_error(const struct ini *ini)
{
	return ini->err;
}

int
ini_identify(struct ini *ini, uint8_t cns, uint32_t nsid, void *buf)
{
	struct qp_io io = {.buf = buf, .len = NVME_IDENTIFY_LEN, .dir = QP_IN};

	io.cmd.opc = NVME_ADMIN_IDENTIFY;
	io.cmd.nsid = nsid;
	io.cmd.cdw10 = cns;
	return ini_exec(ini, ini->admin, &io);
}

int
ini_log_page(struct ini *ini, uint8_t lid, uint64_t offset, void *buf, uint32_t len)
{
	struct qp_io io = {.buf = buf, .len = len, .dir = QP_IN};
	uint32_t numd = len / 4 - 1;

	io.cmd.opc = NVME_ADMIN_GET_LOG_PAGE;
	io.cmd.cdw10 = lid | NVME_LOG_RAE | (numd & 0xffff) << 16;
	io.cmd.cdw11 = numd >> 16;
	io.cmd.cdw12 = (uint32_t)offset;
	io.cmd.cdw13 = (uint32_t)(offset >> 32);
	return ini_exec(ini, ini->admin, &io);
}

int
ini_find_ns(struct ini *ini, uint32_t nsid, struct ini_ns *out)
{
	int ret = ini_identify(ini, NVME_CNS_NS, nsid, &out->id);

	if (ret < 0)
		return ret;
	out->nsid = nsid;
	out->nlb = out->id.nsze;
	out->lba_shift = out->id.lbaf[(out->id.flbas & 0xf) | (out->id.flbas & 0x60) >> 1].lbads;
	if (out->nlb == 0)
		return ini_fail(ini, -EREMOTEIO, "the subsystem has no namespace %u", nsid);
	if (out->lba_shift < 9 || out->lba_shift > 16)
		return ini_fail(ini, -EREMOTEIO, "namespace %u has blocks of 2^%u bytes", nsid, out->lba_shift);
	return 0;
}

/* The log may change while it is read: then GENCTR differs, and it is read again. */
int
ini_discover(struct ini *ini, struct nvme_discovery_entry **entries, uint64_t *n)
{
	struct nvme_discovery_log head, again;

	for (int try = 0; try < 5; try++) {
		int ret = ini_log_page(ini, NVME_LID_DISCOVERY, 0, &head, sizeof(head));

		if (ret < 0)
			return ret;
		if (head.numrec > DISCOVERY_ENTRIES)
			return ini_fail(ini, -EPROTO, "a discovery log of %llu entries is not credible",
					(unsigned long long)head.numrec);
		*n = head.numrec;
		*entries = calloc(head.numrec + 1, sizeof(**entries));
		if (*entries == NULL)
			return ini_fail(ini, -ENOMEM, "out of memory");
		for (uint64_t i = 0; i < head.numrec && ret == 0; i++)
			ret = ini_log_page(ini, NVME_LID_DISCOVERY, sizeof(head) + i * sizeof(**entries),
					   &(*entries)[i], sizeof(**entries));
		if (ret == 0)
			ret = ini_log_page(ini, NVME_LID_DISCOVERY, 0, &again, sizeof(again));
		if (ret == 0 && again.genctr == head.genctr)
			return 0;
		free(*entries);
		if (ret < 0)
			return ret;
	}
	return ini_fail(ini, -EAGAIN, "the discovery log changes faster than it can be read");
}

static void
keep_alive_done(struct qp_io *io, int err)
{
	struct ini *ini = io->arg;

	ini->keep_alive_out = false;
	ini->keep_alive_err = err == 0 && NVME_CPL_SC(io->cpl.status) != 0 ? -EREMOTEIO : err;
}

int
ini_tick(struct ini *ini, uint64_t now)
{
	int ret;

	if (now < ini->next_tick)
		return 0;
	ini->next_tick = now + ticks_from_ns(TICK_NS);
	if (ini->conf.kato != 0 && now >= ini->next_keep_alive && !ini->keep_alive_out) {
		/* A third of the time: two may be lost before the controller gives up. */
		ini->next_keep_alive = now + ticks_from_ns(ini->conf.kato * 1000000ull / 3);
		ini->keep_alive = (struct qp_io){.dir = QP_NONE, .done = keep_alive_done, .arg = ini};
		ini->keep_alive.cmd.opc = NVME_ADMIN_KEEP_ALIVE;
		ini->keep_alive_out = qp_submit(ini->admin, &ini->keep_alive, now) == 0;
	}
	ret = qp_poll(ini->admin, now);
	if (ret < 0)
		return ini_fail(ini, ret, "%s", qp_error(ini->admin));
	if (ini->keep_alive_err == -EREMOTEIO)
		return ini_status_error(ini, &ini->keep_alive, true);
	return 0;
}

const char *
ini_default_hostnqn(void)
{
	static char nqn[NVME_NQN_LEN];
	uint8_t h[EVP_MAX_MD_SIZE];
	char id[64] = "strake-io";
	FILE *f;

	if (nqn[0] != '\0')
		return nqn;
	f = fopen("/etc/machine-id", "re");
	if (f != NULL) {
		if (fgets(id, sizeof(id), f) == NULL)
			id[0] = '\0';
		fclose(f);
	}
	/* Hashed: the machine's own identifier is not for the network. */
	EVP_Digest(id, strlen(id), h, NULL, EVP_sha256(), NULL);
	snprintf(nqn, sizeof(nqn),
		 "nqn.2014-08.org.nvmexpress:uuid:%02x%02x%02x%02x-%02x%02x-4%01x%02x-8%01x%02x-%02x%02x%02x%02x%02x%"
		 "02x",
		 h[0], h[1], h[2], h[3], h[4], h[5], h[6] & 0xf, h[7], h[8] & 0xf, h[9], h[10], h[11], h[12], h[13],
		 h[14], h[15]);
	return nqn;
}
