/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "port_access.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_acl.h>
#include <rte_byteorder.h>

#include "port_impl.h"

struct port_access {
	struct rte_acl_ctx *rules;
};

enum verdict { NO_MATCH, ACCEPT, DENY };

/* What rte_acl looks at: one byte first, then groups of four; numbers wider than a byte are big-endian. An IPv4 address
 * is the first group, as in struct port_addr. */
struct probe {
	uint8_t family;
	uint8_t unused[3];
	uint32_t from[4];
	uint16_t to, pad;
};

enum { F_FAMILY, F_FROM, F_TO = F_FROM + 4, F_PAD, FIELDS };

#define FIELD(i, kind, member, bytes, in)                                                                              \
	{                                                                                                              \
		.type = RTE_ACL_FIELD_TYPE_##kind, .size = (bytes), .field_index = (i), .input_index = (in),           \
		.offset = offsetof(struct probe, member)                                                               \
	}

static const struct rte_acl_field_def fields[FIELDS] = {
	FIELD(F_FAMILY, BITMASK, family, 1, 0), FIELD(F_FROM, MASK, from[0], 4, 1),
	FIELD(F_FROM + 1, MASK, from[1], 4, 2), FIELD(F_FROM + 2, MASK, from[2], 4, 3),
	FIELD(F_FROM + 3, MASK, from[3], 4, 4), FIELD(F_TO, RANGE, to, 2, 5),
	FIELD(F_PAD, RANGE, pad, 2, 5),
};

RTE_ACL_RULE_DEF(access_rule, FIELDS);

/* "10.0.0.0/24" or "10.0.0.2". */
static int
parse_network(const char *text, struct port_addr *addr, unsigned int *prefix)
{
	const char *slash = strchr(text, '/');
	char one[64];

	snprintf(one, sizeof(one), "%.*s", (int)(slash != NULL ? slash - text : (ptrdiff_t)strlen(text)), text);
	if (port_addr_parse(addr, one) < 0)
		return -EINVAL;
	*prefix = addr->family == 4 ? 32 : 128;
	if (slash == NULL)
		return 0;
	if (strtoul(slash + 1, NULL, 10) > *prefix)
		return -EINVAL;
	*prefix = (unsigned int)strtoul(slash + 1, NULL, 10);
	return 0;
}

static int
add(struct rte_acl_ctx *ctx, const struct conf_access *a, unsigned int priority)
{
	struct access_rule r = {.data = {.category_mask = 1, .priority = (int32_t)priority}};
	struct port_addr from;
	unsigned int prefix;

	if (parse_network(a->from, &from, &prefix) < 0)
		return -EINVAL;
	r.data.userdata = a->action == CONF_ACCEPT ? ACCEPT : DENY;
	r.field[F_FAMILY].value.u8 = from.family;
	r.field[F_FAMILY].mask_range.u8 = UINT8_MAX;
	for (unsigned int i = 0; i < 4; i++) {
		uint32_t word;

		memcpy(&word, from.b + 4 * i, sizeof(word));
		r.field[F_FROM + i].value.u32 = rte_be_to_cpu_32(word);
		r.field[F_FROM + i].mask_range.u32 = prefix > 32 * i ? RTE_MIN(prefix - 32 * i, 32u) : 0;
	}
	r.field[F_TO].value.u16 = (uint16_t)a->to_first;
	r.field[F_TO].mask_range.u16 = (uint16_t)a->to_last;
	r.field[F_PAD].mask_range.u16 = UINT16_MAX;
	return rte_acl_add_rules(ctx, (const struct rte_acl_rule *)&r, 1);
}

static int
build(struct port_access *access, const struct conf_port *conf)
{
	static unsigned int serial;
	char name[RTE_ACL_NAMESIZE];
	struct rte_acl_param p = {
		.name = name,
		.socket_id = SOCKET_ID_ANY,
		.rule_size = RTE_ACL_RULE_SZ(FIELDS),
		.max_rule_num = conf->n_access,
	};
	struct rte_acl_config build = {.num_categories = 1, .num_fields = FIELDS};

	snprintf(name, sizeof(name), "port_access_%u", serial++);
	access->rules = rte_acl_create(&p);
	if (access->rules == NULL)
		return -ENOMEM;
	for (unsigned int i = 0; i < conf->n_access; i++) { /* the first in the list goes before all others */
		int ret = add(access->rules, &conf->access[i], conf->n_access - i);

		if (ret < 0)
			return ret;
	}
	memcpy(build.defs, fields, sizeof(fields));
	return rte_acl_build(access->rules, &build);
}

int
port_access_create(struct port_access **out, const struct conf_port *conf, char *err, size_t errlen)
{
	struct port_access *access;
	int ret = -ENOMEM;

	*out = NULL;
	if (conf->n_access == 0)
		return 0;
	access = calloc(1, sizeof(*access));
	if (access != NULL)
		ret = build(access, conf);
	if (ret == 0) {
		*out = access;
		return 0;
	}
	snprintf(err, errlen, "port %s: the access list could not be built: %s", conf->name, strerror(-ret));
	port_access_destroy(access);
	return ret;
}

void
port_access_destroy(struct port_access *access)
{
	if (access == NULL)
		return;
	rte_acl_free(access->rules);
	free(access);
}

bool
port_access_admit(void *arg, const struct port_pkt *pkt, uint16_t dport)
{
	const struct port_access *access = arg;
	struct probe probe = {.family = pkt->src.family, .to = rte_cpu_to_be_16(dport)};
	const uint8_t *data = (const uint8_t *)&probe;
	uint32_t verdict = NO_MATCH;

	memcpy(probe.from, pkt->src.b, sizeof(probe.from));
	rte_acl_classify(access->rules, &data, &verdict, 1, 1);
	return verdict == ACCEPT;
}
