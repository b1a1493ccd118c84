/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "nvme_drive.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <rte_malloc.h>

#include "nvme_compose.h"
#include "nvme_order.h"
#include "nvme_status.h"
#include "nvme_watch.h"

#define LID_SMART 2
#define KELVIN	  273

static const char *const end_name[] = {"no", "vanished", "isolated"};

void
nvme_drive_serial(struct strake_drive *drive, const char *serial, uint32_t nsid)
{
	if (nsid == 1)
		snprintf(drive->serial, sizeof(drive->serial), "%s", serial);
	else
		snprintf(drive->serial, sizeof(drive->serial), "%s/%u", serial, nsid);
}

int
nvme_drive_attach(struct strake_drive *drive, struct nvme_dev *dev, const struct nvme_kernel_view *kernel,
		  const struct nvme_drive_opts *opts, char *why, size_t len)
{
	struct nvme_drive *d = rte_zmalloc("nvme_drive", sizeof(*d), RTE_CACHE_LINE_SIZE);
	const struct nvme_geom *g;
	int ret;

	if (d == NULL) {
		snprintf(why, len, "out of memory");
		return -ENOMEM;
	}
	nvme_ways_init(&d->ways, dev, opts->second, kernel->serial);
	ret = nvme_geom_ask(&d->sh.geom, &d->ways.dev, kernel, why, len);
	if (ret < 0) {
		if (nvme_status_silent(ret))
			nvme_ways_say(&d->ways, why, len);
		nvme_ways_fini(&d->ways);
		rte_free(d);
		return ret;
	}
	nvme_ways_say(&d->ways, why, len);
	g = &d->sh.geom;
	d->dev = d->sh.dev = dev;
	d->claim_fd = -1;
	d->sys = "/sys";
	d->dev_dir = "/dev";
	d->sh.patience = opts->patience;
	d->limits = nvme_health_limits(&opts->wish, g);
	d->sh.trim = g->trim && !opts->never_trim && (g->trim_zeroes || opts->always_trim);
	drive->bytes = g->blocks << g->lba_shift;
	drive->block_size = 1u << g->lba_shift;
	drive->max_io = STRAKE_BUF_PAGE_MAX;
	drive->volatile_cache = g->cache_on;
	nvme_drive_serial(drive, g->serial, g->nsid);
	drive->priv = d;
	return 0;
}

void
nvme_drive_detach(struct strake_drive *drive)
{
	struct nvme_drive *d = drive->priv;

	nvme_ways_fini(&d->ways);
	rte_free(d);
	drive->priv = NULL;
}

int
nvme_drive_look(struct nvme_drive *d, struct nvme_health *h, char *said, size_t len)
{
	uint8_t log[NVME_SMART_BYTES] __rte_aligned(4096);
	struct nvme_dev *dev = &d->ways.dev;
	int ret;

	memset(log, 0xff, sizeof(log));
	ret = dev->ops->log(dev, LID_SMART, log, sizeof(log));
	if (ret > 0) {
		snprintf(said, len, "the drive refuses, status 0x%x", (unsigned int)ret);
		return -EIO;
	}
	if (ret < 0 && !nvme_status_silent(ret)) {
		snprintf(said, len, "%s", strerror(-ret));
		return ret;
	}
	nvme_ways_say(&d->ways, said, len);
	if (ret == 0 && nvme_health_parse(h, log) < 0) {
		snprintf(said, len, "it says what cannot be");
		ret = -EBADMSG;
	}
	return ret;
}

void
nvme_drive_close(struct strake_drive *drive)
{
	struct nvme_drive *d = drive->priv;

	nvme_watch_stop(d->watch);
	if (d->block != NULL) {
		d->block->ops->close(d->block);
		rte_free(d->block);
	} else {
		d->dev->ops->close(d->dev);
	}
	if (d->claim_fd >= 0)
		close(d->claim_fd);
	nvme_ways_fini(&d->ways);
	rte_free(d);
}

int
nvme_drive_lcore_init(struct strake_drive *drive)
{
	struct nvme_drive *d = drive->priv;
	struct nvme_lane *lane;
	int ret;

	if (d->block != NULL)
		return d->block->ops->lcore_init(d->block);
	ret = nvme_lane_create(&lane, drive, &d->sh);
	if (ret == 0)
		drive->lc[strake_self_index()] = lane;
	return ret;
}

void
nvme_drive_lcore_fini(struct strake_drive *drive)
{
	struct nvme_drive *d = drive->priv;
	struct nvme_lane *lane = drive->lc[strake_self_index()];

	if (d->block != NULL) {
		d->block->ops->lcore_fini(d->block);
		return;
	}
	drive->lc[strake_self_index()] = NULL;
	nvme_lane_destroy(lane);
}

