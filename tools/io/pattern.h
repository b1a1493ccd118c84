/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef PATTERN_H
#define PATTERN_H

/**
 * @file
 * Bytes that tell where they belong: every block's content follows from seed, block number and generation, so that a
 * block from another place, of another time, or torn inside, is found.
 */

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** @p len bytes, whole blocks of 2^shift bytes, the first one being block @p lba. */
void pattern_fill(void *buf, uint32_t len, uint64_t seed, uint64_t lba, uint32_t shift, uint32_t gen);
/** @return -1 when as filled; else the byte offset of the first wrong eight bytes. */
int64_t pattern_check(const void *buf, uint32_t len, uint64_t seed, uint64_t lba, uint32_t shift, uint32_t gen);

#ifdef __cplusplus
}
#endif

#endif /* PATTERN_H */
