/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "pipe_stream.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include <rte_common.h>

#define LISTENERS 8

struct bytes {
	uint8_t *data;
	size_t head, tail, cap;
};

struct pipe_end {
	struct strake_stream s; /* first */
	struct pipe *p;
	struct pipe_end *peer, *next;
	bool raw;
	bool connecting;
	struct strake_buf *txq, *tx_tail; /* a stream's bytes to send */
	uint32_t tx_off;
	struct bytes out, in; /* a raw end's */
	uint32_t hold;	      /* turns until the next chunk of ours moves */
	bool fin_due, fin_sent, fin_seen;
	bool stop; /* closed window */
	bool was_reset, over;
	bool end_due;
	int end_err;
	struct strake_buf *exp;
	uint32_t exp_off, exp_len;
};

struct pipe {
	struct strake_poller poller; /* first */
	struct strake_carrier carrier;
	struct pipe_conf conf;
	struct strake_stream_ops ops;
	uint64_t rng;
	uint64_t placed;
	const struct strake_stream *told, *told_by;
	struct pipe_end *ends;
	struct {
		uint16_t port;
		strake_stream_accept accept;
		void *arg;
	} listeners[LISTENERS];
};

static uint32_t
rnd(struct pipe *p, uint32_t below)
{
	p->rng ^= p->rng << 13;
	p->rng ^= p->rng >> 7;
	p->rng ^= p->rng << 17;
	return (uint32_t)((p->rng >> 16) % below);
}

static void
bytes_add(struct bytes *b, const void *data, size_t len)
{
	if (len == 0)
		return;
	if (b->tail + len > b->cap) {
		b->cap = (b->tail + len) * 2;
		b->data = realloc(b->data, b->cap);
	}
	memcpy(b->data + b->tail, data, len);
	b->tail += len;
}

static void
memory_release(struct strake_buf *buf)
{
	free(buf->opaque);
}

static const struct strake_backing memory_backing = {.name = "pipe", .release = memory_release};

/* --- what is under way ------------------------------------------------------------------------------------------- */

static size_t
queued(const struct pipe_end *e)
{
	return e->raw ? e->out.tail - e->out.head : e->s.tx_queued;
}

/* Copy the next @n bytes of what @e sends; puts bufs as they are used up ("acknowledged"). */
static void
dequeue(struct pipe_end *e, uint8_t *dst, size_t n)
{
	if (e->raw) {
		memcpy(dst, e->out.data + e->out.head, n);
		e->out.head += n;
		return;
	}
	e->s.tx_queued -= (uint32_t)n;
	e->s.tx_bytes += n;
	while (n > 0) {
		struct strake_buf *buf = e->txq;
		uint32_t run = RTE_MIN((uint32_t)n, buf->len - e->tx_off);

		memcpy(dst, buf->addr + e->tx_off, run);
		dst += run;
		n -= run;
		e->tx_off += run;
		if (e->tx_off == buf->len) {
			e->txq = buf->next;
			e->tx_off = 0;
			strake_buf_put(buf);
		}
	}
}

static struct strake_buf *
deliver_piece(struct pipe_end *to, const uint8_t *data, uint32_t len)
{
	struct strake_buf *buf;
	uint8_t *mem;

	if (to->exp != NULL) {
		len = RTE_MIN(len, to->exp_len);
		memcpy(to->exp->addr + to->exp_off, data, len);
		buf = strake_buf_slice(to->exp, to->exp_off, len);
		to->exp_off += len;
		to->exp_len -= len;
		to->p->placed += len;
		if (to->exp_len == 0) {
			strake_buf_put(to->exp);
			to->exp = NULL;
		}
		return buf;
	}
	mem = malloc(len);
	memcpy(mem, data, len);
	return strake_buf_wrap(mem, len, &memory_backing, mem, STRAKE_BUF_STABLE | STRAKE_BUF_WRITABLE);
}

static void
deliver(struct pipe_end *to, const uint8_t *data, uint32_t len)
{
	struct strake_buf *first = NULL, *last = NULL;
	uint32_t left = len;

	if (to->raw) {
		bytes_add(&to->in, data, len);
		return;
	}
	while (left > 0) {
		uint32_t run = to->p->conf.chunk_max == 0 ? left : 1 + rnd(to->p, left);
		struct strake_buf *buf = deliver_piece(to, data, run);

		if (first == NULL)
			first = buf;
		else
			last->next = buf;
		last = buf;
		data += buf->len;
		left -= buf->len;
	}
	to->s.rx_bytes += len;
	to->s.cb->rx(&to->s, first, len);
}

static void
end_soon(struct pipe_end *e, int err)
{
	if (e->end_due || e->over)
		return;
	e->end_due = true;
	e->end_err = err;
}

static void
move_fin(struct pipe_end *e)
{
	struct pipe_end *to = e->peer;

	e->fin_sent = true;
	to->fin_seen = true;
	if (!to->raw && !to->end_due && !to->over)
		to->s.cb->eof(&to->s);
	if (e->fin_seen) {
		end_soon(e, 0);
		end_soon(to, 0);
	}
}

