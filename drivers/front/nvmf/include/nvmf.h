/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef NVMF_H
#define NVMF_H

/**
 * @file
 * The NVMe over Fabrics target: subsystems, controllers, admin and I/O commands, for any transport.
 *
 * Controllers live on the main lcore: Connect, property, admin and discovery commands go there by message and come back
 * the same way. I/O commands are turned into requests on the lcore of their queue pair, from a table of namespaces that
 * main publishes to every lcore. A transport gives each command a struct nvmf_cmd, hands over the payload it fetched,
 * and is told when to answer. (NVMe base 2.0, NVM command set 1.0, NVMe over Fabrics as part of base 2.0.)
 */

#include <stdbool.h>
#include <stdint.h>

#include "conf.h"
#include "nvme_spec.h"
#include "strake_req.h"
#include "strake_telemetry.h"
#include "strake_volume.h"

#ifdef __cplusplus
extern "C" {
#endif

struct nvmf_qpair;
struct nvmf_ctrlr;

/** Data direction of a command, seen from the host. */
enum nvmf_xfer { NVMF_XFER_NONE, NVMF_XFER_TO_CONTROLLER, NVMF_XFER_TO_HOST };

/**
 * One command of a host. Belongs to the transport (a slot of its queue pair), is lent to this room between
 * nvmf_execute() and its done().
 */
struct nvmf_cmd {
	struct nvme_cmd sqe; /**< in */
	struct nvme_cpl cqe; /**< out: cdw0, cdw1 and status; this room also sets sqhd, sqid, cid */
	struct nvmf_qpair *qp;
	uint32_t xfer_len; /**< bytes of payload, from nvmf_cmd_check() */
	uint8_t xfer;	   /**< enum nvmf_xfer, from nvmf_cmd_check() */
	bool aborted;	   /**< an Abort, or the queue pair's end, asked for it to stop */
	bool swept;	   /**< this room's: main waits for it to end */
	/** Payload. To controller: the transport's list of exactly xfer_len bytes, taken over by nvmf_execute(). To
	 * host: a list of this room's for the transport, which then owns it; NULL and data_len 0 when there is none. */
	struct strake_buf *data;
	uint32_t data_len;
	/** The answer is ready: on the queue pair's lcore, once, never from inside nvmf_execute(). */
	void (*done)(struct nvmf_cmd *cmd);
	struct nvmf_cmd *next;	 /**< this room's while lent */
	struct strake_req *req;	 /**< this room's */
	struct strake_msg msg;	 /**< this room's */
	uint64_t t_start;	 /**< this room's: ns */
	struct nvmf_cmd **pprev; /**< this room's: with next, the list of commands lent */
	struct nvmf_cmd *qnext;	 /**< this room's: waiting for a request, or to be answered */
	struct nvmf_cmd *pair;	 /**< this room's: the other half of a fused pair */
	uint16_t fuse_sc;	 /**< this room's: the other half failed; answer with this */
	uint8_t state;		 /**< this room's: where a lent command is */
	union {
		uint64_t priv[2]; /**< this room's */
		struct {	  /* dataset management */
			struct strake_buf *ranges;
			uint16_t r_next, r_n, r_out; /**< range to begin next, ranges, requests under way */
			int16_t r_err;		     /**< first error */
		};
		struct { /* connect: what the queue pair becomes */
			const struct nvmf_ns_table *c_ns;
			uint32_t c_host;
			bool c_discovery, c_sqhd_off;
		};
	};
};

/** What a transport tells of itself. */
struct nvmf_transport {
	const char *name;    /**< "tcp" */
	uint8_t trtype;	     /**< for the discovery log: 3 TCP */
	uint32_t in_capsule; /**< bytes of in-capsule data accepted on I/O queues (IOCCSZ); on the admin queue 8192 */
	uint32_t max_xfer;   /**< longest payload; MDTS is made from it */
	/** End a queue pair from main's side (keep-alive expiry, disconnect): on the queue pair's lcore. */
	void (*kill)(struct nvmf_qpair *qp);
	/** Optional: @p lost has ended and its host does not hear of it by its own way, which is dead: tell it by that
	 * of @p by, or it waits for its own timeouts. On the lcore of @p by, which has not ended; @p lost is another's,
	 * so only what was noted before nvmf_qpair_fini() may be looked at. */
	void (*tell)(struct nvmf_qpair *by, const struct nvmf_qpair *lost);
};

/**
 * One queue pair: the part a transport begins its connection with. On the transport's lcore.
 */
struct nvmf_qpair {
	const struct nvmf_transport *transport;
	struct nvmf_ctrlr *ctrlr; /**< after Connect. Only main looks into it. */
	uint16_t lcore;		  /**< data lcore that owns it */
	uint16_t qid;		  /**< 0 admin */
	uint16_t size; /**< entries of the submission queue, after Connect; before it the transport's limit */
	uint16_t sqhd;
	bool connected;
	bool discovery;			/**< its controller is a discovery controller */
	bool dying;			/**< no new commands; those under way are being finished */
	bool silent;			/**< the transport's: it ended because the host did not answer */
	bool touches;			/**< the transport's: it reads what commands return before it is gone */
	char local[64], peer[64];	/**< "10.0.0.2", for logs, discovery and telemetry */
	uint16_t local_service;		/**< TCP port the host came in by */
	uint8_t tos, pcp;		/**< of the host's newest packets, kept up by the transport: rules may ask */
	uint32_t inflight;		/**< commands lent to this room */
	const struct nvmf_ns_table *ns; /**< this room's: namespaces as this lcore knows them */
	struct nvmf_cmd *fused;		/**< this room's: the first half of a fused pair */
	uint64_t cmds, errors, bytes_in, bytes_out; /**< for telemetry */
	void (*gone)(struct nvmf_qpair *qp);	    /**< set by nvmf_qpair_fini() */
	struct strake_msg msg;			    /**< this room's */
	uint64_t priv[6];			    /**< this room's */
	/* All below: this room's. */
	struct nvmf_cmd *lent;		       /**< commands under way */
	struct nvmf_qpair *lc_next, **lc_prev; /**< list of its lcore */
	struct nvmf_cmd *fuse_prev;	       /**< the command before was this first half */
	bool fuse_failed;		       /**< the command before was a first half, and failed */
	bool connecting;		       /**< a Connect is with main */
	uint32_t host;			       /**< number of its host, for rules */
	bool sqhd_off;			       /**< no submission queue flow control */
	bool main_done;			       /**< main has forgotten the queue pair */
	uint64_t reads, writes;		       /**< commands, for SMART */
	uint8_t hostid[16];		       /**< set by main before it is connected; then never changed */
	uint16_t ana_sc; /**< what commands get while the path is not to be used; 0: carry them out */
	/** Reads and writes that were carried out, ns from payload complete to answer ready; written by its lcore. */
	struct strake_hist latency[2];
	/* Main's. */
	struct nvmf_qpair *ctrlr_next;
	struct strake_msg kill_msg;
	bool kill_sent;
	struct nvmf_qpair *tell_by; /**< by whose way the host is told of the end */
};

/* --- target, on main ------------------------------------------------------------------------------------------------
 */

/** Make the target: subsystems, namespaces and the discovery subsystem. A namespace whose volume is not there is not
 * attached; nvmf_ns_add() it when it is. */
int nvmf_create(const struct conf *conf, char *err, size_t errlen);
void nvmf_destroy(void);
/** On each data lcore, before traffic. */
int nvmf_lcore_init(void);
void nvmf_lcore_fini(void);
/** An address where hosts can reach the subsystems, for the discovery log. */
int nvmf_add_listener(const struct nvmf_transport *t, const char *address, uint16_t service);
void nvmf_del_listener(const struct nvmf_transport *t, const char *address, uint16_t service);
/** State of the paths through a listener; hosts get the event. Change becomes inaccessible when it lasts longer than
 * hosts were told it may. @return 0, -ENOENT, -EINVAL. */
int nvmf_ana_set(const char *address, uint16_t service, enum nvme_ana_state state);
/** Let a host connect, or no longer: then it loses the controllers it has. @return 0, -ENOENT (no such subsystem, or
 * the host is not on its list), -EEXIST, -EINVAL (the subsystem takes any host), -ENOMEM. */
int nvmf_host_allow(const char *nqn, const char *hostnqn);
int nvmf_host_deny(const char *nqn, const char *hostnqn);
/** End the controller that telemetry lists by this id, and close its connections; the host may come again. @return 0,
 * -ENOENT. */
int nvmf_ctrlr_drop(uint32_t id);
/** Add, remove, resize a namespace while hosts are connected: they get the event. Removed and smaller ones take no new
 * commands at once; @p done (may be NULL) is called on main when no command that came before is under way.
 * @return 0; or without done() -EEXIST, -ENOENT, -EINVAL, -ENOMEM, -EBUSY (it was removed, and commands still run). */
int nvmf_ns_add(const char *nqn, uint32_t nsid, struct strake_volume *vol);
int nvmf_ns_remove(const char *nqn, uint32_t nsid, void (*done)(void *arg), void *arg);
/** The volume's nlb is another now; -ENOENT: it is nobody's namespace. */
int nvmf_ns_resized(struct strake_volume *vol, void (*done)(void *arg), void *arg);
/** Namespace id of a volume in a subsystem, the lowest free one that is not less than @p from (1 or more), or 0. */
uint32_t nvmf_ns_find(const char *nqn, const struct strake_volume *vol);
uint32_t nvmf_ns_free(const char *nqn, uint32_t from);
/** Whether a host has reserved the volume. */
bool nvmf_volume_reserved(const struct strake_volume *vol);
/** Shutdown: refuse new controllers, tell hosts, kill the queue pairs. True when all are gone, and changes of
 * namespaces have reached every lcore. */
bool nvmf_drain(void);

/* --- queue pairs and commands, on the queue pair's lcore ------------------------------------------------------------
 */

/** A connection is ready for its Connect command. Sets everything but transport, lcore, local, peer, local_service. */
void nvmf_qpair_init(struct nvmf_qpair *qp);
/**
 * The connection is gone: commands not yet submitted to a drive die, the others finish; then @p gone is called, once,
 * and the transport may free everything. Every lent command is done() before that.
 */
void nvmf_qpair_fini(struct nvmf_qpair *qp, void (*gone)(struct nvmf_qpair *qp));

/**
 * Look at a command before its payload is fetched: sets xfer and xfer_len from opcode, SGL and size, and checks the SGL
 * form. @param sgl_offset out: for in-capsule data, the offset the SGL names.
 * @return true; false: cqe holds the error to answer with at once (nvmf_fail() was called; done() will not be).
 */
bool nvmf_cmd_check(struct nvmf_cmd *cmd, bool *in_capsule, uint64_t *sgl_offset);

/** Carry out commands, payload complete; all of one queue pair, in the order they came. */
void nvmf_execute(struct nvmf_qpair *qp, struct nvmf_cmd **cmds, uint16_t n);

/** Fill in a completion with an error status; for transports. @p sct_sc is NVME_SC(type, code). */
void nvmf_fail(struct nvmf_cmd *cmd, uint16_t sct_sc, bool dnr);

/** NVMe status (NVME_SC) for a request's -errno, given its op. */
uint16_t nvmf_status_of(int err, uint8_t op);

#ifdef __cplusplus
}
#endif

#endif /* NVMF_H */
