/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef SUBMIT_H
#define SUBMIT_H

#include "strake_req.h"

/* strake_unit::pos of a request on its way to the owner of its slab, and of a unit that has ended at home. */
#define POS_ARRIVING 0xfe
#define POS_ENDED    0xff

/** A request is on the lcore that was its slab's owner when it was sent: begin it, or send it on. */
void submit_arrive(struct strake_req *req);

#endif /* SUBMIT_H */
