/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef CONF_VALUE_H
#define CONF_VALUE_H

/**
 * @file
 * One value against one key of a table: from text to number, and back.
 */

#include "conf_tree.h"

#ifdef __cplusplus
extern "C" {
#endif

#define CONF_TEXT 48 /* room for any number as text */

/**
 * Check a value. @param num out: its number (index of a choice).
 * @return true; or false and in @p err what is wrong and what would be right, one clause without the key's name.
 */
bool conf_value_parse(const struct conf_key *key, const char *text, uint64_t *num, char *err, size_t errlen);
/** As one would write it: 64KiB, 5ms, true. */
void conf_value_print(const struct conf_key *key, uint64_t num, char out[CONF_TEXT]);
/** What a key takes, for messages and the reference: "size, 4KiB to 1MiB, a power of two". */
void conf_value_expected(const struct conf_key *key, char *out, size_t len);
/** Text as messages quote it: in quotes, at most 40 bytes of it. */
const char *conf_quote(const char *text, char out[64]);

/** Nearest of a list of words by edit distance: begin with best NULL, offer them all. */
struct conf_near {
	const char *word, *best;
	unsigned int distance;
};
void conf_near_offer(struct conf_near *near, const char *candidate);

/** Check the keys of a mapping that are in @p keys; others are not looked at. @p folder: relative paths are taken from
 * it. @return the values; NULL when errors were added. */
struct conf_values *conf_values_load(const struct conf_key *keys, struct conf_node *map, const char *folder,
				     struct conf_errors *errs);
/** A path as the configuration means it, from @p folder if it is relative; the caller's to free. */
char *conf_path(const char *folder, const char *path);

#ifdef __cplusplus
}
#endif

#endif /* CONF_VALUE_H */
