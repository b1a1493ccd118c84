/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef HEAD_FORMAT_H
#define HEAD_FORMAT_H

/**
 * @file
 * How everything this room writes about itself begins: magic (8 bytes), version and CRC32C (4 each, little-endian).
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HEAD_BYTES 16u

/** Put magic, version and, last of all, the CRC over @p len bytes before what the page already holds behind them. */
void head_seal(void *page, const uint8_t *magic, uint32_t version, size_t len);
/** @return 0; -ENOENT: another magic; -EBADMSG: torn or damaged; -EPROTO: of another version. */
int head_check(const void *page, const uint8_t *magic, uint32_t version, size_t len);
/** A text that ends in its field and is not empty. */
bool head_named(const char *text, size_t len);

#endif /* HEAD_FORMAT_H */
