/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* Drives: looking at one, in and out of its group and the appliance, erasing. */

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "change.h"
#include "cli.h"
#include "cmds.h"

static int
drive_info(const struct opts *o, const char *name, json_t **v)
{
	char query[512], missing[512];

	snprintf(query, sizeof(query), "/strake/drive/info,%s", name);
	snprintf(missing, sizeof(missing), "there is no drive '%s'", name);
	return look_ask(o, query, NULL, missing, v);
}

/* What a health look found: those of a drive's figures that say how it is. */
static int
drive_health(const struct opts *o, const char *name)
{
	static const char *const cols[] = {"name",
					   "model",
					   "serial",
					   "firmware",
					   "firmware_slot",
					   "firmware_after_reset",
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
					   "error_log_newest",
					   "unsafe_shutdowns",
					   "power_on_hours",
					   "power_cycles",
					   "media_bytes_read",
					   "media_bytes_written",
					   "events_told",
					   "events"};
	char query[512];
	json_t *v, *brief;
	int ret;

	snprintf(query, sizeof(query), "drive look name=%s", name);
	ret = change_quietly(o, query);
	if (ret != CLI_OK)
		return ret;
	ret = drive_info(o, name, &v);
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
	char line[512];
	const char *serial, *model;
	json_t *v;
	int ret;

	ret = drive_info(o, name, &v);
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

/* A drive at another place is found there by the next start only if the file says so. */
static int
moved(const struct opts *o, const char *name, int ret)
{
	if (ret == CLI_OK && o->at != NULL && !o->json)
		printf("the file still names the old place of drive %s: change it, or `strakectl config save "
		       "NEWFILE`\n",
		       name);
	return ret;
}

static int
drive_change(const struct opts *o, const char *word, const char *name)
{
	bool at = o->at != NULL;
	char line[PATH_MAX + 512];

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

int
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
	if (argc != 2 || !change_word(argv[1]))
		return cli_fail(CLI_USAGE, "drive %s needs the name of a drive", words[what]);
	if (o->at != NULL && (!change_word(o->at) || (what != ADD && what != REPLACE)))
		return cli_fail(CLI_USAGE, "--at is for 'add' and 'replace', and takes no spaces or '='");
	if (what == REPLACE && o->at == NULL)
		return cli_fail(CLI_USAGE, "drive replace needs --at, where the new drive is");
	if (what == HEALTH)
		return drive_health(o, argv[1]);
	if (what >= FORMAT)
		return drive_erase(o, words[what], argv[1]);
	if (what != LOCATE && what != DARK)
		return moved(o, argv[1], drive_change(o, words[what], argv[1]));
	snprintf(line, sizeof(line), "drive locate name=%s light=%s", argv[1], what == LOCATE ? "on" : "off");
	return change(o, line);
}
