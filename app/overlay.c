/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "overlay.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "state.h"
#include "volume_json.h"

#define FILE_NAME "changes.json"
#define VERSION	  1

/*
 * {"version": 1,
 *  "volumes":    {NAME: {"group", "size", "lba", "read_only", "uuid", "stages": [{"name", "lcore", "keys": {}}]}},
 *  "deleted":    {NAME: {"group", "uuid", "keys": number of the domain whose keys go too, or absent,
 *                        "named": whether the file had it when it was last read}},
 *  "sizes":      {NAME: {"size", "file": what the file said then}},
 *  "namespaces": [{"subsystem", "nsid", "volume", "added": true or false}],
 *  "keys":       {GROUP: [{"key_file": where} or {"keyring": which}, ...]}, the newest place first}
 */
static json_t *kept;
static char *folder;

static json_t *
part(const char *name)
{
	return json_object_get(kept, name);
}

static const char *
text_of(const json_t *v, const char *key)
{
	const char *text = json_string_value(json_object_get(v, key));

	return text != NULL ? text : "";
}

/* --- keeping ------------------------------------------------------------------------------------------------------ */

static int
save(void)
{
	char *text = json_dumps(kept, JSON_INDENT(1) | JSON_SORT_KEYS);
	int ret = text != NULL ? state_write(folder, FILE_NAME, text, strlen(text)) : -ENOMEM;

	free(text);
	return ret;
}

/* The change was made in a copy: it counts when it is durable. */
static int
commit(json_t *before)
{
	int ret = save();

	if (ret == 0) {
		json_decref(before);
		return 0;
	}
	json_decref(kept);
	kept = before;
	return ret;
}

static json_t *
begin(void)
{
	json_t *before = kept;

	kept = json_deep_copy(before);
	if (kept != NULL)
		return before;
	kept = before;
	return NULL;
}

int
overlay_volume_made(const struct conf_volume *v)
{
	json_t *before = begin();

	if (before == NULL)
		return -ENOMEM;
	json_object_set_new(part("volumes"), v->name, volume_print(v));
	return commit(before);
}

/* Should this not be kept, an empty volume is there after the next start. */
void
overlay_volume_unmade(const char *name)
{
	json_object_del(part("volumes"), name);
	save();
}

static void
namespaces_forget(const char *volume)
{
	json_t *list = part("namespaces");

	for (size_t i = json_array_size(list); i-- > 0;) {
		if (strcmp(text_of(json_array_get(list, i), "volume"), volume) == 0)
			json_array_remove(list, i);
	}
}

int
overlay_volume_deleted(const struct conf_volume *v, const uint8_t *uuid, const uint32_t *domain)
{
	json_t *before = begin(), *gone;
	char text[37];

	if (before == NULL)
		return -ENOMEM;
	volume_uuid_print(uuid, text);
	json_object_del(part("volumes"), v->name);
	json_object_del(part("sizes"), v->name);
	namespaces_forget(v->name);
	gone = json_pack("{ss ss}", "group", v->group->name, "uuid", text);
	if (domain != NULL)
		json_object_set_new(gone, "keys", json_integer(*domain));
	json_object_set_new(part("deleted"), v->name, gone);
	return commit(before);
}

int
overlay_volume_resized(const struct conf_volume *v, uint64_t bytes)
{
	json_t *before = begin(), *made, *size;

	if (before == NULL)
		return -ENOMEM;
	made = json_object_get(part("volumes"), v->name);
	size = json_object_get(part("sizes"), v->name);
	if (made != NULL)
		json_object_set_new(made, "size", json_integer((json_int_t)bytes));
	else if (size != NULL)
		json_object_set_new(size, "size", json_integer((json_int_t)bytes));
	else
		json_object_set_new(part("sizes"), v->name,
				    json_pack("{sI sI}", "size", (json_int_t)bytes, "file", (json_int_t)v->size));
	return commit(before);
}

static bool
is_namespace(const json_t *n, const char *nqn, unsigned int nsid, const char *volume)
{
	return strcmp(text_of(n, "subsystem"), nqn) == 0 && strcmp(text_of(n, "volume"), volume) == 0 &&
	       json_integer_value(json_object_get(n, "nsid")) == (json_int_t)nsid;
}

/* What takes back an earlier change is none. */
int
overlay_namespace(const char *nqn, unsigned int nsid, const char *volume, bool added)
{
	json_t *before = begin(), *list = part("namespaces");

	if (before == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < json_array_size(list); i++) {
		json_t *n = json_array_get(list, i);

		if (is_namespace(n, nqn, nsid, volume) && json_is_true(json_object_get(n, "added")) != added) {
			json_array_remove(list, i);
			return commit(before);
		}
	}
	json_array_append_new(list, json_pack("{ss si ss sb}", "subsystem", nqn, "nsid", (int)nsid, "volume", volume,
					      "added", added));
	return commit(before);
}

static json_t *
kek_print(const struct kek_place *p)
{
	return json_pack("{ss}", kek_word(p), p->name);
}

