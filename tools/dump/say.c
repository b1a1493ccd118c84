/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "say.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static uint64_t count[SAY_KINDS];
static say_fn told;
static void *told_arg;

void
say_begin(say_fn fn, void *arg)
{
	memset(count, 0, sizeof(count));
	told = fn;
	told_arg = arg;
}

void
say(enum say_kind kind, const char *fmt, ...)
{
	char line[4096];
	va_list ap;

	if (count[kind]++ >= SAY_LINES || told == NULL)
		return;
	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	told(told_arg, kind, line);
}

uint64_t
say_count(enum say_kind kind)
{
	return count[kind];
}
