/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* Classification: numbers, rules and routes on main; classes of bursts on the data lcores. */

#include "classes.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_malloc.h>

#include "io.h"
#include "target.h"

static_assert(CONF_CLASS_STEP == STRAKE_CLASS_STEP, "a range in the file is a range in the table");

/* DSCP is the upper six bits of the IPv4 TOS and the IPv6 traffic class (RFC 2474). */
#define TOS_DSCP_SHIFT 2

/* What the configuration says; main's. */
static struct {
	struct strake_class_rule *list;
	unsigned int n;
	char **hosts; /* number is index + 1 */
	unsigned int n_hosts;
} rules;

bool nvmf_classes_counted; /* main's, before data lcores begin */

/* --- rules ---------------------------------------------------------------------------------------------------------
 */

uint32_t
nvmf_rules_host(const char *hostnqn)
{
	for (unsigned int i = 0; i < rules.n_hosts; i++)
		if (strcmp(rules.hosts[i], hostnqn) == 0)
			return i + 1;
	return STRAKE_HOST_ANY;
}

/* @return its number, 0: out of memory. */
static uint32_t
host_add(const char *hostnqn)
{
	uint32_t known = nvmf_rules_host(hostnqn);

	if (known != STRAKE_HOST_ANY)
		return known;
	rules.hosts[rules.n_hosts] = strdup(hostnqn);
	return rules.hosts[rules.n_hosts] == NULL ? 0 : ++rules.n_hosts;
}

static uint16_t
ops_of(const struct conf_class *c)
{
	uint16_t ops = 0;

	for (unsigned int i = 0; i < c->n_ops; i++)
		for (uint8_t op = 0; op < STRAKE_OP_COUNT; op++)
			if (strcmp(c->ops[i], strake_op_name(op)) == 0)
				ops |= (uint16_t)(1u << op);
	return ops;
}

static int
rule_fill(struct strake_class_rule *r, const struct conf_class *c, uint32_t priority)
{
	*r = (struct strake_class_rule){
		.subsystem = c->subsystem != NULL ? nvmf_subsystem_find(c->subsystem->nqn)->id : 0,
		.nsid = c->nsid,
		.first_byte = c->range_first,
		.last_byte = c->range_last,
		.ops = ops_of(c),
		.dscp_first = (uint8_t)c->dscp_first,
		.dscp_last = (uint8_t)c->dscp_last,
		.pcp_first = (uint8_t)c->pcp_first,
		.pcp_last = (uint8_t)c->pcp_last,
		.label_last = 7,
		.priority = priority,
		.cls = (uint8_t)c->cls,
	};
	if (strcmp(c->host, "any") == 0)
		return 0;
	r->host = host_add(c->host);
	return r->host != 0 ? 0 : -ENOMEM;
}

int
nvmf_rules_create(const struct conf *conf, char *err, size_t errlen)
{
	int ret = 0;

	if (conf->n_classes == 0)
		return 0;
	rules.list = calloc(conf->n_classes, sizeof(*rules.list));
	rules.hosts = calloc(conf->n_classes, sizeof(*rules.hosts));
	if (rules.list == NULL || rules.hosts == NULL)
		ret = -ENOMEM;
	for (; ret == 0 && rules.n < conf->n_classes; rules.n++) /* the first in the file goes before all others */
		ret = rule_fill(&rules.list[rules.n], &conf->classes[rules.n], conf->n_classes - rules.n);
	if (ret < 0)
		snprintf(err, errlen, "classes: out of memory");
	nvmf_classes_counted = ret == 0;
	return ret;
}

void
nvmf_rules_destroy(void)
{
	for (unsigned int i = 0; i < rules.n_hosts; i++)
		free(rules.hosts[i]);
	free(rules.hosts);
	free(rules.list);
	memset(&rules, 0, sizeof(rules));
	nvmf_classes_counted = false;
}

/* --- routes --------------------------------------------------------------------------------------------------------
 */

