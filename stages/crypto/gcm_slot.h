/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef CRYPTO_GCM_SLOT_H
#define CRYPTO_GCM_SLOT_H

/**
 * @file
 * The sessions an lcore has at hand, by (domain, epoch, opening, direction). What is not here is asked of main.
 *
 * Each entry is of a *generation* of the keys; when keys change, main begins another, and entries of older ones are
 * found no more and freed as soon as no job uses them.
 */

#include <stdbool.h>
#include <stdint.h>

#include "gcm_device.h"

#ifdef __cplusplus
extern "C" {
#endif

#define GCM_SLOTS 128u

/** What is looked for. Epoch 0: whatever the domain writes with; then opening is 0 too. */
struct gcm_want {
	uint32_t domain;
	uint16_t epoch, opening;
};

struct gcm_slot {
	struct gcm_want want;
	uint16_t epoch, opening; /**< what it is */
	uint32_t generation;	 /**< 0: the slot is empty */
	uint32_t jobs;		 /**< that use it */
	uint64_t used;		 /**< the larger, the later */
	void *session;		 /**< the device's */
	void *soft;		 /**< in its place, when the device is lost; neither: there is no such key */
};

struct gcm_slots {
	const struct gcm_device *dev;
	uint64_t clock;
	struct gcm_slot slot[GCM_SLOTS];
};

/** @return NULL: not here, or of an older generation. */
struct gcm_slot *gcm_slots_find(struct gcm_slots *s, const struct gcm_want *want, uint32_t generation);
/** A slot to be set, empty; another's session may go for it. @return NULL: all are in use by jobs. */
struct gcm_slot *gcm_slots_new(struct gcm_slots *s, const struct gcm_want *want);
/** Free what is of another generation and not in use. @return true when nothing of them is left. */
bool gcm_slots_sweep(struct gcm_slots *s, uint32_t generation);

#ifdef __cplusplus
}
#endif

#endif /* CRYPTO_GCM_SLOT_H */
