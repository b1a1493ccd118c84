/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/*
 * /strake/subsystem/list, /strake/listener/list and info, /strake/controller/list, /strake/controller/info,
 * /strake/class/list and info. Main takes a picture, the telemetry thread shows it.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctrlr.h"
#include "io.h"
#include "strake_qos.h"
#include "strake_telemetry.h"

#define LIST_MAX 256

struct picture {
	unsigned int first, count; /* in */
	uint32_t id;
	unsigned int n; /* out */
	union {
		char nqn[LIST_MAX][NVME_NQN_LEN];
		uint64_t ids[LIST_MAX];
		struct {
			struct nvmf_class_stats sum;
			struct strake_qos_stats door;
			const struct strake_qos_class *asked; /* NULL: nobody waits by class */
		} cls;
		struct {
			char subnqn[NVME_NQN_LEN], hostnqn[NVME_NQN_LEN], peer[64];
			uint64_t cntlid, queues, kato, csts, dying, aers, errors_logged, keep_alive_expired, under_way;
			struct nvmf_totals totals;
			struct strake_hist latency[2];
		} ctrlr;
	};
};

static int
picture_subsystems(void *arg)
{
	struct picture *p = arg;
	unsigned int i = 0;

	if (nvmf_target == NULL)
		return -ENOENT;
	for (const struct nvmf_subsystem *sub = nvmf_target->subsystems; sub != NULL; sub = sub->next, i++)
		if (i >= p->first && p->n < p->count)
			memcpy(p->nqn[p->n++], sub->nqn, NVME_NQN_LEN);
	return 0;
}

static void
listener_name(const struct nvmf_listener *l, char *out, size_t len)
{
	snprintf(out, len, strchr(l->address, ':') != NULL ? "[%s]:%u" : "%s:%u", l->address, l->service);
}

static int
list_listeners(const char *params, struct rte_tel_data *d)
{
	unsigned int first, count, i = 0;
	int ret = strake_tel_page(params, &first, &count);
	char name[80];

	if (ret < 0 || nvmf_target == NULL)
		return ret < 0 ? ret : -ENOENT;
	rte_tel_data_start_array(d, RTE_TEL_STRING_VAL);
	for (const struct nvmf_listener *l = nvmf_target->listeners; l != NULL; l = l->next, i++) {
		listener_name(l, name, sizeof(name));
		if (i >= first && i - first < count)
			rte_tel_data_add_array_string(d, name);
	}
	return 0;
}

static int
info_listener(const char *params, struct rte_tel_data *d)
{
	char name[80];

	for (const struct nvmf_listener *l = nvmf_target != NULL ? nvmf_target->listeners : NULL; l != NULL;
	     l = l->next) {
		listener_name(l, name, sizeof(name));
		if (strcmp(name, params) != 0)
			continue;
		rte_tel_data_start_dict(d);
		rte_tel_data_add_dict_string(d, "name", name);
		rte_tel_data_add_dict_string(d, "address", l->address);
		rte_tel_data_add_dict_u64(d, "service", l->service);
		rte_tel_data_add_dict_string(d, "transport", l->transport->name);
		rte_tel_data_add_dict_string(d, "ana", nvmf_ana_name(l->ana));
		return 0;
	}
	return -ENOENT;
}

static int
picture_ctrlrs(void *arg)
{
	struct picture *p = arg;
	unsigned int i = 0;

	if (nvmf_target == NULL)
		return -ENOENT;
	for (const struct nvmf_subsystem *sub = nvmf_target->subsystems; sub != NULL; sub = sub->next)
		for (const struct nvmf_ctrlr *c = sub->ctrlrs; c != NULL; c = c->next, i++)
			if (i >= p->first && p->n < p->count)
				p->ids[p->n++] = c->id;
	return 0;
}

static bool
class_exists(unsigned int c)
{
	for (uint16_t i = 0; i < STRAKE_LCORE_MAX; i++)
		if (nvmf_lcore_at(i) != NULL && nvmf_lcore_at(i)->classes[c] != NULL)
			return true;
	return strake_qos_asked((uint8_t)c) != NULL;
}

static int
picture_classes(void *arg)
{
	struct picture *p = arg;
	unsigned int i = 0;

	for (unsigned int c = 0; c <= UINT8_MAX; c++)
		if (class_exists(c) && i++ >= p->first && p->n < p->count)
			p->ids[p->n++] = c;
	return 0;
}

static void
picture_door(struct picture *p)
{
	struct strake_qos_stats *sum = &p->cls.door;

	p->cls.asked = strake_qos_asked((uint8_t)p->id);
	for (uint16_t i = 0; i < STRAKE_LCORE_MAX; i++) {
		const struct strake_qos_stats *s = strake_qos_stats(i, (uint8_t)p->id);

		if (s == NULL)
			continue;
		sum->admitted += s->admitted;
		sum->waited += s->waited;
		sum->cancelled += s->cancelled;
		sum->waiting += s->waiting;
		strake_hist_merge(&sum->wait, &s->wait);
	}
}

