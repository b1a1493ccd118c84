/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <stdint.h>

#include "conf_utf8.h"

/* One code point (RFC 3629). @return its length in bytes, or 0: not UTF-8. */
static size_t
decode(const uint8_t *s, size_t len, uint32_t *cp)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t n;

	if (s[0] < 0x80) {
		*cp = s[0];
		return 1;
	}
	if ((s[0] & 0xe0) == 0xc0)
		n = 2;
	else if ((s[0] & 0xf0) == 0xe0)
		n = 3;
	else if ((s[0] & 0xf8) == 0xf0)
		n = 4;
	else
		return 0;
	if (len < n)
		return 0;
	*cp = s[0] & (0x7fu >> n);
	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		*cp = *cp << 6 | (s[i] & 0x3f);
	}
	if (*cp < least[n] || *cp > 0x10ffff || (*cp >= 0xd800 && *cp <= 0xdfff))
		return 0;
	return n;
}

const char *
conf_utf8_check(const char *text, size_t len, unsigned int *line, unsigned int *column)
{
	const uint8_t *s = (const uint8_t *)text;
	bool indent = true;
	size_t n;

	*line = 1;
	*column = 1;
	for (size_t i = 0; i < len; i += n) {
		uint32_t cp;

		n = decode(s + i, len - i, &cp);
		if (n == 0)
			return "not UTF-8 here: is this a text file?";
		if (cp == 0)
			return "a NUL byte here: is this a text file?";
		if (cp == '\t' && indent)
			return "a tab indents this line; YAML indents with spaces only";
		(*column)++;
		if (cp == '\n') {
			(*line)++;
			*column = 1;
			indent = true;
		} else if (cp != ' ') {
			indent = false;
		}
	}
	return NULL;
}

bool
conf_utf8_printable(const char *text, size_t len)
{
	const uint8_t *s = (const uint8_t *)text;
	size_t n;

	for (size_t i = 0; i < len; i += n) {
		uint32_t cp;

		n = decode(s + i, len - i, &cp);
		if (n == 0 || cp < 0x20 || (cp >= 0x7f && cp < 0xa0))
			return false;
		if (cp == 0x2028 || cp == 0x2029 || cp == 0xfeff || cp == 0xfffe || cp == 0xffff)
			return false;
	}
	return true;
}
