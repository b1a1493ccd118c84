/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include <rte_byteorder.h>
#include <rte_common.h>

#include "keytable_format.h"
#include "strake_kernel.h"

#define MAGIC	"STRKKEYS"
#define VERSION 1u

struct head {
	uint8_t magic[8];
	rte_le32_t version, bytes, crc, keys, openings;
	rte_le16_t last_opening, zero0;
	rte_le64_t seq, zero1;
	uint8_t uuid[16], check[16], zero2[48];
} __rte_packed;
_Static_assert(sizeof(struct head) == KEYTABLE_HEAD, "layout");

struct disk_key {
	rte_le32_t domain;
	rte_le16_t epoch;
	uint8_t state, zero0, wrapped[KEYTABLE_WRAPPED], zero1[16];
} __rte_packed;
_Static_assert(sizeof(struct disk_key) == KEYTABLE_KEY_BYTES, "layout");

struct disk_opening {
	rte_le16_t number;
	uint8_t zero[6], salt[KEYTABLE_SALT];
} __rte_packed;
_Static_assert(sizeof(struct disk_opening) == KEYTABLE_OPENING_BYTES, "layout");

void
keytable_encode(const struct keytable *t, uint8_t *out)
{
	uint32_t bytes = keytable_bytes(t->n_keys, t->n_openings);
	struct head h = {
		.magic = MAGIC,
		.version = rte_cpu_to_le_32(VERSION),
		.bytes = rte_cpu_to_le_32(bytes),
		.keys = rte_cpu_to_le_32(t->n_keys),
		.openings = rte_cpu_to_le_32(t->n_openings),
		.last_opening = rte_cpu_to_le_16(t->last_opening),
		.seq = rte_cpu_to_le_64(t->seq),
	};
	uint8_t *at = out + sizeof(h);

	memcpy(h.uuid, t->uuid, sizeof(h.uuid));
	memcpy(h.check, t->check, sizeof(h.check));
	for (uint32_t i = 0; i < t->n_keys; i++, at += KEYTABLE_KEY_BYTES) {
		struct disk_key k = {.domain = rte_cpu_to_le_32(t->key[i].domain),
				     .epoch = rte_cpu_to_le_16(t->key[i].epoch),
				     .state = t->key[i].state};

		memcpy(k.wrapped, t->key[i].wrapped, sizeof(k.wrapped));
		memcpy(at, &k, sizeof(k));
	}
	for (uint32_t i = 0; i < t->n_openings; i++, at += KEYTABLE_OPENING_BYTES) {
		struct disk_opening o = {.number = rte_cpu_to_le_16(t->opening[i].number)};

		memcpy(o.salt, t->opening[i].salt, sizeof(o.salt));
		memcpy(at, &o, sizeof(o));
	}
	memcpy(out, &h, sizeof(h));
	h.crc = rte_cpu_to_le_32(strake_kernel->crc32c(0, out, bytes));
	memcpy(out, &h, sizeof(h));
}

static int
check_head(const struct head *h, const uint8_t *in, size_t len)
{
	static const uint8_t none[4];
	uint32_t bytes = rte_le_to_cpu_32(h->bytes), keys = rte_le_to_cpu_32(h->keys),
		 openings = rte_le_to_cpu_32(h->openings), crc;

	if (rte_le_to_cpu_32(h->version) != VERSION)
		return -EPROTO;
	if (keys > KEYTABLE_KEYS || openings > KEYTABLE_OPENINGS || bytes != keytable_bytes(keys, openings) ||
	    bytes > len)
		return -EBADMSG;
	crc = strake_kernel->crc32c(0, in, offsetof(struct head, crc));
	crc = strake_kernel->crc32c(crc, none, sizeof(none));
	crc = strake_kernel->crc32c(crc, in + offsetof(struct head, keys), bytes - offsetof(struct head, keys));
	return crc == rte_le_to_cpu_32(h->crc) ? 0 : -EBADMSG;
}

static bool
key_is_new(const struct keytable *t, uint32_t n)
{
	const struct keytable_key *k = &t->key[n];

	if (k->epoch == 0 || (k->state != KEYTABLE_LIVE && k->state != KEYTABLE_ERASED))
		return false;
	for (uint32_t i = 0; i < n; i++)
		if (t->key[i].domain == k->domain && t->key[i].epoch == k->epoch)
			return false;
	return true;
}

static int
take_openings(struct keytable *t, const uint8_t *at)
{
	uint8_t seen[(UINT16_MAX + 1) / 8] = {0};

	for (uint32_t i = 0; i < t->n_openings; i++, at += KEYTABLE_OPENING_BYTES) {
		struct disk_opening o;
		uint16_t number;

		memcpy(&o, at, sizeof(o));
		number = rte_le_to_cpu_16(o.number);
		/* One beyond the last would be given out again, with another salt. */
		if (number == 0 || number > t->last_opening || (seen[number / 8] & 1u << number % 8) != 0)
			return -EBADMSG;
		seen[number / 8] |= (uint8_t)(1u << number % 8);
		t->opening[i].number = number;
		memcpy(t->opening[i].salt, o.salt, sizeof(o.salt));
	}
	return 0;
}

int
keytable_decode(struct keytable *t, const uint8_t *in, size_t len)
{
	struct head h;
	int ret;

	if (len < sizeof(h))
		return len == 0 ? -ENOENT : -EBADMSG;
	memcpy(&h, in, sizeof(h));
	if (memcmp(h.magic, MAGIC, sizeof(h.magic)) != 0)
		return -ENOENT;
	ret = check_head(&h, in, len);
	if (ret < 0)
		return ret;
	memset(t, 0, sizeof(*t));
	memcpy(t->uuid, h.uuid, sizeof(t->uuid));
	memcpy(t->check, h.check, sizeof(t->check));
	t->seq = rte_le_to_cpu_64(h.seq);
	t->last_opening = rte_le_to_cpu_16(h.last_opening);
	t->n_keys = rte_le_to_cpu_32(h.keys);
	t->n_openings = rte_le_to_cpu_32(h.openings);
	in += sizeof(h);
	for (uint32_t i = 0; i < t->n_keys; i++, in += KEYTABLE_KEY_BYTES) {
		struct disk_key k;

		memcpy(&k, in, sizeof(k));
		t->key[i].domain = rte_le_to_cpu_32(k.domain);
		t->key[i].epoch = rte_le_to_cpu_16(k.epoch);
		t->key[i].state = k.state;
		memcpy(t->key[i].wrapped, k.wrapped, sizeof(k.wrapped));
		if (!key_is_new(t, i))
			return -EBADMSG;
	}
	return take_openings(t, in);
}
