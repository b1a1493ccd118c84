/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "conf_check.h"

static const char *
found(const struct conf_node *node)
{
	if (node->kind == CONF_NODE_LIST)
		return "a list";
	if (node->kind == CONF_NODE_MAP)
		return "a mapping";
	return node->null ? "nothing" : "a single value";
}

struct conf_node *
conf_first(const struct conf_tree *tree, const char *section)
{
	struct conf_node *list = conf_node_get(tree->root, section);

	return list != NULL && list->kind == CONF_NODE_LIST ? list->first : NULL;
}

struct conf_node *
conf_item(const struct conf_tree *tree, const char *section, const char *name)
{
	for (struct conf_node *item = conf_first(tree, section); item != NULL; item = item->next) {
		const char *text = conf_node_text(item, conf_section_id(section));

		if (text != NULL && strcmp(text, name) == 0)
			return item;
	}
	return NULL;
}

/* --- unknown keys ------------------------------------------------------------------------------------------------- */

static void
add_word(char *list, size_t len, const char *word)
{
	size_t at = strlen(list);

	snprintf(list + at, len - at, "%s%s", at != 0 ? ", " : "", word);
}

static void
unknown_key(struct conf_check *ck, struct conf_node *node, const struct conf_near *near, const char *words)
{
	if (near->best != NULL)
		conf_err_key(ck->errs, node, "unknown key; did you mean \"%s\"?", near->best);
	else
		conf_err_key(ck->errs, node, "unknown key; known here: %s", words);
}

/* Keys of a mapping must be in the section's table, or in the kind's or stage's own. */
static void
check_known(struct conf_check *ck, struct conf_node *map, const struct conf_field *fields, const struct conf_key *keys)
{
	for (struct conf_node *c = map->first; c != NULL; c = c->next) {
		struct conf_near near = {.word = c->key};
		char words[160] = "";
		bool known = false;

		for (const struct conf_field *f = fields; f != NULL && f->key.name != NULL; f++) {
			known = known || strcmp(f->key.name, c->key) == 0;
			conf_near_offer(&near, f->key.name);
			add_word(words, sizeof(words), f->key.name);
		}
		for (const struct conf_key *k = keys; k != NULL && k->name != NULL; k++) {
			known = known || strcmp(k->name, c->key) == 0;
			conf_near_offer(&near, k->name);
			add_word(words, sizeof(words), k->name);
		}
		if (!known)
			unknown_key(ck, c, &near, words);
	}
}

/* --- one value ---------------------------------------------------------------------------------------------------- */

static void
check_reference(struct conf_check *ck, const struct conf_field *f, struct conf_node *node)
{
	struct conf_near near = {.word = node->text};
	char q[64], one[32];
	bool sure = true;

	if (f->refers_too != NULL && strcmp(node->text, f->refers_too) == 0)
		return;
	for (struct conf_node *i = conf_first(ck->tree, f->refers); i != NULL; i = i->next) {
		const struct conf_node *name = conf_node_get(i, conf_section_id(f->refers));

		if (i->kind != CONF_NODE_MAP || (name != NULL && name->bad))
			sure = false; /* it may be the one that is meant */
		if (name == NULL || name->kind != CONF_NODE_SCALAR)
			continue;
		if (strcmp(name->text, node->text) == 0)
			return;
		conf_near_offer(&near, name->text);
	}
	if (f->refers_too != NULL)
		conf_near_offer(&near, f->refers_too);
	if (!sure) {
		node->bad = true;
		return;
	}
	snprintf(one, sizeof(one), "%.*s", (int)strlen(f->refers) - 1, f->refers);
	if (near.best != NULL)
		conf_err_value(ck->errs, node, "no %s is named %s; did you mean \"%s\"?", one,
			       conf_quote(node->text, q), near.best);
	else
		conf_err_value(ck->errs, node, "no %s is named %s", one, conf_quote(node->text, q));
}

/* What libcyaml shall read in the place of what was written. */
static void
make_plain(struct conf_check *ck, const struct conf_key *key, struct conf_node *node, uint64_t num)
{
	char text[CONF_TEXT];
	char *path;

	if (key->type == CONF_PATH) {
		path = conf_path(ck->folder, node->text);
		node->text = conf_tree_text(ck->tree, path);
		free(path);
	} else if (key->type == CONF_SIZE || key->type == CONF_DURATION) {
		snprintf(text, sizeof(text), "%" PRIu64, num);
		node->text = conf_tree_text(ck->tree, text);
	}
}

