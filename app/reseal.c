/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "reseal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <rte_common.h>
#include <rte_log.h>

#include "gcm.h"
#include "keys.h"
#include "strake_lcore.h"

RTE_LOG_REGISTER(reseal_log, strake.keys, INFO)

#define LOOK_EVERY (200 * STRAKE_NS_PER_MS)
#define AGAIN	   (10 * STRAKE_NS_PER_SEC)
#define RATE	   (64ull << 20) /* bytes a second, where the file does not say */

/* Of one log group. The store does the work; what is to be done follows from the table of keys, so that nothing has to
 * be remembered over a restart. */
struct reseal {
	uint64_t rate;
	bool rests;
	bool told; /* that it is stuck */
	bool tidied;
	struct keys_tidy *tidy; /* under way: the last step */
	uint64_t not_before;	/* ns */
	uint32_t version;	/* of the keys, when they were looked at */
	unsigned int n, old_keys;
	struct store_reseal_target target[GCM_DOMAINS_MAX]; /* domains with keys to be got rid of */
	bool begun;					    /* the store knows of them */
	const char *word, *why;
};

static struct reseal *reseals; /* as conf->groups */
static struct strake_timer timer;
static struct appliance *app;
static bool looking;

/* What is to be done, if the keys are not what they were. */
static void
look_at_keys(struct reseal *r, const struct strake_stage *seal)
{
	static struct gcm_domain d[GCM_DOMAINS_MAX];
	unsigned int all, n = 0;

	if (r->version == gcm_domains_version(seal))
		return;
	r->version = gcm_domains_version(seal);
	all = gcm_domains(seal, d, GCM_DOMAINS_MAX);
	r->old_keys = 0;
	for (unsigned int i = 0; i < all; i++) {
		struct store_reseal_target t = {d[i].domain, d[i].epoch}, *is = &r->target[n];

		if (d[i].epoch == 0 || d[i].old_keys == 0)
			continue;
		r->old_keys += d[i].old_keys;
		r->begun = r->begun && n < r->n && is->domain == t.domain && is->epoch == t.epoch;
		r->target[n++] = t;
	}
	r->begun = r->begun && n == r->n;
	r->n = n;
}

static void
say(struct reseal *r, const char *word, const char *why)
{
	r->word = word;
	r->why = why;
}

/* --- step by step --------------------------------------------------------------------------------------------------
 */

static void
begin(struct reseal *r, struct store *st)
{
	r->begun = true;
	r->tidied = r->told = false;
	store_reseal_rate(st, r->rate);
	store_reseal_begin(st, r->target, r->n);
	rte_log(RTE_LOG_NOTICE, reseal_log, "group %s: what %u older keys have sealed is sealed anew\n", store_name(st),
		r->old_keys);
}

static void
stop(struct reseal *r, struct store *st)
{
	keys_tidy_end(r->tidy);
	r->tidy = NULL;
	r->begun = false;
	store_reseal_end(st);
}

static void
done(struct reseal *r, struct store *st)
{
	struct store_reseal_status s;

	store_reseal_get(st, &s);
	if (s.state != STORE_RESEAL_NONE)
		rte_log(RTE_LOG_NOTICE, reseal_log,
			"group %s: all is sealed with the newest keys (%" PRIu64 " chunks of %" PRIu64
			" bytes anew); the older ones are destroyed\n",
			store_name(st), s.chunks, s.bytes);
	stop(r, st);
	say(r, "none", "");
}

/* All that could be done is, and looking which keys are in use did not make the older ones go. */
static void
stuck(struct reseal *r, struct store *st, const struct store_reseal_status *s, uint64_t now)
{
	if (s->damaged + s->unopened + s->unread == 0) {
		/* Something was on its way when all had been looked at. */
		r->begun = false;
		r->not_before = now + AGAIN;
		say(r, "waiting", "some chunks came under older keys while it ended: it is looked again in a moment");
		return;
	}
	say(r, "stuck",
	    s->unopened > 0  ? "chunks of volumes that are not open: it goes on when they are, or are deleted"
	    : s->damaged > 0 ? "chunks that their key does not open, which keep it: write over these blocks or delete "
			       "the volume, then `key reseal`"
			     : "segments that cannot be read whole may need the older keys: `strake-fsck` tells which");
	if (!r->told)
		rte_log(RTE_LOG_WARNING, reseal_log,
			"group %s: sealed anew but for %u chunks that cannot be opened, %u of volumes that are not "
			"open, "
			"%u segments that cannot be read: older keys stay\n",
			store_name(st), s->damaged, s->unopened, s->unread);
	r->told = true;
}

