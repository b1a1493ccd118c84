/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef NVMF_RESV_FORMAT_H
#define NVMF_RESV_FORMAT_H

/**
 * @file
 * A namespace's reservation as a file keeps it: a header and one entry for each registrant, little-endian, with a
 * CRC32C over all of it. No I/O.
 */

#include <stddef.h>

#include "resv_state.h"

#define NVMF_RESV_FORMAT_VERSION 1
#define NVMF_RESV_FORMAT_MAX	 (64 + NVMF_RESV_MAX * 32)

/** @return bytes written to @p out, which has room for NVMF_RESV_FORMAT_MAX. */
size_t nvmf_resv_encode(const struct nvmf_resv_state *st, const uint8_t *uuid, uint8_t *out);
/** @return 0; -EBADMSG: damaged, or of another namespace; -EPROTONOSUPPORT: of a later version. */
int nvmf_resv_decode(struct nvmf_resv_state *st, const uint8_t *uuid, const uint8_t *data, size_t len);

#endif /* NVMF_RESV_FORMAT_H */