static void
check_one(struct conf_check *ck, const struct conf_field *f, struct conf_node *node)
{
	char err[240];
	uint64_t num;

	if (node->bad)
		return;
	if (node->kind != CONF_NODE_SCALAR || node->null) {
		conf_value_expected(&f->key, err, sizeof(err));
		conf_err_value(ck->errs, node, "expected %s, found %s", err, found(node));
		return;
	}
	if (!conf_value_parse(&f->key, node->text, &num, err, sizeof(err)) ||
	    (f->form != NULL && !f->form(node->text, err, sizeof(err)))) {
		conf_err_value(ck->errs, node, "%s", err);
		return;
	}
	if (f->refers != NULL)
		check_reference(ck, f, node);
	make_plain(ck, &f->key, node, num);
}

/* A list that was written as one text: how it should have been, where that can be told. */
static void
not_a_list(struct conf_check *ck, const struct conf_field *f, struct conf_node *node)
{
	char text[41], list[160] = "", why[240], *save = NULL;
	bool good = strlen(node->text) < sizeof(text);
	uint64_t num;

	snprintf(text, sizeof(text), "%s", node->text);
	for (char *word = strtok_r(text, ", ", &save); word != NULL; word = strtok_r(NULL, ", ", &save)) {
		good = good && conf_value_parse(&f->key, word, &num, why, sizeof(why)) &&
		       (f->form == NULL || f->form(word, why, sizeof(why)));
		add_word(list, sizeof(list), word);
	}
	if (good)
		conf_err_value(ck->errs, node, "expected a list; write [%s]", list);
	else
		conf_err_value(ck->errs, node, "expected a list, such as [a, b]; found a single value");
}

static void
check_many(struct conf_check *ck, const struct conf_field *f, struct conf_node *node)
{
	char q[64];

	if (node->kind == CONF_NODE_SCALAR && !node->null) {
		not_a_list(ck, f, node);
		return;
	}
	if (node->kind != CONF_NODE_LIST) {
		conf_err_value(ck->errs, node, "expected a list, found %s", found(node));
		return;
	}
	if (node->n == 0 && f->shape == CONF_MANY)
		conf_err_value(ck->errs, node, "expected at least one, found an empty list");
	if (f->most != 0 && node->n > f->most)
		conf_err_value(ck->errs, node, "%u in the list; expected at most %u", node->n, f->most);
	for (struct conf_node *c = node->first; c != NULL; c = c->next) {
		check_one(ck, f, c);
		for (struct conf_node *d = node->first; d != c && !c->bad; d = d->next)
			if (!d->bad && strcmp(d->text, c->text) == 0)
				conf_err_value(ck->errs, c, "%s stands in the list twice", conf_quote(c->text, q));
	}
}

/* Bounds for libcyaml, as keys of their own. A size's second bound is the byte after the last. */
static void
add_bounds(struct conf_check *ck, const struct conf_key *key, struct conf_node *map, uint64_t first, uint64_t last)
{
	const char *const ends[] = {"first", "last"};
	const uint64_t num[] = {first, key->type == CONF_SIZE ? last - 1 : last};
	char name[CONF_TEXT], text[CONF_TEXT];

	for (unsigned int i = 0; i < 2; i++) {
		snprintf(name, sizeof(name), "%s_%s", key->name, ends[i]);
		snprintf(text, sizeof(text), "%" PRIu64, num[i]);
		conf_tree_add(ck->tree, map, conf_tree_text(ck->tree, name), text);
	}
}

static void
check_range(struct conf_check *ck, const struct conf_field *f, struct conf_node *map, struct conf_node *node)
{
	bool size = f->key.type == CONF_SIZE;
	const struct conf_node *a = node, *b = node;
	uint64_t first, last;
	char err[240];

	if (node->kind == CONF_NODE_LIST && node->n == 2) {
		a = node->first;
		b = a->next;
		check_one(ck, f, node->first);
		check_one(ck, f, node->first->next);
	} else if (node->kind == CONF_NODE_SCALAR && !node->null && !size) {
		check_one(ck, f, node);
	} else if (node->kind == CONF_NODE_LIST) {
		conf_err_value(ck->errs, node, "expected [first, %s], found %u in the list", size ? "end" : "last",
			       node->n);
	} else {
		conf_value_expected(&f->key, err, sizeof(err));
		conf_err_value(ck->errs, node, "expected [first, %s], each a %s; found %s", size ? "end" : "last", err,
			       found(node));
	}
	if (node->bad || a->bad || b->bad)
		return;
	/* Checked, and plain decimals now. */
	first = strtoull(a->text, NULL, 10);
	last = strtoull(b->text, NULL, 10);
	if (first < last || (first == last && !size))
		add_bounds(ck, &f->key, map, first, last);
	else if (first == last)
		conf_err_value(ck->errs, node, "empty: it begins and ends at %s", a->text);
	else
		conf_err_value(ck->errs, node, "ends before it begins; write [%s, %s]", b->text, a->text);
}

