/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "nvmf_mem_stage.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct nvmf_mem *being_created;

static int
mem_create(struct strake_stage *st, const struct conf_values *conf, char *err, size_t errlen)
{
	st->priv = being_created;
	return 0;
}

static int
read_out(struct strake_unit *u, const uint8_t *at)
{
	/* two pieces where it can be, as a stripe would give */
	uint32_t half = u->nbytes > 4096 ? 4096 : u->nbytes;

	for (uint32_t off = 0; off < u->nbytes; off += half, half = u->nbytes - off) {
		struct strake_buf *buf = strake_buf_page(half);

		if (buf == NULL)
			return -ENOMEM;
		memcpy(buf->addr, at + off, half);
		strake_unit_append(u, buf);
	}
	return 0;
}

static int
compare(struct strake_unit *u, const uint8_t *at, uint32_t len)
{
	uint8_t *got = malloc(len);
	int ret = strake_buf_copy_out(u->bufs, 0, got, len);

	if (ret == 0 && memcmp(got, at, len) != 0)
		ret = -EILSEQ;
	free(got);
	return ret;
}

static int
carry_out(struct nvmf_mem *mem, struct strake_unit *u)
{
	uint8_t *at = mem->bytes + (u->lba << mem->vol.lba_shift);
	uint32_t len = u->nlb << mem->vol.lba_shift;
	int ret;

	if (mem->fail != 0)
		return mem->fail;
	switch (u->op) {
	case STRAKE_OP_READ:
		return read_out(u, at);
	case STRAKE_OP_WRITE:
		return strake_buf_copy_out(u->bufs, 0, at, len);
	case STRAKE_OP_WRITE_ZEROES:
	case STRAKE_OP_DEALLOCATE:
		memset(at, 0, len);
		return 0;
	case STRAKE_OP_COMPARE:
		return compare(u, at, len);
	case STRAKE_OP_COMPARE_WRITE:
		ret = compare(u, at, len);
		return ret < 0 ? ret : strake_buf_copy_out(u->bufs, len, at, len);
	default:
		return 0;
	}
}

static void
mem_down(struct strake_stage *st, struct strake_unit **units, uint16_t n)
{
	struct nvmf_mem *mem = st->priv;

	for (uint16_t i = 0; i < n; i++) {
		struct strake_unit *u = units[i];

		mem->ops[u->op]++;
		mem->cls = u->cls;
		mem->flags = u->flags;
		mem->tag = u->tag;
		if (mem->hold) {
			if (mem->submitted)
				u->flags |= STRAKE_UNIT_SUBMITTED;
			u->verdict = STRAKE_HELD;
			u->link = NULL;
			*mem->held_tail = u;
			mem->held_tail = &u->link;
			mem->n_held++;
			continue;
		}
		strake_unit_fail(u, carry_out(mem, u));
	}
}

static void
finish(struct nvmf_mem *mem, bool cancelled_only)
{
	struct strake_unit *u = mem->held;

	mem->held = NULL;
	mem->held_tail = &mem->held;
	mem->n_held = 0;
	while (u != NULL) {
		struct strake_unit *next = u->link;
		bool cancelled = (u->flags & (STRAKE_UNIT_CANCELLED | STRAKE_UNIT_SUBMITTED)) == STRAKE_UNIT_CANCELLED;

		u->link = NULL;
		if (cancelled) {
			u->status = -ECANCELED;
			strake_unit_complete(u);
		} else if (cancelled_only) {
			*mem->held_tail = u;
			mem->held_tail = &u->link;
			mem->n_held++;
		} else {
			u->status = (int16_t)carry_out(mem, u);
			strake_unit_complete(u);
		}
		u = next;
	}
}

void
nvmf_mem_release(struct nvmf_mem *mem)
{
	finish(mem, false);
}

static uint32_t
mem_poll(struct strake_stage *st, uint64_t now)
{
	finish(st->priv, true);
	return 0;
}

static const struct strake_stage_ops mem_ops = {
	.name = "nvmf_mem",
	.unit = STRAKE_UNIT_REQ,
	.create = mem_create,
	.down = mem_down,
	.poll = mem_poll,
};

struct nvmf_mem *
nvmf_mem_create(const char *name, uint64_t nlb, uint32_t lba_shift, const uint8_t *uuid)
{
	struct nvmf_mem *mem = calloc(1, sizeof(*mem));
	char err[128];

	snprintf(mem->vol.name, sizeof(mem->vol.name), "%s", name);
	memcpy(mem->vol.uuid, uuid, 16);
	mem->vol.nlb = nlb;
	mem->vol.lba_shift = lba_shift;
	mem->vol.slab_shift = 20;
	mem->vol.slabs = (uint32_t)(((nlb << lba_shift) + (1u << 20) - 1) >> 20);
	mem->bytes = calloc(nlb, 1u << lba_shift);
	mem->held_tail = &mem->held;
	being_created = mem;
	if (strake_stage_create(&mem->stage, &mem_ops, name, NULL, -1, err, sizeof(err)) < 0 ||
	    strake_chain_create(&mem->vol.reqs, name, STRAKE_UNIT_REQ, &mem->stage, 1, err, sizeof(err)) < 0 ||
	    strake_volume_add(&mem->vol) < 0)
		abort();
	return mem;
}

void
nvmf_mem_destroy(struct nvmf_mem *mem)
{
	strake_volume_del(&mem->vol);
	strake_chain_destroy(mem->vol.reqs);
	strake_stage_destroy(mem->stage);
	free(mem->bytes);
	free(mem);
}
