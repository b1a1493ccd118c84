/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef KINDS_H
#define KINDS_H

/** @file The kinds of drives and the stages that are linked in, as the loader of the configuration asks for them. */

#include "conf.h"

extern const struct conf_kinds kinds_registered;

#endif /* KINDS_H */
