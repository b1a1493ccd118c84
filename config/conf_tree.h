/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef CONF_TREE_H
#define CONF_TREE_H

/**
 * @file
 * The text of a configuration as a tree that knows where each key and value stands.
 *
 * Built from libyaml's events under limits, so that no text can make it large or deep. Scalars are text only: what
 * they mean is for the key tables to say. The private errors' list of the loader lives here too, because the tree is
 * what errors point at.
 */

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include "conf.h"

#ifdef __cplusplus
extern "C" {
#endif

#define CONF_TEXT_MAX	(1024u * 1024u) /* bytes of a file */
#define CONF_DEPTH_MAX	8		/* volumes -> item -> stages -> item -> stage -> key is six */
#define CONF_KEYS_MAX	64		/* of one mapping */
#define CONF_ITEMS_MAX	1024		/* of one list */
#define CONF_ERRORS_MAX 100		/* more are counted, not kept */

enum conf_node_kind { CONF_NODE_SCALAR, CONF_NODE_LIST, CONF_NODE_MAP };

struct conf_node {
	enum conf_node_kind kind;
	bool null;		   /* nothing was written: `key:` or `key: ~` */
	bool bad;		   /* an error was reported here: rules that build on it keep quiet */
	unsigned int line, column; /* of the value, 1-based */
	const char *text;	   /* of a scalar */
	const char *key;	   /* in a mapping: its key, and where that stands */
	unsigned int key_line, key_column;
	unsigned int index; /* in its list or mapping */
	unsigned int n;	    /* children */
	struct conf_node *parent, *next, *first, *last;
	struct conf_values *values; /* of a stage or a drive, once checked; the tree's until taken */
};

struct conf_block;
struct conf_tree {
	struct conf_node *root; /* a mapping; NULL when the text is no YAML */
	struct conf_block *blocks;
};

/** Parse; errors are added to @p errs. The tree is usable (for further checks) whenever root is set. */
void conf_tree_parse(struct conf_tree *tree, const char *text, size_t len, struct conf_errors *errs);
void conf_tree_free(struct conf_tree *tree);

/** Copy of @p text that lives as long as the tree. */
const char *conf_tree_text(struct conf_tree *tree, const char *text);
/** Add a scalar nobody wrote (a default) to a mapping. */
struct conf_node *conf_tree_add(struct conf_tree *tree, struct conf_node *map, const char *key, const char *text);

/** Child of a mapping by key, or NULL (also when @p map is NULL or no mapping). */
struct conf_node *conf_node_get(const struct conf_node *map, const char *key);
/** The same, but NULL unless it is a scalar with a good value. */
const char *conf_node_text(const struct conf_node *map, const char *key);
/** Where a node stands, for people: "volumes[0].lba". */
void conf_node_path(const struct conf_node *node, char *out, size_t len);

/** Memory of the loader: out of it means the end, because the file is read before the first packet. */
void *conf_alloc(size_t size);
char *conf_strdup(const char *text);

/* --- errors ------------------------------------------------------------------------------------------------------ */

void conf_err_at(struct conf_errors *errs, unsigned int line, unsigned int column, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/** At the value, "PATH: text". Marks the node bad. */
void conf_err_value(struct conf_errors *errs, struct conf_node *node, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/** At the key. */
void conf_err_key(struct conf_errors *errs, struct conf_node *node, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void conf_warn(struct conf_errors *errs, const struct conf_node *node, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/** Any that is no warning? */
bool conf_errors_any(const struct conf_errors *errs);
void conf_errors_sort(struct conf_errors *errs);

#ifdef __cplusplus
}
#endif

#endif /* CONF_TREE_H */