uint16_t
nvme_drive_submit(struct strake_drive *drive, struct strake_io **ios, uint16_t n)
{
	const struct nvme_drive *d = drive->priv;

	if (unlikely(d->block != NULL))
		return d->block->ops->submit(d->block, ios, n);
	return nvme_lane_submit(drive->lc[strake_self_index()], ios, n);
}

bool
nvme_drive_lies_well(const struct strake_drive *drive, const struct strake_io *io)
{
	const struct nvme_drive *d = drive->priv;

	return d->block != NULL ? d->block->ops->lies_well(d->block, io) : nvme_lies_well(d->dev, io);
}

int
nvme_drive_order(struct strake_drive *drive, enum strake_drive_task task, char *err, size_t len)
{
	struct nvme_drive *d = drive->priv;
	int ret;

	if (task <= STRAKE_DRIVE_UNLOCATE)
		return nvme_order_light(d->sys, &d->place, task == STRAKE_DRIVE_LOCATE, err, len);
	if (d->watch == NULL) {
		snprintf(err, len, "it is reached by its block device, not by commands: %s", d->access_why);
		return -EOPNOTSUPP;
	}
	ret = nvme_watch_order(d->watch, task);
	if (ret < 0)
		snprintf(err, len, "it is busy with another order");
	return ret;
}

int
nvme_drive_ordered(struct strake_drive *drive, char *said, size_t len)
{
	struct nvme_drive *d = drive->priv;

	return nvme_watch_ordered(d->watch, said, len);
}

static void
add_stats(const struct strake_drive *drive, struct rte_tel_data *dict)
{
	const struct nvme_drive *d = drive->priv;
	struct nvme_lane_stats sum = {.commands = 0};
	uint64_t enters = 0, most = 0;

	for (unsigned int i = 0; i < STRAKE_LCORE_MAX; i++) {
		const struct nvme_lane *lane = drive->lc[i];
		uint64_t here = 0, peak = 0;

		if (lane == NULL)
			continue;
		for (unsigned int k = 0; k < sizeof(sum) / sizeof(uint64_t); k++)
			((uint64_t *)&sum)[k] += ((const uint64_t *)&lane->stats)[k];
		if (d->dev->ops->figures != NULL)
			d->dev->ops->figures(lane, &here, &peak);
		enters += here;
		most = RTE_MAX(most, peak);
	}
	rte_tel_data_add_dict_u64(dict, "commands", sum.commands);
	rte_tel_data_add_dict_u64(dict, "commands_cut", sum.cut);
	rte_tel_data_add_dict_u64(dict, "commands_retried", sum.retried);
	rte_tel_data_add_dict_u64(dict, "media_errors", sum.media);
	rte_tel_data_add_dict_u64(dict, "aborted_or_failed", sum.trouble);
	rte_tel_data_add_dict_u64(dict, "path_errors", sum.path);
	rte_tel_data_add_dict_u64(dict, "refused", sum.refused);
	rte_tel_data_add_dict_u64(dict, "strangers", sum.strangers);
	rte_tel_data_add_dict_u64(dict, "bytes_copied", sum.copied);
	rte_tel_data_add_dict_u64(dict, "zeroes_written", sum.zeroes_written);
	rte_tel_data_add_dict_u64(dict, "ring_enters", enters);
	rte_tel_data_add_dict_u64(dict, "ring_enters_most_in_a_turn", most);
}

static void
add_health(struct nvme_watch *w, const struct nvme_limits *limits, struct rte_tel_data *dict)
{
	char way[RTE_TEL_MAX_STRING_LEN];
	struct nvme_health h;

	nvme_watch_health(w, &h, way, sizeof(way));
	rte_tel_data_add_dict_string(dict, "health_by", way);
	if (!h.known)
		return;
	rte_tel_data_add_dict_u64(dict, "critical_warning", h.warning);
	rte_tel_data_add_dict_int(dict, "celsius", (int)h.temperature - KELVIN);
	if (limits->warm != 0)
		rte_tel_data_add_dict_int(dict, "celsius_warned_of", (int)limits->warm - KELVIN);
	rte_tel_data_add_dict_u64(dict, "spare_percent", h.spare);
	rte_tel_data_add_dict_u64(dict, "spare_threshold_percent", h.spare_at);
	rte_tel_data_add_dict_u64(dict, "spare_warned_of_percent", nvme_health_spare_at(&h, limits));
	rte_tel_data_add_dict_u64(dict, "life_used_percent", h.used);
	rte_tel_data_add_dict_u64(dict, "life_used_warned_of_percent", limits->used);
	rte_tel_data_add_dict_u64(dict, "smart_media_errors", h.media_errors);
	rte_tel_data_add_dict_u64(dict, "error_log_entries", h.error_entries);
	rte_tel_data_add_dict_u64(dict, "unsafe_shutdowns", h.unsafe_shutdowns);
	rte_tel_data_add_dict_u64(dict, "power_on_hours", h.power_on_hours);
	rte_tel_data_add_dict_u64(dict, "power_cycles", h.power_cycles);
	rte_tel_data_add_dict_u64(dict, "media_bytes_read", h.bytes_read);
	rte_tel_data_add_dict_u64(dict, "media_bytes_written", h.bytes_written);
}

