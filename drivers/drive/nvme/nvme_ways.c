/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "nvme_ways.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <rte_common.h>

#include "nvme_status.h"

#define NONE 2

static const char *const way_name[] = {"in-band", "NVMe-MI"};

/* An admin command, to be put to one way and then perhaps to the other. */
struct question {
	enum { IDENTIFY, LOG, FEATURE, FORMAT, SANITIZE } what;
	uint8_t id; /* cns, lid, fid, flbas, action */
	uint32_t nsid, len;
	void *data;
};

static int
put_to(struct nvme_dev *dev, const struct question *q)
{
	const struct nvme_dev_ops *ops = dev->ops;

	switch (q->what) {
	case IDENTIFY:
		return ops->identify(dev, q->id, q->nsid, q->data);
	case LOG:
		return ops->log(dev, q->id, q->data, q->len);
	case FEATURE:
		return ops->feature(dev, q->id, q->data);
	case FORMAT:
		return ops->format != NULL ? ops->format(dev, q->id) : -EOPNOTSUPP;
	default:
		return ops->sanitize != NULL ? ops->sanitize(dev, q->id) : -EOPNOTSUPP;
	}
}

/* A silence is an error, whatever word it came with. */
static int
as_error(int silence)
{
	return silence > 0 ? -ETIMEDOUT : silence;
}

static void
find_second(struct nvme_ways *w)
{
	if (w->second != NULL || w->no_second[0] != '\0')
		return;
	if (w->find == NULL)
		snprintf(w->no_second, sizeof(w->no_second), "not looked for");
	else if (w->serial[0] == '\0')
		snprintf(w->no_second, sizeof(w->no_second), "the kernel does not know its serial number");
	else if (w->find(&w->second, w->serial, w->no_second, sizeof(w->no_second)) == 0)
		w->second->nsid = w->dev.nsid;
}

static int
ask(struct nvme_dev *dev, const struct question *q)
{
	struct nvme_ways *w = container_of(dev, struct nvme_ways, dev);
	int ret;

	w->last = 0;
	if (w->silence[0] == 0) {
		ret = put_to(w->first, q);
		if (!nvme_status_silent(ret))
			return ret;
		w->silence[0] = as_error(ret);
	}
	find_second(w);
	if (w->second != NULL && w->silence[1] == 0) {
		ret = put_to(w->second, q);
		if (ret >= 0 && !nvme_status_silent(ret)) {
			w->last = 1;
			w->by_second++;
			return ret;
		}
		w->silence[1] = as_error(ret);
	}
	w->last = NONE;
	return w->silence[0];
}

static int
ways_identify(struct nvme_dev *dev, uint8_t cns, uint32_t nsid, void *data)
{
	return ask(dev, &(struct question){.what = IDENTIFY, .id = cns, .nsid = nsid, .data = data});
}

static int
ways_log(struct nvme_dev *dev, uint8_t lid, void *data, uint32_t len)
{
	return ask(dev, &(struct question){.what = LOG, .id = lid, .data = data, .len = len});
}

static int
ways_feature(struct nvme_dev *dev, uint8_t fid, uint32_t *value)
{
	return ask(dev, &(struct question){.what = FEATURE, .id = fid, .data = value});
}

static int
ways_format(struct nvme_dev *dev, uint8_t flbas)
{
	return ask(dev, &(struct question){.what = FORMAT, .id = flbas});
}

static int
ways_sanitize(struct nvme_dev *dev, uint8_t action)
{
	return ask(dev, &(struct question){.what = SANITIZE, .id = action});
}

static const struct nvme_dev_ops ways_ops = {
	.name = "ways",
	.identify = ways_identify,
	.log = ways_log,
	.feature = ways_feature,
	.format = ways_format,
	.sanitize = ways_sanitize,
};

void
nvme_ways_init(struct nvme_ways *w, struct nvme_dev *first, nvme_second_fn *find, const char *serial)
{
	*w = (struct nvme_ways){
		.dev = {.ops = &ways_ops, .fd = -1, .nsid = first->nsid},
		.first = first,
		.find = find,
	};
	snprintf(w->serial, sizeof(w->serial), "%s", serial != NULL ? serial : "");
}

void
nvme_ways_fini(struct nvme_ways *w)
{
	if (w->second != NULL)
		w->second->ops->close(w->second);
	w->second = NULL;
}

void
nvme_ways_again(struct nvme_ways *w)
{
	/* One that has gone silent may have another address when it speaks again. */
	if (w->silence[1] != 0)
		nvme_ways_fini(w);
	w->silence[0] = w->silence[1] = 0;
	w->no_second[0] = '\0';
}

void
nvme_ways_say(const struct nvme_ways *w, char *text, size_t len)
{
	const char *second = w->silence[1] != 0 ? strerror(-w->silence[1]) : w->no_second;

	if (w->last == 0)
		snprintf(text, len, "%s", way_name[0]);
	else if (w->last == 1)
		snprintf(text, len, "%s; %s: %s", way_name[1], way_name[0], strerror(-w->silence[0]));
	else
		snprintf(text, len, "%s: %s; %s: %s", way_name[0], strerror(-w->silence[0]), way_name[1], second);
}
