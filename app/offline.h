/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef OFFLINE_H
#define OFFLINE_H

/**
 * @file
 * Volumes of the configuration that are not served because the key of their group is not there, and how they come back.
 *
 * Hosts do not see them: a namespace of one is not attached, and is added with its event when the volume is back. A
 * namespace that is there and not ready would be scanned for partitions and fail command by command, a path that is
 * inaccessible would have hosts queue what they send for as long as the key is missing; one that appears is something
 * that each of them knows. Main.
 */

#include "ctl.h"

/** Why a volume is offline, in a word or two; NULL: it is served. @p why: the whole line. Once the step of volumes is
 * done. */
const char *offline_word(const struct appliance *a, const struct conf_volume *v, const char **why);
unsigned int offline_count(const struct appliance *a);
/** Have them listed with the volumes that are served. */
int offline_up(struct appliance *a);
void offline_down(struct appliance *a);

/** Have the store of a log group open, though all its volumes may be offline. @return 0; -errno, one line in a->err. */
int offline_store(struct appliance *a, unsigned int g);

/** key load name=GROUP: look for the group's key again, and serve its volumes if it is the right one. */
int offline_load(struct appliance *a, const struct ctl_request *r, json_t *answer);

#endif /* OFFLINE_H */
