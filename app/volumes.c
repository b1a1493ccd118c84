/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "volumes.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gone.h"
#include "group.h"
#include "known.h"
#include "later.h"
#include "nvmf.h"
#include "offline.h"
#include "overlay.h"
#include "plan.h"
#include "store_log.h"
#include "volume_json.h"

#define LEAVE_TIME (30 * STRAKE_NS_PER_SEC)

/* The configuration is the appliance's own; the const keeps others from changing it by accident. */
static struct conf *
conf_of(struct appliance *a)
{
	return (struct conf *)(uintptr_t)a->conf;
}

struct conf_volume *
volumes_find(struct appliance *a, const char *name, json_t *answer)
{
	struct conf_volume *v = name != NULL ? conf_volume_find(a->conf, name) : NULL;

	const char *word, *why;

	if (v == NULL)
		ctl_refuse(answer, -ENOENT, "no volume \"%s\"", name != NULL ? name : "");
	else if ((word = offline_word(a, v, &why)) != NULL)
		ctl_refuse(answer, -ENODEV, "volume \"%s\" is offline: %s: %s", name, word, why);
	else if (later_has(name))
		ctl_refuse(answer, -EBUSY, "another command is at work on volume \"%s\"; wait for its end", name);
	else
		return v;
	return NULL;
}

static struct store *
store_of(const struct appliance *a, const struct conf_group *g)
{
	return a->stores[g - a->conf->groups];
}

static int
not_kept(const struct appliance *a, int ret, json_t *answer)
{
	return ctl_refuse(answer, ret, "this would not be remembered: %s cannot be written: %s",
			  a->conf->appliance.state, strerror(-ret));
}

/* --- sizes ---------------------------------------------------------------------------------------------------------
 */

/* The room that a volume has below. Main: runs turns. */
static int
room_resize(struct appliance *a, const struct conf_volume *v, uint64_t bytes, char *err, size_t errlen)
{
	int ret;

	if (!plan_volume_is_log(v))
		return group_extent_resize(a->groups[v->group - a->conf->groups], v->name, bytes, err, errlen);
	ret = log_resize(strake_volume_find(v->name), bytes);
	if (ret < 0)
		snprintf(err, errlen, "volume \"%s\": %s", v->name, strerror(-ret));
	return ret;
}

/* More room first, then hosts hear of it. */
static int
grow(struct appliance *a, struct conf_volume *v, struct strake_volume *vol, uint64_t bytes, json_t *answer)
{
	uint64_t most = (uint64_t)vol->slabs_max << vol->slab_shift;
	char err[BOOT_ERR_MAX] = "";
	int ret;

	if (bytes > most)
		return ctl_refuse(
			answer, -E2BIG,
			"volume \"%s\" can grow to %llu bytes; for more, change the file and restart the appliance",
			v->name, (unsigned long long)most);
	ret = overlay_volume_resized(v, bytes);
	if (ret < 0)
		return not_kept(a, ret, answer);
	ret = room_resize(a, v, bytes, err, sizeof(err));
	if (ret < 0) {
		overlay_volume_resized(v, v->size);
		return ctl_refuse(answer, ret, "%s", err);
	}
	v->size = bytes;
	ret = strake_volume_resize(vol, bytes >> vol->lba_shift);
	if (ret == 0)
		ret = nvmf_ns_resized(vol, NULL, NULL);
	return ret == -ENOENT ? 0 : ret;
}

static int
shrink_end(struct later *l, char *err, size_t errlen)
{
	const struct conf_volume *v = conf_volume_find(l->a->conf, l->volume);

	return v != NULL ? room_resize(l->a, v, l->bytes, err, errlen) : -ENOENT;
}

/* Hosts hear of it first; when nothing is under way beyond the new end, the room is free. */
static int
shrink(struct appliance *a, struct conf_volume *v, struct strake_volume *vol, uint64_t bytes, json_t *answer)
{
	struct later *l;
	int ret = overlay_volume_resized(v, bytes);

	if (ret < 0)
		return not_kept(a, ret, answer);
	l = later_new(a, v->name);
	if (l == NULL)
		return -ENOMEM;
	l->finish = shrink_end;
	l->bytes = bytes;
	l->waits = 1;
	ret = strake_volume_resize(vol, bytes >> vol->lba_shift);
	if (ret == 0)
		ret = nvmf_ns_resized(vol, later_ready, l);
	if (ret == -ENOENT)
		l->waits = 0; /* no host has it */
	else if (ret < 0) {
		later_cancel(l);
		return ret;
	}
	v->size = bytes;
	return later_defer(l);
}

