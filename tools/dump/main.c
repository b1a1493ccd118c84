/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* strake-fsck: is a store what its log says? Reads drives, writes nothing. */

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>

#include "check.h"
#include "cli.h"
#include "file.h"
#include "log_super_format.h"

static int
help(void)
{
	puts("usage: strake-fsck [--dump] [--segments] [--quiet] DRIVE...\n"
	     "\n"
	     "Prove a log group's store from its drives, in any order, while no appliance has them open. Nothing is\n"
	     "written. No key is needed: every chunk has a checksum over what lies on the drive. A store that was not\n"
	     "closed in order is judged as it will be once opened, the log after its checkpoint played.\n"
	     "\n"
	     "  --dump      also show what is there\n"
	     "  --segments  and every segment in use\n"
	     "  --quiet     only the exit status\n"
	     "\n"
	     "exit: 0 nothing is wrong, 1 broken: data is lost or the store contradicts itself, 2 wrong usage,\n"
	     "      4 mendable: wrong on a drive and right by the others (scrub, or reading it, mends that),\n"
	     "      5 a drive cannot be opened or is no member of a log group");
	return CLI_OK;
}

static const char *const names[SAY_KINDS] = {"note", "mendable", "BROKEN", ""};

static void
tell(void *arg, enum say_kind kind, const char *line)
{
	const bool *quiet = arg;

	if (kind == SAY_REFUSED)
		fprintf(stderr, "strake-fsck: %s\n", line);
	else if (!*quiet)
		printf("%s: %s\n", names[kind], line);
}

static void
tell_left_out(void)
{
	for (unsigned int k = 0; k < SAY_REFUSED; k++) {
		if (say_count(k) > SAY_LINES)
			printf("%s: ... and %" PRIu64 " more of this kind\n", names[k], say_count(k) - SAY_LINES);
	}
}

static int
verdict(const struct check *c, bool quiet)
{
	uint64_t broken = say_count(SAY_BROKEN), mendable = say_count(SAY_MENDABLE);

	if (!quiet) {
		tell_left_out();
		printf("%s: %" PRIu64 " broken, %" PRIu64 " mendable, %" PRIu64 " notes; looked at %" PRIu64
		       " blocks in %" PRIu64 " chunks and %" PRIu64 " rows%s\n",
		       broken > 0     ? "BROKEN"
		       : mendable > 0 ? "mendable"
				      : "nothing is wrong",
		       broken, mendable, say_count(SAY_NOTE), c->blocks, c->chunks, c->rows,
		       c->clean ? "" : "; not closed in order");
	}
	return broken > 0 ? CLI_FAILED : mendable > 0 ? CLI_MISMATCH : CLI_OK;
}

/* @return of the process. */
static int
run(char **paths, unsigned int n, enum check_show show, bool quiet)
{
	const struct source *drive[LOG_SUPER_MEMBERS];
	struct file file[LOG_SUPER_MEMBERS];
	struct check c;

	say_begin(tell, &quiet);
	for (unsigned int i = 0; i < n; i++) {
		if (file_open(&file[i], paths[i]) < 0)
			return CLI_LOCAL;
		drive[i] = &file[i].s;
	}
	return check_drives(&c, drive, n, quiet ? CHECK_SHOW_NOTHING : show) < 0 ? CLI_LOCAL : verdict(&c, quiet);
}

static int
strake_fsck(int argc, char **argv)
{
	static const struct option options[] = {
		{"dump", no_argument, NULL, 'd'},
		{"segments", no_argument, NULL, 's'},
		{"quiet", no_argument, NULL, 'q'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	enum check_show show = CHECK_SHOW_NOTHING;
	bool quiet = false;
	int c;

	while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		if (c == 'h')
			return help();
		if (c == '?')
			return CLI_USAGE;
		if (c == 's' || (c == 'd' && show == CHECK_SHOW_NOTHING))
			show = c == 's' ? CHECK_SHOW_SEGMENTS : CHECK_SHOW_STORE;
		quiet = quiet || c == 'q';
	}
	if (optind == argc || argc - optind > (int)LOG_SUPER_MEMBERS) {
		fputs("strake-fsck: name the drives of one group; --help tells more\n", stderr);
		return CLI_USAGE;
	}
	return run(argv + optind, (unsigned int)(argc - optind), show, quiet);
}

int
main(int argc, char **argv)
{
	return cli_said("strake-fsck", strake_fsck(argc, argv));
}
