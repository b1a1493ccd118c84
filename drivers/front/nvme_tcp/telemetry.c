/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* /strake/connection/... : asked of each data lcore by message, from the telemetry thread. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conn.h"
#include "strake_telemetry.h"

#define FIGURES_MAX 32

/* One question to one lcore. Never freed if the lcore does not answer in time: it may still write. */
struct question {
	uint32_t id;	       /* of the one wanted */
	uint32_t first, count; /* of the ids wanted; those found are in ids */
	uint32_t seen, n;
	uint32_t *ids;
	struct nvme_tcp_conn conn; /* a copy, for reading outside the lcore */
	char carrier[16];
	uint64_t tx_queued, rx_bytes, tx_bytes;
	unsigned int n_figures;
	const char *names[FIGURES_MAX];
	uint64_t values[FIGURES_MAX];
	uint32_t where[SLOT_REPLY + 1]; /* commands by what they wait for */
	uint64_t longest;		/* of those carried out now, ns */
};

static uint32_t
id_of(const struct nvme_tcp_lcore *lc, const struct nvme_tcp_conn *conn)
{
	return (uint32_t)strake_self_index() * nvme_tcp_limits.conns + (uint32_t)(conn - lc->conns);
}

static uint32_t
bytes_of(const struct nvme_tcp_conn *conn)
{
	return (uint32_t)(sizeof(*conn) + conn->outstanding * sizeof(struct nvme_tcp_slot));
}

void
nvme_tcp_walk(void (*fn)(const struct nvme_tcp_conn_info *info, void *arg), void *arg)
{
	struct nvme_tcp_lcore *lc = nvme_tcp_lcores[strake_self_index()];
	struct nvme_tcp_conn *conn;

	if (lc == NULL)
		return;
	TAILQ_FOREACH (conn, &lc->active, link) {
		struct nvme_tcp_conn_info info = {
			.qp = &conn->qp,
			.stream = conn->stream,
			.state = nvme_tcp_conn_state_name(conn),
			.hdgst = conn->hdgst != 0,
			.ddgst = conn->ddgst != 0,
			.bytes = bytes_of(conn),
		};

		fn(&info, arg);
	}
}

static int
ask_list(void *arg)
{
	struct nvme_tcp_lcore *lc = nvme_tcp_lcores[strake_self_index()];
	struct question *q = arg;
	struct nvme_tcp_conn *conn;

	if (lc == NULL)
		return 0;
	TAILQ_FOREACH (conn, &lc->active, link)
		if (q->seen++ >= q->first && q->n < q->count)
			q->ids[q->n++] = id_of(lc, conn);
	return 0;
}

static int
tel_list(const char *cmd, const char *params, struct rte_tel_data *d)
{
	unsigned int first, count;
	struct question *q;
	int ret;

	ret = strake_tel_page(params, &first, &count);
	if (ret < 0)
		return ret;
	q = calloc(1, sizeof(*q));
	if (q == NULL || (q->ids = calloc(count, sizeof(*q->ids))) == NULL) {
		free(q);
		return -ENOMEM;
	}
	q->first = first;
	q->count = count;
	for (uint16_t i = 0; i < strake_lcore_count(); i++) {
		ret = strake_msg_call(i, ask_list, q);
		if (ret < 0)
			goto end;
	}
	rte_tel_data_start_array(d, RTE_TEL_U64_VAL);
	for (uint32_t i = 0; i < q->n; i++)
		rte_tel_data_add_array_u64(d, q->ids[i]);
	ret = 0;
end:
	free(q->ids);
	free(q);
	return ret;
}

static void
count_slots(struct question *q, const struct nvme_tcp_slots *list)
{
	const struct nvme_tcp_slot *slot;

	TAILQ_FOREACH (slot, list, link)
		q->where[slot->state]++;
}

/* Where a command is that has no answer yet. */
static void
look_where(struct question *q, const struct nvme_tcp_conn *conn)
{
	uint64_t now = strake_now();

	count_slots(q, &conn->xfers);
	count_slots(q, &conn->r2tq);
	count_slots(q, &conn->credit);
	count_slots(q, &conn->replies);
	for (const struct nvmf_cmd *cmd = conn->qp.lent; cmd != NULL; cmd = cmd->next) {
		q->where[SLOT_LENT]++;
		if (now - cmd->t_start > q->longest)
			q->longest = now - cmd->t_start;
	}
}

static int
ask_info(void *arg)
{
	struct nvme_tcp_lcore *lc = nvme_tcp_lcores[strake_self_index()];
	struct question *q = arg;
	struct strake_stream *s;

	if (lc == NULL || lc->conns[q->id % nvme_tcp_limits.conns].state == CONN_FREE)
		return -ENOENT;
	memcpy(&q->conn, &lc->conns[q->id % nvme_tcp_limits.conns], sizeof(q->conn));
	look_where(q, &lc->conns[q->id % nvme_tcp_limits.conns]);
	s = q->conn.stream;
	if (s == NULL)
		return 0;
	snprintf(q->carrier, sizeof(q->carrier), "%s", s->ops->name);
	q->tx_queued = s->tx_queued;
	q->rx_bytes = s->rx_bytes;
	q->tx_bytes = s->tx_bytes;
	if (s->figures != NULL)
		q->n_figures = s->figures(s, q->names, q->values, FIGURES_MAX);
	return 0;
}

