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
