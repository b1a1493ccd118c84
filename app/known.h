/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef KNOWN_H
#define KNOWN_H

/**
 * @file
 * What dedup knows outlives a restart: its index is kept in a volume of its store that nobody is offered, and which is
 * sealed if its domain is. Saved from time to time and at the end; loaded in the background at the start. Both are
 * advice: what is lost or old costs hits, never data.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "boot.h"

struct known;
struct store;
struct strake_stage;

struct known_conf {
	const char *name; /**< of the volume */
	struct store *store;
	struct strake_stage *dedup;
	struct strake_stage *seal; /**< or NULL */
	uint32_t domain;	   /**< the store's number */
	uint16_t lcore;		   /**< on which the index lives */
};

/** Open or make the volume. Main; then log_lcore_init(known_volume()) on each data lcore. */
int known_open(struct known **out, const struct known_conf *conf, char *err, size_t errlen);
struct strake_volume *known_volume(const struct known *k);
/** The stage that leads to the index goes: this is another of the same store and domain. Main; nothing is under way. */
void known_rehome(struct known *k, struct strake_stage *dedup);
/** Begin to load or to save. Main. @return 0, -EBUSY: the last is not over. */
int known_load(struct known *k);
int known_save(struct known *k);
/** Has what was begun ended? *status: 0 or -errno; *entries that were loaded. */
bool known_over(const struct known *k, int *status, uint64_t *entries);
/** Nothing is under way, and the lcores' parts of the volume are gone. Main. */
void known_close(struct known *k);

/** Steps of bring-up. */
int known_up(struct appliance *a);
void known_down(struct appliance *a);
/** A volume came: what its domain knows is kept from now on. */
void known_join(struct appliance *a, const struct conf_volume *v);
/** A volume goes: what its domain knows is reached by way of another; with the last one it is forgotten. Main; runs
 * turns. @return 0; -EAGAIN: it is being loaded or saved just now. */
int known_leave(struct appliance *a, const struct conf_volume *v);

/** Of a domain without volumes: what was kept of it goes. Main; runs turns. */
void known_forget(struct appliance *a, unsigned int g, uint32_t domain);

#endif /* KNOWN_H */