static void
add_logs(struct nvme_watch *w, const struct nvme_geom *g, struct rte_tel_data *dict)
{
	char text[RTE_TEL_MAX_STRING_LEN];
	struct nvme_logs l;

	nvme_watch_logs(w, &l);
	rte_tel_data_add_dict_string(dict, "firmware", l.firmware.known ? l.firmware.revision : g->firmware);
	if (l.firmware.known)
		rte_tel_data_add_dict_u64(dict, "firmware_slot", l.firmware.slot);
	if (l.firmware.next != 0) {
		snprintf(text, sizeof(text), "%s, of slot %u", l.firmware.coming, l.firmware.next);
		rte_tel_data_add_dict_string(dict, "firmware_after_reset", text);
	}
	if (l.failures.status == 0)
		return;
	snprintf(text, sizeof(text), "status 0x%x, LBA %" PRIu64 ", namespace %u", l.failures.status, l.failures.lba,
		 l.failures.nsid);
	rte_tel_data_add_dict_string(dict, "error_log_newest", text);
}

static void
add_events(struct nvme_watch *w, struct rte_tel_data *dict)
{
	struct nvme_event events[NVME_EVENTS];
	uint64_t all;
	unsigned int n = nvme_watch_events(w, events, &all);
	struct rte_tel_data *list = rte_tel_data_alloc();

	rte_tel_data_add_dict_u64(dict, "events_told", all);
	if (list == NULL)
		return;
	rte_tel_data_start_array(list, RTE_TEL_STRING_VAL);
	for (unsigned int i = 0; i < n; i++) {
		char text[RTE_TEL_MAX_STRING_LEN], when[32];
		time_t at = (time_t)events[i].at;
		struct tm tm;

		strftime(when, sizeof(when), "%FT%TZ", gmtime_r(&at, &tm));
		snprintf(text, sizeof(text), "%.20s %s%.90s", when, events[i].worse ? "" : "(well) ", events[i].text);
		rte_tel_data_add_array_string(list, text);
	}
	rte_tel_data_add_dict_container(dict, "events", list, 0);
}

static void
add_bring(const struct nvme_bring *b, struct rte_tel_data *dict)
{
	struct rte_tel_data *list = rte_tel_data_alloc();

	if (list == NULL)
		return;
	rte_tel_data_start_array(list, RTE_TEL_STRING_VAL);
	for (unsigned int i = 0; i < b->n; i++)
		rte_tel_data_add_array_string(list, b->lines[i]);
	rte_tel_data_add_dict_container(dict, "bring_up", list, 0);
}

void
nvme_drive_telemetry(struct strake_drive *drive, struct rte_tel_data *dict)
{
	const struct nvme_drive *d = drive->priv;
	const struct nvme_geom *g = &d->sh.geom;

	rte_tel_data_add_dict_string(dict, "access", d->block != NULL ? "block" : d->dev->ops->name);
	rte_tel_data_add_dict_string(dict, "access_why", d->access_why);
	rte_tel_data_add_dict_string(dict, "controller", d->place.ctrl);
	rte_tel_data_add_dict_string(dict, "device", d->block != NULL ? d->place.block : d->place.generic);
	rte_tel_data_add_dict_string(dict, "slot", d->place.address);
	rte_tel_data_add_dict_u64(dict, "nsid", d->place.nsid);
	add_bring(&d->bring, dict);
	if (d->block != NULL) {
		d->block->ops->telemetry(d->block, dict);
		return;
	}
	rte_tel_data_add_dict_string(dict, "model", g->model);
	if (d->watch != NULL)
		add_logs(d->watch, g, dict);
	else
		rte_tel_data_add_dict_string(dict, "firmware", g->firmware);
	rte_tel_data_add_dict_string(dict, "out_of_use", end_name[__atomic_load_n(&d->sh.end, __ATOMIC_RELAXED)]);
	rte_tel_data_add_dict_int(dict, "registered_buffers", d->dev->fixed);
	rte_tel_data_add_dict_u64(dict, "max_transfer", g->max_xfer);
	rte_tel_data_add_dict_u64(dict, "preferred_write", g->write_unit);
	rte_tel_data_add_dict_u64(dict, "boundary", g->boundary);
	rte_tel_data_add_dict_u64(dict, "mem_align", d->dev->dma_mask + 1u);
	rte_tel_data_add_dict_int(dict, "deallocates", d->sh.trim);
	rte_tel_data_add_dict_int(dict, "write_zeroes", g->zeroes);
	add_stats(drive, dict);
	if (d->watch != NULL) {
		add_health(d->watch, &d->limits, dict);
		add_events(d->watch, dict);
	}
}
