/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef LINK_H
#define LINK_H

/**
 * @file
 * The two ways to an appliance: the DPDK telemetry socket to look at it, its control socket to change it.
 */

#include <jansson.h>

#ifdef __cplusplus
extern "C" {
#endif

#define LINK_ERR_MAX 320

struct tel;

/** Connect to a telemetry socket and read its greeting. @return 0 or -errno, with a line in @p err (LINK_ERR_MAX). */
int tel_open(struct tel **out, const char *path, char *err);
void tel_close(struct tel *t);
/**
 * Ask "/command" or "/command,params".
 * @return 0 and *out, the answer without its wrapping (the caller's; JSON null when the appliance knows no such thing);
 *         -errno with a line in @p err.
 */
int tel_ask(struct tel *t, const char *query, json_t **out, char *err);
/** A list command, all its pages: an array (or what else it answers with). */
int tel_ask_list(struct tel *t, const char *command, json_t **out, char *err);
/**
 * All of a kind with their figures: NAME/list, then NAME/info of each name. An array of dictionaries. What vanishes
 * between the two questions is left out. When there is no info, the list itself.
 */
int tel_ask_all(struct tel *t, const char *kind, json_t **out, char *err);

/** One line to a control socket; *out the answer. @return 0, -errno with a line in @p err. */
int control_ask(const char *path, const char *line, json_t **out, char *err);

#ifdef __cplusplus
}
#endif

#endif /* LINK_H */
