/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "nvme_watch.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <rte_log.h>

#include "nvme_order.h"

RTE_LOG_REGISTER(nvme_watch_logtype, strake.nvme, INFO)

#define TICK_NS		 (500 * STRAKE_NS_PER_MS) /* how soon the end of a drive is told */
#define SANITIZE_POLL_MS 500
#define RETURN_EVERY	 4 /* ticks between searches for a drive that vanished */

struct nvme_watch {
	struct strake_drive *drive;
	uint64_t interval;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool stop;
	struct nvme_health health;
	struct nvme_logs logs;
	char way[120];			       /* by which it was read last, or why not */
	bool by_second;			       /* told: it does not answer by the first way */
	struct nvme_event events[NVME_EVENTS]; /* number n in place n % NVME_EVENTS */
	uint64_t n_events;
	int task; /* enum strake_drive_task to do; -1: none */
	bool ordered;
	int ordered_ret;
	char said[160];
	enum nvme_end told;
	int failed;    /* of the last look, told once */
	char why[256]; /* it is not back, told once */
};

/* To the log, and kept for telemetry. */
__attribute__((format(printf, 3, 4))) static void
tell(struct nvme_watch *w, bool worse, const char *fmt, ...)
{
	struct nvme_event *e = &w->events[w->n_events % NVME_EVENTS];
	va_list ap;

	pthread_mutex_lock(&w->lock);
	e->at = (uint64_t)time(NULL);
	e->worse = worse;
	va_start(ap, fmt);
	vsnprintf(e->text, sizeof(e->text), fmt, ap);
	va_end(ap);
	w->n_events++;
	pthread_mutex_unlock(&w->lock);
	rte_log(worse ? RTE_LOG_WARNING : RTE_LOG_NOTICE, nvme_watch_logtype, "drive %s (%s): %s\n", w->drive->name,
		w->drive->serial, e->text);
}

unsigned int
nvme_watch_events(struct nvme_watch *w, struct nvme_event out[NVME_EVENTS], uint64_t *all)
{
	unsigned int n;

	pthread_mutex_lock(&w->lock);
	n = (unsigned int)RTE_MIN(w->n_events, (uint64_t)NVME_EVENTS);
	for (unsigned int i = 0; i < n; i++)
		out[i] = w->events[(w->n_events - n + i) % NVME_EVENTS];
	*all = w->n_events;
	pthread_mutex_unlock(&w->lock);
	return n;
}

/* --- health ----------------------------------------------------------------------------------------------------------
 */

static void
look_further(struct nvme_watch *w, uint64_t error_entries)
{
	struct nvme_drive *d = w->drive->priv;
	struct nvme_logs was = w->logs, now = was;
	char text[128];
	bool worse;

	nvme_logs_read(&now, &d->ways.dev, error_entries, d->sh.geom.error_entries);
	pthread_mutex_lock(&w->lock);
	w->logs = now;
	pthread_mutex_unlock(&w->lock);
	for (unsigned int i = 0; nvme_logs_event(&was, &now, i, &worse, text, sizeof(text)); i++)
		tell(w, worse, "%s", text);
}

static void
look(struct nvme_watch *w)
{
	struct nvme_drive *d = w->drive->priv;
	struct nvme_health now, was;
	char text[128], way[sizeof(w->way)];
	bool worse;
	int ret;

	nvme_ways_again(&d->ways);
	ret = nvme_drive_look(d, &now, way, sizeof(way));
	pthread_mutex_lock(&w->lock);
	was = w->health;
	if (ret == 0) {
		nvme_health_judge(&now, &was, &d->limits);
		w->health = now;
	}
	memcpy(w->way, way, sizeof(way));
	pthread_mutex_unlock(&w->lock);
	if (ret != 0 && w->failed == 0)
		tell(w, true, "its health cannot be read (%s)", way);
	w->failed = ret;
	if (ret != 0)
		return;
	if (w->by_second != (d->ways.last == 1)) {
		w->by_second = d->ways.last == 1;
		tell(w, w->by_second, "%s (%s)", w->by_second ? "it does not answer in-band" : "it answers again", way);
	}
	for (unsigned int i = 0; nvme_health_event(&was, &now, &d->limits, i, &worse, text, sizeof(text)); i++)
		tell(w, worse, "%s", text);
	look_further(w, now.error_entries);
}

/* --- coming back -----------------------------------------------------------------------------------------------------
 */

