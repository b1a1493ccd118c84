/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* A subsystem: names, who may connect, what is in it. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_malloc.h>

#include "ctrlr.h"

struct nvmf_subsystem *
nvmf_subsystem_find(const char *nqn)
{
	struct nvmf_subsystem *sub = nvmf_target->subsystems;

	while (sub != NULL && strcmp(sub->nqn, nqn) != 0)
		sub = sub->next;
	return sub;
}

bool
nvmf_host_allowed(const struct nvmf_subsystem *sub, const char *hostnqn)
{
	if (sub->any_host)
		return true;
	for (unsigned int i = 0; i < sub->n_hosts; i++)
		if (strcmp(sub->hosts[i], hostnqn) == 0)
			return true;
	return false;
}

int
nvmf_host_allow(const char *nqn, const char *hostnqn)
{
	struct nvmf_subsystem *sub = nvmf_subsystem_find(nqn);
	char **hosts;

	if (sub == NULL)
		return -ENOENT;
	if (sub->any_host)
		return -EINVAL;
	if (nvmf_host_allowed(sub, hostnqn))
		return -EEXIST;
	hosts = realloc(sub->hosts, (sub->n_hosts + 1) * sizeof(*hosts));
	if (hosts == NULL)
		return -ENOMEM;
	sub->hosts = hosts;
	hosts[sub->n_hosts] = strdup(hostnqn);
	if (hosts[sub->n_hosts] == NULL)
		return -ENOMEM;
	sub->n_hosts++;
	nvmf_discovery_changed();
	return 0;
}

int
nvmf_host_deny(const char *nqn, const char *hostnqn)
{
	struct nvmf_subsystem *sub = nvmf_subsystem_find(nqn);
	unsigned int i = 0;

	if (sub == NULL)
		return -ENOENT;
	if (sub->any_host)
		return -EINVAL;
	while (i < sub->n_hosts && strcmp(sub->hosts[i], hostnqn) != 0)
		i++;
	if (i == sub->n_hosts)
		return -ENOENT;
	free(sub->hosts[i]);
	sub->hosts[i] = sub->hosts[--sub->n_hosts];
	for (struct nvmf_ctrlr *c = sub->ctrlrs; c != NULL; c = c->next)
		if (strcmp(c->hostnqn, hostnqn) == 0)
			nvmf_ctrlr_kill(c);
	nvmf_discovery_changed();
	return 0;
}

static uint64_t
fnv1a(const char *s)
{
	uint64_t h = 0xcbf29ce484222325;

	for (; *s != '\0'; s++)
		h = (h ^ (uint8_t)*s) * 0x100000001b3;
	return h;
}

static struct nvmf_subsystem *
new_subsystem(const char *nqn, const char *serial, const char *model)
{
	struct nvmf_subsystem *sub = rte_zmalloc("nvmf_subsystem", sizeof(*sub), RTE_CACHE_LINE_SIZE);

	if (sub == NULL)
		return NULL;
	snprintf(sub->nqn, sizeof(sub->nqn), "%s", nqn);
	if (serial != NULL)
		snprintf(sub->serial, sizeof(sub->serial), "%s", serial);
	else /* the same after every restart: hosts remember it */
		snprintf(sub->serial, sizeof(sub->serial), "SK%016llx", (unsigned long long)fnv1a(nqn));
	snprintf(sub->model, sizeof(sub->model), "%s", model != NULL ? model : "Strake");
	return sub;
}

static int
copy_hosts(struct nvmf_subsystem *sub, const struct conf_subsystem *conf)
{
	sub->any_host = conf->any_host;
	if (conf->n_hosts == 0)
		return 0;
	sub->hosts = calloc(conf->n_hosts, sizeof(sub->hosts[0]));
	if (sub->hosts == NULL)
		return -ENOMEM;
	for (; sub->n_hosts < conf->n_hosts; sub->n_hosts++) {
		sub->hosts[sub->n_hosts] = strdup(conf->hosts[sub->n_hosts]);
		if (sub->hosts[sub->n_hosts] == NULL)
			return -ENOMEM;
	}
	return 0;
}

static int
check_ns(const struct conf_subsystem *conf, char *err, size_t errlen)
{
	for (unsigned int i = 0; i < conf->n_namespaces; i++) {
		const struct conf_namespace *cn = &conf->namespaces[i];
		const char *what = NULL;

		if (cn->nsid == 0 || cn->nsid > NVMF_NS_MAX)
			what = "the id is 0 or too large";
		for (unsigned int j = 0; j < i && what == NULL; j++)
			if (conf->namespaces[j].nsid == cn->nsid)
				what = "the id is used twice";
		if (what == NULL)
			continue;
		snprintf(err, errlen, "subsystem %s: namespace %u: %s", conf->nqn, cn->nsid, what);
		return -EINVAL;
	}
	return 0;
}

