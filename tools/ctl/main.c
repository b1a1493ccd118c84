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

#include "cli.h"
#include "confirm.h"
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

/* The control socket: as told, or where the appliance says it is, or where it is by default. */
static void
control_path(const struct opts *o, char *path, size_t len)
{
	char tel_path[PATH_MAX], err[LINK_ERR_MAX];
	const char *said = NULL;
	json_t *v = NULL;
	struct tel *t;

	look_path(o, tel_path, sizeof(tel_path));
	if (o->control == NULL && tel_open(&t, tel_path, err) == 0) {
		if (tel_ask(t, "/strake/status", &v, err) == 0)
			said = json_string_value(json_object_get(v, "control"));
		tel_close(t);
	}
	if (o->control != NULL || said != NULL)
		snprintf(path, len, "%s", o->control != NULL ? o->control : said);
	else
		snprintf(path, len, "/run/strake/%s.sock", o->name);
	json_decref(v);
}

/* A word for the control socket: what it splits at must not be in it. */
static bool
is_word(const char *s)
{
	return *s != '\0' && strpbrk(s, " \t\r\n=") == NULL;
}

static int
change(const struct opts *o, const char *line)
{
	char path[PATH_MAX], err[LINK_ERR_MAX];
	json_t *v;
	int ret;

	control_path(o, path, sizeof(path));
	ret = control_ask(path, line, &v, err);
	if (ret < 0)
		return cli_fail(CLI_UNREACHABLE, "%s", err);
	if (!json_is_true(json_object_get(v, "ok"))) {
		const char *why = json_string_value(json_object_get(v, "error"));

		ret = cli_fail(CLI_FAILED, "%s", why != NULL ? why : "the appliance refused without a reason");
		json_decref(v);
		return ret;
	}
	if (!o->json)
		json_object_del(v, "ok");
	if (!o->json && json_object_size(v) == 0) {
		json_decref(v);
		return CLI_OK;
	}
	return look_show(o, v);
}

/* The same, of a change that takes something away. */
__attribute__((format(printf, 3, 4))) static int
change_sure(const struct opts *o, const char *line, const char *loss, ...)
{
	char text[768];
	va_list ap;
	int ret;

	va_start(ap, loss);
	vsnprintf(text, sizeof(text), loss, ap);
	va_end(ap);
	ret = confirm(o->yes, text, isatty(STDIN_FILENO) != 0, stdin, stderr);
	return ret != CLI_OK ? ret : change(o, line);
}

/* What a health look found: those of a drive's figures that say how it is. */
static int
drive_health(const struct opts *o, const char *name)
{
	static const char *const cols[] = {"name",
					   "model",
					   "serial",
					   "firmware",
					   "slot",
					   "out_of_use",
					   "health_by",
					   "critical_warning",
					   "celsius",
					   "celsius_warned_of",
					   "life_used_percent",
					   "life_used_warned_of_percent",
					   "spare_percent",
					   "spare_threshold_percent",
					   "spare_warned_of_percent",
					   "smart_media_errors",
					   "error_log_entries",
					   "unsafe_shutdowns",
					   "power_on_hours",
					   "power_cycles",
					   "media_bytes_read",
					   "media_bytes_written",
					   "events_told",
					   "events"};
	char query[512], missing[512];
	json_t *v, *brief;
	int ret;

	snprintf(query, sizeof(query), "drive look name=%s", name);
	ret = change(o, query);
	if (ret != CLI_OK)
		return ret;
	snprintf(query, sizeof(query), "/strake/drive/info,%s", name);
	snprintf(missing, sizeof(missing), "there is no drive '%s'", name);
	ret = look_ask(o, query, NULL, missing, &v);
	if (ret != CLI_OK)
		return ret;
	brief = json_object();
	for (size_t i = 0; i < sizeof(cols) / sizeof(cols[0]); i++)
		if (json_object_get(v, cols[i]) != NULL)
			json_object_set(brief, cols[i], json_object_get(v, cols[i]));
	json_decref(v);
	return look_show(o, brief);
}

/* What a drive is, for the question whether its data may go. */
static int
drive_erase(const struct opts *o, const char *word, const char *name)
{
	char line[512], missing[512];
	const char *serial, *model;
	json_t *v;
	int ret;

	snprintf(line, sizeof(line), "/strake/drive/info,%s", name);
	snprintf(missing, sizeof(missing), "there is no drive '%s'", name);
	ret = look_ask(o, line, NULL, missing, &v);
	if (ret != CLI_OK)
		return ret;
	serial = json_string_value(json_object_get(v, "serial"));
	model = json_string_value(json_object_get(v, "model"));
	snprintf(line, sizeof(line), "drive %s name=%s", word, name);
	ret = change_sure(o, line, "everything on drive %s (%s, serial number %s, %lld bytes) is lost%s", name,
			  model != NULL ? model : "of unknown model", serial != NULL ? serial : "unknown",
			  (long long)json_integer_value(json_object_get(v, "bytes")),
			  strcmp(word, "sanitize") == 0 ? ", and no one can bring it back" : "");
	json_decref(v);
	return ret;
}

