/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* The target: made from the configuration, its listeners, and its end. */

#include "target.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_log.h>

#include "resv.h"
#include "resv_store.h"

RTE_LOG_REGISTER(nvmf_log, strake.nvmf, INFO)

struct nvmf_target *nvmf_target;

static void
append(struct nvmf_subsystem *sub)
{
	struct nvmf_subsystem **at = &nvmf_target->subsystems;

	sub->id = 1;
	for (; *at != NULL; at = &(*at)->next)
		sub->id++;
	*at = sub;
}

static uint32_t
last_nsid(const struct conf_subsystem *conf)
{
	uint32_t n = 0;

	for (unsigned int i = 0; i < conf->n_namespaces; i++)
		n = RTE_MAX(n, conf->namespaces[i].nsid);
	return n;
}

static int
tables_up(const struct conf *conf, char *err, size_t errlen)
{
	struct strake_route *routes;
	unsigned int total = 0;
	uint32_t n = 0;

	for (unsigned int i = 0; i < conf->n_subsystems; i++)
		total += conf->subsystems[i].n_namespaces;
	routes = calloc(total + 1, sizeof(*routes));
	if (routes == NULL)
		return -ENOMEM;
	for (unsigned int i = 0; i < conf->n_subsystems; i++) {
		const struct conf_subsystem *cs = &conf->subsystems[i];

		for (unsigned int k = 0; k < cs->n_namespaces; k++) {
			struct strake_volume *vol = strake_volume_find(cs->namespaces[k].volume->name);

			if (vol != NULL)
				routes[n++] = (struct strake_route){STRAKE_HOST_ANY, nvmf_subsystem_find(cs->nqn)->id,
								    cs->namespaces[k].nsid, vol};
		}
	}
	return nvmf_classes_create(&nvmf_target->classes, routes, n, err, errlen);
}

static int
reservations_up(const struct conf *conf, char *err, size_t errlen)
{
	int ret = nvmf_store_open(conf->appliance.state);

	if (ret < 0)
		rte_log(RTE_LOG_WARNING, nvmf_log,
			"NVMF: state folder %s: %s: reservations cannot persist through power loss\n",
			conf->appliance.state, strerror(-ret));
	for (unsigned int i = 0; i < conf->n_subsystems; i++) {
		const struct conf_subsystem *cs = &conf->subsystems[i];

		for (unsigned int k = 0; k < cs->n_namespaces; k++) {
			const struct strake_volume *vol = strake_volume_find(cs->namespaces[k].volume->name);

			ret = vol != NULL ? nvmf_resv_open(vol->uuid, err, errlen) : 0;
			if (ret < 0)
				return ret;
		}
	}
	return 0;
}

/* Rules, tables, then the namespaces from them. */
static int
namespaces_up(const struct conf *conf, char *err, size_t errlen)
{
	int ret = nvmf_rules_create(conf, err, errlen);

	if (ret == 0)
		ret = tables_up(conf, err, errlen);
	if (ret == 0)
		ret = reservations_up(conf, err, errlen);
	if (ret == 0)
		ret = nvmf_subsystem_fill(nvmf_target->subsystems, 0); /* discovery has none */
	for (unsigned int i = 0; ret == 0 && i < conf->n_subsystems; i++)
		ret = nvmf_subsystem_fill(nvmf_subsystem_find(conf->subsystems[i].nqn),
					  last_nsid(&conf->subsystems[i]));
	return ret;
}