int
volumes_resize(struct appliance *a, const struct ctl_request *r, json_t *answer)
{
	struct conf_volume *v = volumes_find(a, ctl_value(r, "name"), answer);
	struct strake_volume *vol = v != NULL ? strake_volume_find(v->name) : NULL;
	const char *force = ctl_value(r, "shrink"), *why;
	uint64_t bytes;

	if (vol == NULL)
		return -ENOENT;
	if (ctl_number(r, "size", &bytes, answer) < 0)
		return -EINVAL;
	if (bytes == 0 || bytes % v->lba != 0)
		return ctl_refuse(answer, -EINVAL, "a size is a whole number of %u-byte blocks", v->lba);
	why = plan_volume_is_log(v) ? plan_log_size_wrong(bytes) : NULL;
	if (why != NULL)
		return ctl_refuse(answer, -EINVAL, "%s", why);
	if (bytes == v->size)
		return 0;
	if (bytes > v->size)
		return grow(a, v, vol, bytes, answer);
	if (force != NULL && strcmp(force, v->name) == 0)
		return shrink(a, v, vol, bytes, answer);
	return ctl_refuse(answer, -EPERM, "volume \"%s\" would lose its last %llu bytes; --shrink %s if that is meant",
			  v->name, (unsigned long long)(v->size - bytes), v->name);
}

/* --- deleting ------------------------------------------------------------------------------------------------------
 */

/* No host has it any more, and what they had under way has ended. */
static int
delete_end(struct later *l, char *err, size_t errlen)
{
	struct conf_volume *v = conf_volume_find(l->a->conf, l->volume);
	struct store *st = v != NULL ? store_of(l->a, v->group) : NULL;
	struct overlay_gone gone = {.name = l->volume, .keys = l->keys};
	struct store_volume d;
	char why[BOOT_ERR_MAX / 2];
	unsigned int i;
	int ret;

	if (st == NULL)
		return -ENOENT;
	gone.group = v->group->name;
	gone.domain = plan_domain_number(v);
	i = (unsigned int)(v - l->a->conf->volumes);
	ret = l->status;
	if (ret == 0)
		ret = known_leave(l->a, v);
	if (ret == 0)
		ret = plan_volume_drain(l->a, i);
	if (ret == 0) {
		plan_volume_end(l->a, i);
		ret = gone_forget(l->a, &gone, why, sizeof(why));
	} else {
		snprintf(why, sizeof(why), "%s", ret == -EAGAIN ? "it is in use" : strerror(-ret));
	}
	if (ret < 0 && store_volume_get(st, l->volume, &d) < 0)
		snprintf(err, errlen, "volume \"%s\": %s", l->volume, why);
	else if (ret < 0)
		snprintf(err, errlen,
			 "volume \"%s\" is offered no longer, but could not be taken away yet (%s): that is done when "
			 "the appliance is started next",
			 l->volume, why);
	return ret;
}

/* @p l: waits until hosts have none of them any more; NULL: no host has. */
static void
namespaces_remove(struct appliance *a, struct conf_volume *v, struct later *l)
{
	for (unsigned int s = 0; s < a->conf->n_subsystems; s++) {
		struct conf_subsystem *sub = &conf_of(a)->subsystems[s];

		for (unsigned int n = sub->n_namespaces; n-- > 0;) {
			unsigned int nsid = sub->namespaces[n].nsid;
			int ret = 0;

			if (sub->namespaces[n].volume != v)
				continue;
			if (l != NULL)
				ret = nvmf_ns_remove(sub->nqn, nsid, later_ready, l);
			if (ret < 0) {
				l->status = ret;
				continue;
			}
			if (l != NULL)
				l->waits++;
			conf_namespace_remove(sub, nsid);
		}
	}
}

/* One that a store holds and nobody names. */
static int
delete_orphan(struct appliance *a, const char *name, const char *sure, json_t *answer)
{
	struct store_volume d;
	struct store *st = NULL;
	int ret;

	for (unsigned int g = 0; st == NULL && g < a->conf->n_groups && name[0] != '.'; g++) {
		if (a->stores[g] != NULL && store_volume_get(a->stores[g], name, &d) == 0)
			st = a->stores[g];
	}
	if (st == NULL)
		return ctl_refuse(answer, -ENOENT, "no volume \"%s\"", name);
	if (strcmp(sure, name) != 0)
		return ctl_refuse(answer, -EPERM, "the %" PRIu64 " bytes in volume \"%s\" would be lost; sure=%s if so",
				  d.mapped, name, name);
	ret = store_volume_delete(st, name);
	return ret < 0 ? ctl_refuse(answer, ret, "volume \"%s\": %s", name, strerror(-ret)) : 0;
}

static int
may_erase(const struct appliance *a, const struct conf_volume *v, json_t *answer)
{
	unsigned int g = (unsigned int)(v->group - a->conf->groups);
	char other[STRAKE_NAME_MAX];

	if (conf_volume_stage(v, "seal") == NULL)
		return ctl_refuse(answer, -EINVAL, "volume \"%s\" has no stage seal, so there are no keys to destroy",
				  v->name);
	if (plan_keys_shared(a, g, plan_domain_number(v), v->name, other))
		return ctl_refuse(answer, -EBUSY,
				  "volume \"%s\" has the same keys and could not be read any more: delete it first, or "
				  "delete \"%s\" without its keys",
				  other, v->name);
	return 0;
}

