/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <stdlib.h>
#include <string.h>

#include "conf_value.h"

struct value {
	bool set;
	uint64_t num;
	char *text; /* STRING and PATH */
};

struct conf_values {
	const struct conf_key *keys;
	unsigned int n;
	struct value v[];
};

static struct conf_values *
values_new(const struct conf_key *keys)
{
	struct conf_values *v;
	unsigned int n = 0;

	while (keys != NULL && keys[n].name != NULL)
		n++;
	v = conf_alloc(sizeof(*v) + n * sizeof(v->v[0]));
	v->keys = keys;
	v->n = n;
	return v;
}

static bool
values_set(struct conf_values *v, unsigned int i, const char *text, const char *folder, char *err, size_t errlen)
{
	const struct conf_key *key = &v->keys[i];

	if (!conf_value_parse(key, text, &v->v[i].num, err, errlen))
		return false;
	v->v[i].set = true;
	if (key->type == CONF_PATH)
		v->v[i].text = conf_path(folder, text);
	else if (key->type == CONF_STRING)
		v->v[i].text = conf_strdup(text);
	return true;
}

/* A default is used as it is written in the table; paths among them are absolute. */
static void
values_default(struct conf_values *v, unsigned int i)
{
	char err[240];

	if (!values_set(v, i, v->keys[i].def, NULL, err, sizeof(err))) {
		fprintf(stderr, "default of key %s: %s\n", v->keys[i].name, err);
		abort();
	}
}

char *
conf_path(const char *folder, const char *path)
{
	size_t len;
	char *out;

	if (path[0] == '/' || folder == NULL)
		return conf_strdup(path);
	len = strlen(folder) + strlen(path) + 2;
	out = conf_alloc(len);
	snprintf(out, len, "%s/%s", strcmp(folder, "/") == 0 ? "" : folder, path);
	return out;
}

struct conf_values *
conf_values_load(const struct conf_key *keys, struct conf_node *map, const char *folder, struct conf_errors *errs)
{
	struct conf_values *v = values_new(keys);
	bool ok = true;
	char err[240];

	for (unsigned int i = 0; i < v->n; i++) {
		struct conf_node *c = conf_node_get(map, keys[i].name);

		if (c == NULL && keys[i].required) {
			conf_err_value(errs, map, "\"%s\" is missing (%s)", keys[i].name, keys[i].help);
			ok = false;
		} else if (c == NULL && keys[i].def != NULL) {
			values_default(v, i);
		} else if (c != NULL && (c->kind != CONF_NODE_SCALAR || c->null)) {
			conf_value_expected(&keys[i], err, sizeof(err));
			conf_err_value(errs, c, "expected %s, found %s", err,
				       c->kind == CONF_NODE_LIST  ? "a list"
				       : c->kind == CONF_NODE_MAP ? "a mapping"
								  : "nothing");
			ok = false;
		} else if (c != NULL && !values_set(v, i, c->text, folder, err, sizeof(err))) {
			conf_err_value(errs, c, "%s", err);
			ok = false;
		}
	}
	if (ok)
		return v;
	conf_values_free(v);
	return NULL;
}

struct conf_values *
conf_values_make(const struct conf_key *keys, const char *const *pairs, char *err, size_t errlen)
{
	struct conf_values *v = values_new(keys);

	for (; pairs != NULL && pairs[0] != NULL; pairs += 2) {
		char why[200];
		unsigned int i = 0;

		while (i < v->n && strcmp(keys[i].name, pairs[0]) != 0)
			i++;
		if (i == v->n) {
			snprintf(err, errlen, "%s: unknown key", pairs[0]);
			goto fail;
		}
		free(v->v[i].text);
		v->v[i] = (struct value){0};
		if (!values_set(v, i, pairs[1], NULL, why, sizeof(why))) {
			snprintf(err, errlen, "%s: %s", pairs[0], why);
			goto fail;
		}
	}
	for (unsigned int i = 0; i < v->n; i++) {
		if (!v->v[i].set && keys[i].required) {
			snprintf(err, errlen, "%s: missing", keys[i].name);
			goto fail;
		}
		if (!v->v[i].set && keys[i].def != NULL)
			values_default(v, i);
	}
	return v;

fail:
	conf_values_free(v);
	return NULL;
}

struct conf_values *
conf_values_with(const struct conf_values *v, const char *key, const char *text, char *err, size_t errlen)
{
	struct conf_values *new = values_new(v->keys);
	char why[200] = "unknown key";
	bool good = false;

	for (unsigned int i = 0; i < v->n; i++) {
		if (strcmp(v->keys[i].name, key) == 0) {
			good = text == NULL || values_set(new, i, text, NULL, why, sizeof(why));
			continue;
		}
		new->v[i] = v->v[i];
		if (v->v[i].text != NULL)
			new->v[i].text = conf_strdup(v->v[i].text);
	}
	if (good)
		return new;
	snprintf(err, errlen, "%s: %s", key, why);
	conf_values_free(new);
	return NULL;
}

void
conf_values_free(struct conf_values *v)
{
	if (v == NULL)
		return;
	for (unsigned int i = 0; i < v->n; i++)
		free(v->v[i].text);
	free(v);
}

static unsigned int
find(const struct conf_values *v, const char *key)
{
	for (unsigned int i = 0; i < v->n; i++)
		if (strcmp(v->keys[i].name, key) == 0)
			return i;
	fprintf(stderr, "configuration key \"%s\" asked for, but its table has none of this name\n", key);
	abort();
}

bool
conf_has(const struct conf_values *v, const char *key)
{
	return v->v[find(v, key)].set;
}

const char *
conf_str(const struct conf_values *v, const char *key)
{
	unsigned int i = find(v, key);

	if (!v->v[i].set)
		return NULL;
	return v->keys[i].type == CONF_CHOICE ? v->keys[i].choices[v->v[i].num] : v->v[i].text;
}

uint64_t
conf_u64(const struct conf_values *v, const char *key)
{
	return v->v[find(v, key)].num;
}

void
conf_values_walk(const struct conf_values *v, void (*fn)(const struct conf_key *key, const char *text, void *arg),
		 void *arg)
{
	for (unsigned int i = 0; v != NULL && i < v->n; i++) {
		char text[CONF_TEXT];

		if (!v->v[i].set)
			continue;
		if (v->v[i].text == NULL)
			conf_value_print(&v->keys[i], v->v[i].num, text);
		fn(&v->keys[i], v->v[i].text != NULL ? v->v[i].text : text, arg);
	}
}
