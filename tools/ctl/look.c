/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "look.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli.h"
#include "link.h"
#include "render.h"
#include "usage.h"

static int
look_width(void)
{
	struct winsize ws;

	if (!isatty(STDOUT_FILENO))
		return 0;
	return ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws) == 0 && ws.ws_col > 0 ? ws.ws_col : 80;
}

/* Where DPDK puts its run-time files: root's, or a user's. */
void
look_path(const struct opts *o, char *path, size_t len)
{
	const char *run = getenv("XDG_RUNTIME_DIR");

	if (o->socket != NULL)
		snprintf(path, len, "%s", o->socket);
	else if (getuid() == 0)
		snprintf(path, len, "/var/run/dpdk/%s/dpdk_telemetry.v2", o->name);
	else
		snprintf(path, len, "%s/dpdk/%s/dpdk_telemetry.v2", run != NULL ? run : "/tmp", o->name);
}

int
look_open(const struct opts *o, struct tel **t)
{
	char path[PATH_MAX], err[LINK_ERR_MAX];

	look_path(o, path, sizeof(path));
	return tel_open(t, path, err) < 0 ? cli_fail(CLI_UNREACHABLE, "%s", err) : CLI_OK;
}

int
look_show(const struct opts *o, json_t *value)
{
	if (o->json) {
		json_dumpf(value, stdout, JSON_INDENT(2) | JSON_ENCODE_ANY);
		putchar('\n');
	} else {
		render(value, stdout, look_width());
	}
	json_decref(value);
	return CLI_OK;
}

/* Ask one path, or with @p kind all of that kind. @p missing: what an empty answer means. */
int
look_ask(const struct opts *o, const char *query, const char *kind, const char *missing, json_t **v)
{
	char err[LINK_ERR_MAX];
	struct tel *t;
	int ret = look_open(o, &t);

	if (ret != CLI_OK)
		return ret;
	ret = kind != NULL ? tel_ask_all(t, kind, v, err) : tel_ask(t, query, v, err);
	tel_close(t);
	if (ret < 0)
		return cli_fail(CLI_UNREACHABLE, "%s", err);
	if (json_is_null(*v)) {
		json_decref(*v);
		return cli_fail(CLI_FAILED, "%s", missing);
	}
	return CLI_OK;
}

int
look_query(const struct opts *o, const char *query, const char *missing)
{
	json_t *v;
	int ret = look_ask(o, query, NULL, missing, &v);

	return ret == CLI_OK ? look_show(o, v) : ret;
}

/* What a list shows of each; the rest is for 'show' and --wide. */
static const struct {
	const char *kind, *cols[12];
} few[] = {
	{"volume",
	 {"name", "state", "bytes", "read_ops", "write_ops", "read_bytes", "write_bytes", "read_errors",
	  "write_errors"}},
	{"drive",
	 {"name", "kind", "bytes", "failed", "read_ops", "write_ops", "read_errors", "write_errors", "inflight"}},
	{"group",
	 {"name", "state", "raid", "data", "parity", "bytes", "bytes_free", "missing", "stale", "spares", "regions_bad",
	  "scrub_last"}},
	{"connection",
	 {"id", "state", "carrier", "peer", "lcore", "qid", "depth", "outstanding", "commands", "errors"}},
	{"controller", {"name", "id", "host", "peer", "queue_pairs", "kato_ms", "under_way", "commands", "errors"}},
	{"port", {"name", "driver", "mac", "mtu", "queues", "rx_packets", "tx_packets", "rx_bytes", "tx_bytes"}},
	{"store",
	 {"name", "bytes", "free_bytes", "logical_blocks", "shared_blocks", "unique_blocks", "plain_bytes",
	  "stored_bytes", "full", "failed"}},
	{"class", {"class", "requests", "under_way", "bytes", "errors", "weight", "waiting", "waited"}},
	{"stage", {"name", "kind", "lcore", "down", "up", "bytes", "errors", "cycles"}},
};