static int
adopt_here(void *arg)
{
	const struct strake_drive *drive = arg;
	const struct nvme_drive *d = drive->priv;
	struct nvme_lane *lane = drive->lc[strake_self_index()];

	if (lane == NULL)
		return 0;
	if (nvme_lane_busy(lane))
		return -EBUSY;
	return d->dev->ops->adopt != NULL ? d->dev->ops->adopt(d->dev, lane) : 0;
}

/* The same namespace, unchanged in form, now at @p fd? */
static int
is_same(struct nvme_watch *w, int fd, const struct nvme_place *place, char *why, size_t len)
{
	const struct nvme_drive *d = w->drive->priv;
	struct nvme_dev dev = {.ops = d->dev->ops, .fd = fd, .nsid = place->nsid};
	struct nvme_kernel_view view = {.bytes = place->bytes,
					.max_xfer = place->max_xfer,
					.max_segments = place->max_segments,
					.max_zeroes = place->max_zeroes};
	struct nvme_geom g;
	int ret = nvme_geom_ask(&g, &dev, &view, why, len);

	/* Lanes go on with the limits they know. */
	if (ret < 0 || (nvme_geom_same(&g, &d->sh.geom) && g.max_xfer >= d->sh.geom.max_xfer))
		return ret;
	snprintf(why, len, "%s has its name, but another form", place->generic);
	return -EMEDIUMTYPE;
}

/* Everything of before is answered on each lcore, then each uses the new descriptor. */
static int
adopt(struct nvme_watch *w, int fd)
{
	struct nvme_drive *d = w->drive->priv;
	int old = d->dev->fd, ret = 0;

	d->dev->fd = fd;
	for (uint16_t i = 0; ret == 0 && i < strake_lcore_count(); i++)
		ret = strake_msg_call(i, adopt_here, w->drive);
	if (ret < 0) {
		d->dev->fd = old;
		return ret;
	}
	close(old);
	return 0;
}

/* @return 0, or -errno and the reason in @p why. */
static int
take_back(struct nvme_watch *w, char *why, size_t len)
{
	struct nvme_drive *d = w->drive->priv;
	struct nvme_place place;
	int fd, claim = -1, ret;
	char name[64], path[PATH_MAX];

	snprintf(name, sizeof(name), "serial:%s/%u", d->sh.geom.serial, d->sh.geom.nsid);
	ret = nvme_place_find(&place, d->sys, name, why, len);
	if (ret < 0)
		return ret;
	snprintf(path, sizeof(path), "%s/%s", d->dev_dir, place.generic);
	fd = open(path, O_RDWR | O_CLOEXEC);
	ret = fd < 0 ? -errno : is_same(w, fd, &place, why, len);
	if (ret < 0)
		goto err;
	snprintf(path, sizeof(path), "%s/%s", d->dev_dir, place.block);
	claim = open(path, O_RDWR | O_EXCL | O_CLOEXEC);
	ret = claim < 0 ? -errno : adopt(w, fd);
	if (ret < 0) {
		snprintf(why, len, "%s: %s", place.generic, strerror(-ret));
		goto err;
	}
	close(d->claim_fd);
	d->claim_fd = claim;
	d->place = place;
	return 0;

err:
	if (fd >= 0)
		close(fd);
	if (claim >= 0)
		close(claim);
	return ret;
}

static void
seek(struct nvme_watch *w)
{
	struct nvme_drive *d = w->drive->priv;
	char why[sizeof(w->why)] = "its device cannot be opened";

	if (take_back(w, why, sizeof(why)) == 0) {
		w->told = NVME_IN_USE;
		w->why[0] = '\0';
		__atomic_store_n(&d->sh.end, NVME_IN_USE, __ATOMIC_RELEASE);
		__atomic_fetch_add(&w->drive->returns, 1, __ATOMIC_RELEASE);
		tell(w, false, "is back, as %s in slot %s", d->place.generic, d->place.address);
	} else if (strcmp(why, w->why) != 0) {
		tell(w, false, "is not back: %s", why);
		snprintf(w->why, sizeof(w->why), "%s", why);
	}
}

/* --- orders ----------------------------------------------------------------------------------------------------------
 */

static void
carry_out(struct nvme_watch *w, int task)
{
	struct nvme_drive *d = w->drive->priv;
	char said[sizeof(w->said)] = "looked";
	int ret = 0;

	if (task == STRAKE_DRIVE_FORMAT)
		ret = nvme_order_format(d, said, sizeof(said));
	else if (task == STRAKE_DRIVE_SANITIZE)
		ret = nvme_order_sanitize(d, SANITIZE_POLL_MS, &w->stop, said, sizeof(said));
	else
		look(w);
	if (task != STRAKE_DRIVE_LOOK)
		tell(w, ret < 0, "%s", said);
	pthread_mutex_lock(&w->lock);
	memcpy(w->said, said, sizeof(said));
	w->ordered_ret = task == STRAKE_DRIVE_LOOK && w->failed != 0 ? -EIO : ret;
	w->ordered = false;
	pthread_mutex_unlock(&w->lock);
}

