/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "nvme_health.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <libnvme.h>

#define DATA_UNIT  512000ULL /* thousands of 512 bytes (NVMe Base specification 2.0, figure 207) */
#define KELVIN	   273
#define USED_STEPS 10 /* percent: worn-out life is worth a word again */
#define COOL	   3  /* kelvin below a limit until it counts as passed */

/* 128-bit counters: what does not fit is as good as endless. */
static uint64_t
counter(const uint8_t *b)
{
	uint64_t low, high;

	memcpy(&low, b, sizeof(low));
	memcpy(&high, b + 8, sizeof(high));
	return high != 0 ? UINT64_MAX : low;
}

static uint64_t
bytes_of(const uint8_t *b)
{
	uint64_t units = counter(b);

	return units > UINT64_MAX / DATA_UNIT ? UINT64_MAX : units * DATA_UNIT;
}

int
nvme_health_parse(struct nvme_health *h, const void *log)
{
	const struct nvme_smart_log *s = log;

	if (s->avail_spare > 100 || s->spare_thresh > 100)
		return -EBADMSG;
	*h = (struct nvme_health){
		.known = true,
		.warning = s->critical_warning,
		.temperature = (uint16_t)(s->temperature[0] | s->temperature[1] << 8),
		.spare = s->avail_spare,
		.spare_at = s->spare_thresh,
		.used = s->percent_used,
		.media_errors = counter(s->media_errors),
		.error_entries = counter(s->num_err_log_entries),
		.unsafe_shutdowns = counter(s->unsafe_shutdowns),
		.power_on_hours = counter(s->power_on_hours),
		.power_cycles = counter(s->power_cycles),
		.bytes_read = bytes_of(s->data_units_read),
		.bytes_written = bytes_of(s->data_units_written),
	};
	return 0;
}

struct nvme_limits
nvme_health_limits(const struct nvme_limits *wish, const struct nvme_geom *g)
{
	return (struct nvme_limits){
		.warm = wish->warm != 0 ? wish->warm : g->temp_warn,
		.hot = g->temp_crit,
		.used = wish->used,
		.spare = wish->spare,
	};
}

uint8_t
nvme_health_spare_at(const struct nvme_health *h, const struct nvme_limits *limits)
{
	return limits->spare != 0 ? limits->spare : h->spare_at;
}

static unsigned int
wear_step(const struct nvme_health *h, const struct nvme_limits *l)
{
	return h->used < l->used ? 0 : 1 + (h->used - l->used) / USED_STEPS;
}

static bool
scarce(const struct nvme_health *h, const struct nvme_limits *l)
{
	return h->spare < nvme_health_spare_at(h, l);
}

/* @p was: it was over this limit before. */
static bool
over(uint16_t temperature, uint16_t limit, bool was)
{
	return limit != 0 && temperature + (was ? COOL : 0) >= limit;
}

void
nvme_health_judge(struct nvme_health *now, const struct nvme_health *before, const struct nvme_limits *limits)
{
	if (over(now->temperature, limits->hot, before->heat >= 2))
		now->heat = 2;
	else
		now->heat = over(now->temperature, limits->warm, before->heat >= 1);
}

static bool
changed(unsigned int was, unsigned int is, bool *worse)
{
	*worse = is > was;
	return was != is;
}

bool
nvme_health_event(const struct nvme_health *before, const struct nvme_health *after, const struct nvme_limits *limits,
		  unsigned int i, bool *worse, char *text, size_t len)
{
	static const char *const warning[] = {
		"its spare blocks run out",
		"its temperature is outside its limits",
		"it does not keep data reliably",
		"it has gone read-only",
		"its cache's backup power has failed",
		"its persistent memory is unreliable",
	};
	unsigned int at = 0;

	for (unsigned int bit = 0; bit < sizeof(warning) / sizeof(warning[0]); bit++) {
		if (changed(before->warning >> bit & 1, after->warning >> bit & 1, worse) && at++ == i) {
			snprintf(text, len, "%s%s", *worse ? "" : "no longer: ", warning[bit]);
			return true;
		}
	}
	if (changed(before->heat, after->heat, worse) && at++ == i) {
		int n = snprintf(text, len, "%d C; it warns at %d", after->temperature - KELVIN, limits->warm - KELVIN);

		if (limits->hot != 0)
			snprintf(text + n, len - (size_t)n, " and stops at %d", limits->hot - KELVIN);
		return true;
	}
	/* The first look has nothing to compare with: an unknown drive has all its life and spare blocks. */
	if (changed(wear_step(before, limits), wear_step(after, limits), worse) && at++ == i) {
		snprintf(text, len, "%u %% of its life is used", after->used);
		return true;
	}
	if (changed(before->known && scarce(before, limits), scarce(after, limits), worse) && at++ == i) {
		snprintf(text, len, "%u %% of its spare blocks are left; it warns below %u %%", after->spare,
			 nvme_health_spare_at(after, limits));
		return true;
	}
	if (before->known && after->media_errors > before->media_errors && at++ == i) {
		*worse = true;
		snprintf(text, len, "%" PRIu64 " blocks could not be recovered, %" PRIu64 " more than before",
			 after->media_errors, after->media_errors - before->media_errors);
		return true;
	}
	return false;
}
