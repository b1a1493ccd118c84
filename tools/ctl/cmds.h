/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef CMDS_H
#define CMDS_H

/** @file Commands of strakectl that have files of their own: one for each noun. @p o: struct opts. */

int cmd_volume(void *o, int argc, char **argv);
int cmd_drive(void *o, int argc, char **argv);
int cmd_group(void *o, int argc, char **argv);
int cmd_namespace(void *o, int argc, char **argv);
int cmd_host(void *o, int argc, char **argv);
int cmd_controller(void *o, int argc, char **argv);
int cmd_listener(void *o, int argc, char **argv);

#endif /* CMDS_H */
