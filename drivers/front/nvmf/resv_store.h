/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef NVMF_RESV_STORE_H
#define NVMF_RESV_STORE_H

/**
 * @file
 * Where reservations that persist through power loss are kept: a file for each namespace, `reservation-UUID`, in the
 * appliance's state folder. Main lcore; every call waits for the disk.
 */

#include "resv_state.h"

/** Use this folder, made when there is first something to keep (NULL: none). @return 0 or -errno: then nothing can
 * persist. */
int nvmf_store_open(const char *path);
void nvmf_store_close(void);
/** Whether states can persist. */
bool nvmf_store_ready(void);
/** Make the file say what @p st says, or remove it if @p st does not persist. Durable on return. @return 0 or -errno:
 * then the file is as it was. */
int nvmf_store_save(const struct nvmf_resv_state *st, const uint8_t *uuid);
/** @return 0 with *st; -ENOENT: there is none; -errno: there is one that cannot be used. */
int nvmf_store_load(struct nvmf_resv_state *st, const uint8_t *uuid);

#endif /* NVMF_RESV_STORE_H */
