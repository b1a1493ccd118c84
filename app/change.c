/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "change.h"

#include <errno.h>
#include <string.h>

#include <rte_common.h>

#include "later.h"
#include "nvmf.h"
#include "overlay.h"
#include "volumes.h"

/* The configuration is the appliance's own; the const keeps others from changing it by accident. */
static struct conf *
conf_of(struct appliance *a)
{
	return (struct conf *)(uintptr_t)a->conf;
}

struct conf_subsystem *
change_subsystem(struct appliance *a, const struct ctl_request *r, json_t *answer)
{
	const char *nqn = ctl_value(r, "subsystem");

	struct conf_subsystem *s = conf_subsystem_find(a->conf, nqn);

	if (s == NULL)
		ctl_refuse(answer, -ENOENT, "no subsystem \"%s\"", nqn != NULL ? nqn : "");
	return s;
}

/* --- namespaces ----------------------------------------------------------------------------------------------------
 */

bool
change_nsid_taken(const struct conf_subsystem *s, uint64_t nsid)
{
	for (unsigned int i = 0; i < s->n_namespaces; i++) {
		if (s->namespaces[i].nsid == nsid)
			return true;
	}
	return false;
}

/* Hosts do not see the namespaces of volumes that are offline; their numbers are kept for them. */
static uint32_t
lowest_free(const struct conf_subsystem *s)
{
	uint32_t nsid = nvmf_ns_free(s->nqn, 1);

	while (nsid != 0 && change_nsid_taken(s, nsid))
		nsid = nvmf_ns_free(s->nqn, nsid + 1);
	return nsid;
}

int
change_namespace(struct appliance *a, struct conf_subsystem *s, uint64_t nsid, struct conf_volume *v, json_t *answer)
{
	struct strake_volume *vol = strake_volume_find(v->name);
	int ret;

	if (nvmf_ns_find(s->nqn, vol) != 0)
		return ctl_refuse(answer, -EEXIST, "volume \"%s\" is namespace %u of it already", v->name,
				  nvmf_ns_find(s->nqn, vol));
	if (nsid == 0)
		nsid = lowest_free(s);
	if (nsid == 0 || nsid > UINT32_MAX)
		return ctl_refuse(answer, -EINVAL, "there is no such namespace id; the lowest that is free is %u",
				  lowest_free(s));
	if (change_nsid_taken(s, nsid))
		return ctl_refuse(answer, -EEXIST, "namespace %llu of it is taken; the lowest that is free is %u",
				  (unsigned long long)nsid, lowest_free(s));
	ret = overlay_namespace(s->nqn, (unsigned int)nsid, v->name, true);
	if (ret < 0)
		return ctl_refuse(answer, ret, "this would not be remembered: %s: %s", a->conf->appliance.state,
				  strerror(-ret));
	ret = nvmf_ns_add(s->nqn, (uint32_t)nsid, vol);
	if (ret == 0)
		ret = conf_namespace_add(s, (unsigned int)nsid, v);
	if (ret < 0)
		overlay_namespace(s->nqn, (unsigned int)nsid, v->name, false);
	if (ret == -EEXIST || ret == -EBUSY)
		return ctl_refuse(answer, ret, "namespace %llu of it is %s; the lowest that is free is %u",
				  (unsigned long long)nsid, ret == -EEXIST ? "taken" : "being removed", lowest_free(s));
	if (ret == 0)
		json_object_set_new(answer, "nsid", json_integer((json_int_t)nsid));
	return ret;
}

int
change_namespace_add(struct appliance *a, const struct ctl_request *r, json_t *answer)
{
	struct conf_subsystem *s = change_subsystem(a, r, answer);
	struct conf_volume *v = s != NULL ? volumes_find(a, ctl_value(r, "volume"), answer) : NULL;
	uint64_t nsid = 0;

	if (v == NULL)
		return -ENOENT;
	if (ctl_value(r, "nsid") != NULL && ctl_number(r, "nsid", &nsid, answer) < 0)
		return -EINVAL;
	return change_namespace(a, s, nsid, v, answer);
}

