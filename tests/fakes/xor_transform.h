/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef XOR_TRANSFORM_H
#define XOR_TRANSFORM_H

/**
 * @file
 * Transforms for tests: one that changes nothing, and one with a handshake, whose bytes are another's without its key.
 *
 * The second greets with "XOR1" and a byte, its key for what it sends; it is ready when the peer's greeting has come. A
 * wrong greeting is -EPROTO, an end before it -EBADMSG. It says farewell with a byte that the peer must get last.
 */

#include "strake_transform.h"

#ifdef __cplusplus
extern "C" {
#endif

#define XOR_GREETING 5

extern const struct strake_transform_ops pass_transform_ops, xor_transform_ops;

/** Begun and ended, of both kinds. */
extern unsigned int xor_begins, xor_ends;

#ifdef __cplusplus
}
#endif

#endif /* XOR_TRANSFORM_H */
