/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* Log groups on the telemetry socket. A group belongs to main, so the answer is made there. */

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <rte_telemetry.h>

#include "log_priv.h"
#include "strake_telemetry.h"

static const char *const states[] = {"in_sync", "stale", "missing"};

/* --- words ---------------------------------------------------------------------------------------------------------
 */

__attribute__((format(printf, 3, 4))) static void
say(char *text, size_t len, const char *fmt, ...)
{
	size_t used = strlen(text);
	va_list ap;

	if (used > 0 && used + 2 < len) {
		strcpy(text + used, ", ");
		used += 2;
	}
	va_start(ap, fmt);
	vsnprintf(text + used, len - used, fmt, ap);
	va_end(ap);
}

static unsigned int
percent(uint64_t done, uint64_t total)
{
	return total == 0 ? 0 : (unsigned int)(RTE_MIN(done, total) * 100 / total);
}

const char *
log_group_words(const struct log_group_status *s, char *text, size_t len)
{
	text[0] = '\0';
	if (s->missing > 0)
		say(text, len, "%u of %u drives %s missing", s->missing, s->members, s->missing == 1 ? "is" : "are");
	if (s->rebuild_total > 0)
		say(text, len, "rebuilding %u %%", percent(s->rebuild_done, s->rebuild_total));
	if (s->stale > (s->rebuild_total > 0 ? 1 : 0))
		say(text, len, "%u to be rebuilt%s", s->stale - (s->rebuild_total > 0 ? 1 : 0),
		    s->rebuild_total > 0 ? " then" : "");
	if (s->segments_coming > s->segments && s->missing + s->stale == 0)
		say(text, len, "growing to %u segments", s->segments_coming);
	if (s->scrub_total > 0)
		say(text, len, "scrubbing %u %%", percent(s->scrub_done, s->scrub_total));
	if (text[0] == '\0')
		say(text, len, "in order");
	return text;
}

/* --- figures -------------------------------------------------------------------------------------------------------
 */

static int
list_on_main(const char *params, struct rte_tel_data *d)
{
	struct log_group_status s;
	unsigned int first, count;

	if (strake_tel_page(params, &first, &count) < 0)
		return -EINVAL;
	rte_tel_data_start_array(d, RTE_TEL_STRING_VAL);
	for (unsigned int i = first; i - first < count && log_group_nth(i) != NULL; i++) {
		log_group_status(log_group_nth(i), &s);
		rte_tel_data_add_array_string(d, s.name);
	}
	return 0;
}

static struct log_group *
find(const char *name, struct log_group_status *s)
{
	struct log_group *g;

	for (unsigned int i = 0; (g = log_group_nth(i)) != NULL; i++) {
		log_group_status(g, s);
		if (strcmp(s->name, name) == 0)
			return g;
	}
	return NULL;
}

static void
add_members(struct rte_tel_data *d, const struct log_group *g, unsigned int n)
{
	struct log_member_figures f;
	char key[32], text[240];

	for (unsigned int i = 0; i < n; i++) {
		log_group_member_get(g, i, &f);
		snprintf(key, sizeof(key), "member_%u", i);
		snprintf(text, sizeof(text), "%s %s read_errors %lu write_errors %lu wrong %lu", states[f.state],
			 f.drive != NULL ? f.drive->name : "-", f.read_errors, f.write_errors, f.wrong);
		rte_tel_data_add_dict_string(d, key, text);
	}
}

static void
date(uint64_t seconds, const char *otherwise, char text[32])
{
	time_t t = (time_t)seconds;
	struct tm tm;

	if (seconds == 0 || gmtime_r(&t, &tm) == NULL)
		snprintf(text, 32, "%s", otherwise);
	else
		strftime(text, 32, "%Y-%m-%d %H:%M:%S UTC", &tm);
}

