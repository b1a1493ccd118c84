/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "nvme_status.h"

#include <errno.h>

#include <libnvme.h>

#define SCT_SHIFT     8
#define CRD_SHIFT     11

#define PATH_DELAY_MS 50

static struct nvme_fate
once(enum nvme_verdict verdict, int status)
{
	return (struct nvme_fate){verdict, status, 0, 1};
}

static struct nvme_fate
kernel_says(int err)
{
	switch (err) {
	case ENODEV:
	case ENXIO:
	case EBADF:
		return once(NVME_GONE, -ENODEV);
	case EINTR: /* aborted after timeout_ms, or by a reset: the drive no longer has it */
		return (struct nvme_fate){NVME_TROUBLE, -ETIMEDOUT, PATH_DELAY_MS, 0};
	case EAGAIN:
	case ENOMEM:
		return (struct nvme_fate){NVME_PATH, -ENOMEM, 1, 0};
	case ENOSPC:
		return once(NVME_REFUSED, -ENOSPC);
	default:
		return once(NVME_REFUSED, -EIO);
	}
}

/* Generic command status (NVMe Base specification 2.0, figure 94). */
static struct nvme_fate
generic(unsigned int sc)
{
	switch (sc) {
	case NVME_SC_DATA_XFER_ERROR:
	case NVME_SC_POWER_LOSS:
	case NVME_SC_INTERNAL:
	case NVME_SC_CMD_INTERRUPTED:
	case NVME_SC_TRAN_TPORT_ERROR:
		return (struct nvme_fate){NVME_TROUBLE, -EIO, 10, 4};
	case NVME_SC_ABORT_REQ:
	case NVME_SC_ABORT_QUEUE:
		return (struct nvme_fate){NVME_TROUBLE, -ETIMEDOUT, PATH_DELAY_MS, 0};
	case NVME_SC_NS_NOT_READY:
	case NVME_SC_ADMIN_CMD_MEDIA_NOT_READY:
	case NVME_SC_FORMAT_IN_PROGRESS:
	case NVME_SC_SANITIZE_IN_PROGRESS:
		return (struct nvme_fate){NVME_PATH, -EIO, 200, 0};
	case NVME_SC_INVALID_NS:
		return once(NVME_GONE, -ENODEV);
	case NVME_SC_CAP_EXCEEDED:
		return once(NVME_REFUSED, -ENOSPC);
	default:
		return once(NVME_REFUSED, -EIO);
	}
}

static struct nvme_fate
drive_says(unsigned int res)
{
	unsigned int sct = (res >> SCT_SHIFT) & 7, sc = res & 0xff;

	switch (sct) {
	case NVME_SCT_GENERIC:
		return generic(sc);
	case NVME_SCT_MEDIA:
		/* The drive tried hard already; once more, because a few do not say so. */
		return (struct nvme_fate){NVME_MEDIA, -EIO, 0, 2};
	case NVME_SCT_PATH:
		return (struct nvme_fate){NVME_PATH, -ETIMEDOUT, PATH_DELAY_MS, 0};
	default:
		return once(NVME_REFUSED, -EIO);
	}
}

struct nvme_fate
nvme_status_judge(int res, const struct nvme_geom *g)
{
	struct nvme_fate fate;
	uint32_t told;

	if (res == 0)
		return once(NVME_OK, 0);
	if (res < 0)
		return kernel_says(-res);
	fate = drive_says((unsigned int)res);
	if ((res & NVME_SC_DNR) != 0)
		fate.tries = 1;
	told = g->crdt[((unsigned int)res & NVME_SC_CRD) >> CRD_SHIFT] * 100u;
	if (told > fate.delay_ms)
		fate.delay_ms = told;
	return fate;
}

bool
nvme_status_silent(int res)
{
	switch (res) {
	case -EINTR: /* the kernel aborted it */
	case -ETIMEDOUT:
	case -ENODEV:
	case -ENXIO:
		return true;
	default:
		return res > 0 && ((unsigned int)res >> SCT_SHIFT & 7) == NVME_SCT_PATH;
	}
}
