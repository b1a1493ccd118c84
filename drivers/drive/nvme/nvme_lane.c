/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "nvme_lane.h"

#include <errno.h>
#include <string.h>

#include <libnvme.h>
#include <rte_common.h>
#include <rte_malloc.h>

#include "nvme_compose.h"
#include "nvme_status.h"

TAILQ_HEAD(lane_list, nvme_lane);

/* One lcore's lanes that have something to do in the next turn. */
static struct desk {
	struct strake_poller poller;
	struct lane_list lanes;
	unsigned int users;
} desks[STRAKE_LCORE_MAX];

static inline enum nvme_end
end_of(const struct nvme_lane *lane)
{
	return __atomic_load_n(&lane->sh->end, __ATOMIC_RELAXED);
}

/* --- the desk --------------------------------------------------------------------------------------------------------
 */

static void
list(struct nvme_lane *lane)
{
	if (lane->listed)
		return;
	lane->listed = true;
	TAILQ_INSERT_TAIL(&desks[strake_self_index()].lanes, lane, link);
}

static void
finish(struct strake_io *io)
{
	struct nvme_part *p = nvme_part_of(io);
	int status = p->status;

	if (p->page != NULL) {
		if (io->op == STRAKE_IO_READ && status == 0 && io->bufs == NULL) {
			io->bufs = p->page;
		} else {
			if (io->op == STRAKE_IO_READ && status == 0)
				strake_buf_copy_in(io->bufs, io->buf_off, p->page->addr, io->len);
			strake_buf_put(p->page);
		}
	}
	strake_io_complete(io, status);
}

/* Not from inside submit(), so that done() is not either. */
static void
finish_next_turn(struct nvme_lane *lane, struct strake_io *io, int status)
{
	nvme_part_of(io)->status = status;
	io->link = NULL;
	*lane->ended_tail = io;
	lane->ended_tail = &io->link;
	list(lane);
}

/* --- asking ----------------------------------------------------------------------------------------------------------
 */

static inline bool
in_bounds(const struct strake_drive *drive, const struct strake_io *io)
{
	if (io->op == STRAKE_IO_FLUSH)
		return true;
	return io->len > 0 && ((io->off | io->len) & (drive->block_size - 1)) == 0 && io->off < drive->bytes &&
	       io->len <= drive->bytes - io->off && (io->op > STRAKE_IO_WRITE || io->len <= drive->max_io);
}

/* @return 0, -EAGAIN (no page just now), -ERANGE (payload too short). */
static int
begin_rw(struct nvme_lane *lane, struct strake_io *io)
{
	struct nvme_part *p = nvme_part_of(io);

	if (io->bufs != NULL && nvme_lies_well(lane->sh->dev, io))
		return 0;
	if (io->bufs != NULL && strake_buf_list_len(io->bufs) < (uint64_t)io->buf_off + io->len)
		return -ERANGE;
	p->page = strake_buf_page(io->len);
	if (p->page == NULL)
		return -EAGAIN;
	if (io->op == STRAKE_IO_WRITE) {
		io->drive->stats[strake_self_index()]->bytes_gathered += io->len;
		return strake_buf_copy_out(io->bufs, io->buf_off, p->page->addr, io->len);
	}
	if (io->bufs != NULL)
		lane->stats.copied += io->len;
	return 0;
}

static bool
hand_over(struct nvme_lane *lane, struct nvme_slot *s)
{
	struct nvme_cmd cmd = {
		.tag = (uint64_t)lane->sh->dev->slot << 48 | (uint64_t)(uint32_t)(s->serial + 1) << 16 |
		       (uint64_t)(s - lane->slots),
		.opcode = s->opcode,
		.iov = s->iov,
	};
	nvme_compose(lane, s, &cmd);
	if (unlikely(!lane->sh->dev->ops->submit(lane, &cmd)))
		return false;
	s->serial++;
	s->tries++;
	s->out = true;
	lane->stats.commands++;
	return true;
}

