/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <string.h>

#include "conf_value.h"

#define NEAR_MAX 3 /* edits; more apart is another word */
#define NEAR_LEN 64

/* Optimal string alignment: insertions, deletions, replacements, and neighbours swapped, one each. */
static unsigned int
distance(const char *a, size_t la, const char *b, size_t lb)
{
	unsigned int rows[3][NEAR_LEN + 1], *older = rows[0], *old = rows[1], *row = rows[2];

	for (size_t j = 0; j <= lb; j++)
		old[j] = (unsigned int)j;
	for (size_t i = 1; i <= la; i++) {
		unsigned int *spare = older;

		row[0] = (unsigned int)i;
		for (size_t j = 1; j <= lb; j++) {
			unsigned int d = old[j - 1] + (a[i - 1] != b[j - 1]);

			if (d > old[j] + 1)
				d = old[j] + 1;
			if (d > row[j - 1] + 1)
				d = row[j - 1] + 1;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && d > older[j - 2] + 1)
				d = older[j - 2] + 1;
			row[j] = d;
		}
		older = old;
		old = row;
		row = spare;
	}
	return old[lb];
}

void
conf_near_offer(struct conf_near *near, const char *candidate)
{
	size_t la = strlen(near->word), lb = strlen(candidate), longest = la > lb ? la : lb, most = longest / 2;
	unsigned int d;

	if (most > NEAR_MAX)
		most = NEAR_MAX;
	if (longest > NEAR_LEN || la + most < lb || lb + most < la)
		return;
	d = distance(near->word, la, candidate, lb);
	if (d <= most && (near->best == NULL || d < near->distance)) {
		near->best = candidate;
		near->distance = d;
	}
}
