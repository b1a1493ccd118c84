/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "usage.h"

#include "units.h"

#define BLOCK	4096.0
#define LABELS	36 /* columns before the bar */
#define BAR_MAX 60

struct line {
	const char *name;
	double bytes;
};

static double
number(const json_t *v, const char *key)
{
	return json_number_value(json_object_get(v, key));
}

static void
bar(FILE *out, const struct line *l, double most, int cells)
{
	int full = most > 0 ? (int)(l->bytes / most * cells + 0.5) : 0;
	char text[UNITS_MAX];

	/* A little is not nothing. */
	if (full == 0 && l->bytes > 0)
		full = 1;
	fprintf(out, "  %-20s %12s  ", l->name, units_bytes(text, l->bytes));
	for (int i = 0; i < cells && i < full; i++)
		fputc('#', out);
	for (int i = full; i < cells; i++)
		fputc('.', out);
	fputc('\n', out);
}

static void
bars(FILE *out, const struct line *l, int n, int width)
{
	int cells = (width > 0 ? width : 80) - LABELS - 2;
	double most = 0;

	cells = cells > BAR_MAX ? BAR_MAX : cells < 10 ? 10 : cells;
	for (int i = 0; i < n; i++)
		most = l[i].bytes > most ? l[i].bytes : most;
	for (int i = 0; i < n; i++)
		bar(out, &l[i], most, cells);
}

void
usage_draw(FILE *out, const json_t *store, const json_t *group, const json_t *volume, int width)
{
	double unique = number(store, "unique_blocks") * BLOCK, plain = number(store, "plain_bytes");
	double shrink = plain > 0 ? number(store, "stored_bytes") / plain : 1;
	double used = number(store, "bytes") - number(store, "free_bytes"), k = number(group, "data");
	double parity = k > 0 ? used * number(group, "parity") / k : 0;
	const struct line of_volume[] = {
		{"size", number(volume, "bytes")},
		{"mapped", number(volume, "mapped_bytes")},
		{"shared with others", number(volume, "shared_bytes")},
	};
	const struct line of_store[] = {
		{"logical", number(store, "logical_blocks") * BLOCK},
		{"referenced (shared)", number(store, "shared_blocks") * BLOCK},
		{"unique", unique},
		{"compressed", unique * shrink},
		{"what dedup knows", number(store, "own_blocks") * BLOCK},
		{"deleted, not freed", number(store, "deleted_blocks") * BLOCK},
		{"stored, dead and all", used},
		{"  of it dead blocks", number(store, "dead_blocks") * BLOCK * shrink},
		{"parity", parity},
		{"free", number(store, "free_bytes")},
	};

	if (volume != NULL) {
		fprintf(out, "\nvolume %s\n", json_string_value(json_object_get(volume, "name")));
		bars(out, of_volume, 3, width);
	}
	fprintf(out, "\nstore %s, which its volumes share\n", json_string_value(json_object_get(store, "name")));
	bars(out, of_store, 10, width);
	if (plain > 0)
		fprintf(out, "  (compressed: as what was written since the store was opened, to %.0f %%)\n",
			shrink * 100);
	if (number(store, "full") != 0)
		fputs("  FULL: writes are refused; delete or trim, and collection makes room\n", out);
}
