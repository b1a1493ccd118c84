/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "conf_check.h"

#define CONTROL_MAX 107 /* sun_path of a UNIX socket, less its NUL */

/* Each rule keeps quiet about values that are wrong by themselves: conf_node_text() gives NULL for those. */

static uint64_t
number(const struct conf_node *map, const char *key, uint64_t otherwise)
{
	const char *text = conf_node_text(map, key);

	return text != NULL ? strtoull(text, NULL, 10) : otherwise;
}

/* An earlier item with the same text for @p key. */
static struct conf_node *
earlier(struct conf_node *first, const struct conf_node *item, const char *key, bool fold)
{
	const char *text = conf_node_text(item, key);

	for (struct conf_node *i = first; text != NULL && i != item; i = i->next) {
		const char *other = conf_node_text(i, key);

		if (other != NULL && (fold ? strcasecmp(other, text) : strcmp(other, text)) == 0)
			return i;
	}
	return NULL;
}

/* @param fold upper and lower case are the same. */
static void
unique(struct conf_check *ck, const char *section, const char *key, bool fold)
{
	struct conf_node *first = conf_first(ck->tree, section);

	for (struct conf_node *item = first; item != NULL; item = item->next) {
		struct conf_node *twin = earlier(first, item, key, fold), *node = conf_node_get(item, key);
		char q[64];

		if (twin != NULL)
			conf_err_value(ck->errs, node, "%s is taken by %s[%u] on line %u", conf_quote(node->text, q),
				       section, twin->index, twin->line);
	}
}

static void
appliance_rules(struct conf_check *ck)
{
	struct conf_node *a = conf_node_get(ck->tree->root, "appliance");
	const char *control = conf_node_text(a, "control");
	uint64_t memory = number(a, "memory", 0), buffers = number(a, "buffers", 0);
	char m[CONF_TEXT], b[CONF_TEXT];
	static const struct conf_key size = {.type = CONF_SIZE};

	if (control != NULL && strlen(control) > CONTROL_MAX)
		conf_err_value(ck->errs, conf_node_get(a, "control"), "%zu bytes long; a socket's name has at most %d",
			       strlen(control), CONTROL_MAX);
	if (memory == 0 || buffers < memory)
		return;
	conf_value_print(&size, memory, m);
	conf_value_print(&size, buffers, b);
	conf_err_value(ck->errs, conf_node_get(a, "buffers"), "%s does not fit into memory, %s in all", b, m);
}

/* Caches of the map are taken from DPDK's memory, beside the buffers. */
static void
cache_rules(struct conf_check *ck)
{
	struct conf_node *a = conf_node_get(ck->tree->root, "appliance");
	uint64_t memory = number(a, "memory", 1ULL << 30), sum = number(a, "buffers", 256ULL << 20);
	static const struct conf_key size = {.type = CONF_SIZE};
	char m[CONF_TEXT];

	for (struct conf_node *g = conf_first(ck->tree, "groups"); g != NULL; g = g->next) {
		uint64_t cache = number(g, "map_cache", 0);

		sum += cache;
		if (cache == 0 || sum < memory)
			continue;
		conf_value_print(&size, memory, m);
		conf_err_value(ck->errs, conf_node_get(g, "map_cache"),
			       "does not fit into appliance.memory, %s in all, beside buffers and other caches", m);
	}
}

/* --- ports and listeners -------------------------------------------------------------------------------------------
 */

/* A list's addresses, those that are good. @return the next after @p node that is, parsed. */
static struct conf_node *
next_address(struct conf_node *node, struct conf_ip *ip)
{
	for (; node != NULL; node = node->next)
		if (node->kind == CONF_NODE_SCALAR && !node->bad && conf_ip_parse(node->text, ip))
			return node;
	return NULL;
}

static struct conf_node *
first_address(const struct conf_node *port)
{
	const struct conf_node *list = conf_node_get(port, "addresses");

	return list != NULL && list->kind == CONF_NODE_LIST ? list->first : NULL;
}

/* Was any of a port's addresses refused? Then what belongs to it is not known. */
static bool
addresses_bad(const struct conf_node *port)
{
	const struct conf_node *list = conf_node_get(port, "addresses");
	bool bad = list == NULL || list->kind != CONF_NODE_LIST || list->bad;

	for (const struct conf_node *a = first_address(port); a != NULL; a = a->next)
		bad = bad || a->bad;
	return bad;
}

