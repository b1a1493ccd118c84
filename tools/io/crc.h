/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef CRC_H
#define CRC_H

/** @file CRC32C as NVMe/TCP uses it (header and data digests): RFC 3720, appendix B.4. */

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Start with CRC_INIT, feed in pieces, end with crc_end(). */
#define CRC_INIT 0xffffffffu
uint32_t crc_feed(uint32_t crc, const void *data, size_t len);

static inline uint32_t
crc_end(uint32_t crc)
{
	return ~crc;
}

static inline uint32_t
crc_of(const void *data, size_t len)
{
	return crc_end(crc_feed(CRC_INIT, data, len));
}

#ifdef __cplusplus
}
#endif

#endif /* CRC_H */
