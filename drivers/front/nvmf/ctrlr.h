/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef NVMF_CTRLR_H
#define NVMF_CTRLR_H

/**
 * @file
 * A controller: what one host has of one subsystem. Main lcore only.
 *
 * It lives from the Connect of its admin queue until the last of its queue pairs is gone. Losing the admin queue pair,
 * or the keep-alive timer, makes it `dying`: every queue pair is killed and nothing more is carried out for it.
 */

#include "target.h"

#define NVMF_FIRMWARE	  "0.1.0   " /**< revision, 8 characters padded */
#define NVMF_ANA_GROUP	  1
#define NVMF_ANATT_S	  10 /**< ANATT: longest that a path is in change */
#define NVMF_AER_MAX	  4  /**< Asynchronous Event Requests under way */
#define NVMF_ABORT_MAX	  4  /**< Aborts under way */
#define NVMF_ERRORS_MAX	  32 /**< entries of the error log */
#define NVMF_TELL_MAX	  8  /**< queue pairs of a controller that a host is told of by another way */
#define NVMF_RESV_NOTES	  64 /**< reservation notifications kept for a host that does not read them */
#define NVMF_KAS	  10 /**< keep-alive granularity, 100 ms */
#define NVMF_READY_HALF_S 30 /**< CAP.TO, CRTO.CRWMT: 500 ms */
/** Keep-alive of a discovery controller that asked for none, or it could stay for ever. */
#define NVMF_DISCOVERY_KATO_MS 120000

enum nvmf_event {
	NVMF_EVENT_NS_ATTR,
	NVMF_EVENT_ANA,
	NVMF_EVENT_DISCOVERY,
	NVMF_EVENT_RESERVATION,
	NVMF_EVENT_SPARE,
	NVMF_EVENTS,
};

struct nvmf_resv_note {
	uint32_t nsid;
	uint8_t type; /**< enum nvme_resv_notice */
};

enum nvmf_feature {
	NVMF_FEAT_ARBITRATION,
	NVMF_FEAT_POWER,
	NVMF_FEAT_TEMPERATURE,
	NVMF_FEAT_ERROR_RECOVERY,
	NVMF_FEAT_VWC,
	NVMF_FEAT_QUEUES,
	NVMF_FEAT_ATOMICITY,
	NVMF_FEAT_ASYNC_EVENT,
	NVMF_FEAT_KATO,
	NVMF_FEAT_IOCS_PROFILE,
	NVMF_FEAT_HOSTID,
	NVMF_FEATURES,
};

struct nvmf_ctrlr {
	struct nvmf_ctrlr *next; /**< of its subsystem */
	struct nvmf_subsystem *sub;
	const struct nvmf_transport *transport;
	uint32_t id; /**< unique in the appliance's life: for telemetry */
	uint16_t cntlid;
	uint8_t hostid[16];
	char hostnqn[NVME_NQN_LEN];
	char local[64]; /**< where the host came in */
	uint16_t local_service;
	struct nvmf_qpair *admin;  /**< NULL once it is gone */
	struct nvmf_qpair *qpairs; /**< all, the admin one included; by ->ctrlr_next */
	uint32_t n_qpairs;
	uint16_t admin_size; /**< entries the transport gives a queue at most */
	uint32_t cc, csts;
	bool dying;
	bool silent;   /**< its keep-alive timer expired */
	uint8_t told;  /**< queue pairs whose end the host was told of by another way */
	bool stopping; /**< CC.EN = 0 or a shutdown waits for the I/O queue pairs to go */

	uint32_t kato; /**< ms, rounded up to the granularity; 0: none */
	struct strake_timer ka;
	uint64_t heard_at; /**< when the host last said that it lives, ns */
	uint64_t look;	   /**< after which it is silent if it was not heard until then; 0: it is not late */

	uint32_t feature[NVMF_FEATURES];
	uint32_t temp_under; /**< second value of NVMF_FEAT_TEMPERATURE */

