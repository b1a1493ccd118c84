/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "commands.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <rte_common.h>

#include "admin.h"
#include "change.h"
#include "ctl.h"
#include "drive.h"
#include "later.h"
#include "offline.h"
#include "strake_account.h"
#include "strake_lcore.h"
#include "strake_trace.h"
#include "strake_volume.h"
#include "volumes.h"

static int
do_stop(struct appliance *a, const struct ctl_request *r, json_t *answer)
{
	RTE_SET_USED(a);
	RTE_SET_USED(r);
	RTE_SET_USED(answer);
	strake_lcore_stop(STRAKE_LCORE_MAIN);
	return 0;
}

static int
do_trace(struct appliance *a, const struct ctl_request *r, json_t *answer)
{
	uint64_t every;

	RTE_SET_USED(a);
	if (ctl_number(r, "every", &every, answer) < 0)
		return -EINVAL;
	strake_trace_set((uint32_t)RTE_MIN(every, (uint64_t)UINT32_MAX));
	return 0;
}

static int
do_steps(struct appliance *a, const struct ctl_request *r, json_t *answer)
{
	RTE_SET_USED(a);
	RTE_SET_USED(answer);
	strake_account_set(strcmp(r->command, "steps on") == 0);
	return 0;
}

static int
do_slab_move(struct appliance *a, const struct ctl_request *r, json_t *answer)
{
	const char *name = ctl_value(r, "volume");
	struct strake_volume *vol = name != NULL ? strake_volume_find(name) : NULL;
	uint64_t slab, lcore;

	RTE_SET_USED(a);
	if (vol == NULL) {
		json_object_set_new(answer, "error", json_sprintf("no volume \"%s\"", name != NULL ? name : ""));
		return -ENOENT;
	}
	if (ctl_number(r, "slab", &slab, answer) < 0 || ctl_number(r, "lcore", &lcore, answer) < 0)
		return -EINVAL;
	if (slab > UINT32_MAX || lcore > UINT16_MAX)
		return -EINVAL;
	return strake_slab_move(vol, (uint32_t)slab, (uint16_t)lcore, NULL, NULL);
}

static int
do_config_save(struct appliance *a, const struct ctl_request *r, json_t *answer)
{
	const char *path = ctl_value(r, "path");
	FILE *f;
	int ret;

	if (path == NULL || path[0] != '/') {
		json_object_set_new(answer, "error", json_string("config save needs path=/ABSOLUTE/FILE"));
		return -EINVAL;
	}
	f = fopen(path, "wxe");
	if (f == NULL)
		return ctl_refuse(answer, -errno, "%s: %s", path, strerror(errno));
	ret = conf_save(a->conf, f);
	if (fclose(f) != 0 && ret == 0)
		ret = -errno;
	if (ret == 0)
		return 0;
	unlink(path); /* half of it would start another appliance */
	return ctl_refuse(answer, ret, "%s: %s", path, strerror(-ret));
}

static const struct {
	const char *name;
	int (*fn)(struct appliance *a, const struct ctl_request *r, json_t *answer);
} commands[] = {
	{"stop", do_stop},
	{"trace", do_trace},
	{"steps on", do_steps},
	{"steps off", do_steps},
	{"drive fail", drive_service},
	{"drive return", drive_service},
	{"drive locate", drive_locate},
	{"drive look", drive_order},
	{"drive format", drive_order},
	{"drive sanitize", drive_order},
	{"drive remove", drive_remove},
	{"drive add", drive_add},
	{"drive replace", drive_replace},
	{"group scrub", admin_scrub},
	{"group rest", admin_scrub},
	{"group rate", admin_rate},
	{"group grow", admin_grow},
	{"key rotate", admin_key_rotate},
	{"key erase", admin_key_erase},
	{"key load", offline_load},
	{"key reseal", admin_key_reseal},
	{"key rest", admin_key_reseal},
	{"key rewrap", admin_key_rewrap},
	{"slab move", do_slab_move},
	{"config save", do_config_save},
	{"namespace add", change_namespace_add},
	{"namespace remove", change_namespace_remove},
	{"volume create", volumes_create},
	{"volume resize", volumes_resize},
	{"volume delete", volumes_delete},
	{"listener ana", change_listener_ana},
	{"controller drop", change_controller_drop},
	{"host allow", change_host},
	{"host deny", change_host},
};

static int
run(struct appliance *a, const struct ctl_request *r, json_t *answer)
{
	for (size_t i = 0; i < RTE_DIM(commands); i++) {
		if (strcmp(commands[i].name, r->command) == 0)
			return commands[i].fn(a, r, answer);
	}
	json_object_set_new(answer, "error", json_sprintf("unknown command \"%s\"", r->command));
	return -ENOENT;
}

static uint32_t
go_on(struct appliance *a, uint64_t now)
{
	return later_poll(now) + drive_poll(a, now);
}

static const struct ctl_ops ops = {.run = run, .poll = go_on, .down = drive_down};

int
commands_up(struct appliance *a)
{
	return ctl_up(a, &ops);
}
