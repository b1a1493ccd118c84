/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* Groups of drives: scrub, rates, spares. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "change.h"
#include "cli.h"
#include "cmds.h"
#include "units.h"

static int
show(const struct opts *o, const char *name)
{
	json_t *v;
	int ret = look_info(o, "group", name, &v);

	if (ret != CLI_OK)
		return ret;
	look_reseal(o, v, name);
	return look_show(o, v);
}

int
cmd_group(void *values, int argc, char **argv)
{
	enum { LIST, SHOW, SCRUB, REST, RATE, GROW, WORDS };
	static const char *const words[] = {"list", "show", "scrub", "rest", "rate", "grow"};
	static const char *const more[] = {
		[RATE] = " and bytes a second, such as 100MiB, or 0", [GROW] = " and that of one of its spares"};
	const struct opts *o = values;
	int what = argc == 0 ? LIST : cli_choose("group command", argv[0], words, WORDS), used;
	uint64_t bytes;
	char line[512];

	if (what < 0)
		return -what;
	if (what == SHOW && argc == 2)
		return show(o, argv[1]);
	if (what <= SHOW)
		return look_list_or_show(values, "group", argc, argv);
	if (argc != (what >= RATE ? 3 : 2) || !change_word(argv[1]) || (what == GROW && !change_word(argv[2])))
		return cli_fail(CLI_USAGE, "group %s needs the name of a log group%s", words[what],
				what >= RATE ? more[what] : "");
	if (what == RATE && units_parse_size(argv[2], &bytes) < 0)
		return cli_fail(CLI_USAGE, "'%s' is no number of bytes", argv[2]);
	used = snprintf(line, sizeof(line), "group %s name=%s", words[what], argv[1]);
	if (what == RATE)
		snprintf(line + used, sizeof(line) - (size_t)used, " bytes=%llu", (unsigned long long)bytes);
	else if (what == GROW)
		snprintf(line + used, sizeof(line) - (size_t)used, " drive=%s", argv[2]);
	else if (what == SCRUB && o->rate != 0)
		snprintf(line + used, sizeof(line) - (size_t)used, " rate=%llu", (unsigned long long)o->rate);
	return change(o, line);
}
