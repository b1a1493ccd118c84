/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "scrub_plan.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#define QUIET_NS   2000000000ULL  /* no repair for so long: they are at rest */
#define GIVE_UP_NS 60000000000ULL /* a busy store may mend what hosts read for ever */

static void
settle_begin(struct scrub_plan *p, const struct scrub_seen *seen, uint64_t now)
{
	p->settling = true;
	p->ended = seen->ended;
	p->past.rows = seen->rows;
	p->past.wrong = seen->wrong;
	p->repaired = seen->repaired;
	p->quiet = now + QUIET_NS;
	p->give_up = now + GIVE_UP_NS;
}

/* @return true: the result of the last scrub stands. */
static bool
settled(struct scrub_plan *p, const struct scrub_seen *seen, uint64_t now, uint64_t wall)
{
	if (seen->repaired != p->repaired)
		p->quiet = now + QUIET_NS;
	p->repaired = seen->repaired;
	if (now < p->quiet && now < p->give_up && !seen->running)
		return false;
	p->settling = false;
	p->past.mended = p->repaired - p->before;
	p->past.since = p->past.ended = wall;
	p->before = p->repaired;
	return true;
}

enum scrub_do
scrub_plan_look(struct scrub_plan *p, const struct scrub_seen *seen, uint64_t now, uint64_t wall)
{
	bool first = p->past.since == 0;

	if (first || p->past.since > wall)
		p->past.since = wall;
	if (seen->ended != p->ended)
		settle_begin(p, seen, now);
	if (p->settling)
		return settled(p, seen, now, wall) ? SCRUB_RECORD : SCRUB_NOTHING;
	if (first)
		return SCRUB_RECORD;
	if (seen->running)
		return SCRUB_NOTHING;
	p->before = seen->repaired;
	return p->every != 0 && seen->whole && wall - p->past.since >= p->every ? SCRUB_START : SCRUB_NOTHING;
}

void
scrub_plan_rest(struct scrub_plan *p, uint64_t wall)
{
	p->past.since = wall;
}

uint64_t
scrub_plan_next(const struct scrub_plan *p)
{
	return p->every == 0 ? 0 : p->past.since + p->every;
}

unsigned int
scrub_past_print(const struct scrub_past *past, char text[SCRUB_PAST_MAX])
{
	return (unsigned int)snprintf(text, SCRUB_PAST_MAX,
				      "since %" PRIu64 " ended %" PRIu64 " rows %" PRIu64 " wrong %" PRIu64
				      " mended %" PRIu64 "\n",
				      past->since, past->ended, past->rows, past->wrong, past->mended);
}

int
scrub_past_parse(struct scrub_past *past, const char *text)
{
	struct scrub_past p;
	int used = 0;

	if (sscanf(text,
		   "since %" SCNu64 " ended %" SCNu64 " rows %" SCNu64 " wrong %" SCNu64 " mended %" SCNu64 "\n%n",
		   &p.since, &p.ended, &p.rows, &p.wrong, &p.mended, &used) != 5 ||
	    used == 0 || text[used] != '\0')
		return -EINVAL;
	*past = p;
	return 0;
}
