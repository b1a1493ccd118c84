/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* Keys of log groups on the telemetry socket. Main answers. */

#include <errno.h>
#include <string.h>

#include <rte_common.h>

#include "figures.h"
#include "gcm.h"
#include "kek.h"
#include "plan.h"
#include "reseal.h"
#include "strake_telemetry.h"

static const struct appliance *app;

static bool
has_keys(unsigned int g)
{
	return app->log_groups[g] != NULL && plan_keys_first(app->conf, g) != NULL;
}

static int
list_on_main(const char *params, struct rte_tel_data *d)
{
	unsigned int first, count, n = 0;

	if (strake_tel_page(params, &first, &count) < 0)
		return -EINVAL;
	rte_tel_data_start_array(d, RTE_TEL_STRING_VAL);
	for (unsigned int g = 0; g < app->conf->n_groups; g++) {
		if (!has_keys(g))
			continue;
		if (n >= first && n - first < count)
			rte_tel_data_add_array_string(d, app->conf->groups[g].name);
		n++;
	}
	return 0;
}

static int
info_on_main(const char *params, struct rte_tel_data *d)
{
	const struct conf_group *group = conf_group_find(app->conf, params);
	unsigned int g = group != NULL ? (unsigned int)(group - app->conf->groups) : 0;
	struct reseal_status s;
	struct kek_place kek;

	if (group == NULL || !has_keys(g))
		return -ENOENT;
	reseal_get(g, &s);
	kek_place(conf_volume_stage(plan_keys_first(app->conf, g), "seal"), &kek);
	rte_tel_data_start_dict(d);
	rte_tel_data_add_dict_string(d, "name", group->name);
	rte_tel_data_add_dict_string(d, "state", app->seals_off[g] != NULL ? app->seals_off[g] : "open");
	rte_tel_data_add_dict_string(d, kek_word(&kek), kek.name);
	rte_tel_data_add_dict_u64(d, "domains", s.domains);
	rte_tel_data_add_dict_u64(d, "openings", app->seals[g] != NULL ? gcm_openings(app->seals[g]) : 0);
	rte_tel_data_add_dict_u64(d, "old_keys", s.old_keys);
	rte_tel_data_add_dict_string(d, "reseal", s.word);
	rte_tel_data_add_dict_string(d, "reseal_why", s.why);
	rte_tel_data_add_dict_u64(d, "reseal_percent", s.percent);
	rte_tel_data_add_dict_u64(d, "reseal_rate", s.rate);
	rte_tel_data_add_dict_u64(d, "reseal_segments", s.store.segments);
	rte_tel_data_add_dict_u64(d, "reseal_left", s.store.left);
	rte_tel_data_add_dict_u64(d, "reseal_chunks", s.store.chunks);
	rte_tel_data_add_dict_u64(d, "reseal_bytes", s.store.bytes);
	rte_tel_data_add_dict_u64(d, "reseal_damaged", s.store.damaged);
	rte_tel_data_add_dict_u64(d, "reseal_unopened", s.store.unopened);
	rte_tel_data_add_dict_u64(d, "reseal_unread", s.store.unread);
	return 0;
}

int
figures_keys_up(const struct appliance *a)
{
	int ret;

	app = a;
	ret = strake_tel_register_on_main("/strake/key/list", list_on_main,
					  "Names of the log groups with sealed volumes. Parameters: first,count.");
	return ret < 0 ? ret
		       : strake_tel_register_on_main(
				 "/strake/key/info", info_on_main,
				 "The keys of a log group, and how far sealing anew after a change of keys "
				 "has come. Parameter: name.");
}
