/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "power_drive.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_common.h>
#include <rte_debug.h>
#include <rte_spinlock.h>

#include "power_fault.h"

#define DISKS_MAX 32

/* An I/O under way; with its payload as it was at submission. */
struct op {
	struct strake_io *io;
	uint64_t due; /* turn of the lcore's poller in which it completes */
	uint64_t seq; /* versions there were when a flush was submitted */
	int status;
	uint16_t lcore;
	struct power_payload *data;
	struct op *next;
};

struct lcore_part {
	struct strake_poller poller;
	struct power_disk *disk;
	uint64_t turn;
};

struct power_supply {
	struct power_disk *disks[DISKS_MAX];
	unsigned int n_disks, made;
	uint64_t rng, writes, cut_at;
	void (*watch)(void *arg, uint64_t nth);
	void *watch_arg;
	bool on;
	rte_spinlock_t lock; /* over the supply and all its disks: a test needs no speed */
};

struct power_disk {
	struct power_supply *ps;
	struct power_conf conf;
	char serial[64];
	struct power_medium medium;
	struct op *ops; /* oldest first */
	struct power_faults faults;
	bool gone, hold;
	uint32_t slow; /* times as slow; 0: not */
	struct power_figures figures;
	struct lcore_part lc[STRAKE_LCORE_MAX];
};

static bool
writes(uint8_t op)
{
	return op == STRAKE_IO_WRITE || op == STRAKE_IO_WRITE_ZEROES || op == STRAKE_IO_DEALLOCATE;
}

/* --- power -------------------------------------------------------------------------------------------------------- */

/* What power leaves of a disk's bytes, in its medium or in a copy. */
static void
cut_medium(struct power_medium *m, const struct power_disk *d, uint64_t *rng)
{
	for (const struct op *op = d->ops; op != NULL; op = op->next) {
		if (writes(op->io->op) && op->status == 0)
			power_medium_half_write(m, op->io->off, op->io->len, op->data);
	}
	power_medium_cut(m, rng);
}

static void
cut_disk(struct power_disk *d)
{
	cut_medium(&d->medium, d, &d->ps->rng);
	for (struct op *op = d->ops; op != NULL; op = op->next)
		op->status = -ENODEV;
}

static void
cut_locked(struct power_supply *ps)
{
	if (!ps->on)
		return;
	ps->on = false;
	for (unsigned int i = 0; i < ps->n_disks; i++)
		cut_disk(ps->disks[i]);
}

/* --- one I/O -------------------------------------------------------------------------------------------------------
 */

static bool
in_bounds(const struct power_disk *d, const struct strake_io *io)
{
	if (io->op == STRAKE_IO_FLUSH)
		return io->len == 0;
	if (io->len == 0 || (io->off | io->len) % d->conf.block_size != 0 || io->off + io->len > d->conf.bytes ||
	    io->off + io->len < io->off)
		return false;
	return io->op > STRAKE_IO_WRITE || io->len <= d->conf.max_io;
}

static bool
overlaps(const struct power_disk *d, const struct strake_io *io)
{
	for (const struct op *op = d->ops; op != NULL; op = op->next) {
		if ((writes(io->op) || writes(op->io->op)) && io->off < op->io->off + op->io->len &&
		    op->io->off < io->off + io->len)
			return true;
	}
	return false;
}

static int
fill_window(struct power_disk *d, struct strake_io *io)
{
	uint8_t *bytes;
	int ret;

	if (io->bufs->len >= io->buf_off + io->len) {
		power_medium_read(&d->medium, io->off, io->bufs->addr + io->buf_off, io->len);
		return 0;
	}
	bytes = power_must(malloc(io->len));
	power_medium_read(&d->medium, io->off, bytes, io->len);
	ret = strake_buf_copy_in(io->bufs, io->buf_off, bytes, io->len);
	free(bytes);
	return ret;
}

static int
fill_read(struct power_disk *d, struct strake_io *io)
{
	struct strake_buf **tail = &io->bufs;
	uint64_t off = io->off;
	uint32_t left = io->len;

	if (io->bufs != NULL)
		return fill_window(d, io);
	while (left > 0) {
		struct strake_buf *buf = strake_buf_page(RTE_MIN(left, STRAKE_BUF_PAGE_MAX));

		if (buf == NULL) {
			strake_buf_put_list(io->bufs);
			io->bufs = NULL;
			return -ENOMEM;
		}
		power_medium_read(&d->medium, off, buf->addr, buf->len);
		off += buf->len;
		left -= buf->len;
		*tail = buf;
		tail = &buf->next;
	}
	return 0;
}

