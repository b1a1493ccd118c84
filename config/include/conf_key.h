/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef CONF_KEY_H
#define CONF_KEY_H

/**
 * @file
 * How a stage or a drive publishes its configuration keys, and reads their values.
 *
 * The loader checks every value against the table before anything starts; the reference page and `config save` are
 * made from the same table. A create() or open() therefore sees complete and valid values only.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum conf_type {
	CONF_STRING,   /**< any text, min..max bytes long if max is set */
	CONF_PATH,     /**< a file's name; relative ones are taken from the folder of the configuration file */
	CONF_UINT,     /**< 0, 17 */
	CONF_SIZE,     /**< bytes: 512, 4KiB, 10GiB */
	CONF_DURATION, /**< nanoseconds: 200us, 5ms, 30s, 2min, 12h, 7d */
	CONF_BOOL,     /**< true, false */
	CONF_CHOICE,   /**< one of choices[] ; value is its index */
};

/** One key. A table ends with a key whose name is NULL. */
struct conf_key {
	const char *name;
	enum conf_type type;
	bool required;
	bool power_of_two;
	uint64_t min, max;	    /**< of numbers; max 0: no limit. Of a string: its length. */
	const char *def;	    /**< default, as one would write it; NULL: none (absent) */
	const char *const *choices; /**< CONF_CHOICE: the words, ended by NULL */
	const char *help;	    /**< one sentence for the reference */
};

/** Checked values of one table. Lives as long as the configuration. */
struct conf_values;

/** Build values from key/value pairs as one would write them, ended by a NULL key: for tests and for callers without
 * a file. @return NULL and one line in @p err when a value is wrong. */
struct conf_values *conf_values_make(const struct conf_key *keys, const char *const *pairs, char *err, size_t errlen);
/** The same values but for one key; @p text NULL: without it. @return NULL and one line in @p err when its text is
 * wrong. */
struct conf_values *conf_values_with(const struct conf_values *v, const char *key, const char *text, char *err,
				     size_t errlen);
void conf_values_free(struct conf_values *v);

/** True when the key was given or has a default. */
bool conf_has(const struct conf_values *v, const char *key);
/** Text of a STRING, PATH or CHOICE; NULL when absent. Asking for a key the table lacks is a bug and aborts. */
const char *conf_str(const struct conf_values *v, const char *key);
/** Number of a UINT, SIZE (bytes), DURATION (ns), BOOL (0, 1) or CHOICE (index); 0 when absent. */
uint64_t conf_u64(const struct conf_values *v, const char *key);
/** Call @p fn for each value that is there, in the table's order, with its text as one would write it. */
void conf_values_walk(const struct conf_values *v, void (*fn)(const struct conf_key *key, const char *text, void *arg),
		      void *arg);

#ifdef __cplusplus
}
#endif

#endif /* CONF_KEY_H */