static int
may_delete(const struct conf_volume *v, const struct ctl_request *r, json_t *answer)
{
	const char *sure = ctl_value(r, "sure");

	if (!plan_volume_is_log(v))
		return ctl_refuse(answer, -ENOTSUP,
				  "volume \"%s\" is of a plain group, where a later volume would find its bytes; those "
				  "cannot be deleted while the appliance runs",
				  v->name);
	if (sure == NULL || strcmp(sure, v->name) != 0)
		return ctl_refuse(answer, -EPERM, "volume \"%s\" and all it holds would be lost; sure=%s if so",
				  v->name, v->name);
	return 0;
}

static bool
domain_has_others(const struct appliance *a, const struct conf_volume *v)
{
	for (unsigned int i = 0; i < a->conf->n_volumes; i++) {
		const struct conf_volume *u = &a->conf->volumes[i];

		if (u != v && plan_domain_same(u, v))
			return true;
	}
	return false;
}

/* No host sees one that is offline, so nothing is waited for. Its store may have been left alone until now. */
static int
delete_offline(struct appliance *a, struct conf_volume *v, const struct ctl_request *r, json_t *answer)
{
	unsigned int g = (unsigned int)(v->group - a->conf->groups), i = (unsigned int)(v - a->conf->volumes);
	struct overlay_gone gone = {.group = v->group->name, .keys = ctl_value(r, "keys") != NULL};
	struct store_volume d = {0};
	char name[STRAKE_NAME_MAX], why[BOOT_ERR_MAX / 2] = "";
	bool there, alone = !domain_has_others(a, v);
	int ret = may_delete(v, r, answer);

	if (ret == 0 && gone.keys)
		ret = may_erase(a, v, answer);
	if (ret < 0)
		return ret;
	ret = offline_store(a, g);
	if (ret < 0)
		return ctl_refuse(answer, ret, "%s", a->err);
	there = store_volume_get(a->stores[g], v->name, &d) == 0;
	gone.domain = plan_domain_number(v);
	ret = overlay_volume_deleted(v, d.uuid, gone.keys ? &gone.domain : NULL);
	if (ret < 0)
		return not_kept(a, ret, answer);
	snprintf(name, sizeof(name), "%s", v->name);
	gone.name = name;
	namespaces_remove(a, v, NULL);
	plan_volume_end(a, i);
	plan_keys_settle(a, g);
	if (alone && !gone.keys)
		known_forget(a, g, gone.domain);
	ret = there ? gone_forget(a, &gone, why, sizeof(why)) : 0;
	return ret < 0 ? ctl_refuse(answer, ret, "volume \"%s\": %s", name, why) : 0;
}

int
volumes_delete(struct appliance *a, const struct ctl_request *r, json_t *answer)
{
	const char *name = ctl_value(r, "name"), *sure = ctl_value(r, "sure"), *why;
	struct conf_volume *v;
	struct strake_volume *vol;
	struct later *l;
	uint32_t domain;
	bool keys;
	int ret;

	if (name != NULL && conf_volume_find(a->conf, name) == NULL && ctl_value(r, "keys") != NULL)
		return ctl_refuse(answer, -EINVAL, "no volume \"%s\" is served, so its keys are not known", name);
	if (name != NULL && conf_volume_find(a->conf, name) == NULL)
		return delete_orphan(a, name, sure != NULL ? sure : "", answer);
	v = name != NULL ? conf_volume_find(a->conf, name) : NULL;
	if (v != NULL && offline_word(a, v, &why) != NULL && !later_has(name))
		return delete_offline(a, v, r, answer);
	v = volumes_find(a, name, answer);
	vol = v != NULL ? strake_volume_find(name) : NULL;
	if (vol == NULL)
		return -ENOENT;
	keys = ctl_value(r, "keys") != NULL;
	domain = plan_domain_number(v);
	ret = may_delete(v, r, answer);
	if (ret == 0 && nvmf_volume_reserved(vol) && ctl_value(r, "reserved") == NULL)
		ret = ctl_refuse(answer, -EBUSY,
				 "a host has reserved volume \"%s\": have it release it, or say --reserved", v->name);
	if (ret == 0 && keys)
		ret = may_erase(a, v, answer);
	if (ret < 0)
		return ret;
	l = later_new(a, name);
	if (l == NULL)
		return -ENOMEM;
	/* From here on it is deleted: should the appliance end before the rest is done, the next start does it. */
	ret = overlay_volume_deleted(v, vol->uuid, keys ? &domain : NULL);
	if (ret < 0) {
		later_cancel(l);
		return not_kept(a, ret, answer);
	}
	l->finish = delete_end;
	l->keys = keys;
	l->until = strake_clock_ns() + LEAVE_TIME;
	namespaces_remove(a, v, l);
	return later_defer(l);
}
