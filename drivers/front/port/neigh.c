/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/*
 * Neighbours: who has which MAC address, and the packets that wait to know.
 *
 *     SILENT --send--> ASKING --answer--> KNOWN --old and used--> PROBING --answer--> KNOWN
 *        ^               |                                          |
 *        +-- 3 unanswered+------------------------------------------+
 *
 * Each lcore has its own table and asks for itself; whoever hears an answer tells the others by message. Entries are
 * made for what we want to send to, and from requests for our own addresses as long as nobody must leave for it, so a
 * flood of claims can fill spare room but push nobody out.
 */

#include <errno.h>

#include <rte_malloc.h>

#include "port_impl.h"

#define FRESH_NS  (60 * STRAKE_NS_PER_SEC)  /* how long an answer is believed without asking again */
#define RETRY_NS  STRAKE_NS_PER_SEC	    /* RFC 4861 section 10, RETRANS_TIMER */
#define TRIES	  3			    /* MAX_MULTICAST_SOLICIT, MAX_UNICAST_SOLICIT */
#define UNUSED_NS (600 * STRAKE_NS_PER_SEC) /* entries nobody looked up leave after this */
#define SHARE_NS  STRAKE_NS_PER_SEC	    /* a mere confirmation is told to others no more often */

/** What one lcore tells another. */
struct note {
	struct strake_msg msg;
	struct port *port;
	struct rte_mempool *pool;
	struct port_addr addr;
	struct rte_ether_addr mac;
	bool make;
};

size_t
port_neigh_note_size(void)
{
	return sizeof(struct note);
}

int
port_neigh_init(struct port_lcore *lc)
{
	TAILQ_INIT(&lc->neigh_age);
	TAILQ_INIT(&lc->neigh_ask);
	TAILQ_INIT(&lc->neigh_free);
	lc->neighs = rte_zmalloc_socket("port_neigh", PORT_NEIGHS * sizeof(*lc->neighs), RTE_CACHE_LINE_SIZE,
					strake_self()->socket);
	if (lc->neighs == NULL)
		return -ENOMEM;
	for (unsigned int i = 0; i < PORT_NEIGHS; i++)
		TAILQ_INSERT_TAIL(&lc->neigh_free, &lc->neighs[i], age);
	return 0;
}

static void
drop_waiting(struct port_lcore *lc, struct port_neigh *n)
{
	for (unsigned int i = 0; i < n->n_wait; i++)
		port_drop(n->wait[i], &lc->stats.tx_drop_neigh);
	lc->n_waiting -= n->n_wait;
	n->n_wait = 0;
}

static bool
asked(const struct port_neigh *n)
{
	return n->state == NEIGH_ASKING || n->state == NEIGH_PROBING;
}

static bool
usable(const struct port_neigh *n)
{
	return n->state == NEIGH_KNOWN || n->state == NEIGH_PROBING;
}

static void
forget(struct port_lcore *lc, struct port_neigh *n)
{
	drop_waiting(lc, n);
	if (asked(n))
		TAILQ_REMOVE(&lc->neigh_ask, n, ask);
	TAILQ_REMOVE(&lc->neigh_age, n, age);
	LIST_REMOVE(n, bucket);
	n->state = NEIGH_FREE;
	TAILQ_INSERT_HEAD(&lc->neigh_free, n, age);
}

void
port_neigh_fini(struct port_lcore *lc)
{
	struct port_neigh *n;

	if (lc->neighs == NULL)
		return;
	while ((n = TAILQ_FIRST(&lc->neigh_age)) != NULL)
		forget(lc, n);
	rte_free(lc->neighs);
	lc->neighs = NULL;
}

struct port_neigh *
port_neigh_find(struct port_lcore *lc, const struct port_addr *addr)
{
	struct port_neigh *n;

	LIST_FOREACH (n, &lc->neigh_bucket[port_hash_addr(lc->port, addr) % PORT_NEIGH_BUCKET], bucket) {
		if (port_addr_eq(&n->addr, addr))
			return n;
	}
	return NULL;
}

