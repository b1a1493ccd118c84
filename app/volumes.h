/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef VOLUMES_H
#define VOLUMES_H

/** @file Commands of the control socket that make, resize and delete volumes, durably (overlay.h). */

#include "ctl.h"

/**
 * volume create name=NAME group=GROUP size=BYTES [lba=512|4096] [stages=A,B,C|none] [domain=NAME] [like=VOLUME]
 * [read_only=true] [uuid=UUID] [subsystem=NQN [nsid=N]]
 */
int volumes_create(struct appliance *a, const struct ctl_request *r, json_t *answer);
/** volume delete name=NAME sure=NAME [reserved=true] [keys=true]; answered when no host has it any more and it cannot
 * come back. One that is offline needs no key for that. With keys those of its domain are destroyed first, which nobody
 * else may have. */
int volumes_delete(struct appliance *a, const struct ctl_request *r, json_t *answer);
/** volume resize name=NAME size=BYTES [shrink=NAME] */
int volumes_resize(struct appliance *a, const struct ctl_request *r, json_t *answer);

/** The volume that a request names, and that no other command is at work on; NULL: @p answer says why not. */
struct conf_volume *volumes_find(struct appliance *a, const char *name, json_t *answer);

#endif /* VOLUMES_H */
