/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "keys.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <rte_common.h>
#include <rte_log.h>

#include "gcm.h"
#include "store_log.h"
#include "strake_lcore.h"
#include "strake_stage.h"

RTE_LOG_REGISTER(keys_log, strake.keys, INFO)

#define LOOK_EVERY (20 * STRAKE_NS_PER_MS)

struct keys_tidy {
	struct strake_timer timer;
	struct store *st;
	struct strake_stage *seal;
	unsigned int rotations; /* when it began */
	unsigned int forgotten;
	int status;
	bool forgetting, ended; /* main takes turns while it forgets; ended: by one of those */
	struct gcm_domain domain[GCM_DOMAINS_MAX];
};

static bool
used(void *arg, uint16_t opening)
{
	const struct store_seals *s = arg;

	return (s->opening[opening / 64] >> opening % 64 & 1) != 0;
}

/* Of a domain of which there is no chunk only the newest key is kept. */
static uint16_t
oldest(const struct store_seals *s, const struct gcm_domain *d)
{
	uint16_t epoch = d->epoch;

	for (uint32_t i = 0; i < s->n_domains; i++) {
		if (s->domain[i].domain == d->domain)
			epoch = RTE_MIN(epoch, s->domain[i].oldest);
	}
	return epoch;
}

/* The store has answered. What was on its way when a key changed since then is of a key that it may not have met. */
static int
forget(struct keys_tidy *t, const struct store_seals *s)
{
	int ret = gcm_openings_in_use(t->seal, used, (void *)(uintptr_t)s);
	unsigned int n = 0;

	if (gcm_rotations(t->seal) == t->rotations)
		n = gcm_domains(t->seal, t->domain, GCM_DOMAINS_MAX);
	for (unsigned int i = 0; ret >= 0 && i < n; i++) {
		t->forgotten += (unsigned int)ret;
		ret = t->domain[i].epoch != 0
			      ? gcm_epoch_oldest_in_use(t->seal, t->domain[i].domain, oldest(s, &t->domain[i]))
			      : 0;
	}
	t->forgotten += ret > 0 ? (unsigned int)ret : 0;
	return RTE_MIN(ret, 0);
}

static void
look(struct strake_timer *timer, uint64_t now)
{
	struct keys_tidy *t = RTE_PTR_SUB(timer, offsetof(struct keys_tidy, timer));
	const struct store_seals *s;

	t->status = store_seals_result(t->st, &s);
	if (t->status == -EINPROGRESS) {
		strake_timer_arm(timer, now + LOOK_EVERY);
		return;
	}
	t->forgetting = true;
	if (t->status == 0)
		t->status = forget(t, s);
	t->forgetting = false;
	if (t->status == -EBUSY && !t->ended) { /* a change of keys is on its way to the drives */
		t->status = -EINPROGRESS;
		strake_timer_arm(timer, now + LOOK_EVERY);
		return;
	}
	store_seals_end(t->st);
	if (t->ended) {
		free(t);
		return;
	}
	if (t->status < 0)
		rte_log(RTE_LOG_WARNING, keys_log, "%s: keys that are not needed any more are kept: %s\n",
			t->seal->name, strerror(-t->status));
	else
		rte_log(RTE_LOG_INFO, keys_log, "%s: %u keys and openings that no data needs are forgotten\n",
			t->seal->name, t->forgotten);
}

struct keys_tidy *
keys_tidy_begin(struct store *st, struct strake_stage *seal, unsigned int from)
{
	struct keys_tidy *t;

	if (gcm_openings(seal) < from)
		return NULL;
	t = calloc(1, sizeof(*t));
	if (t == NULL || store_seals_begin(st) < 0) {
		free(t);
		return NULL;
	}
	t->st = st;
	t->seal = seal;
	t->rotations = gcm_rotations(seal);
	t->status = -EINPROGRESS;
	t->timer.fn = look;
	strake_timer_arm(&t->timer, strake_now() + LOOK_EVERY);
	return t;
}

int
keys_tidy_status(const struct keys_tidy *t, unsigned int *forgotten)
{
	*forgotten = t->forgotten;
	return t->status;
}

void
keys_tidy_end(struct keys_tidy *t)
{
	if (t == NULL)
		return;
	strake_timer_cancel(&t->timer);
	t->ended = true;
	if (t->forgetting)
		return;
	if (t->status == -EINPROGRESS)
		store_seals_end(t->st);
	free(t);
}
