/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef CHANGE_H
#define CHANGE_H

/**
 * @file
 * Commands of the control socket that change what hosts see, on the appliance and in its configuration.
 */

#include "ctl.h"

/** namespace add subsystem=NQN volume=NAME [nsid=N] */
int change_namespace_add(struct appliance *a, const struct ctl_request *r, json_t *answer);
/** namespace remove subsystem=NQN volume=NAME | nsid=N; answered when its last command has ended. */
int change_namespace_remove(struct appliance *a, const struct ctl_request *r, json_t *answer);
/** volume resize name=NAME size=BYTES [shrink=NAME] */
int change_volume_resize(struct appliance *a, const struct ctl_request *r, json_t *answer);
/** listener ana address=ADDRESS service=PORT state=optimized|non_optimized|inaccessible|change */
int change_listener_ana(struct appliance *a, const struct ctl_request *r, json_t *answer);
/** controller drop id=N */
int change_controller_drop(struct appliance *a, const struct ctl_request *r, json_t *answer);
/** host allow|deny subsystem=NQN host=NQN */
int change_host(struct appliance *a, const struct ctl_request *r, json_t *answer);

/** What a deferred command has left to do: outside of messages, since it may run turns of the loop. */
uint32_t change_poll(void);

#endif /* CHANGE_H */
