/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef CONF_CHECK_H
#define CONF_CHECK_H

#include "conf_section.h"

#ifdef __cplusplus
extern "C" {
#endif

struct conf_check {
	struct conf_tree *tree;
	const struct conf_kinds *kinds;
	struct conf_errors *errs;
	const char *folder; /* relative paths are taken from it */
};

/**
 * Check every key and value on its own, and make the tree complete: defaults are added, numbers become plain decimals,
 * paths absolute, `hosts: any` becomes `any_host: true`, and each item gets the `line` it stands on.
 */
void conf_check_keys(struct conf_check *ck);
/** Check what one value says of another: duplicates, RAID rules, listeners and their ports... */
void conf_check_rules(struct conf_check *ck);
/** The same for what selects connections and requests: `access:` and `classes:`. Called by conf_check_rules(). */
void conf_check_match_rules(struct conf_check *ck);
/** The same for `device:`, `members:` and `exception:` of a port. Called by conf_check_rules(). */
void conf_check_device_rules(struct conf_check *ck);
/** What is allowed, but hardly meant. Only for a tree without errors. */
void conf_check_warnings(struct conf_check *ck);
void conf_check_match_warnings(struct conf_check *ck);

/** Item of a section by what it is referred to by, its name or NQN; or NULL. */
struct conf_node *conf_item(const struct conf_tree *tree, const char *section, const char *name);
/** First item of a list section, or NULL (then ->next). */
struct conf_node *conf_first(const struct conf_tree *tree, const char *section);

#ifdef __cplusplus
}
#endif

#endif /* CONF_CHECK_H */
