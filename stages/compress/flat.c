/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "flat.h"

const uint8_t *
compress_flat(struct strake_buf *list, uint32_t len, uint8_t *room, uint64_t *gathered)
{
	if (compress_is_flat(list, len))
		return list->addr;
	if (strake_buf_copy_out(list, 0, room, len) != 0)
		return NULL;
	*gathered += len;
	return room;
}