/* Carry it out. */
static int
perform(struct power_disk *d, struct op *op)
{
	struct strake_io *io = op->io;
	bool fua = d->conf.write_through || (io->flags & STRAKE_IO_FUA);

	d->figures.ops[io->op]++;
	switch (io->op) {
	case STRAKE_IO_READ:
		return fill_read(d, io);
	case STRAKE_IO_FLUSH:
		power_medium_settle(&d->medium, op->seq);
		return 0;
	case STRAKE_IO_WRITE:
		d->figures.changed += !power_payload_is(op->data, io);
		break;
	default:
		break;
	}
	power_faults_heal(&d->faults, io->off, io->len);
	d->figures.fua += (io->flags & STRAKE_IO_FUA) != 0;
	power_faults_write(&d->faults, &d->medium, io->off, io->len, op->data, fua);
	if (d->conf.write_through)
		power_medium_settle(&d->medium, power_medium_seq(&d->medium));
	return 0;
}

static bool
power_lies_well(const struct strake_drive *drive, const struct strake_io *io)
{
	const struct power_disk *d = drive->priv;
	struct strake_buf_iter it;
	bool well = true;
	uint8_t *at;
	uint32_t n;

	if (d->conf.align == 0 || strake_buf_iter_init(&it, io->bufs, io->buf_off, io->len) < 0)
		return true;
	while ((n = strake_buf_iter_next(&it, &at)) > 0)
		well = well && (((uintptr_t)at | n) & (d->conf.align - 1)) == 0;
	return well;
}

static void
begin(struct power_disk *d, struct strake_io *io)
{
	struct op *op = power_must(calloc(1, sizeof(*op))), **tail;

	op->io = io;
	op->lcore = strake_self_index();
	op->seq = power_medium_seq(&d->medium);
	op->due = d->lc[op->lcore].turn + RTE_MAX(1u, d->slow);
	if (d->conf.delay_turns > 0)
		op->due += power_draw(&d->ps->rng) % (d->conf.delay_turns + 1);
	if (!d->ps->on || d->gone)
		op->status = -ENODEV;
	else if (!in_bounds(d, io)) {
		d->figures.out_of_bounds++;
		op->status = -ERANGE;
	} else {
		op->status = power_faults_status(&d->faults, io);
		d->figures.overlaps += overlaps(d, io);
	}
	if (op->status == 0 && io->op == STRAKE_IO_WRITE) {
		d->figures.gathered += !power_lies_well(io->drive, io);
		op->data = power_payload_new(io->len);
		if (strake_buf_copy_out(io->bufs, io->buf_off, power_payload_bytes(op->data), io->len) < 0)
			rte_panic("write of %u bytes with a shorter payload\n", io->len);
	}
	for (tail = &d->ops; *tail != NULL; tail = &(*tail)->next)
		;
	*tail = op;
	d->figures.most_inflight = RTE_MAX(d->figures.most_inflight, ++d->figures.inflight);
	if (io->op == STRAKE_IO_READ)
		return;
	d->ps->writes++;
	if (d->ps->watch != NULL)
		d->ps->watch(d->ps->watch_arg, d->ps->writes);
	if (d->ps->writes == d->ps->cut_at)
		cut_locked(d->ps);
}

/* Unlink what is due on this lcore, in an order of its own. */
static struct op *
take_due(struct power_disk *d, uint16_t lcore, uint64_t turn)
{
	struct op **at = &d->ops, *due = NULL;

	while (*at != NULL) {
		struct op *op = *at;

		if (op->lcore != lcore || op->due > turn) {
			at = &op->next;
			continue;
		}
		*at = op->next;
		if (due == NULL || d->conf.delay_turns == 0 || power_draw(&d->ps->rng) % 2 == 0) {
			struct op **end = &due;

			while (*end != NULL)
				end = &(*end)->next;
			op->next = NULL;
			*end = op;
		} else {
			op->next = due;
			due = op;
		}
	}
	return due;
}

