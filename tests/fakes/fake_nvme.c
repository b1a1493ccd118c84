/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "fake_nvme_pvt.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_common.h>

struct fake_nvme *fake_nvme_opening;
static const char *opening_trim;

/* --- I/O -------------------------------------------------------------------------------------------------------------
 */

static int
act(struct fake_nvme *f, const struct fake_nvme_pending *p)
{
	uint64_t at = ((uint64_t)p->cmd.cdw11 << 32 | p->cmd.cdw10) << f->shift;
	uint64_t blocks = (p->cmd.cdw12 & 0xffff) + 1ull;

	if (f->fail_times > 0 && (f->fail_opcode == 255 || f->fail_opcode == p->cmd.opcode)) {
		f->fail_times--;
		return f->fail_res;
	}
	if (p->cmd.opcode == 9) {
		const uint8_t *r = p->iov[0].iov_base;
		uint32_t nlb;
		uint64_t slba;

		memcpy(&nlb, r + 4, 4);
		memcpy(&slba, r + 8, 8);
		memset(f->medium + (slba << f->shift), 0, (size_t)nlb << f->shift);
		return 0;
	}
	if (p->cmd.opcode == 8)
		memset(f->medium + at, 0, blocks << f->shift);
	for (unsigned int i = 0; i < p->cmd.n_iov; i++) {
		if (p->cmd.opcode == 1)
			memcpy(f->medium + at, p->iov[i].iov_base, p->iov[i].iov_len);
		else
			memcpy(p->iov[i].iov_base, f->medium + at, p->iov[i].iov_len);
		at += p->iov[i].iov_len;
	}
	return 0;
}

static uint32_t
fake_poll(struct strake_poller *poller, uint64_t now)
{
	struct fake_nvme *f = container_of(poller, struct fake_nvme, poller);
	unsigned int n = f->hold ? 0 : f->pending;

	RTE_SET_USED(now);
	for (unsigned int i = 0; i < n; i++) {
		struct fake_nvme_pending p = f->queue[f->backwards ? f->pending - 1 : 0];
		int res = act(f, &p);

		if (!f->backwards)
			memmove(f->queue, f->queue + 1, (f->pending - 1) * sizeof(f->queue[0]));
		f->pending--;
		nvme_lane_answer(f->lane, p.cmd.tag, res);
		if (f->twice) {
			f->twice = false;
			nvme_lane_answer(f->lane, p.cmd.tag, res);
		}
	}
	return n;
}

static void
note(struct fake_nvme *f, const struct nvme_cmd *cmd)
{
	struct fake_nvme_cmd *c;

	f->seen = realloc(f->seen, (f->n_seen + 1) * sizeof(*f->seen));
	c = &f->seen[f->n_seen++];
	*c = (struct fake_nvme_cmd){
		.opcode = cmd->opcode,
		.slba = (uint64_t)cmd->cdw11 << 32 | cmd->cdw10,
		.blocks = (cmd->cdw12 & 0xffff) + 1,
		.cdw11 = cmd->cdw11,
		.cdw12 = cmd->cdw12,
		.len = cmd->len,
		.n_iov = cmd->n_iov,
	};
	if (cmd->opcode == 9) {
		memcpy(&c->blocks, (uint8_t *)cmd->iov[0].iov_base + 4, 4);
		memcpy(&c->slba, (uint8_t *)cmd->iov[0].iov_base + 8, 8);
	}
}

/* What blk_rq_map_user_iov() of Linux looks at before it copies. */
static bool
bounces(const struct fake_nvme *f, const struct nvme_cmd *cmd)
{
	uintptr_t bits = 0, gaps = 0;

	for (unsigned int i = 0; i < cmd->n_iov; i++) {
		uintptr_t addr = (uintptr_t)cmd->iov[i].iov_base;

		bits |= addr | cmd->iov[i].iov_len;
		gaps |= i > 0 ? addr | ((uintptr_t)cmd->iov[i - 1].iov_base + cmd->iov[i - 1].iov_len) : 0;
	}
	return (bits & f->dev.dma_mask) != 0 || (gaps & (FAKE_NVME_PAGE - 1)) != 0;
}

static bool
fake_submit(struct nvme_lane *lane, const struct nvme_cmd *cmd)
{
	struct fake_nvme *f = lane->queue;

	if (f->room == 0 || f->pending == FAKE_NVME_QUEUE)
		return false;
	if (f->room > 0)
		f->room--;
	note(f, cmd);
	f->bounced += bounces(f, cmd);
	f->queue[f->pending].cmd = *cmd;
	memcpy(f->queue[f->pending].iov, cmd->iov, cmd->n_iov * sizeof(*cmd->iov));
	f->pending++;
	return true;
}

static int
fake_lcore_init(struct nvme_dev *dev, struct nvme_lane *lane)
{
	struct fake_nvme *f = container_of(dev, struct fake_nvme, dev);

	lane->queue = f;
	if (f->lane != NULL)
		return 0;
	f->lane = lane;
	f->poller = (struct strake_poller){.name = "fake_nvme", .poll = fake_poll, .fd = -1};
	strake_poller_add(&f->poller);
	return 0;
}

