/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "volume_json.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kinds.h"

#define KEYS_MAX 32

void
volume_uuid_print(const uint8_t *u, char out[37])
{
	snprintf(out, 37, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", u[0], u[1], u[2],
		 u[3], u[4], u[5], u[6], u[7], u[8], u[9], u[10], u[11], u[12], u[13], u[14], u[15]);
}

int
volume_uuid_parse(const char *text, uint8_t *uuid)
{
	char err[128];

	if (!conf_uuid_good(text, err, sizeof(err)))
		return -EINVAL;
	for (unsigned int i = 0; i < 16; i++) {
		text += *text == '-';
		sscanf(text, "%2hhx", &uuid[i]);
		text += 2;
	}
	return 0;
}

/* --- to JSON ------------------------------------------------------------------------------------------------------ */

static void
add_key(const struct conf_key *key, const char *text, void *arg)
{
	json_object_set_new(arg, key->name, json_string(text));
}

json_t *
volume_stage_print(const struct conf_stage *s)
{
	json_t *keys = json_object();

	conf_values_walk(s->values, add_key, keys);
	return json_pack("{ss si so}", "name", s->name, "lcore", s->cpu, "keys", keys);
}

json_t *
volume_print(const struct conf_volume *v)
{
	json_t *stages = json_array();

	for (unsigned int i = 0; i < v->n_stages; i++)
		json_array_append_new(stages, volume_stage_print(&v->stages[i]));
	return json_pack("{ss sI si sb ss so}", "group", v->group->name, "size", (json_int_t)v->size, "lba",
			 (int)v->lba, "read_only", v->read_only, "uuid", v->uuid, "stages", stages);
}

/* --- from JSON ---------------------------------------------------------------------------------------------------- */

static const char *
text_in(const json_t *v, const char *key)
{
	const char *text = json_string_value(json_object_get(v, key));

	return text != NULL ? text : "";
}

static int
stage_of(const json_t *from, struct conf_stage *to, char *err, size_t errlen)
{
	const char *name = text_in(from, "name");
	json_t *keys = json_object_get(from, "keys"), *text;
	const char *pairs[2 * KEYS_MAX + 1] = {NULL}, *key;
	const struct conf_key *table;
	unsigned int n = 0;
	char why[256];
	bool found;

	table = kinds_registered.stage_keys(name, &found);
	if (!found) {
		snprintf(err, errlen, "there is no stage \"%s\"", name);
		return -EINVAL;
	}
	json_object_foreach(keys, key, text)
	{
		if (n == KEYS_MAX)
			break;
		pairs[2 * n] = key;
		pairs[2 * n++ + 1] = json_is_string(text) ? json_string_value(text) : "";
	}
	to->values = conf_values_make(table, pairs, why, sizeof(why));
	if (to->values == NULL) {
		snprintf(err, errlen, "stage %s: %s", name, why);
		return -EINVAL;
	}
	to->name = strdup(name);
	to->cpu = (int)json_integer_value(json_object_get(from, "lcore"));
	return to->name != NULL ? 0 : -ENOMEM;
}

int
volume_parse(const struct conf *conf, const char *name, const json_t *from, struct conf_volume *v, char *err,
	     size_t errlen)
{
	json_t *stages = json_object_get(from, "stages");
	size_t n = json_array_size(stages);
	int ret = 0;

	*v = (struct conf_volume){
		.name = strdup(name),
		.group = conf_group_find(conf, text_in(from, "group")),
		.size = (uint64_t)json_integer_value(json_object_get(from, "size")),
		.lba = (unsigned int)json_integer_value(json_object_get(from, "lba")),
		.read_only = json_is_true(json_object_get(from, "read_only")),
		.uuid = strdup(text_in(from, "uuid")),
		.stages = calloc(n + 1, sizeof(*v->stages)),
	};
	if (v->group == NULL) {
		snprintf(err, errlen, "group \"%s\" is not in the file", text_in(from, "group"));
		ret = -ENOENT;
	} else if (v->name == NULL || v->uuid == NULL || v->stages == NULL) {
		snprintf(err, errlen, "out of memory");
		ret = -ENOMEM;
	} else if (!conf_name_good(v->name, err, errlen) || !conf_uuid_good(v->uuid, err, errlen)) {
		ret = -EINVAL;
	} else if (v->size == 0 || (v->lba != 512 && v->lba != 4096)) {
		snprintf(err, errlen, "its size or block size is none");
		ret = -EINVAL;
	}
	for (; ret == 0 && v->n_stages < n; v->n_stages++)
		ret = stage_of(json_array_get(stages, v->n_stages), &v->stages[v->n_stages], err, errlen);
	return ret;
}
