/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* strakectl: look at a running appliance and change it. */

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "change.h"
#include "cli.h"
#include "cmds.h"
#include "link.h"
#include "look.h"
#include "top.h"
#include "units.h"

#define LIST_OR_SHOW(kind)                                                                                             \
	static int cmd_##kind(void *o, int argc, char **argv)                                                          \
	{                                                                                                              \
		return look_list_or_show(o, #kind, argc, argv);                                                        \
	}
LIST_OR_SHOW(connection)
LIST_OR_SHOW(stage)
LIST_OR_SHOW(class)
LIST_OR_SHOW(port)
LIST_OR_SHOW(subsystem)

static int
cmd_store(void *values, int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[0], "show") == 0)
		return look_space(values, "store", argv[1]);
	return look_list_or_show(values, "store", argc, argv);
}

/* The appliance has another working directory. */
static int
absolute(const char *path, char out[PATH_MAX])
{
	if (path[0] == '/')
		snprintf(out, PATH_MAX, "%s", path);
	else if (getcwd(out, PATH_MAX) == NULL || strlen(out) + strlen(path) + 2 > PATH_MAX)
		return cli_fail(CLI_LOCAL, "the working directory: %s", strerror(errno));
	else
		sprintf(out + strlen(out), "/%s", path);
	if (!change_word(out))
		return cli_fail(CLI_USAGE, "'%s': no spaces or '=' in this path", out);
	return CLI_OK;
}

/* The place of the new key, to stand in a line. */
static int
put_place(const struct opts *o, char *line, size_t len)
{
	size_t used = strlen(line);
	char path[PATH_MAX];
	int ret;

	if (o->keyring != NULL && !change_word(o->keyring))
		return cli_fail(CLI_USAGE, "'%s': no spaces or '=' in this name", o->keyring);
	if (o->keyring != NULL)
		used += (size_t)snprintf(line + used, len - used, " keyring=%s", o->keyring);
	if (o->key_file == NULL)
		return CLI_OK;
	ret = absolute(o->key_file, path);
	if (ret == CLI_OK)
		snprintf(line + used, len - used, " key_file=%s", path);
	return ret;
}

static int
cmd_key(void *values, int argc, char **argv)
{
	enum { LIST, SHOW, ROTATE, RESEAL, REST, REWRAP, LOAD, ERASE, WORDS };
	static const char *const words[] = {"list", "show", "rotate", "reseal", "rest", "rewrap", "load", "erase"};
	const struct opts *o = values;
	int what = argc == 0 ? LIST : cli_choose("key command", argv[0], words, WORDS), used;
	char line[PATH_MAX + 512];

	if (what < 0)
		return -what;
	if (what <= SHOW)
		return look_list_or_show(values, "key", argc, argv);
	if (argc != 2 || !change_word(argv[1]))
		return cli_fail(CLI_USAGE, "key %s needs the name of a %s", words[what],
				what == ERASE ? "volume" : "log group");
	used = snprintf(line, sizeof(line), "key %s %s=%s", words[what], what == ERASE ? "volume" : "name", argv[1]);
	if (what == RESEAL && o->rate != 0)
		snprintf(line + used, sizeof(line) - (size_t)used, " rate=%llu", (unsigned long long)o->rate);
	if (what == REWRAP) {
		int ret = put_place(o, line, sizeof(line));

		if (ret != CLI_OK)
			return ret;
	}
	if (what != ERASE)
		return change(values, line);
	return change_sure(values, line,
			   "all that volume %s holds, and every volume that shares its key, can never be read again, "
			   "by anybody",
			   argv[1]);
}

static int
cmd_trace(void *values, int argc, char **argv)
{
	static const char *const words[] = {"on", "off", "show"};
	const struct opts *o = values;
	char line[64];
	int what = cli_choose("trace command", argv[0], words, 3);

	if (what < 0)
		return -what;
	if (what == 2)
		return look_query(o, "/strake/trace", "the appliance has no trace");
	snprintf(line, sizeof(line), "trace every=%u", what == 0 ? o->sample : 0);
	return change(o, line);
}

