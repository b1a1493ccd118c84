/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef NVMF_ADMIN_H
#define NVMF_ADMIN_H

/**
 * @file
 * Commands that main carries out. Each handler sets the completion (success is preset) and may give data; a command it
 * keeps (Asynchronous Event Request, Abort) it says so of, and ends later with nvmf_admin_done().
 */

#include "ctrlr.h"

enum nvmf_verdict { NVMF_ANSWER, NVMF_KEPT };

/** A command's way to main, and what happens there; on the queue pair's lcore. */
void nvmf_admin_send(struct nvmf_cmd *cmd);
/** Answer a command main holds: back to its lcore. Also logs an error. */
void nvmf_admin_done(struct nvmf_cmd *cmd);
/** Give @p len bytes to the host, cut or zero-filled to what it asked for. Fails the command without memory. */
void nvmf_admin_reply(struct nvmf_cmd *cmd, const void *data, size_t len);
/** Copy the command's payload out. @return false: it has another length, and the command was failed. */
bool nvmf_admin_payload(struct nvmf_cmd *cmd, void *data, size_t len);

void nvmf_connect(struct nvmf_cmd *cmd);
void nvmf_property_get(struct nvmf_ctrlr *c, struct nvmf_cmd *cmd);
void nvmf_property_set(struct nvmf_ctrlr *c, struct nvmf_cmd *cmd);
void nvmf_identify(struct nvmf_ctrlr *c, struct nvmf_cmd *cmd);
void nvmf_get_log(struct nvmf_ctrlr *c, struct nvmf_cmd *cmd);
void nvmf_get_feature(struct nvmf_ctrlr *c, struct nvmf_cmd *cmd);
void nvmf_set_feature(struct nvmf_ctrlr *c, struct nvmf_cmd *cmd);
enum nvmf_verdict nvmf_aer(struct nvmf_ctrlr *c, struct nvmf_cmd *cmd);
enum nvmf_verdict nvmf_abort(struct nvmf_ctrlr *c, struct nvmf_cmd *cmd);

/** The discovery log as this host may see it. @return its bytes in *out for free(), 0 without memory. */
size_t nvmf_discovery_log(const struct nvmf_ctrlr *c, uint8_t **out);
/** Which commands there are, for the effects log. */
void nvmf_admin_effects(const struct nvmf_ctrlr *c, struct nvme_log_effects *log);

#endif /* NVMF_ADMIN_H */
