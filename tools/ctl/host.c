/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* What hosts see: namespaces, who may connect, controllers, paths. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "change.h"
#include "cli.h"
#include "cmds.h"

/* namespace add|remove, host allow|deny: SUBSYSTEM and one more word. */
static int
change_subsystem(const struct opts *o, const char *what, const char *word, const char *kind, char **args, uint32_t nsid)
{
	char line[640];
	int used;

	if (!change_word(args[0]) || !change_word(args[1]))
		return cli_fail(CLI_USAGE, "no spaces or '=' in these names");
	used = snprintf(line, sizeof(line), "%s %s subsystem=%s %s=%s", what, word, args[0], kind, args[1]);
	if (nsid != 0)
		snprintf(line + used, sizeof(line) - (size_t)used, " nsid=%u", nsid);
	if (strcmp(word, "remove") == 0)
		return change_sure(o, line, "hosts of %s lose volume %s at once, and what they have under way on it",
				   args[0], args[1]);
	if (strcmp(word, "deny") == 0)
		return change_sure(o, line, "host %s loses %s at once, and what it has under way there", args[1],
				   args[0]);
	return change(o, line);
}

int
cmd_namespace(void *values, int argc, char **argv)
{
	static const char *const words[] = {"add", "remove"};
	const struct opts *o = values;
	int what = cli_choose("namespace command", argv[0], words, 2);

	return what < 0 ? -what : change_subsystem(o, "namespace", words[what], "volume", argv + 1, o->nsid);
}

int
cmd_host(void *values, int argc, char **argv)
{
	static const char *const words[] = {"allow", "deny"};
	int what = cli_choose("host command", argv[0], words, 2);

	return what < 0 ? -what : change_subsystem(values, "host", words[what], "host", argv + 1, 0);
}

int
cmd_controller(void *values, int argc, char **argv)
{
	static const char *const words[] = {"list", "show", "drop"};
	char line[64], *end;
	int what = argc == 0 ? 0 : cli_choose("controller command", argv[0], words, 3);
	unsigned long id;

	if (what < 0)
		return -what;
	if (what < 2)
		return look_list_or_show(values, "controller", argc, argv);
	id = argc == 2 ? strtoul(argv[1], &end, 10) : 0;
	if (argc != 2 || end == argv[1] || *end != '\0')
		return cli_fail(CLI_USAGE, "controller drop needs the id of a controller, as the list has it");
	snprintf(line, sizeof(line), "controller drop id=%lu", id);
	return change_sure(values, line, "its host loses controller %lu at once; it may connect again", id);
}

/* An address and its port: 10.0.0.2:4420, [fd00::2]:4420 */
int
cmd_listener(void *values, int argc, char **argv)
{
	static const char *const words[] = {"list", "show", "ana"};
	char line[512], address[80], *port;
	int what = argc == 0 ? 0 : cli_choose("listener command", argv[0], words, 3);

	if (what < 0)
		return -what;
	if (what < 2)
		return look_list_or_show(values, "listener", argc, argv);
	if (argc != 3 || !change_word(argv[1]) || !change_word(argv[2]) || strlen(argv[1]) >= sizeof(address) ||
	    strrchr(argv[1], ':') == NULL)
		return cli_fail(CLI_USAGE, "listener ana needs ADDRESS:PORT and a state");
	strcpy(address, argv[1] + (argv[1][0] == '['));
	port = strrchr(address, ':');
	*port++ = '\0';
	if (argv[1][0] == '[' && port - address > 2)
		port[-2] = '\0'; /* the ] */
	snprintf(line, sizeof(line), "listener ana address=%s service=%s state=%s", address, port, argv[2]);
	return change(values, line);
}