/* Each step's cycles, and their share of all. */
static json_t *
step_rows(json_t *v)
{
	json_t *rows = json_array(), *one;
	const char *key;
	double all = 0;

	json_object_foreach(v, key, one) all += json_number_value(json_object_get(one, "cycles"));
	json_object_foreach(v, key, one)
	{
		double cycles = json_number_value(json_object_get(one, "cycles"));

		if (cycles > 0)
			json_array_append_new(rows, json_pack("{sO sO so}", "step", json_object_get(one, "name"),
							      "cycles", json_object_get(one, "cycles"), "share",
							      json_sprintf("%.1f %%", cycles * 100 / all)));
	}
	return rows;
}

static int
cmd_steps(void *values, int argc, char **argv)
{
	static const char *const words[] = {"on", "off", "show"};
	const struct opts *o = values;
	char query[64];
	json_t *v, *rows;
	int what = cli_choose("steps command", argv[0], words, 3), ret;

	if (what < 0)
		return -what;
	if (what < 2)
		return change(o, what == 0 ? "steps on" : "steps off");
	snprintf(query, sizeof(query), "/strake/lcore/steps,%u", o->lcore);
	ret = look_ask(o, query, NULL, "the appliance has no such lcore", &v);
	if (ret != CLI_OK || o->json)
		return ret == CLI_OK ? look_show(o, v) : ret;
	rows = step_rows(v);
	json_decref(v);
	if (json_array_size(rows) > 0)
		return look_show(o, rows);
	json_decref(rows);
	return cli_fail(CLI_FAILED, "nothing was booked yet: 'steps on' turns the accounts on");
}

#define KERNEL "kernel" /* what the file calls a listener's port that is the kernel's sockets */

static int
show_kernel(const struct opts *o)
{
	return look_query(o, "/strake/sock/info", "the appliance has no listener on the kernel's sockets");
}

static void
show_each(const struct opts *o, json_t *ports)
{
	const char *name;
	json_t *v;
	bool first = true;

	json_object_foreach(ports, name, v)
	{
		printf("%sport %s\n", first ? "" : "\n", name);
		look_show(o, json_incref(v));
		first = false;
	}
}

/* The TCP counters of every port, each under its name. */
static int
every_tcp(const struct opts *o, json_t *ports)
{
	json_t *all = json_object(), *port, *v;
	int ret = CLI_OK;
	size_t i;

	json_array_foreach(ports, i, port)
	{
		const char *name = json_is_string(port) ? json_string_value(port)
							: json_string_value(json_object_get(port, "name"));
		char query[512];

		if (name == NULL || ret != CLI_OK)
			continue;
		snprintf(query, sizeof(query), "/strake/tcp/info,%s", name);
		ret = look_ask(o, query, NULL, "a port went away", &v);
		if (ret == CLI_OK)
			json_object_set_new(all, name, v);
	}
	if (ret == CLI_OK && o->json)
		return look_show(o, all);
	if (ret == CLI_OK)
		show_each(o, all);
	json_decref(all);
	return ret;
}

/* A port's TCP counters, or without a name those of every port; without any port, those of the kernel's sockets. */
static int
cmd_tcp(void *values, int argc, char **argv)
{
	const struct opts *o = values;
	char query[512];
	json_t *ports;
	int ret;

	if (argc == 1) {
		if (strcmp(argv[0], KERNEL) == 0)
			return show_kernel(o);
		snprintf(query, sizeof(query), "/strake/tcp/info,%s", argv[0]);
		return look_query(o, query, "there is no such port");
	}
	ret = look_ask(o, NULL, "port", "the appliance has no list of ports", &ports);
	if (ret != CLI_OK)
		return ret;
	ret = json_array_size(ports) == 0 ? show_kernel(o) : every_tcp(o, ports);
	json_decref(ports);
	return ret;
}

static int
cmd_status(void *values, int argc, char **argv)
{
	return look_query(values, "/strake/status", "this process has no /strake/status: it is not an appliance");
}

static int
cmd_lcore(void *values, int argc, char **argv)
{
	return look_query(values, "/strake/lcore/list", "the appliance has no list of lcores");
}

static int
cmd_stop(void *values, int argc, char **argv)
{
	return change_sure(values, "stop", "every host loses its volumes until the appliance is started again");
}

static int
cmd_config(void *values, int argc, char **argv)
{
	char path[PATH_MAX], line[PATH_MAX + 32];
	int ret;

	if (strcmp(argv[0], "save") != 0)
		return cli_fail(CLI_USAGE, "config has no '%s'; did you mean 'save'?", argv[0]);
	ret = absolute(argv[1], path);
	if (ret != CLI_OK)
		return ret;
	snprintf(line, sizeof(line), "config save path=%s", path);
	return change(values, line);
}

