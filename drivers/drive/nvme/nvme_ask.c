/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "nvme_dev.h"

#include <errno.h>

#include "nvme_args.h"

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
	struct nvme_identify_args args = nvme_args_identify(cns, nsid, data);

	args.fd = dev->fd;
	args.timeout = ADMIN_TIMEOUT_MS;
	return result(nvme_identify(&args));
}

int
nvme_ask_log(struct nvme_dev *dev, uint8_t lid, void *data, uint32_t len)
{
	struct nvme_get_log_args args = nvme_args_log(lid, data, len);

	args.fd = dev->fd;
	args.timeout = ADMIN_TIMEOUT_MS;
	return result(nvme_get_log(&args));
}

int
nvme_ask_feature(struct nvme_dev *dev, uint8_t fid, uint32_t *value)
{
	struct nvme_get_features_args args = nvme_args_feature(fid, value);

	args.fd = dev->fd;
	args.timeout = ADMIN_TIMEOUT_MS;
	return result(nvme_get_features(&args));
}

int
nvme_ask_format(struct nvme_dev *dev, uint8_t flbas)
{
	struct nvme_format_nvm_args args = nvme_args_format(dev->nsid, flbas);
	uint32_t value;

	args.fd = dev->fd;
	args.timeout = FORMAT_TIMEOUT_MS;
	args.result = &value;
	return result(nvme_format_nvm(&args));
}

int
nvme_ask_sanitize(struct nvme_dev *dev, uint8_t action)
{
	struct nvme_sanitize_nvm_args args = nvme_args_sanitize(action);
	uint32_t value;

	args.fd = dev->fd;
	args.timeout = ADMIN_TIMEOUT_MS;
	args.result = &value;
	return result(nvme_sanitize_nvm(&args));
}
