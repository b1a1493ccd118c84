/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* The table of checks, and the report. */

#include "preflight.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>
#include <liburing.h>
#include <rte_common.h>

const struct preflight_check preflight_checks[] = {
	{"huge pages", preflight_huge},
	{"io_uring", preflight_uring},
	{"rights", preflight_rights},
	{"clock", preflight_clock},
	{"cores", preflight_cores},
	{"siblings", preflight_siblings},
	{"governor", preflight_governor},
	{"waking", preflight_waking},
	{"NUMA", preflight_numa},
	{"modules", preflight_modules},
	{"port device", preflight_ports},
	{"interface", preflight_interfaces},
	{"drive in use", preflight_drive_use},
	{"drive's data", preflight_drive_data},
	{"drive's cache", preflight_drive_cache},
	{NULL, NULL},
};

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

int
preflight_run(const struct preflight_src *src, const struct conf *conf, struct preflight_report *r)
{
	*r = (struct preflight_report){.n = 0};
	for (const struct preflight_check *c = preflight_checks; c->name != NULL; c++) {
		r->check = c->name;
		c->run(src, conf, r);
	}
	if (r->rows == NULL)
		return -ENOMEM;
	for (unsigned int i = 0; i < r->n; i++)
		if (r->rows[i].result == PREFLIGHT_FAIL)
			return 1;
	return 0;
}

void
preflight_report_free(struct preflight_report *r)
{
	free(r->rows);
	r->rows = NULL;
	r->n = r->room = 0;
}

/* --- printing ------------------------------------------------------------------------------------------------------
 */

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

/* --- the machine itself --------------------------------------------------------------------------------------------
 */

static int
try_uring(void)
{
	struct io_uring ring;
	int ret = io_uring_queue_init(2, &ring, 0);

	if (ret == 0)
		io_uring_queue_exit(&ring);
	return ret;
}

static int64_t
device_of(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return -errno;
	return S_ISBLK(st.st_mode) ? (int64_t)st.st_rdev : 0;
}

int
preflight_main(const struct conf *conf, bool no_huge, bool json)
{
	struct rlimit lim = {.rlim_cur = RLIM_INFINITY};
	struct preflight_report r;
	struct preflight_src src = {
		.root = "",
		.no_huge = no_huge,
		.uring = try_uring,
		.foreign = foreign_probe,
		.claim = foreign_claim,
		.device = device_of,
	};
	int ret;

	getrlimit(RLIMIT_MEMLOCK, &lim);
	src.memlock = lim.rlim_cur;
	ret = preflight_run(&src, conf, &r);
	if (json)
		preflight_print_json(&r, stdout);
	else
		preflight_print(&r, stdout);
	preflight_report_free(&r);
	return ret != 0 ? 1 : 0;
}
