/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef PAYLOAD_H
#define PAYLOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "strake_buf.h"

#ifdef __cplusplus
extern "C" {
#endif

/** A place in a payload whose bytes are looked at block by block. */
struct dedup_payload {
	const struct strake_buf *buf;
	uint32_t off; /* in buf */
};

/** Pass over @p len bytes. @return false: the payload is shorter. */
bool dedup_payload_skip(struct dedup_payload *p, uint32_t len);

enum dedup_taken {
	DEDUP_LIES,	/* where it lies */
	DEDUP_GATHERED, /* copied, since it is spread over bufs */
	DEDUP_UNSTABLE, /* passed over: a peer can still change its bytes, and they would be read twice */
	DEDUP_SHORT,	/* the payload ended */
};

/** The next block of STRAKE_ADVICE_BLOCK bytes: where it lies, or gathered into @p scratch. */
enum dedup_taken dedup_payload_block(struct dedup_payload *p, uint8_t *scratch, const uint8_t **block);

#ifdef __cplusplus
}
#endif

#endif /* PAYLOAD_H */
