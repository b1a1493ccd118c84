/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef NVMF_RESV_STATE_H
#define NVMF_RESV_STATE_H

/**
 * @file
 * Who is registered with a namespace and who holds its reservation, as plain values: a command makes a new state of an
 * old one, or none. No I/O, no pointers. (NVMe base 2.0, 8.19; NVM command set 1.0, reservation commands)
 */

#include <stdbool.h>
#include <stdint.h>

#include "nvme_spec.h"

/** Hosts registered with one namespace at most. */
#define NVMF_RESV_MAX 256

/** A reservation of an all-registrants type has no one holder. */
#define NVMF_RESV_NOBODY UINT16_MAX

struct nvmf_registrant {
	uint8_t hostid[16];
	uint64_t key;
};

struct nvmf_resv_state {
	uint32_t gen;
	uint8_t rtype;	 /**< enum nvme_resv_type; 0: not reserved */
	bool ptpl;	 /**< persists through power loss */
	uint16_t holder; /**< place in reg[], or NVMF_RESV_NOBODY */
	uint16_t n;
	struct nvmf_registrant reg[NVMF_RESV_MAX];
};

/** A reservation command, taken apart. */
struct nvmf_resv_op {
	uint8_t opc;	/**< register, acquire or release */
	uint8_t action; /**< of that command */
	uint8_t rtype, cptpl;
	bool iekey;
	uint64_t crkey, other; /**< current key; new or preempted key */
	uint8_t hostid[16];    /**< who asks */
};

/** What else a change means, by place in the old state. */
struct nvmf_resv_effect {
	uint8_t notice[NVMF_RESV_MAX]; /**< enum nvme_resv_notice */
	bool preempted[NVMF_RESV_MAX]; /**< lost its registration to another host's Acquire */
};

/**
 * Carry out a command on a copy.
 * @return 0 with *next complete (it may be the same as @p old), or the NVME_SC to answer with.
 */
uint16_t nvmf_resv_apply(const struct nvmf_resv_state *old, const struct nvmf_resv_op *op, bool can_persist,
			 struct nvmf_resv_state *next, struct nvmf_resv_effect *effect);

/** Place of a host in the list, -1: not registered. */
int nvmf_resv_find(const struct nvmf_resv_state *st, const uint8_t *hostid);
/** Whether the registrant at @p i holds the reservation. */
bool nvmf_resv_holds(const struct nvmf_resv_state *st, uint16_t i);
static inline bool
nvmf_resv_all(uint8_t rtype)
{
	return rtype == NVME_RESV_WRITE_EXCL_ALL || rtype == NVME_RESV_EXCL_ACCESS_ALL;
}
static inline bool
nvmf_resv_only(uint8_t rtype)
{
	return rtype == NVME_RESV_WRITE_EXCL_REG || rtype == NVME_RESV_EXCL_ACCESS_REG;
}

#endif /* NVMF_RESV_STATE_H */