/* The namespace of a subsystem that the request means, by its volume or its number. @return its number; -errno. */
static int64_t
find_namespace(struct appliance *a, const struct conf_subsystem *s, const struct ctl_request *r, json_t *answer)
{
	const char *name = ctl_value(r, "volume");
	const struct conf_volume *v = NULL;
	uint64_t nsid = 0;

	if (name != NULL) {
		v = volumes_find(a, name, answer);
		if (v == NULL)
			return -ENOENT;
		nsid = nvmf_ns_find(s->nqn, strake_volume_find(v->name));
	} else if (ctl_number(r, "nsid", &nsid, answer) < 0) {
		return -EINVAL;
	}
	for (unsigned int i = 0; i < s->n_namespaces; i++) {
		if (s->namespaces[i].nsid == nsid)
			return volumes_find(a, s->namespaces[i].volume->name, answer) != NULL ? (int64_t)nsid : -ENODEV;
	}
	return ctl_refuse(answer, -ENOENT, "%s is no namespace of it", name != NULL ? name : "that");
}

static const char *
volume_of(const struct conf_subsystem *s, unsigned int nsid)
{
	for (unsigned int i = 0; i < s->n_namespaces; i++) {
		if (s->namespaces[i].nsid == nsid)
			return s->namespaces[i].volume->name;
	}
	return "";
}

int
change_namespace_remove(struct appliance *a, const struct ctl_request *r, json_t *answer)
{
	struct conf_subsystem *s = change_subsystem(a, r, answer);
	int64_t nsid = s != NULL ? find_namespace(a, s, r, answer) : -ENOENT;
	struct later *l;
	int ret;

	if (nsid < 0)
		return (int)nsid;
	ret = overlay_namespace(s->nqn, (unsigned int)nsid, volume_of(s, (unsigned int)nsid), false);
	if (ret < 0)
		return ctl_refuse(answer, ret, "this would not be remembered: %s: %s", a->conf->appliance.state,
				  strerror(-ret));
	l = later_new(a, volume_of(s, (unsigned int)nsid));
	if (l == NULL)
		return -ENOMEM;
	l->waits = 1;
	ret = nvmf_ns_remove(s->nqn, (uint32_t)nsid, later_ready, l);
	if (ret < 0) {
		overlay_namespace(s->nqn, (unsigned int)nsid, volume_of(s, (unsigned int)nsid), true);
		later_cancel(l);
		return ret;
	}
	conf_namespace_remove(s, (unsigned int)nsid);
	return later_defer(l);
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
	if (i == RTE_DIM(states))
		return ctl_refuse(answer, -EINVAL, "state is optimized, non_optimized, inaccessible or change");
	if (address == NULL || service > UINT16_MAX || nvmf_ana_set(address, (uint16_t)service, states[i].state) < 0)
		return ctl_refuse(answer, -ENOENT, "no listener on %s port %llu", address != NULL ? address : "?",
				  (unsigned long long)service);
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
	return ctl_refuse(answer, -ENOENT, "no controller %llu", (unsigned long long)id);
}

int
change_host(struct appliance *a, const struct ctl_request *r, json_t *answer)
{
	struct conf_subsystem *s = change_subsystem(a, r, answer);
	bool allow = strcmp(r->command, "host allow") == 0;
	char err[BOOT_ERR_MAX];
	const char *host = ctl_value(r, "host");
	int ret;

	if (s == NULL)
		return -ENOENT;
	if (!conf_host_good(host != NULL ? host : "", err, sizeof(err)))
		return ctl_refuse(answer, -EINVAL, "%s", err);
	ret = allow ? nvmf_host_allow(s->nqn, host) : nvmf_host_deny(s->nqn, host);
	if (ret == -EINVAL)
		return ctl_refuse(answer, ret, "the subsystem takes any host: it has no list");
	if (ret == -EEXIST || ret == -ENOENT)
		return ctl_refuse(answer, ret, "the host is %son the list", ret == -ENOENT ? "not " : "");
	if (ret < 0)
		return ret;
	if (!allow)
		conf_host_remove(s, host);
	return allow ? conf_host_add(s, host) : 0;
}
