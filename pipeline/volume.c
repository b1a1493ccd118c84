/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <errno.h>
#include <string.h>

#include "slab.h"

static struct strake_volume *first;

int
strake_volume_add(struct strake_volume *vol)
{
	struct strake_volume **at = &first;
	int ret;

	if (strake_volume_find(vol->name) != NULL)
		return -EEXIST;
	ret = slab_create(vol);
	if (ret < 0)
		return ret;
	while (*at != NULL)
		at = &(*at)->next;
	vol->next = NULL;
	*at = vol;
	return 0;
}

int
strake_volume_resize(struct strake_volume *vol, uint64_t nlb)
{
	int ret = slab_extend(vol, nlb);

	/* Submit reads it on every lcore; each of the two sizes is good. */
	if (ret == 0)
		__atomic_store_n(&vol->nlb, nlb, __ATOMIC_RELEASE);
	return ret;
}

void
strake_volume_del(struct strake_volume *vol)
{
	struct strake_volume **at = &first;

	while (*at != NULL && *at != vol)
		at = &(*at)->next;
	if (*at == NULL)
		return;
	*at = vol->next;
	slab_destroy(vol);
}

struct strake_volume *
strake_volume_find(const char *name)
{
	struct strake_volume *vol = first;

	while (vol != NULL && strcmp(vol->name, name) != 0)
		vol = vol->next;
	return vol;
}

struct strake_volume *
strake_volume_first(void)
{
	return first;
}
