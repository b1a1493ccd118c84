/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* The superblock's part of the format: one note, of as many bytes as it needs. */

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <rte_byteorder.h>
#include <rte_common.h>

#include "log_format.h"
#include "strake_kernel.h"

static const uint8_t magic[8] = {'S', 'T', 'R', 'A', 'K', 'E', 'L', 'V'};

#define FLAG_CLEAN 1u

struct disk_open {
	rte_le32_t seg, off;
};

struct disk_super {
	uint8_t magic[8];
	rte_le32_t version;
	rte_le32_t crc; /* over all bytes with this field zero */
	rte_le32_t bytes, flags;
	uint8_t uuid[16];
	rte_le64_t seq, lsn, serial, intent_seq;
	rte_le32_t segments, next_volume, n_table, n_next, n_volumes, roots_bytes, n_since;
	struct disk_open open[LOG_STREAMS];
	uint8_t zero[116];
};
static_assert(sizeof(struct disk_super) == LOG_SUPER_HEAD, "on disk");

struct disk_volume {
	char name[64];
	uint8_t uuid[16];
	rte_le64_t bytes, shared;
	rte_le32_t id, domain;
	uint8_t lba_shift, state;
	uint8_t zero[86];
};
static_assert(sizeof(struct disk_volume) == LOG_SUPER_VOLUME, "on disk");

/* The list of segments to open is padded to whole eights. */
static size_t
next_bytes(uint32_t n)
{
	return RTE_ALIGN_CEIL((size_t)n * 4, 8);
}

size_t
log_super_bytes(const struct log_super *s)
{
	return LOG_SUPER_HEAD + (size_t)s->n_table * 8 + next_bytes(s->n_next) +
	       (size_t)s->n_volumes * LOG_SUPER_VOLUME + s->roots_bytes;
}

static void
volume_encode(const struct log_volume *v, uint8_t *to)
{
	struct disk_volume d = {
		.bytes = rte_cpu_to_le_64(v->bytes),
		.shared = rte_cpu_to_le_64(v->shared),
		.id = rte_cpu_to_le_32(v->id),
		.domain = rte_cpu_to_le_32(v->domain),
		.lba_shift = v->lba_shift,
		.state = v->state,
	};

	memcpy(d.name, v->name, sizeof(d.name));
	memcpy(d.uuid, v->uuid, sizeof(d.uuid));
	memcpy(to, &d, sizeof(d));
}

void
log_super_encode(const struct log_super *s, uint8_t *to)
{
	size_t bytes = log_super_bytes(s);
	struct disk_super d = {
		.version = rte_cpu_to_le_32(LOG_VERSION),
		.bytes = rte_cpu_to_le_32((uint32_t)bytes),
		.flags = rte_cpu_to_le_32(s->clean ? FLAG_CLEAN : 0),
		.seq = rte_cpu_to_le_64(s->seq),
		.lsn = rte_cpu_to_le_64(s->lsn),
		.serial = rte_cpu_to_le_64(s->serial),
		.intent_seq = rte_cpu_to_le_64(s->intent_seq),
		.segments = rte_cpu_to_le_32(s->segments),
		.roots_bytes = rte_cpu_to_le_32(s->roots_bytes),
		.n_since = rte_cpu_to_le_32(s->n_since),
		.next_volume = rte_cpu_to_le_32(s->next_volume),
		.n_table = rte_cpu_to_le_32(s->n_table),
		.n_next = rte_cpu_to_le_32(s->n_next),
		.n_volumes = rte_cpu_to_le_32(s->n_volumes),
	};
	uint8_t *at = to + sizeof(d);

	memset(to, 0, bytes);
	memcpy(d.magic, magic, sizeof(d.magic));
	memcpy(d.uuid, s->uuid, sizeof(d.uuid));
	for (unsigned int i = 0; i < LOG_STREAMS; i++)
		d.open[i] = (struct disk_open){rte_cpu_to_le_32(s->open[i].seg), rte_cpu_to_le_32(s->open[i].off)};
	for (uint32_t i = 0; i < s->n_table; i++, at += 8) {
		rte_le64_t v = rte_cpu_to_le_64(s->table[i]);

		memcpy(at, &v, sizeof(v));
	}
	for (uint32_t i = 0; i < s->n_next; i++) {
		rte_le32_t v = rte_cpu_to_le_32(s->next[i]);

		memcpy(at + (size_t)i * 4, &v, sizeof(v));
	}
	at += next_bytes(s->n_next);
	for (uint32_t i = 0; i < s->n_volumes; i++, at += LOG_SUPER_VOLUME)
		volume_encode(&s->volume[i], at);
	if (s->roots_bytes > 0)
		memcpy(at, s->roots, s->roots_bytes);
	memcpy(to, &d, sizeof(d));
	d.crc = rte_cpu_to_le_32(strake_kernel->crc32c(0, to, bytes));
	memcpy(to, &d, sizeof(d));
}

static int
volume_decode(struct log_volume *v, const uint8_t *from)
{
	struct disk_volume d;

	memcpy(&d, from, sizeof(d));
	*v = (struct log_volume){
		.bytes = rte_le_to_cpu_64(d.bytes),
		.shared = rte_le_to_cpu_64(d.shared),
		.id = rte_le_to_cpu_32(d.id),
		.domain = rte_le_to_cpu_32(d.domain),
		.lba_shift = d.lba_shift,
		.state = d.state,
	};
	memcpy(v->name, d.name, sizeof(v->name));
	memcpy(v->uuid, d.uuid, sizeof(v->uuid));
	if (memchr(v->name, '\0', sizeof(v->name)) == NULL || v->name[0] == '\0')
		return -EINVAL;
	return v->lba_shift == 9 || v->lba_shift == 12 ? 0 : -EINVAL;
}