static inline void
slot_put(struct nvme_lane *lane, struct nvme_slot *s)
{
	if (s->range != NULL)
		strake_buf_put(s->range);
	s->range = NULL;
	s->io = NULL;
	s->next = lane->free;
	lane->free = s;
}

/* The next command of @p io. @return false when there is no slot, page or room for it. */
static bool
ask_next(struct nvme_lane *lane, struct strake_io *io)
{
	struct nvme_part *p = nvme_part_of(io);
	struct nvme_slot *s = lane->free;

	if (unlikely(s == NULL))
		return false;
	lane->free = s->next;
	s->io = io;
	s->opcode = nvme_opcode_of(lane, io);
	s->off = p->next;
	s->len = io->op == STRAKE_IO_FLUSH ? 1 : nvme_cut(lane, io, p->next);
	s->tries = 0;
	s->first = strake_now();
	if (s->opcode == nvme_cmd_dsm)
		s->range = strake_buf_page(NVME_RANGE_BYTES);
	if (unlikely((s->opcode == nvme_cmd_dsm && s->range == NULL) || !hand_over(lane, s))) {
		slot_put(lane, s);
		return false;
	}
	if (p->next > 0)
		lane->stats.cut++;
	if (io->op == STRAKE_IO_WRITE_ZEROES && s->opcode == nvme_cmd_write)
		lane->stats.zeroes_written += s->len;
	p->next += s->len;
	p->pending++;
	return true;
}

static inline bool
all_asked(struct strake_io *io)
{
	return nvme_part_of(io)->next >= (io->op == STRAKE_IO_FLUSH ? 1 : io->len);
}

/* @return false when some of it is left for later. A failed one is not continued. */
static bool
ask_all(struct nvme_lane *lane, struct strake_io *io)
{
	while (nvme_part_of(io)->status == 0 && !all_asked(io)) {
		if (!ask_next(lane, io))
			return false;
	}
	return true;
}

static void
wait_for_room(struct nvme_lane *lane, struct strake_io *io)
{
	nvme_part_of(io)->waiting = true;
	io->link = NULL;
	*lane->waiting_tail = io;
	lane->waiting_tail = &io->link;
	list(lane);
}

uint16_t
nvme_lane_submit(struct nvme_lane *lane, struct strake_io **ios, uint16_t n)
{
	enum nvme_end end = end_of(lane);
	uint16_t i;

	for (i = 0; i < n && lane->waiting == NULL; i++) {
		struct strake_io *io = ios[i];
		int ret = 0;

		memset(io->priv, 0, sizeof(struct nvme_part));
		if (unlikely(end != NVME_IN_USE))
			ret = -ENODEV;
		else if (unlikely(!in_bounds(io->drive, io)))
			ret = -ERANGE;
		else if (io->op <= STRAKE_IO_WRITE)
			ret = begin_rw(lane, io);
		if (unlikely(ret == -EAGAIN))
			break;
		if (unlikely(ret < 0) || (io->op == STRAKE_IO_DEALLOCATE && !lane->sh->trim))
			finish_next_turn(lane, io, ret);
		else if (unlikely(!ask_all(lane, io)))
			wait_for_room(lane, io);
	}
	return i;
}

/* --- the answer ------------------------------------------------------------------------------------------------------
 */

