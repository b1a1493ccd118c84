/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef GONE_H
#define GONE_H

/** @file Volumes that were deleted: what their stores and keys forget of them, and what of that the last run left. */

#include "boot.h"
#include "overlay.h"

/**
 * Forget a volume of an open store, and its keys if that was asked.
 *
 * First the keys, then the volume: while that is there, the next start knows what is left to do. What came to share
 * them since the command was given keeps them.
 * @return 0; -EBUSY: it is forgotten, but not its keys; -errno; with why in @p err.
 */
int gone_forget(struct appliance *a, const struct overlay_gone *gone, char *err, size_t errlen);

/** Step of bring-up, between stores and volumes: what deletion had begun is ended, and what nobody names is told. */
int gone_settle(struct appliance *a);
/** The same of one log group, the store of which is open only now. */
void gone_settle_group(struct appliance *a, unsigned int g);

#endif /* GONE_H */
