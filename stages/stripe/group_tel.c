/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* Groups of either style on the telemetry socket. A group belongs to main, so the answer is made there. */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <rte_telemetry.h>

#include "group.h"
#include "log_priv.h"
#include "strake_telemetry.h"

static const char *const states[] = {"in_sync", "stale", "missing"};

static int
list_on_main(const char *params, struct rte_tel_data *d)
{
	struct group_status s;
	struct log_group_status ls;
	unsigned int first, count, plain = 0;

	if (strake_tel_page(params, &first, &count) < 0)
		return -EINVAL;
	rte_tel_data_start_array(d, RTE_TEL_STRING_VAL);
	while (group_nth(plain) != NULL)
		plain++;
	for (unsigned int i = first; i - first < count; i++) {
		if (i < plain) {
			group_status(group_nth(i), &s);
			rte_tel_data_add_array_string(d, s.name);
		} else if (log_group_nth(i - plain) != NULL) {
			log_group_status(log_group_nth(i - plain), &ls);
			rte_tel_data_add_array_string(d, ls.name);
		} else {
			break;
		}
	}
	return 0;
}

static void
add_members(struct rte_tel_data *d, const struct group *g, unsigned int n)
{
	char key[32], text[160];

	for (unsigned int i = 0; i < n; i++) {
		struct strake_drive *drive;
		enum group_member_state state = group_member_get(g, i, &drive);

		snprintf(key, sizeof(key), "member_%u", i);
		snprintf(text, sizeof(text), "%s %s", states[state], drive != NULL ? drive->name : "-");
		rte_tel_data_add_dict_string(d, key, text);
	}
}

/* How it stands, in words. */
static const char *
group_words(const struct group *g, const struct group_status *s, char *text, size_t len)
{
	unsigned int missing = 0;

	for (unsigned int i = 0; i < s->members; i++) {
		struct strake_drive *drive;

		missing += group_member_get(g, i, &drive) == GROUP_MEMBER_MISSING;
	}
	if (missing > 0)
		snprintf(text, len, "%u of %u drives %s missing", missing, s->members, missing == 1 ? "is" : "are");
	else if (s->regions_resync > 0)
		snprintf(text, len, "resynchronising, %" PRIu64 " of %" PRIu64 " regions to do", s->regions_resync,
			 s->regions);
	else
		snprintf(text, len, "in order");
	return text;
}

static int
info_on_main(const char *params, struct rte_tel_data *d)
{
	struct group *g = NULL;
	struct group_status s;
	char uuid[33], words[96];

	for (unsigned int i = 0; (g = group_nth(i)) != NULL; i++) {
		group_status(g, &s);
		if (strcmp(s.name, params) == 0)
			break;
	}
	if (g == NULL)
		return lgroup_tel_info(params, d);
	for (unsigned int i = 0; i < sizeof(s.uuid); i++)
		snprintf(uuid + 2 * i, 3, "%02x", s.uuid[i]);
	rte_tel_data_start_dict(d);
	rte_tel_data_add_dict_string(d, "name", s.name);
	rte_tel_data_add_dict_string(d, "state", group_words(g, &s, words, sizeof(words)));
	rte_tel_data_add_dict_string(d, "uuid", uuid);
	rte_tel_data_add_dict_u64(d, "raid", s.raid);
	rte_tel_data_add_dict_u64(d, "chunk_bytes", s.chunk);
	rte_tel_data_add_dict_u64(d, "bytes", s.bytes);
	rte_tel_data_add_dict_u64(d, "bytes_free", s.bytes_free);
	rte_tel_data_add_dict_u64(d, "region_bytes", s.region);
	rte_tel_data_add_dict_u64(d, "generation", s.generation);
	rte_tel_data_add_dict_u64(d, "regions", s.regions);
	rte_tel_data_add_dict_u64(d, "regions_dirty", s.regions_dirty);
	rte_tel_data_add_dict_u64(d, "regions_resync", s.regions_resync);
	rte_tel_data_add_dict_u64(d, "regions_bad", s.regions_bad);
	rte_tel_data_add_dict_u64(d, "mends", s.mends);
	rte_tel_data_add_dict_u64(d, "mends_skipped", s.mends_skipped);
	rte_tel_data_add_dict_u64(d, "mended_bytes", s.mended_bytes);
	rte_tel_data_add_dict_u64(d, "unreadable_bytes", s.unreadable_bytes);
	rte_tel_data_add_dict_u64(d, "resync_bytes", s.resync_bytes);
	rte_tel_data_add_dict_u64(d, "degraded_reads", s.degraded_reads);
	rte_tel_data_add_dict_u64(d, "degraded_writes", s.degraded_writes);
	rte_tel_data_add_dict_u64(d, "member_errors", s.member_errors);
	rte_tel_data_add_dict_u64(d, "members", s.members);
	add_members(d, g, s.members);
	return 0;
}

RTE_INIT(group_tel_init)
{
	strake_tel_register_on_main("/strake/group/list", list_on_main, "Names of groups. Parameters: first,count");
	strake_tel_register_on_main("/strake/group/info", info_on_main,
				    "State and figures of a group. Parameter: its name");
}
