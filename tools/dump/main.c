/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* strake-fsck: is a store what its log says? Reads drives, writes nothing. */

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli.h"
#include "say.h"
#include "fsck.h"

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

static int
verdict(const struct store *st, bool quiet)
{
	uint64_t broken = say_count(SAY_BROKEN), mendable = say_count(SAY_MENDABLE);

	say_end();
	if (!quiet)
		printf("%s: %" PRIu64 " broken, %" PRIu64 " mendable, %" PRIu64
		       " notes; looked at %zu blocks in %" PRIu64 " chunks and %" PRIu64 " rows%s\n",
		       broken > 0     ? "BROKEN"
		       : mendable > 0 ? "mendable"
				      : "nothing is wrong",
		       broken, mendable, say_count(SAY_NOTE), st->n_refs, st->live_chunks, st->rows,
		       st->super.clean ? "" : "; not closed in order");
	return broken > 0 ? CLI_FAILED : mendable > 0 ? CLI_MISMATCH : CLI_OK;
}

int
main(int argc, char **argv)
{
	static const struct option options[] = {
		{"dump", no_argument, NULL, 'd'},
		{"segments", no_argument, NULL, 's'},
		{"quiet", no_argument, NULL, 'q'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	static struct group g;
	static struct store st;
	bool dump = false, segments = false, quiet = false, loaded;
	int c;

	while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		if (c == 'h')
			return help();
		if (c == '?')
			return CLI_USAGE;
		dump = dump || c == 'd' || c == 's';
		segments = segments || c == 's';
		quiet = quiet || c == 'q';
	}
	if (optind == argc || argc - optind > (int)LOG_SUPER_MEMBERS) {
		fputs("strake-fsck: name the drives of one group; --help tells more\n", stderr);
		return CLI_USAGE;
	}
	say_reset(quiet);
	if (group_open(&g, argv + optind, (unsigned int)(argc - optind)) < 0)
		return CLI_LOCAL;
	loaded = store_load(&st, &g) == 0;
	group_judge(&g);
	if (loaded) {
		store_replay(&st);
		store_prove(&st);
		if (dump && !quiet)
			store_show(&st, segments);
	}
	return verdict(&st, quiet);
}
