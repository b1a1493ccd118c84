/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <errno.h>
#include <string.h>

#include <rte_malloc.h>

#include "conn.h"
#include "strake_account.h"

STRAKE_STEP(output_step, STRAKE_AT_TRANSPORT_OUT, "TCP: out, checksums")

/* The instance: made, polled, taken down. */

#define RCVBUF_DEFAULT	  (1u << 20)
#define SNDBUF_DEFAULT	  (1u << 20)
#define KEEPALIVE_DEFAULT (120 * STRAKE_NS_PER_SEC)
/* Most bytes of either buffer: keeps windows and queues far from half the sequence space. */
#define BUF_MAX	      (1u << 28)
#define HALF_OPEN_MAX 1024u
/* Connections that may miss segments at the same time: at least so many, and one in eight. */
#define TROUBLES_MIN 64u

static uint32_t
poll(struct strake_poller *p, uint64_t now)
{
	(void)now;
	return tcp_events_run((struct tcp *)((char *)p - offsetof(struct tcp, poller)));
}

/* Visit what the turn made dirty, once each: what could not be sent waits for the next turn. */
static uint32_t
flush(struct strake_poller *p, uint64_t now)
{
	struct tcp *tcp = (struct tcp *)((char *)p - offsetof(struct tcp, poller));
	struct tcp_stailq batch = STAILQ_HEAD_INITIALIZER(batch);
	uint8_t before = strake_account_enter(&output_step);
	struct tcp_conn *c;
	uint32_t done;

	done = tcp_events_run(tcp);
	STAILQ_CONCAT(&batch, &tcp->dirty);
	while ((c = STAILQ_FIRST(&batch)) != NULL) {
		STAILQ_REMOVE_HEAD(&batch, dirty_link);
		c->flags &= ~TCP_F_DIRTY;
		if (!tcp_output(c, now))
			tcp_dirty(c);
		tcp_conn_reap(c);
		done++;
	}
	strake_account_leave(before);
	return done;
}

static int
conf_check(struct tcp *tcp, const struct tcp_conf *conf)
{
	tcp->conf = *conf;
	if (tcp->conf.rcvbuf == 0)
		tcp->conf.rcvbuf = RCVBUF_DEFAULT;
	if (tcp->conf.sndbuf == 0)
		tcp->conf.sndbuf = SNDBUF_DEFAULT;
	if (tcp->conf.keepalive_ns == 0)
		tcp->conf.keepalive_ns = KEEPALIVE_DEFAULT;
	tcp->cc = tcp_cc_find(conf->congestion);
	if (tcp->cc == NULL || conf->conns == 0 || conf->conns > 1u << 24 || tcp->conf.rcvbuf > BUF_MAX ||
	    tcp->conf.sndbuf > BUF_MAX)
		return -EINVAL;
	while (tcp->rcv_shift < TCP_WSCALE_MAX && (uint32_t)UINT16_MAX << tcp->rcv_shift < tcp->conf.rcvbuf)
		tcp->rcv_shift++;
	return 0;
}

static void
make_keys(struct tcp *tcp)
{
	struct tcp_secret seed = {tcp->conf.seed, 0x5354524b54435001ULL};
	uint64_t w[1];

	for (w[0] = 0; w[0] < 4; w[0]++)
		tcp->hash_key[w[0]] = tcp_prf(&seed, w, 1);
	tcp->secret.k0 = tcp_prf(&seed, w, 1);
	w[0]++;
	tcp->secret.k1 = tcp_prf(&seed, w, 1);
	w[0]++;
	tcp->port_rng = tcp_prf(&seed, w, 1);
}

