/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "scrub.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <rte_common.h>
#include <rte_log.h>

#include "log_group.h"
#include "scrub_plan.h"
#include "state.h"
#include "store_log.h"
#include "strake_lcore.h"
#include "strake_space.h"

RTE_LOG_REGISTER(scrub_log, strake.scrub, INFO)

#define LOOK_EVERY STRAKE_NS_PER_SEC

/* Of one log group. */
struct scrub {
	struct scrub_plan plan;
	struct log_group *g;
	uint64_t rate;
};

static struct scrub *scrubs; /* as conf->groups; g NULL: a plain one */
static struct strake_timer timer;
static struct appliance *app;

/* --- what outlives a restart ---------------------------------------------------------------------------------------
 */

/* A group's own file, since a name has no '/'. */
static void
name_of(const struct scrub *s, char name[NAME_MAX])
{
	struct log_group_status st;

	log_group_status(s->g, &st);
	snprintf(name, NAME_MAX, "scrub-%s", st.name);
}

static void
load(struct scrub *s)
{
	char name[NAME_MAX], *text = NULL;
	long n;

	name_of(s, name);
	n = state_read(app->conf->appliance.state, name, &text);
	if (n == 0)
		return;
	if (n < 0 || scrub_past_parse(&s->plan.past, text) < 0)
		rte_log(RTE_LOG_WARNING, scrub_log,
			"%s/%s cannot be understood: the time to the next scrub begins anew\n",
			app->conf->appliance.state, name);
	if (n > 0)
		free(text);
}

static void
keep(const struct scrub *s)
{
	char name[NAME_MAX], text[SCRUB_PAST_MAX];
	int ret;

	name_of(s, name);
	ret = state_write(app->conf->appliance.state, name, text, scrub_past_print(&s->plan.past, text));
	if (ret < 0)
		rte_log(RTE_LOG_WARNING, scrub_log, "%s/%s: %s: after a restart the next scrub may come late\n",
			app->conf->appliance.state, name, strerror(-ret));
}

/* --- looking -------------------------------------------------------------------------------------------------------
 */

static void
tell(const struct scrub *s)
{
	const struct scrub_past *p = &s->plan.past;
	struct log_scrub_last last = {
		.ended = p->ended,
		.rows = p->rows,
		.wrong = p->wrong,
		.mended = p->mended,
		.next = scrub_plan_next(&s->plan),
	};

	log_group_scrub_tell(s->g, &last);
}

static void
look(struct scrub *s, unsigned int g, uint64_t now, uint64_t wall)
{
	struct log_group_status st;
	struct scrub_seen seen;
	enum scrub_do what;

	log_group_status(s->g, &st);
	seen = (struct scrub_seen){
		.running = st.scrub_total > 0,
		.whole = st.missing + st.stale == 0,
		.ended = st.scrubs_ended,
		.rows = st.scrub_rows,
		.wrong = st.scrub_wrong,
		.repaired = st.repaired,
	};
	what = scrub_plan_look(&s->plan, &seen, now, wall);
	if (what == SCRUB_START && scrub_start(app, g, s->rate) == 0)
		rte_log(RTE_LOG_INFO, scrub_log, "group %s: the scrub that is due begins\n", st.name);
	if (what != SCRUB_RECORD)
		return;
	if (s->plan.every != 0 || s->plan.past.ended != 0)
		keep(s);
	if (seen.ended > 0)
		rte_log(s->plan.past.wrong > 0 ? RTE_LOG_WARNING : RTE_LOG_INFO, scrub_log,
			"group %s: scrubbed: %" PRIu64 " rows, %" PRIu64 " wrong, %" PRIu64 " columns mended\n",
			st.name, s->plan.past.rows, s->plan.past.wrong, s->plan.past.mended);
	tell(s);
}

static void
look_all(struct strake_timer *t, uint64_t now)
{
	for (unsigned int g = 0; g < app->conf->n_groups; g++) {
		if (scrubs[g].g != NULL)
			look(&scrubs[g], g, now, (uint64_t)time(NULL));
	}
	strake_timer_arm(t, now + LOOK_EVERY);
}

/* --- words ---------------------------------------------------------------------------------------------------------
 */

int
scrub_start(struct appliance *a, unsigned int g, uint64_t rate)
{
	return log_group_scrub_start(a->log_groups[g], rate);
}

void
scrub_rest(struct appliance *a, unsigned int g)
{
	log_group_scrub_stop(a->log_groups[g]);
	scrub_plan_rest(&scrubs[g].plan, (uint64_t)time(NULL));
	tell(&scrubs[g]);
}

/* --- coming and going ----------------------------------------------------------------------------------------------
 */

/* On a data lcore: what scrubs of its groups find is the store's to mend. */
static int
watch(void *arg)
{
	const struct appliance *a = arg;

	for (unsigned int g = 0; g < a->conf->n_groups; g++) {
		if (a->log_groups[g] != NULL && log_group_space(a->log_groups[g])->owner == strake_self_index())
			log_group_scrub_watch(a->log_groups[g], a->stores[g] != NULL ? store_mend : NULL, a->stores[g]);
	}
	return 0;
}

/* The stores are about to go. */
static int
unwatch(void *arg)
{
	const struct appliance *a = arg;

	for (unsigned int g = 0; g < a->conf->n_groups; g++) {
		if (a->log_groups[g] != NULL && log_group_space(a->log_groups[g])->owner == strake_self_index())
			log_group_scrub_watch(a->log_groups[g], NULL, NULL);
	}
	return 0;
}

int
scrubs_watch(struct appliance *a)
{
	int ret = 0;

	for (uint16_t l = 1; l <= a->n_data && ret == 0; l++)
		ret = strake_msg_call(l, watch, a);
	return ret;
}

int
scrubs_up(struct appliance *a)
{
	int ret;

	app = a;
	scrubs = calloc(a->conf->n_groups + 1, sizeof(*scrubs));
	if (scrubs == NULL)
		return -ENOMEM;
	for (unsigned int g = 0; g < a->conf->n_groups; g++) {
		struct scrub *s = &scrubs[g];

		s->g = a->log_groups[g];
		s->plan.every = a->conf->groups[g].scrub_every / STRAKE_NS_PER_SEC;
		s->rate = a->conf->groups[g].scrub_rate;
		if (s->g != NULL) {
			load(s);
			tell(s);
		}
	}
	ret = scrubs_watch(a);
	if (ret < 0) {
		free(scrubs);
		return ret;
	}
	timer.fn = look_all;
	strake_timer_arm(&timer, strake_now() + LOOK_EVERY);
	return 0;
}

void
scrubs_down(struct appliance *a)
{
	strake_timer_cancel(&timer);
	for (uint16_t l = 1; l <= a->n_data; l++)
		strake_msg_call(l, unwatch, a);
	free(scrubs);
	scrubs = NULL;
}