int
nvmf_create(const struct conf *conf, char *err, size_t errlen)
{
	struct nvmf_subsystem *sub;
	int ret = -ENOMEM;

	if (nvmf_target != NULL)
		return -EEXIST;
	nvmf_target = calloc(1, sizeof(*nvmf_target));
	if (nvmf_target == NULL)
		goto no_memory;
	nvmf_target->t_start = strake_now();
	nvmf_target->genctr = 1;
	sub = nvmf_subsystem_create_discovery();
	if (sub == NULL)
		goto no_memory;
	append(sub);
	for (unsigned int i = 0; i < conf->n_subsystems; i++) {
		ret = nvmf_subsystem_create(&sub, &conf->subsystems[i], err, errlen);
		if (ret < 0)
			goto err;
		append(sub);
		if (sub->any_host)
			rte_log(RTE_LOG_NOTICE, nvmf_log,
				"NVMF: %s takes any host: trust the network, a host's name is only a claim\n",
				sub->nqn);
		else if (sub->n_hosts == 0)
			rte_log(RTE_LOG_WARNING, nvmf_log, "NVMF: %s names no hosts: nobody may connect\n", sub->nqn);
	}
	ret = namespaces_up(conf, err, errlen);
	if (ret == -ENOMEM)
		goto no_memory;
	if (ret < 0)
		goto err;
	nvmf_telemetry_init();
	nvmf_spare_watch();
	return 0;

no_memory:
	ret = -ENOMEM;
	snprintf(err, errlen, "NVMe-oF target: out of memory");
err:
	nvmf_destroy();
	return ret;
}

void
nvmf_destroy(void)
{
	struct nvmf_target *t = nvmf_target;

	if (t == NULL)
		return;
	strake_timer_cancel(&t->spare);
	while (t->subsystems != NULL) {
		struct nvmf_subsystem *sub = t->subsystems;

		t->subsystems = sub->next;
		nvmf_subsystem_destroy(sub);
	}
	if (t->classes != NULL)
		nvmf_classes_put(t->classes);
	nvmf_rules_destroy();
	nvmf_resv_destroy_all();
	nvmf_store_close();
	while (t->listeners != NULL) {
		struct nvmf_listener *l = t->listeners;

		t->listeners = l->next;
		strake_timer_cancel(&l->ana_timer);
		free(l);
	}
	free(t);
	nvmf_target = NULL;
}

static struct nvmf_listener **
find_listener(const struct nvmf_transport *t, const char *address, uint16_t service)
{
	struct nvmf_listener **at = &nvmf_target->listeners;

	while (*at != NULL &&
	       ((*at)->transport != t || (*at)->service != service || strcmp((*at)->address, address) != 0))
		at = &(*at)->next;
	return at;
}

int
nvmf_add_listener(const struct nvmf_transport *t, const char *address, uint16_t service)
{
	struct nvmf_listener **at = find_listener(t, address, service);
	struct nvmf_listener *l;

	if (*at != NULL)
		return -EEXIST;
	if (strlen(address) >= sizeof(l->address))
		return -EINVAL;
	l = calloc(1, sizeof(*l));
	if (l == NULL)
		return -ENOMEM;
	l->transport = t;
	l->service = service;
	l->portid = ++nvmf_target->last_portid;
	l->ana = NVME_ANA_OPTIMIZED;
	snprintf(l->address, sizeof(l->address), "%s", address);
	*at = l;
	nvmf_discovery_changed();
	return 0;
}

void
nvmf_del_listener(const struct nvmf_transport *t, const char *address, uint16_t service)
{
	struct nvmf_listener **at = find_listener(t, address, service);
	struct nvmf_listener *l = *at;

	if (l == NULL)
		return;
	*at = l->next;
	strake_timer_cancel(&l->ana_timer);
	free(l);
	nvmf_discovery_changed();
}

bool
nvmf_drain(void)
{
	if (nvmf_target == NULL)
		return true;
	nvmf_target->draining = true;
	for (struct nvmf_subsystem *sub = nvmf_target->subsystems; sub != NULL; sub = sub->next)
		for (struct nvmf_ctrlr *c = sub->ctrlrs; c != NULL; c = c->next)
			nvmf_ctrlr_kill(c);
	return nvmf_target->ctrlrs == 0 && nvmf_target->rounds == 0;
}
