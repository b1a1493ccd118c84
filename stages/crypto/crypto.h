/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef CRYPTO_H
#define CRYPTO_H

#include "strake_stage.h"

#include "xts.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Figures of a stage over all lcores. Any thread. */
void crypto_stats(const struct strake_stage *st, struct xts_stats *sum);

#ifdef __cplusplus
}
#endif

#endif /* CRYPTO_H */
