/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "change.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_common.h>

#include "group.h"
#include "nvmf.h"
#include "plan.h"
#include "store_log.h"

/* The configuration is the appliance's own; the const keeps others from changing it by accident. */
static struct conf *
conf_of(struct appliance *a)
{
	return (struct conf *)(uintptr_t)a->conf;
}

static struct conf_subsystem *
find_subsystem(struct appliance *a, const struct ctl_request *r, json_t *answer)
{
	const char *nqn = ctl_value(r, "subsystem");

	for (unsigned int i = 0; nqn != NULL && i < a->conf->n_subsystems; i++)
		if (strcmp(a->conf->subsystems[i].nqn, nqn) == 0)
			return &conf_of(a)->subsystems[i];
	json_object_set_new(answer, "error", json_sprintf("no subsystem \"%s\"", nqn != NULL ? nqn : ""));
	return NULL;
}

static struct conf_volume *
find_volume(struct appliance *a, const char *name, json_t *answer)
{
	for (unsigned int i = 0; name != NULL && i < a->conf->n_volumes; i++)
		if (strcmp(a->conf->volumes[i].name, name) == 0)
			return &conf_of(a)->volumes[i];
	json_object_set_new(answer, "error", json_sprintf("no volume \"%s\"", name != NULL ? name : ""));
	return NULL;
}

/* --- what is left to do --------------------------------------------------------------------------------------------
 */

/* A command that waits for the target: done() marks it, change_poll() ends it. */
struct later {
	struct later *next;
	struct appliance *a;
	uint64_t request;
	bool ready;
	struct conf_volume *shrink; /* NULL: nothing is left to do */
	uint64_t bytes;
};

static struct later *waiting;

static struct later *
later_new(struct appliance *a)
{
	struct later *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return NULL;
	l->a = a;
	l->next = waiting;
	waiting = l;
	return l;
}

static void
later_ready(void *arg)
{
	((struct later *)arg)->ready = true;
}

static struct group *
group_of(struct appliance *a, const struct conf_volume *v)
{
	return a->groups[v->group - a->conf->groups];
}

/* The room that a volume has below. Main: runs turns. */
static int
room_resize(struct appliance *a, struct conf_volume *v, uint64_t bytes, char *err, size_t errlen)
{
	int ret;

	if (!plan_volume_is_log(v))
		return group_extent_resize(group_of(a, v), v->name, bytes, err, errlen);
	ret = bytes % 4096 != 0 ? -EINVAL : log_resize(strake_volume_find(v->name), bytes);
	if (ret < 0)
		snprintf(err, errlen, "volume \"%s\": %s", v->name,
			 ret == -EINVAL ? "a size is a whole number of 4-KiB blocks" : strerror(-ret));
	return ret;
}

static void
later_end(struct later *l)
{
	char err[BOOT_ERR_MAX] = "";
	int ret = 0;

	if (l->shrink != NULL)
		ret = room_resize(l->a, l->shrink, l->bytes, err, sizeof(err));
	ctl_finish(l->request, ret, err);
	free(l);
}

static void
later_drop(struct later *l)
{
	struct later **at = &waiting;

	while (*at != l)
		at = &(*at)->next;
	*at = l->next;
}

uint32_t
change_poll(void)
{
	for (struct later *l = waiting; l != NULL; l = l->next) {
		if (!l->ready)
			continue;
		later_drop(l);
		later_end(l);
		return 1; /* the list may be another now */
	}
	return 0;
}

/* --- namespaces ----------------------------------------------------------------------------------------------------
 */

int
change_namespace_add(struct appliance *a, const struct ctl_request *r, json_t *answer)
{
	struct conf_subsystem *s = find_subsystem(a, r, answer);
	struct conf_volume *v = s != NULL ? find_volume(a, ctl_value(r, "volume"), answer) : NULL;
	struct strake_volume *vol = v != NULL ? strake_volume_find(v->name) : NULL;
	uint64_t nsid = 0;
	int ret;

	if (vol == NULL)
		return -ENOENT;
	if (ctl_value(r, "nsid") != NULL && ctl_number(r, "nsid", &nsid, answer) < 0)
		return -EINVAL;
	if (nvmf_ns_find(s->nqn, vol) != 0) {
		json_object_set_new(answer, "error",
				    json_sprintf("volume \"%s\" is namespace %u of it already", v->name,
						 nvmf_ns_find(s->nqn, vol)));
		return -EEXIST;
	}
	if (nsid == 0)
		nsid = nvmf_ns_free(s->nqn);
	ret = nsid > UINT32_MAX ? -EINVAL : nvmf_ns_add(s->nqn, (uint32_t)nsid, vol);
	if (ret == 0)
		ret = conf_namespace_add(s, (unsigned int)nsid, v);
	if (ret == 0)
		json_object_set_new(answer, "nsid", json_integer((json_int_t)nsid));
	return ret;
}

