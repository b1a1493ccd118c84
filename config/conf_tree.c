/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <stdlib.h>
#include <string.h>

#include <yaml.h>

#include "conf_tree.h"
#include "conf_utf8.h"

/* Nodes and texts are never freed one by one. */
struct conf_block {
	struct conf_block *next;
	size_t used, size;
	char bytes[];
};

struct builder {
	struct conf_tree *tree;
	struct conf_errors *errs;
	struct conf_node *at; /* container being filled */
	unsigned int depth;
	unsigned int documents;
	bool key_wanted; /* the next scalar is a key of `at` */
	const char *key;
	unsigned int key_line, key_column;
	bool key_again; /* the mapping has this key already: its value is dropped */
};

void *
conf_alloc(size_t size)
{
	void *p = calloc(1, size != 0 ? size : 1);

	if (p == NULL) {
		fprintf(stderr, "out of memory while reading the configuration\n");
		abort();
	}
	return p;
}

char *
conf_strdup(const char *text)
{
	size_t len = strlen(text) + 1;

	return memcpy(conf_alloc(len), text, len);
}

static void *
tree_alloc(struct conf_tree *tree, size_t size)
{
	struct conf_block *b = tree->blocks;
	void *p;

	size = (size + 15) & ~(size_t)15;
	if (b == NULL || b->size - b->used < size) {
		size_t room = size > 32768 ? size : 32768;

		b = conf_alloc(sizeof(*b) + room);
		b->size = room;
		b->next = tree->blocks;
		tree->blocks = b;
	}
	p = b->bytes + b->used;
	b->used += size;
	return p;
}

static const char *
tree_text(struct conf_tree *tree, const char *text, size_t len)
{
	char *p = tree_alloc(tree, len + 1);

	memcpy(p, text, len);
	return p;
}

const char *
conf_tree_text(struct conf_tree *tree, const char *text)
{
	return tree_text(tree, text, strlen(text));
}

static void
append(struct conf_node *parent, struct conf_node *node)
{
	node->parent = parent;
	node->index = parent->n++;
	if (parent->last != NULL)
		parent->last->next = node;
	else
		parent->first = node;
	parent->last = node;
}

struct conf_node *
conf_tree_add(struct conf_tree *tree, struct conf_node *map, const char *key, const char *text)
{
	struct conf_node *node = tree_alloc(tree, sizeof(*node));

	node->kind = CONF_NODE_SCALAR;
	node->line = node->key_line = map->line;
	node->column = node->key_column = map->column;
	node->key = key;
	node->text = conf_tree_text(tree, text);
	append(map, node);
	return node;
}

struct conf_node *
conf_node_get(const struct conf_node *map, const char *key)
{
	if (map == NULL || map->kind != CONF_NODE_MAP)
		return NULL;
	for (struct conf_node *c = map->first; c != NULL; c = c->next)
		if (strcmp(c->key, key) == 0)
			return c;
	return NULL;
}

const char *
conf_node_text(const struct conf_node *map, const char *key)
{
	const struct conf_node *c = conf_node_get(map, key);

	return c != NULL && c->kind == CONF_NODE_SCALAR && !c->null && !c->bad ? c->text : NULL;
}

void
conf_node_path(const struct conf_node *node, char *out, size_t len)
{
	size_t at;

	if (node->parent == NULL) {
		out[0] = '\0';
		return;
	}
	conf_node_path(node->parent, out, len);
	at = strlen(out);
	if (node->parent->kind == CONF_NODE_LIST)
		snprintf(out + at, len - at, "[%u]", node->index);
	else
		snprintf(out + at, len - at, "%s%.40s", at != 0 ? "." : "", node->key);
}

/* False: the structure makes no sense from here on. */
static bool
take_key(struct builder *b, const yaml_event_t *ev)
{
	unsigned int line = (unsigned int)ev->start_mark.line + 1, column = (unsigned int)ev->start_mark.column + 1;

	if (ev->type != YAML_SCALAR_EVENT) {
		conf_err_at(b->errs, line, column, "a key must be a word, not a list, a mapping or an alias");
		return false;
	}
	if (!conf_utf8_printable((const char *)ev->data.scalar.value, ev->data.scalar.length)) {
		conf_err_at(b->errs, line, column, "this key holds a control character");
		return false;
	}
	b->key = tree_text(b->tree, (const char *)ev->data.scalar.value, ev->data.scalar.length);
	b->key_line = line;
	b->key_column = column;
	b->key_wanted = false;
	b->key_again = false;
	for (struct conf_node *c = b->at->first; c != NULL; c = c->next)
		if (strcmp(c->key, b->key) == 0) {
			struct conf_node twin = {
				.key = b->key, .parent = b->at, .key_line = line, .key_column = column};

			conf_err_key(b->errs, &twin, "given twice; first on line %u", c->key_line);
			b->key_again = true;
			break;
		}
	return true;
}

