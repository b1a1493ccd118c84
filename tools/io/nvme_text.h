/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef NVME_TEXT_H
#define NVME_TEXT_H

/** @file Names for what NVMe says in numbers. */

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Of a completion's status code, NVME_SC(); @p fabrics: of a Connect and its kin, whose codes overlap others. */
const char *nvme_text_status(uint16_t sct_sc, bool fabrics);
/** Of a command; @p admin: on the admin queue. */
const char *nvme_text_opcode(uint8_t opc, uint8_t fctype, bool admin);

#ifdef __cplusplus
}
#endif

#endif /* NVME_TEXT_H */
