/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "resv_format.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include <rte_byteorder.h>

#include "strake_kernel.h"

static const char magic[8] = "STRKRESV";

struct head {
	char magic[8];
	rte_le32_t version;
	rte_le32_t crc; /* over the whole file with this field zero */
	uint8_t uuid[16];
	rte_le32_t gen;
	rte_le16_t holder; /* NVMF_RESV_NOBODY: none, or all */
	rte_le16_t n;
	uint8_t rtype;
	uint8_t zero[23];
};
static_assert(sizeof(struct head) == 64, "on disk");

struct entry {
	uint8_t hostid[16];
	rte_le64_t key;
	uint8_t zero[8];
};
static_assert(sizeof(struct entry) == 32, "on disk");
static_assert(sizeof(struct head) + NVMF_RESV_MAX * sizeof(struct entry) == NVMF_RESV_FORMAT_MAX, "room");

size_t
nvmf_resv_encode(const struct nvmf_resv_state *st, const uint8_t *uuid, uint8_t *out)
{
	struct head h = {
		.version = rte_cpu_to_le_32(NVMF_RESV_FORMAT_VERSION),
		.gen = rte_cpu_to_le_32(st->gen),
		.holder = rte_cpu_to_le_16(st->holder),
		.n = rte_cpu_to_le_16(st->n),
		.rtype = st->rtype,
	};
	size_t len = sizeof(h) + st->n * sizeof(struct entry);

	memcpy(h.magic, magic, sizeof(magic));
	memcpy(h.uuid, uuid, sizeof(h.uuid));
	memcpy(out, &h, sizeof(h));
	for (uint16_t i = 0; i < st->n; i++) {
		struct entry e = {.key = rte_cpu_to_le_64(st->reg[i].key)};

		memcpy(e.hostid, st->reg[i].hostid, sizeof(e.hostid));
		memcpy(out + sizeof(h) + i * sizeof(e), &e, sizeof(e));
	}
	h.crc = rte_cpu_to_le_32(strake_kernel->crc32c(0, out, len));
	memcpy(out, &h, sizeof(h));
	return len;
}

static bool
crc_good(struct head h, const uint8_t *data, size_t len)
{
	uint32_t want = rte_le_to_cpu_32(h.crc), sum;

	h.crc = 0;
	sum = strake_kernel->crc32c(0, &h, sizeof(h));
	return strake_kernel->crc32c(sum, data + sizeof(h), len - sizeof(h)) == want;
}

/* A state no command leads to would be believed for ever. */
static bool
sane(const struct nvmf_resv_state *st)
{
	for (uint16_t i = 0; i < st->n; i++)
		if (st->reg[i].key == 0 || nvmf_resv_find(st, st->reg[i].hostid) != i)
			return false;
	if (st->rtype == NVME_RESV_NONE)
		return st->holder == NVMF_RESV_NOBODY;
	if (st->rtype > NVME_RESV_EXCL_ACCESS_ALL || st->n == 0)
		return false;
	return nvmf_resv_all(st->rtype) ? st->holder == NVMF_RESV_NOBODY : st->holder < st->n;
}

int
nvmf_resv_decode(struct nvmf_resv_state *st, const uint8_t *uuid, const uint8_t *data, size_t len)
{
	struct head h;

	if (len < sizeof(h))
		return -EBADMSG;
	memcpy(&h, data, sizeof(h));
	if (memcmp(h.magic, magic, sizeof(magic)) != 0 || !crc_good(h, data, len))
		return -EBADMSG;
	if (rte_le_to_cpu_32(h.version) != NVMF_RESV_FORMAT_VERSION)
		return -EPROTONOSUPPORT;
	memset(st, 0, sizeof(*st));
	st->gen = rte_le_to_cpu_32(h.gen);
	st->holder = rte_le_to_cpu_16(h.holder);
	st->n = rte_le_to_cpu_16(h.n);
	st->rtype = h.rtype;
	st->ptpl = true; /* or there would be no file */
	if (memcmp(h.uuid, uuid, sizeof(h.uuid)) != 0 || st->n > NVMF_RESV_MAX ||
	    len != sizeof(h) + st->n * sizeof(struct entry))
		return -EBADMSG;
	for (uint16_t i = 0; i < st->n; i++) {
		struct entry e;

		memcpy(&e, data + sizeof(h) + i * sizeof(e), sizeof(e));
		memcpy(st->reg[i].hostid, e.hostid, sizeof(e.hostid));
		st->reg[i].key = rte_le_to_cpu_64(e.key);
	}
	return sane(st) ? 0 : -EBADMSG;
}
