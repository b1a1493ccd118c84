/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <string.h>

#include "gcm_slot.h"
#include "gcm_soft.h"

#define WAYS 8u

/* The first of the WAYS slots in which @p want may stand. */
static struct gcm_slot *
set_of(struct gcm_slots *s, const struct gcm_want *want)
{
	uint64_t key = (uint64_t)want->domain << 32 | (uint32_t)want->epoch << 16 | want->opening;

	return &s->slot[(key * 0x9e3779b97f4a7c15ULL) >> 32 & (GCM_SLOTS - 1) & ~(WAYS - 1)];
}

static void
empty(struct gcm_slots *s, struct gcm_slot *slot)
{
	gcm_device_session_free(s->dev, slot->session);
	gcm_soft_session_free(slot->soft);
	memset(slot, 0, sizeof(*slot));
}

struct gcm_slot *
gcm_slots_find(struct gcm_slots *s, const struct gcm_want *want, uint32_t generation)
{
	struct gcm_slot *set = set_of(s, want);

	for (unsigned int i = 0; i < WAYS; i++) {
		struct gcm_slot *slot = &set[i];

		if (slot->generation == generation && slot->want.domain == want->domain &&
		    slot->want.epoch == want->epoch && slot->want.opening == want->opening) {
			slot->used = ++s->clock;
			return slot;
		}
	}
	return NULL;
}

struct gcm_slot *
gcm_slots_new(struct gcm_slots *s, const struct gcm_want *want)
{
	struct gcm_slot *set = set_of(s, want), *oldest = NULL;

	for (unsigned int i = 0; i < WAYS; i++)
		if (set[i].jobs == 0 && (oldest == NULL || set[i].used < oldest->used))
			oldest = &set[i];
	if (oldest == NULL)
		return NULL;
	empty(s, oldest);
	oldest->want = *want;
	oldest->used = ++s->clock;
	return oldest;
}

bool
gcm_slots_sweep(struct gcm_slots *s, uint32_t generation)
{
	bool clean = true;

	for (unsigned int i = 0; i < GCM_SLOTS; i++) {
		struct gcm_slot *slot = &s->slot[i];

		if (slot->generation == generation || slot->generation == 0)
			continue;
		if (slot->jobs == 0)
			empty(s, slot);
		else
			clean = false;
	}
	return clean;
}
