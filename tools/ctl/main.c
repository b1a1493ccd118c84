/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* strakectl: look at a running appliance and change it. */

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli.h"
#include "link.h"
#include "render.h"
#include "top.h"

struct opts {
	const char *name, *socket, *control;
	bool json;
	uint64_t every;
	uint32_t sample;
};

static int
width_of_screen(void)
{
	struct winsize ws;

	if (!isatty(STDOUT_FILENO))
		return 0;
	return ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws) == 0 && ws.ws_col > 0 ? ws.ws_col : 80;
}

/* Where DPDK puts its run-time files: root's, or a user's. */
static void
telemetry_path(const struct opts *o, char *path, size_t len)
{
	const char *run = getenv("XDG_RUNTIME_DIR");

	if (o->socket != NULL)
		snprintf(path, len, "%s", o->socket);
	else if (getuid() == 0)
		snprintf(path, len, "/var/run/dpdk/%s/dpdk_telemetry.v2", o->name);
	else
		snprintf(path, len, "%s/dpdk/%s/dpdk_telemetry.v2", run != NULL ? run : "/tmp", o->name);
}

static int
look(const struct opts *o, struct tel **t)
{
	char path[PATH_MAX], err[LINK_ERR_MAX];

	telemetry_path(o, path, sizeof(path));
	return tel_open(t, path, err) < 0 ? cli_fail(CLI_UNREACHABLE, "%s", err) : CLI_OK;
}

static int
show(const struct opts *o, json_t *value)
{
	if (o->json) {
		json_dumpf(value, stdout, JSON_INDENT(2) | JSON_ENCODE_ANY);
		putchar('\n');
	} else {
		render(value, stdout, width_of_screen());
	}
	json_decref(value);
	return CLI_OK;
}

static int
show_query(const struct opts *o, const char *query, const char *missing)
{
	char err[LINK_ERR_MAX];
	struct tel *t;
	json_t *v;
	int ret = look(o, &t);

	if (ret != CLI_OK)
		return ret;
	ret = tel_ask(t, query, &v, err);
	tel_close(t);
	if (ret < 0)
		return cli_fail(CLI_UNREACHABLE, "%s", err);
	if (json_is_null(v)) {
		json_decref(v);
		return cli_fail(CLI_FAILED, "%s", missing);
	}
	return show(o, v);
}

static int
show_all(const struct opts *o, const char *kind)
{
	char err[LINK_ERR_MAX];
	struct tel *t;
	json_t *v;
	int ret = look(o, &t);

	if (ret != CLI_OK)
		return ret;
	ret = tel_ask_all(t, kind, &v, err);
	tel_close(t);
	if (ret < 0)
		return cli_fail(CLI_UNREACHABLE, "%s", err);
	if (json_is_null(v)) {
		json_decref(v);
		return cli_fail(CLI_FAILED, "the appliance has no list of %ss", kind);
	}
	return show(o, v);
}

static int
one_of(const char *word, const char *const *words, size_t n, const char *kind)
{
	const char *near;

	for (size_t i = 0; i < n; i++)
		if (strcmp(word, words[i]) == 0)
			return (int)i;
	near = cli_nearest(word, words, n, sizeof(*words));
	if (near != NULL)
		return cli_fail(-CLI_USAGE, "%s has no '%s'; did you mean '%s'?", kind, word, near);
	return cli_fail(-CLI_USAGE, "%s has no '%s'; see 'strakectl %s --help'", kind, word, kind);
}

/* KIND [list | show NAME] */
static int
list_or_show(const struct opts *o, const char *kind, int argc, char **argv)
{
	static const char *const words[] = {"list", "show"};
	char query[512], missing[512];
	int what = argc == 0 ? 0 : one_of(argv[0], words, 2, kind);

	if (what < 0)
		return -what;
	if (what == 0)
		return argc > 1 ? cli_fail(CLI_USAGE, "%s list takes no name", kind) : show_all(o, kind);
	if (argc != 2)
		return cli_fail(CLI_USAGE, "%s show needs a name", kind);
	snprintf(query, sizeof(query), "/strake/%s/info,%s", kind, argv[1]);
	snprintf(missing, sizeof(missing), "there is no %s '%s'", kind, argv[1]);
	return show_query(o, query, missing);
}