int
nvmf_classes_create(struct nvmf_classes **out, struct strake_route *routes, uint32_t n, char *err, size_t errlen)
{
	struct nvmf_classes *classes = calloc(1, sizeof(*classes));
	int ret = -ENOMEM;

	if (classes == NULL)
		goto err;
	ret = strake_classifier_create(&classes->tables, routes, n, rules.list, rules.n, err, errlen);
	if (ret < 0)
		goto err;
	classes->refs = 1;
	classes->routes = routes;
	classes->n_routes = n;
	*out = classes;
	return 0;

err:
	free(classes);
	free(routes);
	return ret;
}

int
nvmf_classes_change(struct nvmf_classes **out, const struct nvmf_classes *old, const struct nvmf_subsystem *sub,
		    uint32_t nsid, struct strake_volume *vol)
{
	struct strake_route *routes = calloc(old->n_routes + 1, sizeof(*routes));
	uint32_t n = 0;
	char err[160];

	if (routes == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < old->n_routes; i++)
		if (old->routes[i].subsystem != sub->id || old->routes[i].nsid != nsid)
			routes[n++] = old->routes[i];
	if (vol != NULL)
		routes[n++] = (struct strake_route){STRAKE_HOST_ANY, sub->id, nsid, vol};
	return nvmf_classes_create(out, routes, n, err, sizeof(err));
}

void
nvmf_classes_put(struct nvmf_classes *classes)
{
	if (--classes->refs > 0)
		return;
	strake_classifier_destroy(classes->tables);
	free(classes->routes);
	free(classes);
}

/* --- bursts, on a data lcore ---------------------------------------------------------------------------------------
 */

int
nvmf_classes_lcore_init(struct nvmf_lcore *lc)
{
	if (rules.n == 0)
		return 0;
	for (unsigned int i = 0; i <= rules.n; i++) {
		struct nvmf_class_stats **s = &lc->classes[i < rules.n ? rules.list[i].cls : 0];

		if (*s == NULL)
			*s = rte_zmalloc("nvmf_class", sizeof(**s), RTE_CACHE_LINE_SIZE);
		if (*s == NULL) {
			nvmf_classes_lcore_fini(lc);
			return -ENOMEM;
		}
	}
	return 0;
}

void
nvmf_classes_lcore_fini(struct nvmf_lcore *lc)
{
	for (unsigned int i = 0; i < RTE_DIM(lc->classes); i++)
		rte_free(lc->classes[i]);
}

void
nvmf_class_count(const struct strake_unit *u)
{
	struct nvmf_class_stats *s = nvmf_lcore_self()->classes[u->cls];
	uint64_t now = strake_ending();

	if (u->status != 0)
		s->errors++;
	else
		s->bytes += u->nbytes;
	strake_hist_add(&s->latency, now > u->t_start ? now - u->t_start : 0);
}

static void
classify(const struct strake_classifier *c, struct strake_req **reqs, uint16_t n)
{
	struct strake_class_key keys[STRAKE_BURST];
	struct nvmf_class_stats **stats = nvmf_lcore_self()->classes;
	uint8_t cls[STRAKE_BURST];

	for (uint16_t i = 0; i < n; i++) {
		const struct nvmf_cmd *cmd = reqs[i]->front;
		const struct nvmf_qpair *qp = cmd->qp;

		keys[i] = (struct strake_class_key){
			.host = qp->host,
			.subsystem = qp->ns->subsystem,
			.nsid = cmd->sqe.nsid,
			.byte = reqs[i]->u.lba << reqs[i]->vol->lba_shift,
			.op = reqs[i]->u.op,
			.dscp = qp->tos >> TOS_DSCP_SHIFT,
			.pcp = qp->pcp,
		};
	}
	strake_classify(c, keys, cls, n);
	for (uint16_t i = 0; i < n; i++) {
		reqs[i]->u.cls = cls[i];
		stats[cls[i]]->requests++;
	}
}

void
nvmf_submit(struct strake_req **reqs, uint16_t n)
{
	const struct nvmf_cmd *cmd = reqs[0]->front;
	const struct strake_classifier *c = cmd->qp->ns->array->rules;

	/* All tables have the same rules, so the first request's do for the burst, whoever's the others are. */
	if (unlikely(c != NULL))
		classify(c, reqs, n);
	strake_req_submit(reqs, n);
}
