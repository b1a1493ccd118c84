/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <isa-l/crc.h>

#include "crc.h"

uint32_t
crc_feed(uint32_t crc, const void *data, size_t len)
{
	return crc32_iscsi((unsigned char *)data, (int)len, crc);
}
