/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "nvme_mi.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <libnvme-mi.h>
#include <rte_common.h>

#include "nvme_args.h"
#include "nvme_dev.h"

#define TIMEOUT_MS		2000
#define FORMAT_TIMEOUT_MS	600000
#define SERIAL			20

#define SAY(why, len, ret, ...) (snprintf(why, len, __VA_ARGS__), (ret))

struct mi {
	struct nvme_dev dev;
	nvme_root_t root; /* has the endpoint, and that the controller */
	nvme_mi_ep_t endpoint;
	nvme_mi_ctrl_t ctrl;
};

/* libnvme-mi: -1 and errno, the drive's status field, or what the management controller says instead of asking it. */
static int
result(int ret)
{
	if (ret < 0)
		return -errno;
	return nvme_status_get_type(ret) == NVME_STATUS_TYPE_MI ? -EPROTO : ret;
}

static nvme_mi_ctrl_t
ctrl_of(struct nvme_dev *dev)
{
	return container_of(dev, struct mi, dev)->ctrl;
}

static int
identify(nvme_mi_ctrl_t ctrl, uint8_t cns, uint32_t nsid, void *data)
{
	struct nvme_identify_args args = nvme_args_identify(cns, nsid, data);

	return result(nvme_mi_admin_identify(ctrl, &args));
}

static int
mi_identify(struct nvme_dev *dev, uint8_t cns, uint32_t nsid, void *data)
{
	return identify(ctrl_of(dev), cns, nsid, data);
}

static int
mi_log(struct nvme_dev *dev, uint8_t lid, void *data, uint32_t len)
{
	struct nvme_get_log_args args = nvme_args_log(lid, data, len);

	return result(nvme_mi_admin_get_log(ctrl_of(dev), &args));
}

static int
mi_feature(struct nvme_dev *dev, uint8_t fid, uint32_t *value)
{
	struct nvme_get_features_args args = nvme_args_feature(fid, value);

	return result(nvme_mi_admin_get_features(ctrl_of(dev), &args));
}

static int
mi_format(struct nvme_dev *dev, uint8_t flbas)
{
	struct mi *mi = container_of(dev, struct mi, dev);
	struct nvme_format_nvm_args args = nvme_args_format(dev->nsid, flbas);
	int ret;

	nvme_mi_ep_set_timeout(mi->endpoint, FORMAT_TIMEOUT_MS);
	ret = result(nvme_mi_admin_format_nvm(mi->ctrl, &args));
	nvme_mi_ep_set_timeout(mi->endpoint, TIMEOUT_MS);
	return ret;
}

static int
mi_sanitize(struct nvme_dev *dev, uint8_t action)
{
	struct nvme_sanitize_nvm_args args = nvme_args_sanitize(action);

	return result(nvme_mi_admin_sanitize_nvm(ctrl_of(dev), &args));
}

static void
mi_close(struct nvme_dev *dev)
{
	struct mi *mi = container_of(dev, struct mi, dev);

	nvme_mi_free_root(mi->root);
	free(mi);
}

static const struct nvme_dev_ops mi_ops = {
	.name = "NVMe-MI",
	.identify = mi_identify,
	.log = mi_log,
	.feature = mi_feature,
	.format = mi_format,
	.sanitize = mi_sanitize,
	.close = mi_close,
};

/* Padded with spaces on the wire. */
static bool
is_it(nvme_mi_ctrl_t ctrl, const char *serial)
{
	struct nvme_id_ctrl id;
	size_t n = strlen(serial);

	if (n > SERIAL || identify(ctrl, NVME_IDENTIFY_CNS_CTRL, 0, &id) != 0 || memcmp(id.sn, serial, n) != 0)
		return false;
	while (n < SERIAL && (id.sn[n] == ' ' || id.sn[n] == '\0'))
		n++;
	return n == SERIAL;
}

static bool
search(struct mi *mi, const char *serial)
{
	nvme_mi_for_each_endpoint(mi->root, mi->endpoint)
	{
		nvme_mi_ep_set_timeout(mi->endpoint, TIMEOUT_MS);
		if (nvme_mi_scan_ep(mi->endpoint, false) != 0)
			continue;
		nvme_mi_for_each_ctrl(mi->endpoint, mi->ctrl)
		{
			if (is_it(mi->ctrl, serial))
				return true;
		}
	}
	return false;
}

int
nvme_mi_find(struct nvme_dev **out, const char *serial, char *why, size_t len)
{
	int fd = socket(AF_MCTP, SOCK_DGRAM, 0), ret = 0;
	struct mi *mi;

	if (fd < 0)
		return SAY(why, len, -EAFNOSUPPORT, "the kernel has no MCTP");
	close(fd);
	mi = calloc(1, sizeof(*mi));
	if (mi == NULL)
		return SAY(why, len, -ENOMEM, "out of memory");
	mi->dev.ops = &mi_ops;
	mi->dev.fd = -1;
	mi->root = nvme_mi_scan_mctp();
	if (mi->root == NULL) {
		ret = SAY(why, len, -EAFNOSUPPORT, "mctpd does not answer");
	} else if (!search(mi, serial)) {
		ret = SAY(why, len, -ENODEV, "no endpoint is drive %s", serial);
		nvme_mi_free_root(mi->root);
	}
	if (ret < 0)
		free(mi);
	else
		*out = &mi->dev;
	return ret;
}
