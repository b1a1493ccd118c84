/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "strake_classify.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <rte_acl.h>
#include <rte_byteorder.h>
#include <rte_hash.h>
#include <rte_jhash.h>
#include <rte_malloc.h>

#include "strake_stage.h"

struct strake_classifier {
	struct rte_hash *routes;
	struct strake_volume **volumes; /* by the position the hash gives */
	struct rte_acl_ctx *rules;	/* NULL: none */
};

struct route_key {
	uint32_t host, subsystem, nsid;
};

/* The packet that rte_acl looks at: its first field is one byte, the others come in groups of four; numbers wider than
 * a byte are big-endian. */
struct probe {
	uint8_t op;
	uint8_t unused[3];
	uint8_t dscp, pcp, label, pad;
	uint32_t host, subsystem, nsid, step;
};

enum { F_OP, F_DSCP, F_PCP, F_LABEL, F_PAD, F_HOST, F_SUBSYSTEM, F_NSID, F_STEP, FIELDS };

#define FIELD(i, member, in)                                                                                           \
	{                                                                                                              \
		.type = RTE_ACL_FIELD_TYPE_RANGE, .size = sizeof(((struct probe *)0)->member), .field_index = (i),     \
		.input_index = (in), .offset = offsetof(struct probe, member)                                          \
	}

static const struct rte_acl_field_def fields[FIELDS] = {
	FIELD(F_OP, op, 0),
	FIELD(F_DSCP, dscp, 1),
	FIELD(F_PCP, pcp, 1),
	FIELD(F_LABEL, label, 1),
	FIELD(F_PAD, pad, 1),
	FIELD(F_HOST, host, 2),
	FIELD(F_SUBSYSTEM, subsystem, 3),
	FIELD(F_NSID, nsid, 4),
	FIELD(F_STEP, step, 5),
};

RTE_ACL_RULE_DEF(acl_rule, FIELDS);

/* --- routes ----------------------------------------------------------------------------------------------------------
 */

static int
routes_build(struct strake_classifier *c, const struct strake_route *routes, unsigned int n, char *err, size_t errlen)
{
	static unsigned int serial; /* tables have names, and the old one lives until the new one is in place */
	char name[RTE_HASH_NAMESIZE];
	struct rte_hash_parameters p = {
		.name = name,
		.entries = RTE_MAX(n * 2, 64u),
		.key_len = sizeof(struct route_key),
		.hash_func = rte_jhash,
		.socket_id = SOCKET_ID_ANY,
	};

	snprintf(name, sizeof(name), "strake_routes_%u", serial++);
	c->routes = rte_hash_create(&p);
	c->volumes = rte_zmalloc("strake_routes", sizeof(*c->volumes) * p.entries, 0);
	if (c->routes == NULL || c->volumes == NULL)
		return -ENOMEM;
	for (unsigned int i = 0; i < n; i++) {
		struct route_key key = {routes[i].host, routes[i].subsystem, routes[i].nsid};
		int at = rte_hash_lookup(c->routes, &key);

		if (at >= 0) {
			snprintf(err, errlen, "two routes for host %u, subsystem %u, namespace %u", key.host,
				 key.subsystem, key.nsid);
			return -EINVAL;
		}
		at = rte_hash_add_key(c->routes, &key);
		if (at < 0)
			return at;
		c->volumes[at] = routes[i].vol;
	}
	return 0;
}

struct strake_volume *
strake_classify_route(const struct strake_classifier *c, uint32_t host, uint32_t subsystem, uint32_t nsid)
{
	struct route_key key = {host, subsystem, nsid};
	int at = rte_hash_lookup(c->routes, &key);

	if (at < 0 && host != STRAKE_HOST_ANY) {
		key.host = STRAKE_HOST_ANY;
		at = rte_hash_lookup(c->routes, &key);
	}
	return at < 0 ? NULL : c->volumes[at];
}

/* --- rules -----------------------------------------------------------------------------------------------------------
 */

static int
rule_check(const struct strake_class_rule *r, unsigned int i, char *err, size_t errlen)
{
	const char *what = NULL;

	if (r->first_byte > r->last_byte)
		what = "its LBA range is empty";
	else if (r->dscp_first > r->dscp_last || r->dscp_last > 63)
		what = "DSCP must be a range in 0 to 63";
	else if (r->pcp_first > r->pcp_last || r->pcp_last > 7)
		what = "PCP must be a range in 0 to 7";
	else if (r->label_first > r->label_last || r->label_last > 7)
		what = "the label's traffic class must be a range in 0 to 7";
	else if (r->ops >> STRAKE_OP_COUNT != 0)
		what = "it names an op that does not exist";
	else if (r->priority < RTE_ACL_MIN_PRIORITY || r->priority > RTE_ACL_MAX_PRIORITY)
		what = "its priority is out of range";
	else if (r->cls == 0)
		what = "class 0 is for what no rule matches";
	if (what == NULL)
		return 0;
	snprintf(err, errlen, "rule %u: %s", i + 1, what);
	return -EINVAL;
}

static void
range32(struct rte_acl_field *f, uint32_t first, uint32_t last)
{
	f->value.u32 = first;
	f->mask_range.u32 = last;
}

static void
range8(struct rte_acl_field *f, uint8_t first, uint8_t last)
{
	f->value.u8 = first;
	f->mask_range.u8 = last;
}

static void
exact_or_any(struct rte_acl_field *f, uint32_t value)
{
	range32(f, value, value != 0 ? value : UINT32_MAX);
}