/* `any`, or a list of NQNs. For libcyaml `any` becomes a key of its own. */
static void
check_hosts(struct conf_check *ck, const struct conf_field *f, struct conf_node *map, struct conf_node *node)
{
	char q[64];

	if (node->kind == CONF_NODE_SCALAR && !node->null && strcmp(node->text, "any") == 0) {
		conf_tree_add(ck->tree, map, "any_host", "true");
		node->kind = CONF_NODE_LIST;
		return;
	}
	if (node->kind == CONF_NODE_SCALAR && !node->null)
		conf_err_value(ck->errs, node, "expected \"any\" or a list of NQNs, found %s",
			       conf_quote(node->text, q));
	else
		check_many(ck, f, node);
}

/* --- stages and drives: keys from the tables of their kinds --------------------------------------------------------
 */

static const struct conf_key lcore_key = {
	.name = "lcore", .type = CONF_UINT, .min = 1, .max = 31, .help = "data lcore it shall have"};

static const struct conf_key *
stage_keys(struct conf_check *ck, struct conf_node *node, const char *name, bool *ok)
{
	const struct conf_key *keys = ck->kinds->stage_keys(name, ok);
	struct conf_near near = {.word = name};
	char words[160] = "", q[64];
	const char *known;

	if (*ok)
		return keys;
	for (unsigned int i = 0; (known = ck->kinds->stage_name(i)) != NULL; i++) {
		conf_near_offer(&near, known);
		add_word(words, sizeof(words), known);
	}
	if (near.best != NULL)
		conf_err_value(ck->errs, node, "no stage is called %s; did you mean \"%s\"?", conf_quote(name, q),
			       near.best);
	else
		conf_err_value(ck->errs, node, "no stage is called %s; known: %s", conf_quote(name, q), words);
	return NULL;
}

static void
check_stage_keys(struct conf_check *ck, struct conf_node *map, const struct conf_key *keys)
{
	static const struct conf_field lcore[] = {{.key = {"lcore", CONF_UINT}}, {}};
	struct conf_node *node = conf_node_get(map, "lcore");
	const struct conf_field as_field = {.key = lcore_key};

	check_known(ck, map, lcore, keys);
	if (node != NULL)
		check_one(ck, &as_field, node);
	map->values = conf_values_load(keys, map, ck->folder, ck->errs);
}

static void
check_stage(struct conf_check *ck, struct conf_node *item)
{
	const struct conf_key *keys;
	struct conf_node *body;
	bool ok = false;

	if (item->kind == CONF_NODE_SCALAR && !item->null) {
		keys = stage_keys(ck, item, item->text, &ok);
		if (!ok || item->bad)
			return;
		/* A bare name is the same as the name with no keys. */
		item->key = item->text;
		item->values = conf_values_load(keys, item, ck->folder, ck->errs);
		return;
	}
	if (item->kind != CONF_NODE_MAP || item->n == 0) {
		conf_err_value(ck->errs, item, "expected a stage's name, alone or with its keys, found %s",
			       found(item));
		return;
	}
	if (item->n > 1) {
		conf_err_value(ck->errs, item,
			       "expected one stage, found %u keys; a stage's keys stand deeper than its name", item->n);
		return;
	}
	body = item->first;
	item->key = body->key;
	keys = stage_keys(ck, body, body->key, &ok);
	if (!ok || body->bad)
		return;
	if (body->kind == CONF_NODE_SCALAR && body->null)
		body->kind = CONF_NODE_MAP;
	if (body->kind == CONF_NODE_MAP)
		check_stage_keys(ck, body, keys);
	else
		conf_err_value(ck->errs, body, "expected the stage's keys, found %s", found(body));
}

static void
check_stages(struct conf_check *ck, struct conf_node *node)
{
	if (node->kind == CONF_NODE_SCALAR && node->null)
		return;
	if (node->kind != CONF_NODE_LIST) {
		conf_err_value(ck->errs, node, "expected a list of stages (lines that begin with \"-\"), found %s",
			       found(node));
		return;
	}
	for (struct conf_node *c = node->first; c != NULL; c = c->next) {
		check_stage(ck, c);
		for (struct conf_node *d = node->first; d != c && c->key != NULL; d = d->next)
			if (d->key != NULL && strcmp(d->key, c->key) == 0)
				conf_err_value(ck->errs, c, "stage \"%.40s\" stands in the list twice", c->key);
	}
}

