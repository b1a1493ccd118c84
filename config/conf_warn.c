/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <string.h>

#include "conf_check.h"

/* How many items of @p section name @p name in @p key: as its value, in its list, or in mappings of its list. */
static unsigned int
users(const struct conf_tree *tree, const char *section, const char *key, const char *inner, const char *name)
{
	unsigned int n = 0;

	for (struct conf_node *item = conf_first(tree, section); item != NULL; item = item->next) {
		const struct conf_node *node = conf_node_get(item, key);

		if (node == NULL)
			continue;
		if (node->kind == CONF_NODE_SCALAR && strcmp(node->text, name) == 0)
			n++;
		for (const struct conf_node *c = node->first; c != NULL; c = c->next) {
			const char *text = inner != NULL ? conf_node_text(c, inner) : c->text;

			if (text != NULL && strcmp(text, name) == 0)
				n++;
		}
	}
	return n;
}

static void
unused(struct conf_check *ck, const char *section, const char *by, const char *key, const char *inner, const char *what)
{
	for (struct conf_node *item = conf_first(ck->tree, section); item != NULL; item = item->next) {
		const char *name = conf_node_text(item, "name");

		if (users(ck->tree, by, key, inner, name) == 0)
			conf_warn(ck->errs, item, "\"%s\" is not used: %s", name, what);
	}
}

static void
unused_drives(struct conf_check *ck)
{
	for (struct conf_node *d = conf_first(ck->tree, "drives"); d != NULL; d = d->next) {
		const char *name = conf_node_text(d, "name");

		if (users(ck->tree, "groups", "drives", NULL, name) + users(ck->tree, "groups", "spares", NULL, name) ==
		    0)
			conf_warn(ck->errs, d, "\"%s\" is not used: no group uses it", name);
	}
}

static void
subsystem_warnings(struct conf_check *ck)
{
	for (struct conf_node *s = conf_first(ck->tree, "subsystems"); s != NULL; s = s->next) {
		const struct conf_node *hosts = conf_node_get(s, "hosts"), *ns = conf_node_get(s, "namespaces");

		if (conf_node_get(s, "any_host") == NULL && (hosts == NULL || hosts->n == 0))
			conf_warn(ck->errs, s, "no hosts are named, so none may connect");
		if (ns == NULL || ns->n == 0)
			conf_warn(ck->errs, s, "no namespaces: there is nothing in it");
	}
	if (conf_first(ck->tree, "subsystems") != NULL && conf_first(ck->tree, "listeners") == NULL)
		conf_warn(ck->errs, conf_node_get(ck->tree->root, "subsystems"),
			  "there are no listeners, so no host can reach them");
}

/* A group that exists is opened without a lost half by listing the drives there are: too few is no error. */
static void
group_warnings(struct conf_check *ck)
{
	for (struct conf_node *g = conf_first(ck->tree, "groups"); g != NULL; g = g->next) {
		const struct conf_node *list = conf_node_get(g, "drives");
		const char *raid = conf_node_text(g, "raid");

		if (raid == NULL || list == NULL)
			continue;
		if (strcmp(raid, "1") == 0 && list->n < 2)
			conf_warn(ck->errs, list,
				  "a new RAID 1 needs at least 2 drives, found %u: only a group that exists already "
				  "opens so, without its other halves",
				  list->n);
		if (strcmp(raid, "10") == 0 && (list->n < 4 || list->n % 2 != 0))
			conf_warn(ck->errs, list,
				  "a new RAID 10 needs an even number of drives, at least 4, found %u: only a group "
				  "that exists already opens so, without its other halves",
				  list->n);
	}
}

void
conf_check_warnings(struct conf_check *ck)
{
	unused(ck, "ports", "listeners", "port", NULL, "no listener uses it");
	unused_drives(ck);
	unused(ck, "groups", "volumes", "group", NULL, "no volume lies on it");
	unused(ck, "volumes", "subsystems", "namespaces", "volume", "no host can see it");
	for (struct conf_node *v = conf_first(ck->tree, "volumes"); v != NULL; v = v->next) {
		const char *name = conf_node_text(v, "name");

		/* Hosts take a namespace's identifiers to be its own in all the world. */
		if (users(ck->tree, "subsystems", "namespaces", "volume", name) > 1)
			conf_warn(ck->errs, v, "\"%s\" is in several subsystems under the same identifiers", name);
	}
	group_warnings(ck);
	subsystem_warnings(ck);
	conf_check_match_warnings(ck);
}
