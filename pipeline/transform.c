/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/*
 * Streams on top of streams; strake_transform.h tells what they are to their users.
 *
 * The end always comes from below: whoever begins it, closed() of the stream below is what ends the one on top, so it
 * comes exactly once. After a reset, asked for by the user or the transform, nothing passes in either direction.
 */

#include "strake_transform.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <rte_common.h>
#include <rte_malloc.h>

struct strake_transform {
	struct strake_stream s; /* first: the user's */
	struct strake_stream *below;
	const struct strake_transform_ops *ops;
	struct transform_lcore *lc;
	struct strake_buf *kept, *kept_last; /* sent by the user before it was ready */
	uint32_t kept_len;
	bool active, begun, ready;
	bool closing; /* the user sends no more */
	bool over;    /* nothing passes any more, and closed() comes */
	bool listed;  /* its room is looked at in every turn */
	int err;      /* why the transform ended it; 0: it did not */
	TAILQ_ENTRY(strake_transform) link, room_link;
	uint64_t state[];
};

TAILQ_HEAD(transforms, strake_transform);

struct transform_lcore {
	struct strake_poller poller;
	struct transforms free, queued; /* queued: something is under way, or the user waits for room */
	void *memory;
};

struct listener {
	struct listener *next;
	struct carrier *carrier;
	strake_stream_accept accept;
	void *arg;
};

struct carrier {
	struct strake_carrier c; /* first */
	struct strake_carrier *below;
	const struct strake_transform_ops *ops;
	struct strake_stream_ops stream_ops;
	struct listener *listeners; /* kept to the end: an lcore may be accepting */
	struct transform_lcore *lc[STRAKE_LCORE_MAX];
};

static struct strake_transform *
of_stream(struct strake_stream *s)
{
	return (struct strake_transform *)s;
}

void *
strake_transform_state(struct strake_transform *t)
{
	return t->state;
}

/* --- room ------------------------------------------------------------------------------------------------------------
 */

static void
look(struct strake_transform *t)
{
	if (t->listed)
		return;
	t->listed = true;
	TAILQ_INSERT_TAIL(&t->lc->queued, t, room_link);
}

static void
look_away(struct strake_transform *t)
{
	if (t->listed)
		TAILQ_REMOVE(&t->lc->queued, t, room_link);
	t->listed = false;
}

static uint32_t
under_way(const struct strake_transform *t)
{
	return t->below->tx_queued + t->kept_len;
}

/* Tell the user of room that has come. @return true: it was told. */
static bool
tell_room(struct strake_transform *t)
{
	bool grown = under_way(t) < t->s.tx_queued || under_way(t) == 0;

	t->s.tx_queued = under_way(t);
	if (!t->s.want_room || !grown || t->over)
		return false;
	t->s.want_room = false;
	t->s.cb->room(&t->s);
	return true;
}

static uint32_t
room_poll(struct strake_poller *p, uint64_t now)
{
	struct transform_lcore *lc = RTE_PTR_SUB(p, offsetof(struct transform_lcore, poller));
	struct strake_transform *t, *next;
	uint32_t work = 0;

	RTE_SET_USED(now);
	for (t = TAILQ_FIRST(&lc->queued); t != NULL; t = next) {
		next = TAILQ_NEXT(t, room_link);
		work += tell_room(t);
		t->below->want_room = t->s.want_room;
		if (t->s.tx_queued == 0 && !t->s.want_room)
			look_away(t);
	}
	return work;
}

/* Asleep, only the stream below can tell. */
static bool
room_arm(struct strake_poller *p, bool on)
{
	struct transform_lcore *lc = RTE_PTR_SUB(p, offsetof(struct transform_lcore, poller));
	struct strake_transform *t;

	if (!on)
		return true;
	TAILQ_FOREACH (t, &lc->queued, room_link) {
		if (t->s.want_room && under_way(t) < t->s.tx_queued)
			return false;
		t->below->want_room = t->s.want_room;
	}
	return true;
}

/* --- what passes -----------------------------------------------------------------------------------------------------
 */

static void
reset(struct strake_transform *t, int err)
{
	if (t->over)
		return;
	t->over = true;
	t->err = err;
	strake_buf_put_list(t->kept);
	t->kept = NULL;
	t->kept_len = 0;
	t->below->ops->abort(t->below);
}

void
strake_transform_up(struct strake_transform *t, struct strake_buf *bufs, uint32_t len)
{
	if (t->over) {
		strake_buf_put_list(bufs);
		return;
	}
	t->s.rx_bytes += len;
	t->s.cb->rx(&t->s, bufs, len);
}

void
strake_transform_down(struct strake_transform *t, struct strake_buf *bufs, uint32_t len)
{
	if (t->over) {
		strake_buf_put_list(bufs);
		return;
	}
	strake_stream_send(t->below, bufs, len);
	t->s.tx_queued = under_way(t);
	look(t);
}

