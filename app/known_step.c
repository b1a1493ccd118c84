/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* Which indexes are kept, and when. A failure is said, and costs nothing but hits. */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_common.h>
#include <rte_log.h>

#include "dedup.h"
#include "known.h"
#include "log_group.h"
#include "plan.h"
#include "store_log.h"
#include "strake_space.h"
#include "strake_volume.h"

RTE_LOG_REGISTER(known_log, strake.dedup, INFO)

#define SAVE_EVERY   (600 * STRAKE_NS_PER_SEC)
#define SAVE_SECONDS 20 /* at the end */

struct keeper {
	struct keeper *next;
	struct known *known;
	struct strake_timer timer;
	struct strake_stage *dedup;
	bool loading;
	uint64_t saved; /* blocks that had become known when it was last saved */
};

static struct keeper *keepers;

/* Save if at least 1 / @p part of what is known is new. @return 0, -EBUSY, -EALREADY: it is not. */
static int
save(struct keeper *k, uint64_t part)
{
	struct dedup_stats s;
	int ret;

	dedup_stats_get(k->dedup, &s);
	if (s.inserted - k->saved <= s.entries / part)
		return -EALREADY;
	ret = known_save(k->known);
	if (ret == 0)
		k->saved = s.inserted;
	return ret;
}

static void
again(struct strake_timer *t, uint64_t now)
{
	struct keeper *k = RTE_PTR_SUB(t, offsetof(struct keeper, timer));
	uint64_t entries;
	int status;

	if (known_over(k->known, &status, &entries)) {
		if (k->loading)
			rte_log(RTE_LOG_INFO, known_log, "%s: %" PRIu64 " blocks are known from before%s%s\n",
				k->dedup->name, entries, status < 0 ? ": " : "", status < 0 ? strerror(-status) : "");
		else if (status < 0)
			rte_log(RTE_LOG_WARNING, known_log, "%s: its index cannot be saved: %s\n", k->dedup->name,
				strerror(-status));
		k->loading = false;
		save(k, 100);
	}
	strake_timer_arm(t, now + SAVE_EVERY);
}

static struct strake_stage *
dedup_of(const struct conf_volume *v)
{
	struct strake_stage *st;
	char name[128];

	snprintf(name, sizeof(name), "%s.dedup", v->name);
	for (unsigned int i = 0; (st = strake_stage_instance(i)) != NULL; i++) {
		if (strcmp(st->name, name) == 0)
			return st;
	}
	return NULL;
}

static int
volume_init(void *arg)
{
	return log_lcore_init(arg);
}

static int
volume_fini(void *arg)
{
	log_lcore_fini(arg);
	return 0;
}

static void
name_of(char name[STRAKE_NAME_MAX], const struct conf_group *g, uint32_t domain)
{
	snprintf(name, STRAKE_NAME_MAX, ".%.40s.known.%08" PRIx32, g->name, domain);
}

static int
keep(struct appliance *a, const struct conf_volume *v, struct strake_stage *dedup)
{
	size_t g = (size_t)(v->group - a->conf->groups);
	struct keeper *k = calloc(1, sizeof(*k));
	uint32_t domain = plan_domain_number(v);
	char name[STRAKE_NAME_MAX], err[BOOT_ERR_MAX] = "out of memory";
	const struct known_conf conf = {
		.name = name,
		.store = a->stores[g],
		.dedup = dedup,
		.seal = conf_volume_stage(v, "seal") != NULL ? a->seals[g] : NULL,
		.domain = domain,
		.lcore = dedup->lcore >= 0 ? (uint16_t)dedup->lcore : log_group_space(a->log_groups[g])->owner,
	};
	int ret = k != NULL ? 0 : -ENOMEM;

	name_of(name, v->group, domain);
	/* Another volume of the domain has brought it. */
	if (ret == 0 && strake_volume_find(name) != NULL) {
		free(k);
		return 0;
	}
	if (ret == 0)
		ret = known_open(&k->known, &conf, err, sizeof(err));
	if (ret < 0) {
		rte_log(RTE_LOG_WARNING, known_log, "%s: its index will not be kept: %s\n", dedup->name, err);
		free(k);
		return ret;
	}
	for (uint16_t l = 1; l <= a->n_data; l++)
		strake_msg_call(l, volume_init, known_volume(k->known));
	k->dedup = dedup;
	k->next = keepers;
	keepers = k;
	k->loading = true;
	known_load(k->known);
	k->timer.fn = again;
	strake_timer_arm(&k->timer, strake_clock_ns() + SAVE_EVERY);
	return 0;
}

