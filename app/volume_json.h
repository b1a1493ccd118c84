/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef VOLUME_JSON_H
#define VOLUME_JSON_H

/** @file A volume's configuration as JSON, and back: as it is kept over restarts, and as commands put it together. */

#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "conf.h"

/** {"group", "size", "lba", "read_only", "uuid", "stages": [...]}; its uuid is set. */
json_t *volume_print(const struct conf_volume *v);
/** {"name", "lcore", "keys": {KEY: TEXT}} */
json_t *volume_stage_print(const struct conf_stage *s);
/** Back, checked as the file would be. @return 0; -errno with one line in @p err; conf_volume_clear() frees @p v either
 * way. */
int volume_parse(const struct conf *conf, const char *name, const json_t *from, struct conf_volume *v, char *err,
		 size_t errlen);

/** Into 36 characters and their end; and back. */
void volume_uuid_print(const uint8_t *uuid, char out[37]);
int volume_uuid_parse(const char *text, uint8_t *uuid);

#endif /* VOLUME_JSON_H */
