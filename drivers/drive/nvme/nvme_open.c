/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "nvme_open.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <rte_log.h>
#include <rte_malloc.h>

#include "nvme_bring.h"
#include "nvme_drive.h"
#include "nvme_helper.h"
#include "nvme_mi.h"
#include "nvme_rescue.h"
#include "nvme_ring.h"
#include "nvme_watch.h"

RTE_LOG_REGISTER(nvme_open_logtype, strake.nvme, INFO)

#define SYSFS	      "/sys"
#define CLAIM_TRIES   50
#define CLAIM_WAIT_US 20000
#define KELVIN	      273

static bool slots[NVME_DRIVES]; /* atomic: several are opened, and main closes one, at once */

struct opening {
	struct strake_drive *drive;
	const struct conf_values *conf;
	struct nvme_place place; /* as it is, or was the last time it was found */
	bool found;		 /* now */
	struct nvme_dev *dev;
	int claim_fd;
	enum nvme_access access;
	char why[128]; /* this way was taken, or not the one before it */
	struct nvme_bring bring;
};

#define SAY(said, len, ret, ...) (snprintf(said, len, __VA_ARGS__), (ret))

static bool
not_permitted(int ret)
{
	return ret == -EACCES || ret == -EPERM;
}

static unsigned int
timeout_ms(const struct opening *o)
{
	return (unsigned int)(conf_u64(o->conf, "timeout") / STRAKE_NS_PER_MS);
}

/* --- steps -----------------------------------------------------------------------------------------------------------
 */

static int
find(void *arg, char *said, size_t len)
{
	struct opening *o = arg;
	const char *device = conf_str(o->conf, "device");
	struct nvme_place place;
	int ret = nvme_place_find(&place, SYSFS, device, said, len);

	o->found = ret == 0;
	if (ret == 0 || place.ctrl[0] != '\0')
		o->place = place;
	else if (o->place.address[0] == '\0' && strncmp(device, "serial:", 7) != 0 && strchr(device, ':') != NULL)
		snprintf(o->place.address, sizeof(o->place.address), "%.*s", (int)strcspn(device, "/"), device);
	if (ret < 0)
		return ret;
	return SAY(said, len, 0, "%s in slot %s", place.block, place.address);
}

static int
open_device(void *arg, char *said, size_t len)
{
	struct opening *o = arg;
	char path[64];
	int ret;

	if (o->place.generic[0] == '\0')
		return SAY(said, len, -ENOENT, "the kernel has no character device for it");
	o->dev = rte_zmalloc("nvme_dev", sizeof(*o->dev), RTE_CACHE_LINE_SIZE);
	if (o->dev == NULL)
		return SAY(said, len, -ENOMEM, "out of memory");
	snprintf(path, sizeof(path), "/dev/%s", o->place.generic);
	o->dev->fd = open(path, O_RDWR | O_CLOEXEC);
	if (o->dev->fd < 0) {
		ret = SAY(said, len, -errno, "%s: %s", path, strerror(errno));
		goto err_free;
	}
	while (o->dev->slot < NVME_DRIVES && __atomic_exchange_n(&slots[o->dev->slot], true, __ATOMIC_ACQUIRE))
		o->dev->slot++;
	if (o->dev->slot == NVME_DRIVES) {
		ret = SAY(said, len, -ENOSPC, "more than %u drives of this kind", NVME_DRIVES);
		goto err_close;
	}
	o->dev->ops = &nvme_ring_ops;
	o->dev->nsid = o->place.nsid;
	o->dev->max_iov = NVME_IOVS;
	o->dev->dma_mask = RTE_MAX(o->place.dma_mask, 3u);
	o->dev->timeout_ms = timeout_ms(o);
	return SAY(said, len, 0, "%s", path);

err_close:
	close(o->dev->fd);
err_free:
	rte_free(o->dev);
	o->dev = NULL;
	return ret;
}

static void
close_device(void *arg)
{
	struct opening *o = arg;

	o->dev->ops->close(o->dev);
	nvme_open_forget(o->dev);
	o->dev = NULL;
}

/* Exclusively: the kernel then refuses to mount it, and refuses us what is mounted or held by a volume manager. An
 * io_uring of a process that has ended may hold it a moment longer. */