/* @return the keys of a drive's kind; *ok false: the kind is not known, so neither are its keys. */
static const struct conf_key *
drive_keys(struct conf_check *ck, struct conf_node *item, bool *ok)
{
	struct conf_node *node = conf_node_get(item, "kind");
	struct conf_near near = {0};
	char words[160] = "", q[64];
	const struct conf_key *keys;
	const char *known;

	*ok = false;
	if (node == NULL || node->kind != CONF_NODE_SCALAR || node->null || node->bad)
		return NULL; /* reported by its field */
	keys = ck->kinds->drive_keys(node->text, ok);
	if (*ok)
		return keys;
	near.word = node->text;
	for (unsigned int i = 0; (known = ck->kinds->drive_kind(i)) != NULL; i++) {
		conf_near_offer(&near, known);
		add_word(words, sizeof(words), known);
	}
	if (near.best != NULL)
		conf_err_value(ck->errs, node, "no kind of drive is called %s; did you mean \"%s\"?",
			       conf_quote(node->text, q), near.best);
	else
		conf_err_value(ck->errs, node, "no kind of drive is called %s; known: %s", conf_quote(node->text, q),
			       words);
	return NULL;
}

/* --- sections ------------------------------------------------------------------------------------------------------
 */

static void check_list(struct conf_check *ck, const struct conf_section *s, struct conf_node *list);

static void
check_field(struct conf_check *ck, const struct conf_field *f, struct conf_node *map, struct conf_node *node)
{
	switch (f->shape) {
	case CONF_ONE:
		check_one(ck, f, node);
		break;
	case CONF_MANY:
		check_many(ck, f, node);
		break;
	case CONF_MAPS:
		check_list(ck, f->of, node);
		break;
	case CONF_STAGES:
		check_stages(ck, node);
		break;
	case CONF_HOSTS:
		check_hosts(ck, f, map, node);
		break;
	case CONF_RANGE:
		check_range(ck, f, map, node);
		break;
	}
}

/* A key that every item of the section has, as an example of one. */
static const char *
usual_key(const struct conf_section *s)
{
	for (const struct conf_field *f = s->fields; f->key.name != NULL; f++)
		if (f->key.required)
			return f->key.name;
	return s->fields[0].key.name;
}

static void
check_map(struct conf_check *ck, const struct conf_section *s, struct conf_node *map)
{
	const struct conf_key *keys = NULL;
	bool known = true, drive = strcmp(s->name, "drives") == 0;

	if (map->kind != CONF_NODE_MAP) {
		conf_err_value(ck->errs, map, "expected keys with values (\"%s: ...\"), found %s", usual_key(s),
			       found(map));
		return;
	}
	if (drive)
		keys = drive_keys(ck, map, &known);
	if (known)
		check_known(ck, map, s->fields, keys);
	if (drive && known)
		map->values = conf_values_load(keys, map, ck->folder, ck->errs);
	for (const struct conf_field *f = s->fields; f->key.name != NULL; f++) {
		struct conf_node *c = conf_node_get(map, f->key.name);

		if (c == NULL && f->key.def != NULL)
			c = conf_tree_add(ck->tree, map, f->key.name, f->key.def);
		if (c != NULL)
			check_field(ck, f, map, c);
		else if (f->key.required)
			conf_err_value(ck->errs, map, "\"%s\" is missing (%s)", f->key.name, f->key.help);
	}
}

static void
check_list(struct conf_check *ck, const struct conf_section *s, struct conf_node *list)
{
	char line[CONF_TEXT];

	if (list->kind == CONF_NODE_SCALAR && list->null)
		list->kind = CONF_NODE_LIST; /* every item was commented out */
	if (list->kind != CONF_NODE_LIST) {
		conf_err_value(ck->errs, list, "expected a list (lines that begin with \"- %s:\"), found %s",
			       usual_key(s), found(list));
		return;
	}
	for (struct conf_node *item = list->first; item != NULL; item = item->next) {
		check_map(ck, s, item);
		snprintf(line, sizeof(line), "%u", item->line);
		if (item->kind == CONF_NODE_MAP)
			conf_tree_add(ck->tree, item, "line", line);
	}
}

static void
check_sections(struct conf_check *ck)
{
	for (struct conf_node *c = ck->tree->root->first; c != NULL; c = c->next) {
		struct conf_near near = {.word = c->key};
		char words[160] = "";

		if (conf_section_find(c->key) != NULL)
			continue;
		for (const struct conf_section *s = conf_sections; s->name != NULL; s++) {
			conf_near_offer(&near, s->name);
			add_word(words, sizeof(words), s->name);
		}
		unknown_key(ck, c, &near, words);
	}
}

void
conf_check_keys(struct conf_check *ck)
{
	struct conf_node *root = ck->tree->root;

	check_sections(ck);
	if (conf_node_get(root, "appliance") == NULL)
		conf_tree_add(ck->tree, root, "appliance", "")->null = true;
	for (const struct conf_section *s = conf_sections; s->name != NULL; s++) {
		struct conf_node *node = conf_node_get(root, s->name);

		if (node == NULL)
			continue;
		if (s->list) {
			check_list(ck, s, node);
			continue;
		}
		if (node->kind == CONF_NODE_SCALAR && node->null)
			node->kind = CONF_NODE_MAP;
		check_map(ck, s, node);
	}
}
