/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "boot.h"

#include <stdio.h>
#include <string.h>

void
boot_down(struct appliance *a, const struct boot_step *steps, unsigned int n)
{
	while (n-- > 0) {
		if (steps[n].down != NULL)
			steps[n].down(a);
	}
}

int
boot_up(struct appliance *a, const struct boot_step *steps, unsigned int n, const char **failed)
{
	for (unsigned int i = 0; i < n; i++) {
		int ret = steps[i].up(a);

		if (ret == 0)
			continue;
		if (a->err[0] == '\0')
			snprintf(a->err, sizeof(a->err), "%s", strerror(-ret));
		*failed = steps[i].name;
		boot_down(a, steps, i);
		return ret;
	}
	return 0;
}
