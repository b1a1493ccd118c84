/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef APP_EAL_H
#define APP_EAL_H

#include "boot.h"

/** Start EAL with what the configuration asks for: CPUs, memory, devices, name. Checks huge pages first.
 * @return 0 or -errno with one line in a->err. */
int eal_up(struct appliance *a);
void eal_down(struct appliance *a);

#endif /* APP_EAL_H */