static struct conf_node *
take_node(struct builder *b, enum conf_node_kind kind, const yaml_event_t *ev)
{
	struct conf_node *node = tree_alloc(b->tree, sizeof(*node));
	struct conf_node *up = b->at;

	node->kind = kind;
	node->line = (unsigned int)ev->start_mark.line + 1;
	node->column = (unsigned int)ev->start_mark.column + 1;
	if (up == NULL) {
		b->tree->root = node;
		return node;
	}
	if (up->kind == CONF_NODE_MAP) {
		node->key = b->key;
		node->key_line = b->key_line;
		node->key_column = b->key_column;
		b->key_wanted = true;
	}
	if (up->kind == CONF_NODE_MAP && b->key_again)
		node->parent = up; /* not linked: the first one counts */
	else
		append(up, node);
	return node;
}

static bool
is_null(const yaml_event_t *ev)
{
	const char *t = (const char *)ev->data.scalar.value;

	return ev->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
	       (t[0] == '\0' || strcmp(t, "~") == 0 || strcmp(t, "null") == 0);
}

static bool
take_scalar(struct builder *b, const yaml_event_t *ev)
{
	const char *t = (const char *)ev->data.scalar.value;
	struct conf_node *node;

	if (b->at != NULL && b->at->kind == CONF_NODE_MAP && b->key_wanted)
		return take_key(b, ev);
	node = take_node(b, CONF_NODE_SCALAR, ev);
	node->null = is_null(ev);
	node->text = "";
	if (conf_utf8_printable(t, ev->data.scalar.length))
		node->text = tree_text(b->tree, t, ev->data.scalar.length);
	else
		conf_err_value(b->errs, node, "holds a control character or a line break");
	if (ev->data.scalar.tag != NULL)
		conf_err_value(b->errs, node, "YAML tags (\"!\") are not taken here");
	return true;
}

static bool
take_container(struct builder *b, const yaml_event_t *ev, enum conf_node_kind kind)
{
	const yaml_char_t *tag = kind == CONF_NODE_MAP ? ev->data.mapping_start.tag : ev->data.sequence_start.tag;

	if (b->at != NULL && b->at->kind == CONF_NODE_MAP && b->key_wanted)
		return take_key(b, ev);
	if (++b->depth > CONF_DEPTH_MAX) {
		conf_err_at(b->errs, (unsigned int)ev->start_mark.line + 1, (unsigned int)ev->start_mark.column + 1,
			    "nested more than %d levels deep", CONF_DEPTH_MAX);
		return false;
	}
	b->at = take_node(b, kind, ev);
	b->key_wanted = kind == CONF_NODE_MAP;
	if (tag != NULL)
		conf_err_value(b->errs, b->at, "YAML tags (\"!\") are not taken here");
	return true;
}

static bool
end_container(struct builder *b)
{
	b->at = b->at->parent;
	b->key_wanted = b->at != NULL && b->at->kind == CONF_NODE_MAP;
	b->depth--;
	return true;
}

static bool
too_many(struct builder *b, const yaml_event_t *ev)
{
	unsigned int most;

	if (b->at == NULL)
		return false;
	most = b->at->kind == CONF_NODE_MAP ? CONF_KEYS_MAX : CONF_ITEMS_MAX;
	if (b->at->n < most || ev->type == YAML_SEQUENCE_END_EVENT || ev->type == YAML_MAPPING_END_EVENT)
		return false;
	conf_err_value(b->errs, b->at, "more than %u %s", most, b->at->kind == CONF_NODE_MAP ? "keys" : "items");
	return true;
}

static const yaml_char_t *
anchor_of(const yaml_event_t *ev)
{
	switch (ev->type) {
	case YAML_SCALAR_EVENT:
		return ev->data.scalar.anchor;
	case YAML_SEQUENCE_START_EVENT:
		return ev->data.sequence_start.anchor;
	case YAML_MAPPING_START_EVENT:
		return ev->data.mapping_start.anchor;
	default:
		return NULL;
	}
}