static uint32_t
move(struct pipe_end *e)
{
	struct pipe *p = e->p;
	struct pipe_end *to = e->peer;
	uint8_t *copy;
	uint32_t n = (uint32_t)queued(e);

	if (e->over || e->end_due || to->over || to->end_due || to->stop || e->fin_sent)
		return 0;
	if (e->hold > 0) {
		e->hold--;
		return 1;
	}
	if (n == 0) {
		if (e->fin_due)
			move_fin(e);
		return e->fin_due;
	}
	if (p->conf.chunk_max != 0)
		n = RTE_MIN(n, 1 + rnd(p, p->conf.chunk_max));
	copy = malloc(n);
	dequeue(e, copy, n);
	deliver(to, copy, n);
	free(copy);
	e->hold = p->conf.delay_max != 0 ? rnd(p, p->conf.delay_max + 1) : 0;
	if (!e->raw && e->s.want_room && !e->end_due) {
		e->s.want_room = false;
		e->s.cb->room(&e->s);
	}
	return 1;
}

static void
finish(struct pipe_end *e)
{
	e->end_due = false;
	e->over = true;
	if (e->raw)
		return;
	strake_buf_put_list(e->txq);
	e->txq = NULL;
	if (e->exp != NULL)
		strake_buf_put(e->exp);
	e->exp = NULL;
	e->s.cb->closed(&e->s, e->end_err);
}

static uint32_t
pipe_poll(struct strake_poller *poller, uint64_t now)
{
	struct pipe *p = (struct pipe *)poller;
	uint32_t work = 0;

	for (struct pipe_end *e = p->ends; e != NULL; e = e->next) {
		if (e->connecting) {
			e->connecting = false;
			e->s.cb->connected(&e->s);
		}
		work += move(e);
	}
	for (struct pipe_end *e = p->ends; e != NULL; e = e->next)
		if (e->end_due)
			finish(e);
	return work;
}

/* --- a stream end ------------------------------------------------------------------------------------------------- */

static void
stream_send(struct strake_stream *s, struct strake_buf *bufs, uint32_t len)
{
	struct pipe_end *e = (struct pipe_end *)s;

	if (strake_buf_list_len(bufs) != len)
		abort(); /* the test would only see a hang */
	if (e->end_due || e->over || e->fin_due) {
		strake_buf_put_list(bufs);
		return;
	}
	if (e->txq == NULL)
		e->txq = bufs;
	else
		e->tx_tail->next = bufs;
	while (bufs->next != NULL)
		bufs = bufs->next;
	e->tx_tail = bufs;
	s->tx_queued += len;
}

static void
stream_close(struct strake_stream *s)
{
	((struct pipe_end *)s)->fin_due = true;
}

static void
reset(struct pipe_end *e)
{
	e->peer->was_reset = true;
	end_soon(e, -ECONNABORTED);
	end_soon(e->peer, -ECONNRESET);
}

static void
stream_abort(struct strake_stream *s)
{
	reset((struct pipe_end *)s);
}

static void
stream_last_words(const struct strake_stream *s, struct strake_stream_words *out)
{
	out->ops = s->ops;
	out->w[0] = (uint64_t)(uintptr_t)s;
}

static void
stream_tell(struct strake_stream *s, const struct strake_stream_words *words)
{
	struct pipe_end *e = (struct pipe_end *)s;

	e->p->told = (const struct strake_stream *)(uintptr_t)words->w[0];
	e->p->told_by = s;
}

static void
stream_expect(struct strake_stream *s, struct strake_buf *buf, uint32_t off, uint32_t len)
{
	struct pipe_end *e = (struct pipe_end *)s;

	if (e->exp != NULL)
		strake_buf_put(e->exp);
	e->exp = strake_buf_get(buf);
	e->exp_off = off;
	e->exp_len = len;
}

/* --- carrier ------------------------------------------------------------------------------------------------------ */

static struct pipe *
pipe_of(struct strake_carrier *c)
{
	return (struct pipe *)((char *)c - offsetof(struct pipe, carrier));
}

static uint16_t
port_of(const struct sockaddr *addr)
{
	return ntohs(((const struct sockaddr_in *)addr)->sin_port); /* the same place in sockaddr_in6 */
}

static int
carrier_listen(struct strake_carrier *c, const struct sockaddr *addr, strake_stream_accept accept, void *arg)
{
	struct pipe *p = pipe_of(c);

	for (unsigned int i = 0; i < LISTENERS; i++) {
		if (p->listeners[i].accept != NULL && p->listeners[i].port == port_of(addr))
			return -EADDRINUSE;
		if (p->listeners[i].accept == NULL) {
			p->listeners[i].port = port_of(addr);
			p->listeners[i].accept = accept;
			p->listeners[i].arg = arg;
			return 0;
		}
	}
	return -ENOMEM;
}

static void
carrier_unlisten(struct strake_carrier *c, const struct sockaddr *addr)
{
	struct pipe *p = pipe_of(c);

	for (unsigned int i = 0; i < LISTENERS; i++)
		if (p->listeners[i].port == port_of(addr))
			p->listeners[i].accept = NULL;
}

