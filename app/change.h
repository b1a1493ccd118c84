/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef CHANGE_H
#define CHANGE_H

/**
 * @file
 * Commands of the control socket that change what hosts see, on the appliance and in its configuration. Those of
 * namespaces are remembered over a restart (overlay.h), the others by `config save`.
 */

#include "ctl.h"

/** namespace add subsystem=NQN volume=NAME [nsid=N] */
int change_namespace_add(struct appliance *a, const struct ctl_request *r, json_t *answer);
/** namespace remove subsystem=NQN volume=NAME | nsid=N; answered when its last command has ended. */
int change_namespace_remove(struct appliance *a, const struct ctl_request *r, json_t *answer);
/** listener ana address=ADDRESS service=PORT state=optimized|non_optimized|inaccessible|change */
int change_listener_ana(struct appliance *a, const struct ctl_request *r, json_t *answer);
/** controller drop id=N */
int change_controller_drop(struct appliance *a, const struct ctl_request *r, json_t *answer);
/** host allow|deny subsystem=NQN host=NQN */
int change_host(struct appliance *a, const struct ctl_request *r, json_t *answer);

/** The subsystem that a request names; NULL: @p answer says why not. */
struct conf_subsystem *change_subsystem(struct appliance *a, const struct ctl_request *r, json_t *answer);
/** Is there a namespace of this number in a subsystem, whether hosts see it or not? */
bool change_nsid_taken(const struct conf_subsystem *s, uint64_t nsid);
/** Offer a volume as namespace @p nsid, 0: the lowest that is free. */
int change_namespace(struct appliance *a, struct conf_subsystem *s, uint64_t nsid, struct conf_volume *v,
		     json_t *answer);

#endif /* CHANGE_H */
