/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef NVMF_IO_H
#define NVMF_IO_H

/**
 * @file
 * I/O commands on the lcore of their queue pair, and the lists that lcore keeps.
 */

#include "ns.h"
#include "strake_telemetry.h"

/** Most bytes of a Write Zeroes, log 2: what its field for blocks can say of the smallest blocks. */
#define NVMF_ZEROES_SHIFT 25

/** Where a lent command is (nvmf_cmd::state). */
enum nvmf_cmd_state {
	NVMF_CMD_FREE,	   /**< with the transport */
	NVMF_CMD_CONNECTS, /**< with the transport: a Connect that was checked */
	NVMF_CMD_LENT,	   /**< just handed over */
	NVMF_CMD_FUSED,	   /**< a half that waits for the other */
	NVMF_CMD_WAITS,	   /**< for a request from the pool */
	NVMF_CMD_RUNS,	   /**< in the pipeline, as cmd->req or (dataset management) as several */
	NVMF_CMD_MAIN,	   /**< with the main lcore */
	NVMF_CMD_ENDING,   /**< its answer is given in the next turn */
};

/** A list of commands by qnext. */
struct nvmf_fifo {
	struct nvmf_cmd *head, **tail;
};

/** Failures on their way to main's error logs; a note is free again when main has cleared `busy`. */
#define NVMF_NOTES 32
struct nvmf_note {
	struct strake_msg msg;
	struct nvmf_ctrlr *ctrlr;
	struct nvme_error_entry entry;
	bool busy;
};

/** What a class of service came to on one lcore: requests, not commands. */
struct nvmf_class_stats {
	uint64_t requests, errors, bytes; /**< requests: begun; the others of those that ended */
	struct strake_hist latency;	  /**< ns in the pipeline */
};

/** What each data lcore has. */
struct nvmf_lcore {
	struct strake_poller poller;
	struct nvmf_fifo waits;	 /**< want a request */
	struct nvmf_fifo ending; /**< want to be answered outside nvmf_execute() */
	struct nvmf_note note[NVMF_NOTES];
	uint64_t notes_lost;
	struct nvmf_sweep *sweeps;
	struct nvmf_qpair *qpairs; /**< all that live here, by lc_next */
	/** By class. There are those a rule gives, and class 0 if there is any rule: what a request can be of. */
	struct nvmf_class_stats *classes[UINT8_MAX + 1];
};

struct nvmf_lcore *nvmf_lcore_self(void);
/** Another's, to look at; NULL: none. Main. */
const struct nvmf_lcore *nvmf_lcore_at(uint16_t lcore);

/** The completion's status; nothing else. Any lcore. */
static inline void
nvmf_status_set(struct nvmf_cmd *cmd, uint16_t sct_sc, bool dnr)
{
	cmd->cqe.status = NVME_CPL_STATUS(sct_sc, dnr);
}
/** Whether to tell the host that trying again is no use. */
bool nvmf_status_final(uint16_t sct_sc);

/** Answer: fills in the rest of the completion and calls done(). Not from inside nvmf_execute(). */
void nvmf_finish(struct nvmf_cmd *cmd);
/** Answer soon, from the lcore's poller. */
void nvmf_end_later(struct nvmf_cmd *cmd, uint16_t sct_sc);
/** No request was to be had: try again from the poller. */
void nvmf_wait(struct nvmf_cmd *cmd);
/** Stop a command on its lcore. @return false: too late, it will end as if nothing had been said. */
bool nvmf_cmd_stop(struct nvmf_cmd *cmd, uint16_t sct_sc);
/** The command of this id the queue pair has lent us, or NULL. */
struct nvmf_cmd *nvmf_qpair_cmd(struct nvmf_qpair *qp, uint16_t cid);

/** Whether another host's reservation forbids a command. */
bool nvmf_io_forbidden(const struct nvmf_cmd *cmd, const struct nvmf_ns *ns);
/** See nvmf_cmd_check(), for commands of I/O queues. @return 0 or an NVME_SC. */
uint16_t nvmf_io_check(struct nvmf_cmd *cmd);
/**
 * Turn a command into a request.
 * @return true with *req to submit (or NULL if the command went elsewhere); false: no request in the pool.
 */
bool nvmf_io_start(struct nvmf_cmd *cmd, struct strake_req **req);
/** A request for a command, all but op, range and payload set. NULL: the pool is empty. */
struct strake_req *nvmf_io_req(struct nvmf_cmd *cmd, const struct nvmf_ns *ns, void (*done)(struct strake_unit *));

/** The command in its queue's order: pairs halves. @return 0 or an NVME_SC. */
uint16_t nvmf_fused_check(struct nvmf_cmd *cmd);
/** A command failed before it was carried out: its other half must not be. */
void nvmf_fused_failed(struct nvmf_cmd *cmd);
/** As nvmf_io_start(), for a half of a fused pair. */
bool nvmf_fused_start(struct nvmf_cmd *cmd, struct strake_req **req);
/** Let go of a held half. */
void nvmf_fused_break(struct nvmf_cmd *cmd, uint16_t sct_sc);

uint16_t nvmf_dsm_check(struct nvmf_cmd *cmd);
/** Begin, or go on after a wait. @return false: no request in the pool and none under way. */
bool nvmf_dsm_start(struct nvmf_cmd *cmd);

#endif /* NVMF_IO_H */
