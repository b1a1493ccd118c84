/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "table.h"

void
table_init(struct table *t, int cols, bool heading)
{
	*t = (struct table){.cols = cols, .heading = heading};
}

int
table_add(struct table *t, const char *text)
{
	char *copy;

	if (t->used == t->room) {
		int room = t->room > 0 ? t->room * 2 : 64;
		char **cell = realloc(t->cell, (size_t)room * sizeof(*cell));

		if (cell == NULL)
			return -ENOMEM;
		t->cell = cell;
		t->room = room;
	}
	copy = strdup(text);
	if (copy == NULL)
		return -ENOMEM;
	t->cell[t->used++] = copy;
	return 0;
}

int
table_addf(struct table *t, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return table_add(t, text);
}

/* Columns on the terminal: a UTF-8 continuation byte takes none. */
static int
width_of(const char *s)
{
	int w = 0;

	for (; *s != '\0'; s++)
		w += (*s & 0xc0) != 0x80;
	return w;
}

static bool
is_number(const char *s)
{
	if (*s == '-' && s[1] == '\0')
		return true; /* "none" among numbers */
	if (*s == '-')
		s++;
	return isdigit((unsigned char)*s) && strchr(s, ':') == NULL && strchr(s, '/') == NULL;
}

static bool
column_is_numbers(const struct table *t, int col)
{
	int first = t->heading ? t->cols : 0;

	for (int i = first + col; i < t->used; i += t->cols)
		if (t->cell[i][0] != '\0' && !is_number(t->cell[i]))
			return false;
	return t->used > first;
}

void
table_print(const struct table *t, FILE *out, int indent)
{
	int width[TABLE_COLS_MAX] = {0};
	bool right[TABLE_COLS_MAX];

	for (int c = 0; c < t->cols; c++)
		right[c] = t->heading && column_is_numbers(t, c);
	for (int i = 0; i < t->used; i++)
		if (width_of(t->cell[i]) > width[i % t->cols])
			width[i % t->cols] = width_of(t->cell[i]);
	for (int i = 0; i < t->used; i++) {
		int c = i % t->cols, pad = width[c] - width_of(t->cell[i]);
		bool last = c == t->cols - 1 || i == t->used - 1;

		fprintf(out, "%*s%*s%s", c == 0 ? indent : 2, "", right[c] ? pad : 0, "", t->cell[i]);
		if (last)
			fputc('\n', out);
		else if (!right[c])
			fprintf(out, "%*s", pad, "");
	}
}

void
table_free(struct table *t)
{
	for (int i = 0; i < t->used; i++)
		free(t->cell[i]);
	free(t->cell);
	*t = (struct table){0};
}
