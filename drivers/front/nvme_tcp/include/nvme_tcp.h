/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef NVME_TCP_H
#define NVME_TCP_H

/**
 * @file
 * The NVMe/TCP transport of the target (NVMe TCP Transport 1.0): PDUs over any strake_stream.
 */

#include <stdbool.h>
#include <stdint.h>

#include "nvmf.h"
#include "strake_stream.h"

#ifdef __cplusplus
extern "C" {
#endif

struct nvme_tcp_conf {
	uint32_t conns;	     /**< connections on each data lcore at most; default 1,024 */
	uint32_t slots;	     /**< commands on each data lcore in all; default 16,384 */
	uint32_t in_capsule; /**< default 8192 bytes */
	uint32_t maxr2t;     /**< outstanding R2T to a command we use; 1 */
	uint32_t maxh2c;     /**< MAXH2CDATA, bytes; default 131072 */
};

/** The transport as nvmf knows it, with the limits of @p conf. */
const struct nvmf_transport *nvme_tcp_transport(void);
/** Main, once; NULL: defaults. */
int nvme_tcp_init(const struct nvme_tcp_conf *conf);
void nvme_tcp_fini(void);
/** On each data lcore, before listen: pools, poller. After the carriers' own lcore_init(): end-of-turn hooks run in
 * reverse, so replies are gathered before the carrier transmits. */
int nvme_tcp_lcore_init(void);
void nvme_tcp_lcore_fini(void);
/** On each data lcore at shutdown, once a turn until true: ends what connections there are. */
bool nvme_tcp_lcore_drain(void);
/** Serve NVMe/TCP at an address of a carrier, and enter it in the discovery log. Main.
 * @return 0, or what the carrier's listen() returned. */
int nvme_tcp_listen(struct strake_carrier *c, const char *address, uint16_t service);
/** Stop serving there; connections live on. Main. */
void nvme_tcp_unlisten(struct strake_carrier *c, const char *address, uint16_t service);
/** Connections of this lcore, for telemetry (by message): calls @p fn for each. */
struct nvme_tcp_conn_info {
	const struct nvmf_qpair *qp;
	const struct strake_stream *stream;
	const char *state;
	bool hdgst, ddgst;
	uint32_t bytes; /**< memory the connection has of its own */
};
void nvme_tcp_walk(void (*fn)(const struct nvme_tcp_conn_info *info, void *arg), void *arg);

#ifdef __cplusplus
}
#endif

#endif /* NVME_TCP_H */
