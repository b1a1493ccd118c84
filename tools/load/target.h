/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef LOAD_TARGET_H
#define LOAD_TARGET_H

/**
 * @file
 * What the appliance says of its own work: cycles of a data lcore, whole and by steps, before and after a load.
 */

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TARGET_STEPS_MAX 64

struct target_step {
	char name[64];
	uint64_t cycles;
};

struct target_figures {
	uint64_t busy, idle;			   /**< TSC cycles of the lcore */
	uint64_t switches;			   /**< from step to step */
	struct target_step step[TARGET_STEPS_MAX]; /**< along the way through it; booked while accounts are kept */
	unsigned int n_steps;
};

struct target;

/** @p name: the appliance's. @p lcore: the data lcore that serves. @return 0, -errno with one line in @p err (320). */
int target_open(struct target **out, const char *name, unsigned int lcore, char *err);
void target_close(struct target *t);
/** @return 0, -errno with one line in @p err. */
int target_ask(struct target *t, struct target_figures *f, char *err);
/** Let every lcore keep accounts of its steps, or stop. @return 0, -errno with one line in @p err. */
int target_account(struct target *t, bool on, char *err);
/** Subtract what was before. */
void target_delta(struct target_figures *f, const struct target_figures *before);
/** The table of steps, in cycles per I/O. @p without: cycles an I/O took while no accounts were kept. */
void target_print(const struct target_figures *f, uint64_t ios, double without, FILE *out);

#ifdef __cplusplus
}
#endif

#endif /* LOAD_TARGET_H */