static void
out(struct strake_transform *t, struct strake_buf *bufs, uint32_t len)
{
	int ret = t->ops->out(t, bufs, len);

	if (ret < 0)
		reset(t, ret);
}

static void
say_farewell(struct strake_transform *t)
{
	if (t->ops->finish != NULL)
		t->ops->finish(t);
	if (!t->over)
		t->below->ops->close(t->below);
}

void
strake_transform_ready(struct strake_transform *t)
{
	struct strake_buf *kept = t->kept;
	uint32_t len = t->kept_len;

	if (t->ready || t->over)
		return;
	t->ready = true;
	t->kept = NULL;
	t->kept_len = 0;
	if (kept != NULL)
		out(t, kept, len);
	if (t->active && !t->over && t->s.cb->connected != NULL)
		t->s.cb->connected(&t->s);
	if (t->closing && !t->over)
		say_farewell(t);
}

/* --- the user's side -------------------------------------------------------------------------------------------------
 */

static void
user_send(struct strake_stream *s, struct strake_buf *bufs, uint32_t len)
{
	struct strake_transform *t = of_stream(s);

	if (t->over || t->closing) {
		strake_buf_put_list(bufs);
		return;
	}
	s->tx_bytes += len;
	if (t->ready) {
		out(t, bufs, len);
		return;
	}
	if (t->kept == NULL)
		t->kept = bufs;
	else
		t->kept_last->next = bufs;
	while (bufs->next != NULL)
		bufs = bufs->next;
	t->kept_last = bufs;
	t->kept_len += len;
	s->tx_queued = under_way(t);
	look(t);
}

static void
user_close(struct strake_stream *s)
{
	struct strake_transform *t = of_stream(s);

	if (t->over || t->closing)
		return;
	t->closing = true;
	if (t->ready) {
		say_farewell(t);
	} else if (t->kept == NULL) { /* nothing to say, and nobody to say it to */
		t->over = true;
		t->below->ops->close(t->below);
	}
}

static void
user_abort(struct strake_stream *s)
{
	reset(of_stream(s), 0);
}

static unsigned int
figures(struct strake_stream *s, const char **names, uint64_t *values, unsigned int max)
{
	struct strake_stream *below = of_stream(s)->below;

	return below->figures(below, names, values, max);
}

/* --- the side below --------------------------------------------------------------------------------------------------
 */

static void
below_rx(struct strake_stream *below, struct strake_buf *bufs, uint32_t len)
{
	struct strake_transform *t = below->user;
	int ret;

	if (t->over) {
		strake_buf_put_list(bufs);
		return;
	}
	t->s.tos = below->tos;
	t->s.pcp = below->pcp;
	ret = t->ops->in(t, bufs, len);
	if (ret < 0)
		reset(t, ret);
}

static void
below_room(struct strake_stream *below)
{
	tell_room(below->user);
}

static void
below_eof(struct strake_stream *below)
{
	struct strake_transform *t = below->user;
	int ret = t->over || t->ops->eof == NULL ? 0 : t->ops->eof(t);

	if (ret < 0)
		reset(t, ret);
	else if (!t->over)
		t->s.cb->eof(&t->s);
}

static void
below_connected(struct strake_stream *below)
{
	struct strake_transform *t = below->user;
	int ret;

	if (t->over)
		return;
	t->s.local = below->local;
	t->begun = true;
	ret = t->ops->begin(t, true);
	if (ret < 0) {
		t->begun = false;
		reset(t, ret);
	}
}

static void
release(struct strake_transform *t)
{
	look_away(t);
	strake_buf_put_list(t->kept);
	TAILQ_INSERT_HEAD(&t->lc->free, t, link);
}

static void
below_closed(struct strake_stream *below, int err)
{
	struct strake_transform *t = below->user;

	if (t->begun && t->ops->end != NULL)
		t->ops->end(t);
	t->s.cb->closed(&t->s, t->err != 0 ? t->err : err);
	release(t);
}

static const struct strake_stream_cb below_cb = {
	.rx = below_rx, .room = below_room, .eof = below_eof, .connected = below_connected, .closed = below_closed};

/* --- the carrier -----------------------------------------------------------------------------------------------------
 */

static struct strake_transform *
take(struct carrier *c)
{
	struct transform_lcore *lc = c->lc[strake_self_index()];
	struct strake_transform *t = lc != NULL ? TAILQ_FIRST(&lc->free) : NULL;

	if (t == NULL)
		return NULL;
	TAILQ_REMOVE(&lc->free, t, link);
	memset(t, 0, sizeof(*t) + c->ops->state);
	t->lc = lc;
	t->ops = c->ops;
	t->s.ops = &c->stream_ops;
	return t;
}

