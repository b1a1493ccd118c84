/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* What a data lcore has, and the transport as the nvmf room knows it. */

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include <rte_malloc.h>

#include "conn.h"
#include "strake_account.h"

STRAKE_STEP(send_step, STRAKE_AT_FRONT_OUT, "NVMe/TCP: PDUs to send")

struct nvme_tcp_lcore *nvme_tcp_lcores[STRAKE_LCORE_MAX];
struct nvme_tcp_conf nvme_tcp_limits;
struct nvmf_transport nvme_tcp_trans = {
	.name = "tcp", .trtype = 3, .kill = nvme_tcp_conn_kill, .tell = nvme_tcp_conn_tell};

static uint32_t
or_default(uint32_t value, uint32_t dflt)
{
	return value != 0 ? value : dflt;
}

int
nvme_tcp_init(const struct nvme_tcp_conf *conf)
{
	static const struct nvme_tcp_conf none;
	struct nvme_tcp_conf *l = &nvme_tcp_limits;

	if (conf == NULL)
		conf = &none;
	l->conns = or_default(conf->conns, 1024);
	l->slots = or_default(conf->slots, 16384);
	l->in_capsule = or_default(conf->in_capsule, 8192);
	l->maxr2t = or_default(conf->maxr2t, 1);
	l->maxh2c = or_default(conf->maxh2c, 131072);
	/* A TTAG names a slot. MAXH2CDATA is at least 4 KiB, in dwords. */
	if (l->slots > UINT16_MAX || l->maxr2t != 1 || l->maxh2c < NVME_TCP_MAXH2C_MIN || l->maxh2c % 4 != 0 ||
	    l->in_capsule % 16 != 0)
		return -EINVAL;
	nvme_tcp_trans.in_capsule = l->in_capsule;
	nvme_tcp_trans.max_xfer = STRAKE_BUF_PAGE_MAX;
	return nvme_tcp_telemetry_init();
}

void
nvme_tcp_fini(void)
{
	memset(&nvme_tcp_limits, 0, sizeof(nvme_tcp_limits));
}

const struct nvmf_transport *
nvme_tcp_transport(void)
{
	return &nvme_tcp_trans;
}

/* Connections that waited for a slot, a descriptor or header memory: some may be free by now. Each is looked at once a
 * turn, in the order they came. */
static uint32_t
lcore_poll(struct strake_poller *p, uint64_t now)
{
	struct nvme_tcp_lcore *lc = (struct nvme_tcp_lcore *)p;
	struct nvme_tcp_conn *last = TAILQ_LAST(&lc->stalled, nvme_tcp_conns), *conn;
	uint32_t work = 0;

	if (last == NULL)
		return 0;
	do {
		uint32_t before;

		conn = TAILQ_FIRST(&lc->stalled);
		TAILQ_REMOVE(&lc->stalled, conn, stalled_link);
		conn->is_stalled = false;
		before = conn->rx_len;
		nvme_tcp_reply_pump(conn);
		nvme_tcp_parse(conn);
		nvme_tcp_pump(conn);
		work += conn->rx_len != before;
	} while (conn != last && !TAILQ_EMPTY(&lc->stalled));
	return work;
}

static uint32_t
lcore_flush(struct strake_poller *p, uint64_t now)
{
	struct nvme_tcp_lcore *lc = (struct nvme_tcp_lcore *)p;
	uint8_t before = strake_account_enter(&send_step);
	struct nvme_tcp_conn *conn;
	uint32_t work = 0;

	nvme_tcp_pages_serve(lc);
	while ((conn = TAILQ_FIRST(&lc->dirty)) != NULL) {
		nvme_tcp_flush(conn);
		work++;
		/* Replies shorter than promised gave room back. */
		if (!TAILQ_EMPTY(&conn->credit) || !TAILQ_EMPTY(&conn->r2tq))
			nvme_tcp_pump(conn);
	}
	if (!TAILQ_EMPTY(&lc->reap))
		nvme_tcp_conn_reap(lc);
	strake_account_leave(before);
	return work;
}

static bool
lcore_arm(struct strake_poller *p, bool on)
{
	struct nvme_tcp_lcore *lc = (struct nvme_tcp_lcore *)p;

	return !on || (TAILQ_EMPTY(&lc->stalled) && TAILQ_EMPTY(&lc->dirty) && !nvme_tcp_pages_due(lc));
}

static void
lcore_free(struct nvme_tcp_lcore *lc)
{
	rte_free(lc->conns);
	rte_free(lc->slots);
	rte_free(lc->cids);
	rte_free(lc);
}

