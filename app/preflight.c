/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* The table of checks. */

#include "preflight.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <liburing.h>

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