	struct nvmf_cmd *aer[NVMF_AER_MAX];
	unsigned int n_aer;
	unsigned int n_abort;
	uint8_t pending, masked; /**< events, a bit for each */
	bool spare_told;	 /**< that little room is left */
	uint64_t changed[NVMF_NS_MAX / 64];
	/** Notifications number resv_notes_read + 1 to resv_notes wait to be read, each at its number modulo the size.
	 */
	struct nvmf_resv_note resv_note[NVMF_RESV_NOTES];
	uint64_t resv_notes, resv_notes_read;
	uint8_t resv_mask[NVMF_NS_MAX]; /**< NVME_RESV_NOTICE_MASK, by namespace */

	uint64_t errors; /**< error log entries made so far */
	struct nvme_error_entry error[NVMF_ERRORS_MAX];
};

/** Make one for its admin queue pair. @return 0, -ENOMEM, -EBUSY (controller ids ran out). */
int nvmf_ctrlr_create(struct nvmf_ctrlr **out, struct nvmf_subsystem *sub, struct nvmf_qpair *admin,
		      const struct nvme_connect_data *data);
struct nvmf_ctrlr *nvmf_ctrlr_find(struct nvmf_subsystem *sub, uint16_t cntlid);
struct nvmf_qpair *nvmf_ctrlr_qpair(struct nvmf_ctrlr *c, uint16_t qid);
void nvmf_ctrlr_add(struct nvmf_ctrlr *c, struct nvmf_qpair *qp);
/** The queue pair is gone; frees the controller with the last. */
void nvmf_ctrlr_remove(struct nvmf_ctrlr *c, struct nvmf_qpair *qp);
/** End it: kill all queue pairs. */
void nvmf_ctrlr_kill(struct nvmf_ctrlr *c);
/** Kill the I/O queue pairs only (reset, shutdown). */
void nvmf_ctrlr_kill_io(struct nvmf_ctrlr *c);
/** CSTS after all I/O queue pairs are gone. In property.c. */
void nvmf_property_stopped(struct nvmf_ctrlr *c);
/** Log a failed command. */
void nvmf_ctrlr_error(struct nvmf_ctrlr *c, const struct nvme_error_entry *e);

void nvmf_ka_start(struct nvmf_ctrlr *c, uint32_t kato);
void nvmf_ka_touch(struct nvmf_ctrlr *c);
void nvmf_ka_stop(struct nvmf_ctrlr *c);

/** A queue pair that ended is to be told of by the way of another. @return that one, or NULL: no need, or no way. In
 * tell.c. */
struct nvmf_qpair *nvmf_tell_by(const struct nvmf_qpair *lost);

/** Something the host may want to know: sent if it asked for it, once until it has read the log page. */
void nvmf_aer_raise(struct nvmf_ctrlr *c, enum nvmf_event event);
/** The host read the event's log page. */
void nvmf_aer_read(struct nvmf_ctrlr *c, enum nvmf_event event);
/** End all waiting requests. */
void nvmf_aer_abort(struct nvmf_ctrlr *c, uint16_t sct_sc);
/** End the one with this command id. @return false: there is none. */
bool nvmf_aer_abort_one(struct nvmf_ctrlr *c, uint16_t cid);

/** State of the path, and what its commands get: 0 or an NVME_SC. */
uint8_t nvmf_ana_state(const struct nvmf_ctrlr *c);
uint16_t nvmf_ana_status(const struct nvmf_ctrlr *c);
const char *nvmf_ana_name(uint8_t state);

void nvmf_feature_defaults(struct nvmf_ctrlr *c);
/** Bit 0 of Volatile Write Cache: some namespace has one. */
bool nvmf_has_cache(const struct nvmf_subsystem *sub);
/** Entries of an I/O queue this controller can have. */
uint16_t nvmf_ctrlr_depth(const struct nvmf_ctrlr *c);

#endif /* NVMF_CTRLR_H */
