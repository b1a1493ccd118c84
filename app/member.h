/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef MEMBER_H
#define MEMBER_H

/**
 * @file
 * Who has a drive: the group it is a member or a spare of, as the groups themselves know it. Main. A drive may be NULL,
 * where not said otherwise: nobody has it.
 */

#include "boot.h"
#include "strake_drive.h"

struct group;
struct log_group;

/** The log group whose member this open drive is, and which one; or NULL. */
struct log_group *member_log_group(const struct appliance *a, const struct strake_drive *drive, unsigned int *member);
/** The same of plain groups. */
struct group *member_group(struct appliance *a, const struct strake_drive *drive, unsigned int *member);
/** The log group whose spare it is, or NULL. */
struct log_group *member_spare_of(const struct appliance *a, const struct strake_drive *drive);
/** Is it a spare, or a member that its group uses? */
bool member_in_service(struct appliance *a, const struct strake_drive *drive);
/** I/Os of an open drive that are not done. */
uint64_t member_under_way(const struct strake_drive *drive);
/** Does anybody use this open drive, if only a group that looks whether it may be a member? */
bool member_in_hand(const struct appliance *a, const struct strake_drive *drive);

#endif /* MEMBER_H */