/* Magic, version, length, CRC: what lies behind is then what was written. */
static const char *
head_wrong(const struct disk_super *d, const uint8_t *from, size_t len)
{
	struct disk_super zeroed = *d;
	uint32_t crc, bytes = rte_le_to_cpu_32(d->bytes);

	if (memcmp(d->magic, magic, sizeof(magic)) != 0)
		return "it is no superblock of a store";
	if (d->version != rte_cpu_to_le_32(LOG_VERSION))
		return "its version is not known";
	if (bytes < sizeof(*d) || bytes > len)
		return "it is cut short";
	zeroed.crc = 0;
	crc = strake_kernel->crc32c(0, &zeroed, sizeof(zeroed));
	crc = strake_kernel->crc32c(crc, from + sizeof(*d), bytes - sizeof(*d));
	return crc == rte_le_to_cpu_32(d->crc) ? NULL : "its checksum is wrong";
}

static int
arrays_decode(struct log_super *s, const uint8_t *at)
{
	s->table = calloc(s->n_table + 1, sizeof(*s->table));
	s->next = calloc(s->n_next + 1, sizeof(*s->next));
	s->volume = calloc(s->n_volumes + 1, sizeof(*s->volume));
	s->roots = calloc(1, s->roots_bytes + 1);
	if (s->table == NULL || s->next == NULL || s->volume == NULL || s->roots == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < s->n_table; i++, at += 8) {
		rte_le64_t v;

		memcpy(&v, at, sizeof(v));
		s->table[i] = rte_le_to_cpu_64(v);
		if (log_entry_kind(s->table[i]) != LOG_ENTRY_DIRECT || log_entry_seg(s->table[i]) >= s->segments)
			return -EINVAL;
	}
	for (uint32_t i = 0; i < s->n_next; i++) {
		rte_le32_t v;

		memcpy(&v, at + (size_t)i * 4, sizeof(v));
		s->next[i] = rte_le_to_cpu_32(v);
		if (s->next[i] >= s->segments)
			return -EINVAL;
	}
	at += next_bytes(s->n_next);
	for (uint32_t i = 0; i < s->n_volumes; i++, at += LOG_SUPER_VOLUME) {
		if (volume_decode(&s->volume[i], at) < 0)
			return -EINVAL;
	}
	memcpy(s->roots, at, s->roots_bytes);
	return 0;
}

int
log_super_decode(struct log_super *s, const uint8_t *from, size_t len, const char **why)
{
	struct disk_super d;
	int ret;

	memset(s, 0, sizeof(*s));
	*why = "it is cut short";
	if (len < sizeof(d))
		return -EINVAL;
	memcpy(&d, from, sizeof(d));
	*why = head_wrong(&d, from, len);
	if (*why != NULL)
		return -EINVAL;
	memcpy(s->uuid, d.uuid, sizeof(s->uuid));
	s->seq = rte_le_to_cpu_64(d.seq);
	s->lsn = rte_le_to_cpu_64(d.lsn);
	s->serial = rte_le_to_cpu_64(d.serial);
	s->intent_seq = rte_le_to_cpu_64(d.intent_seq);
	s->segments = rte_le_to_cpu_32(d.segments);
	s->next_volume = rte_le_to_cpu_32(d.next_volume);
	s->n_table = rte_le_to_cpu_32(d.n_table);
	s->n_next = rte_le_to_cpu_32(d.n_next);
	s->n_volumes = rte_le_to_cpu_32(d.n_volumes);
	s->roots_bytes = rte_le_to_cpu_32(d.roots_bytes);
	s->n_since = rte_le_to_cpu_32(d.n_since);
	s->clean = (d.flags & rte_cpu_to_le_32(FLAG_CLEAN)) != 0;
	for (unsigned int i = 0; i < LOG_STREAMS; i++)
		s->open[i] = (struct log_open){rte_le_to_cpu_32(d.open[i].seg), rte_le_to_cpu_32(d.open[i].off)};
	*why = "what it says does not hold together";
	if (s->segments > LOG_SEGS_MAX || s->n_table > LOG_SUPER_TABLE || s->n_next > LOG_SUPER_NEXT ||
	    s->n_volumes > LOG_SUPER_VOLUMES || s->roots_bytes > LOG_SUPER_ROOTS || s->n_since > s->n_next ||
	    s->lsn >> 62 != 0 || log_super_bytes(s) != rte_le_to_cpu_32(d.bytes) ||
	    (s->n_table > 0 && (uint64_t)s->n_table * LOG_TABLE_ENTRIES < s->segments))
		return -EINVAL;
	ret = arrays_decode(s, from + sizeof(d));
	if (ret < 0)
		log_super_free(s);
	return ret;
}

void
log_super_free(struct log_super *s)
{
	free(s->table);
	free(s->next);
	free(s->volume);
	free(s->roots);
	s->roots = NULL;
	s->table = NULL;
	s->next = NULL;
	s->volume = NULL;
}