void
known_join(struct appliance *a, const struct conf_volume *v)
{
	struct strake_stage *dedup = plan_volume_is_log(v) && !v->read_only ? dedup_of(v) : NULL;

	if (dedup != NULL)
		keep(a, v, dedup);
}

int
known_up(struct appliance *a)
{
	for (unsigned int i = 0; i < a->conf->n_volumes; i++)
		known_join(a, &a->conf->volumes[i]);
	return 0;
}

/* Another volume that shares the index of this one. */
static struct strake_stage *
dedup_beside(const struct appliance *a, const struct conf_volume *v)
{
	struct strake_stage *st = NULL;

	for (unsigned int i = 0; st == NULL && i < a->conf->n_volumes; i++) {
		const struct conf_volume *u = &a->conf->volumes[i];

		if (u != v && plan_domain_same(u, v))
			st = dedup_of(u);
	}
	return st;
}

/* Take the keeper's volume away from the lcores. */
static void
close_volume(const struct appliance *a, struct keeper *k)
{
	for (uint16_t l = 1; l <= a->n_data; l++)
		strake_msg_call(l, volume_fini, known_volume(k->known));
	known_close(k->known);
}

int
known_leave(struct appliance *a, const struct conf_volume *v)
{
	struct strake_stage *dedup = dedup_of(v), *other = dedup_beside(a, v);
	struct keeper **at = &keepers, *k;
	char name[STRAKE_NAME_MAX];
	uint64_t entries;
	int status;

	while (*at != NULL && (dedup == NULL || (*at)->dedup != dedup))
		at = &(*at)->next;
	k = *at;
	if (k == NULL)
		return 0;
	if (!known_over(k->known, &status, &entries))
		return -EAGAIN;
	if (other != NULL) {
		k->dedup = other;
		known_rehome(k->known, other);
		return 0;
	}
	*at = k->next;
	strake_timer_cancel(&k->timer);
	snprintf(name, sizeof(name), "%s", known_volume(k->known)->name);
	close_volume(a, k);
	free(k);
	status = store_volume_delete(a->stores[v->group - a->conf->groups], name);
	if (status < 0)
		rte_log(RTE_LOG_WARNING, known_log, "%s: stays, though nobody needs it: %s\n", name, strerror(-status));
	return 0;
}

void
known_forget(struct appliance *a, unsigned int g, uint32_t domain)
{
	char name[STRAKE_NAME_MAX];
	int ret;

	name_of(name, &a->conf->groups[g], domain);
	ret = store_volume_delete(a->stores[g], name);
	if (ret < 0 && ret != -ENOENT)
		rte_log(RTE_LOG_WARNING, known_log, "%s: stays, though nobody needs it: %s\n", name, strerror(-ret));
}

/* @return false: it did not end in time. */
static bool
wait_for(const struct keeper *k, uint64_t until, int *status)
{
	uint64_t entries;

	while (!known_over(k->known, status, &entries)) {
		if (strake_clock_ns() > until)
			return false;
		strake_lcore_turn(strake_clock_ns());
		usleep(100);
	}
	return true;
}

void
known_down(struct appliance *a)
{
	uint64_t until = strake_clock_ns() + SAVE_SECONDS * STRAKE_NS_PER_SEC;

	while (keepers != NULL) {
		struct keeper *k = keepers;
		int status = 0;
		bool over;

		keepers = k->next;
		strake_timer_cancel(&k->timer);
		over = wait_for(k, until, &status);
		if (over && save(k, UINT64_MAX) == 0)
			over = wait_for(k, until, &status);
		if (!over || status < 0)
			rte_log(RTE_LOG_WARNING, known_log, "%s: its index was not saved: %s\n", k->dedup->name,
				over ? strerror(-status) : "no time was left");
		/* A request that never came back keeps the volume, as it would a host's. */
		if (over)
			close_volume(a, k);
		free(k);
	}
}