/** The least recently wanted entry without references leaves. Bounded: those in use are moved to the young end. */
static bool
make_room(struct port_lcore *lc)
{
	struct port_neigh *n;

	for (unsigned int i = 0; i < 16 && (n = TAILQ_FIRST(&lc->neigh_age)) != NULL; i++) {
		if (n->refs == 0) {
			forget(lc, n);
			return true;
		}
		TAILQ_REMOVE(&lc->neigh_age, n, age);
		TAILQ_INSERT_TAIL(&lc->neigh_age, n, age);
	}
	return false;
}

static struct port_neigh *
neigh_new(struct port_lcore *lc, const struct port_addr *addr, uint64_t now)
{
	struct port_neigh *n = TAILQ_FIRST(&lc->neigh_free);

	if (n == NULL) {
		lc->stats.neigh_full++;
		return NULL;
	}
	TAILQ_REMOVE(&lc->neigh_free, n, age);
	memset(n, 0, sizeof(*n));
	n->addr = *addr;
	n->state = NEIGH_SILENT;
	n->touched = now;
	TAILQ_INSERT_TAIL(&lc->neigh_age, n, age);
	LIST_INSERT_HEAD(&lc->neigh_bucket[port_hash_addr(lc->port, addr) % PORT_NEIGH_BUCKET], n, bucket);
	return n;
}

struct port_neigh *
port_neigh_get(struct port_lcore *lc, const struct port_addr *addr, uint64_t now)
{
	struct port_neigh *n = port_neigh_find(lc, addr);

	if (n == NULL) {
		if (TAILQ_EMPTY(&lc->neigh_free))
			make_room(lc);
		return neigh_new(lc, addr, now);
	}
	n->touched = now;
	TAILQ_REMOVE(&lc->neigh_age, n, age);
	TAILQ_INSERT_TAIL(&lc->neigh_age, n, age);
	return n;
}

static void
ask(struct port_lcore *lc, struct port_neigh *n, uint64_t now)
{
	const struct rte_ether_addr *mac = n->state == NEIGH_PROBING ? (const struct rte_ether_addr *)n->eth : NULL;

	n->tries++;
	n->due = now + RETRY_NS;
	if (n->addr.family == 6)
		port_nd_solicit(lc, &n->addr, mac);
	else
		port_arp_request(lc, &n->addr, mac);
}

static void
start_asking(struct port_lcore *lc, struct port_neigh *n, enum neigh_state state, uint64_t now)
{
	n->state = state;
	n->tries = 0;
	TAILQ_INSERT_TAIL(&lc->neigh_ask, n, ask);
	if (now >= n->due) /* else the tick asks: one that never answers is not asked more than once in RETRY_NS */
		ask(lc, n, now);
	port_tick_soon(lc, now);
}

/** No address yet: the packet waits; the oldest makes room. */
static int
wait_for(struct port_lcore *lc, struct port_neigh *n, struct rte_mbuf *m, uint64_t now)
{
	if (n->state == NEIGH_SILENT)
		start_asking(lc, n, NEIGH_ASKING, now);
	if (n->n_wait == 0 && lc->n_waiting >= PORT_NEIGH_WAITS) {
		port_drop(m, &lc->stats.tx_drop_neigh);
		return -ENOBUFS;
	}
	if (n->n_wait == PORT_NEIGH_WAIT || lc->n_waiting >= PORT_NEIGH_WAITS) {
		port_drop(n->wait[0], &lc->stats.tx_drop_neigh);
		n->n_wait--;
		lc->n_waiting--;
		memmove(&n->wait[0], &n->wait[1], n->n_wait * sizeof(n->wait[0]));
	}
	n->wait[n->n_wait++] = m;
	lc->n_waiting++;
	return 0;
}

int
port_neigh_send(struct port_lcore *lc, struct port_neigh *n, struct rte_mbuf *m, uint64_t now)
{
	if (unlikely(!usable(n)))
		return wait_for(lc, n, m, now);
	if (unlikely(now - n->confirmed > FRESH_NS) && n->state == NEIGH_KNOWN)
		start_asking(lc, n, NEIGH_PROBING, now);
	return port_eth_send(lc, m, n->eth);
}