/* The store's part has ended: which keys are still in use is found out by another look at everything. */
static void
check(struct reseal *r, struct store *st, struct strake_stage *seal, const struct store_reseal_status *s, uint64_t now)
{
	unsigned int forgotten;

	if (r->tidy == NULL && r->tidied) {
		stuck(r, st, s, now);
		return;
	}
	say(r, "checking", "");
	if (r->tidy == NULL)
		r->tidy = keys_tidy_begin(st, seal, 0);
	if (r->tidy == NULL || keys_tidy_status(r->tidy, &forgotten) == -EINPROGRESS)
		return;
	keys_tidy_end(r->tidy);
	r->tidy = NULL;
	r->tidied = true;
}

static void
step(struct reseal *r, unsigned int g, uint64_t now)
{
	struct strake_stage *seal = app->seals[g];
	struct store *st = app->stores[g];
	struct store_reseal_status s;

	if (seal == NULL || st == NULL) {
		r->version = 0;
		say(r, app->seals_off[g] != NULL ? "waiting" : "none",
		    app->seals_off[g] != NULL ? "the keys are not open: `key load`" : "");
		return;
	}
	look_at_keys(r, seal);
	if (r->n == 0) {
		done(r, st);
		return;
	}
	if (r->rests) {
		stop(r, st);
		say(r, "paused", "`key reseal` goes on");
		return;
	}
	if (now < r->not_before)
		return;
	if (!r->begun)
		begin(r, st);
	store_reseal_get(st, &s);
	if (s.state == STORE_RESEAL_ENDED) {
		check(r, st, seal, &s, now);
		return;
	}
	r->tidied = false;
	say(r, s.no_room ? "waiting" : "running", s.no_room ? "there is no room in the store: delete or trim" : "");
}

static void
look(unsigned int g, uint64_t now)
{
	/* A step may run turns of main, in which a command comes: the next look sees to that. */
	if (looking)
		return;
	looking = true;
	step(&reseals[g], g, now);
	looking = false;
}

static void
look_all(struct strake_timer *t, uint64_t now)
{
	for (unsigned int g = 0; g < app->conf->n_groups; g++) {
		if (app->log_groups[g] != NULL)
			look(g, now);
	}
	strake_timer_arm(t, strake_now() + LOOK_EVERY);
}

/* --- words ---------------------------------------------------------------------------------------------------------
 */

void
reseal_go_on(unsigned int g, uint64_t rate)
{
	struct reseal *r = &reseals[g];

	r->rests = false;
	r->not_before = 0;
	if (rate != 0) {
		r->rate = rate;
		if (app->stores[g] != NULL)
			store_reseal_rate(app->stores[g], rate);
	}
	if (strcmp(r->word, "stuck") == 0)
		r->begun = false; /* begins anew */
	look(g, strake_now());
}

void
reseal_rest(unsigned int g)
{
	reseals[g].rests = true;
	look(g, strake_now());
}

void
reseal_get(unsigned int g, struct reseal_status *out)
{
	const struct reseal *r = &reseals[g];

	*out = (struct reseal_status){.word = r->word, .why = r->why, .rate = r->rate, .percent = 100};
	if (app->seals[g] == NULL)
		return;
	out->domains = gcm_domains(app->seals[g], NULL, 0);
	out->old_keys = r->old_keys;
	if (app->stores[g] != NULL)
		store_reseal_get(app->stores[g], &out->store);
	if (out->store.segments > 0)
		out->percent = (unsigned int)(100 - 100ull * out->store.left / out->store.segments);
	else if (out->old_keys > 0)
		out->percent = 0;
}

/* --- coming and going ----------------------------------------------------------------------------------------------
 */

uint64_t
reseal_rate(const struct conf_group *g)
{
	return g->reseal_rate != 0 ? g->reseal_rate : RATE;
}

int
reseals_up(struct appliance *a)
{
	app = a;
	reseals = calloc(a->conf->n_groups + 1, sizeof(*reseals));
	if (reseals == NULL)
		return -ENOMEM;
	for (unsigned int g = 0; g < a->conf->n_groups; g++) {
		reseals[g].rate = reseal_rate(&a->conf->groups[g]);
		say(&reseals[g], "none", "");
	}
	timer.fn = look_all;
	strake_timer_arm(&timer, strake_now() + LOOK_EVERY);
	return 0;
}

void
reseals_down(struct appliance *a)
{
	strake_timer_cancel(&timer);
	for (unsigned int g = 0; g < a->conf->n_groups; g++) {
		if (a->stores[g] != NULL)
			stop(&reseals[g], a->stores[g]);
	}
	free(reseals);
	reseals = NULL;
}
