/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef CONF_FILL_H
#define CONF_FILL_H

#include "conf_check.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Fill a structure from a tree that has been checked and completed. NULL, and an error, if libcyaml will not. */
struct conf *conf_fill(struct conf_tree *tree, const char *file, struct conf_errors *errs);

#ifdef __cplusplus
}
#endif

#endif /* CONF_FILL_H */
