/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef USAGE_H
#define USAGE_H

/** @file Where a store's space went, drawn. */

#include <stdio.h>

#include <jansson.h>

#ifdef __cplusplus
extern "C" {
#endif

/** @p store, @p group: as telemetry tells them; @p volume: one of its, or NULL. @p width of the screen, 0: 80. */
void usage_draw(FILE *out, const json_t *store, const json_t *group, const json_t *volume, int width);

#ifdef __cplusplus
}
#endif

#endif /* USAGE_H */
