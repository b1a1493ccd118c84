/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef FAKE_NVME_PVT_H
#define FAKE_NVME_PVT_H

/* The fake controller from inside: its I/O is in fake_nvme.c, its admin commands in fake_nvme_admin.c. */

#include "fake_nvme.h"
#include "drivers/drive/nvme/nvme_drive.h"

#define FAKE_NVME_QUEUE	 1024
#define FAKE_NVME_PAGE	 4096u

#define FAKE_NVME_LCORES 2

struct fake_nvme_pending {
	struct nvme_cmd cmd;
	struct iovec iov[NVME_IOVS];
};

struct fake_nvme {
	struct nvme_dev dev;
	struct nvme_lane *lane;
	struct strake_poller poller;
	uint8_t ctrl[FAKE_NVME_PAGE], ns[FAKE_NVME_PAGE], smart[512];
	uint8_t pages[6][FAKE_NVME_PAGE]; /* log pages by their number */
	bool has_page[6];
	size_t identify_bytes;
	uint8_t *medium;
	uint8_t shift;
	struct nvme_kernel_view kernel;
	char serial[32];
	struct fake_nvme_pending queue[FAKE_NVME_QUEUE];
	unsigned int pending;
	bool hold, backwards, twice;
	int room;
	uint8_t fail_opcode;
	int fail_res;
	unsigned int fail_times;
	unsigned int namespaces;
	int erase_res;
	uint8_t formatted, sanitized, sanitize_state;
	unsigned int sanitize_polls;
	int silence;
	unsigned int silent_for, remedies; /* remedies needed, tried */
	struct nvme_dev mi;
	enum fake_nvme_mi mi_is;
	unsigned int in_band, by_mi, mi_searched;
	unsigned int adopt_lcore, adopt_times; /* who refuses it, how often */
	int adopt_res;
	int adopted[FAKE_NVME_LCORES];
	struct fake_nvme_cmd *seen;
	unsigned int n_seen, bounced;
};

/* The one that is being opened. */
extern struct fake_nvme *fake_nvme_opening;

int fake_nvme_identify(struct nvme_dev *dev, uint8_t cns, uint32_t nsid, void *data);
int fake_nvme_log(struct nvme_dev *dev, uint8_t lid, void *data, uint32_t len);
int fake_nvme_feature(struct nvme_dev *dev, uint8_t fid, uint32_t *value);
int fake_nvme_format(struct nvme_dev *dev, uint8_t flbas);
int fake_nvme_sanitize(struct nvme_dev *dev, uint8_t action);
int fake_nvme_find_mi(struct nvme_dev **out, const char *serial, char *why, size_t len);

#endif /* FAKE_NVME_PVT_H */
