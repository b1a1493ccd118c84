/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* Admin commands of the fake controller, in-band and by its management controller. */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <rte_common.h>

#include "fake_nvme_pvt.h"

/* --- the device ------------------------------------------------------------------------------------------------------
 */

static int
identify(struct fake_nvme *f, uint8_t cns, void *data)
{
	if (cns == 2) {
		memset(data, 0, FAKE_NVME_PAGE);
		for (uint32_t i = 0; i < f->namespaces; i++)
			((uint32_t *)data)[i] = i + 1;
		return 0;
	}
	if (cns > 1)
		return 0x4002; /* Invalid Field, do not retry */
	memcpy(data, cns == 1 ? f->ctrl : f->ns, f->identify_bytes);
	return 0;
}

static int
page(struct fake_nvme *f, uint8_t lid, void *data, uint32_t len)
{
	if (lid == 0x81) {
		memset(data, 0, len);
		((uint8_t *)data)[2] = f->sanitize_polls > 0 ? 2 : f->sanitize_state;
		f->sanitize_polls -= f->sanitize_polls > 0;
		return 0;
	}
	if (lid < RTE_DIM(f->pages) && f->has_page[lid]) {
		memcpy(data, f->pages[lid], RTE_MIN(len, FAKE_NVME_PAGE));
		return 0;
	}
	if (lid != 2)
		return 0x4109; /* Invalid Log Page */
	memcpy(data, f->smart, RTE_MIN(len, sizeof(f->smart)));
	return 0;
}

static int
feature(uint8_t fid, uint32_t *value)
{
	*value = 1;
	return fid == 6 ? 0 : 0x4002;
}

static int
format(struct fake_nvme *f)
{
	f->formatted += f->erase_res == 0;
	return f->erase_res;
}

static int
sanitize(struct fake_nvme *f, uint8_t action)
{
	f->sanitized = f->erase_res == 0 ? action : 0;
	return f->erase_res;
}

/* An admin command arrives in-band. @return what is said in place of an answer, or 0. */
static int
in_band(struct nvme_dev *dev, struct fake_nvme **f)
{
	/* A device of its own kind that was opened anew to be looked at is not part of it. */
	*f = dev->fd < 0 ? container_of(dev, struct fake_nvme, dev) : fake_nvme_opening;
	(*f)->in_band++;
	return (*f)->remedies < (*f)->silent_for ? (*f)->silence : 0;
}

int
fake_nvme_identify(struct nvme_dev *dev, uint8_t cns, uint32_t nsid, void *data)
{
	struct fake_nvme *f;
	int ret = in_band(dev, &f);

	RTE_SET_USED(nsid);
	return ret != 0 ? ret : identify(f, cns, data);
}

int
fake_nvme_log(struct nvme_dev *dev, uint8_t lid, void *data, uint32_t len)
{
	struct fake_nvme *f;
	int ret = in_band(dev, &f);

	return ret != 0 ? ret : page(f, lid, data, len);
}

int
fake_nvme_feature(struct nvme_dev *dev, uint8_t fid, uint32_t *value)
{
	struct fake_nvme *f;
	int ret = in_band(dev, &f);

	return ret != 0 ? ret : feature(fid, value);
}

int
fake_nvme_format(struct nvme_dev *dev, uint8_t flbas)
{
	struct fake_nvme *f;
	int ret = in_band(dev, &f);

	RTE_SET_USED(flbas);
	return ret != 0 ? ret : format(f);
}

int
fake_nvme_sanitize(struct nvme_dev *dev, uint8_t action)
{
	struct fake_nvme *f;
	int ret = in_band(dev, &f);

	return ret != 0 ? ret : sanitize(f, action);
}

/* --- its management controller ---------------------------------------------------------------------------------------
 */

static int
by_mi(struct nvme_dev *dev, struct fake_nvme **f)
{
	*f = container_of(dev, struct fake_nvme, mi);
	if ((*f)->mi_is != FAKE_MI_ANSWERS)
		return -ETIMEDOUT;
	(*f)->by_mi++;
	return 0;
}

static int
mi_identify(struct nvme_dev *dev, uint8_t cns, uint32_t nsid, void *data)
{
	struct fake_nvme *f;
	int ret = by_mi(dev, &f);

	RTE_SET_USED(nsid);
	return ret != 0 ? ret : identify(f, cns, data);
}

static int
mi_log(struct nvme_dev *dev, uint8_t lid, void *data, uint32_t len)
{
	struct fake_nvme *f;
	int ret = by_mi(dev, &f);

	return ret != 0 ? ret : page(f, lid, data, len);
}

static int
mi_feature(struct nvme_dev *dev, uint8_t fid, uint32_t *value)
{
	struct fake_nvme *f;
	int ret = by_mi(dev, &f);

	return ret != 0 ? ret : feature(fid, value);
}

static int
mi_format(struct nvme_dev *dev, uint8_t flbas)
{
	struct fake_nvme *f;
	int ret = by_mi(dev, &f);

	RTE_SET_USED(flbas);
	return ret != 0 ? ret : format(f);
}

static void
mi_close(struct nvme_dev *dev)
{
	dev->nsid = 0;
}

static const struct nvme_dev_ops mi_ops = {
	.name = "fake MI",
	.identify = mi_identify,
	.log = mi_log,
	.feature = mi_feature,
	.format = mi_format,
	.close = mi_close,
};

int
fake_nvme_find_mi(struct nvme_dev **out, const char *serial, char *why, size_t len)
{
	struct fake_nvme *f = fake_nvme_opening;

	f->mi_searched++;
	if (f->mi_is == FAKE_MI_ABSENT || strcmp(serial, f->serial) != 0) {
		snprintf(why, len, f->mi_is == FAKE_MI_ABSENT ? "the kernel has no MCTP" : "no endpoint is drive %s",
			 serial);
		return f->mi_is == FAKE_MI_ABSENT ? -EAFNOSUPPORT : -ENODEV;
	}
	f->mi = (struct nvme_dev){.ops = &mi_ops, .fd = -1};
	*out = &f->mi;
	return 0;
}
