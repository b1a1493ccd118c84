/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef INI_H
#define INI_H

/**
 * @file
 * A host's association with a controller: admin queue, I/O queues, and the admin commands the tools need. Calls here
 * block, except where they say otherwise; I/O on the queues does not (qp.h). Ticks are those of ticks.h.
 */

#include <stdbool.h>
#include <stdint.h>

#include "nvme_spec.h"
#include "qp.h"

#ifdef __cplusplus
extern "C" {
#endif

#define INI_ERR_MAX 320

struct ini;

struct ini_conf {
	const char *addr;
	uint16_t port;
	const char *nqn;     /**< subsystem; NVME_DISCOVERY_NQN makes a discovery controller, without I/O queues */
	const char *hostnqn; /**< NULL: ini_default_hostnqn() */
	uint32_t queues;     /**< I/O queues */
	uint16_t depth;	     /**< of each I/O queue; the controller may have less, see ini_depth() */
	bool hdgst, ddgst, discard;
	uint32_t rx_bytes;	/**< see struct qp_conf */
	uint64_t timeout;	/**< ns: of the connect, and of each command */
	uint32_t kato;		/**< keep-alive, ms; 0 none */
	const char *congestion; /**< see struct sock_peer */
};

/** What one needs to know to use a namespace. */
struct ini_ns {
	uint32_t nsid;
	uint32_t lba_shift;
	uint64_t nlb;
	struct nvme_id_ns id;
};

/**
 * Connect, enable, identify, connect the I/O queues.
 * @return 0; -errno as qp_status(); -EREMOTEIO the target answered with an error. One line in @p err, INI_ERR_MAX long.
 */
int ini_open(struct ini **out, const struct ini_conf *conf, char *err);
/** Shut the controller down in order if it still answers, and close. */
void ini_close(struct ini *ini);

struct qp *ini_admin(struct ini *ini);
/** @p i from 0. */
struct qp *ini_queue(struct ini *ini, unsigned int i);
unsigned int ini_queues(const struct ini *ini);
unsigned int ini_depth(const struct ini *ini);
const struct nvme_id_ctrlr *ini_ctrlr(const struct ini *ini);
uint32_t ini_version(const struct ini *ini);
/** Longest payload of one command, bytes. */
uint32_t ini_max_xfer(const struct ini *ini);
/** Why the last call failed, one line. */
const char *ini_error(const struct ini *ini);

/**
 * Run one command on @p qp and wait. io->done and arg are overwritten.
 * @return 0; -EREMOTEIO when the status says so (text in ini_error()); -errno of the queue pair.
 */
int ini_exec(struct ini *ini, struct qp *qp, struct qp_io *io);
/** @p buf of 4096 bytes. */
int ini_identify(struct ini *ini, uint8_t cns, uint32_t nsid, void *buf);
int ini_log_page(struct ini *ini, uint8_t lid, uint64_t offset, void *buf, uint32_t len);
int ini_find_ns(struct ini *ini, uint32_t nsid, struct ini_ns *out);
/** The discovery log: @p entries from malloc, *n of them. */
int ini_discover(struct ini *ini, struct nvme_discovery_entry **entries, uint64_t *n);
/** Keep the association alive: call often, from the thread that owns the admin queue. Does not block. */
int ini_tick(struct ini *ini, uint64_t now);

/** Text of a failed completion into ini_error(). @return -EREMOTEIO. */
int ini_status_error(struct ini *ini, const struct qp_io *io, bool admin);
/** Stable on one machine. */
const char *ini_default_hostnqn(void);

#ifdef __cplusplus
}
#endif

#endif /* INI_H */
