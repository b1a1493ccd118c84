/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* A drive of memory: reads lend its pages, writes are copied into them once. */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <rte_malloc.h>

#include "mem_pages.h"
#include "strake_account.h"
#include "strake_drive.h"
#include "strake_kernel.h"

/* Pages zeroed or forgotten at a time: some 10 µs. */
#define CLEAR_BURST 4096

/* What cksum_copy_nt() takes: multiples of it, as every block is. */
#define SEAM 256u

/* Of what is lent and will be read by this core, bytes. An EPYC gains by all of a block, as most reads are one; a Xeon,
 * which can have fewer lines under way, waits in asking for them what it would wait in reading them. */
#define FETCH_AMD    4096u
#define FETCH_OTHERS 1024u

struct mem {
	struct mem_pages pages;
};

/* I/Os of all memory drives that were submitted on this lcore and are not done. The work of reads and writes is done in
 * submit(), since it is all memory; of ranges to clear, a burst each turn. */
struct mem_lcore {
	struct strake_poller poller;
	struct strake_io *head, **tail;
	unsigned int users;
	uint8_t seam[SEAM] __rte_cache_aligned;
};

STRAKE_STEP(end_step, STRAKE_AT_END, "drives: ends of I/Os, back through the stripe")

static struct mem_lcore *lcores[STRAKE_LCORE_MAX];

static const struct conf_key mem_keys[] = {
	{.name = "size",
	 .type = CONF_SIZE,
	 .required = true,
	 .min = 4096,
	 .help = "Capacity, taken from DPDK's memory."},
	{.name = "block_size",
	 .type = CONF_UINT,
	 .power_of_two = true,
	 .min = 512,
	 .max = 4096,
	 .def = "512",
	 .help = "Smallest unit of an I/O, bytes: 512 or 4096."},
	{.name = NULL},
};

/* --- reads and writes ----------------------------------------------------------------------------------------------
 */

/* Where in a payload the next byte to be written lies. */
struct source {
	struct strake_buf *buf;
	uint32_t off;
};

/* Up to @p max contiguous bytes. @return 0 when the payload is too short. */
static inline uint32_t
source_next(struct source *s, uint32_t max, const uint8_t **addr)
{
	uint32_t n;

	while (s->buf != NULL && s->off >= s->buf->len) {
		s->off -= s->buf->len;
		s->buf = s->buf->next;
	}
	if (unlikely(s->buf == NULL))
		return 0;
	n = RTE_MIN(max, s->buf->len - s->off);
	*addr = s->buf->addr + s->off;
	s->off += n;
	return n;
}

/* The same in multiples of SEAM. @return 0: the current piece has less. */
static inline uint32_t
source_whole(struct source *s, uint32_t max, const uint8_t **addr)
{
	struct source was = *s;
	uint32_t n = source_next(s, max, addr), whole = n & ~(SEAM - 1);

	if (likely(whole == n))
		return n;
	if (whole == 0)
		*s = was;
	else
		s->off -= n - whole;
	return whole;
}

/* The next SEAM bytes, which lie in more than one piece, in one. @return false: the payload is too short. */
static bool
source_seam(struct source *s, uint8_t *seam)
{
	for (uint32_t have = 0; have < SEAM;) {
		const uint8_t *addr;
		uint32_t n = source_next(s, SEAM - have, &addr);

		if (unlikely(n == 0))
			return false;
		memcpy(seam + have, addr, n);
		have += n;
	}
	return true;
}

/* Up to a page, at a block's beginning and in whole blocks: past the cache, from where the payload lies. Only where its
 * pieces meet it goes through the cache, because a line that is written by halves past it costs more. */
static int
write_page(struct mem_lcore *lc, struct mem_pages *m, uint8_t *dst, struct source *src, uint32_t len)
{
	uint64_t sum = 0;
	uint32_t n;

	for (uint32_t done = 0; done < len; done += n) {
		const uint8_t *addr;

		n = source_whole(src, len - done, &addr);
		if (unlikely(n == 0)) {
			if (!source_seam(src, lc->seam))
				return -ERANGE;
			addr = lc->seam;
			n = SEAM;
		}
		sum = strake_kernel->cksum_copy_nt(dst + done, addr, n, sum);
	}
	if (likely(len == MEM_PAGE))
		mem_pages_set_sum(m, dst, (uint16_t)~strake_cksum_fold(sum));
	return 0;
}

