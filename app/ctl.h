/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef CTL_H
#define CTL_H

/**
 * @file
 * The control socket: a UNIX stream socket that only its owner may open. A request is one line, `command key=value
 * ...`; the answer is one JSON object on a line, {"ok": true, ...} or {"ok": false, "error": "..."}. Commands run on
 * main.
 */

#include "boot.h"

int ctl_up(struct appliance *a);
void ctl_down(struct appliance *a);

/** Carry out one line; for the socket and for tests. Writes the answer without newline. */
void ctl_execute(struct appliance *a, const char *line, char *out, size_t outlen);

#endif /* CTL_H */