static void
where_dict(const struct question *q, struct rte_tel_data *d)
{
	rte_tel_data_add_dict_u64(d, "in_capsule_coming", q->where[SLOT_RECV]);
	rte_tel_data_add_dict_u64(d, "r2t_waiting", q->where[SLOT_WAIT_R2T]);
	rte_tel_data_add_dict_u64(d, "r2t_data_coming", q->where[SLOT_R2T]);
	rte_tel_data_add_dict_u64(d, "reply_room_waiting", q->where[SLOT_CREDIT]);
	rte_tel_data_add_dict_u64(d, "reply_memory_waiting", q->where[SLOT_REPLY]);
	rte_tel_data_add_dict_u64(d, "carried_out", q->where[SLOT_LENT]);
	rte_tel_data_add_dict_u64(d, "carried_out_longest_us", q->longest / STRAKE_NS_PER_US);
	rte_tel_data_add_dict_u64(d, "r2t_budget_waiting", q->conn.is_waiting);
	rte_tel_data_add_dict_u64(d, "stalled", q->conn.is_stalled);
	rte_tel_data_add_dict_u64(d, "unparsed", q->conn.rx_len);
}

static void
info_dict(const struct question *q, struct rte_tel_data *d)
{
	const struct nvme_tcp_conn *c = &q->conn;

	rte_tel_data_start_dict(d);
	rte_tel_data_add_dict_string(d, "state", nvme_tcp_conn_state_name(c));
	rte_tel_data_add_dict_string(d, "carrier", q->carrier);
	rte_tel_data_add_dict_string(d, "peer", c->qp.peer);
	rte_tel_data_add_dict_string(d, "local", c->qp.local);
	rte_tel_data_add_dict_u64(d, "service", c->qp.local_service);
	rte_tel_data_add_dict_u64(d, "lcore", c->qp.lcore);
	rte_tel_data_add_dict_u64(d, "qid", c->qp.qid);
	rte_tel_data_add_dict_u64(d, "depth", c->qp.connected ? c->qp.size : 0);
	rte_tel_data_add_dict_u64(d, "outstanding", c->outstanding);
	rte_tel_data_add_dict_u64(d, "r2t_out", c->r2t_out);
	where_dict(q, d);
	rte_tel_data_add_dict_u64(d, "reserved", c->reserved);
	rte_tel_data_add_dict_u64(d, "header_digest", c->hdgst != 0);
	rte_tel_data_add_dict_u64(d, "data_digest", c->ddgst != 0);
	rte_tel_data_add_dict_u64(d, "commands", c->qp.cmds);
	rte_tel_data_add_dict_u64(d, "errors", c->qp.errors);
	rte_tel_data_add_dict_u64(d, "bytes_in", c->qp.bytes_in);
	rte_tel_data_add_dict_u64(d, "bytes_out", c->qp.bytes_out);
	rte_tel_data_add_dict_u64(d, "memory", bytes_of(c));
	rte_tel_data_add_dict_u64(d, "tx_queued", q->tx_queued);
	rte_tel_data_add_dict_u64(d, "rx_bytes", q->rx_bytes);
	rte_tel_data_add_dict_u64(d, "tx_bytes", q->tx_bytes);
	strake_hist_tel(&c->qp.latency[0], d, "read_latency_ns");
	strake_hist_tel(&c->qp.latency[1], d, "write_latency_ns");
	for (unsigned int i = 0; i < q->n_figures; i++)
		rte_tel_data_add_dict_u64(d, q->names[i], q->values[i]);
}

static int
tel_info(const char *cmd, const char *params, struct rte_tel_data *d)
{
	struct question *q;
	unsigned long id;
	char *end;
	int ret;

	if (params == NULL || *params == '\0')
		return -EINVAL;
	id = strtoul(params, &end, 10);
	if (*end != '\0' || nvme_tcp_limits.conns == 0 || id / nvme_tcp_limits.conns >= strake_lcore_count())
		return -EINVAL;
	q = calloc(1, sizeof(*q));
	if (q == NULL)
		return -ENOMEM;
	q->id = (uint32_t)id;
	ret = strake_msg_call((uint16_t)(id / nvme_tcp_limits.conns), ask_info, q);
	if (ret == 0)
		info_dict(q, d);
	free(q);
	return ret;
}

static int
tel_counters(const char *cmd, const char *params, struct rte_tel_data *d)
{
	struct nvme_tcp_counters sum = {0};
	uint64_t active = 0;

	for (unsigned int i = 0; i < STRAKE_LCORE_MAX; i++) {
		const struct nvme_tcp_lcore *lc = nvme_tcp_lcores[i];

		if (lc == NULL)
			continue;
		active += lc->n_active;
#define COUNTER(name, help) sum.name += lc->stats.name;
#include "counters.def"
#undef COUNTER
	}
	rte_tel_data_start_dict(d);
	rte_tel_data_add_dict_u64(d, "active", active);
#define COUNTER(name, help) rte_tel_data_add_dict_u64(d, #name, sum.name);
#include "counters.def"
#undef COUNTER
	return 0;
}

int
nvme_tcp_telemetry_init(void)
{
	static bool done;
	int ret;

	if (done)
		return 0;
	ret = strake_tel_register("/strake/connection/list", tel_list,
				  "Ids of NVMe/TCP connections. Parameters: first,count");
	if (ret == 0)
		ret = strake_tel_register("/strake/connection/info", tel_info,
					  "One NVMe/TCP connection. Parameter: id");
	if (ret == 0)
		ret = strake_tel_register("/strake/connection/counters", tel_counters,
					  "What NVMe/TCP counted on all lcores together");
	done = ret == 0;
	return ret;
}