static int
drive_change(const struct opts *o, const char *word, const char *name)
{
	bool at = o->at != NULL;
	char line[640];

	snprintf(line, sizeof(line), "drive %s name=%s%s%s", word, name, at ? " at=" : "", at ? o->at : "");
	if (strcmp(word, "fail") == 0)
		return change_sure(o, line,
				   "drive %s is taken out of its group: its copy of the data ages from now on, and the "
				   "group has one drive less to lose",
				   name);
	if (strcmp(word, "remove") == 0)
		return change_sure(o, line,
				   "drive %s is taken out of its group and closed, so that it can be pulled; the group "
				   "has one drive less to lose",
				   name);
	if (strcmp(word, "replace") == 0)
		return change_sure(o, line,
				   "drive %s is taken out of its group and closed; what it holds is made again on %s "
				   "from the others, and until then the group has one drive less to lose",
				   name, at ? o->at : "the new one");
	return change(o, line);
}

static int
cmd_drive(void *values, int argc, char **argv)
{
	enum { LIST, SHOW, FAIL, RETURN, LOCATE, DARK, HEALTH, ADD, REMOVE, REPLACE, FORMAT, SANITIZE, WORDS };
	static const char *const words[] = {"list",   "show", "fail",	"return",  "locate", "dark",
					    "health", "add",  "remove", "replace", "format", "sanitize"};
	const struct opts *o = values;
	char line[512];
	int what = argc == 0 ? LIST : cli_choose("drive command", argv[0], words, WORDS);

	if (what < 0)
		return -what;
	if (what <= SHOW)
		return look_list_or_show(o, "drive", argc, argv);
	if (argc != 2 || !is_word(argv[1]))
		return cli_fail(CLI_USAGE, "drive %s needs the name of a drive", words[what]);
	if (o->at != NULL && (!is_word(o->at) || (what != ADD && what != REPLACE)))
		return cli_fail(CLI_USAGE, "--at is for 'add' and 'replace', and takes no spaces or '='");
	if (what == REPLACE && o->at == NULL)
		return cli_fail(CLI_USAGE, "drive replace needs --at, where the new drive is");
	if (what == HEALTH)
		return drive_health(o, argv[1]);
	if (what >= FORMAT)
		return drive_erase(o, words[what], argv[1]);
	if (what != LOCATE && what != DARK)
		return drive_change(o, words[what], argv[1]);
	snprintf(line, sizeof(line), "drive locate name=%s light=%s", argv[1], what == LOCATE ? "on" : "off");
	return change(o, line);
}

static int
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
	if (what <= SHOW)
		return look_list_or_show(values, "group", argc, argv);
	if (argc != (what >= RATE ? 3 : 2) || !is_word(argv[1]) || (what == GROW && !is_word(argv[2])))
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

static int
cmd_key(void *values, int argc, char **argv)
{
	static const char *const words[] = {"rotate", "erase"};
	int what = cli_choose("key command", argv[0], words, 2);
	char line[512];

	(void)argc;
	if (what < 0)
		return -what;
	if (!is_word(argv[1]))
		return cli_fail(CLI_USAGE, "no spaces or '=' in a name");
	snprintf(line, sizeof(line), "key %s %s=%s", words[what], what == 0 ? "name" : "volume", argv[1]);
	if (what == 0)
		return change(values, line);
	return change_sure(values, line,
			   "all that volume %s holds, and every volume that shares its key, can never be read again, "
			   "by anybody",
			   argv[1]);
}

static int
cmd_volume(void *values, int argc, char **argv)
{
	static const char *const words[] = {"list", "show", "resize"};
	const struct opts *o = values;
	int what = argc == 0 ? 0 : cli_choose("volume command", argv[0], words, 3), used;
	uint64_t bytes;
	char line[512];

	if (what < 0)
		return -what;
	if (what == 1 && argc == 2)
		return look_space(values, "volume", argv[1]);
	if (what < 2)
		return look_list_or_show(values, "volume", argc, argv);
	if (argc != 3 || !is_word(argv[1]) || units_parse_size(argv[2], &bytes) < 0)
		return cli_fail(CLI_USAGE, "volume resize needs the name of a volume and a size, such as 10GiB");
	used = snprintf(line, sizeof(line), "volume resize name=%s size=%llu", argv[1], (unsigned long long)bytes);
	if (o->shrink != NULL && is_word(o->shrink))
		snprintf(line + used, sizeof(line) - (size_t)used, " shrink=%s", o->shrink);
	return change(o, line);
}