int
overlay_kek_moved(const struct conf_group *g, const struct kek_place *now, const struct kek_place *before)
{
	json_t *was = begin(), *list = json_array();

	if (was == NULL) {
		json_decref(list);
		return -ENOMEM;
	}
	json_array_append_new(list, kek_print(now));
	json_array_append_new(list, kek_print(before));
	json_object_set_new(part("keys"), g->name, list);
	return commit(was);
}

int
overlay_kek(const struct conf_group *g, unsigned int i, struct kek_place *out)
{
	json_t *p = json_array_get(json_object_get(part("keys"), g->name), i);

	if (p == NULL)
		return -ENOENT;
	out->keyring = json_object_get(p, "keyring") != NULL;
	snprintf(out->name, sizeof(out->name), "%s", text_of(p, kek_word(out)));
	return 0;
}

bool
overlay_resized(const char *volume)
{
	return json_object_get(part("sizes"), volume) != NULL || json_object_get(part("volumes"), volume) != NULL;
}

int
overlay_gone(unsigned int i, struct overlay_gone *out)
{
	const char *name;
	json_t *gone;

	json_object_foreach(part("deleted"), name, gone)
	{
		if (i-- != 0)
			continue;
		out->name = name;
		out->group = text_of(gone, "group");
		out->keys = json_is_integer(json_object_get(gone, "keys"));
		out->domain = (uint32_t)json_integer_value(json_object_get(gone, "keys"));
		return volume_uuid_parse(text_of(gone, "uuid"), out->uuid) < 0 ? -ENOENT : 0;
	}
	return -ENOENT;
}

void
overlay_gone_done(void)
{
	const char *name;
	json_t *gone;
	void *next;

	json_object_foreach_safe(part("deleted"), next, name, gone)
	{
		if (json_is_false(json_object_get(gone, "named")))
			json_object_del(part("deleted"), name);
	}
}

/* --- laying it over ----------------------------------------------------------------------------------------------- */