static uint32_t
power_poll(struct strake_poller *p, uint64_t now)
{
	struct lcore_part *lc = container_of(p, struct lcore_part, poller);
	struct power_disk *d = lc->disk;
	struct op *due = NULL, *op, *next;
	uint32_t n = 0;

	rte_spinlock_lock(&d->ps->lock);
	lc->turn++;
	if (!d->hold)
		due = take_due(d, strake_self_index(), lc->turn);
	for (op = due; op != NULL; op = op->next) {
		if (op->status == 0)
			op->status = perform(d, op);
		d->figures.failed += op->status != 0;
		d->figures.inflight--;
		power_payload_put(op->data);
	}
	rte_spinlock_unlock(&d->ps->lock);
	for (op = due; op != NULL; op = next) {
		next = op->next;
		strake_io_complete(op->io, op->status);
		free(op);
		n++;
	}
	return n;
}

/* --- the drive -----------------------------------------------------------------------------------------------------
 */

static struct power_disk *opening; /* hands the disk through strake_drive_open(), whose values are the file's */

static int
power_open(struct strake_drive *drive, const struct conf_values *conf, char *err, size_t errlen)
{
	struct power_disk *d = opening;

	if (d == NULL) {
		snprintf(err, errlen, "drive %s: only power_drive_open() opens this kind", drive->name);
		return -EINVAL;
	}
	drive->bytes = d->conf.bytes;
	drive->block_size = d->conf.block_size;
	drive->max_io = d->conf.max_io;
	drive->volatile_cache = !d->conf.write_through;
	drive->priv = d;
	snprintf(drive->serial, sizeof(drive->serial), "%s", d->serial);
	return 0;
}

static void
power_close(struct strake_drive *drive)
{
	struct power_disk *d = drive->priv;

	RTE_VERIFY(d->ops == NULL);
}

static int
power_lcore_init(struct strake_drive *drive)
{
	struct power_disk *d = drive->priv;
	struct lcore_part *lc = &d->lc[strake_self_index()];

	lc->disk = d;
	lc->poller = (struct strake_poller){.name = "power_drive", .poll = power_poll, .fd = -1};
	strake_poller_add(&lc->poller);
	return 0;
}

static void
power_lcore_fini(struct strake_drive *drive)
{
	struct power_disk *d = drive->priv;

	strake_poller_del(&d->lc[strake_self_index()].poller);
}

static uint16_t
power_submit(struct strake_drive *drive, struct strake_io **ios, uint16_t n)
{
	struct power_disk *d = drive->priv;
	uint16_t i;

	rte_spinlock_lock(&d->ps->lock);
	for (i = 0; i < n && (d->conf.depth == 0 || d->figures.inflight < d->conf.depth); i++)
		begin(d, ios[i]);
	rte_spinlock_unlock(&d->ps->lock);
	return i;
}

static const struct strake_drive_ops power_ops = {
	.name = "power",
	.open = power_open,
	.close = power_close,
	.lcore_init = power_lcore_init,
	.lcore_fini = power_lcore_fini,
	.submit = power_submit,
	.lies_well = power_lies_well,
};
STRAKE_DRIVE_REGISTER(power_ops)

int
power_drive_open(struct strake_drive **out, const char *name, struct power_disk *disk)
{
	char err[128];
	int ret;

	opening = disk;
	ret = strake_drive_open(out, name, "power", NULL, err, sizeof(err));
	opening = NULL;
	return ret;
}

/* --- the test's side -----------------------------------------------------------------------------------------------
 */

struct power_supply *
power_supply_new(uint64_t seed)
{
	struct power_supply *ps = power_must(calloc(1, sizeof(*ps)));

	ps->rng = seed;
	ps->on = true;
	rte_spinlock_init(&ps->lock);
	return ps;
}

void
power_supply_free(struct power_supply *ps)
{
	RTE_VERIFY(ps->n_disks == 0);
	free(ps);
}

void
power_cut_at(struct power_supply *ps, uint64_t nth)
{
	ps->cut_at = nth == 0 ? 0 : ps->writes + nth;
}

void
power_cut(struct power_supply *ps)
{
	rte_spinlock_lock(&ps->lock);
	cut_locked(ps);
	rte_spinlock_unlock(&ps->lock);
}

void
power_restore(struct power_supply *ps)
{
	ps->on = true;
}

