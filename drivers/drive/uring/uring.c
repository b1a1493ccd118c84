/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* A drive that is a file or a block device, driven by io_uring. */

#include <errno.h>
#include <stdio.h>

#include <rte_malloc.h>

#include "uring_op.h"

static bool slots[URING_FILES]; /* atomic: several are opened, and main closes one, at once */

static const struct conf_key uring_keys[] = {
	{.name = "path", .type = CONF_PATH, .required = true, .help = "File or block device."},
	{.name = "size",
	 .type = CONF_SIZE,
	 .min = 4096,
	 .help = "Create the file, or extend it, to this size, with its space reserved. Absent: it must exist."},
	{.name = "block_size",
	 .type = CONF_UINT,
	 .power_of_two = true,
	 .min = 512,
	 .max = 4096,
	 .help = "Smallest unit of an I/O, bytes: 512 or 4096. Absent: the smallest the file system or device takes."},
	{.name = "direct", .type = CONF_BOOL, .def = "true", .help = "Past the kernel's page cache (O_DIRECT)."},
	{.name = "registered",
	 .type = CONF_BOOL,
	 .def = "true",
	 .help = "Use io_uring's registered buffers and files."},
	{.name = NULL},
};

static int
slot_take(struct uring_drive *d)
{
	for (d->slot = 0; d->slot < URING_FILES; d->slot++) {
		if (!__atomic_exchange_n(&slots[d->slot], true, __ATOMIC_ACQUIRE))
			return 0;
	}
	return -ENOSPC;
}

static int
uring_open(struct strake_drive *drive, const struct conf_values *conf, char *err, size_t errlen)
{
	struct uring_file_conf fc = {
		.name = drive->name,
		.path = conf_str(conf, "path"),
		.size = conf_u64(conf, "size"),
		.block_size = (uint32_t)conf_u64(conf, "block_size"),
		.direct = conf_u64(conf, "direct") != 0,
	};
	struct uring_drive *d = rte_zmalloc("uring_drive", sizeof(*d), RTE_CACHE_LINE_SIZE);
	int ret;

	if (d == NULL || slot_take(d) < 0) {
		snprintf(err, errlen, "drive %s: out of memory, or more than %u uring drives", drive->name,
			 URING_FILES);
		rte_free(d);
		return -ENOMEM;
	}
	ret = uring_file_open(&d->file, &fc, err, errlen);
	if (ret < 0) {
		__atomic_store_n(&slots[d->slot], false, __ATOMIC_RELEASE);
		rte_free(d);
		return ret;
	}
	d->registered = conf_u64(conf, "registered") != 0;
	drive->bytes = d->file.bytes;
	drive->block_size = d->file.block_size;
	drive->max_io = STRAKE_BUF_PAGE_MAX;
	drive->volatile_cache = true;
	drive->priv = d;
	snprintf(drive->serial, sizeof(drive->serial), "%s", d->file.serial);
	return 0;
}

static void
uring_close(struct strake_drive *drive)
{
	struct uring_drive *d = drive->priv;

	uring_file_close(&d->file);
	__atomic_store_n(&slots[d->slot], false, __ATOMIC_RELEASE);
	rte_free(d);
}

static int
uring_lcore_init(struct strake_drive *drive)
{
	struct uring_drive *d = drive->priv;
	struct uring_ring *r;
	int ret = uring_ring_get(&r);

	if (ret < 0)
		return ret;
	if (d->registered)
		uring_ring_file(r, d->slot, d->file.fd);
	drive->lc[strake_self_index()] = r;
	return 0;
}

static void
uring_lcore_fini(struct strake_drive *drive)
{
	struct uring_drive *d = drive->priv;
	struct uring_ring *r = drive->lc[strake_self_index()];

	/* A registered file stays open, and so locked, until it is taken out of the table. */
	if (d->registered)
		uring_ring_file(r, d->slot, -1);
	uring_ring_put(r);
	drive->lc[strake_self_index()] = NULL;
}

static uint16_t
uring_submit(struct strake_drive *drive, struct strake_io **ios, uint16_t n)
{
	struct uring_ring *r = drive->lc[strake_self_index()];
	struct uring_drive *d = drive->priv;
	uint16_t i;

	for (i = 0; i < n; i++) {
		if (io_uring_sq_space_left(&r->q.ring) == 0 || uring_op_begin(r, d, ios[i]) < 0)
			break;
	}
	return i;
}

static bool
uring_takes(const struct strake_drive *drive, const struct strake_io *io)
{
	const struct uring_drive *d = drive->priv;

	return uring_lies_well(&d->file, io);
}

static void
uring_telemetry(struct strake_drive *drive, struct rte_tel_data *dict)
{
	const struct uring_drive *d = drive->priv;
	uint64_t enters = 0, retried = 0;

	for (unsigned int i = 0; i < STRAKE_LCORE_MAX; i++) {
		const struct uring_ring *r = drive->lc[i];

		if (r == NULL)
			continue;
		enters += r->q.enters;
		retried += r->retried;
	}
	rte_tel_data_add_dict_string(dict, "backing", d->file.device ? "device" : "file");
	rte_tel_data_add_dict_u64(dict, "mem_align", d->file.mem_align);
	rte_tel_data_add_dict_u64(dict, "short_ios", d->short_ios);
	rte_tel_data_add_dict_u64(dict, "zeroes_written", d->zeroes_written);
	rte_tel_data_add_dict_u64(dict, "ring_enters", enters);
	rte_tel_data_add_dict_u64(dict, "ring_retried", retried);
}

static const struct strake_drive_ops uring_ops = {
	.name = "uring",
	.keys = uring_keys,
	.open = uring_open,
	.close = uring_close,
	.lcore_init = uring_lcore_init,
	.lcore_fini = uring_lcore_fini,
	.submit = uring_submit,
	.lies_well = uring_takes,
	.telemetry = uring_telemetry,
};
STRAKE_DRIVE_REGISTER(uring_ops)