/* Aliases can make a small text stand for a huge one: none is taken, nor an anchor, which nothing could use. */
static bool
take_event(struct builder *b, const yaml_event_t *ev)
{
	unsigned int line = (unsigned int)ev->start_mark.line + 1, column = (unsigned int)ev->start_mark.column + 1;

	if (too_many(b, ev))
		return false;
	if (anchor_of(ev) != NULL)
		conf_err_at(b->errs, line, column, "anchors (\"&\") are not taken here; write the value out");
	switch (ev->type) {
	case YAML_DOCUMENT_START_EVENT:
		if (++b->documents == 1)
			return true;
		conf_err_at(b->errs, line, column, "a second document begins here; a configuration is one document");
		return false;
	case YAML_ALIAS_EVENT:
		conf_err_at(b->errs, line, column, "aliases (\"*\") are not taken here; write the value out");
		return false;
	case YAML_SCALAR_EVENT:
		return take_scalar(b, ev);
	case YAML_SEQUENCE_START_EVENT:
		return take_container(b, ev, CONF_NODE_LIST);
	case YAML_MAPPING_START_EVENT:
		return take_container(b, ev, CONF_NODE_MAP);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		return end_container(b);
	default:
		return true;
	}
}

/* What its words mostly come from. */
static const char *
hint_of(const char *problem)
{
	static const char *const hints[][2] = {
		{"mapping values are not allowed",
		 "; is the line indented too deep, or does a value with \":\" in it want quotes?"},
		{"could not find expected ':'", "; a key is followed by \": \" and its value"},
		{"did not find expected key", "; is the line indented as those above it?"},
		{"did not find expected '-'", "; is the line indented as those above it?"},
		{"cannot start any token", "; a tab, or a value that wants quotes"},
		{"did not find expected node content", "; does the value want quotes?"},
	};

	for (size_t i = 0; i < sizeof(hints) / sizeof(hints[0]); i++)
		if (strstr(problem, hints[i][0]) != NULL)
			return hints[i][1];
	return "";
}

static void
syntax_error(struct conf_errors *errs, const yaml_parser_t *p)
{
	const char *problem = p->problem != NULL ? p->problem : "out of memory";
	unsigned int line = (unsigned int)p->problem_mark.line + 1, column = (unsigned int)p->problem_mark.column + 1;

	if (p->context != NULL)
		conf_err_at(errs, line, column, "not YAML: %s (%s that began on line %zu)%s", problem, p->context,
			    p->context_mark.line + 1, hint_of(problem));
	else
		conf_err_at(errs, line, column, "not YAML: %s%s", problem, hint_of(problem));
}

/* True when the whole text was read. */
static bool
run_parser(struct builder *b, yaml_parser_t *p)
{
	bool more = true;

	while (more) {
		yaml_event_t ev;
		bool end;

		if (!yaml_parser_parse(p, &ev)) {
			syntax_error(b->errs, p);
			return false;
		}
		end = ev.type == YAML_STREAM_END_EVENT;
		more = take_event(b, &ev);
		yaml_event_delete(&ev);
		if (end)
			return true;
	}
	return false;
}

static bool
text_ok(const char *text, size_t len, struct conf_errors *errs)
{
	unsigned int line, column;
	const char *what;

	if (len > CONF_TEXT_MAX) {
		conf_err_at(errs, 0, 0, "%zu bytes; a configuration is at most 1MiB", len);
		return false;
	}
	what = conf_utf8_check(text, len, &line, &column);
	if (what != NULL)
		conf_err_at(errs, line, column, "%s", what);
	return what == NULL;
}

void
conf_tree_parse(struct conf_tree *tree, const char *text, size_t len, struct conf_errors *errs)
{
	struct builder b = {.tree = tree, .errs = errs};
	yaml_parser_t p;
	bool whole;

	*tree = (struct conf_tree){0};
	if (!text_ok(text, len, errs))
		return;
	if (!yaml_parser_initialize(&p)) {
		conf_err_at(errs, 0, 0, "out of memory");
		return;
	}
	yaml_parser_set_encoding(&p, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&p, (const unsigned char *)text, len);
	whole = run_parser(&b, &p);
	yaml_parser_delete(&p);
	if (!whole) {
		tree->root = NULL; /* half a tree would only raise errors that are none */
	} else if (tree->root == NULL || tree->root->null) {
		tree->root = NULL;
		conf_err_at(errs, 0, 0, "empty: there is no configuration in it");
	} else if (tree->root->kind != CONF_NODE_MAP) {
		conf_err_at(errs, tree->root->line, tree->root->column,
			    "expected keys such as \"appliance:\" and \"volumes:\", found %s",
			    tree->root->kind == CONF_NODE_LIST ? "a list" : "a single value");
		tree->root = NULL;
	}
}

static void
free_values(struct conf_node *node)
{
	conf_values_free(node->values);
	for (struct conf_node *c = node->first; c != NULL; c = c->next)
		free_values(c);
}

void
conf_tree_free(struct conf_tree *tree)
{
	if (tree->root != NULL)
		free_values(tree->root);
	while (tree->blocks != NULL) {
		struct conf_block *next = tree->blocks->next;

		free(tree->blocks);
		tree->blocks = next;
	}
	tree->root = NULL;
}
