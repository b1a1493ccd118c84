/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* A drive that is an NVMe namespace behind the kernel's driver: the kind and its keys. */

#include "nvme_drive.h"
#include "nvme_open.h"

/* In the order of enum nvme_access and enum nvme_trim. */
static const char *const access_words[] = {"auto", "passthrough", "helper", "block", NULL};
static const char *const trim_words[] = {"safe", "always", "never", NULL};

static const struct conf_key nvme_keys[] = {
	{.name = "device",
	 .type = CONF_STRING,
	 .required = true,
	 .min = 1,
	 .max = 63,
	 .help = "/dev/ng0n1, nvme0n1, serial:NUMBER[/NSID], or a PCI slot such as 0000:01:00.0[/NSID]."},
	{.name = "access",
	 .type = CONF_CHOICE,
	 .choices = access_words,
	 .def = "auto",
	 .help = "How commands reach it; auto takes the first that works, in this order."},
	{.name = "timeout",
	 .type = CONF_DURATION,
	 .min = 1000000000ULL,
	 .max = 600000000000ULL,
	 .def = "10s",
	 .help = "After this the kernel aborts a command, after as long again it resets the controller; then it is "
		 "tried again."},
	{.name = "trim",
	 .type = CONF_CHOICE,
	 .choices = trim_words,
	 .def = "safe",
	 .help = "Whether to deallocate; safe: if the drive promises that zeroes are read afterwards."},
	{.name = "health",
	 .type = CONF_DURATION,
	 .min = 1000000000ULL,
	 .max = 86400000000000ULL,
	 .def = "1min",
	 .help = "How often its temperature, wear and errors are looked at."},
	{.name = "max_celsius",
	 .type = CONF_UINT,
	 .max = 200,
	 .def = "0",
	 .help = "Temperature that is told; 0: what the drive itself says."},
	{.name = "max_used",
	 .type = CONF_UINT,
	 .min = 1,
	 .max = 255,
	 .def = "80",
	 .help = "Percent of its life, of which it is told, and again every ten percent after that."},
	{.name = "min_spare",
	 .type = CONF_UINT,
	 .max = 100,
	 .def = "0",
	 .help = "Percent of its spare blocks, below which it is told; 0: what the drive itself says."},
	{.name = NULL},
};

static void
nvme_close(struct strake_drive *drive)
{
	struct nvme_drive *d = drive->priv;
	struct nvme_dev *dev = d->dev;

	nvme_drive_close(drive);
	nvme_open_forget(dev);
}

static const struct strake_drive_ops nvme_ops = {
	.name = "nvme",
	.keys = nvme_keys,
	.open = nvme_open_drive,
	.close = nvme_close,
	.lcore_init = nvme_drive_lcore_init,
	.lcore_fini = nvme_drive_lcore_fini,
	.submit = nvme_drive_submit,
	.lies_well = nvme_drive_lies_well,
	.order = nvme_drive_order,
	.ordered = nvme_drive_ordered,
	.telemetry = nvme_drive_telemetry,
};
STRAKE_DRIVE_REGISTER(nvme_ops)