int
port_neigh_send_as(struct port_lcore *lc, const struct port_neigh *n, struct rte_mbuf *m, uint16_t ethertype)
{
	if (!usable(n)) {
		port_drop(m, &lc->stats.tx_drop_neigh);
		return -ENOBUFS;
	}
	return port_eth_send_to(lc, m, (const struct rte_ether_addr *)n->eth, ethertype);
}

static void
send_waiting(struct port_lcore *lc, struct port_neigh *n)
{
	uint8_t count = n->n_wait;

	lc->n_waiting -= count;
	n->n_wait = 0;
	for (unsigned int i = 0; i < count; i++)
		port_eth_send(lc, n->wait[i], n->eth);
}

static void
note_run(struct strake_msg *msg)
{
	struct note *note = (struct note *)msg;
	struct port_lcore *lc = note->port->lcores[strake_self_index()];

	if (lc != NULL && lc->in_poller)
		port_neigh_learn(lc, &note->addr, &note->mac, note->make, false, strake_now());
	rte_mempool_put(note->pool, note);
}

static void
tell_others(struct port_lcore *lc, const struct port_addr *addr, const struct rte_ether_addr *mac, bool make)
{
	struct port *port = lc->port;

	for (uint16_t i = 1; i <= port->n_lcores; i++) {
		struct note *note;

		if (i == lc->index)
			continue;
		if (rte_mempool_get(port->notes, (void **)&note) < 0) {
			lc->stats.neigh_note_lost++;
			return;
		}
		note->msg.fn = note_run;
		note->port = port;
		note->pool = port->notes;
		note->addr = *addr;
		note->mac = *mac;
		note->make = make;
		strake_msg_send(i, &note->msg);
	}
}

void
port_neigh_learn(struct port_lcore *lc, const struct port_addr *addr, const struct rte_ether_addr *mac, bool make,
		 bool share, uint64_t now)
{
	struct port_neigh *n = port_neigh_find(lc, addr);
	bool news = n == NULL || !usable(n) || now - n->confirmed >= SHARE_NS ||
		    memcmp(n->eth, mac, RTE_ETHER_ADDR_LEN) != 0;

	/* Another lcore may be asking for one we do not know. */
	if (share && news && lc->port->n_lcores > 1)
		tell_others(lc, addr, mac, make);
	if (n == NULL && make)
		n = neigh_new(lc, addr, now);
	if (n == NULL)
		return;
	if (asked(n))
		TAILQ_REMOVE(&lc->neigh_ask, n, ask);
	n->state = NEIGH_KNOWN;
	n->confirmed = now;
	n->due = 0;
	port_eth_header(lc->port, n->eth, mac, addr->family == 6 ? RTE_ETHER_TYPE_IPV6 : RTE_ETHER_TYPE_IPV4);
	if (n->n_wait != 0)
		send_waiting(lc, n);
}

/** Asked often enough. */
static void
give_up(struct port_lcore *lc, struct port_neigh *n)
{
	lc->stats.neigh_failed++;
	drop_waiting(lc, n);
	TAILQ_REMOVE(&lc->neigh_ask, n, ask);
	n->state = NEIGH_SILENT;
	if (n->refs == 0)
		forget(lc, n);
}

bool
port_neigh_tick(struct port_lcore *lc, uint64_t now)
{
	struct port_neigh *n, *next;

	for (n = TAILQ_FIRST(&lc->neigh_ask); n != NULL; n = next) {
		next = TAILQ_NEXT(n, ask);
		if (now < n->due)
			continue;
		if (n->tries >= TRIES)
			give_up(lc, n);
		else
			ask(lc, n, now);
	}
	for (unsigned int i = 0; i < PORT_BURST && (n = TAILQ_FIRST(&lc->neigh_age)) != NULL; i++) {
		if (now - n->touched < UNUSED_NS)
			break;
		if (n->refs == 0) {
			forget(lc, n);
			continue;
		}
		n->touched = now;
		TAILQ_REMOVE(&lc->neigh_age, n, age);
		TAILQ_INSERT_TAIL(&lc->neigh_age, n, age);
	}
	return !TAILQ_EMPTY(&lc->neigh_ask);
}
