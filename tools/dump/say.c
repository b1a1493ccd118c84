/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "say.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const names[SAY_KINDS] = {"note", "mendable", "BROKEN"};
static uint64_t count[SAY_KINDS];
static int silent;

void
say(enum say_kind kind, const char *fmt, ...)
{
	va_list ap;

	if (count[kind]++ >= SAY_LINES || silent)
		return;
	printf("%s: ", names[kind]);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
}

uint64_t
say_count(enum say_kind kind)
{
	return count[kind];
}

void
say_reset(int quiet)
{
	memset(count, 0, sizeof(count));
	silent = quiet;
}

void
say_end(void)
{
	for (unsigned int k = 0; k < SAY_KINDS && !silent; k++) {
		if (count[k] > SAY_LINES)
			printf("%s: ... and %" PRIu64 " more of this kind\n", names[k], count[k] - SAY_LINES);
	}
}