static int
cmd_top(void *values, int argc, char **argv)
{
	const struct opts *o = values;
	char err[LINK_ERR_MAX];
	struct tel *t;
	json_t *v;
	int ret = look_open(o, &t);

	if (ret != CLI_OK)
		return ret;
	if (!o->json) {
		ret = top_run(t, (double)o->every / 1e9);
	} else if (top_look(t, &v, err) < 0) {
		ret = cli_fail(CLI_UNREACHABLE, "%s", err);
	} else {
		ret = look_show(o, v);
	}
	tel_close(t);
	return ret;
}

#define AT(field) offsetof(struct opts, field)
static const struct cli_opt common[] = {
	{"name", "NAME", "the appliance's name, which is its DPDK file prefix (strake)", CLI_STR, AT(name), 0, 0},
	{"file-prefix", "NAME", "the same", CLI_STR, AT(name), 0, 0},
	{"socket", "PATH", "its telemetry socket", CLI_STR, AT(socket), 0, 0},
	{"control", "PATH", "its control socket", CLI_STR, AT(control), 0, 0},
	{"json", NULL, "as JSON", CLI_FLAG, AT(json), 0, 0},
	{"wide", NULL, "lists: every column", CLI_FLAG, AT(wide), 0, 0},
	{"yes", NULL, "do not ask before something is taken away", CLI_FLAG, AT(yes), 0, 0},
	{NULL},
};
static const struct cli_opt none[] = {{NULL}};
static const struct cli_opt volume_opts[] = {
	{"group", "NAME", "create: the log group it shall lie on", CLI_STR, AT(group), 0, 0},
	{"size", "SIZE", "create: what hosts see", CLI_SIZE, AT(size), 4096, 0},
	{"like", "NAME", "create: a volume to go by (those of the group, if they are all alike)", CLI_STR, AT(like), 0,
	 0},
	{"stages", "A,B,C", "create: its stages, with the keys they have there; or none", CLI_STR, AT(stages), 0, 0},
	{"domain", "NAME", "create: the domain in which it shares equal blocks", CLI_STR, AT(domain), 0, 0},
	{"lba", "BYTES", "create: logical block size, 512 or 4096", CLI_U32, AT(lba), 512, 4096},
	{"uuid", "UUID", "create: its identity (a new one)", CLI_STR, AT(uuid), 0, 0},
	{"read-only", NULL, "create: refuse writes", CLI_FLAG, AT(read_only), 0, 0},
	{"subsystem", "NQN", "create: offer it to the hosts of this subsystem", CLI_STR, AT(subsystem), 0, 0},
	{"nsid", "N", "create: as this namespace (the lowest that is free)", CLI_U32, AT(nsid), 1, 1024},
	{"reserved", NULL, "delete: also if a host has it reserved", CLI_FLAG, AT(reserved), 0, 0},
	{"erase-keys", NULL, "delete: and the keys of its domain, if no other volume has them", CLI_FLAG,
	 AT(erase_keys), 0, 0},
	{"shrink", "NAME", "resize: the volume that may lose what lies behind its new end", CLI_STR, AT(shrink), 0, 0},
	{NULL}};
static const struct cli_opt drive_opts[] = {
	{"at", "DEVICE", "add, replace: where it is now, as `device` or `path` in the configuration", CLI_STR, AT(at),
	 0, 0},
	{NULL}};
static const struct cli_opt group_opts[] = {
	{"rate", "BYTES", "scrub: read no more than this in a second (no limit)", CLI_SIZE, AT(rate), 0, 0}, {NULL}};
static const struct cli_opt key_opts[] = {
	{"rate", "BYTES", "reseal: no more than this in a second (64MiB, or the file's reseal_rate)", CLI_SIZE,
	 AT(rate), 0, 0},
	{"key-file", "PATH", "rewrap: the file with the new key", CLI_STR, AT(key_file), 0, 0},
	{"keyring", "NAME", "rewrap: the new key in the kernel's keyring", CLI_STR, AT(keyring), 0, 0},
	{NULL}};
static const struct cli_opt namespace_opts[] = {
	{"nsid", "N", "add: namespace id (the lowest that is free)", CLI_U32, AT(nsid), 1, 1024}, {NULL}};
