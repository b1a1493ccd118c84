/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "nvme_logs.h"

#include <endian.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <libnvme.h>
#include <rte_common.h>

#include "nvme_dev.h"

#define ENTRIES_MAX 8 /* of the error log that are read at once: more between two looks are a storm all the same */
#define SLOTS	    7

/* --- firmware --------------------------------------------------------------------------------------------------------
 */

/* ASCII, padded with spaces; what is none is shown as such. */
static void
revision(char out[12], const struct nvme_firmware_slot *log, unsigned int slot)
{
	size_t n = sizeof(log->frs[0]);

	memcpy(out, log->frs[slot - 1], n);
	while (n > 0 && (out[n - 1] == ' ' || out[n - 1] == '\0'))
		n--;
	out[n] = '\0';
	for (size_t i = 0; i < n; i++)
		out[i] = out[i] < 0x20 || out[i] > 0x7e ? '?' : out[i];
}

static void
read_firmware(struct nvme_firmware *f, struct nvme_dev *dev)
{
	struct nvme_firmware_slot log __rte_aligned(4096);
	unsigned int slot, next;

	memset(&log, 0, sizeof(log));
	if (dev->ops->log(dev, NVME_LOG_LID_FW_SLOT, &log, sizeof(log)) != 0)
		return;
	slot = log.afi & 7u;
	next = log.afi >> 4 & 7u;
	if (slot == 0 || slot > SLOTS)
		return;
	*f = (struct nvme_firmware){.known = true, .slot = (uint8_t)slot};
	revision(f->revision, &log, slot);
	if (next == 0 || next == slot)
		return;
	f->next = (uint8_t)next;
	revision(f->coming, &log, next);
}

/* --- commands that failed --------------------------------------------------------------------------------------------
 */

/* Newest first. Admin commands are left out: to ask a drive what it does not know is an entry, too. */
static void
read_failures(struct nvme_failures *f, struct nvme_dev *dev, uint64_t entries, unsigned int room)
{
	struct nvme_error_log_page log[ENTRIES_MAX] __rte_aligned(4096);
	unsigned int n = RTE_MIN(room, (unsigned int)ENTRIES_MAX);
	uint64_t seen = f->newest, last = 0;

	if (f->known && entries == f->entries)
		return;
	memset(log, 0, sizeof(log));
	if (dev->ops->log(dev, NVME_LOG_LID_ERROR, log, n * (uint32_t)sizeof(log[0])) != 0)
		return;
	f->known = true;
	f->entries = entries;
	for (unsigned int i = 0; i < n; i++) {
		uint64_t count = le64toh(log[i].error_count);

		if (count <= seen)
			continue;
		f->newest = RTE_MAX(f->newest, count);
		if (log[i].sqid == 0)
			continue;
		f->all++;
		if (count < last)
			continue;
		last = count;
		f->lba = le64toh(log[i].lba);
		f->nsid = le32toh(log[i].nsid);
		f->status = (uint16_t)(le16toh(log[i].status_field) >> 1);
	}
}

void
nvme_logs_read(struct nvme_logs *l, struct nvme_dev *dev, uint64_t entries, unsigned int room)
{
	read_firmware(&l->firmware, dev);
	read_failures(&l->failures, dev, entries, room);
}

/* --- what is told ----------------------------------------------------------------------------------------------------
 */

bool
nvme_logs_event(const struct nvme_logs *before, const struct nvme_logs *after, unsigned int i, bool *worse, char *text,
		size_t len)
{
	const struct nvme_firmware *was = &before->firmware, *is = &after->firmware;
	const struct nvme_failures *f = &after->failures;
	unsigned int at = 0;

	*worse = false;
	if (was->known && strcmp(was->revision, is->revision) != 0 && at++ == i) {
		snprintf(text, len, "its firmware is %s now, in slot %u; it was %s", is->revision, is->slot,
			 was->revision);
		return true;
	}
	if (is->next != 0 && (is->next != was->next || strcmp(is->coming, was->coming) != 0) && at++ == i) {
		snprintf(text, len, "its firmware will be %s, of slot %u, after its next reset", is->coming, is->next);
		return true;
	}
	/* What failed before it was ours is shown, not told. */
	if (before->failures.known && f->all > before->failures.all && at++ == i) {
		*worse = true;
		snprintf(text, len,
			 "failed I/O in its error log: %" PRIu64 " more; last: status 0x%x, LBA %" PRIu64
			 ", namespace %u",
			 f->all - before->failures.all, f->status, f->lba, f->nsid);
		return true;
	}
	return false;
}

/* --- commands --------------------------------------------------------------------------------------------------------
 */

bool
nvme_logs_knows(struct nvme_dev *dev, bool admin, uint8_t opcode, void *page)
{
	const struct nvme_cmd_effects_log *log = page;
	const uint32_t supported = htole32(NVME_CMD_EFFECTS_CSUPP);

	memset(page, 0, sizeof(*log));
	if (dev->ops->log(dev, NVME_LOG_LID_CMD_EFFECTS, page, sizeof(*log)) != 0 ||
	    (log->iocs[nvme_cmd_read] & supported) == 0)
		return true;
	return ((admin ? log->acs : log->iocs)[opcode] & supported) != 0;
}