static struct pipe_end *
end_make(struct pipe *p, uint16_t local, uint16_t peer)
{
	struct pipe_end *e = calloc(1, sizeof(*e));
	struct sockaddr_in *in;

	e->p = p;
	e->s.ops = &p->ops;
	e->s.tx_limit = p->conf.tx_limit != 0 ? p->conf.tx_limit : 1024 * 1024;
	in = (struct sockaddr_in *)&e->s.local;
	in->sin_family = AF_INET;
	in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	in->sin_port = htons(local);
	in = (struct sockaddr_in *)&e->s.peer;
	in->sin_family = AF_INET;
	in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	in->sin_port = htons(peer);
	return e;
}

static int
pair_make(struct pipe *p, uint16_t port, struct pipe_end **out)
{
	struct pipe_end *a, *b;

	for (unsigned int i = 0; i < LISTENERS; i++) {
		if (p->listeners[i].accept == NULL || p->listeners[i].port != port)
			continue;
		a = end_make(p, 40000, port);
		b = end_make(p, port, 40000);
		a->peer = b;
		b->peer = a;
		if (p->listeners[i].accept(&b->s, p->listeners[i].arg) < 0) {
			free(a);
			free(b);
			return -ECONNREFUSED;
		}
		a->next = b;
		b->next = p->ends;
		p->ends = a;
		*out = a;
		return 0;
	}
	return -ECONNREFUSED;
}

static int
carrier_connect(struct strake_carrier *c, const struct sockaddr *peer, const struct strake_stream_cb *cb, void *user,
		struct strake_stream **out)
{
	struct pipe_end *e;
	int ret = pair_make(pipe_of(c), port_of(peer), &e);

	if (ret < 0)
		return ret;
	e->connecting = true;
	e->s.cb = cb;
	e->s.user = user;
	*out = &e->s;
	return 0;
}

struct pipe *
pipe_create(const struct pipe_conf *conf)
{
	struct pipe *p = calloc(1, sizeof(*p));

	p->conf = *conf;
	p->rng = conf->seed * 0x9e3779b97f4a7c15ull + 1;
	p->ops = (struct strake_stream_ops){
		.name = "pipe",
		.send = stream_send,
		.close = stream_close,
		.abort = stream_abort,
		.expect = conf->expect ? stream_expect : NULL,
		.last_words = stream_last_words,
		.tell = stream_tell,
	};
	p->carrier = (struct strake_carrier){
		.name = "pipe", .listen = carrier_listen, .unlisten = carrier_unlisten, .connect = carrier_connect};
	p->poller = (struct strake_poller){.name = "pipe", .poll = pipe_poll, .fd = -2};
	strake_poller_add(&p->poller);
	return p;
}

void
pipe_destroy(struct pipe *p)
{
	struct pipe_end *e, *next;

	strake_poller_del(&p->poller);
	for (e = p->ends; e != NULL; e = next) {
		next = e->next;
		strake_buf_put_list(e->txq);
		free(e->out.data);
		free(e->in.data);
		free(e);
	}
	free(p);
}

struct strake_carrier *
pipe_carrier(struct pipe *p)
{
	return &p->carrier;
}

/* --- a raw end ---------------------------------------------------------------------------------------------------- */

struct pipe_end *
pipe_open(struct pipe *p, uint16_t port)
{
	struct pipe_end *e;

	if (pair_make(p, port, &e) < 0)
		return NULL;
	e->raw = true;
	return e;
}

const struct strake_stream *
pipe_told(const struct pipe *p, const struct strake_stream **by)
{
	*by = p->told_by;
	return p->told;
}

void
pipe_time_out(struct pipe_end *end)
{
	end_soon(end->peer, -ETIMEDOUT);
}

void
pipe_write(struct pipe_end *end, const void *data, size_t len)
{
	bytes_add(&end->out, data, len);
}

size_t
pipe_avail(const struct pipe_end *end)
{
	return end->in.tail - end->in.head;
}

const uint8_t *
pipe_peek(const struct pipe_end *end)
{
	return pipe_avail(end) > 0 ? end->in.data + end->in.head : NULL;
}

size_t
pipe_read(struct pipe_end *end, void *dst, size_t max)
{
	size_t n = RTE_MIN(max, pipe_avail(end));

	if (n > 0)
		memcpy(dst, end->in.data + end->in.head, n);
	end->in.head += n;
	return n;
}

void
pipe_shut(struct pipe_end *end)
{
	end->fin_due = true;
}

void
pipe_reset(struct pipe_end *end)
{
	reset(end);
}

void
pipe_stop_reading(struct pipe_end *end, bool stop)
{
	end->stop = stop;
}

bool
pipe_eof(const struct pipe_end *end)
{
	return end->fin_seen;
}

bool
pipe_was_reset(const struct pipe_end *end)
{
	return end->was_reset;
}

uint64_t
pipe_placed(const struct pipe *p)
{
	return p->placed;
}
