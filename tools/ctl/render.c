/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "render.h"
#include "table.h"
#include "units.h"

#define CELL_MAX 256

static bool
ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), m = strlen(end);

	return n >= m && strcmp(s + n - m, end) == 0;
}

/* A latency histogram, as strake_hist_tel() publishes it. */
static bool
is_hist(const json_t *v)
{
	return json_is_object(v) && json_object_get(v, "p99") != NULL && json_object_get(v, "count") != NULL;
}

static void
hist_text(const json_t *v, char *text, size_t len)
{
	static const char *const parts[] = {"p50", "p99", "p999", "max"};
	char n[UNITS_MAX];
	size_t used;

	used = (size_t)snprintf(text, len, "%s ops", units_count(n, json_number_value(json_object_get(v, "count"))));
	for (unsigned int i = 0; i < 4 && used < len; i++)
		used += (size_t)snprintf(text + used, len - used, ", %s %s", i == 2 ? "p99.9" : parts[i],
					 units_ns(n, json_number_value(json_object_get(v, parts[i]))));
}

/* Nothing that came over a socket reaches the terminal raw. */
static void
safe_copy(char *to, size_t len, const char *from)
{
	size_t i;

	for (i = 0; from[i] != '\0' && i + 1 < len; i++)
		to[i] = (unsigned char)from[i] < ' ' || from[i] == 0x7f ? '?' : from[i];
	to[i] = '\0';
}

static void
number_text(const char *key, double v, char *text, size_t len)
{
	char n[UNITS_MAX];

	if (ends_with(key, "bytes") || ends_with(key, "memory") || ends_with(key, "block_size"))
		snprintf(text, len, "%s", units_bytes(n, v));
	else if (ends_with(key, "_ns"))
		snprintf(text, len, "%s", units_ns(n, v));
	else if (ends_with(key, "_ms"))
		snprintf(text, len, "%s", units_ns(n, v * 1e6));
	else if (ends_with(key, "_s"))
		snprintf(text, len, "%.0f s", v);
	else if (ends_with(key, "cycles") || ends_with(key, "_hz") || v >= 1e7)
		snprintf(text, len, "%s", units_count(n, v));
	else
		snprintf(text, len, "%.15g", v);
}

char *
render_value(const char *key, const json_t *v, char *text, size_t len)
{
	if (json_is_string(v))
		safe_copy(text, len, json_string_value(v));
	else if (json_is_number(v))
		number_text(key, json_number_value(v), text, len);
	else if (json_is_boolean(v))
		snprintf(text, len, "%s", json_is_true(v) ? "yes" : "no");
	else if (is_hist(v))
		hist_text(v, text, len);
	else
		snprintf(text, len, "%s", json_is_null(v) || v == NULL ? "-" : "...");
	return text;
}

static bool
is_leaf(const json_t *v)
{
	return (!json_is_object(v) && !json_is_array(v)) || is_hist(v);
}

/* Heading of a column or of a section: "read_ops" is "read ops". */
static char *
label(const char *key, char *text, size_t len)
{
	safe_copy(text, len, key);
	for (char *p = text; *p != '\0'; p++)
		if (*p == '_')
			*p = ' ';
	return text;
}

/* Columns of a table: keys of leaves, of the rows that have them, in the order they come. Histograms are too wide. */
static int
columns_of(const json_t *rows, const char **cols)
{
	const json_t *row, *v;
	const char *key;
	int n = 0;
	size_t r;

	json_array_foreach(rows, r, row)
	{
		json_object_foreach((json_t *)row, key, v)
		{
			int i;

			if (!is_leaf(v) || is_hist(v))
				continue;
			for (i = 0; i < n && strcmp(cols[i], key) != 0; i++)
				;
			if (i == n && n < TABLE_COLS_MAX)
				cols[n++] = key;
		}
	}
	return n;
}

static int
column_width(const json_t *rows, const char *col)
{
	char text[CELL_MAX];
	int most = (int)strlen(col);
	const json_t *row;
	size_t r;

	json_array_foreach(rows, r, row)
	{
		int w = (int)strlen(render_value(col, json_object_get(row, col), text, sizeof(text)));

		if (w > most)
			most = w;
	}
	return most;
}

static void
render_rows(const json_t *rows, FILE *out, int width)
{
	const char *cols[TABLE_COLS_MAX];
	int n = columns_of(rows, cols), shown = 0, used = 0;
	char text[CELL_MAX];
	const json_t *row;
	struct table t;
	size_t r;

	for (; shown < n; shown++) {
		used += column_width(rows, cols[shown]) + 2;
		if (width > 0 && used - 2 > width && shown > 0)
			break;
	}
	table_init(&t, shown, true);
	for (int c = 0; c < shown; c++)
		table_add(&t, label(cols[c], text, sizeof(text)));
	json_array_foreach(rows, r, row)
	{
		for (int c = 0; c < shown; c++)
			table_add(&t, render_value(cols[c], json_object_get(row, cols[c]), text, sizeof(text)));
	}
	table_print(&t, out, 0);
	table_free(&t);
	if (shown < n)
		fprintf(out, "(%d more columns: make the terminal wider, or 'show' one)\n", n - shown);
}

/* {"0": {...}, "1": {...}} is a table too, its keys the first column. */
static json_t *
rows_of_dict(const json_t *dict)
{
	json_t *rows = json_array();
	const char *key;
	json_t *v;

	json_object_foreach((json_t *)dict, key, v)
	{
		json_t *row;

		if (!json_is_object(v) || is_hist(v)) {
			json_decref(rows);
			return NULL;
		}
		row = json_pack("{ss}", "", key);
		json_object_update(row, v);
		json_array_append_new(rows, row);
	}
	return rows;
}

static void
render_dict(const json_t *dict, FILE *out, int width, int depth)
{
	char name[CELL_MAX], text[CELL_MAX];
	struct table t;
	const char *key;
	json_t *v, *rows = json_object_size(dict) > 0 ? rows_of_dict(dict) : NULL;

	if (rows != NULL) {
		render_rows(rows, out, width);
		json_decref(rows);
		return;
	}
	table_init(&t, 2, false);
	json_object_foreach((json_t *)dict, key, v)
	{
		if (!is_leaf(v))
			continue;
		table_add(&t, label(key, name, sizeof(name)));
		table_add(&t, render_value(key, v, text, sizeof(text)));
	}
	table_print(&t, out, depth * 2);
	table_free(&t);
	json_object_foreach((json_t *)dict, key, v)
	{
		if (is_leaf(v))
			continue;
		fprintf(out, "\n%s\n", label(key, name, sizeof(name)));
		if (json_is_object(v) && depth < 8)
			render_dict(v, out, width, depth + 1);
		else
			render(v, out, width);
	}
}

void
render(const json_t *v, FILE *out, int width)
{
	char text[4096];
	const json_t *one;
	size_t i;

	if (json_is_object(v) && !is_hist(v)) {
		render_dict(v, out, width, 0);
	} else if (json_is_array(v) && json_is_object(json_array_get(v, 0))) {
		render_rows(v, out, width);
	} else if (json_is_array(v)) {
		json_array_foreach(v, i, one) fprintf(out, "%s\n", render_value("", one, text, sizeof(text)));
		if (json_array_size(v) == 0)
			fputs("(none)\n", out);
	} else {
		fprintf(out, "%s\n", render_value("", v, text, sizeof(text)));
	}
}
