/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef PLAN_H
#define PLAN_H

/**
 * @file
 * From the checked configuration to drives, groups, chains and volumes.
 */

#include "boot.h"

/** What the loader asks of the registries. */
extern const struct conf_kinds plan_kinds;

int plan_drives_up(struct appliance *a);
void plan_drives_down(struct appliance *a);
/**
 * A drive that could not be opened at boot, or not be taken back, is there again: open it, and give it to its group.
 * @return 0: the group looks at it; -ENOENT: no such drive; -errno with one line in @p err.
 */
int plan_drive_return(struct appliance *a, const char *name, char *err, size_t errlen);
/** Close drive @p i on every lcore; nobody uses it. @p why: for whoever asks where it is. */
void plan_drive_close(struct appliance *a, unsigned int i, const char *why);
int plan_groups_up(struct appliance *a);
void plan_groups_down(struct appliance *a);
int plan_volumes_up(struct appliance *a);
void plan_volumes_down(struct appliance *a);

#endif /* PLAN_H */
