/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <stdlib.h>
#include <string.h>

#include "conf_tree.h"

static struct conf_error *
next_error(struct conf_errors *errs, unsigned int line, unsigned int column)
{
	struct conf_error *e;

	if (errs->n >= CONF_ERRORS_MAX)
		return NULL;
	/* Doubling from 8: a full list has a power of two of entries. */
	if (errs->n == 0 || (errs->n >= 8 && (errs->n & (errs->n - 1)) == 0)) {
		struct conf_error *list = conf_alloc(sizeof(*list) * (errs->n < 8 ? 8 : errs->n * 2));

		if (errs->n != 0)
			memcpy(list, errs->list, sizeof(*list) * errs->n);
		free(errs->list);
		errs->list = list;
	}
	e = &errs->list[errs->n++];
	*e = (struct conf_error){.line = line, .column = column};
	return e;
}

static void
fill(struct conf_error *e, const struct conf_node *node, const char *fmt, va_list ap)
{
	size_t at = 0;

	if (e == NULL)
		return;
	if (node != NULL && node->parent != NULL) {
		conf_node_path(node, e->text, sizeof(e->text) / 2);
		at = strlen(e->text);
		at += (size_t)snprintf(e->text + at, sizeof(e->text) - at, ": ");
	}
	vsnprintf(e->text + at, sizeof(e->text) - at, fmt, ap);
}

void
conf_err_at(struct conf_errors *errs, unsigned int line, unsigned int column, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fill(next_error(errs, line, column), NULL, fmt, ap);
	va_end(ap);
}

void
conf_err_value(struct conf_errors *errs, struct conf_node *node, const char *fmt, ...)
{
	va_list ap;

	node->bad = true;
	va_start(ap, fmt);
	fill(next_error(errs, node->line, node->column), node, fmt, ap);
	va_end(ap);
}

void
conf_err_key(struct conf_errors *errs, struct conf_node *node, const char *fmt, ...)
{
	va_list ap;

	node->bad = true;
	va_start(ap, fmt);
	fill(next_error(errs, node->key_line, node->key_column), node, fmt, ap);
	va_end(ap);
}

void
conf_warn(struct conf_errors *errs, const struct conf_node *node, const char *fmt, ...)
{
	struct conf_error *e = next_error(errs, node->line, node->column);
	va_list ap;

	if (e != NULL)
		e->warning = true;
	va_start(ap, fmt);
	fill(e, node, fmt, ap);
	va_end(ap);
}

bool
conf_errors_any(const struct conf_errors *errs)
{
	for (unsigned int i = 0; i < errs->n; i++)
		if (!errs->list[i].warning)
			return true;
	return false;
}

void
conf_errors_sort(struct conf_errors *errs)
{
	for (unsigned int i = 1; i < errs->n; i++) {
		struct conf_error e = errs->list[i];
		unsigned int j = i;

		for (; j > 0; j--) {
			const struct conf_error *p = &errs->list[j - 1];

			if (p->line < e.line || (p->line == e.line && p->column <= e.column))
				break;
			errs->list[j] = *p;
		}
		errs->list[j] = e;
	}
}

void
conf_errors_print(const struct conf_errors *errs, const char *file, FILE *out)
{
	for (unsigned int i = 0; i < errs->n; i++) {
		const struct conf_error *e = &errs->list[i];

		if (e->line != 0)
			fprintf(out, "%s:%u:%u: %s%s\n", file, e->line, e->column, e->warning ? "warning: " : "",
				e->text);
		else
			fprintf(out, "%s: %s%s\n", file, e->warning ? "warning: " : "", e->text);
	}
	if (errs->n >= CONF_ERRORS_MAX)
		fprintf(out, "%s: there may be more; only the first %d found are shown\n", file, CONF_ERRORS_MAX);
}

void
conf_errors_free(struct conf_errors *errs)
{
	free(errs->list);
	*errs = (struct conf_errors){0};
}
