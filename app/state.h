/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef STATE_H
#define STATE_H

/** @file Small files in the appliance's state folder, each replaced whole: the old one or the new one is there. */

#include <stddef.h>

/** @return bytes read into *out (the caller's to free), 0: there is no such file; or -errno. */
long state_read(const char *folder, const char *name, char **out);
/** Durable on return. The folder is made if need be. @return 0 or -errno, and then the old one is there. */
int state_write(const char *folder, const char *name, const char *data, size_t len);

#endif /* STATE_H */
