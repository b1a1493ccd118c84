/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* What an operator changes on the running appliance, kept for the next conf_save(). Arrays grow by realloc, which is
 * what libcyaml made them with. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf_section.h"

/* --- by name ------------------------------------------------------------------------------------------------------ */

struct conf_volume *
conf_volume_find(const struct conf *conf, const char *name)
{
	for (unsigned int i = 0; name != NULL && i < conf->n_volumes; i++) {
		if (strcmp(conf->volumes[i].name, name) == 0)
			return &conf->volumes[i];
	}
	return NULL;
}

struct conf_group *
conf_group_find(const struct conf *conf, const char *name)
{
	for (unsigned int i = 0; name != NULL && i < conf->n_groups; i++) {
		if (strcmp(conf->groups[i].name, name) == 0)
			return &conf->groups[i];
	}
	return NULL;
}

struct conf_subsystem *
conf_subsystem_find(const struct conf *conf, const char *nqn)
{
	for (unsigned int i = 0; nqn != NULL && i < conf->n_subsystems; i++) {
		if (strcmp(conf->subsystems[i].nqn, nqn) == 0)
			return &conf->subsystems[i];
	}
	return NULL;
}

const struct conf_stage *
conf_volume_stage(const struct conf_volume *volume, const char *kind)
{
	for (unsigned int i = 0; i < volume->n_stages; i++) {
		if (strcmp(volume->stages[i].name, kind) == 0)
			return &volume->stages[i];
	}
	return NULL;
}

/* --- volumes ------------------------------------------------------------------------------------------------------ */

/* Namespaces point at volumes: those behind @p from are @p by further on now. */
static void
namespaces_follow(struct conf *conf, const struct conf_volume *old, size_t from, int by)
{
	for (unsigned int s = 0; s < conf->n_subsystems; s++) {
		struct conf_subsystem *sub = &conf->subsystems[s];

		for (unsigned int n = 0; n < sub->n_namespaces; n++) {
			size_t at = (size_t)(sub->namespaces[n].volume - old);

			sub->namespaces[n].volume = &conf->volumes[at >= from ? at + (size_t)by : at];
		}
	}
}

struct conf_volume *
conf_volume_add(struct conf *conf, const struct conf_volume *volume)
{
	struct conf_volume *list = malloc((conf->n_volumes + 1) * sizeof(*list)), *old = conf->volumes;

	if (list == NULL)
		return NULL;
	if (conf->n_volumes > 0)
		memcpy(list, old, conf->n_volumes * sizeof(*list));
	list[conf->n_volumes] = *volume;
	conf->volumes = list;
	namespaces_follow(conf, old, 0, 0);
	free(old);
	return &list[conf->n_volumes++];
}

void
conf_volume_clear(struct conf_volume *volume)
{
	for (unsigned int i = 0; i < volume->n_stages; i++) {
		free((char *)volume->stages[i].name);
		conf_values_free(volume->stages[i].values);
	}
	free(volume->stages);
	free((char *)volume->name);
	free((char *)volume->uuid);
	*volume = (struct conf_volume){.name = NULL};
}

void
conf_volume_remove(struct conf *conf, struct conf_volume *volume)
{
	size_t at = (size_t)(volume - conf->volumes);

	for (unsigned int s = 0; s < conf->n_subsystems; s++) {
		struct conf_subsystem *sub = &conf->subsystems[s];
		unsigned int kept = 0;

		for (unsigned int n = 0; n < sub->n_namespaces; n++) {
			if (sub->namespaces[n].volume != volume)
				sub->namespaces[kept++] = sub->namespaces[n];
		}
		sub->n_namespaces = kept;
	}
	conf_volume_clear(volume);
	namespaces_follow(conf, conf->volumes, at, -1);
	conf->n_volumes--;
	memmove(volume, volume + 1, (conf->n_volumes - at) * sizeof(*volume));
}

bool
conf_name_good(const char *name, char *err, size_t errlen)
{
	size_t len = strlen(name);

	if (len > 0 && len <= NAME_MAX_BYTES)
		return conf_form_name(name, err, errlen);
	snprintf(err, errlen, "a name has 1 to %d bytes", NAME_MAX_BYTES);
	return false;
}

bool
conf_uuid_good(const char *uuid, char *err, size_t errlen)
{
	return conf_form_uuid(uuid, err, errlen);
}

/* --- namespaces and hosts ----------------------------------------------------------------------------------------- */

int
conf_namespace_add(struct conf_subsystem *s, unsigned int nsid, struct conf_volume *volume)
{
	struct conf_namespace *list = realloc(s->namespaces, (s->n_namespaces + 1) * sizeof(*list));

	if (list == NULL)
		return -ENOMEM;
	s->namespaces = list;
	list[s->n_namespaces++] = (struct conf_namespace){.nsid = nsid, .volume = volume, .line = s->line};
	return 0;
}

void
conf_namespace_remove(struct conf_subsystem *s, unsigned int nsid)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < s->n_namespaces; i++)
		if (s->namespaces[i].nsid != nsid)
			s->namespaces[n++] = s->namespaces[i];
	s->n_namespaces = n;
}

bool
conf_host_good(const char *nqn, char *err, size_t errlen)
{
	size_t len = strlen(nqn);
	char why[200];

	if (len == 0 || len > NQN_MAX_BYTES) {
		snprintf(err, errlen, "a host's name has 1 to %d bytes", NQN_MAX_BYTES);
		return false;
	}
	if (conf_form_nqn(nqn, why, sizeof(why)))
		return true;
	snprintf(err, errlen, "%s", why);
	return false;
}

int
conf_host_add(struct conf_subsystem *s, const char *nqn)
{
	const char **list = realloc(s->hosts, (s->n_hosts + 1) * sizeof(*list));

	if (list == NULL)
		return -ENOMEM;
	s->hosts = list;
	list[s->n_hosts] = strdup(nqn);
	if (list[s->n_hosts] == NULL)
		return -ENOMEM;
	s->n_hosts++;
	return 0;
}

void
conf_host_remove(struct conf_subsystem *s, const char *nqn)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < s->n_hosts; i++) {
		if (strcmp(s->hosts[i], nqn) == 0)
			free((char *)s->hosts[i]);
		else
			s->hosts[n++] = s->hosts[i];
	}
	s->n_hosts = n;
}
