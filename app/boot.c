/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "boot.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

static volatile sig_atomic_t cancelled;

void
boot_down(struct appliance *a, const struct boot_step *steps, unsigned int n)
{
	while (n-- > 0) {
		if (steps[n].down != NULL)
			steps[n].down(a);
	}
}

void
boot_cancel(void)
{
	cancelled = 1;
}

bool
boot_cancelled(void)
{
	return cancelled;
}

/* What a signal cut short fails in words of its own: those would mislead. */
static int
step_up(struct appliance *a, const struct boot_step *step)
{
	int ret = cancelled ? -ECANCELED : step->up(a);

	if (ret < 0 && cancelled) {
		fprintf(stderr, "strake: told to stop before it served (%s)\n", step->name);
		return -ECANCELED;
	}
	if (ret < 0)
		fprintf(stderr, "strake: %s: %s\n", step->name, a->err[0] != '\0' ? a->err : strerror(-ret));
	return ret;
}

int
boot_up(struct appliance *a, const struct boot_step *steps, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		int ret = step_up(a, &steps[i]);

		if (ret == 0)
			continue;
		boot_down(a, steps, i);
		return ret;
	}
	return 0;
}
