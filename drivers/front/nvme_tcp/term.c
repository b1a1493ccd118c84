/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* Fatal errors (TCP transport 1.0, section 3.5): say what was wrong, quoting the offending header, then let the host
 * close. */

#include <string.h>

#include <rte_common.h>

#include "conn.h"

void
nvme_tcp_fatal(struct nvme_tcp_conn *conn, enum nvme_tcp_fes fes, uint32_t fei, const void *hdr, uint32_t len)
{
	struct nvme_tcp_term *term;

	if (conn->dying)
		return;
	len = RTE_MIN(len, (uint32_t)NVME_TCP_TERM_DATA);
	/* Short of memory the connection just ends; the host sees that too. */
	if (nvme_tcp_tx_ready(conn->lc)) {
		term = nvme_tcp_tx_small(conn, sizeof(*term) + len);
		*term = (struct nvme_tcp_term){
			.ch = {.type = NVME_TCP_C2H_TERM,
			       .hlen = NVME_TCP_HLEN_TERM,
			       .plen = (uint32_t)sizeof(*term) + len},
			.fes = (uint16_t)fes,
			.fei = fei,
		};
		memcpy(term + 1, hdr, len);
		conn->lc->stats.terms_out++;
	}
	nvme_tcp_conn_die(conn);
	nvme_tcp_conn_enter(conn, CONN_TERM);
}
