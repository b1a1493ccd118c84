/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef SERVE_H
#define SERVE_H

/**
 * @file
 * Lcores, ports, fronts and listeners: what makes a planned appliance answer.
 */

#include "boot.h"

/** Make the lcores and the pools; this thread becomes main. */
int serve_lcores_up(struct appliance *a);
void serve_lcores_down(struct appliance *a);
/** Open ports and make the target; the data lcores' parts of everything. */
int serve_fronts_up(struct appliance *a);
void serve_fronts_down(struct appliance *a);
/** Start and stop the data lcores' loops; nothing is in them yet, or any more. */
int serve_loops_up(struct appliance *a);
void serve_loops_down(struct appliance *a);
int serve_data_up(struct appliance *a);
void serve_data_down(struct appliance *a);
/** Listen. Down: refuse hosts, let what is under way finish. */
int serve_listeners_up(struct appliance *a);
void serve_listeners_down(struct appliance *a);

#endif /* SERVE_H */
