/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef KEYS_H
#define KEYS_H

/**
 * @file
 * Keys that no chunk was sealed with are forgotten, so that a group can be opened without end. Main.
 */

#include <stdint.h>

struct store;
struct strake_stage;
struct keys_tidy;

/** Openings in the table of keys from which on it is worth reading the whole store. */
#define KEYS_TIDY_FROM 1024u

/** If there are @p from openings or more: have the store tell which keys it needs, and forget the rest when it has.
 * @return NULL: nothing to do, or no memory; else keys_tidy_end() before the store is closed. */
struct keys_tidy *keys_tidy_begin(struct store *st, struct strake_stage *seal, unsigned int from);
/** @return 0: done, *forgotten keys and openings are gone; -EINPROGRESS; or why all were kept. */
int keys_tidy_status(const struct keys_tidy *t, unsigned int *forgotten);
void keys_tidy_end(struct keys_tidy *t);

#endif /* KEYS_H */