static void
fake_lcore_fini(struct nvme_dev *dev, struct nvme_lane *lane)
{
	struct fake_nvme *f = container_of(dev, struct fake_nvme, dev);

	if (f->lane != lane)
		return;
	strake_poller_del(&f->poller);
	f->lane = NULL;
}

static int
fake_adopt(struct nvme_dev *dev, struct nvme_lane *lane)
{
	struct fake_nvme *f = container_of(dev, struct fake_nvme, dev);
	unsigned int self = strake_self_index();

	RTE_SET_USED(lane);
	if (self == f->adopt_lcore && f->adopt_times > 0) {
		f->adopt_times--;
		return f->adopt_res;
	}
	f->adopted[self]++;
	return 0;
}

static void
fake_close(struct nvme_dev *dev)
{
	if (dev->fd >= 0)
		close(dev->fd);
	dev->fd = -1;
}

static const struct nvme_dev_ops fake_dev_ops = {
	.name = "fake",
	.identify = fake_nvme_identify,
	.log = fake_nvme_log,
	.feature = fake_nvme_feature,
	.format = fake_nvme_format,
	.sanitize = fake_nvme_sanitize,
	.lcore_init = fake_lcore_init,
	.lcore_fini = fake_lcore_fini,
	.submit = fake_submit,
	.adopt = fake_adopt,
	.close = fake_close,
};

void
fake_nvme_adopting(struct fake_nvme *f, unsigned int lcore, int res, unsigned int times)
{
	f->adopt_lcore = lcore;
	f->adopt_res = res;
	f->adopt_times = times;
}

int
fake_nvme_adopted(const struct fake_nvme *f, unsigned int lcore)
{
	return f->adopted[lcore];
}

/* --- the kind --------------------------------------------------------------------------------------------------------
 */

static const struct conf_key no_keys[] = {{.name = NULL}};

static int
step_identify(void *arg, char *said, size_t len)
{
	struct nvme_drive_opts opts = {
		.patience = 20 * STRAKE_NS_PER_SEC,
		.always_trim = opening_trim != NULL && strcmp(opening_trim, "always") == 0,
		.never_trim = opening_trim != NULL && strcmp(opening_trim, "never") == 0,
		.wish = {.used = 80},
		.second = fake_nvme_find_mi,
	};

	return nvme_drive_attach(arg, &fake_nvme_opening->dev, &fake_nvme_opening->kernel, &opts, said, len);
}

static void
undo_identify(void *arg)
{
	nvme_drive_detach(arg);
}

static int
step_health(void *arg, char *said, size_t len)
{
	const struct strake_drive *drive = arg;
	struct nvme_health h;

	return nvme_drive_look(drive->priv, &h, said, len);
}

static int
remedy(void *arg, char *said, size_t len)
{
	RTE_SET_USED(arg);
	snprintf(said, len, "remedy %u", ++fake_nvme_opening->remedies);
	return 0;
}

static int
fake_open(struct strake_drive *drive, const struct conf_values *conf, char *err, size_t len)
{
	static const struct nvme_bring_step steps[] = {
		{"identify", step_identify, undo_identify}, {"health", step_health, NULL}, {NULL, NULL, NULL}};
	static const struct nvme_bring_step remedies[] = {
		{"reset", remedy, NULL}, {"rescan", remedy, NULL}, {NULL, NULL, NULL}};
	struct nvme_bring b = {.n = 0};
	int ret = nvme_bring_up(&b, steps, remedies, drive, err, len);

	RTE_SET_USED(conf);
	if (ret == 0)
		((struct nvme_drive *)drive->priv)->bring = b;
	return ret;
}

static const struct strake_drive_ops fake_ops = {
	.name = "fake_nvme",
	.keys = no_keys,
	.open = fake_open,
	.close = nvme_drive_close,
	.lcore_init = nvme_drive_lcore_init,
	.lcore_fini = nvme_drive_lcore_fini,
	.submit = nvme_drive_submit,
	.telemetry = nvme_drive_telemetry,
};
STRAKE_DRIVE_REGISTER(fake_ops)

int
fake_nvme_open(struct strake_drive **drive, struct fake_nvme *f, const char *trim, char *err, size_t len)
{
	fake_nvme_opening = f;
	opening_trim = trim;
	return strake_drive_open(drive, "fake", "fake_nvme", NULL, err, len);
}