/* namespace add|remove, host allow|deny: SUBSYSTEM and one more word. */
static int
change_subsystem(const struct opts *o, const char *what, const char *word, const char *kind, char **args, uint32_t nsid)
{
	char line[640];
	int used;

	if (!is_word(args[0]) || !is_word(args[1]))
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

static int
cmd_namespace(void *values, int argc, char **argv)
{
	static const char *const words[] = {"add", "remove"};
	const struct opts *o = values;
	int what = cli_choose("namespace command", argv[0], words, 2);

	return what < 0 ? -what : change_subsystem(o, "namespace", words[what], "volume", argv + 1, o->nsid);
}

static int
cmd_host(void *values, int argc, char **argv)
{
	static const char *const words[] = {"allow", "deny"};
	int what = cli_choose("host command", argv[0], words, 2);

	return what < 0 ? -what : change_subsystem(values, "host", words[what], "host", argv + 1, 0);
}

static int
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
static int
cmd_listener(void *values, int argc, char **argv)
{
	static const char *const words[] = {"list", "show", "ana"};
	char line[512], address[80], *port;
	int what = argc == 0 ? 0 : cli_choose("listener command", argv[0], words, 3);

	if (what < 0)
		return -what;
	if (what < 2)
		return look_list_or_show(values, "listener", argc, argv);
	if (argc != 3 || !is_word(argv[1]) || !is_word(argv[2]) || strlen(argv[1]) >= sizeof(address) ||
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

/* A port's TCP counters, or without a name those of every port; without any port, those of the kernel's sockets. */
static int
cmd_tcp(void *values, int argc, char **argv)
{
	const struct opts *o = values;
	char query[512];
	json_t *ports, *port;
	size_t i;
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
	json_array_foreach(ports, i, port)
	{
		const char *name = json_is_string(port) ? json_string_value(port)
							: json_string_value(json_object_get(port, "name"));

		if (name == NULL || ret != CLI_OK)
			continue;
		if (!o->json)
			printf("%sport %s\n", i > 0 ? "\n" : "", name);
		snprintf(query, sizeof(query), "/strake/tcp/info,%s", name);
		ret = look_query(o, query, "a port went away");
	}
	if (json_array_size(ports) == 0)
		ret = show_kernel(o);
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

	if (strcmp(argv[0], "save") != 0)
		return cli_fail(CLI_USAGE, "config has no '%s'; did you mean 'save'?", argv[0]);
	/* The appliance has another working directory. */
	if (argv[1][0] == '/')
		snprintf(path, sizeof(path), "%s", argv[1]);
	else if (getcwd(path, sizeof(path)) == NULL || strlen(path) + strlen(argv[1]) + 2 > sizeof(path))
		return cli_fail(CLI_LOCAL, "the working directory: %s", strerror(errno));
	else
		sprintf(path + strlen(path), "/%s", argv[1]);
	if (!is_word(path))
		return cli_fail(CLI_USAGE, "'%s': no spaces or '=' in this path", path);
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
	{"shrink", "NAME", "resize: the volume that may lose what lies behind its new end", CLI_STR, AT(shrink), 0, 0},
	{NULL}};
static const struct cli_opt drive_opts[] = {
	{"at", "DEVICE", "add, replace: where it is now, as `device` or `path` in the configuration", CLI_STR, AT(at),
	 0, 0},
	{NULL}};
static const struct cli_opt group_opts[] = {
	{"rate", "BYTES", "scrub: read no more than this in a second (no limit)", CLI_SIZE, AT(rate), 0, 0}, {NULL}};
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
	{"volume", "[list | show NAME | resize NAME SIZE]", "volumes, their load and latency; give one another size",
	 volume_opts, 0, 3, cmd_volume},
	{"drive", "[list | show|health|fail|return|remove|add|replace|locate|dark|format|sanitize NAME]",
	 "drives; out of their group and back, out of the appliance and in, another one; their light; erase them",
	 drive_opts, 0, 2, cmd_drive},
	{"group", "[list | show NAME | scrub|rest NAME | rate NAME BYTES | grow NAME DRIVE]",
	 "groups of drives and how they are; read a log group against its parity, or stop that; rebuild no faster; "
	 "make a spare a member more",
	 group_opts, 0, 3, cmd_group},
	{"key", "rotate GROUP | erase VOLUME", "new keys for what is written from now on; destroy the keys of a volume",
	 none, 2, 2, cmd_key},
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