static const struct cli_opt top_opts[] = {
	{"every", "TIME", "between two looks (1s)", CLI_TIME, AT(every), 100000000, 0}, {NULL}};
static const struct cli_opt steps_opts[] = {{"lcore", "N", "show: of which lcore (1)", CLI_U32, AT(lcore), 0, 0},
					    {NULL}};
static const struct cli_opt trace_opts[] = {
	{"sample", "N", "on: trace every N-th request (1)", CLI_U32, AT(sample), 1, 0}, {NULL}};

static const struct cli_cmd cmds[] = {
	{"status", "", "the appliance as a whole", none, 0, 0, cmd_status},
	{"volume", "[list | show NAME | create NAME | resize NAME SIZE | delete NAME]",
	 "volumes, their load and latency; make one, give one another size, delete one with all it holds", volume_opts,
	 0, 3, cmd_volume},
	{"drive", "[list | show|health|fail|return|remove|add|replace|locate|dark|format|sanitize NAME]",
	 "drives; out of their group and back, out of the appliance and in, another one; their light; erase them",
	 drive_opts, 0, 2, cmd_drive},
	{"group", "[list | show NAME | scrub|rest NAME | rate NAME BYTES | grow NAME DRIVE]",
	 "groups of drives and how they are; read a log group against its parity, or stop that; rebuild no faster; "
	 "make a spare a member more",
	 group_opts, 0, 3, cmd_group},
	{"key", "[list | show GROUP | rotate|reseal|rest|rewrap|load GROUP | erase VOLUME]",
	 "keys of log groups: new ones, with which all that is there is sealed anew in the background, and then the "
	 "old "
	 "ones destroyed; go on with that; pause it; wrap them anew by another key-encryption key; look for the key of "
	 "a group's offline volumes again; destroy the "
	 "keys of a volume with all it holds",
	 key_opts, 0, 2, cmd_key},
	{"store", "[list | show NAME]", "stores of log groups: where their space went", none, 0, 2, cmd_store},
	{"connection", "[list | show ID]", "connections of hosts", none, 0, 2, cmd_connection},
	{"controller", "[list | show|drop ID]", "associations of hosts; close one's connections", none, 0, 2,
	 cmd_controller},
	{"subsystem", "[list | show NAME]", "subsystems offered to hosts", none, 0, 2, cmd_subsystem},
	{"namespace", "add|remove SUBSYSTEM VOLUME", "offer a volume to hosts, or no longer", namespace_opts, 3, 3,
	 cmd_namespace},
	{"host", "allow|deny SUBSYSTEM HOST", "let a host connect, or no longer", none, 3, 3, cmd_host},
	{"listener", "[list | show NAME | ana ADDRESS:PORT STATE]",
	 "where hosts come in; state of these paths: optimized, non_optimized, inaccessible or change", none, 0, 3,
	 cmd_listener},
	{"stage", "[list | show NAME]", "stages and their work", none, 0, 2, cmd_stage},
	{"port", "[list | show NAME]", "network ports", none, 0, 2, cmd_port},
	{"class", "[list | show N]", "classes of requests: how many, bytes, errors, latency", none, 0, 2, cmd_class},
	{"tcp", "[PORT]", "connections and counters of the ports' own TCP", none, 0, 1, cmd_tcp},
	{"lcore", "", "processor cores in use", none, 0, 0, cmd_lcore},
	{"top", "", "a live view; q quits", top_opts, 0, 0, cmd_top},
	{"steps", "on|off|show", "account for an lcore's cycles, step by step", steps_opts, 1, 1, cmd_steps},
	{"trace", "on|off|show", "follow requests through their stages", trace_opts, 1, 1, cmd_trace},
	{"config", "save FILE", "write the running configuration to a new file", none, 2, 2, cmd_config},
	{"stop", "", "shut the appliance down in order", none, 0, 0, cmd_stop},
	{NULL},
};

int
main(int argc, char **argv)
{
	static struct opts o = {.name = "strake", .every = 1000000000, .sample = 1, .lcore = 1};
	const struct cli cli = {
		.program = "strakectl",
		.help = "Look at a running appliance and change it.",
		.cmds = cmds,
		.common = common,
		.values = &o,
	};

	signal(SIGPIPE, SIG_IGN);
	return cli_main(&cli, argc, argv);
}