int
change_namespace_remove(struct appliance *a, const struct ctl_request *r, json_t *answer)
{
	struct conf_subsystem *s = find_subsystem(a, r, answer);
	const char *name = ctl_value(r, "volume");
	struct later *l;
	uint64_t nsid;
	int ret;

	if (s == NULL)
		return -ENOENT;
	if (name != NULL && strake_volume_find(name) != NULL)
		nsid = nvmf_ns_find(s->nqn, strake_volume_find(name));
	else if (name != NULL)
		return find_volume(a, name, answer) == NULL ? -ENOENT : -EINVAL;
	else if (ctl_number(r, "nsid", &nsid, answer) < 0)
		return -EINVAL;
	l = later_new(a);
	if (l == NULL)
		return -ENOMEM;
	ret = nsid > UINT32_MAX ? -EINVAL : nvmf_ns_remove(s->nqn, (uint32_t)nsid, later_ready, l);
	if (ret < 0) {
		later_drop(l);
		free(l);
		if (ret == -ENOENT)
			json_object_set_new(answer, "error",
					    json_sprintf("%s is no namespace of it", name != NULL ? name : "that"));
		return ret;
	}
	conf_namespace_remove(s, (unsigned int)nsid);
	l->request = ctl_defer();
	return CTL_LATER;
}

/* --- sizes ---------------------------------------------------------------------------------------------------------
 */

/* More room first, then hosts hear of it. */
static int
grow(struct appliance *a, struct conf_volume *v, struct strake_volume *vol, uint64_t bytes, json_t *answer)
{
	uint64_t most = (uint64_t)vol->slabs_max << vol->slab_shift;
	char err[BOOT_ERR_MAX] = "";
	int ret;

	if (bytes > most) {
		json_object_set_new(
			answer, "error",
			json_sprintf("volume \"%s\" can grow to %llu bytes; for more, change the file and restart",
				     v->name, (unsigned long long)most));
		return -E2BIG;
	}
	ret = room_resize(a, v, bytes, err, sizeof(err));
	if (ret < 0) {
		json_object_set_new(answer, "error", json_string(err));
		return ret;
	}
	v->size = bytes;
	ret = strake_volume_resize(vol, bytes >> vol->lba_shift);
	if (ret == 0)
		ret = nvmf_ns_resized(vol, NULL, NULL);
	return ret == -ENOENT ? 0 : ret;
}

/* Hosts hear of it first; when nothing is under way beyond the new end, the room is free. */
static int
shrink(struct appliance *a, struct conf_volume *v, struct strake_volume *vol, uint64_t bytes)
{
	struct later *l = later_new(a);
	int ret;

	if (l == NULL)
		return -ENOMEM;
	l->shrink = v;
	l->bytes = bytes;
	ret = strake_volume_resize(vol, bytes >> vol->lba_shift);
	if (ret == 0)
		ret = nvmf_ns_resized(vol, later_ready, l);
	if (ret == -ENOENT)
		l->ready = true; /* no host has it */
	else if (ret < 0) {
		later_drop(l);
		free(l);
		return ret;
	}
	v->size = bytes;
	l->request = ctl_defer();
	return CTL_LATER;
}

