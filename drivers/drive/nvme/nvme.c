/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* A drive that is an NVMe namespace behind the kernel's driver: found, claimed, and the best way to it chosen. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <rte_malloc.h>

#include "nvme_drive.h"
#include "nvme_helper.h"
#include "nvme_ring.h"
#include "nvme_watch.h"

#define SYSFS	      "/sys"
#define CLAIM_TRIES   50
#define CLAIM_WAIT_US 20000

enum access { ACCESS_AUTO, ACCESS_PASSTHROUGH, ACCESS_HELPER, ACCESS_BLOCK };
static const char *const access_words[] = {"auto", "passthrough", "helper", "block", NULL};
enum trim { TRIM_SAFE, TRIM_ALWAYS, TRIM_NEVER };
static const char *const trim_words[] = {"safe", "always", "never", NULL};

static bool slots[NVME_DRIVES]; /* main only */

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
	{.name = NULL},
};

struct opening {
	struct strake_drive *drive;
	const struct conf_values *conf;
	struct nvme_place place;
	struct nvme_dev *dev;
	int claim_fd;
	enum access access;
	char why[128]; /* this way was taken, or not the one before it */
	char *err;
	size_t len;
};

#define FAIL(o, ret, fmt, ...)                                                                                         \
	(snprintf((o)->err, (o)->len, "drive %s: %s: " fmt, (o)->drive->name, conf_str((o)->conf, "device"),           \
		  ##__VA_ARGS__),                                                                                      \
	 (ret))

static bool
not_permitted(int ret)
{
	return ret == -EACCES || ret == -EPERM;
}

/* --- by the character device -----------------------------------------------------------------------------------------
 */

static int
dev_create(struct opening *o)
{
	char path[64];
	int ret;

	o->dev = rte_zmalloc("nvme_dev", sizeof(*o->dev), RTE_CACHE_LINE_SIZE);
	if (o->dev == NULL)
		return FAIL(o, -ENOMEM, "out of memory");
	while (o->dev->slot < NVME_DRIVES && slots[o->dev->slot])
		o->dev->slot++;
	if (o->dev->slot == NVME_DRIVES) {
		ret = FAIL(o, -ENOSPC, "more than %u drives of this kind", NVME_DRIVES);
		goto err_free;
	}
	snprintf(path, sizeof(path), "/dev/%s", o->place.generic);
	o->dev->fd = open(path, O_RDWR | O_CLOEXEC);
	if (o->dev->fd < 0) {
		ret = FAIL(o, -errno, "%s: %s", path, strerror(errno));
		goto err_free;
	}
	o->dev->ops = &nvme_ring_ops;
	o->dev->nsid = o->place.nsid;
	o->dev->max_iov = NVME_IOVS;
	o->dev->dma_mask = RTE_MAX(o->place.dma_mask, 3u);
	o->dev->timeout_ms = (uint32_t)(conf_u64(o->conf, "timeout") / STRAKE_NS_PER_MS);
	return 0;

err_free:
	rte_free(o->dev);
	o->dev = NULL;
	return ret;
}

/* Exclusively: the kernel then refuses to mount it, and refuses us what is mounted or held by a volume manager. An
 * io_uring of a process that has ended may hold it a moment longer. */
static int
claim(struct opening *o)
{
	char path[64];

	snprintf(path, sizeof(path), "/dev/%s", o->place.block);
	for (unsigned int i = 0; i < CLAIM_TRIES; i++) {
		o->claim_fd = open(path, O_RDWR | O_EXCL | O_CLOEXEC);
		if (o->claim_fd >= 0)
			return 0;
		if (errno != EBUSY)
			break;
		usleep(CLAIM_WAIT_US);
	}
	if (errno == EBUSY)
		return FAIL(o, -EBUSY, "it is mounted or used by something else");
	return FAIL(o, -errno, "%s: %s", path, strerror(errno));
}

/*
 * How long a command is tried again. A drive that lost one gives it back when the kernel has aborted it and then reset
 * the controller, a timeout each, rounded up by its clock of a second, and the time of the reset; after that it
 * deserves a try.
 */
static uint64_t
patience(uint64_t timeout)
{
	return 3 * timeout + 5 * STRAKE_NS_PER_SEC;
}

static int
attach(struct opening *o)
{
	struct nvme_kernel_view kernel = {
		.bytes = o->place.bytes,
		.max_xfer = o->place.max_xfer,
		.max_segments = o->place.max_segments,
		.max_zeroes = o->place.max_zeroes,
		.serial = o->place.serial[0] != '\0' ? o->place.serial : NULL,
	};
	struct nvme_drive_opts opts = {
		.patience = patience(conf_u64(o->conf, "timeout")),
		.always_trim = conf_u64(o->conf, "trim") == TRIM_ALWAYS,
		.never_trim = conf_u64(o->conf, "trim") == TRIM_NEVER,
	};
	char why[256];
	int ret = nvme_drive_attach(o->drive, o->dev, &kernel, &opts, why, sizeof(why));

	return ret < 0 ? FAIL(o, ret, "%s", why) : 0;
}

/* io_uring where the kernel can, else threads that wait. */
static int
choose_queue(struct opening *o)
{
	int ret = -EOPNOTSUPP;

	if (o->access != ACCESS_HELPER)
		ret = nvme_ring_probe(o->dev, o->drive->block_size, o->place.max_segments);
	if (ret == 0)
		return 0;
	if (ret != -EOPNOTSUPP || o->access == ACCESS_PASSTHROUGH)
		return FAIL(o, ret, "no passthrough by io_uring: %s", strerror(-ret));
	if (o->access == ACCESS_AUTO)
		snprintf(o->why, sizeof(o->why), "the kernel has no passthrough by io_uring");
	ret = nvme_helper_start(o->dev);
	return ret < 0 ? FAIL(o, ret, "helper threads: %s", strerror(-ret)) : 0;
}

static int
open_passthrough(struct opening *o)
{
	struct nvme_drive *d;
	int ret = dev_create(o);

	if (ret < 0)
		return ret;
	ret = claim(o);
	if (ret < 0)
		goto err_dev;
	ret = attach(o);
	if (ret < 0)
		goto err_claim;
	slots[o->dev->slot] = true;
	ret = choose_queue(o);
	if (ret < 0) {
		slots[o->dev->slot] = false;
		rte_free(o->drive->priv);
		goto err_claim;
	}
	d = o->drive->priv;
	d->place = o->place;
	d->claim_fd = o->claim_fd;
	ret = nvme_watch_start(&d->watch, o->drive, conf_u64(o->conf, "health"));
	if (ret == 0)
		return 0;
	ret = FAIL(o, ret, "no thread to watch it: %s", strerror(-ret));
	slots[o->dev->slot] = false;
	nvme_drive_close(o->drive);
	rte_free(o->dev);
	return ret;

err_claim:
	close(o->claim_fd);
err_dev:
	close(o->dev->fd);
	rte_free(o->dev);
	return ret;
}

/* --- by the block device ---------------------------------------------------------------------------------------------
 */

static int
open_block(struct opening *o)
{
	const struct strake_drive_ops *ops = strake_drive_find("uring");
	struct nvme_drive *d = rte_zmalloc("nvme_drive", sizeof(*d), RTE_CACHE_LINE_SIZE);
	struct strake_drive *b = rte_zmalloc("nvme_block", sizeof(*b), RTE_CACHE_LINE_SIZE);
	struct conf_values *values = NULL;
	char path[64];
	int ret = -EINVAL;

	if (ops == NULL || d == NULL || b == NULL) {
		ret = FAIL(o, -ENOMEM, "out of memory");
		goto err;
	}
	snprintf(path, sizeof(path), "/dev/%s", o->place.block);
	values = conf_values_make(ops->keys, (const char *const[]){"path", path, NULL}, o->err, o->len);
	if (values == NULL)
		goto err;
	b->ops = ops;
	snprintf(b->name, sizeof(b->name), "%s", o->drive->name);
	ret = ops->open(b, values, o->err, o->len);
	conf_values_free(values);
	if (ret < 0)
		goto err;
	o->drive->bytes = b->bytes;
	o->drive->block_size = b->block_size;
	o->drive->max_io = b->max_io;
	o->drive->volatile_cache = b->volatile_cache;
	if (o->place.serial[0] != '\0')
		nvme_drive_serial(o->drive, o->place.serial, o->place.nsid);
	else
		snprintf(o->drive->serial, sizeof(o->drive->serial), "%s", b->serial);
	d->block = b;
	d->place = o->place;
	d->claim_fd = -1;
	o->drive->priv = d;
	return 0;

err:
	rte_free(d);
	rte_free(b);
	return ret;
}

/* --- the kind --------------------------------------------------------------------------------------------------------
 */

/* What a drive is refused for stays refused, whichever way one takes. */
static bool
another_way(const struct opening *o, int ret)
{
	return o->access == ACCESS_AUTO && (not_permitted(ret) || ret == -EOPNOTSUPP || ret == -ENOENT);
}

static int
nvme_open(struct strake_drive *drive, const struct conf_values *conf, char *err, size_t errlen)
{
	struct opening o = {
		.drive = drive,
		.conf = conf,
		.access = (enum access)conf_u64(conf, "access"),
		.why = "asked for",
		.err = err,
		.len = errlen,
	};
	char why[256];
	int ret = nvme_place_find(&o.place, SYSFS, conf_str(conf, "device"), why, sizeof(why));

	if (ret < 0)
		return FAIL(&o, ret, "%s", why);
	if (o.access == ACCESS_AUTO)
		snprintf(o.why, sizeof(o.why), "the best there is");
	ret = -ENOENT;
	if (o.access != ACCESS_BLOCK) {
		ret = o.place.generic[0] != '\0' ? open_passthrough(&o) : FAIL(&o, -ENOENT, "no character device");
		if (another_way(&o, ret))
			snprintf(o.why, sizeof(o.why), "%s",
				 not_permitted(ret) ? "passthrough is not permitted"
				 : ret == -ENOENT   ? "the kernel has no character device for it"
						    : "the kernel has no passthrough");
	}
	if (o.access == ACCESS_BLOCK || another_way(&o, ret))
		ret = open_block(&o);
	if (ret == 0)
		memcpy(((struct nvme_drive *)drive->priv)->access_why, o.why, sizeof(o.why));
	return ret;
}

static void
nvme_close(struct strake_drive *drive)
{
	struct nvme_drive *d = drive->priv;
	struct nvme_dev *dev = d->dev;

	nvme_drive_close(drive);
	if (dev != NULL)
		slots[dev->slot] = false;
	rte_free(dev);
}

static const struct strake_drive_ops nvme_ops = {
	.name = "nvme",
	.keys = nvme_keys,
	.open = nvme_open,
	.close = nvme_close,
	.lcore_init = nvme_drive_lcore_init,
	.lcore_fini = nvme_drive_lcore_fini,
	.submit = nvme_drive_submit,
	.order = nvme_drive_order,
	.ordered = nvme_drive_ordered,
	.telemetry = nvme_drive_telemetry,
};
STRAKE_DRIVE_REGISTER(nvme_ops)
