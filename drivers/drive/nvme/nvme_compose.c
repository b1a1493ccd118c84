/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "nvme_compose.h"

#include <endian.h>
#include <string.h>

#include <libnvme.h>
#include <rte_common.h>

#define CDW12_FUA  (1u << 30)
#define CDW12_DEAC (1u << 25)
#define CDW11_AD   (1u << 2) /* Dataset Management: deallocate */

#define PAGE_MASK  4095u

/* The kernel copies what does not begin at its alignment or leaves a gap between pieces inside a page (PRP lists have
 * none, NVMe Base specification 2.0, 4.1.1): such a payload is gathered here, where it is counted. */
bool
nvme_lies_well(const struct nvme_dev *dev, const struct strake_io *io)
{
	struct strake_buf_iter it;
	uintptr_t end = 0;
	unsigned int pieces = 0;
	uint8_t *addr;
	uint32_t n;

	if (strake_buf_iter_init(&it, io->bufs, io->buf_off, io->len) < 0)
		return false;
	while ((n = strake_buf_iter_next(&it, &addr)) > 0) {
		if ((((uintptr_t)addr | n) & dev->dma_mask) != 0 || ++pieces > dev->max_iov ||
		    (pieces > 1 && (((uintptr_t)addr | end) & PAGE_MASK) != 0))
			return false;
		end = (uintptr_t)addr + n;
	}
	return true;
}

uint32_t
nvme_cut(const struct nvme_lane *lane, const struct strake_io *io, uint32_t from)
{
	const struct nvme_geom *g = &lane->sh->geom;
	uint64_t at = io->off + from;
	uint32_t left = io->len - from, most = left;
	bool zero = io->op == STRAKE_IO_WRITE_ZEROES;

	if (io->op == STRAKE_IO_DEALLOCATE)
		return RTE_MIN(left, g->max_trim);
	if (zero)
		most = g->zeroes ? g->max_zeroes : RTE_MIN(g->max_xfer, STRAKE_BUF_PAGE_MAX);
	else
		most = g->max_xfer;
	if (!zero && g->boundary != 0)
		most = (uint32_t)RTE_MIN((uint64_t)most, g->boundary - at % g->boundary);
	if (left <= most)
		return left;
	if (io->op != STRAKE_IO_READ && g->write_unit != 0) {
		uint32_t over = (uint32_t)((at + most) % g->write_unit);

		if (over < most)
			most -= over;
	}
	return most;
}

uint8_t
nvme_opcode_of(const struct nvme_lane *lane, const struct strake_io *io)
{
	switch (io->op) {
	case STRAKE_IO_READ:
		return nvme_cmd_read;
	case STRAKE_IO_WRITE:
		return nvme_cmd_write;
	case STRAKE_IO_WRITE_ZEROES:
		return lane->sh->geom.zeroes ? nvme_cmd_write_zeroes : nvme_cmd_write;
	case STRAKE_IO_DEALLOCATE:
		return nvme_cmd_dsm;
	default:
		return nvme_cmd_flush;
	}
}

static void
compose_range(struct nvme_lane *lane, struct nvme_slot *s, struct nvme_cmd *cmd)
{
	struct nvme_dsm_range *r = (struct nvme_dsm_range *)s->range->addr;
	uint8_t shift = lane->sh->geom.lba_shift;

	memset(r, 0, NVME_RANGE_BYTES);
	r->nlb = htole32(s->len >> shift);
	r->slba = htole64((s->io->off + s->off) >> shift);
	s->iov[0] = (struct iovec){r, NVME_RANGE_BYTES};
	cmd->n_iov = 1;
	cmd->len = NVME_RANGE_BYTES;
	cmd->cdw10 = 0; /* one range */
	cmd->cdw11 = CDW11_AD;
}

static void
compose_data(struct nvme_lane *lane, struct nvme_slot *s, struct nvme_cmd *cmd)
{
	struct strake_io *io = s->io;
	struct nvme_part *p = nvme_part_of(io);

	cmd->len = s->len;
	cmd->n_iov = 1;
	if (io->op == STRAKE_IO_WRITE_ZEROES)
		s->iov[0] = (struct iovec){lane->zeroes->addr, s->len};
	else if (p->page != NULL)
		s->iov[0] = (struct iovec){p->page->addr + s->off, s->len};
	else
		cmd->n_iov = (uint16_t)strake_buf_iov(io->bufs, io->buf_off + s->off, s->len, s->iov, NVME_IOVS);
}

void
nvme_compose(struct nvme_lane *lane, struct nvme_slot *s, struct nvme_cmd *cmd)
{
	const struct nvme_geom *g = &lane->sh->geom;
	uint64_t lba = (s->io->off + s->off) >> g->lba_shift;

	if (s->opcode != nvme_cmd_flush && s->opcode != nvme_cmd_dsm) {
		cmd->cdw10 = (uint32_t)lba;
		cmd->cdw11 = (uint32_t)(lba >> 32);
		cmd->cdw12 = (s->len >> g->lba_shift) - 1;
		if ((s->io->flags & STRAKE_IO_FUA) != 0 && s->opcode != nvme_cmd_read && g->cache_on)
			cmd->cdw12 |= CDW12_FUA;
		if (s->opcode == nvme_cmd_write_zeroes && g->zeroes_free)
			cmd->cdw12 |= CDW12_DEAC;
	}
	if (s->opcode == nvme_cmd_dsm)
		compose_range(lane, s, cmd);
	else if (s->opcode == nvme_cmd_read || s->opcode == nvme_cmd_write)
		compose_data(lane, s, cmd);
}
