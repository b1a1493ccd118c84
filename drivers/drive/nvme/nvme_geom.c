/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "nvme_geom.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libnvme.h>
#include <rte_common.h>

#include "nvme_dev.h"
#include "nvme_logs.h"

#define ID_BYTES 4096
#define SENTINEL 0xa7

/* Identify's bits that libnvme 1.3 names nowhere (NVM Command Set specification 1.0). */
#define DLFEAT_READS	     0x07 /* what deallocated blocks read as */
#define DLFEAT_READS_ZERO    0x01
#define DLFEAT_DEAC	     0x08 /* Write Zeroes may deallocate */
#define NSATTR_PROTECTED     0x01
#define WZSL_BYTE	     1 /* of Identify Controller for the NVM command set */

#define LIE(why, len, ...)   (snprintf(why, len, __VA_ARGS__), -EBADMSG)
#define UNFIT(why, len, ...) (snprintf(why, len, __VA_ARGS__), -EMEDIUMTYPE)

/* A transfer that ended early left our bytes in place. */
static int
ask(struct nvme_dev *dev, uint8_t cns, uint32_t nsid, const char *what, void *data, char *why, size_t len)
{
	const uint8_t *b = data;
	unsigned int at, same = 0;
	int ret;

	memset(data, SENTINEL, ID_BYTES);
	ret = dev->ops->identify(dev, cns, nsid, data);
	if (ret > 0)
		return LIE(why, len, "Identify %s failed with status 0x%x", what, (unsigned int)ret);
	if (ret < 0) {
		snprintf(why, len, "Identify %s: %s", what, strerror(-ret));
		return ret;
	}
	for (at = 0; at < ID_BYTES && same < 64; at++)
		same = b[at] == SENTINEL ? same + 1 : 0;
	if (same == 64)
		return LIE(why, len, "Identify %s gave %u of its %u bytes", what, at - same, ID_BYTES);
	return 0;
}

/* ASCII, padded with spaces. @return false when it is no text. */
static bool
text(char *out, const char *in, size_t n)
{
	while (n > 0 && (in[n - 1] == ' ' || in[n - 1] == '\0'))
		n--;
	for (size_t i = 0; i < n; i++) {
		if (in[i] < 0x20 || in[i] > 0x7e)
			return false;
		out[i] = in[i];
	}
	out[n] = '\0';
	return true;
}

static int
read_ctrl(struct nvme_geom *g, const struct nvme_id_ctrl *id, const struct nvme_kernel_view *k, char *why, size_t len)
{
	if (!text(g->serial, id->sn, sizeof(id->sn)) || !text(g->model, id->mn, sizeof(id->mn)) ||
	    !text(g->firmware, id->fr, sizeof(id->fr)))
		return LIE(why, len, "its serial number, model or firmware is no text");
	if (g->serial[0] == '\0')
		return LIE(why, len, "it has no serial number");
	if (k->serial != NULL && strcmp(k->serial, g->serial) != 0)
		return LIE(why, len, "it says its serial number is %s; the kernel was told %s", g->serial, k->serial);
	if (id->cntrltype > NVME_CTRL_CNTRLTYPE_IO)
		return UNFIT(why, len, "its controller does no I/O (type %u)", id->cntrltype);
	/* MDTS counts pages of at least 4 KiB, so this is never too long. */
	g->max_xfer = id->mdts > 0 && id->mdts < 16 ? 4096u << id->mdts : UINT32_MAX;
	if (k->max_xfer > 0)
		g->max_xfer = RTE_MIN(g->max_xfer, k->max_xfer);
	if (k->max_segments > 1)
		g->max_xfer = RTE_MIN(g->max_xfer, (k->max_segments - 1) * 4096u);
	g->cache_present = (id->vwc & NVME_CTRL_VWC_PRESENT) != 0;
	g->zeroes = (le16toh(id->oncs) & NVME_CTRL_ONCS_WRITE_ZEROES) != 0;
	g->trim = (le16toh(id->oncs) & NVME_CTRL_ONCS_DSM) != 0;
	for (unsigned int i = 0; i < 3; i++)
		g->crdt[i + 1] = le16toh((&id->crdt1)[i]);
	g->temp_warn = le16toh(id->wctemp);
	g->temp_crit = le16toh(id->cctemp);
	g->error_entries = (uint16_t)(id->elpe + 1);
	g->tells_commands = (id->lpa & NVME_CTRL_LPA_CMD_EFFECTS) != 0;
	return 0;
}

