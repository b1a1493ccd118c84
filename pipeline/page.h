/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef PAGE_H
#define PAGE_H

/**
 * @file
 * The arena: one contiguous region cut into pages of four classes, with a cache of free pages per lcore.
 */

#include <stddef.h>
#include <stdint.h>

#include "strake_buf.h"

#define PAGE_CLASSES 4

/** Reserve @p bytes and cut them. Main, once. @return 0 or -ENOMEM. */
int page_init(uint64_t bytes, int socket);
void page_fini(void);
/** A page of at least @p len bytes (1 to STRAKE_BUF_PAGE_MAX), from a larger class when its own is empty; or NULL. */
void *page_alloc(uint32_t len);
void page_free(void *page);
void page_usage(struct strake_buf_usage *out);
void page_arena(void **addr, size_t *len);

#endif /* PAGE_H */
