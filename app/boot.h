/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef BOOT_H
#define BOOT_H

/**
 * @file
 * Bring-up and shutdown as a table of named steps. A step that fails says why; those before it are undone in reverse.
 */

#include <stdbool.h>

#include "conf.h"

#define BOOT_ERR_MAX 512

/** Everything app knows of the running appliance. One object, main lcore. */
struct appliance {
	const struct conf *conf;
	bool no_huge; /**< --no-huge, or `huge: false` */
	unsigned int n_data;
	int resume_fd;			  /**< keeps the kernel to `resume_us`; -1: not asked */
	struct strake_drive **drives;	  /**< as conf->drives; NULL: cannot be opened, its mirror goes on without it */
	char (*drive_why)[BOOT_ERR_MAX];  /**< as conf->drives: what was wrong with those */
	struct group **groups;		  /**< as conf->groups; NULL: a log group */
	struct log_group **log_groups;	  /**< as conf->groups; NULL: a plain group */
	struct store **stores;		  /**< as conf->groups; NULL: a plain group, or all its volumes are offline */
	struct strake_stage **seals;	  /**< as conf->groups: the one `seal` of its volumes, or NULL */
	const char **seals_off;		  /**< as conf->groups: why its sealed volumes are offline, or NULL */
	char (*seals_why)[BOOT_ERR_MAX];  /**< as conf->groups: that, with file and line */
	struct keys_tidy **tidies;	  /**< as conf->groups: forgetting keys, or NULL */
	struct strake_volume **volumes;	  /**< as conf->volumes; NULL: offline */
	struct port **ports;		  /**< as conf->ports */
	struct port_access **access;	  /**< as conf->ports; NULL where everybody may connect */
	struct tcp **tcps;		  /**< [port * STRAKE_LCORE_MAX + lcore index] */
	struct strake_carrier **carriers; /**< as conf->ports; one more, the last, for the kernel's sockets or NULL */
	int failed;			  /**< first error of a data lcore's part */
	char err[BOOT_ERR_MAX];		  /**< one line for the operator */
};

struct boot_step {
	const char *name;
	/** @return 0 or -errno with one line in a->err. */
	int (*up)(struct appliance *a);
	/** Undo; called only if up() returned 0. NULL: nothing to undo. */
	void (*down)(struct appliance *a);
};

/**
 * Run the table. Should a step fail, its name and a->err are said on standard error before anything is undone: an
 * undoing that goes wrong must not take the reason with it.
 * @return 0; -errno of the step, after undoing; -ECANCELED: told to stop, likewise.
 */
int boot_up(struct appliance *a, const struct boot_step *steps, unsigned int n);
/** Begin no further step. From signal handlers. */
void boot_cancel(void);
/** For steps that wait. */
bool boot_cancelled(void);
/** Undo the whole table, last step first. */
void boot_down(struct appliance *a, const struct boot_step *steps, unsigned int n);

#endif /* BOOT_H */