static void
gateway_rule(struct conf_check *ck, struct conf_node *port, const char *key, int family)
{
	struct conf_node *node = conf_node_get(port, key);
	const char *text = conf_node_text(port, key);
	struct conf_ip gw, ip;

	if (text == NULL || !conf_ip_parse(text, &gw))
		return;
	if (gw.family != family) {
		conf_err_value(ck->errs, node, "\"%s\" is of the other IP version", text);
		return;
	}
	/* A router's link-local address is on every IPv6 link (RFC 4291, 2.5.6). */
	if (gw.b[0] == 0xfe && (gw.b[1] & 0xc0) == 0x80)
		return;
	for (struct conf_node *a = first_address(port); (a = next_address(a, &ip)) != NULL; a = a->next)
		if (conf_ip_inside(&gw, &ip))
			return;
	if (addresses_bad(port))
		return;
	conf_err_value(ck->errs, node, "\"%s\" is in none of the networks of this port's addresses", text);
}

/* @p node's address among those before it, of this and earlier ports? */
static void
address_rule(struct conf_check *ck, const struct conf_node *node, const struct conf_ip *ip, struct conf_node *self)
{
	for (struct conf_node *p = conf_first(ck->tree, "ports"); p != NULL; p = p->next) {
		struct conf_ip other;

		for (struct conf_node *a = first_address(p); (a = next_address(a, &other)) != NULL; a = a->next) {
			if (a == node)
				return;
			if (conf_ip_same(ip, &other)) {
				conf_err_value(ck->errs, self, "\"%s\" is taken already, on line %u", self->text,
					       a->line);
				return;
			}
		}
	}
}

static void
port_rules(struct conf_check *ck)
{
	for (struct conf_node *port = conf_first(ck->tree, "ports"); port != NULL; port = port->next) {
		const char *name = conf_node_text(port, "name");
		struct conf_ip ip;

		if (name != NULL && strcmp(name, "kernel") == 0)
			conf_err_value(ck->errs, conf_node_get(port, "name"),
				       "\"kernel\" stands for the host's own sockets; choose another name");
		gateway_rule(ck, port, "gateway4", AF_INET);
		gateway_rule(ck, port, "gateway6", AF_INET6);
		for (struct conf_node *a = first_address(port); (a = next_address(a, &ip)) != NULL; a = a->next)
			address_rule(ck, a, &ip, a);
	}
}

static bool
port_has(const struct conf_node *port, const struct conf_ip *ip)
{
	struct conf_ip own;

	for (struct conf_node *a = first_address(port); (a = next_address(a, &own)) != NULL; a = a->next)
		if (conf_ip_same(ip, &own) || (conf_ip_any(ip) && ip->family == own.family))
			return true;
	return false;
}

static void
listener_rules(struct conf_check *ck)
{
	struct conf_node *first = conf_first(ck->tree, "listeners");

	for (struct conf_node *l = first; l != NULL; l = l->next) {
		const char *port = conf_node_text(l, "port"), *address = conf_node_text(l, "address");
		struct conf_ip ip, other;
		struct conf_node *item;

		if (port == NULL || address == NULL || !conf_ip_parse(address, &ip))
			continue;
		item = conf_item(ck->tree, "ports", port);
		if (item != NULL && !port_has(item, &ip) && !addresses_bad(item))
			conf_err_value(ck->errs, conf_node_get(l, "address"), "port \"%s\" does not have \"%s\"", port,
				       address);
		for (struct conf_node *o = first; o != l; o = o->next) {
			const char *oport = conf_node_text(o, "port"), *oaddress = conf_node_text(o, "address");

			if (oport != NULL && oaddress != NULL && strcmp(oport, port) == 0 &&
			    number(o, "service", 0) == number(l, "service", 1) && conf_ip_parse(oaddress, &other) &&
			    conf_ip_same(&ip, &other)) {
				conf_err_value(ck->errs, l, "the same address and port as listeners[%u] on line %u",
					       o->index, o->line);
				break;
			}
		}
	}
}

/* --- drives, groups, volumes ---------------------------------------------------------------------------------------
 */

struct path_use {
	const struct conf_key *keys[4];
	char *paths[4];
	unsigned int n;
};

static void
note_path(const struct conf_key *key, const char *text, void *arg)
{
	struct path_use *use = arg;

	if (key->type == CONF_PATH && use->n < 4) {
		use->keys[use->n] = key;
		use->paths[use->n++] = conf_strdup(text);
	}
}

static void
free_paths(struct path_use *use)
{
	for (unsigned int i = 0; i < use->n; i++)
		free(use->paths[i]);
}

/* Two drives in one file would destroy each other. */
static void
drive_rules(struct conf_check *ck)
{
	for (struct conf_node *d = conf_first(ck->tree, "drives"); d != NULL; d = d->next) {
		struct path_use mine = {0};

		conf_values_walk(d->values, note_path, &mine);
		for (struct conf_node *o = conf_first(ck->tree, "drives"); mine.n != 0 && o != d; o = o->next) {
			struct path_use theirs = {0};

			conf_values_walk(o->values, note_path, &theirs);
			for (unsigned int i = 0; i < mine.n * theirs.n; i++) {
				unsigned int m = i / theirs.n, t = i % theirs.n;
				struct conf_node *node = conf_node_get(d, mine.keys[m]->name);

				if (strcmp(mine.paths[m], theirs.paths[t]) == 0 && node != NULL && !node->bad)
					conf_err_value(ck->errs, node, "the same file as drives[%u] on line %u",
						       o->index, o->line);
			}
			free_paths(&theirs);
		}
		free_paths(&mine);
	}
}