struct fake_nvme *
fake_nvme_new(uint8_t lba_shift, uint64_t blocks)
{
	struct fake_nvme *f = calloc(1, sizeof(*f));

	f->dev = (struct nvme_dev){
		.ops = &fake_dev_ops, .fd = -1, .nsid = 1, .slot = 7, .max_iov = NVME_IOVS, .dma_mask = 3};
	f->shift = lba_shift;
	f->medium = calloc(blocks, 1u << lba_shift);
	f->identify_bytes = FAKE_NVME_PAGE;
	f->room = -1;
	memset(f->ctrl + 4, ' ', 68);
	memcpy(f->ctrl + 4, "FAKE1", 5);
	memcpy(f->ctrl + 24, "Fake", 4);
	memcpy(f->ctrl + 64, "1.0", 3);
	f->ctrl[77] = 5;     /* MDTS: 128 KiB */
	f->ctrl[520] = 0x0c; /* ONCS: Write Zeroes, Dataset Management */
	f->ctrl[525] = 1;    /* VWC */
	f->namespaces = 1;
	memcpy(f->ns, &blocks, 8);
	memcpy(f->ns + 8, &blocks, 8);
	memcpy(f->ns + 16, &blocks, 8);
	f->ns[33] = 1; /* DLFEAT: zeroes are read */
	f->ns[128 + 2] = lba_shift;
	return f;
}

void
fake_nvme_free(struct fake_nvme *f)
{
	free(f->medium);
	free(f->seen);
	free(f);
}

void
fake_nvme_silent(struct fake_nvme *f, int res, unsigned int remedies)
{
	f->silence = res;
	f->silent_for = f->remedies + remedies;
}

unsigned int
fake_nvme_remedies(const struct fake_nvme *f)
{
	return f->remedies;
}

void
fake_nvme_mi(struct fake_nvme *f, enum fake_nvme_mi mi)
{
	f->mi_is = mi;
}

unsigned int
fake_nvme_in_band(const struct fake_nvme *f)
{
	return f->in_band;
}

unsigned int
fake_nvme_by_mi(const struct fake_nvme *f)
{
	return f->by_mi;
}

unsigned int
fake_nvme_mi_searched(const struct fake_nvme *f)
{
	return f->mi_searched;
}

/* --- orders ----------------------------------------------------------------------------------------------------------
 */

void
fake_nvme_erasing(struct fake_nvme *f, unsigned int namespaces, int res, uint8_t state, unsigned int polls)
{
	f->namespaces = namespaces;
	f->erase_res = res;
	f->sanitize_state = state;
	f->sanitize_polls = polls;
}

unsigned int
fake_nvme_formatted(const struct fake_nvme *f)
{
	return f->formatted;
}

uint8_t
fake_nvme_sanitized(const struct fake_nvme *f)
{
	return f->sanitized;
}

uint8_t *
fake_nvme_ctrl(struct fake_nvme *f)
{
	return f->ctrl;
}

uint8_t *
fake_nvme_ns(struct fake_nvme *f)
{
	return f->ns;
}

void
fake_nvme_short_identify(struct fake_nvme *f, size_t bytes)
{
	f->identify_bytes = bytes;
}

uint8_t *
fake_nvme_medium(struct fake_nvme *f)
{
	return f->medium;
}

uint8_t *
fake_nvme_smart(struct fake_nvme *f)
{
	return f->smart;
}

uint8_t *
fake_nvme_page(struct fake_nvme *f, uint8_t lid)
{
	f->has_page[lid] = true;
	return f->pages[lid];
}

void
fake_nvme_kernel(struct fake_nvme *f, uint64_t bytes, const char *serial)
{
	snprintf(f->serial, sizeof(f->serial), "%s", serial != NULL ? serial : "");
	f->kernel.bytes = bytes;
	f->kernel.serial = serial != NULL ? f->serial : NULL;
}

void
fake_nvme_iovs(struct fake_nvme *f, uint16_t n)
{
	f->dev.max_iov = n;
}

void
fake_nvme_fail(struct fake_nvme *f, uint8_t opcode, int res, unsigned int times)
{
	f->fail_opcode = opcode;
	f->fail_res = res;
	f->fail_times = times;
}

void
fake_nvme_hold(struct fake_nvme *f, bool hold)
{
	f->hold = hold;
}

void
fake_nvme_backwards(struct fake_nvme *f)
{
	f->backwards = true;
}

void
fake_nvme_room(struct fake_nvme *f, int n)
{
	f->room = n;
}

void
fake_nvme_answer_twice(struct fake_nvme *f)
{
	f->twice = true;
}

void
fake_nvme_stranger(struct fake_nvme *f, uint64_t tag)
{
	nvme_lane_answer(f->lane, tag, 0);
}

unsigned int
fake_nvme_count(const struct fake_nvme *f)
{
	return f->n_seen;
}

const struct fake_nvme_cmd *
fake_nvme_asked(const struct fake_nvme *f, unsigned int i)
{
	return &f->seen[i];
}

unsigned int
fake_nvme_bounced(const struct fake_nvme *f)
{
	return f->bounced;
}

void
fake_nvme_align(struct fake_nvme *f, uint32_t mask)
{
	f->dev.dma_mask = mask;
}

unsigned int
fake_nvme_pending(const struct fake_nvme *f)
{
	return f->pending;
}