static int
picture_class(void *arg)
{
	struct picture *p = arg;

	if (p->id > UINT8_MAX || !class_exists(p->id))
		return -ENOENT;
	picture_door(p);
	for (uint16_t i = 0; i < STRAKE_LCORE_MAX; i++) {
		const struct nvmf_lcore *lc = nvmf_lcore_at(i);
		const struct nvmf_class_stats *s = lc != NULL ? lc->classes[p->id] : NULL;

		if (s == NULL)
			continue;
		p->cls.sum.requests += s->requests;
		p->cls.sum.errors += s->errors;
		p->cls.sum.bytes += s->bytes;
		strake_hist_merge(&p->cls.sum.latency, &s->latency);
	}
	return 0;
}

static void
picture_one(struct picture *p, const struct nvmf_ctrlr *c)
{
	struct nvmf_totals *t = &p->ctrlr.totals;

	memcpy(p->ctrlr.subnqn, c->sub->nqn, NVME_NQN_LEN);
	memcpy(p->ctrlr.hostnqn, c->hostnqn, NVME_NQN_LEN);
	if (c->admin != NULL)
		memcpy(p->ctrlr.peer, c->admin->peer, sizeof(p->ctrlr.peer));
	p->ctrlr.cntlid = c->cntlid;
	p->ctrlr.queues = c->n_qpairs;
	p->ctrlr.kato = c->kato;
	p->ctrlr.csts = c->csts;
	p->ctrlr.dying = c->dying;
	p->ctrlr.aers = c->n_aer;
	p->ctrlr.errors_logged = c->errors;
	p->ctrlr.keep_alive_expired = nvmf_target->ka_expired;
	for (const struct nvmf_qpair *qp = c->qpairs; qp != NULL; qp = qp->ctrlr_next) {
		nvmf_totals_add(t, qp);
		for (unsigned int i = 0; i < 2; i++)
			strake_hist_merge(&p->ctrlr.latency[i], &qp->latency[i]);
		p->ctrlr.under_way += qp->qid != 0 ? qp->inflight : 0; /* event requests are no work */
	}
}

static int
picture_ctrlr(void *arg)
{
	struct picture *p = arg;

	if (nvmf_target == NULL)
		return -ENOENT;
	for (const struct nvmf_subsystem *sub = nvmf_target->subsystems; sub != NULL; sub = sub->next)
		for (const struct nvmf_ctrlr *c = sub->ctrlrs; c != NULL; c = c->next)
			if (c->id == p->id) {
				picture_one(p, c);
				return 0;
			}
	return -ENOENT;
}

static int
take(struct picture **out, const char *params, int (*fn)(void *))
{
	struct picture *p = calloc(1, sizeof(*p));
	int ret;

	if (p == NULL)
		return -ENOMEM;
	ret = strake_tel_page(params, &p->first, &p->count);
	if (ret == 0) {
		p->count = RTE_MIN(p->count, (unsigned int)LIST_MAX);
		p->id = p->first;
		ret = strake_msg_call(STRAKE_LCORE_MAIN, fn, p);
	}
	if (ret >= 0) {
		*out = p;
		return 0;
	}
	free(p);
	return ret;
}

static int
list_subsystems(const char *cmd, const char *params, struct rte_tel_data *d)
{
	struct picture *p;
	int ret = take(&p, params, picture_subsystems);

	if (ret < 0)
		return ret;
	rte_tel_data_start_array(d, RTE_TEL_STRING_VAL);
	for (unsigned int i = 0; i < p->n; i++)
		rte_tel_data_add_array_string(d, p->nqn[i]);
	free(p);
	return 0;
}

static int
list_ctrlrs(const char *cmd, const char *params, struct rte_tel_data *d)
{
	struct picture *p;
	int ret = take(&p, params, picture_ctrlrs);

	if (ret < 0)
		return ret;
	rte_tel_data_start_array(d, RTE_TEL_U64_VAL);
	for (unsigned int i = 0; i < p->n; i++)
		rte_tel_data_add_array_u64(d, p->ids[i]);
	free(p);
	return 0;
}

static int
list_classes(const char *cmd, const char *params, struct rte_tel_data *d)
{
	struct picture *p;
	int ret = take(&p, params, picture_classes);

	if (ret < 0)
		return ret;
	rte_tel_data_start_array(d, RTE_TEL_U64_VAL);
	for (unsigned int i = 0; i < p->n; i++)
		rte_tel_data_add_array_u64(d, p->ids[i]);
	free(p);
	return 0;
}