int
nvmf_subsystem_fill(struct nvmf_subsystem *sub, uint32_t n)
{
	struct nvmf_ns_array *array = nvmf_ns_array_new(sub, nvmf_target->classes, n);

	for (uint16_t i = 0; i < STRAKE_LCORE_MAX; i++)
		sub->table[i].subsystem = sub->id;
	return array != NULL ? nvmf_ns_publish(sub, array, NULL) : -ENOMEM;
}

static uint16_t
clamp(unsigned int v, uint16_t low, uint16_t high)
{
	return v < low ? low : v > high ? high : (uint16_t)v;
}

int
nvmf_subsystem_create(struct nvmf_subsystem **out, const struct conf_subsystem *conf, char *err, size_t errlen)
{
	struct nvmf_subsystem *sub;
	int ret = -ENOMEM;

	if (conf->nqn == NULL || strlen(conf->nqn) > NVME_NQN_MAX || nvmf_subsystem_find(conf->nqn) != NULL) {
		snprintf(err, errlen, "subsystem %s: the name is too long, or used twice",
			 conf->nqn == NULL ? "?" : conf->nqn);
		return -EINVAL;
	}
	sub = new_subsystem(conf->nqn, conf->serial, conf->model);
	if (sub == NULL)
		goto err;
	sub->max_queues = clamp(conf->max_queues, 1, 1024);
	sub->queue_depth = clamp(conf->queue_depth, 2, 4096);
	ret = copy_hosts(sub, conf);
	if (ret == 0)
		ret = check_ns(conf, err, errlen);
	if (ret == 0) {
		*out = sub;
		return 0;
	}
	nvmf_subsystem_destroy(sub);
err:
	if (ret == -ENOMEM)
		snprintf(err, errlen, "subsystem %s: out of memory", conf->nqn);
	return ret;
}

/* CAP.MQES, which is 0-based, must not wrap: hosts take the bits above it for the page size. */
#define DISCOVERY_DEPTH 128

struct nvmf_subsystem *
nvmf_subsystem_create_discovery(void)
{
	struct nvmf_subsystem *sub = new_subsystem(NVME_DISCOVERY_NQN, NULL, NULL);

	if (sub == NULL)
		return NULL;
	sub->discovery = true;
	sub->any_host = true; /* everybody may ask; the log shows each what it may have */
	sub->queue_depth = DISCOVERY_DEPTH;
	return sub;
}

void
nvmf_subsystem_destroy(struct nvmf_subsystem *sub)
{
	for (uint16_t i = 0; i < STRAKE_LCORE_MAX; i++)
		if (sub->table[i].array != NULL)
			nvmf_ns_array_put((struct nvmf_ns_array *)(uintptr_t)sub->table[i].array);
	if (sub->ns != NULL)
		nvmf_ns_array_put(sub->ns);
	for (unsigned int i = 0; i < sub->n_hosts; i++)
		free(sub->hosts[i]);
	free(sub->hosts);
	rte_free(sub);
}

void
nvmf_totals_add(struct nvmf_totals *t, const struct nvmf_qpair *qp)
{
	t->cmds += qp->cmds;
	t->errors += qp->errors;
	t->reads += qp->reads;
	t->writes += qp->writes;
	t->bytes_in += qp->bytes_in;
	t->bytes_out += qp->bytes_out;
}

void
nvmf_subsystem_totals(const struct nvmf_subsystem *sub, struct nvmf_totals *out)
{
	*out = sub->gone;
	for (const struct nvmf_ctrlr *c = sub->ctrlrs; c != NULL; c = c->next)
		for (const struct nvmf_qpair *qp = c->qpairs; qp != NULL; qp = qp->ctrlr_next)
			nvmf_totals_add(out, qp);
}

/* --- controllers ---------------------------------------------------------------------------------------------------
 */

struct nvmf_ctrlr *
nvmf_ctrlr_find(struct nvmf_subsystem *sub, uint16_t cntlid)
{
	struct nvmf_ctrlr *c = sub->ctrlrs;

	while (c != NULL && c->cntlid != cntlid)
		c = c->next;
	return c;
}

void
nvmf_subsystem_retire(struct nvmf_subsystem *sub, const struct nvmf_qpair *qp)
{
	nvmf_totals_add(&sub->gone, qp);
}
