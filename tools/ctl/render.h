/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef RENDER_H
#define RENDER_H

/**
 * @file
 * Any telemetry answer as text, by its shape: a dictionary in two columns, a list of dictionaries as a table. Units
 * follow from the ends of names (bytes, ns, cycles), never from a list of known fields.
 */

#include <stddef.h>
#include <stdio.h>

#include <jansson.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Anything. Tables are cut to @p width columns, and say so; 0: never. */
void render(const json_t *value, FILE *out, int width);
/** One value beside its name, in human units, no line break. @return @p text. */
char *render_value(const char *key, const json_t *value, char *text, size_t len);

#ifdef __cplusplus
}
#endif

#endif /* RENDER_H */
