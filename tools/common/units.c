/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "units.h"

struct unit {
	const char *name;
	double factor;
};

static const struct unit size_units[] = {
	{"", 1},	 {"b", 1},	 {"k", 0x1p10},	  {"kb", 0x1p10},  {"kib", 0x1p10},
	{"m", 0x1p20},	 {"mb", 0x1p20}, {"mib", 0x1p20}, {"g", 0x1p30},   {"gb", 0x1p30},
	{"gib", 0x1p30}, {"t", 0x1p40},	 {"tb", 0x1p40},  {"tib", 0x1p40}, {NULL, 0},
};

static const struct unit time_units[] = {
	{"", 1e9},   {"ns", 1},	    {"us", 1e3},   {"ms", 1e6}, {"s", 1e9},
	{"m", 60e9}, {"min", 60e9}, {"h", 3600e9}, {NULL, 0},
};

int
units_parse_u64(const char *text, uint64_t *out)
{
	char *end;

	if (!isdigit((unsigned char)text[0]))
		return -EINVAL;
	errno = 0;
	*out = strtoull(text, &end, text[0] == '0' && (text[1] | 0x20) == 'x' ? 16 : 10);
	if (errno == ERANGE)
		return -ERANGE;
	return *end == '\0' ? 0 : -EINVAL;
}

static int
parse_scaled(const char *text, const struct unit *units, uint64_t *out)
{
	double value;
	char *end;

	if (!isdigit((unsigned char)text[0]))
		return -EINVAL;
	value = strtod(text, &end);
	while (*end == ' ')
		end++;
	for (; units->name != NULL; units++) {
		if (strcasecmp(end, units->name) != 0)
			continue;
		value *= units->factor;
		if (!(value < 0x1p63))
			return -ERANGE;
		*out = (uint64_t)value;
		return 0;
	}
	return -EINVAL;
}

int
units_parse_size(const char *text, uint64_t *out)
{
	/* Whole numbers first: a double would round those above 2^53. */
	if (units_parse_u64(text, out) == 0)
		return 0;
	return parse_scaled(text, size_units, out);
}

int
units_parse_time(const char *text, uint64_t *ns)
{
	return parse_scaled(text, time_units, ns);
}

/* Three significant digits, never more than one decimal below 10 and none from 100 on. */
static char *
scaled(char *out, double v, double step, const char *const *names, int n)
{
	int i = 0;

	while (i < n - 1 && fabs(v) >= step * 0.9995) {
		v /= step;
		i++;
	}
	if (i == 0 && v == floor(v))
		snprintf(out, UNITS_MAX, "%.0f%s", v, names[i]);
	else
		snprintf(out, UNITS_MAX, "%.*f%s", fabs(v) < 9.995 ? 2 : fabs(v) < 99.95 ? 1 : 0, v, names[i]);
	return out;
}

char *
units_bytes(char *out, double bytes)
{
	static const char *const names[] = {" B", " KiB", " MiB", " GiB", " TiB", " PiB"};

	return scaled(out, bytes, 1024, names, 6);
}

char *
units_count(char *out, double n)
{
	static const char *const names[] = {"", " K", " M", " G", " T"};

	return scaled(out, n, 1000, names, 5);
}

char *
units_ns(char *out, double ns)
{
	static const char *const names[] = {" ns", " us", " ms", " s"};

	return scaled(out, ns, 1000, names, 4);
}
