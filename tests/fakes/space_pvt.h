/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef SPACE_PVT_H
#define SPACE_PVT_H

/* Inside of the fake space: space.cc has power, what is under way, notes and faults; space_row.cc has rows. */

#include "space.h"

std::vector<uint8_t> bytes_of(const power_medium &m, uint64_t off, uint64_t len);
std::vector<uint8_t> payload_of(strake_buf *bufs, uint32_t len);
/* @p half: as one that was under way when power went. */
void medium_write(power_medium *m, uint64_t off, const std::vector<uint8_t> &bytes, bool durable, bool half = false);

#endif /* SPACE_PVT_H */