static void
lcore_lists(struct nvme_tcp_lcore *lc)
{
	TAILQ_INIT(&lc->free_conns);
	TAILQ_INIT(&lc->active);
	TAILQ_INIT(&lc->dirty);
	TAILQ_INIT(&lc->stalled);
	TAILQ_INIT(&lc->reap);
	TAILQ_INIT(&lc->r2t_waits);
	TAILQ_INIT(&lc->free_slots);
	for (uint32_t i = 0; i < nvme_tcp_limits.conns; i++) {
		lc->conns[i].lc = lc;
		TAILQ_INSERT_TAIL(&lc->free_conns, &lc->conns[i], link);
	}
	for (uint32_t i = 0; i < nvme_tcp_limits.slots; i++) {
		lc->slots[i].index = (uint16_t)i;
		TAILQ_INSERT_TAIL(&lc->free_slots, &lc->slots[i], link);
	}
}

int
nvme_tcp_lcore_init(void)
{
	const struct nvme_tcp_conf *l = &nvme_tcp_limits;
	int socket = strake_self()->socket;
	struct nvme_tcp_lcore *lc;
	int ret = -ENOMEM;

	lc = rte_zmalloc_socket("nvme_tcp", sizeof(*lc), RTE_CACHE_LINE_SIZE, socket);
	if (lc == NULL)
		return -ENOMEM;
	lc->conns = rte_zmalloc_socket("nvme_tcp_conns", l->conns * sizeof(*lc->conns), RTE_CACHE_LINE_SIZE, socket);
	lc->slots = rte_zmalloc_socket("nvme_tcp_slots", l->slots * sizeof(*lc->slots), RTE_CACHE_LINE_SIZE, socket);
	lc->cid_mask = rte_align32pow2(l->slots) * 2 - 1;
	lc->cids = rte_zmalloc_socket("nvme_tcp_cids", (lc->cid_mask + 1) * sizeof(*lc->cids), RTE_CACHE_LINE_SIZE,
				      socket);
	if (lc->conns == NULL || lc->slots == NULL || lc->cids == NULL)
		goto err;
	ret = nvme_tcp_send_init(lc, l->slots);
	if (ret < 0)
		goto err;
	lcore_lists(lc);
	lc->poller = (struct strake_poller){
		.name = "nvme_tcp", .poll = lcore_poll, .flush = lcore_flush, .arm = lcore_arm, .fd = -2};
	nvme_tcp_lcores[strake_self_index()] = lc;
	strake_poller_add(&lc->poller);
	nvme_tcp_pages_init(lc);
	nvme_tcp_progress_init(lc);
	return 0;

err:
	lcore_free(lc);
	return ret;
}

bool
nvme_tcp_lcore_drain(void)
{
	struct nvme_tcp_lcore *lc = nvme_tcp_lcores[strake_self_index()];
	struct nvme_tcp_conn *conn;

	if (lc == NULL)
		return true;
	TAILQ_FOREACH (conn, &lc->active, link)
		if (!conn->dying)
			nvme_tcp_conn_close(conn, false);
	return lc->n_active == 0;
}

void
nvme_tcp_lcore_fini(void)
{
	struct nvme_tcp_lcore *lc = nvme_tcp_lcores[strake_self_index()];

	if (lc == NULL)
		return;
	nvme_tcp_lcores[strake_self_index()] = NULL;
	strake_poller_del(&lc->poller);
	nvme_tcp_progress_fini(lc);
	nvme_tcp_send_fini(lc);
	lcore_free(lc);
}

static int
parse_address(const char *address, uint16_t service, struct sockaddr_storage *out)
{
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)out;
	struct sockaddr_in *in = (struct sockaddr_in *)out;

	memset(out, 0, sizeof(*out));
	if (inet_pton(AF_INET, address, &in->sin_addr) == 1) {
		in->sin_family = AF_INET;
		in->sin_port = htons(service);
		return 0;
	}
	if (inet_pton(AF_INET6, address, &in6->sin6_addr) == 1) {
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons(service);
		return 0;
	}
	return -EINVAL;
}

int
nvme_tcp_listen(struct strake_carrier *c, const char *address, uint16_t service)
{
	struct sockaddr_storage sa;
	int ret;

	ret = parse_address(address, service, &sa);
	if (ret < 0)
		return ret;
	ret = c->listen(c, (struct sockaddr *)&sa, nvme_tcp_accept, NULL);
	if (ret < 0)
		return ret;
	ret = nvmf_add_listener(&nvme_tcp_trans, address, service);
	if (ret < 0)
		c->unlisten(c, (struct sockaddr *)&sa);
	return ret;
}

void
nvme_tcp_unlisten(struct strake_carrier *c, const char *address, uint16_t service)
{
	struct sockaddr_storage sa;

	if (parse_address(address, service, &sa) < 0)
		return;
	nvmf_del_listener(&nvme_tcp_trans, address, service);
	c->unlisten(c, (struct sockaddr *)&sa);
}
