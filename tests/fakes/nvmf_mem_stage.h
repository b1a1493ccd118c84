/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef NVMF_MEM_STAGE_H
#define NVMF_MEM_STAGE_H

/* A volume in memory whose only stage carries requests out at once, or holds them as long as the test likes. */

#include "strake_volume.h"

#ifdef __cplusplus
extern "C" {
#endif

struct nvmf_mem {
	struct strake_volume vol; /* first */
	struct strake_stage *stage;
	uint8_t *bytes;
	bool hold;	/* keep what comes until nvmf_mem_release() */
	bool submitted; /* mark what is held as with a drive: cannot be cancelled */
	int fail;	/* status of everything, if not 0 */
	struct strake_unit *held, **held_tail;
	unsigned int n_held;
	unsigned int ops[STRAKE_OP_COUNT];
	uint16_t flags; /* of the request seen last */
	uint8_t cls;
	uint32_t tag;
};

struct nvmf_mem *nvmf_mem_create(const char *name, uint64_t nlb, uint32_t lba_shift, const uint8_t *uuid);
void nvmf_mem_destroy(struct nvmf_mem *mem);
/* Carry out what is held; on the lcore that holds it. */
void nvmf_mem_release(struct nvmf_mem *mem);

#ifdef __cplusplus
}
#endif

#endif /* NVMF_MEM_STAGE_H */