/* Does a list of a group before name the drive too? */
static void
group_member(struct conf_check *ck, struct conf_node *d, const struct conf_node *g, const char *key)
{
	const struct conf_node *other = conf_node_get(g, key);

	if (other == NULL || other->kind != CONF_NODE_LIST)
		return;
	for (struct conf_node *o = other->first; o != NULL && !d->bad; o = o->next)
		if (!o->bad && strcmp(o->text, d->text) == 0)
			conf_err_value(ck->errs, d, "drive \"%s\" is in groups[%u] already, on line %u", d->text,
				       g->index, o->line);
}

static void
group_members(struct conf_check *ck, struct conf_node *group, struct conf_node *list)
{
	for (struct conf_node *d = list->first; d != NULL; d = d->next) {
		for (struct conf_node *g = conf_first(ck->tree, "groups"); g != group && !d->bad; g = g->next) {
			group_member(ck, d, g, "drives");
			group_member(ck, d, g, "spares");
		}
		if (strcmp(list->key, "spares") == 0)
			group_member(ck, d, group, "drives");
	}
}

/* What only a log group has. */
static void
group_plain(struct conf_check *ck, const struct conf_node *g)
{
	static const char *const keys[] = {"map_cache",	 "spares",	"rebuild_rate", "scrub_every",
					   "scrub_rate", "reseal_rate", "lcore"};

	for (unsigned int i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		struct conf_node *node = conf_node_get(g, keys[i]);

		if (node != NULL)
			conf_err_value(ck->errs, node, "is of log groups (`style: log`)");
	}
}

#define ROW_LEAST     (36 << 10)  /* data of a row, bytes: what a store writes as one, in whole blocks */
#define SEGMENT_LEAST (132 << 10) /* and of a segment, which holds some of these */

/* Rows and segments as they are written out. How many data drives a group has that leaves it out cannot be told from
 * its list, where some may be missing. */
static void
group_sizes(struct conf_check *ck, const struct conf_node *g, uint64_t data)
{
	uint64_t segment = number(g, "segment", 0), unit = number(g, "unit", 0);
	struct conf_node *node = conf_node_get(g, "segment");

	if (data != 0 && unit != 0 && unit * data < ROW_LEAST)
		conf_err_value(ck->errs, conf_node_get(g, "unit"),
			       "on %" PRIu64
			       " data drives is less than 36KiB, which a row must hold; expected at least "
			       "%" PRIu64 " bytes",
			       data, (ROW_LEAST + data - 1) / data);
	if (segment != 0 && segment < unit)
		conf_err_value(ck->errs, node, "is less than a unit of %" PRIu64 " bytes", unit);
	else if (data != 0 && segment != 0 && segment * data < SEGMENT_LEAST)
		conf_err_value(ck->errs, node,
			       "on %" PRIu64 " data drives is less than 132KiB; expected at least %" PRIu64 " bytes",
			       data, (SEGMENT_LEAST + data - 1) / data);
	if (segment * data > 64 << 20)
		conf_err_value(ck->errs, node,
			       "on %" PRIu64 " data drives is more than 64MiB; expected at most %" PRIu64 " bytes",
			       data, (uint64_t)(64 << 20) / data);
}

/* Which keys a group of its style needs, and whether its drives are enough for a row. */
static void
group_style(struct conf_check *ck, struct conf_node *g)
{
	struct conf_node *list = conf_node_get(g, "drives"), *raid = conf_node_get(g, "raid");
	const char *style = conf_node_text(g, "style");
	uint64_t data = number(g, "data", 0), parity = number(g, "parity", 0);

	if (style == NULL)
		return;
	if (strcmp(style, "plain") == 0) {
		if (raid == NULL)
			conf_err_value(ck->errs, g, "\"raid\" is missing (a plain group needs it: 0, 1 or 10)");
		group_plain(ck, g);
		return;
	}
	if (raid != NULL)
		conf_err_value(ck->errs, raid, "is of plain groups; a log group has `data:` and `parity:`");
	if (list != NULL && list->kind == CONF_NODE_LIST && !list->bad && list->n < (data == 0 ? 1 : data) + parity)
		conf_err_value(ck->errs, list,
			       "%u drives; %" PRIu64 " data and %" PRIu64 " parity need at least %" PRIu64, list->n,
			       (data == 0 ? 1 : data), parity, (data == 0 ? 1 : data) + parity);
	group_sizes(ck, g, data);
}