static int
read_format(struct nvme_geom *g, const struct nvme_id_ns *id, char *why, size_t len)
{
	unsigned int index = (id->flbas & 0xfu) | (id->nlbaf > 15 ? (id->flbas >> 1) & 0x30u : 0);
	const struct nvme_lbaf *f = &id->lbaf[index];

	if (id->nlbaf > 63 || index > id->nlbaf)
		return LIE(why, len, "it uses LBA format %u of %u", index, id->nlbaf + 1u);
	if (le16toh(f->ms) != 0 || (id->dps & NVME_NS_DPS_PI_MASK) != 0)
		return UNFIT(why, len,
			     "its blocks carry %u bytes of metadata%s; format it without (nvme format --ms=0 --pi=0)",
			     le16toh(f->ms),
			     (id->dps & NVME_NS_DPS_PI_MASK) != 0 ? " with protection information" : "");
	if (f->ds != 9 && f->ds != 12)
		return f->ds < 9 || f->ds > 31
			       ? LIE(why, len, "impossible LBA format: blocks of 2^%u bytes", f->ds)
			       : UNFIT(why, len, "its blocks have %u bytes; expected 512 or 4096", 1u << f->ds);
	g->lba_shift = f->ds;
	return 0;
}

static int
read_size(struct nvme_geom *g, const struct nvme_id_ns *id, const struct nvme_kernel_view *k, char *why, size_t len)
{
	uint64_t ncap = le64toh(id->ncap), nuse = le64toh(id->nuse);

	g->blocks = le64toh(id->nsze);
	if (g->blocks == 0)
		return UNFIT(why, len, "namespace %u is not there or not attached to this controller", g->nsid);
	if (g->blocks > (uint64_t)INT64_MAX >> g->lba_shift)
		return LIE(why, len, "impossible size: %" PRIu64 " blocks", g->blocks);
	if (ncap > g->blocks || nuse > ncap)
		return LIE(why, len, "size %" PRIu64 ", capacity %" PRIu64 ", used %" PRIu64 " blocks contradict",
			   g->blocks, ncap, nuse);
	if (k->bytes > 0 && k->bytes != g->blocks << g->lba_shift)
		return LIE(why, len, "it says it has %" PRIu64 " bytes; the kernel was told %" PRIu64,
			   g->blocks << g->lba_shift, k->bytes);
	if ((id->nsattr & NSATTR_PROTECTED) != 0)
		return UNFIT(why, len, "namespace %u is write-protected", g->nsid);
	return 0;
}

static void
read_wishes(struct nvme_geom *g, const struct nvme_id_ns *id)
{
	uint64_t unit = (uint64_t)(le16toh(id->npwg) + 1) << g->lba_shift;
	uint64_t align = (uint64_t)(le16toh(id->npwa) + 1) << g->lba_shift;
	uint64_t boundary = (uint64_t)le16toh(id->noiob) << g->lba_shift;

	/* Writes cut at multiples of both serve both; a wish longer than a command cannot be met. */
	unit = unit % align == 0 ? unit : unit * align;
	if ((id->nsfeat & NVME_NS_FEAT_IO_OPT) != 0 && unit > 1u << g->lba_shift && unit <= g->max_xfer)
		g->write_unit = (uint32_t)unit;
	if (boundary <= UINT32_MAX)
		g->boundary = (uint32_t)boundary;
	g->thin = (id->nsfeat & NVME_NS_FEAT_THIN) != 0;
	g->trim_zeroes = (id->dlfeat & DLFEAT_READS) == DLFEAT_READS_ZERO;
	g->zeroes_free = (id->dlfeat & DLFEAT_DEAC) != 0 && g->trim_zeroes;
	memcpy(g->nguid, id->nguid, sizeof(g->nguid));
	memcpy(g->eui64, id->eui64, sizeof(g->eui64));
}

