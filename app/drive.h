/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef DRIVE_H
#define DRIVE_H

/**
 * @file
 * Commands of the control socket on drives. Those that wait for a drive or a group are answered later.
 */

#include "ctl.h"

/** drive fail|return name=NAME */
int drive_service(struct appliance *a, const struct ctl_request *r, json_t *answer);
/** drive locate name=NAME [light=off] */
int drive_locate(struct appliance *a, const struct ctl_request *r, json_t *answer);
/** drive look|format|sanitize name=NAME: the last two only when it is in no group's service. */
int drive_order(struct appliance *a, const struct ctl_request *r, json_t *answer);
/** drive remove name=NAME: out of service, let go, closed. */
int drive_remove(struct appliance *a, const struct ctl_request *r, json_t *answer);
/** drive add name=NAME [at=DEVICE]: opened, and given to its group. */
int drive_add(struct appliance *a, const struct ctl_request *r, json_t *answer);
/** drive replace name=NAME at=DEVICE: both, one after the other. */
int drive_replace(struct appliance *a, const struct ctl_request *r, json_t *answer);

/** What waits, and drives that came back by themselves: outside of messages, since it may run turns of the loop. */
uint32_t drive_poll(struct appliance *a, uint64_t now);
/** Forget all of it. */
void drive_down(struct appliance *a);

#endif /* DRIVE_H */
