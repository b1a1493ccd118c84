/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "kinds.h"

#include <stddef.h>
#include <string.h>

#include "strake_drive.h"
#include "strake_stage.h"

static const struct conf_key *
drive_keys(const char *kind, bool *found)
{
	const struct strake_drive_ops *ops = strake_drive_find(kind);

	*found = ops != NULL;
	return ops != NULL ? ops->keys : NULL;
}

/* The stages that a volume is made of are not the operator's to name. */
static bool
for_operator(const struct strake_stage_ops *ops)
{
	return ops != NULL && strcmp(ops->name, "plain") != 0 && strcmp(ops->name, "stripe") != 0;
}

static const struct conf_key *
stage_keys(const char *stage, bool *found)
{
	const struct strake_stage_ops *ops = strake_stage_find(stage);

	*found = for_operator(ops);
	return *found ? ops->keys : NULL;
}

static const char *
drive_kind(unsigned int i)
{
	const struct strake_drive_ops *ops = strake_drive_kind(i);

	return ops != NULL ? ops->name : NULL;
}

static const char *
stage_name(unsigned int i)
{
	for (unsigned int at = 0;; at++) {
		const struct strake_stage_ops *ops = strake_stage_nth(at);

		if (ops == NULL)
			return NULL;
		if (for_operator(ops) && i-- == 0)
			return ops->name;
	}
}

const struct conf_kinds kinds_registered = {drive_keys, stage_keys, drive_kind, stage_name};
