/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef UNITS_H
#define UNITS_H

/**
 * @file
 * Numbers as people write and read them. Writers fill @p out, at least UNITS_MAX bytes, and return it.
 */

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define UNITS_MAX 32

/** "4K", "1.5 GiB", "0x1000", "10MB": binary multiples throughout, as block sizes are. @return 0 or -EINVAL, -ERANGE.
 */
int units_parse_size(const char *text, uint64_t *out);
/** A plain number, decimal or 0x. @return 0 or -EINVAL, -ERANGE. */
int units_parse_u64(const char *text, uint64_t *out);
/** "10", "1.5s", "200ms", "2m": nanoseconds; a bare number is seconds. @return 0 or -EINVAL, -ERANGE. */
int units_parse_time(const char *text, uint64_t *ns);

/** Bytes: "64 MiB", "1.5 GiB", "512 B". */
char *units_bytes(char *out, double bytes);
/** Counts: "788 K", "1.29 M", "12". */
char *units_count(char *out, double n);
/** Durations: "9.1 us", "1.2 ms", "3.0 s". */
char *units_ns(char *out, double ns);

#ifdef __cplusplus
}
#endif

#endif /* UNITS_H */
