/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* The carrier and its lcores: what is looked at in a turn, and in which order. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <rte_log.h>
#include <rte_malloc.h>
#include <rte_string_fns.h>

#include "sock.h"
#include "stream.h"
#include "strake_account.h"

RTE_LOG_REGISTER(sock_log, strake.sock, INFO)

STRAKE_STEP(in_step, STRAKE_AT_TRANSPORT_IN, "kernel sockets: in")
STRAKE_STEP(out_step, STRAKE_AT_TRANSPORT_OUT, "kernel sockets: out")

static void
cool(struct sock_lcore *lc, struct sock_stream *st)
{
	st->is_hot = false;
	lc->n_hot--;
	TAILQ_REMOVE(&lc->hot, st, hot_link);
	sock_watch_again(st);
}

static uint32_t
poll_hot(struct sock_lcore *lc)
{
	struct sock_stream *last = TAILQ_LAST(&lc->hot, sock_streams), *st, *next;
	uint32_t work = 0;

	for (st = TAILQ_FIRST(&lc->hot); st != NULL; st = next) {
		bool end = st == last;

		next = TAILQ_NEXT(st, hot_link);
		if (sock_recv(st))
			work++;
		else if (++st->misses >= SOCK_HOT_MISSES && st->is_hot)
			cool(lc, st);
		if (end)
			break;
	}
	return work;
}

static uint32_t
poll_epoll(struct sock_lcore *lc, uint64_t now)
{
	struct epoll_event ev[SOCK_EVENTS];
	int n;

	if (lc->n_hot != 0 && now - lc->last_epoll < SOCK_EPOLL_NS)
		return 0;
	lc->last_epoll = now;
	lc->stats.epolls++;
	n = epoll_wait(lc->poller.fd, ev, SOCK_EVENTS, 0);
	for (int i = 0; i < n; i++) {
		if (*(enum sock_kind *)ev[i].data.ptr == WATCH_LISTENER)
			sock_accept(ev[i].data.ptr);
		else
			sock_stream_event(ev[i].data.ptr, ev[i].events);
	}
	return n > 0 ? (uint32_t)n : 0;
}

static uint32_t
call_room(struct sock_lcore *lc)
{
	struct sock_stream *st;
	uint32_t work = 0;

	while ((st = TAILQ_FIRST(&lc->roomy)) != NULL) {
		TAILQ_REMOVE(&lc->roomy, st, roomy_link);
		st->is_roomy = false;
		st->s.want_room = false;
		st->s.cb->room(&st->s);
		work++;
	}
	return work;
}

static uint32_t
lcore_flush(struct strake_poller *p, uint64_t now)
{
	struct sock_lcore *lc = (struct sock_lcore *)p;
	uint8_t before = strake_account_enter(&out_step);
	struct sock_stream *st;
	uint32_t work = 0;

	while ((st = TAILQ_FIRST(&lc->dirty)) != NULL) {
		TAILQ_REMOVE(&lc->dirty, st, dirty_link);
		st->is_dirty = false;
		sock_send_flush(st);
		work++;
	}
	strake_account_leave(before);
	return work;
}

static uint32_t
lcore_poll(struct strake_poller *p, uint64_t now)
{
	uint8_t before = strake_account_enter(&in_step);
	struct sock_lcore *lc = (struct sock_lcore *)p;
	uint32_t work;

	/* What was queued after our own end of the last turn. */
	work = lcore_flush(p, now);
	work += call_room(lc);
	if (!TAILQ_EMPTY(&lc->paused))
		sock_stream_resume(lc);
	work += poll_hot(lc);
	work += poll_epoll(lc, now);
	if (!TAILQ_EMPTY(&lc->ending) || !TAILQ_EMPTY(&lc->zombies))
		sock_stream_finish(lc);
	strake_account_leave(before);
	return work;
}

static bool
lcore_arm(struct strake_poller *p, bool on)
{
	struct sock_lcore *lc = (struct sock_lcore *)p;
	struct sock_stream *st, *next;

	for (st = TAILQ_FIRST(&lc->hot); on && st != NULL; st = next) {
		next = TAILQ_NEXT(st, hot_link);
		sock_watch_again(st);
	}
	return !on || (TAILQ_EMPTY(&lc->dirty) && TAILQ_EMPTY(&lc->ending) && TAILQ_EMPTY(&lc->roomy));
}

static int
carrier_connect(struct strake_carrier *c, const struct sockaddr *peer, const struct strake_stream_cb *cb, void *user,
		struct strake_stream **out)
{
	struct sock_carrier *sc = (struct sock_carrier *)c;
	struct sock_lcore *lc = sc->lc[strake_self_index()];
	struct sock_stream *st;
	int fd, ret;