/* Another command set (zones, keys) shares the drive's name and nothing else. */
static int
read_command_set(struct nvme_dev *dev, uint8_t *data, char *why, size_t len)
{
	memset(data, 0, ID_BYTES);
	if (dev->ops->identify(dev, NVME_IDENTIFY_CNS_NS_DESC_LIST, dev->nsid, data) != 0)
		return 0; /* older than command sets */
	for (unsigned int at = 0; at + 4 < ID_BYTES && data[at + 1] != 0; at += 4u + data[at + 1]) {
		if (data[at] == NVME_NIDT_CSI && data[at + 4] != NVME_CSI_NVM)
			return UNFIT(why, len, "it is a %s namespace; expected plain blocks",
				     data[at + 4] == NVME_CSI_ZNS ? "zoned" : "key-value");
	}
	return 0;
}

/* What Identify promises and the log of commands denies is not asked for. */
static void
read_commands(struct nvme_geom *g, struct nvme_dev *dev, uint8_t *data)
{
	if (!g->tells_commands)
		return;
	g->zeroes = g->zeroes && nvme_logs_knows(dev, false, nvme_cmd_write_zeroes, data);
	g->trim = g->trim && nvme_logs_knows(dev, false, nvme_cmd_dsm, data);
}

static void
limits(struct nvme_geom *g, struct nvme_dev *dev, const struct nvme_kernel_view *k, uint8_t *data)
{
	const uint32_t most = 65536u << g->lba_shift; /* NLB has 16 bits */
	uint8_t wzsl = 0;
	uint32_t value;

	memset(data, 0, ID_BYTES);
	if (dev->ops->identify(dev, NVME_IDENTIFY_CNS_CSI_CTRL, 0, data) == 0)
		wzsl = data[WZSL_BYTE];
	g->max_xfer = RTE_ALIGN_FLOOR(RTE_MIN(g->max_xfer, most), 4096u);
	/* Drives exist that mind MDTS here, though it is not for this command: be long only when told how long. */
	if (wzsl > 0 && wzsl < 16)
		g->max_zeroes = 4096u << wzsl;
	else
		g->max_zeroes = k->max_zeroes > 0 ? k->max_zeroes : g->max_xfer;
	g->max_zeroes = RTE_ALIGN_FLOOR(RTE_MIN(g->max_zeroes, most), 4096u);
	if (g->max_zeroes == 0)
		g->zeroes = false;
	g->max_trim = RTE_ALIGN_FLOOR(UINT32_MAX, 4096u);
	g->cache_on = g->cache_present;
	if (g->cache_present && dev->ops->feature(dev, NVME_FEAT_FID_VOLATILE_WC, &value) == 0)
		g->cache_on = (value & 1) != 0;
}

int
nvme_geom_ask(struct nvme_geom *g, struct nvme_dev *dev, const struct nvme_kernel_view *kernel, char *why, size_t len)
{
	void *data;
	int ret;

	static_assert(sizeof(struct nvme_id_ctrl) == ID_BYTES && sizeof(struct nvme_id_ns) == ID_BYTES, "Identify");
	memset(g, 0, sizeof(*g));
	g->nsid = dev->nsid;
	if (posix_memalign(&data, ID_BYTES, ID_BYTES) != 0) {
		snprintf(why, len, "out of memory");
		return -ENOMEM;
	}
	ret = ask(dev, NVME_IDENTIFY_CNS_CTRL, 0, "Controller", data, why, len);
	if (ret == 0)
		ret = read_ctrl(g, data, kernel, why, len);
	if (ret == 0)
		ret = read_command_set(dev, data, why, len);
	if (ret == 0)
		ret = ask(dev, NVME_IDENTIFY_CNS_NS, dev->nsid, "Namespace", data, why, len);
	if (ret == 0)
		ret = read_format(g, data, why, len);
	if (ret == 0)
		ret = read_size(g, data, kernel, why, len);
	if (ret == 0) {
		read_wishes(g, data);
		read_commands(g, dev, data);
		limits(g, dev, kernel, data);
		if (g->max_xfer == 0)
			ret = LIE(why, len, "it takes no transfer of 4096 bytes");
	}
	free(data);
	return ret;
}

bool
nvme_geom_same(const struct nvme_geom *a, const struct nvme_geom *b)
{
	return strcmp(a->serial, b->serial) == 0 && a->nsid == b->nsid && a->blocks == b->blocks &&
	       a->lba_shift == b->lba_shift && memcmp(a->nguid, b->nguid, sizeof(a->nguid)) == 0 &&
	       memcmp(a->eui64, b->eui64, sizeof(a->eui64)) == 0;
}