int
change_volume_resize(struct appliance *a, const struct ctl_request *r, json_t *answer)
{
	struct conf_volume *v = find_volume(a, ctl_value(r, "name"), answer);
	struct strake_volume *vol = v != NULL ? strake_volume_find(v->name) : NULL;
	const char *force = ctl_value(r, "shrink");
	uint64_t bytes;

	if (vol == NULL)
		return -ENOENT;
	if (ctl_number(r, "size", &bytes, answer) < 0)
		return -EINVAL;
	if (bytes == 0 || bytes % v->lba != 0) {
		json_object_set_new(answer, "error",
				    json_sprintf("a size is a whole number of %u-byte blocks", v->lba));
		return -EINVAL;
	}
	if (bytes == v->size)
		return 0;
	if (bytes > v->size)
		return grow(a, v, vol, bytes, answer);
	if (force != NULL && strcmp(force, v->name) == 0)
		return shrink(a, v, vol, bytes);
	json_object_set_new(answer, "error",
			    json_sprintf("volume \"%s\" would lose its last %llu bytes; --shrink %s if that is meant",
					 v->name, (unsigned long long)(v->size - bytes), v->name));
	return -EPERM;
}

/* --- paths and hosts -----------------------------------------------------------------------------------------------
 */

int
change_listener_ana(struct appliance *a, const struct ctl_request *r, json_t *answer)
{
	static const struct {
		const char *name;
		enum nvme_ana_state state;
		enum conf_ana kept;
	} states[] = {
		{"optimized", NVME_ANA_OPTIMIZED, CONF_ANA_OPTIMIZED},
		{"non_optimized", NVME_ANA_NON_OPTIMIZED, CONF_ANA_NON_OPTIMIZED},
		{"inaccessible", NVME_ANA_INACCESSIBLE, CONF_ANA_INACCESSIBLE},
		{"change", NVME_ANA_CHANGE, CONF_ANA_INACCESSIBLE}, /* what it becomes */
	};
	const char *address = ctl_value(r, "address"), *state = ctl_value(r, "state");
	uint64_t service;
	unsigned int i = 0;

	if (ctl_number(r, "service", &service, answer) < 0)
		return -EINVAL;
	while (i < RTE_DIM(states) && (state == NULL || strcmp(states[i].name, state) != 0))
		i++;
	if (i == RTE_DIM(states)) {
		json_object_set_new(answer, "error",
				    json_string("state is optimized, non_optimized, inaccessible or change"));
		return -EINVAL;
	}
	if (address == NULL || service > UINT16_MAX || nvmf_ana_set(address, (uint16_t)service, states[i].state) < 0) {
		json_object_set_new(answer, "error",
				    json_sprintf("no listener on %s port %llu", address != NULL ? address : "?",
						 (unsigned long long)service));
		return -ENOENT;
	}
	for (unsigned int l = 0; l < a->conf->n_listeners; l++)
		if (strcmp(a->conf->listeners[l].address, address) == 0 && a->conf->listeners[l].service == service)
			conf_of(a)->listeners[l].ana = states[i].kept;
	return 0;
}

int
change_controller_drop(struct appliance *a, const struct ctl_request *r, json_t *answer)
{
	uint64_t id;

	(void)a;
	if (ctl_number(r, "id", &id, answer) < 0)
		return -EINVAL;
	if (id <= UINT32_MAX && nvmf_ctrlr_drop((uint32_t)id) == 0)
		return 0;
	json_object_set_new(answer, "error", json_sprintf("no controller %llu", (unsigned long long)id));
	return -ENOENT;
}

int
change_host(struct appliance *a, const struct ctl_request *r, json_t *answer)
{
	struct conf_subsystem *s = find_subsystem(a, r, answer);
	bool allow = strcmp(r->command, "host allow") == 0;
	char err[BOOT_ERR_MAX];
	const char *host = ctl_value(r, "host");
	int ret;

	if (s == NULL)
		return -ENOENT;
	if (!conf_host_good(host != NULL ? host : "", err, sizeof(err))) {
		json_object_set_new(answer, "error", json_string(err));
		return -EINVAL;
	}
	ret = allow ? nvmf_host_allow(s->nqn, host) : nvmf_host_deny(s->nqn, host);
	if (ret == -EINVAL)
		json_object_set_new(answer, "error", json_string("the subsystem takes any host: it has no list"));
	else if (ret == -EEXIST)
		json_object_set_new(answer, "error", json_string("the host is on the list"));
	else if (ret == -ENOENT)
		json_object_set_new(answer, "error", json_string("the host is not on the list"));
	if (ret < 0)
		return ret;
	if (!allow)
		conf_host_remove(s, host);
	return allow ? conf_host_add(s, host) : 0;
}