static int
make_table(struct tcp *tcp)
{
	uint32_t conns = tcp->conf.conns, slots = rte_align32pow2(conns) * 2;
	uint32_t troubles = conns / 8 < TROUBLES_MIN ? RTE_MIN(conns, TROUBLES_MIN) : conns / 8;

	tcp->table = rte_zmalloc("tcp_table", slots * sizeof(*tcp->table), RTE_CACHE_LINE_SIZE);
	tcp->conns = rte_zmalloc("tcp_conns", conns * sizeof(*tcp->conns), RTE_CACHE_LINE_SIZE);
	tcp->troubles = rte_zmalloc("tcp_troubles", troubles * sizeof(*tcp->troubles), RTE_CACHE_LINE_SIZE);
	if (tcp->table == NULL || tcp->conns == NULL || tcp->troubles == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < troubles; i++) {
		tcp->troubles[i].next = tcp->trouble_pool;
		tcp->trouble_pool = &tcp->troubles[i];
	}
	tcp->table_mask = slots - 1;
	for (uint32_t i = 0; i < conns; i++) {
		tcp->conns[i].flags = TCP_F_FREE;
		tcp->conns[i].tcp = tcp;
		TAILQ_INSERT_TAIL(&tcp->idle, &tcp->conns[i], link);
	}
	/* Half of the table at most, so that a flood leaves room for those who finish their handshake. */
	tcp->half_open_max = RTE_MIN(HALF_OPEN_MAX, conns / 2 + 1);
	return 0;
}

int
tcp_lcore_create(struct tcp **out, const struct tcp_conf *conf, struct port_if *ifp)
{
	struct tcp *tcp = rte_zmalloc("tcp", sizeof(*tcp), RTE_CACHE_LINE_SIZE);
	int ret;

	if (tcp == NULL)
		return -ENOMEM;
	STAILQ_INIT(&tcp->dirty);
	STAILQ_INIT(&tcp->events);
	TAILQ_INIT(&tcp->idle);
	TAILQ_INIT(&tcp->time_wait);
	TAILQ_INIT(&tcp->starved);
	LIST_INIT(&tcp->listeners);
	ret = conf_check(tcp, conf);
	if (ret == 0)
		ret = make_table(tcp);
	if (ret < 0) {
		rte_free(tcp->troubles);
		rte_free(tcp->conns);
		rte_free(tcp->table);
		rte_free(tcp);
		return ret;
	}
	make_keys(tcp);
	tcp->lcore = strake_self_index();
	tcp->ifp = ifp;
	/* The data lcores share the pool. The other half is for the port's rings and for what we send. */
	tcp->pin_budget = (uint64_t)ifp->pool->size * rte_pktmbuf_data_room_size(ifp->pool) / 2 /
			  RTE_MAX(strake_lcore_count() - 1, 1);
	tcp->poller = (struct strake_poller){.name = "tcp", .poll = poll, .flush = flush, .fd = -2};
	strake_poller_add(&tcp->poller);
	ifp->rx = tcp_rx;
	ifp->too_big = tcp_too_big;
	ifp->user = tcp;
	*out = tcp;
	return 0;
}

void
tcp_lcore_abort_all(struct tcp *tcp)
{
	for (uint32_t i = 0; i < tcp->conf.conns; i++)
		if (!(tcp->conns[i].flags & TCP_F_FREE))
			tcp_abort(&tcp->conns[i], -ECONNABORTED);
	tcp_events_run(tcp);
}

void
tcp_lcore_destroy(struct tcp *tcp)
{
	struct tcp_listener *l;
	struct tcp_conn *c;

	/* Half-open ones and those in TIME_WAIT have no user to close them. */
	tcp_lcore_abort_all(tcp);
	while ((c = STAILQ_FIRST(&tcp->dirty)) != NULL)
		STAILQ_REMOVE_HEAD(&tcp->dirty, dirty_link);
	while ((l = LIST_FIRST(&tcp->listeners)) != NULL) {
		LIST_REMOVE(l, link);
		rte_free(l);
	}
	tcp->ifp->rx = NULL;
	tcp->ifp->too_big = NULL;
	strake_poller_del(&tcp->poller);
	rte_free(tcp->troubles);
	rte_free(tcp->conns);
	rte_free(tcp->table);
	rte_free(tcp);
}
