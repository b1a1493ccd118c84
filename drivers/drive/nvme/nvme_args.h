/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef NVME_ARGS_H
#define NVME_ARGS_H

/**
 * @file
 * What a drive is asked, whichever way: in-band, where fd, timeout and result are added, or by NVMe-MI.
 */

#include <libnvme.h>

static inline struct nvme_identify_args
nvme_args_identify(uint8_t cns, uint32_t nsid, void *data)
{
	return (struct nvme_identify_args){
		.args_size = sizeof(struct nvme_identify_args),
		.data = data,
		.cns = cns,
		.csi = NVME_CSI_NVM,
		.nsid = nsid,
		.cntid = NVME_CNTLID_NONE,
		.cns_specific_id = NVME_CNSSPECID_NONE,
		.uuidx = NVME_UUID_NONE,
	};
}

static inline struct nvme_get_log_args
nvme_args_log(uint8_t lid, void *data, uint32_t len)
{
	return (struct nvme_get_log_args){
		.args_size = sizeof(struct nvme_get_log_args),
		.log = data,
		.lid = lid,
		.len = len,
		.nsid = NVME_NSID_ALL,
		.csi = NVME_CSI_NVM,
		.lsi = NVME_LOG_LSI_NONE,
		.lsp = NVME_LOG_LSP_NONE,
		.uuidx = NVME_UUID_NONE,
		.rae = true, /* the kernel, too, waits for the drive's events: they are not ours to clear */
	};
}

static inline struct nvme_get_features_args
nvme_args_feature(uint8_t fid, uint32_t *value)
{
	return (struct nvme_get_features_args){
		.args_size = sizeof(struct nvme_get_features_args),
		.fid = fid,
		.sel = NVME_GET_FEATURES_SEL_CURRENT,
		.uuidx = NVME_UUID_NONE,
		.result = value,
	};
}

static inline struct nvme_format_nvm_args
nvme_args_format(uint32_t nsid, uint8_t flbas)
{
	return (struct nvme_format_nvm_args){
		.args_size = sizeof(struct nvme_format_nvm_args),
		.nsid = nsid,
		.ses = NVME_FORMAT_SES_USER_DATA_ERASE,
		.lbaf = flbas & 0xf,
		.lbafu = (flbas >> 5) & 3,
	};
}

static inline struct nvme_sanitize_nvm_args
nvme_args_sanitize(uint8_t action)
{
	return (struct nvme_sanitize_nvm_args){
		.args_size = sizeof(struct nvme_sanitize_nvm_args),
		.sanact = action,
		.ause = true, /* a failure must not leave the drive useless until another succeeds */
		.owpass = 1,
	};
}

#endif /* NVME_ARGS_H */
