/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef CHANGE_H
#define CHANGE_H

/** @file Changing: one line to the appliance's control socket. All return enum cli_exit, after a line on stderr. */

#include <stdbool.h>

#include "look.h"

#ifdef __cplusplus
extern "C" {
#endif

/** May this stand in a line? It is split at spaces and `=`. */
bool change_word(const char *s);
/** Send a line; what the answer says is not printed. */
int change_quietly(const struct opts *o, const char *line);
/** Send a line; print what the answer says. */
int change(const struct opts *o, const char *line);
/** The same, of a change that takes something away: says what, and asks. */
int change_sure(const struct opts *o, const char *line, const char *loss, ...) __attribute__((format(printf, 3, 4)));

#ifdef __cplusplus
}
#endif

#endif /* CHANGE_H */