#define LIST_OR_SHOW(kind)                                                                                             \
	static int cmd_##kind(void *o, int argc, char **argv)                                                          \
	{                                                                                                              \
		return list_or_show(o, #kind, argc, argv);                                                             \
	}
LIST_OR_SHOW(volume)
LIST_OR_SHOW(group)
LIST_OR_SHOW(connection)
LIST_OR_SHOW(stage)
LIST_OR_SHOW(port)
LIST_OR_SHOW(controller)
LIST_OR_SHOW(subsystem)

/* The control socket: as told, or where the appliance says it is, or where it is by default. */
static void
control_path(const struct opts *o, char *path, size_t len)
{
	char tel_path[PATH_MAX], err[LINK_ERR_MAX];
	const char *said = NULL;
	json_t *v = NULL;
	struct tel *t;

	telemetry_path(o, tel_path, sizeof(tel_path));
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
	return show(o, v);
}

static int
cmd_drive(void *values, int argc, char **argv)
{
	static const char *const words[] = {"list", "show", "fail", "return"};
	char line[512];
	int what = argc == 0 ? 0 : one_of(argv[0], words, 4, "drive");

	if (what < 0)
		return -what;
	if (what < 2)
		return list_or_show(values, "drive", argc, argv);
	if (argc != 2 || !is_word(argv[1]))
		return cli_fail(CLI_USAGE, "drive %s needs the name of a drive", words[what]);
	snprintf(line, sizeof(line), "drive %s name=%s", words[what], argv[1]);
	return change(values, line);
}

static int
cmd_trace(void *values, int argc, char **argv)
{
	static const char *const words[] = {"on", "off", "show"};
	const struct opts *o = values;
	char line[64];
	int what = one_of(argv[0], words, 3, "trace");

	if (what < 0)
		return -what;
	if (what == 2)
		return show_query(o, "/strake/trace", "the appliance has no trace");
	snprintf(line, sizeof(line), "trace every=%u", what == 0 ? o->sample : 0);
	return change(o, line);
}

static int
cmd_status(void *values, int argc, char **argv)
{
	return show_query(values, "/strake/status", "this process has no /strake/status: it is not an appliance");
}

static int
cmd_lcore(void *values, int argc, char **argv)
{
	return show_query(values, "/strake/lcore/list", "the appliance has no list of lcores");
}

static int
cmd_stop(void *values, int argc, char **argv)
{
	return change(values, "stop");
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
	int ret = look(o, &t);

	if (ret != CLI_OK)
		return ret;
	if (!o->json) {
		ret = top_run(t, (double)o->every / 1e9);
	} else if (top_look(t, &v, err) < 0) {
		ret = cli_fail(CLI_UNREACHABLE, "%s", err);
	} else {
		ret = show(o, v);
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
	{NULL},
};
static const struct cli_opt none[] = {{NULL}};
static const struct cli_opt top_opts[] = {
	{"every", "TIME", "between two looks (1s)", CLI_TIME, AT(every), 100000000, 0}, {NULL}};
static const struct cli_opt trace_opts[] = {
	{"sample", "N", "on: trace every N-th request (1)", CLI_U32, AT(sample), 1, 0}, {NULL}};

static const struct cli_cmd cmds[] = {
	{"status", "", "the appliance as a whole", none, 0, 0, cmd_status},
	{"volume", "[list | show NAME]", "volumes, their load and latency", none, 0, 2, cmd_volume},
	{"drive", "[list | show|fail|return NAME]", "drives; take one out of its group, bring it back", none, 0, 2,
	 cmd_drive},
	{"group", "[list | show NAME]", "groups of drives and how they are", none, 0, 2, cmd_group},
	{"connection", "[list | show ID]", "connections of hosts", none, 0, 2, cmd_connection},
	{"controller", "[list | show ID]", "associations of hosts", none, 0, 2, cmd_controller},
	{"subsystem", "[list | show NAME]", "subsystems offered to hosts", none, 0, 2, cmd_subsystem},
	{"stage", "[list | show NAME]", "stages and their work", none, 0, 2, cmd_stage},
	{"port", "[list | show NAME]", "network ports", none, 0, 2, cmd_port},
	{"lcore", "", "processor cores in use", none, 0, 0, cmd_lcore},
	{"top", "", "a live view; q quits", top_opts, 0, 0, cmd_top},
	{"trace", "on|off|show", "follow requests through their stages", trace_opts, 1, 1, cmd_trace},
	{"config", "save FILE", "write the running configuration to a new file", none, 2, 2, cmd_config},
	{"stop", "", "shut the appliance down in order", none, 0, 0, cmd_stop},
	{NULL},
};

int
main(int argc, char **argv)
{
	static struct opts o = {.name = "strake", .every = 1000000000, .sample = 1};
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
