/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef TOP_H
#define TOP_H

/** @file The live view: what happened between two looks at an appliance. */

#include <stdio.h>

#include <jansson.h>

#include "link.h"

#ifdef __cplusplus
extern "C" {
#endif

/** One look: {"status", "volume", "lcore", "stage", "drive"}. @return 0 or -errno with a line in @p err. */
int top_look(struct tel *t, json_t **out, char *err);
/** The screen, plain lines, from two looks @p secs apart. */
void top_render(const json_t *before, const json_t *now, double secs, FILE *out);
/** Quantile (0 to 1) of what a latency histogram gained between two looks, ns; 0 when nothing. */
double top_quantile(const json_t *before, const json_t *now, double q);
/** Redraw every @p secs until q, or a signal. @return enum cli_exit. */
int top_run(struct tel *t, double secs);

#ifdef __cplusplus
}
#endif

#endif /* TOP_H */