__attribute__((format(printf, 3, 4))) static void
warn(const struct conf *conf, unsigned int line, const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "%s:", conf->file);
	if (line != 0)
		fprintf(stderr, "%u:", line);
	fputs(" warning: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

/* What the file names although it was deleted. Of what it does not name, the group may still have to be told. */
static void
lay_deleted(struct conf *conf)
{
	const char *name;
	json_t *gone;

	json_object_foreach(part("deleted"), name, gone)
	{
		struct conf_volume *v = conf_volume_find(conf, name);

		json_object_set_new(gone, "named", json_boolean(v != NULL));
		if (v == NULL)
			continue;
		warn(conf, v->line,
		     "volume \"%s\" was deleted by `strakectl volume delete`, and is not made again for being named "
		     "here: take it out of the file, or make a new one by `strakectl volume create`",
		     name);
		conf_volume_remove(conf, v);
	}
}

/* Made before, and by now in the file, too: as after `config save`. */
static void
in_both(const struct conf *conf, const struct conf_volume *v, const json_t *made)
{
	if (v->uuid == NULL || strcmp(v->uuid, text_of(made, "uuid")) != 0)
		warn(conf, v->line,
		     "volume \"%s\" was made by `strakectl volume create` and is named here now: what the file says of "
		     "it counts",
		     v->name);
}

static void
lay_volumes(struct conf *conf)
{
	json_t *made;
	const char *name;
	void *next;

	json_object_foreach_safe(part("volumes"), next, name, made)
	{
		struct conf_volume *file = conf_volume_find(conf, name), v;
		char why[256];

		if (file != NULL) {
			in_both(conf, file, made);
			json_object_del(part("volumes"), name);
			continue;
		}
		if (volume_parse(conf, name, made, &v, why, sizeof(why)) == 0 && conf_volume_add(conf, &v) != NULL)
			continue;
		warn(conf, 0, "volume \"%s\", made by `strakectl volume create`, is not served: %s", name, why);
		conf_volume_clear(&v);
	}
}

static void
lay_sizes(struct conf *conf)
{
	const char *name;
	json_t *size;
	void *next;

	json_object_foreach_safe(part("sizes"), next, name, size)
	{
		struct conf_volume *v = conf_volume_find(conf, name);
		uint64_t bytes = (uint64_t)json_integer_value(json_object_get(size, "size"));

		if (v != NULL && v->size == (uint64_t)json_integer_value(json_object_get(size, "file"))) {
			v->size = bytes;
			continue;
		}
		if (v != NULL && v->size != bytes)
			warn(conf, v->line,
			     "volume \"%s\" was resized to %llu bytes by strakectl, and the file was changed since: "
			     "its "
			     "size counts",
			     name, (unsigned long long)bytes);
		json_object_del(part("sizes"), name);
	}
}

/* @return whether the change still is one. */
static bool
lay_namespace(struct conf *conf, const json_t *n)
{
	struct conf_subsystem *s = conf_subsystem_find(conf, text_of(n, "subsystem"));
	struct conf_volume *v = conf_volume_find(conf, text_of(n, "volume"));
	unsigned int nsid = (unsigned int)json_integer_value(json_object_get(n, "nsid"));
	const struct conf_namespace *taken = NULL;

	for (unsigned int i = 0; s != NULL && i < s->n_namespaces; i++) {
		if (s->namespaces[i].nsid == nsid || s->namespaces[i].volume == v)
			taken = &s->namespaces[i];
	}
	if (!json_is_true(json_object_get(n, "added"))) {
		if (taken == NULL || taken->nsid != nsid || taken->volume != v)
			return false;
		conf_namespace_remove(s, nsid);
		return true;
	}
	if (s == NULL || v == NULL || nsid == 0 || nsid > 1024) {
		warn(conf, 0, "namespace %u of %s, added by strakectl, is not offered: there is no such %s", nsid,
		     text_of(n, "subsystem"),
		     s == NULL	 ? "subsystem"
		     : v == NULL ? "volume"
				 : "number");
		return true;
	}
	if (taken == NULL)
		return conf_namespace_add(s, nsid, v) == 0;
	if (taken->nsid != nsid || taken->volume != v)
		warn(conf, taken->line,
		     "namespace %u, volume \"%s\", was added by strakectl, and the file has namespace %u, volume "
		     "\"%s\": it counts",
		     nsid, v->name, taken->nsid, taken->volume->name);
	return false;
}

static void
lay_namespaces(struct conf *conf)
{
	json_t *list = part("namespaces");

	/* Removals first: their numbers may have been given anew. */
	for (int added = 0; added < 2; added++) {
		for (size_t i = 0; i < json_array_size(list);) {
			json_t *n = json_array_get(list, i);

			if (json_is_true(json_object_get(n, "added")) != (added == 1) || lay_namespace(conf, n))
				i++;
			else
				json_array_remove(list, i);
		}
	}
}

/* What the file says counts last: its key may be the right one after all, as with an older state folder. */
static void
lay_file_kek(const struct conf *conf, const struct conf_volume *v)
{
	json_t *list = json_object_get(part("keys"), v->group->name);
	struct kek_place said, known;

	kek_place(conf_volume_stage(v, "seal"), &said);
	for (unsigned int i = 0; overlay_kek(v->group, i, &known) == 0; i++) {
		if (kek_same(&said, &known))
			return;
	}
	overlay_kek(v->group, 0, &known);
	warn(conf, v->line,
	     "volume \"%s\": its keys were wrapped anew by that of %s %s (`strakectl key rewrap`), and the file was "
	     "changed since: both are tried",
	     v->name, kek_word(&known), known.name);
	json_array_append_new(list, kek_print(&said));
}

static void
lay_keks(struct conf *conf)
{
	struct kek_place place;
	char why[256];

	for (unsigned int i = 0; i < conf->n_volumes; i++) {
		const struct conf_volume *v = &conf->volumes[i];

		if (v->line != 0 && conf_volume_stage(v, "seal") != NULL && overlay_kek(v->group, 0, &place) == 0)
			lay_file_kek(conf, v);
	}
	for (unsigned int g = 0; g < conf->n_groups; g++) {
		if (overlay_kek(&conf->groups[g], 0, &place) == 0 &&
		    kek_move(conf, &conf->groups[g], &place, why, sizeof(why)) < 0)
			warn(conf, conf->groups[g].line, "group \"%s\": %s", conf->groups[g].name, why);
	}
}

/* --- reading ------------------------------------------------------------------------------------------------------ */

static int
take(const char *text, char *err, size_t errlen)
{
	static const char *const objects[] = {"volumes", "deleted", "sizes", "keys"};
	json_error_t wrong = {.text = "it is of another version"};

	kept = text != NULL ? json_loads(text, 0, &wrong) : json_pack("{si}", "version", VERSION);
	if (!json_is_object(kept) || json_integer_value(part("version")) != VERSION) {
		snprintf(
			err, errlen,
			"%s/%s: %s; what strakectl did to volumes is not known, so nothing is served: put back a copy, "
			"or move it away to serve what the configuration file says",
			folder, FILE_NAME, wrong.text);
		return -EINVAL;
	}
	for (unsigned int i = 0; i < sizeof(objects) / sizeof(objects[0]); i++) {
		if (!json_is_object(part(objects[i])))
			json_object_set_new(kept, objects[i], json_object());
	}
	if (!json_is_array(part("namespaces")))
		json_object_set_new(kept, "namespaces", json_array());
	return 0;
}

int
overlay_load(struct conf *conf, char *err, size_t errlen)
{
	char *text = NULL;
	long n;
	int ret;

	folder = strdup(conf->appliance.state);
	if (folder == NULL)
		return -ENOMEM;
	n = state_read(folder, FILE_NAME, &text);
	if (n < 0) {
		snprintf(err, errlen, "%s/%s: %s", folder, FILE_NAME, strerror((int)-n));
		return (int)n;
	}
	ret = take(n > 0 ? text : NULL, err, errlen);
	if (n > 0)
		free(text);
	if (ret < 0)
		return ret;
	lay_deleted(conf);
	lay_volumes(conf);
	lay_sizes(conf);
	lay_namespaces(conf);
	lay_keks(conf);
	return 0;
}

void
overlay_free(void)
{
	json_decref(kept);
	free(folder);
	kept = NULL;
	folder = NULL;
}