static int
claim(void *arg, char *said, size_t len)
{
	struct opening *o = arg;
	char path[64];

	snprintf(path, sizeof(path), "/dev/%s", o->place.block);
	for (unsigned int i = 0; i < CLAIM_TRIES; i++) {
		o->claim_fd = open(path, O_RDWR | O_EXCL | O_CLOEXEC);
		if (o->claim_fd >= 0)
			return SAY(said, len, 0, "%s", path);
		if (errno != EBUSY)
			break;
		usleep(CLAIM_WAIT_US);
	}
	if (errno == EBUSY)
		return SAY(said, len, -EBUSY, "it is mounted or used by something else");
	return SAY(said, len, -errno, "%s: %s", path, strerror(errno));
}

static void
unclaim(void *arg)
{
	close(((struct opening *)arg)->claim_fd);
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
identify(void *arg, char *said, size_t len)
{
	struct opening *o = arg;
	struct nvme_kernel_view kernel = {
		.bytes = o->place.bytes,
		.max_xfer = o->place.max_xfer,
		.max_segments = o->place.max_segments,
		.max_zeroes = o->place.max_zeroes,
		.serial = o->place.serial[0] != '\0' ? o->place.serial : NULL,
	};
	struct nvme_drive_opts opts = {
		.patience = patience(conf_u64(o->conf, "timeout")),
		.always_trim = conf_u64(o->conf, "trim") == NVME_TRIM_ALWAYS,
		.never_trim = conf_u64(o->conf, "trim") == NVME_TRIM_NEVER,
		.wish = {.used = (uint8_t)conf_u64(o->conf, "max_used"),
			 .spare = (uint8_t)conf_u64(o->conf, "min_spare")},
		.second = nvme_mi_find,
	};
	uint64_t celsius = conf_u64(o->conf, "max_celsius");

	opts.wish.warm = celsius != 0 ? (uint16_t)(celsius + KELVIN) : 0;
	return nvme_drive_attach(o->drive, o->dev, &kernel, &opts, said, len);
}

static void
unidentify(void *arg)
{
	nvme_drive_detach(((struct opening *)arg)->drive);
}

/* A drive that keeps its health to itself may serve all the same. */
static int
health(void *arg, char *said, size_t len)
{
	const struct opening *o = arg;
	struct nvme_health h;

	(void)nvme_drive_look(o->drive->priv, &h, said, len);
	return 0;
}

/* io_uring where the kernel can, else threads that wait. */
static int
queue(void *arg, char *said, size_t len)
{
	struct opening *o = arg;
	int ret = -EOPNOTSUPP;

	if (o->access != NVME_ACCESS_HELPER)
		ret = nvme_ring_probe(o->dev, o->drive->block_size, o->place.max_segments);
	if (ret == 0)
		return SAY(said, len, 0, "passthrough by io_uring");
	if (ret != -EOPNOTSUPP || o->access == NVME_ACCESS_PASSTHROUGH)
		return SAY(said, len, ret, "no passthrough by io_uring: %s", strerror(-ret));
	if (o->access == NVME_ACCESS_AUTO)
		snprintf(o->why, sizeof(o->why), "the kernel has no passthrough by io_uring");
	ret = nvme_helper_start(o->dev);
	return ret < 0 ? SAY(said, len, ret, "helper threads: %s", strerror(-ret))
		       : SAY(said, len, 0, "helper threads");
}

static int
watch(void *arg, char *said, size_t len)
{
	struct opening *o = arg;
	struct nvme_drive *d = o->drive->priv;
	int ret;

	d->place = o->place;
	d->claim_fd = o->claim_fd;
	ret = nvme_watch_start(&d->watch, o->drive, conf_u64(o->conf, "health"));
	return ret < 0 ? SAY(said, len, ret, "no thread to watch it: %s", strerror(-ret)) : SAY(said, len, 0, "begun");
}

/* By the block device, without any of the above. */
static int
block(void *arg, char *said, size_t len)
{
	struct opening *o = arg;
	const struct strake_drive_ops *ops = strake_drive_find("uring");
	struct nvme_drive *d = rte_zmalloc("nvme_drive", sizeof(*d), RTE_CACHE_LINE_SIZE);
	struct strake_drive *b = rte_zmalloc("nvme_block", sizeof(*b), RTE_CACHE_LINE_SIZE);
	struct conf_values *values = NULL;
	char path[64];
	int ret = -EINVAL;

	if (ops == NULL || d == NULL || b == NULL) {
		ret = SAY(said, len, -ENOMEM, "out of memory");
		goto err;
	}
	snprintf(path, sizeof(path), "/dev/%s", o->place.block);
	values = conf_values_make(ops->keys, (const char *const[]){"path", path, NULL}, said, len);
	if (values == NULL)
		goto err;
	b->ops = ops;
	snprintf(b->name, sizeof(b->name), "%s", o->drive->name);
	ret = ops->open(b, values, said, len);
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
	d->sys = SYSFS;
	d->claim_fd = -1;
	o->drive->priv = d;
	return SAY(said, len, 0, "%s", path);

err:
	rte_free(d);
	rte_free(b);
	return ret;
}

/* --- remedies --------------------------------------------------------------------------------------------------------
 */

static bool
unwanted(const struct opening *o)
{
	return __atomic_load_n(&o->drive->unwanted, __ATOMIC_RELAXED);
}

static int
reset(void *arg, char *said, size_t len)
{
	const struct opening *o = arg;

	if (unwanted(o))
		return SAY(said, len, -ECANCELED, "nobody waits for it any more");
	if (!o->found)
		return SAY(said, len, -ENODEV, "there is nothing to reset");
	return nvme_rescue_reset(SYSFS, o->place.ctrl, timeout_ms(o), &o->drive->unwanted, said, len);
}

static int
rescan(void *arg, char *said, size_t len)
{
	const struct opening *o = arg;

	if (unwanted(o))
		return SAY(said, len, -ECANCELED, "nobody waits for it any more");
	return nvme_rescue_rescan(SYSFS, o->place.ctrl, o->place.address, timeout_ms(o), &o->drive->unwanted, said,
				  len);
}

/* --- the tables ------------------------------------------------------------------------------------------------------
 */

static const struct nvme_bring_step by_commands[] = {
	{"find", find, NULL},	   {"open", open_device, close_device},
	{"claim", claim, unclaim}, {"identify", identify, unidentify},
	{"health", health, NULL},  {"queue", queue, NULL},
	{"watch", watch, NULL},	   {NULL, NULL, NULL},
};

static const struct nvme_bring_step by_block[] = {
	{"find", find, NULL},
	{"block device", block, NULL},
	{NULL, NULL, NULL},
};

static const struct nvme_bring_step remedies[] = {
	{"reset", reset, NULL},
	{"rescan", rescan, NULL},
	{NULL, NULL, NULL},
};

/* What a drive is refused for stays refused, whichever way one takes. */
static bool
another_way(const struct opening *o, int ret)
{
	return o->access == NVME_ACCESS_AUTO && (not_permitted(ret) || ret == -EOPNOTSUPP || ret == -ENOENT);
}

static int
bring_up(struct opening *o, char *err, size_t len)
{
	int ret = -ENOENT;

	if (o->access != NVME_ACCESS_BLOCK)
		ret = nvme_bring_up(&o->bring, by_commands, remedies, o, err, len);
	if (another_way(o, ret))
		snprintf(o->why, sizeof(o->why), "%s",
			 not_permitted(ret) ? "passthrough is not permitted"
			 : ret == -ENOENT   ? "the kernel has no character device for it"
					    : "the kernel has no passthrough");
	if (o->access == NVME_ACCESS_BLOCK || another_way(o, ret))
		ret = nvme_bring_up(&o->bring, by_block, remedies, o, err, len);
	return ret;
}

int
nvme_open_drive(struct strake_drive *drive, const struct conf_values *conf, char *err, size_t len)
{
	struct opening o = {
		.drive = drive,
		.conf = conf,
		.access = (enum nvme_access)conf_u64(conf, "access"),
		.claim_fd = -1,
	};
	struct nvme_drive *d;
	char why[256];
	int ret;

	snprintf(o.why, sizeof(o.why), "%s", o.access == NVME_ACCESS_AUTO ? "the best there is" : "asked for");
	ret = bring_up(&o, why, sizeof(why));
	for (unsigned int i = 0; i < o.bring.n; i++)
		rte_log(o.bring.remedies > 0 ? RTE_LOG_NOTICE : RTE_LOG_DEBUG, nvme_open_logtype, "drive %s: %s\n",
			drive->name, o.bring.lines[i]);
	if (ret < 0) {
		snprintf(err, len, "drive %s: %s: %s", drive->name, conf_str(conf, "device"), why);
		return ret;
	}
	d = drive->priv;
	d->bring = o.bring;
	memcpy(d->access_why, o.why, sizeof(o.why));
	return 0;
}

void
nvme_open_forget(struct nvme_dev *dev)
{
	if (dev != NULL)
		__atomic_store_n(&slots[dev->slot], false, __ATOMIC_RELEASE);
	rte_free(dev);
}
