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

void
conf_check_warnings(struct conf_check *ck)
{
	unused(ck, "ports", "listeners", "port", NULL, "no listener uses it");
	unused(ck, "drives", "groups", "drives", NULL, "no group uses it");
	unused(ck, "groups", "volumes", "group", NULL, "no volume lies on it");
	unused(ck, "volumes", "subsystems", "namespaces", "volume", "no host can see it");
	for (struct conf_node *v = conf_first(ck->tree, "volumes"); v != NULL; v = v->next) {
		const char *name = conf_node_text(v, "name");

		/* Hosts take a namespace's identifiers to be its own in all the world. */
		if (users(ck->tree, "subsystems", "namespaces", "volume", name) > 1)
			conf_warn(ck->errs, v, "\"%s\" is in several subsystems under the same identifiers", name);
	}
	subsystem_warnings(ck);
	conf_check_match_warnings(ck);
}
