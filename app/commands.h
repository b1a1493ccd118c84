/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef COMMANDS_H
#define COMMANDS_H

/** @file The table of what the control socket understands; those that need no room of their own are here. */

#include "boot.h"

/** Step of bring-up: open the control socket for them. ctl_down() closes it. */
int commands_up(struct appliance *a);

#endif /* COMMANDS_H */
