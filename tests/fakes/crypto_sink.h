/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef CRYPTO_SINK_H
#define CRYPTO_SINK_H

/**
 * @file
 * A chunk stage that ends a chain in flat memory, by LBA: what lies there is what a drive would have. Registered as
 * "sink"; one for the whole program.
 */

#include <stdint.h>

#include "strake_chunk.h"

#ifdef __cplusplus
extern "C" {
#endif

/** How the sink gives the bytes of a read. */
enum crypto_sink_form {
	CRYPTO_SINK_PAGES,  /**< in pages that are the reader's alone */
	CRYPTO_SINK_SHARED, /**< in pages of which the sink keeps a reference until crypto_sink_reset() */
	CRYPTO_SINK_LENT,   /**< where they lie, read-only */
};

struct crypto_sink {
	uint8_t *bytes;
	uint64_t len;
	enum crypto_sink_form form;
	uint32_t piece;		       /**< longest buf of a reply; 0: 128 KiB */
	uint64_t ops[STRAKE_OP_COUNT]; /**< units that arrived */
	uint64_t bad_bufs;	       /**< of writes: not page-aligned, not stable, or not in the arena */
	int16_t status;		       /**< end reads with it */
	uint16_t flags;		       /**< of the unit that arrived last */
	struct strake_buf *kept;
};

extern struct crypto_sink crypto_sink;

int crypto_sink_init(uint64_t len);
/** Forget everything stored and put what is kept. */
void crypto_sink_reset(void);
void crypto_sink_fini(void);

#ifdef __cplusplus
}
#endif

#endif /* CRYPTO_SINK_H */
