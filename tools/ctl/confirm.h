/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef CONFIRM_H
#define CONFIRM_H

/**
 * @file
 * Commands that take something away say what, and ask.
 */

#include <stdbool.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Is the operator sure? With @p yes (--yes) nothing is asked. A terminal is shown @p loss and must answer "yes";
 * anything else is told to say --yes.
 * @return enum cli_exit: CLI_OK to go on; CLI_USAGE after a line on stderr.
 */
int confirm(bool yes, const char *loss, bool terminal, FILE *in, FILE *out);

#ifdef __cplusplus
}
#endif

#endif /* CONFIRM_H */
