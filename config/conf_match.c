/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* Rules that select: connections by `access:`, requests by `classes:`. */

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "conf_check.h"

static uint64_t
number(const struct conf_node *map, const char *key, uint64_t otherwise)
{
	const char *text = conf_node_text(map, key);

	return text != NULL ? strtoull(text, NULL, 10) : otherwise;
}

static struct conf_node *
access_of(const struct conf_node *port)
{
	struct conf_node *list = conf_node_get(port, "access");

	return list != NULL && list->kind == CONF_NODE_LIST ? list : NULL;
}

/* --- errors --------------------------------------------------------------------------------------------------------
 */

/* Nothing in the list must not be taken for no list: one denies everybody, the other nobody. */
static void
access_rules(struct conf_check *ck)
{
	for (struct conf_node *p = conf_first(ck->tree, "ports"); p != NULL; p = p->next) {
		struct conf_node *list = access_of(p);

		if (list != NULL && list->n == 0)
			conf_err_value(ck->errs, list,
				       "expected at least one, found an empty list; without the key everybody may "
				       "connect");
	}
}

static bool
has_namespace(const struct conf_node *subsystem, uint64_t nsid)
{
	const struct conf_node *list = conf_node_get(subsystem, "namespaces");

	if (list == NULL || list->kind != CONF_NODE_LIST)
		return false;
	for (const struct conf_node *n = list->first; n != NULL; n = n->next)
		if (number(n, "nsid", n->index + 1) == nsid)
			return true;
	return false;
}

static void
class_namespace(struct conf_check *ck, struct conf_node *c)
{
	const char *subsystem = conf_node_text(c, "subsystem");
	uint64_t nsid = number(c, "namespace", 0);
	const struct conf_node *s = subsystem != NULL ? conf_item(ck->tree, "subsystems", subsystem) : NULL;

	if (nsid != 0 && s != NULL && !has_namespace(s, nsid))
		conf_err_value(ck->errs, conf_node_get(c, "namespace"),
			       "subsystems[%u] on line %u has no namespace %" PRIu64, s->index, s->line, nsid);
}

static void
class_bound(struct conf_check *ck, struct conf_node *bound)
{
	static const struct conf_key size = {.type = CONF_SIZE};
	char shown[CONF_TEXT], below[CONF_TEXT], above[CONF_TEXT];
	uint64_t num;

	if (bound->bad || bound->kind != CONF_NODE_SCALAR)
		return;
	num = strtoull(bound->text, NULL, 10);
	if (num % CONF_CLASS_STEP == 0)
		return;
	conf_value_print(&size, num, shown);
	conf_value_print(&size, num - num % CONF_CLASS_STEP, below);
	conf_value_print(&size, num - num % CONF_CLASS_STEP + CONF_CLASS_STEP, above);
	conf_err_value(ck->errs, bound, "%s is no whole number of MiB; the nearest are %s and %s", shown, below, above);
}

static void
class_rules(struct conf_check *ck)
{
	for (struct conf_node *c = conf_first(ck->tree, "classes"); c != NULL; c = c->next) {
		const struct conf_node *range = conf_node_get(c, "range");

		class_namespace(ck, c);
		if (range == NULL || range->kind != CONF_NODE_LIST || range->n != 2)
			continue;
		class_bound(ck, range->first);
		class_bound(ck, range->last);
	}
}

static void
service_rules(struct conf_check *ck)
{
	struct conf_node *first = conf_first(ck->tree, "services");

	for (struct conf_node *b = first; b != NULL; b = b->next)
		for (struct conf_node *a = first; a != b; a = a->next)
			if (number(a, "class", 256) == number(b, "class", 257)) {
				conf_err_value(ck->errs, conf_node_get(b, "class"),
					       "class %" PRIu64 " is told of on line %u already", number(b, "class", 0),
					       a->line);
				break;
			}
}

void
conf_check_match_rules(struct conf_check *ck)
{
	access_rules(ck);
	class_rules(ck);
	service_rules(ck);
}

/* --- warnings ------------------------------------------------------------------------------------------------------
 */

static bool
access_covers(const struct conf_node *a, const struct conf_node *b)
{
	struct conf_ip outer, inner;

	return conf_ip_parse(conf_node_text(a, "from"), &outer) && conf_ip_parse(conf_node_text(b, "from"), &inner) &&
	       outer.prefix <= inner.prefix && conf_ip_inside(&inner, &outer) &&
	       number(a, "to_first", 1) <= number(b, "to_first", 1) &&
	       number(a, "to_last", UINT16_MAX) >= number(b, "to_last", UINT16_MAX);
}

static void
access_warnings(struct conf_check *ck, const struct conf_node *list)
{
	for (struct conf_node *b = list->first; b != NULL; b = b->next)
		for (struct conf_node *a = list->first; a != b; a = a->next)
			if (access_covers(a, b)) {
				conf_warn(ck->errs, b, "is never reached: line %u decides all of it before", a->line);
				break;
			}
}

static bool
host_listed(const struct conf_node *subsystem, const char *nqn)
{
	const struct conf_node *hosts = conf_node_get(subsystem, "hosts");

	if (conf_node_get(subsystem, "any_host") != NULL)
		return true;
	for (const struct conf_node *h = hosts != NULL ? hosts->first : NULL; h != NULL; h = h->next)
		if (strcmp(h->text, nqn) == 0)
			return true;
	return false;
}

static void
class_warnings(struct conf_check *ck, struct conf_node *c)
{
	const char *host = conf_node_text(c, "host"), *subsystem = conf_node_text(c, "subsystem");

	if (strcmp(host, "any") == 0)
		return;
	for (struct conf_node *s = conf_first(ck->tree, "subsystems"); s != NULL; s = s->next)
		if ((subsystem == NULL || strcmp(conf_node_text(s, "nqn"), subsystem) == 0) && host_listed(s, host))
			return;
	conf_warn(ck->errs, conf_node_get(c, "host"), "\"%s\" may not connect to any subsystem meant here", host);
}

void
conf_check_match_warnings(struct conf_check *ck)
{
	for (struct conf_node *p = conf_first(ck->tree, "ports"); p != NULL; p = p->next)
		if (access_of(p) != NULL)
			access_warnings(ck, access_of(p));
	for (struct conf_node *c = conf_first(ck->tree, "classes"); c != NULL; c = c->next)
		class_warnings(ck, c);
}
