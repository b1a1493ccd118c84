/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* Volumes: made, resized, deleted. */

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "change.h"
#include "cli.h"
#include "cmds.h"
#include "units.h"

/* Words of a line, one after the other. */
struct line {
	char text[900];
	size_t used;
	bool good; /* all of them are words, and there was room */
};

__attribute__((format(printf, 2, 3))) static void
say(struct line *l, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(l->text + l->used, sizeof(l->text) - l->used, fmt, ap);
	va_end(ap);
	l->used += (size_t)n;
	l->good = l->good && l->used < sizeof(l->text);
	if (!l->good)
		l->used = 0;
}

/* What was given as an option. */
static void
say_word(struct line *l, const char *key, const char *value)
{
	if (value == NULL)
		return;
	l->good = l->good && change_word(value);
	say(l, " %s=%s", key, value);
}

static int
create(const struct opts *o, const char *name)
{
	struct line l = {.good = change_word(name)};

	if (o->group == NULL || o->size == 0)
		return cli_fail(CLI_USAGE, "volume create needs --group and --size, such as --group g0 --size 10GiB");
	if (o->nsid != 0 && o->subsystem == NULL)
		return cli_fail(CLI_USAGE, "--nsid is of a subsystem: say which (--subsystem NQN)");
	say(&l, "volume create name=%s size=%llu", name, (unsigned long long)o->size);
	say_word(&l, "group", o->group);
	say_word(&l, "like", o->like);
	say_word(&l, "stages", o->stages);
	say_word(&l, "domain", o->domain);
	say_word(&l, "uuid", o->uuid);
	say_word(&l, "subsystem", o->subsystem);
	if (o->lba != 0)
		say(&l, " lba=%u", o->lba);
	if (o->nsid != 0)
		say(&l, " nsid=%u", o->nsid);
	if (o->read_only)
		say(&l, " read_only=true");
	return l.good ? change(o, l.text)
		      : cli_fail(CLI_USAGE, "no spaces or '=' in these words, which are too long else");
}

/* What would be lost is asked for first: the question names it. */
static int delete (const struct opts *o, const char *name)
{
	struct line l = {.good = true};
	char query[512], held[UNITS_MAX] = "what";
	json_t *v = NULL;

	snprintf(query, sizeof(query), "/strake/volume/info,%s", name);
	say(&l, "volume delete name=%s sure=%s%s%s", name, name, o->reserved ? " reserved=true" : "",
	    o->erase_keys ? " keys=true" : "");
	if (!l.good)
		return cli_fail(CLI_USAGE, "'%s' is too long for a name", name);
	if (!o->yes && look_ask(o, query, NULL, "it is not served", &v) == CLI_OK && json_object_get(v, "mapped_bytes"))
		units_bytes(held, json_number_value(json_object_get(v, "mapped_bytes")));
	json_decref(v);
	return change_sure(
		o, l.text, "volume %s and %s it holds are lost for good, and its hosts lose it at once%s", name, held,
		o->erase_keys ? "; the keys of its domain are destroyed, so that nobody can ever read what the "
				"drives still have of it"
			      : "");
}

static int
resize(const struct opts *o, const char *name, const char *size)
{
	struct line l = {.good = true};
	uint64_t bytes;

	if (units_parse_size(size, &bytes) < 0)
		return cli_fail(CLI_USAGE, "volume resize needs the name of a volume and a size, such as 10GiB");
	say(&l, "volume resize name=%s size=%llu", name, (unsigned long long)bytes);
	say_word(&l, "shrink", o->shrink);
	return l.good ? change(o, l.text) : cli_fail(CLI_USAGE, "no spaces or '=' in a name");
}

int
cmd_volume(void *values, int argc, char **argv)
{
	enum { LIST, SHOW, CREATE, RESIZE, DELETE, WORDS };
	static const char *const words[] = {"list", "show", "create", "resize", "delete"};
	const struct opts *o = values;
	int what = argc == 0 ? LIST : cli_choose("volume command", argv[0], words, WORDS);

	if (what < 0)
		return -what;
	if (what == SHOW && argc == 2)
		return look_space(values, "volume", argv[1]);
	if (what <= SHOW)
		return look_list_or_show(values, "volume", argc, argv);
	if (argc != (what == RESIZE ? 3 : 2) || !change_word(argv[1]))
		return cli_fail(CLI_USAGE, "volume %s needs the name of a volume%s", words[what],
				what == RESIZE ? " and a size, such as 10GiB" : "");
	if (what == CREATE)
		return create(o, argv[1]);
	return what == DELETE ? delete (o, argv[1]) : resize(o, argv[1], argv[2]);
}