/* @return 0, -EAGAIN (no spare page just now), -ERANGE. */
static int
mem_write(struct mem_lcore *lc, struct mem_pages *m, const struct strake_io *io)
{
	struct source src = {io->bufs, io->buf_off};
	uint64_t off = io->off, end = io->off + io->len;
	int ret = 0;

	while (off < end && ret == 0) {
		uint32_t in = (uint32_t)off & (MEM_PAGE - 1);
		uint32_t n = (uint32_t)RTE_MIN(end - off, (uint64_t)MEM_PAGE - in);
		uint8_t *dst = mem_pages_own(m, (uint32_t)(off >> MEM_PAGE_SHIFT), n == MEM_PAGE);

		if (unlikely(dst == NULL))
			return -EAGAIN;
		ret = write_page(lc, m, dst + in, &src, n);
		off += n;
	}
	return ret;
}

/* Copy [off, off + len) out to flat memory. */
static void
copy_flat(const struct mem_pages *m, uint64_t off, uint8_t *dst, uint32_t len)
{
	while (len > 0) {
		uint32_t in = (uint32_t)off & (MEM_PAGE - 1), n = RTE_MIN(len, MEM_PAGE - in);

		memcpy(dst, mem_pages_look(m, (uint32_t)(off >> MEM_PAGE_SHIFT)) + in, n);
		dst += n;
		off += n;
		len -= n;
	}
}

/* Into the bufs the caller gave. */
static int
read_into(const struct mem_pages *m, const struct strake_io *io)
{
	struct strake_buf_iter it;
	uint64_t off = io->off;
	uint8_t *addr;
	uint32_t n;

	if (strake_buf_iter_init(&it, io->bufs, io->buf_off, io->len) < 0)
		return -ERANGE;
	while ((n = strake_buf_iter_next(&it, &addr)) > 0) {
		copy_flat(m, off, addr, n);
		off += n;
	}
	return 0;
}

/* The bytes will be read soon, all of them: begin to fetch them. What follows the core fetches by itself. They lie
 * at home nearly always; what is known of the page, which would tell, is as far away as they are, so both are fetched
 * at once. */
static inline void
fetch(const struct mem_pages *m, uint64_t off, uint32_t len)
{
	const uint8_t *home =
		mem_pages_addr(m, mem_pages_home((uint32_t)(off >> MEM_PAGE_SHIFT))) + (off & (MEM_PAGE - 1));
	uint32_t most = __builtin_cpu_is("amd") ? FETCH_AMD : FETCH_OTHERS;

	for (uint32_t at = 0; at < RTE_MIN(len, most); at += RTE_CACHE_LINE_SIZE)
		rte_prefetch0(home + at);
}

/* @return 0, -EAGAIN (no descriptor or page just now), -ERANGE. */
static int
mem_read(struct mem_pages *m, struct strake_io *io, struct strake_drive_stats *stats)
{
	bool full;

	if (unlikely(io->bufs != NULL))
		return read_into(m, io);
	if (io->flags & STRAKE_IO_TOUCHED) {
		mem_pages_prefetch(m, io->off);
		fetch(m, io->off, io->len);
	}
	io->bufs = mem_pages_lend(m, io->off, io->len, &full);
	if (likely(io->bufs != NULL))
		return 0;
	if (!full || (io->bufs = strake_buf_page(io->len)) == NULL)
		return -EAGAIN;
	copy_flat(m, io->off, io->bufs->addr, io->len);
	stats->bytes_gathered += io->len;
	return 0;
}

/* --- zeroes --------------------------------------------------------------------------------------------------------
 */