static void
add_scrub(struct rte_tel_data *d, const struct log_scrub_last *last)
{
	char when[32], text[160];

	date(last->ended, "never", when);
	if (last->ended == 0)
		snprintf(text, sizeof(text), "never");
	else
		snprintf(text, sizeof(text), "%s: %lu rows, %lu wrong, %lu columns mended", when, last->rows,
			 last->wrong, last->mended);
	rte_tel_data_add_dict_string(d, "scrub_last", text);
	date(last->next, "when told", when);
	rte_tel_data_add_dict_string(d, "scrub_next", when);
}

static void
add_work(struct rte_tel_data *d, const struct log_group_status *s)
{
	rte_tel_data_add_dict_u64(d, "rows", s->rows);
	rte_tel_data_add_dict_u64(d, "reads", s->reads);
	rte_tel_data_add_dict_u64(d, "bytes_written", s->bytes_written);
	rte_tel_data_add_dict_u64(d, "bytes_read", s->bytes_read);
	rte_tel_data_add_dict_u64(d, "degraded_reads", s->degraded_reads);
	rte_tel_data_add_dict_u64(d, "degraded_writes", s->degraded_writes);
	rte_tel_data_add_dict_u64(d, "rebuilt_reads", s->rebuilt_reads);
	rte_tel_data_add_dict_u64(d, "mended", s->mended);
	rte_tel_data_add_dict_u64(d, "repaired", s->repaired);
	rte_tel_data_add_dict_u64(d, "rebuild_done", s->rebuild_done);
	rte_tel_data_add_dict_u64(d, "rebuild_total", s->rebuild_total);
	rte_tel_data_add_dict_u64(d, "rebuild_bytes", s->rebuild_bytes);
	rte_tel_data_add_dict_u64(d, "rebuild_rate", s->rebuild_rate);
	rte_tel_data_add_dict_u64(d, "moves", s->moves);
	rte_tel_data_add_dict_u64(d, "scrub_done", s->scrub_done);
	rte_tel_data_add_dict_u64(d, "scrub_total", s->scrub_total);
	rte_tel_data_add_dict_u64(d, "scrub_rows", s->scrub_rows);
	rte_tel_data_add_dict_u64(d, "scrub_wrong", s->scrub_wrong);
}

int
lgroup_tel_info(const char *params, struct rte_tel_data *d)
{
	struct log_group_status s;
	struct log_group *g = find(params, &s);
	char uuid[33], words[160];

	if (g == NULL)
		return -ENOENT;
	for (unsigned int i = 0; i < sizeof(s.uuid); i++)
		snprintf(uuid + 2 * i, 3, "%02x", s.uuid[i]);
	rte_tel_data_start_dict(d);
	rte_tel_data_add_dict_string(d, "name", s.name);
	rte_tel_data_add_dict_string(d, "state", log_group_words(&s, words, sizeof(words)));
	rte_tel_data_add_dict_string(d, "uuid", uuid);
	rte_tel_data_add_dict_int(d, "lcore", g->space.owner);
	rte_tel_data_add_dict_u64(d, "data", s.data);
	rte_tel_data_add_dict_u64(d, "parity", s.parity);
	rte_tel_data_add_dict_u64(d, "unit_bytes", s.unit);
	rte_tel_data_add_dict_u64(d, "column_bytes", s.segment);
	rte_tel_data_add_dict_u64(d, "segments", s.segments);
	rte_tel_data_add_dict_u64(d, "segments_coming", s.segments_coming);
	rte_tel_data_add_dict_u64(d, "bytes", s.bytes);
	rte_tel_data_add_dict_u64(d, "generation", s.generation);
	rte_tel_data_add_dict_u64(d, "missing", s.missing);
	rte_tel_data_add_dict_u64(d, "stale", s.stale);
	rte_tel_data_add_dict_u64(d, "spares", s.spares);
	add_work(d, &s);
	add_scrub(d, &g->scrub_last);
	rte_tel_data_add_dict_u64(d, "members", s.members);
	add_members(d, g, s.members);
	return 0;
}

RTE_INIT(log_tel_init)
{
	strake_tel_register_on_main("/strake/group/log_list", list_on_main,
				    "Names of log groups. Parameters: first,count");
	strake_tel_register_on_main("/strake/group/log_info", lgroup_tel_info,
				    "State and figures of a log group. Parameter: its name");
}