void
nvme_lane_end(struct nvme_lane *lane, enum nvme_end why)
{
	enum nvme_end in_use = NVME_IN_USE;

	__atomic_compare_exchange_n(&lane->sh->end, &in_use, why, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
}

static void
settle(struct nvme_lane *lane, struct nvme_slot *s, int status)
{
	struct strake_io *io = s->io;
	struct nvme_part *p = nvme_part_of(io);

	slot_put(lane, s);
	p->pending--;
	if (unlikely(status != 0 && p->status == 0))
		p->status = status;
	if (p->pending == 0 && !p->waiting)
		finish(io);
}

static void
count(struct nvme_lane *lane, enum nvme_verdict verdict)
{
	uint64_t *by[] = {
		[NVME_MEDIA] = &lane->stats.media, [NVME_TROUBLE] = &lane->stats.trouble,
		[NVME_PATH] = &lane->stats.path,   [NVME_REFUSED] = &lane->stats.refused,
		[NVME_GONE] = &lane->stats.gone,
	};

	++*by[verdict];
}

static void
failed(struct nvme_lane *lane, struct nvme_slot *s, int res)
{
	struct nvme_fate fate = nvme_status_judge(res, &lane->sh->geom);
	uint64_t now = strake_now(), due = now + fate.delay_ms * STRAKE_NS_PER_MS;

	count(lane, fate.verdict);
	if (fate.verdict == NVME_GONE)
		nvme_lane_end(lane, NVME_VANISHED);
	if (end_of(lane) != NVME_IN_USE)
		settle(lane, s, -ENODEV);
	else if ((fate.tries != 0 && s->tries >= fate.tries) || due - s->first > lane->sh->patience)
		settle(lane, s, fate.status);
	else {
		lane->stats.retried++;
		s->due = due;
		s->next = lane->later;
		lane->later = s;
		if (!strake_timer_armed(&lane->timer) || due < lane->timer.due)
			strake_timer_arm(&lane->timer, due);
	}
}

void
nvme_lane_answer(struct nvme_lane *lane, uint64_t tag, int res)
{
	uint16_t at = (uint16_t)tag;
	struct nvme_slot *s = &lane->slots[at % NVME_LANE_SLOTS];

	if (unlikely(at >= NVME_LANE_SLOTS || !s->out || s->serial != (uint32_t)(tag >> 16))) {
		lane->stats.strangers++;
		nvme_lane_end(lane, NVME_LIED);
		return;
	}
	s->out = false;
	if (likely(res == 0))
		settle(lane, s, 0);
	else
		failed(lane, s, res);
	if (unlikely(lane->waiting != NULL))
		list(lane);
}

bool
nvme_lane_busy(const struct nvme_lane *lane)
{
	for (unsigned int i = 0; i < NVME_LANE_SLOTS; i++) {
		if (lane->slots[i].out)
			return true;
	}
	return lane->later != NULL || lane->waiting != NULL;
}

/* --- the next turn ---------------------------------------------------------------------------------------------------
 */

/* Oldest first, until there is no room again. */
static void
go_on(struct nvme_lane *lane)
{
	while (lane->waiting != NULL) {
		struct strake_io *io = lane->waiting;
		struct nvme_part *p = nvme_part_of(io);

		if (end_of(lane) != NVME_IN_USE && p->status == 0)
			p->status = -ENODEV;
		if (!ask_all(lane, io))
			return;
		lane->waiting = io->link;
		if (lane->waiting == NULL)
			lane->waiting_tail = &lane->waiting;
		p->waiting = false;
		if (p->pending == 0)
			finish(io);
	}
}

static void
ask_again(struct strake_timer *t, uint64_t now)
{
	struct nvme_lane *lane = container_of(t, struct nvme_lane, timer);
	struct nvme_slot *s = lane->later;
	uint64_t next = UINT64_MAX;

	lane->later = NULL;
	while (s != NULL) {
		struct nvme_slot *after = s->next;

		if (end_of(lane) != NVME_IN_USE) {
			settle(lane, s, -ENODEV);
		} else if (s->due > now || !hand_over(lane, s)) {
			s->due = RTE_MAX(s->due, now + STRAKE_NS_PER_MS);
			next = RTE_MIN(next, s->due);
			s->next = lane->later;
			lane->later = s;
		}
		s = after;
	}
	if (next != UINT64_MAX && (!strake_timer_armed(t) || next < t->due))
		strake_timer_arm(t, next);
}

static uint32_t
lane_turn(struct nvme_lane *lane)
{
	struct strake_io *io = lane->ended;
	uint32_t work = 0;

	/* done() may end more at once: those are the next turn's. */
	lane->ended = NULL;
	lane->ended_tail = &lane->ended;
	while (io != NULL) {
		struct strake_io *next = io->link;

		finish(io);
		io = next;
		work++;
	}
	if (lane->waiting != NULL) {
		go_on(lane);
		if (lane->waiting != NULL)
			list(lane);
		else
			work++;
	}
	return work;
}

static uint32_t
desk_poll(struct strake_poller *poller, uint64_t now)
{
	struct desk *desk = container_of(poller, struct desk, poller);
	struct lane_list lanes = TAILQ_HEAD_INITIALIZER(lanes);
	struct nvme_lane *lane;
	uint32_t work = 0;

	RTE_SET_USED(now);
	TAILQ_CONCAT(&lanes, &desk->lanes, link);
	while ((lane = TAILQ_FIRST(&lanes)) != NULL) {
		TAILQ_REMOVE(&lanes, lane, link);
		lane->listed = false;
		work += lane_turn(lane);
	}
	return work;
}

/* Room may come from another lcore (a page put there), which wakes nobody: while a lane waits, sleep is bounded. */
static bool
desk_arm(struct strake_poller *poller, bool on)
{
	struct desk *desk = container_of(poller, struct desk, poller);

	poller->fd = TAILQ_EMPTY(&desk->lanes) ? -2 : -1;
	return true;
}

/* --- making and ending -----------------------------------------------------------------------------------------------
 */

static void
desk_use(struct desk *desk)
{
	if (desk->users++ > 0)
		return;
	TAILQ_INIT(&desk->lanes);
	desk->poller = (struct strake_poller){.name = "nvme_lanes", .poll = desk_poll, .arm = desk_arm, .fd = -2};
	strake_poller_add(&desk->poller);
}

static void
desk_unuse(struct desk *desk)
{
	if (--desk->users == 0)
		strake_poller_del(&desk->poller);
}

int
nvme_lane_create(struct nvme_lane **out, struct strake_drive *drive, struct nvme_shared *sh)
{
	int socket = strake_self()->socket, ret = -ENOMEM;
	struct nvme_lane *lane = rte_zmalloc_socket("nvme_lane", sizeof(*lane), RTE_CACHE_LINE_SIZE, socket);

	if (lane == NULL)
		return -ENOMEM;
	lane->drive = drive;
	lane->sh = sh;
	lane->waiting_tail = &lane->waiting;
	lane->ended_tail = &lane->ended;
	lane->timer.fn = ask_again;
	lane->slots =
		rte_zmalloc_socket("nvme_slots", sizeof(*lane->slots) * NVME_LANE_SLOTS, RTE_CACHE_LINE_SIZE, socket);
	if (lane->slots == NULL)
		goto err_lane;
	for (unsigned int i = NVME_LANE_SLOTS; i-- > 0;)
		slot_put(lane, &lane->slots[i]);
	if (!sh->geom.zeroes) {
		lane->zeroes = strake_buf_page(STRAKE_BUF_PAGE_MAX);
		if (lane->zeroes == NULL)
			goto err_slots;
		memset(lane->zeroes->addr, 0, STRAKE_BUF_PAGE_MAX);
	}
	desk_use(&desks[strake_self_index()]);
	ret = sh->dev->ops->lcore_init(sh->dev, lane);
	if (ret < 0)
		goto err_desk;
	*out = lane;
	return 0;

err_desk:
	desk_unuse(&desks[strake_self_index()]);
	if (lane->zeroes != NULL)
		strake_buf_put(lane->zeroes);
err_slots:
	rte_free(lane->slots);
err_lane:
	rte_free(lane);
	return ret;
}

void
nvme_lane_destroy(struct nvme_lane *lane)
{
	struct desk *desk = &desks[strake_self_index()];

	lane->sh->dev->ops->lcore_fini(lane->sh->dev, lane);
	strake_timer_cancel(&lane->timer);
	if (lane->listed)
		TAILQ_REMOVE(&desk->lanes, lane, link);
	desk_unuse(desk);
	if (lane->zeroes != NULL)
		strake_buf_put(lane->zeroes);
	rte_free(lane->slots);
	rte_free(lane);
}