/* Clear the next pages of a range; priv[1] is how far it got. @return true at the end. */
static bool
clear_some(struct mem_pages *m, struct strake_io *io)
{
	uint64_t end = io->off + io->len;

	for (unsigned int pages = 0; io->priv[1] < end; pages++) {
		uint64_t off = io->priv[1];
		uint32_t in = (uint32_t)off & (MEM_PAGE - 1), page = (uint32_t)(off >> MEM_PAGE_SHIFT);
		uint32_t n = (uint32_t)RTE_MIN(end - off, (uint64_t)MEM_PAGE - in);
		uint8_t *dst;

		if (pages == CLEAR_BURST)
			return false;
		if (n == MEM_PAGE) {
			mem_pages_clear(m, page);
		} else {
			dst = mem_pages_own(m, page, false);
			if (dst == NULL)
				return false; /* no spare page just now */
			memset(dst + in, 0, n);
		}
		io->priv[1] += n;
	}
	return true;
}

/* --- the drive -----------------------------------------------------------------------------------------------------
 */

static bool
in_bounds(const struct strake_drive *drive, const struct strake_io *io)
{
	if (io->op == STRAKE_IO_FLUSH)
		return true;
	return io->len > 0 && ((io->off | io->len) & (drive->block_size - 1)) == 0 && io->off < drive->bytes &&
	       io->len <= drive->bytes - io->off && (io->op > STRAKE_IO_WRITE || io->len <= drive->max_io);
}

static inline void
push(struct mem_lcore *lc, struct strake_io *io, int status)
{
	io->priv[0] = (uint64_t)(int64_t)status;
	io->link = NULL;
	*lc->tail = io;
	lc->tail = &io->link;
}

static void
prefetch(const struct strake_drive *drive, struct strake_io **ios, uint16_t n)
{
	const struct mem *mem = drive->priv;

	for (uint16_t i = 0; i < n; i++) {
		if (ios[i]->off < drive->bytes)
			mem_pages_prefetch(&mem->pages, ios[i]->off);
	}
}

static uint16_t
mem_submit(struct strake_drive *drive, struct strake_io **ios, uint16_t n)
{
	struct mem_lcore *lc = drive->lc[strake_self_index()];
	struct strake_drive_stats *stats = drive->stats[strake_self_index()];
	struct mem *mem = drive->priv;
	int ret;

	if (n > 1)
		prefetch(drive, ios, n);
	for (uint16_t i = 0; i < n; i++) {
		struct strake_io *io = ios[i];

		if (unlikely(!in_bounds(drive, io))) {
			push(lc, io, -ERANGE);
			continue;
		}
		switch (io->op) {
		case STRAKE_IO_READ:
			ret = mem_read(&mem->pages, io, stats);
			if (unlikely(ret == -EAGAIN))
				return i;
			break;
		case STRAKE_IO_WRITE:
			ret = mem_write(lc, &mem->pages, io);
			if (unlikely(ret == -EAGAIN))
				return i;
			stats->bytes_gathered += io->len;
			break;
		case STRAKE_IO_FLUSH:
			ret = 0;
			break;
		default:
			io->priv[1] = io->off;
			ret = 0;
		}
		push(lc, io, ret);
	}
	return n;
}

/* Finish what was submitted; what done() submits in its turn waits for the next call. */
static uint32_t
mem_poll(struct strake_poller *p, uint64_t now)
{
	struct mem_lcore *lc = container_of(p, struct mem_lcore, poller);
	struct strake_io *io = lc->head, *next;
	uint32_t work = 0;
	uint8_t before;

	if (io == NULL)
		return 0;
	lc->head = NULL;
	lc->tail = &lc->head;
	/* What submit() wrote is for every core from here on. */
	strake_kernel_fence();
	before = strake_account_enter(&end_step);
	for (; io != NULL; io = next) {
		int status = (int)(int64_t)io->priv[0];
		bool done = true;

		next = io->link;
		if (unlikely(io->op >= STRAKE_IO_WRITE_ZEROES && status == 0)) {
			struct mem *mem = io->drive->priv;

			done = clear_some(&mem->pages, io);
		}
		if (likely(done))
			strake_io_complete(io, status);
		else
			push(lc, io, 0);
		work++;
	}
	strake_account_leave(before);
	return work;
}

