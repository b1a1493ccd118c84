/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef NVMF_GOLDEN_H
#define NVMF_GOLDEN_H

/* Looks at bytes through libnvme's structures: an independent witness of the layout a Linux host reads. */

#include <cstdint>

void golden_id_ctrlr(const uint8_t *bytes, uint16_t cntlid);
void golden_id_ns(const uint8_t *bytes);
void golden_id_indep_ns(const uint8_t *bytes);
void golden_discovery(const uint8_t *bytes);
void golden_ana(const uint8_t *bytes);
void golden_error(const uint8_t *bytes);

#endif /* NVMF_GOLDEN_H */
