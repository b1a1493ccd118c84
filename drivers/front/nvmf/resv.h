/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef NVMF_RESV_H
#define NVMF_RESV_H

/**
 * @file
 * Reservations of namespaces. A reservation belongs to a volume, whichever subsystems offer it. Main changes it; the
 * data lcores see a picture of it, which travels with the array of namespaces. (NVMe base 2.0, 8.19)
 */

#include "admin.h"
#include "resv_state.h"

/** What data lcores see of a reservation that is held. Never changed once made. */
struct nvmf_resv_view {
	uint32_t refs; /**< main's */
	uint8_t rtype;
	uint8_t holder[16];
	uint16_t n; /**< registrants; 0 where being one is of no use */
	uint8_t hosts[][16];
};

struct nvmf_resv {
	struct nvmf_resv *next;
	uint8_t uuid[16]; /**< the volume's */
	struct nvmf_resv_state st;
	struct nvmf_resv_view *view; /**< NULL: not reserved */
};

/** Whether a host's command runs against the reservation. Any lcore. */
bool nvmf_resv_conflict(const struct nvmf_resv_view *view, const uint8_t *hostid, bool writes);

/* --- main --- */
/** Have the reservation of a volume, as it was kept. @return 0, or -errno with one line in @p err. */
int nvmf_resv_open(const uint8_t *uuid, char *err, size_t errlen);
/** The reservation of an opened volume. */
struct nvmf_resv *nvmf_resv_of(const uint8_t *uuid);
void nvmf_resv_destroy_all(void);
/** One more, or one fewer, that looks at it. NULL is fine. */
struct nvmf_resv_view *nvmf_resv_view_get(struct nvmf_resv_view *view);
void nvmf_resv_view_put(struct nvmf_resv_view *view);

/** Make @p next the state: durable first, then known on every lcore. @return 0, or -errno and nothing has changed.
 * @param b held until every lcore knows. */
struct nvmf_barrier;
int nvmf_resv_change(struct nvmf_resv *r, const struct nvmf_resv_state *next, struct nvmf_barrier *b);

/** A reservation command. */
enum nvmf_verdict nvmf_resv_command(struct nvmf_ctrlr *c, struct nvmf_cmd *cmd);
/** Direction and length of one, on the queue pair's lcore. @return 0 or an NVME_SC. */
uint16_t nvmf_resv_check(struct nvmf_cmd *cmd);
static inline bool
nvmf_resv_opcode(uint8_t opc)
{
	return opc == NVME_IO_RESV_REGISTER || opc == NVME_IO_RESV_REPORT || opc == NVME_IO_RESV_ACQUIRE ||
	       opc == NVME_IO_RESV_RELEASE;
}

/** Tell the controllers of a host that have the volume. */
void nvmf_resv_notify(const struct nvmf_resv *r, const uint8_t *hostid, enum nvme_resv_notice notice);
/** The log page: the oldest notification. */
void nvmf_resv_log(const struct nvmf_ctrlr *c, struct nvme_log_resv *log);
/** The host has read it: the next, if any, is told. */
void nvmf_resv_log_read(struct nvmf_ctrlr *c);

/** Features of a namespace. @return false: it is another feature. */
bool nvmf_resv_get_feature(struct nvmf_ctrlr *c, struct nvmf_cmd *cmd);
bool nvmf_resv_set_feature(struct nvmf_ctrlr *c, struct nvmf_cmd *cmd);

#endif /* NVMF_RESV_H */
