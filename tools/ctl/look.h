/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef LOOK_H
#define LOOK_H

/** @file Looking: what telemetry says, as the options want it. All return enum cli_exit, after a line on stderr. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#ifdef __cplusplus
extern "C" {
#endif

struct tel;

struct opts {
	const char *name, *socket, *control;
	const char *shrink, *at;
	const char *group, *like, *stages, *domain, *uuid, *subsystem; /* of a volume that is made */
	const char *key_file, *keyring;
	uint64_t size;
	uint32_t lba, nsid;
	bool json, wide, yes, read_only, reserved, erase_keys;
	uint64_t every, rate;
	uint32_t sample, lcore;
};

/** Where the appliance's telemetry socket is. */
void look_path(const struct opts *o, char *path, size_t len);
int look_open(const struct opts *o, struct tel **t);
/** Print a value, which is taken. */
int look_show(const struct opts *o, json_t *value);
/** Ask one path, or with @p kind all of that kind. @p missing: what an empty answer means. */
int look_ask(const struct opts *o, const char *query, const char *kind, const char *missing, json_t **v);
int look_query(const struct opts *o, const char *query, const char *missing);
/** What there is to know of one thing of a kind, which the caller puts or shows. @return as look_ask(). */
int look_info(const struct opts *o, const char *kind, const char *name, json_t **out);
/** KIND [list | show NAME] */
int look_list_or_show(const struct opts *o, const char *kind, int argc, char **argv);
/** Add to @p into how far sealing anew has come in a log group that has keys; NULL: nothing. */
void look_reseal(const struct opts *o, json_t *into, const char *group);
/** A store, or a volume of one, and where the space went. Others are shown as they are. */
int look_space(const struct opts *o, const char *kind, const char *name);

#ifdef __cplusplus
}
#endif

#endif /* LOOK_H */
