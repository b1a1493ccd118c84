/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef FIGURES_H
#define FIGURES_H

/**
 * @file
 * The telemetry of the appliance as a whole: /strake/status, lcores, stages, drives, pools, trace. Rooms that own
 * objects of their own (ports, connections, groups, volumes, controllers) publish those themselves.
 */

#include "boot.h"

int figures_up(struct appliance *a);
/** The part of stores; figures_up() calls it. */
int figures_stores_up(void);
/** The part of keys; likewise. */
int figures_keys_up(const struct appliance *a);

#endif /* FIGURES_H */
