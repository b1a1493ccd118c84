/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef CUT_H
#define CUT_H

#include "strake_req.h"

/** A request that crosses slabs: cut it, now or as soon as the pools allow. On the lcore that submitted it. */
void cut_begin(struct strake_req *req);
/** Some request of this lcore was cancelled: look for it among those that wait. */
void cut_cancelled(void);

#endif /* CUT_H */
