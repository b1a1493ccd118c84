/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "nvme_dev.h"

#include <errno.h>

#include <libnvme.h>

#define ADMIN_TIMEOUT_MS  5000
#define FORMAT_TIMEOUT_MS 600000

/* libnvme: -1 and errno, or the status field. */
static int
result(int ret)
{
	return ret < 0 ? -errno : ret;
}

int
nvme_ask_identify(struct nvme_dev *dev, uint8_t cns, uint32_t nsid, void *data)
{
	struct nvme_identify_args args = {
		.args_size = sizeof(args),
		.data = data,
		.fd = dev->fd,
		.timeout = ADMIN_TIMEOUT_MS,
		.cns = cns,
		.csi = NVME_CSI_NVM,
		.nsid = nsid,
		.cntid = NVME_CNTLID_NONE,
		.cns_specific_id = NVME_CNSSPECID_NONE,
		.uuidx = NVME_UUID_NONE,
	};

	return result(nvme_identify(&args));
}

int
nvme_ask_log(struct nvme_dev *dev, uint8_t lid, void *data, uint32_t len)
{
	struct nvme_get_log_args args = {
		.args_size = sizeof(args),
		.log = data,
		.fd = dev->fd,
		.timeout = ADMIN_TIMEOUT_MS,
		.lid = lid,
		.len = len,
		.nsid = NVME_NSID_ALL,
		.csi = NVME_CSI_NVM,
		.lsi = NVME_LOG_LSI_NONE,
		.lsp = NVME_LOG_LSP_NONE,
		.uuidx = NVME_UUID_NONE,
		.rae = true, /* the kernel, too, waits for the drive's events: they are not ours to clear */
	};

	return result(nvme_get_log(&args));
}

int
nvme_ask_feature(struct nvme_dev *dev, uint8_t fid, uint32_t *value)
{
	struct nvme_get_features_args args = {
		.args_size = sizeof(args),
		.fd = dev->fd,
		.timeout = ADMIN_TIMEOUT_MS,
		.fid = fid,
		.sel = NVME_GET_FEATURES_SEL_CURRENT,
		.uuidx = NVME_UUID_NONE,
		.result = value,
	};

	return result(nvme_get_features(&args));
}

int
nvme_ask_format(struct nvme_dev *dev, uint8_t flbas)
{
	uint32_t value;
	struct nvme_format_nvm_args args = {
		.args_size = sizeof(args),
		.fd = dev->fd,
		.timeout = FORMAT_TIMEOUT_MS,
		.nsid = dev->nsid,
		.ses = NVME_FORMAT_SES_USER_DATA_ERASE,
		.lbaf = flbas & 0xf,
		.lbafu = (flbas >> 5) & 3,
		.result = &value,
	};

	return result(nvme_format_nvm(&args));
}

int
nvme_ask_sanitize(struct nvme_dev *dev, uint8_t action)
{
	uint32_t value;
	struct nvme_sanitize_nvm_args args = {
		.args_size = sizeof(args),
		.fd = dev->fd,
		.timeout = ADMIN_TIMEOUT_MS,
		.sanact = action,
		.ause = true, /* a failure must not leave the drive useless until another succeeds */
		.owpass = 1,
		.result = &value,
	};

	return result(nvme_sanitize_nvm(&args));
}
