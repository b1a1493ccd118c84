/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef ADMIN_H
#define ADMIN_H

/**
 * @file
 * Commands of the control socket on log groups and their keys.
 */

#include "ctl.h"

/** group scrub name=GROUP [rate=BYTES_A_SECOND], group rest name=GROUP: read every row with its parity, and mend. */
int admin_scrub(struct appliance *a, const struct ctl_request *r, json_t *answer);
/** group rate name=GROUP bytes=N: what rebuild and growth may write in a second; 0: no limit. */
int admin_rate(struct appliance *a, const struct ctl_request *r, json_t *answer);
/** group grow name=GROUP drive=NAME: a spare becomes a member more, and columns move to it. */
int admin_grow(struct appliance *a, const struct ctl_request *r, json_t *answer);
/** key rotate name=GROUP: new keys, one for each domain; what is there is sealed anew in the background. */
int admin_key_rotate(struct appliance *a, const struct ctl_request *r, json_t *answer);
/** key reseal name=GROUP [rate=BYTES] | key rest name=GROUP: go on with that, so fast; pause. */
int admin_key_reseal(struct appliance *a, const struct ctl_request *r, json_t *answer);
/** key rewrap name=GROUP [key_file=PATH | keyring=NAME]: wrap its keys anew by the key that is there; without a place,
 * by the one that came to where the last was. */
int admin_key_rewrap(struct appliance *a, const struct ctl_request *r, json_t *answer);
/** key erase volume=NAME: crypto-erase of the volume's domain. Its volumes are emptied, its keys destroyed; a new key
 * is made for what is written later. Refused while a host has one of them. */
int admin_key_erase(struct appliance *a, const struct ctl_request *r, json_t *answer);

#endif /* ADMIN_H */