/* Take from each row what its list does not show. */
static void
shorten(const char *kind, json_t *rows)
{
	size_t i, r;
	json_t *row;

	for (i = 0; i < sizeof(few) / sizeof(few[0]) && strcmp(few[i].kind, kind) != 0; i++)
		;
	if (i == sizeof(few) / sizeof(few[0]))
		return;
	json_array_foreach(rows, r, row)
	{
		json_t *brief = json_object();

		for (size_t c = 0; c < sizeof(few[i].cols) / sizeof(few[i].cols[0]) && few[i].cols[c] != NULL; c++) {
			json_t *cell = json_object_get(row, few[i].cols[c]);

			if (cell != NULL)
				json_object_set(brief, few[i].cols[c], cell);
		}
		if (json_object_size(brief) > 1)
			json_array_set(rows, r, brief);
		json_decref(brief);
	}
}

static int
show_all(const struct opts *o, const char *kind)
{
	char missing[64];
	json_t *v;
	int ret;

	snprintf(missing, sizeof(missing), "the appliance has no list of %ss", kind);
	ret = look_ask(o, NULL, kind, missing, &v);
	if (ret != CLI_OK)
		return ret;
	if (!o->json && !o->wide && json_is_object(json_array_get(v, 0)))
		shorten(kind, v);
	return look_show(o, v);
}

int
look_info(const struct opts *o, const char *kind, const char *name, json_t **out)
{
	char query[512], missing[512];

	snprintf(query, sizeof(query), "/strake/%s/info,%s", kind, name);
	snprintf(missing, sizeof(missing), "there is no %s '%s'", kind, name);
	return look_ask(o, query, NULL, missing, out);
}

/* KIND [list | show NAME] */
int
look_list_or_show(const struct opts *o, const char *kind, int argc, char **argv)
{
	static const char *const words[] = {"list", "show"};
	char query[512];
	json_t *v;
	int what, ret;

	snprintf(query, sizeof(query), "%s command", kind);
	what = argc == 0 ? 0 : cli_choose(query, argv[0], words, 2);

	if (what < 0)
		return -what;
	if (what == 0)
		return argc > 1 ? cli_fail(CLI_USAGE, "%s list takes no name", kind) : show_all(o, kind);
	if (argc != 2)
		return cli_fail(CLI_USAGE, "%s show needs a name", kind);
	ret = look_info(o, kind, argv[1], &v);
	return ret != CLI_OK ? ret : look_show(o, v);
}

/* How far sealing anew has come, into what is shown of a group, its store or a volume. */
void
look_reseal(const struct opts *o, json_t *into, const char *group)
{
	char err[LINK_ERR_MAX], query[512];
	json_t *keys = NULL, *value;
	const char *key;
	struct tel *t;

	if (group == NULL || look_open(o, &t) != CLI_OK)
		return;
	snprintf(query, sizeof(query), "/strake/key/info,%s", group);
	/* Not every group has keys. */
	if (tel_ask(t, query, &keys, err) < 0)
		keys = NULL;
	tel_close(t);
	json_object_foreach(keys, key, value)
	{
		if (strncmp(key, "reseal", 6) == 0 || strcmp(key, "old_keys") == 0)
			json_object_set(into, key, value);
	}
	json_decref(keys);
}

/* A store, or a volume of one, and where the space went. Others are shown as they are. */
int
look_space(const struct opts *o, const char *kind, const char *name)
{
	char query[512];
	json_t *v, *st = NULL, *group = NULL;
	const char *store;
	int ret;

	ret = look_info(o, kind, name, &v);
	if (ret != CLI_OK)
		return ret;
	store = json_string_value(json_object_get(v, strcmp(kind, "store") == 0 ? "name" : "store"));
	look_reseal(o, v, store);
	if (o->json)
		return look_show(o, v);
	render(v, stdout, look_width());
	if (store != NULL) {
		snprintf(query, sizeof(query), "/strake/store/info,%s", store);
		ret = look_ask(o, query, NULL, "its store is gone", &st);
		snprintf(query, sizeof(query), "/strake/group/info,%s", store);
		if (ret == CLI_OK)
			ret = look_ask(o, query, NULL, "its group is gone", &group);
	}
	if (store != NULL && ret == CLI_OK)
		usage_draw(stdout, st, group, strcmp(kind, "store") == 0 ? NULL : v, look_width());
	json_decref(st);
	json_decref(group);
	json_decref(v);
	return ret;
}
