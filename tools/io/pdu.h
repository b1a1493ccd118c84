/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef PDU_H
#define PDU_H

/**
 * @file
 * PDUs as a host builds and checks them. Pure functions: no connection, no state.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "nvme_tcp_spec.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Longest stretch before data: PDO is one byte. */
#define PDU_HEAD_MAX 256

/** What is wrong with a PDU, for the termination request and for the user. */
struct pdu_fault {
	uint16_t fes; /**< enum nvme_tcp_fes */
	uint32_t fei;
	const char *text;
};

/**
 * Check the common header of a PDU that came from a controller, before anything else of it is looked at.
 *
 * @param hdgst, ddgst  digests agreed on
 * @return bytes before the data (header, digest, padding), 8 to PDU_HEAD_MAX; for a termination request, the whole
 *         PDU. -EPROTO with @p fault set.
 */
int pdu_check(const struct nvme_tcp_ch *ch, bool hdgst, bool ddgst, struct pdu_fault *fault);
/** Bytes of data in a checked PDU with data, by its common header alone. */
uint32_t pdu_data_len(const struct nvme_tcp_ch *ch);
/** Does the header digest behind a header of ch->hlen bytes fit? */
bool pdu_hdgst_ok(const struct nvme_tcp_ch *ch);

void pdu_icreq(struct nvme_tcp_icreq *pdu, bool hdgst, bool ddgst);
/**
 * Finish a header of a PDU to the controller, at @p ch, with type set: lengths, flags, digest, padding to @p align.
 *
 * @param hlen   bytes of header there
 * @param data   bytes of data that will follow
 * @param flags  more flags
 * @return bytes to send before the data, at most PDU_HEAD_MAX.
 */
uint32_t pdu_seal(struct nvme_tcp_ch *ch, uint8_t hlen, uint32_t data, uint8_t flags, bool hdgst, bool ddgst,
		  uint32_t align);
/** Termination request of the host over the header that caused it; @p out of at least 152 bytes. @return its length. */
uint32_t pdu_term(void *out, const struct pdu_fault *fault, const void *header, uint32_t len);

/** Name of a PDU type. */
const char *pdu_name(uint8_t type);
/** What a fatal error status means, from the specification. */
const char *pdu_fes_text(uint16_t fes);

#ifdef __cplusplus
}
#endif

#endif /* PDU_H */
