/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef TABLE_H
#define TABLE_H

/**
 * @file
 * Aligned columns of text. Numbers to the right, words to the left; a column is as wide as its widest cell.
 */

#include <stdbool.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TABLE_COLS_MAX 64

struct table {
	char **cell;	      /* row by row, cols cells each; the first row is the heading */
	int cols, used, room; /* used and room in cells */
	bool heading;
};

/** @p cols at most TABLE_COLS_MAX. @p heading: the first row names the columns. */
void table_init(struct table *t, int cols, bool heading);
/** Put a copy of @p text into the next cell, row by row. @return 0 or -ENOMEM. */
int table_add(struct table *t, const char *text);
int table_addf(struct table *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/** @p indent spaces before each row. */
void table_print(const struct table *t, FILE *out, int indent);
void table_free(struct table *t);

#ifdef __cplusplus
}
#endif

#endif /* TABLE_H */