	if (lc == NULL)
		return -ENODEV;
	fd = socket(peer->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	ret = sock_tune(fd);
	if (ret == 0)
		ret = sock_congestion(sc, fd);
	if (ret == 0 && connect(fd, peer, sock_addr_len(peer)) < 0 && errno != EINPROGRESS)
		ret = -errno;
	st = ret == 0 ? sock_stream_open(lc, fd, true) : NULL;
	if (st == NULL) {
		close(fd);
		return ret != 0 ? ret : -ENOBUFS;
	}
	st->s.cb = cb;
	st->s.user = user;
	lc->stats.connects++;
	*out = &st->s;
	return 0;
}

/* Ask once, here: at a connection it would be too late to say anything. */
static void
choose_congestion(struct sock_carrier *sc, const char *wanted)
{
	int fd, ret;

	if (strcmp(wanted, "system") == 0)
		return;
	strlcpy(sc->congestion, strcmp(wanted, "newreno") == 0 ? "reno" : wanted, sizeof(sc->congestion));
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ret = fd < 0 ? -errno : sock_congestion(sc, fd);
	if (fd >= 0)
		close(fd);
	if (ret == 0)
		return;
	rte_log(RTE_LOG_NOTICE, sock_log, "SOCK: the kernel does not give its sockets `congestion: %s`: %s\n", wanted,
		strerror(-ret));
	sc->congestion[0] = '\0';
}

struct strake_carrier *
sock_carrier_create(const char *congestion)
{
	struct sock_carrier *sc = calloc(1, sizeof(*sc));

	if (sc == NULL)
		return NULL;
	choose_congestion(sc, congestion);
	LIST_INIT(&sc->listeners);
	sc->c = (struct strake_carrier){
		.name = "kernel", .listen = sock_listen, .unlisten = sock_unlisten, .connect = carrier_connect};
	if (sock_telemetry(sc) < 0) {
		free(sc);
		return NULL;
	}
	return &sc->c;
}

void
sock_carrier_destroy(struct strake_carrier *c)
{
	struct sock_carrier *sc = (struct sock_carrier *)c;
	struct sock_listener *l;

	sock_telemetry(NULL);
	while ((l = LIST_FIRST(&sc->listeners)) != NULL) {
		LIST_REMOVE(l, main_link);
		free(l);
	}
	free(sc);
}

int
sock_lcore_init(struct strake_carrier *c)
{
	struct sock_carrier *sc = (struct sock_carrier *)c;
	struct sock_lcore *lc;
	int ret = -ENOMEM;

	lc = rte_zmalloc_socket("sock", sizeof(*lc), RTE_CACHE_LINE_SIZE, strake_self()->socket);
	if (lc == NULL)
		return -ENOMEM;
	lc->index = strake_self_index();
	TAILQ_INIT(&lc->free);
	TAILQ_INIT(&lc->active);
	TAILQ_INIT(&lc->zombies);
	TAILQ_INIT(&lc->hot);
	TAILQ_INIT(&lc->dirty);
	TAILQ_INIT(&lc->roomy);
	TAILQ_INIT(&lc->ending);
	TAILQ_INIT(&lc->paused);
	LIST_INIT(&lc->listeners);
	lc->streams = rte_zmalloc_socket("sock_streams", SOCK_STREAMS * sizeof(*lc->streams), RTE_CACHE_LINE_SIZE,
					 strake_self()->socket);
	if (lc->streams == NULL)
		goto err_free;
	for (unsigned int i = 0; i < SOCK_STREAMS; i++)
		TAILQ_INSERT_TAIL(&lc->free, &lc->streams[i], link);
	ret = sock_slab_init(lc);
	if (ret < 0)
		goto err_streams;
	lc->poller = (struct strake_poller){.name = "sock", .poll = lcore_poll, .flush = lcore_flush, .arm = lcore_arm};
	lc->poller.fd = epoll_create1(EPOLL_CLOEXEC);
	if (lc->poller.fd < 0) {
		ret = -errno;
		goto err_slabs;
	}
	sc->lc[lc->index] = lc;
	strake_poller_add(&lc->poller);
	return 0;

err_slabs:
	sock_slab_fini(lc);
err_streams:
	rte_free(lc->streams);
err_free:
	rte_free(lc);
	return ret;
}

void
sock_lcore_fini(struct strake_carrier *c)
{
	struct sock_carrier *sc = (struct sock_carrier *)c;
	struct sock_lcore *lc = sc->lc[strake_self_index()];
	struct sock_listener *l;
	struct sock_stream *st;

	if (lc == NULL)
		return;
	sc->lc[lc->index] = NULL;
	strake_poller_del(&lc->poller);
	while ((l = LIST_FIRST(&lc->listeners)) != NULL) {
		strake_timer_cancel(&l->retry);
		LIST_REMOVE(l, link);
		close(l->fd); /* main frees it with the carrier */
	}
	TAILQ_FOREACH (st, &lc->active, link)
		st->s.ops->abort(&st->s);
	sock_stream_finish(lc);
	close(lc->poller.fd);
	sock_slab_fini(lc);
	rte_free(lc->streams);
	rte_free(lc);
}