bool
power_is_on(const struct power_supply *ps)
{
	return ps->on;
}

void
power_watch(struct power_supply *ps, void (*fn)(void *arg, uint64_t nth), void *arg)
{
	ps->watch = fn;
	ps->watch_arg = arg;
}

struct power_image {
	unsigned int n;
	struct power_medium medium[DISKS_MAX];
};

struct power_image *
power_image_take(const struct power_supply *ps, uint64_t seed)
{
	struct power_image *im = power_must(calloc(1, sizeof(*im)));

	im->n = ps->n_disks;
	for (unsigned int i = 0; i < im->n; i++) {
		power_medium_clone(&im->medium[i], &ps->disks[i]->medium);
		cut_medium(&im->medium[i], ps->disks[i], &seed);
	}
	return im;
}

void
power_image_free(struct power_image *im)
{
	for (unsigned int i = 0; i < im->n; i++)
		power_medium_fini(&im->medium[i]);
	free(im);
}

void
power_image_load(struct power_supply *ps, const struct power_image *im)
{
	RTE_VERIFY(im->n == ps->n_disks);
	for (unsigned int i = 0; i < im->n; i++) {
		struct power_medium *m = &ps->disks[i]->medium;

		RTE_VERIFY(m->bytes == im->medium[i].bytes && ps->disks[i]->ops == NULL);
		power_medium_fini(m);
		power_medium_clone(m, &im->medium[i]);
	}
}

uint64_t
power_writes(const struct power_supply *ps)
{
	return ps->writes;
}

struct power_disk *
power_disk_new(struct power_supply *ps, const struct power_conf *conf)
{
	struct power_disk *d = power_must(calloc(1, sizeof(*d)));

	RTE_VERIFY(ps->n_disks < DISKS_MAX);
	d->ps = ps;
	d->conf = *conf;
	if (d->conf.block_size == 0)
		d->conf.block_size = POWER_SECTOR;
	if (d->conf.max_io == 0)
		d->conf.max_io = STRAKE_BUF_PAGE_MAX;
	RTE_VERIFY(d->conf.bytes % d->conf.block_size == 0 && d->conf.block_size % POWER_SECTOR == 0);
	snprintf(d->serial, sizeof(d->serial), "power-%u", ps->made++);
	if (conf->serial != NULL)
		snprintf(d->serial, sizeof(d->serial), "%s", conf->serial);
	power_medium_init(&d->medium, d->conf.bytes);
	ps->disks[ps->n_disks++] = d;
	return d;
}

void
power_disk_free(struct power_disk *disk)
{
	struct power_supply *ps = disk->ps;
	unsigned int i;

	RTE_VERIFY(disk->ops == NULL);
	for (i = 0; ps->disks[i] != disk; i++)
		;
	ps->disks[i] = ps->disks[--ps->n_disks];
	power_medium_fini(&disk->medium);
	free(disk);
}

void
power_disk_fault(struct power_disk *disk, const struct power_fault *fault)
{
	power_faults_add(&disk->faults, fault);
}

void
power_disk_no_faults(struct power_disk *disk)
{
	disk->faults.n = 0;
}

void
power_disk_lies(struct power_disk *disk, const struct power_lies *lies)
{
	disk->faults.lies = *lies;
}

void
power_disk_vanish(struct power_disk *disk, bool gone)
{
	rte_spinlock_lock(&disk->ps->lock);
	disk->gone = gone;
	for (struct op *op = disk->ops; gone && op != NULL; op = op->next)
		op->status = -ENODEV;
	rte_spinlock_unlock(&disk->ps->lock);
}

void
power_disk_hold(struct power_disk *disk, bool on)
{
	disk->hold = on;
}

void
power_disk_slow(struct power_disk *disk, uint32_t times)
{
	disk->slow = times;
}

void
power_disk_figures(const struct power_disk *disk, struct power_figures *out)
{
	*out = disk->figures;
	memcpy(out->lies, disk->faults.told, sizeof(out->lies));
}

void
power_disk_peek(const struct power_disk *disk, uint64_t off, void *dst, uint64_t len)
{
	power_medium_read(&disk->medium, off, dst, len);
}

void
power_disk_poke(struct power_disk *disk, uint64_t off, const void *src, uint64_t len)
{
	power_medium_poke(&disk->medium, off, src, len);
}