int
nvme_watch_order(struct nvme_watch *w, enum strake_drive_task task)
{
	int ret = 0;

	pthread_mutex_lock(&w->lock);
	if (w->ordered) {
		ret = -EBUSY;
	} else {
		w->ordered = true;
		w->task = (int)task;
		pthread_cond_signal(&w->wake);
	}
	pthread_mutex_unlock(&w->lock);
	return ret;
}

int
nvme_watch_ordered(struct nvme_watch *w, char *said, size_t len)
{
	int ret;

	pthread_mutex_lock(&w->lock);
	ret = w->ordered ? -EINPROGRESS : w->ordered_ret;
	snprintf(said, len, "%s", w->said);
	pthread_mutex_unlock(&w->lock);
	return ret;
}

/* --- the thread ------------------------------------------------------------------------------------------------------
 */

static void
tick(struct nvme_watch *w, uint64_t ticks)
{
	const struct nvme_drive *d = w->drive->priv;
	enum nvme_end end = __atomic_load_n(&d->sh.end, __ATOMIC_RELAXED);

	if (end != w->told) {
		w->told = end;
		if (end == NVME_VANISHED)
			tell(w, true, "has vanished; it is looked for");
		else if (end == NVME_LIED)
			tell(w, true, "answered what it was not asked, and is isolated");
	}
	if (end == NVME_IN_USE && ticks % RTE_MAX(w->interval / TICK_NS, 1ULL) == 0)
		look(w);
	else if (end == NVME_VANISHED && ticks % RETURN_EVERY == 0)
		seek(w);
}

static void *
watch_thread(void *arg)
{
	struct nvme_watch *w = arg;

	for (uint64_t ticks = 0;; ticks++) {
		struct timespec until;
		int task;

		tick(w, ticks);
		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_nsec += TICK_NS;
		until.tv_sec += until.tv_nsec / (long)STRAKE_NS_PER_SEC;
		until.tv_nsec %= (long)STRAKE_NS_PER_SEC;
		pthread_mutex_lock(&w->lock);
		while (!w->stop && w->task < 0 && pthread_cond_timedwait(&w->wake, &w->lock, &until) == 0)
			;
		task = w->task;
		w->task = -1;
		pthread_mutex_unlock(&w->lock);
		if (__atomic_load_n(&w->stop, __ATOMIC_RELAXED))
			return NULL;
		if (task >= 0)
			carry_out(w, task);
	}
}

int
nvme_watch_start(struct nvme_watch **out, struct strake_drive *drive, uint64_t interval)
{
	struct nvme_watch *w = calloc(1, sizeof(*w));
	pthread_condattr_t attr;
	int ret;

	if (w == NULL)
		return -ENOMEM;
	w->drive = drive;
	w->interval = interval;
	w->task = -1;
	pthread_mutex_init(&w->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&w->wake, &attr);
	pthread_condattr_destroy(&attr);
	ret = pthread_create(&w->thread, NULL, watch_thread, w);
	if (ret != 0) {
		free(w);
		return -ret;
	}
	pthread_setname_np(w->thread, "nvme-watch");
	*out = w;
	return 0;
}

void
nvme_watch_stop(struct nvme_watch *w)
{
	if (w == NULL)
		return;
	pthread_mutex_lock(&w->lock);
	__atomic_store_n(&w->stop, true, __ATOMIC_RELAXED);
	pthread_cond_signal(&w->wake);
	pthread_mutex_unlock(&w->lock);
	/* It may be waiting for this very lcore to answer it. */
	while (pthread_tryjoin_np(w->thread, NULL) == EBUSY) {
		strake_lcore_turn(RTE_MAX(strake_now(), strake_clock_ns()));
		usleep(1000);
	}
	pthread_cond_destroy(&w->wake);
	pthread_mutex_destroy(&w->lock);
	free(w);
}

void
nvme_watch_health(struct nvme_watch *w, struct nvme_health *h, char *way, size_t len)
{
	pthread_mutex_lock(&w->lock);
	*h = w->health;
	snprintf(way, len, "%s", w->way);
	pthread_mutex_unlock(&w->lock);
}

void
nvme_watch_logs(struct nvme_watch *w, struct nvme_logs *logs)
{
	pthread_mutex_lock(&w->lock);
	*logs = w->logs;
	pthread_mutex_unlock(&w->lock);
}