static uint32_t
step_of(uint64_t byte)
{
	return (uint32_t)RTE_MIN(byte / STRAKE_CLASS_STEP, (uint64_t)UINT32_MAX);
}

/* One entry for each op of the bitmap: an rte_acl range cannot skip. */
static int
rule_add(struct rte_acl_ctx *ctx, const struct strake_class_rule *r)
{
	struct acl_rule a = {.data = {.category_mask = 1, .priority = (int32_t)r->priority, .userdata = r->cls}};

	range8(&a.field[F_DSCP], r->dscp_first, r->dscp_last);
	range8(&a.field[F_PCP], r->pcp_first, r->pcp_last);
	range8(&a.field[F_LABEL], r->label_first, r->label_last);
	range8(&a.field[F_PAD], 0, UINT8_MAX);
	exact_or_any(&a.field[F_HOST], r->host);
	exact_or_any(&a.field[F_SUBSYSTEM], r->subsystem);
	exact_or_any(&a.field[F_NSID], r->nsid);
	range32(&a.field[F_STEP], step_of(r->first_byte), step_of(r->last_byte));
	if (r->ops == 0) {
		range8(&a.field[F_OP], 0, UINT8_MAX);
		return rte_acl_add_rules(ctx, (const struct rte_acl_rule *)&a, 1);
	}
	for (uint8_t op = 0; op < STRAKE_OP_COUNT; op++) {
		int ret;

		if ((r->ops & (1u << op)) == 0)
			continue;
		range8(&a.field[F_OP], op, op);
		ret = rte_acl_add_rules(ctx, (const struct rte_acl_rule *)&a, 1);
		if (ret < 0)
			return ret;
	}
	return 0;
}

static int
rules_build(struct strake_classifier *c, const struct strake_class_rule *rules, unsigned int n, char *err,
	    size_t errlen)
{
	static unsigned int serial;
	char name[RTE_ACL_NAMESIZE];
	struct rte_acl_param p = {
		.name = name,
		.socket_id = SOCKET_ID_ANY,
		.rule_size = RTE_ACL_RULE_SZ(FIELDS),
		.max_rule_num = n * STRAKE_OP_COUNT,
	};
	struct rte_acl_config conf = {.num_categories = 1, .num_fields = FIELDS};

	if (n == 0)
		return 0;
	for (unsigned int i = 0; i < n; i++) {
		int ret = rule_check(&rules[i], i, err, errlen);

		if (ret < 0)
			return ret;
	}
	snprintf(name, sizeof(name), "strake_rules_%u", serial++);
	c->rules = rte_acl_create(&p);
	if (c->rules == NULL)
		return -ENOMEM;
	for (unsigned int i = 0; i < n; i++) {
		int ret = rule_add(c->rules, &rules[i]);

		if (ret < 0)
			return ret;
	}
	memcpy(conf.defs, fields, sizeof(fields));
	return rte_acl_build(c->rules, &conf);
}

bool
strake_classifier_has_rules(const struct strake_classifier *c)
{
	return c->rules != NULL;
}

void
strake_classify(const struct strake_classifier *c, const struct strake_class_key *keys, uint8_t *cls, unsigned int n)
{
	struct probe probes[STRAKE_BURST];
	const uint8_t *data[STRAKE_BURST];
	uint32_t result[STRAKE_BURST];

	if (c->rules == NULL) {
		memset(cls, 0, n);
		return;
	}
	while (n > 0) {
		unsigned int burst = RTE_MIN(n, (unsigned int)STRAKE_BURST);

		for (unsigned int i = 0; i < burst; i++) {
			probes[i] = (struct probe){
				.op = keys[i].op,
				.dscp = keys[i].dscp,
				.pcp = keys[i].pcp,
				.label = keys[i].label,
				.host = rte_cpu_to_be_32(keys[i].host),
				.subsystem = rte_cpu_to_be_32(keys[i].subsystem),
				.nsid = rte_cpu_to_be_32(keys[i].nsid),
				.step = rte_cpu_to_be_32(step_of(keys[i].byte)),
			};
			data[i] = (const uint8_t *)&probes[i];
		}
		rte_acl_classify(c->rules, data, result, burst, 1);
		for (unsigned int i = 0; i < burst; i++)
			cls[i] = (uint8_t)result[i];
		keys += burst;
		cls += burst;
		n -= burst;
	}
}

/* --- the whole -------------------------------------------------------------------------------------------------------
 */

int
strake_classifier_create(struct strake_classifier **out, const struct strake_route *routes, unsigned int n_routes,
			 const struct strake_class_rule *rules, unsigned int n_rules, char *err, size_t errlen)
{
	struct strake_classifier *c = rte_zmalloc("strake_classifier", sizeof(*c), 0);
	int ret;

	if (c == NULL) {
		snprintf(err, errlen, "out of memory");
		return -ENOMEM;
	}
	err[0] = '\0';
	ret = routes_build(c, routes, n_routes, err, errlen);
	if (ret == 0)
		ret = rules_build(c, rules, n_rules, err, errlen);
	if (ret == 0) {
		*out = c;
		return 0;
	}
	if (err[0] == '\0')
		snprintf(err, errlen, "the classifier's tables could not be built: %s", strerror(-ret));
	strake_classifier_destroy(c);
	return ret;
}

void
strake_classifier_destroy(struct strake_classifier *c)
{
	rte_acl_free(c->rules);
	rte_hash_free(c->routes);
	rte_free(c->volumes);
	rte_free(c);
}
