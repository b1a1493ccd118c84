/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "later.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl.h"

static struct later *waiting;

struct later *
later_new(struct appliance *a, const char *volume)
{
	struct later *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return NULL;
	l->a = a;
	snprintf(l->volume, sizeof(l->volume), "%s", volume != NULL ? volume : "");
	l->next = waiting;
	waiting = l;
	return l;
}

static void
drop(struct later *l)
{
	struct later **at = &waiting;

	while (*at != l)
		at = &(*at)->next;
	*at = l->next;
}

void
later_cancel(struct later *l)
{
	drop(l);
	free(l);
}

int
later_defer(struct later *l)
{
	l->request = ctl_defer();
	return CTL_LATER;
}

void
later_ready(void *later)
{
	((struct later *)later)->waits--;
}

bool
later_has(const char *volume)
{
	for (const struct later *l = waiting; l != NULL; l = l->next) {
		if (strcmp(l->volume, volume) == 0)
			return true;
	}
	return false;
}

uint32_t
later_poll(uint64_t now)
{
	for (struct later *l = waiting; l != NULL; l = l->next) {
		char err[BOOT_ERR_MAX] = "";
		int ret = 0;

		if (l->waits > 0)
			continue;
		if (l->finish != NULL)
			ret = l->finish(l, err, sizeof(err));
		if (ret == -EAGAIN && now < l->until)
			continue;
		drop(l);
		ctl_finish(l->request, ret, err);
		free(l);
		return 1; /* the list may be another now */
	}
	return 0;
}
