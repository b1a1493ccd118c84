/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef OVERLAY_H
#define OVERLAY_H

/**
 * @file
 * What strakectl did to volumes and namespaces, kept in the state folder (changes.json) and laid over the configuration
 * file at the next start.
 *
 * Which volumes there are and what they hold, stores and groups know from their drives. This says what is to be served,
 * and how: volumes made while the appliance ran, those deleted that the file still names, sizes and namespaces, and
 * where the keys are that wrap those of groups. Each is kept as a difference to the file, so that the file can go on
 * being edited. Where both have a word about the same thing, what was done last counts if that can be told, else the
 * file; and it is said on stderr. A name that was deleted is not served again because the file has it.
 *
 * Main only. Changes are durable when they return 0, and have not happened when they return -errno.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conf.h"
#include "kek.h"

/** Read what is kept, and make @p conf what it says. Before anything is built.
 * @return 0; -errno with one line in @p err: there is something, and it cannot be read. */
int overlay_load(struct conf *conf, char *err, size_t errlen);
void overlay_free(void);

/** A volume is about to be made. Its uuid is set. */
int overlay_volume_made(const struct conf_volume *v);
/** It could not be. */
void overlay_volume_unmade(const char *name);
/** A volume, of this group and identity, is about to be deleted; what it is called is not served from a file again.
 * @p domain: the keys of that domain are about to be destroyed first; NULL: they stay. */
int overlay_volume_deleted(const struct conf_volume *v, const uint8_t *uuid, const uint32_t *domain);
/** It is @p bytes long from now on; v->size is still what it was. */
int overlay_volume_resized(const struct conf_volume *v, uint64_t bytes);
/** Is its size from here? What the group has of it may be as long as before, if power went meanwhile. */
bool overlay_resized(const char *volume);
/** It is a namespace from now on, or not any more. */
int overlay_namespace(const char *nqn, unsigned int nsid, const char *volume, bool added);

/** The group's keys are about to be wrapped by the key that is at @p now. The one at @p before may be it still. */
int overlay_kek_moved(const struct conf_group *g, const struct kek_place *now, const struct kek_place *before);
/** The i-th place where the key that wraps a group's keys may be; the first is what its volumes say.
 * @return 0, -ENOENT. */
int overlay_kek(const struct conf_group *g, unsigned int i, struct kek_place *out);

struct overlay_gone {
	const char *name, *group;
	uint8_t uuid[16];
	bool keys; /**< those of domain were to be destroyed first */
	uint32_t domain;
};
/** The i-th deleted volume that is remembered: what its group still holds of it is to be deleted, too.
 * @return 0, -ENOENT. */
int overlay_gone(unsigned int i, struct overlay_gone *out);
/** That is done: remember only those whose names the file has. */
void overlay_gone_done(void);

#endif /* OVERLAY_H */