/* Is there the data lcore that a stage or a group shall have? */
static void
lcore_there(struct conf_check *ck, const struct conf_node *of)
{
	const struct conf_node *cpus = conf_node_get(conf_node_get(ck->tree->root, "appliance"), "data_cpus");
	unsigned int lcores = cpus != NULL && cpus->kind == CONF_NODE_LIST && !cpus->bad ? cpus->n : 1;
	uint64_t lcore = number(of, "lcore", 0);

	if (lcore > lcores)
		conf_err_value(ck->errs, conf_node_get(of, "lcore"),
			       "there is no data lcore %" PRIu64 "; appliance.data_cpus makes %u", lcore, lcores);
}

static void
group_rules(struct conf_check *ck)
{
	for (struct conf_node *g = conf_first(ck->tree, "groups"); g != NULL; g = g->next) {
		struct conf_node *list = conf_node_get(g, "drives"), *spares = conf_node_get(g, "spares");

		lcore_there(ck, g);
		if (list == NULL || list->kind != CONF_NODE_LIST)
			continue;
		if (spares != NULL && spares->kind == CONF_NODE_LIST)
			group_members(ck, g, spares);
		if (list->n > CONF_GROUP_DRIVES_MAX)
			conf_err_value(ck->errs, list, "%u drives; a group has at most %u", list->n,
				       CONF_GROUP_DRIVES_MAX);
		group_members(ck, g, list);
		group_style(ck, g);
	}
}

static void
volume_rules(struct conf_check *ck)
{
	for (struct conf_node *v = conf_first(ck->tree, "volumes"); v != NULL; v = v->next) {
		const struct conf_node *stages = conf_node_get(v, "stages");
		uint64_t size = number(v, "size", 0), lba = number(v, "lba", 512);

		if (size % lba != 0)
			conf_err_value(ck->errs, conf_node_get(v, "size"),
				       "%" PRIu64 " bytes are no whole number of %" PRIu64 "-byte blocks", size, lba);
		if (stages == NULL || stages->kind != CONF_NODE_LIST)
			continue;
		for (struct conf_node *s = stages->first; s != NULL; s = s->next) {
			if (s->kind == CONF_NODE_MAP)
				lcore_there(ck, s->first);
		}
	}
}

/* --- subsystems ----------------------------------------------------------------------------------------------------
 */

static void
namespace_rules(struct conf_check *ck, struct conf_node *list)
{
	for (struct conf_node *n = list->first; n != NULL; n = n->next) {
		uint64_t nsid = number(n, "nsid", n->index + 1);
		const char *volume = conf_node_text(n, "volume");

		for (struct conf_node *o = list->first; o != n; o = o->next) {
			const char *other = conf_node_text(o, "volume");
			struct conf_node *at = conf_node_get(n, "nsid");

			if (number(o, "nsid", o->index + 1) == nsid)
				conf_err_value(ck->errs, at != NULL ? at : n,
					       "namespace id %" PRIu64 " is taken on line %u", nsid, o->line);
			if (volume != NULL && other != NULL && strcmp(volume, other) == 0)
				conf_err_value(ck->errs, conf_node_get(n, "volume"),
					       "volume \"%s\" is in this subsystem already, on line %u", volume,
					       o->line);
		}
	}
}

static void
subsystem_rules(struct conf_check *ck)
{
	static const char discovery[] = "nqn.2014-08.org.nvmexpress.discovery";

	for (struct conf_node *s = conf_first(ck->tree, "subsystems"); s != NULL; s = s->next) {
		struct conf_node *list = conf_node_get(s, "namespaces");
		const char *nqn = conf_node_text(s, "nqn");

		if (nqn != NULL && strcmp(nqn, discovery) == 0)
			conf_err_value(ck->errs, conf_node_get(s, "nqn"),
				       "is the discovery subsystem's, which is always there; choose another");
		if (list != NULL && list->kind == CONF_NODE_LIST)
			namespace_rules(ck, list);
	}
}

void
conf_check_rules(struct conf_check *ck)
{
	static const char *const named[] = {"ports", "drives", "groups", "volumes", "classes"};

	for (unsigned int i = 0; i < sizeof(named) / sizeof(named[0]); i++)
		unique(ck, named[i], "name", false);
	unique(ck, "ports", "device", false);
	unique(ck, "volumes", "uuid", true);
	unique(ck, "subsystems", "nqn", false);
	unique(ck, "subsystems", "serial", false);
	appliance_rules(ck);
	cache_rules(ck);
	port_rules(ck);
	listener_rules(ck);
	drive_rules(ck);
	group_rules(ck);
	volume_rules(ck);
	subsystem_rules(ck);
	conf_check_match_rules(ck);
	conf_check_device_rules(ck);
}