static int
mem_open(struct strake_drive *drive, const struct conf_values *conf, char *err, size_t errlen)
{
	uint64_t bytes = conf_u64(conf, "size"), block = conf_u64(conf, "block_size");
	struct mem *mem;

	if (block != 512 && block != 4096) {
		snprintf(err, errlen, "drive %s: block_size %" PRIu64 "; expected 512 or 4096", drive->name, block);
		return -EINVAL;
	}
	if (bytes % block != 0 || bytes >> MEM_PAGE_SHIFT > UINT32_MAX / 2) {
		snprintf(err, errlen, "drive %s: size %" PRIu64 " is not a multiple of %" PRIu64 ", or beyond 8 TiB",
			 drive->name, bytes, block);
		return -EINVAL;
	}
	mem = rte_zmalloc("mem_drive", sizeof(*mem), RTE_CACHE_LINE_SIZE);
	if (mem == NULL || mem_pages_init(&mem->pages, bytes, SOCKET_ID_ANY) < 0) {
		snprintf(err, errlen,
			 "drive %s: DPDK has no %" PRIu64 " MiB of contiguous memory left; raise appliance.memory",
			 drive->name, (mem_pages_footprint(bytes) >> 20) + 1);
		rte_free(mem);
		return -ENOMEM;
	}
	drive->bytes = bytes;
	drive->block_size = (uint32_t)block;
	drive->max_io = STRAKE_BUF_PAGE_MAX;
	drive->volatile_cache = false;
	drive->priv = mem;
	snprintf(drive->serial, sizeof(drive->serial), "mem-%.50s", drive->name);
	return 0;
}

static void
mem_close(struct strake_drive *drive)
{
	struct mem *mem = drive->priv;

	mem_pages_fini(&mem->pages);
	rte_free(mem);
}

/* One poller finishes the I/Os of all memory drives. */
static int
mem_lcore_init(struct strake_drive *drive)
{
	uint16_t self = strake_self_index();
	struct mem_lcore *lc = lcores[self];

	if (lc == NULL) {
		lc = rte_zmalloc_socket("mem_lcore", sizeof(*lc), RTE_CACHE_LINE_SIZE, strake_self()->socket);
		if (lc == NULL)
			return -ENOMEM;
		lc->tail = &lc->head;
		/* At the end of the turn too: what a front submits in its poll is answered in the same turn. The list
		 * is empty whenever the lcore would sleep, or work was reported: no descriptor is needed. */
		lc->poller = (struct strake_poller){.name = "mem_drive", .poll = mem_poll, .flush = mem_poll, .fd = -2};
		strake_poller_add(&lc->poller);
		lcores[self] = lc;
	}
	lc->users++;
	drive->lc[self] = lc;
	return 0;
}

static void
mem_lcore_fini(struct strake_drive *drive)
{
	uint16_t self = strake_self_index();
	struct mem_lcore *lc = lcores[self];

	drive->lc[self] = NULL;
	if (--lc->users > 0)
		return;
	strake_poller_del(&lc->poller);
	rte_free(lc);
	lcores[self] = NULL;
}

static void
mem_telemetry(struct strake_drive *drive, struct rte_tel_data *dict)
{
	struct mem *mem = drive->priv;
	int64_t lent = __atomic_load_n(&mem->pages.lent, __ATOMIC_RELAXED);

	for (unsigned int i = 0; i < STRAKE_LCORE_MAX; i++)
		lent += __atomic_load_n(&mem->pages.lcore[i].n, __ATOMIC_RELAXED);
	rte_tel_data_add_dict_u64(dict, "pages", mem->pages.pages);
	rte_tel_data_add_dict_u64(dict, "pages_lent", (uint64_t)RTE_MAX(lent, 0));
	rte_tel_data_add_dict_u64(dict, "spares", mem->pages.spares);
	rte_tel_data_add_dict_u64(dict, "spares_free", rte_ring_count(mem->pages.free));
}

static const struct strake_drive_ops mem_ops = {
	.name = "mem",
	.keys = mem_keys,
	.open = mem_open,
	.close = mem_close,
	.lcore_init = mem_lcore_init,
	.lcore_fini = mem_lcore_fini,
	.submit = mem_submit,
	.telemetry = mem_telemetry,
};
STRAKE_DRIVE_REGISTER(mem_ops)
