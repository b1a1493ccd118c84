/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef CONF_UTF8_H
#define CONF_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/** Is the text UTF-8 that libyaml may be given? @return NULL, or what is wrong, and where (1-based). */
const char *conf_utf8_check(const char *text, size_t len, unsigned int *line, unsigned int *column);
/** True when a scalar can be written back as it is: no control character, no line break of any kind. */
bool conf_utf8_printable(const char *text, size_t len);

#endif /* CONF_UTF8_H */