static void
door_dict(const struct picture *p, struct rte_tel_data *d)
{
	const struct strake_qos_class *asked = p->cls.asked;

	rte_tel_data_add_dict_u64(d, "weight", asked->weight);
	rte_tel_data_add_dict_u64(d, "limit_iops", asked->iops);
	rte_tel_data_add_dict_u64(d, "limit_bytes_per_second", asked->bps);
	rte_tel_data_add_dict_u64(d, "burst_ms", asked->burst_ns / STRAKE_NS_PER_MS);
	rte_tel_data_add_dict_u64(d, "admitted", p->cls.door.admitted);
	rte_tel_data_add_dict_u64(d, "waited", p->cls.door.waited);
	rte_tel_data_add_dict_u64(d, "waiting", p->cls.door.waiting);
	rte_tel_data_add_dict_u64(d, "cancelled", p->cls.door.cancelled);
	strake_hist_tel(&p->cls.door.wait, d, "wait_ns");
}

static int
info_class(const char *cmd, const char *params, struct rte_tel_data *d)
{
	struct picture *p;
	int ret;

	if (params == NULL || *params == '\0')
		return -EINVAL;
	ret = take(&p, params, picture_class);
	if (ret < 0)
		return ret;
	rte_tel_data_start_dict(d);
	rte_tel_data_add_dict_u64(d, "class", p->id);
	rte_tel_data_add_dict_u64(d, "requests", p->cls.sum.requests);
	rte_tel_data_add_dict_u64(d, "under_way",
				  p->cls.sum.requests - RTE_MIN(p->cls.sum.requests, p->cls.sum.latency.count));
	rte_tel_data_add_dict_u64(d, "bytes", p->cls.sum.bytes);
	rte_tel_data_add_dict_u64(d, "errors", p->cls.sum.errors);
	strake_hist_tel(&p->cls.sum.latency, d, "latency_ns");
	if (p->cls.asked != NULL)
		door_dict(p, d);
	free(p);
	return 0;
}

static int
info_ctrlr(const char *cmd, const char *params, struct rte_tel_data *d)
{
	struct picture *p;
	int ret;

	if (params == NULL || *params == '\0')
		return -EINVAL;
	ret = take(&p, params, picture_ctrlr);
	if (ret < 0)
		return ret;
	rte_tel_data_start_dict(d);
	rte_tel_data_add_dict_string(d, "subsystem", p->ctrlr.subnqn);
	rte_tel_data_add_dict_string(d, "host", p->ctrlr.hostnqn);
	rte_tel_data_add_dict_string(d, "peer", p->ctrlr.peer);
	rte_tel_data_add_dict_u64(d, "cntlid", p->ctrlr.cntlid);
	rte_tel_data_add_dict_u64(d, "queue_pairs", p->ctrlr.queues);
	rte_tel_data_add_dict_u64(d, "kato_ms", p->ctrlr.kato);
	rte_tel_data_add_dict_u64(d, "csts", p->ctrlr.csts);
	rte_tel_data_add_dict_u64(d, "dying", p->ctrlr.dying);
	rte_tel_data_add_dict_u64(d, "async_requests", p->ctrlr.aers);
	rte_tel_data_add_dict_u64(d, "error_log_entries", p->ctrlr.errors_logged);
	rte_tel_data_add_dict_u64(d, "keep_alive_expired_all", p->ctrlr.keep_alive_expired);
	rte_tel_data_add_dict_u64(d, "under_way", p->ctrlr.under_way);
	rte_tel_data_add_dict_u64(d, "commands", p->ctrlr.totals.cmds);
	rte_tel_data_add_dict_u64(d, "errors", p->ctrlr.totals.errors);
	rte_tel_data_add_dict_u64(d, "reads", p->ctrlr.totals.reads);
	rte_tel_data_add_dict_u64(d, "writes", p->ctrlr.totals.writes);
	rte_tel_data_add_dict_u64(d, "bytes_in", p->ctrlr.totals.bytes_in);
	rte_tel_data_add_dict_u64(d, "bytes_out", p->ctrlr.totals.bytes_out);
	strake_hist_tel(&p->ctrlr.latency[0], d, "read_latency_ns");
	strake_hist_tel(&p->ctrlr.latency[1], d, "write_latency_ns");
	free(p);
	return 0;
}

void
nvmf_telemetry_init(void)
{
	strake_tel_register("/strake/subsystem/list", list_subsystems,
			    "NQNs of the subsystems. Parameters: first,count");
	strake_tel_register_on_main("/strake/listener/list", list_listeners,
				    "Where hosts come in. Parameters: first,count");
	strake_tel_register_on_main("/strake/listener/info", info_listener, "One listener. Parameters: ADDRESS:PORT");
	strake_tel_register("/strake/controller/list", list_ctrlrs, "Ids of the controllers. Parameters: first,count");
	strake_tel_register("/strake/class/list", list_classes,
			    "Classes of service that requests can be of; none without rules. Parameters: first,count");
	strake_tel_register("/strake/class/info", info_class,
			    "Requests, bytes, errors and latency of a class of service. Parameter: its number");
	strake_tel_register("/strake/controller/info", info_ctrlr, "One controller. Parameters: id");
}