/* Put it on a stream. */
static void
join(struct strake_transform *t, struct strake_stream *below)
{
	t->below = below;
	t->s.tx_limit = below->tx_limit;
	t->s.rx_budget = below->rx_budget;
	t->s.copies = true;
	t->s.local = below->local;
	t->s.peer = below->peer;
	t->s.figures = below->figures != NULL ? figures : NULL;
}

static int
accept_below(struct strake_stream *below, void *arg)
{
	struct listener *l = arg;
	struct strake_transform *t = take(l->carrier);
	int ret;

	if (t == NULL)
		return -ENOBUFS;
	join(t, below);
	below->cb = &below_cb;
	below->user = t;
	ret = t->ops->begin(t, false);
	if (ret < 0) {
		release(t);
		return ret;
	}
	t->begun = true;
	ret = l->accept(&t->s, l->arg);
	if (ret < 0) {
		if (t->ops->end != NULL)
			t->ops->end(t);
		release(t);
	}
	return ret;
}

static int
carrier_listen(struct strake_carrier *sc, const struct sockaddr *addr, strake_stream_accept accept, void *arg)
{
	struct carrier *c = (struct carrier *)sc;
	struct listener *l = calloc(1, sizeof(*l));
	int ret;

	if (l == NULL)
		return -ENOMEM;
	*l = (struct listener){.next = c->listeners, .carrier = c, .accept = accept, .arg = arg};
	ret = c->below->listen(c->below, addr, accept_below, l);
	if (ret < 0)
		free(l);
	else
		c->listeners = l;
	return ret;
}

static void
carrier_unlisten(struct strake_carrier *sc, const struct sockaddr *addr)
{
	struct carrier *c = (struct carrier *)sc;

	c->below->unlisten(c->below, addr);
}

static int
carrier_connect(struct strake_carrier *sc, const struct sockaddr *peer, const struct strake_stream_cb *cb, void *user,
		struct strake_stream **out_stream)
{
	struct carrier *c = (struct carrier *)sc;
	struct strake_transform *t = take(c);
	struct strake_stream *below;
	int ret;

	if (t == NULL)
		return -ENOBUFS;
	ret = c->below->connect(c->below, peer, &below_cb, t, &below);
	if (ret < 0) {
		release(t);
		return ret;
	}
	join(t, below);
	t->active = true;
	t->s.cb = cb;
	t->s.user = user;
	*out_stream = &t->s;
	return 0;
}

int
strake_transform_create(struct strake_carrier **out_carrier, struct strake_carrier *below,
			const struct strake_transform_ops *ops)
{
	struct carrier *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return -ENOMEM;
	c->c = (struct strake_carrier){
		.name = ops->name, .listen = carrier_listen, .unlisten = carrier_unlisten, .connect = carrier_connect};
	c->stream_ops = (struct strake_stream_ops){
		.name = ops->name, .send = user_send, .close = user_close, .abort = user_abort};
	c->below = below;
	c->ops = ops;
	*out_carrier = &c->c;
	return 0;
}

void
strake_transform_destroy(struct strake_carrier *sc)
{
	struct carrier *c = (struct carrier *)sc;
	struct listener *l;

	while ((l = c->listeners) != NULL) {
		c->listeners = l->next;
		free(l);
	}
	free(c);
}

int
strake_transform_lcore_init(struct strake_carrier *sc, uint32_t streams)
{
	struct carrier *c = (struct carrier *)sc;
	size_t size = RTE_ALIGN_CEIL(sizeof(struct strake_transform) + c->ops->state, RTE_CACHE_LINE_SIZE);
	int socket = strake_self()->socket;
	struct transform_lcore *lc = rte_zmalloc_socket("transform", sizeof(*lc), RTE_CACHE_LINE_SIZE, socket);

	if (lc == NULL)
		return -ENOMEM;
	lc->memory = rte_zmalloc_socket("transforms", size * streams, RTE_CACHE_LINE_SIZE, socket);
	if (lc->memory == NULL) {
		rte_free(lc);
		return -ENOMEM;
	}
	TAILQ_INIT(&lc->free);
	TAILQ_INIT(&lc->queued);
	for (uint32_t i = 0; i < streams; i++)
		TAILQ_INSERT_TAIL(&lc->free, (struct strake_transform *)RTE_PTR_ADD(lc->memory, i * size), link);
	lc->poller = (struct strake_poller){.name = c->ops->name, .poll = room_poll, .arm = room_arm, .fd = -2};
	c->lc[strake_self_index()] = lc;
	strake_poller_add(&lc->poller);
	return 0;
}

void
strake_transform_lcore_fini(struct strake_carrier *sc)
{
	struct carrier *c = (struct carrier *)sc;
	struct transform_lcore *lc = c->lc[strake_self_index()];

	if (lc == NULL)
		return;
	c->lc[strake_self_index()] = NULL;
	strake_poller_del(&lc->poller);
	rte_free(lc->memory);
	rte_free(lc);
}
