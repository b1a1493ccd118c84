/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <errno.h>
#include <string.h>

#include "conf_section.h"

static void
row(FILE *out, const struct conf_key *key, const char *expected)
{
	fprintf(out, "| `%s` | %s | ", key->name, expected);
	if (key->required)
		fputs("required", out);
	else if (key->def != NULL)
		fprintf(out, "`%s`", key->def);
	fprintf(out, " | %s |\n", key->help != NULL ? key->help : "");
}

static void
table_head(FILE *out)
{
	fputs("\n| key | takes | default | meaning |\n|---|---|---|---|\n", out);
}

static void
field_expected(const struct conf_field *f, char *out, size_t len)
{
	char value[160];

	conf_value_expected(&f->key, value, sizeof(value));
	switch (f->shape) {
	case CONF_ONE:
		if (f->refers != NULL)
			snprintf(out, len, "name from `%s`%s%s", f->refers, f->refers_too != NULL ? ", or " : "",
				 f->refers_too != NULL ? f->refers_too : "");
		else
			snprintf(out, len, "%s", value);
		break;
	case CONF_MANY:
		if (f->refers != NULL)
			snprintf(out, len, "list of names from `%s`", f->refers);
		else
			snprintf(out, len, "list, each: %s", value);
		break;
	case CONF_MAPS:
		snprintf(out, len, "list, see `%s`", f->of->name);
		break;
	case CONF_STAGES:
		snprintf(out, len, "list of stages");
		break;
	case CONF_HOSTS:
		snprintf(out, len, "`any`, or a list of NQNs");
		break;
	case CONF_RANGE:
		snprintf(out, len, f->key.type == CONF_SIZE ? "[first, end], each: %s" : "%s; or [first, last]", value);
		break;
	}
}

static void
section(FILE *out, const struct conf_section *s, const char *prefix)
{
	fprintf(out, "\n## `%s%s`\n\n%s%s\n", prefix, s->name, s->help, s->list ? " A list." : "");
	table_head(out);
	for (const struct conf_field *f = s->fields; f->key.name != NULL; f++) {
		char expected[200];

		field_expected(f, expected, sizeof(expected));
		row(out, &f->key, expected);
	}
	for (const struct conf_field *f = s->fields; f->key.name != NULL; f++)
		if (f->of != NULL) {
			char inner[64];

			snprintf(inner, sizeof(inner), "%s%s[].", prefix, s->name);
			section(out, f->of, inner);
		}
}

static void
keys(FILE *out, const char *what, const char *name, const struct conf_key *k)
{
	fprintf(out, "\n### %s `%s`\n", what, name);
	if (k == NULL || k->name == NULL) {
		fputs("\nNo keys.\n", out);
		return;
	}
	table_head(out);
	for (; k->name != NULL; k++) {
		char expected[200];

		conf_value_expected(k, expected, sizeof(expected));
		row(out, k, expected);
	}
}

int
conf_reference(const struct conf_kinds *kinds, FILE *out)
{
	const char *name;
	bool found;

	fputs("# Configuration\n\nOne YAML file. Sizes are bytes or whole KiB, MiB, GiB, TiB; durations are whole us, "
	      "ms, "
	      "s, min. Relative\npaths are taken from the folder of the file.\n",
	      out);
	for (const struct conf_section *s = conf_sections; s->name != NULL; s++)
		section(out, s, "");
	fputs("\n## Kinds of drives\n", out);
	for (unsigned int i = 0; (name = kinds->drive_kind(i)) != NULL; i++)
		keys(out, "kind", name, kinds->drive_keys(name, &found));
	fputs("\n## Stages\n", out);
	for (unsigned int i = 0; (name = kinds->stage_name(i)) != NULL; i++)
		keys(out, "stage", name, kinds->stage_keys(name, &found));
	return fflush(out) != 0 || ferror(out) ? (errno != 0 ? -errno : -EIO) : 0;
}
