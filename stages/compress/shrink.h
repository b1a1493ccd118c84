/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef COMPRESS_SHRINK_H
#define COMPRESS_SHRINK_H

/**
 * @file
 * LZ4 on the processor: liblz4 with working memory of the lcore's own.
 */

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Levels below this are LZ4's fast method, from here on its high-compression one. */
#define SHRINK_HC_FROM 3u

struct shrink {
	void *state;
	unsigned int level;
};

/** @return 0 or -ENOMEM. */
int shrink_init(struct shrink *s, unsigned int level, int socket);
void shrink_fini(struct shrink *s);
/** Compress @p len bytes. @return bytes at @p dst, at most @p room; 0: they do not fit. */
uint32_t shrink_lz4(struct shrink *s, uint8_t *dst, uint32_t room, const uint8_t *src, uint32_t len);

#ifdef __cplusplus
}
#endif

#endif /* COMPRESS_SHRINK_H */
