/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* What the checks say, row by row, and how it is printed. */

#include "preflight.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>
#include <rte_common.h>

static const char *const results[] = {"PASS", "WARN", "FAIL"};

void
preflight_say(struct preflight_report *r, enum preflight_result result, const char *about, const char *mend,
	      const char *fmt, ...)
{
	struct preflight_row *row;
	va_list ap;

	if (r->n == r->room) {
		unsigned int room = r->room == 0 ? 32 : 2 * r->room;
		struct preflight_row *rows = realloc(r->rows, room * sizeof(*rows));

		if (rows == NULL)
			return;
		r->rows = rows;
		r->room = room;
	}
	row = &r->rows[r->n++];
	*row = (struct preflight_row){.result = result, .check = r->check};
	snprintf(row->about, sizeof(row->about), "%s", about);
	snprintf(row->mend, sizeof(row->mend), "%s", mend != NULL ? mend : "");
	va_start(ap, fmt);
	vsnprintf(row->text, sizeof(row->text), fmt, ap);
	va_end(ap);
}

void
preflight_report_free(struct preflight_report *r)
{
	free(r->rows);
	r->rows = NULL;
	r->n = r->room = 0;
}

void
preflight_print(const struct preflight_report *r, FILE *out)
{
	unsigned int n[3] = {0};
	int check = 0, about = 0;

	for (unsigned int i = 0; i < r->n; i++) {
		check = RTE_MAX(check, (int)strlen(r->rows[i].check));
		about = RTE_MAX(about, (int)strlen(r->rows[i].about));
	}
	for (unsigned int i = 0; i < r->n; i++) {
		const struct preflight_row *row = &r->rows[i];

		n[row->result]++;
		fprintf(out, "%s  %-*s  %-*s  %s%s%s\n", results[row->result], check, row->check, about, row->about,
			row->text, row->mend[0] != '\0' ? "; mend: " : "", row->mend);
	}
	fprintf(out, "%u passed, %u warnings, %u failed\n", n[PREFLIGHT_PASS], n[PREFLIGHT_WARN], n[PREFLIGHT_FAIL]);
}

void
preflight_print_json(const struct preflight_report *r, FILE *out)
{
	json_t *list = json_array();

	for (unsigned int i = 0; i < r->n; i++) {
		const struct preflight_row *row = &r->rows[i];

		json_array_append_new(list,
				      json_pack("{s:s, s:s, s:s, s:s, s:s}", "result", results[row->result], "check",
						row->check, "about", row->about, "text", row->text, "mend", row->mend));
	}
	json_dumpf(list, out, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
	fputc('\n', out);
	json_decref(list);
}
