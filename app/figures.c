/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "figures.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_common.h>
#include <rte_cycles.h>

#include "strake_account.h"
#include "strake_buf.h"
#include "strake_chain.h"
#include "strake_drive.h"
#include "strake_drive_error.h"
#include "strake_telemetry.h"
#include "strake_trace.h"
#include "tcp.h"

static struct appliance *app;
static uint64_t started;

/* --- the whole -----------------------------------------------------------------------------------------------------
 */

static void
add_pools(struct rte_tel_data *d)
{
	static const char *const size[] = {"4k", "16k", "64k", "128k"};
	struct strake_buf_usage use;
	char key[32];

	strake_buf_usage(&use);
	rte_tel_data_add_dict_u64(d, "bufs", use.descriptors);
	rte_tel_data_add_dict_u64(d, "bufs_free", use.descriptors_free);
	for (unsigned int i = 0; i < RTE_DIM(size); i++) {
		snprintf(key, sizeof(key), "pages_%s", size[i]);
		rte_tel_data_add_dict_u64(d, key, use.pages[i]);
		snprintf(key, sizeof(key), "pages_%s_free", size[i]);
		rte_tel_data_add_dict_u64(d, key, use.pages_free[i]);
	}
}

static int
status(const char *cmd, const char *params, struct rte_tel_data *d)
{
	RTE_SET_USED(cmd);
	RTE_SET_USED(params);
	rte_tel_data_start_dict(d);
	rte_tel_data_add_dict_string(d, "name", app->conf->appliance.name);
	rte_tel_data_add_dict_string(d, "version", STRAKE_VERSION);
	rte_tel_data_add_dict_u64(d, "pid", (uint64_t)getpid());
	rte_tel_data_add_dict_u64(d, "uptime_s", (strake_clock_ns() - started) / STRAKE_NS_PER_SEC);
	rte_tel_data_add_dict_u64(d, "data_lcores", app->n_data);
	rte_tel_data_add_dict_u64(d, "volumes", app->conf->n_volumes);
	rte_tel_data_add_dict_u64(d, "drives", app->conf->n_drives);
	rte_tel_data_add_dict_u64(d, "groups", app->conf->n_groups);
	rte_tel_data_add_dict_u64(d, "ports", app->conf->n_ports);
	rte_tel_data_add_dict_u64(d, "inflight", strake_pipeline_inflight());
	rte_tel_data_add_dict_u64(d, "tsc_hz", rte_get_tsc_hz());
	rte_tel_data_add_dict_string(d, "control", app->conf->appliance.control);
	add_pools(d);
	return 0;
}

static int
lcore_list(const char *cmd, const char *params, struct rte_tel_data *d)
{
	RTE_SET_USED(cmd);
	RTE_SET_USED(params);
	rte_tel_data_start_dict(d);
	for (uint16_t i = 0; i < strake_lcore_count(); i++) {
		const struct strake_lcore *lc = strake_lcore_at(i);
		struct rte_tel_data *one = rte_tel_data_alloc();
		char key[16];

		if (one == NULL)
			return -ENOMEM;
		rte_tel_data_start_dict(one);
		rte_tel_data_add_dict_string(one, "role", i == STRAKE_LCORE_MAIN ? "main" : "data");
		rte_tel_data_add_dict_u64(one, "turns", lc->turns);
		rte_tel_data_add_dict_u64(one, "worked", lc->worked);
		rte_tel_data_add_dict_u64(one, "slept", lc->slept);
		rte_tel_data_add_dict_u64(one, "busy_cycles", lc->busy_cycles);
		rte_tel_data_add_dict_u64(one, "idle_cycles", lc->idle_cycles);
		snprintf(key, sizeof(key), "%u", i);
		rte_tel_data_add_dict_container(d, key, one, 0);
	}
	return 0;
}

struct poller_walk {
	struct rte_tel_data *d;
	unsigned int n;
};

static void
poller_add(const struct strake_poller *p, void *arg)
{
	struct poller_walk *walk = arg;
	struct rte_tel_data *one = rte_tel_data_alloc();
	char key[64];

	if (one == NULL)
		return;
	rte_tel_data_start_dict(one);
	rte_tel_data_add_dict_u64(one, "calls", p->calls);
	rte_tel_data_add_dict_u64(one, "work", p->work);
	rte_tel_data_add_dict_u64(one, "cycles", p->cycles);
	snprintf(key, sizeof(key), "%u_%s", walk->n++, p->name);
	rte_tel_data_add_dict_container(walk->d, key, one, 0);
}

static int
poller_walk_here(void *arg)
{
	strake_poller_walk(poller_add, arg);
	return 0;
}

static int
lcore_pollers(const char *cmd, const char *params, struct rte_tel_data *d)
{
	struct poller_walk walk = {d, 0};
	unsigned int index;

	RTE_SET_USED(cmd);
	if (params == NULL || sscanf(params, "%u", &index) != 1 || index >= strake_lcore_count())
		return -EINVAL;
	rte_tel_data_start_dict(d);
	return strake_msg_call((uint16_t)index, poller_walk_here, &walk);
}

/* Steps in the order of the way through the appliance; all of them, also those nobody was in. */
static int
lcore_steps(const char *params, struct rte_tel_data *d)
{
	const struct strake_account *a;
	const struct strake_step *step;
	unsigned int index;

	if (sscanf(params, "%u", &index) != 1 || index >= strake_lcore_count())
		return -EINVAL;
	a = strake_account_of((uint16_t)index);
	rte_tel_data_start_dict(d);
	rte_tel_data_add_dict_int(d, "on", strake_account_on());
	rte_tel_data_add_dict_u64(d, "turns", a->turns);
	rte_tel_data_add_dict_u64(d, "switches", a->switches);
	for (unsigned int i = 0; (step = strake_account_step(i)) != NULL; i++) {
		struct rte_tel_data *one = rte_tel_data_alloc();
		char key[16];

		if (one == NULL)
			return -ENOMEM;
		rte_tel_data_start_dict(one);
		rte_tel_data_add_dict_string(one, "name", step->name);
		rte_tel_data_add_dict_u64(one, "cycles", a->sum[step->id]);
		snprintf(key, sizeof(key), "step_%02u", i);
		rte_tel_data_add_dict_container(d, key, one, 0);
	}
	return 0;
}

/* --- TCP -----------------------------------------------------------------------------------------------------------
 */

#define TCP_COUNTERS (sizeof(struct tcp_counters) / sizeof(uint64_t))

struct tcp_sum {
	unsigned int port;
	uint64_t counters[TCP_COUNTERS], conns, half_open, pinned;
};

static int
tcp_add_here(void *arg)
{
	struct tcp_sum *sum = arg;
	const struct tcp *tcp = app->tcps[sum->port * STRAKE_LCORE_MAX + strake_self_index()];
	struct tcp_usage use;

	if (tcp == NULL)
		return 0;
	tcp_lcore_usage(tcp, &use);
	for (unsigned int i = 0; i < TCP_COUNTERS; i++)
		sum->counters[i] += ((const uint64_t *)tcp_lcore_counters(tcp))[i];
	sum->conns += use.conns;
	sum->half_open += use.half_open;
	sum->pinned += use.pinned;
	return 0;
}

/* Each lcore adds its own. */
static int
tcp_info(const char *cmd, const char *params, struct rte_tel_data *d)
{
	struct tcp_sum sum = {.port = 0};
	unsigned int port = 0;
	const char *name;
	int ret = 0;

	RTE_SET_USED(cmd);
	while (params != NULL && port < app->conf->n_ports && strcmp(app->conf->ports[port].name, params) != 0)
		port++;
	if (params == NULL || port == app->conf->n_ports)
		return -EINVAL;
	sum.port = port;
	for (uint16_t i = 1; ret == 0 && i <= app->n_data; i++)
		ret = strake_msg_call(i, tcp_add_here, &sum);
	if (ret < 0)
		return ret;
	rte_tel_data_start_dict(d);
	rte_tel_data_add_dict_u64(d, "conns", sum.conns);
	rte_tel_data_add_dict_u64(d, "half_open", sum.half_open);
	rte_tel_data_add_dict_u64(d, "pinned_bytes", sum.pinned);
	for (unsigned int i = 0; (name = tcp_counter_name(i, NULL)) != NULL; i++)
		rte_tel_data_add_dict_u64(d, name, sum.counters[i]);
	return 0;
}

/* --- stages --------------------------------------------------------------------------------------------------------
 */

static int
stage_list(const char *params, struct rte_tel_data *d)
{
	unsigned int first, count;

	if (strake_tel_page(params, &first, &count) < 0)
		return -EINVAL;
	rte_tel_data_start_array(d, RTE_TEL_STRING_VAL);
	for (unsigned int i = first; i < first + count && strake_stage_instance(i) != NULL; i++)
		rte_tel_data_add_array_string(d, strake_stage_instance(i)->name);
	return 0;
}

static struct strake_stage *
stage_named(const char *name)
{
	for (unsigned int i = 0; name != NULL && strake_stage_instance(i) != NULL; i++) {
		if (strcmp(strake_stage_instance(i)->name, name) == 0)
			return strake_stage_instance(i);
	}
	return NULL;
}

static int
stage_info(const char *params, struct rte_tel_data *d)
{
	struct strake_stage *st = stage_named(params);
	struct strake_stage_stats sum = {0};

	if (st == NULL)
		return -ENOENT;
	for (unsigned int l = 0; l < strake_lcore_count(); l++) {
		sum.down += st->stats[l].down;
		sum.up += st->stats[l].up;
		sum.bytes += st->stats[l].bytes;
		sum.errors += st->stats[l].errors;
		sum.held += st->stats[l].held;
		sum.retry += st->stats[l].retry;
		sum.cycles += st->stats[l].cycles;
	}
	rte_tel_data_start_dict(d);
	rte_tel_data_add_dict_string(d, "name", st->name);
	rte_tel_data_add_dict_string(d, "kind", st->ops->name);
	rte_tel_data_add_dict_int(d, "lcore", st->lcore);
	rte_tel_data_add_dict_u64(d, "down", sum.down);
	rte_tel_data_add_dict_u64(d, "up", sum.up);
	rte_tel_data_add_dict_u64(d, "bytes", sum.bytes);
	rte_tel_data_add_dict_u64(d, "errors", sum.errors);
	rte_tel_data_add_dict_u64(d, "held", sum.held);
	rte_tel_data_add_dict_u64(d, "retry", sum.retry);
	rte_tel_data_add_dict_u64(d, "cycles", sum.cycles);
	if (st->ops->telemetry != NULL)
		st->ops->telemetry(st, d);
	return 0;
}

/* --- drives --------------------------------------------------------------------------------------------------------
 */

static int
drive_list(const char *params, struct rte_tel_data *d)
{
	unsigned int first, count;

	if (strake_tel_page(params, &first, &count) < 0)
		return -EINVAL;
	rte_tel_data_start_array(d, RTE_TEL_STRING_VAL);
	for (unsigned int i = first; i < first + count && strake_drive_nth(i) != NULL; i++)
		rte_tel_data_add_array_string(d, strake_drive_nth(i)->name);
	return 0;
}

static void
drive_sum(const struct strake_drive *drive, struct strake_drive_stats *sum)
{
	for (unsigned int l = 0; l < strake_lcore_count(); l++) {
		const struct strake_drive_stats *s = drive->stats[l];

		if (s == NULL)
			continue;
		for (unsigned int op = 0; op < STRAKE_IO_OPS; op++) {
			sum->ops[op] += s->ops[op];
			sum->bytes[op] += s->bytes[op];
			sum->errors[op] += s->errors[op];
		}
		sum->inflight += s->inflight;
		sum->bytes_gathered += s->bytes_gathered;
		sum->full += s->full;
		strake_hist_merge(&sum->latency[0], &s->latency[0]);
		strake_hist_merge(&sum->latency[1], &s->latency[1]);
	}
}

static int
drive_info(const char *params, struct rte_tel_data *d)
{
	static const char *const op_name[STRAKE_IO_OPS] = {"read", "write", "flush", "write_zeroes", "deallocate"};
	struct strake_drive_stats sum = {.inflight = 0};
	struct strake_drive *drive = NULL;
	char key[32], error[STRAKE_DRIVE_ERROR_MAX];

	for (unsigned int i = 0; (drive = strake_drive_nth(i)) != NULL; i++) {
		if (strcmp(drive->name, params) == 0)
			break;
	}
	if (drive == NULL)
		return -ENOENT;
	drive_sum(drive, &sum);
	rte_tel_data_start_dict(d);
	rte_tel_data_add_dict_string(d, "name", drive->name);
	rte_tel_data_add_dict_string(d, "kind", drive->ops->name);
	rte_tel_data_add_dict_string(d, "serial", drive->serial);
	rte_tel_data_add_dict_u64(d, "bytes", drive->bytes);
	rte_tel_data_add_dict_u64(d, "block_size", drive->block_size);
	rte_tel_data_add_dict_int(d, "volatile_cache", drive->volatile_cache);
	rte_tel_data_add_dict_int(d, "failed", drive->failed);
	for (unsigned int op = 0; op < STRAKE_IO_OPS; op++) {
		snprintf(key, sizeof(key), "%s_ops", op_name[op]);
		rte_tel_data_add_dict_u64(d, key, sum.ops[op]);
		snprintf(key, sizeof(key), "%s_bytes", op_name[op]);
		rte_tel_data_add_dict_u64(d, key, sum.bytes[op]);
		snprintf(key, sizeof(key), "%s_errors", op_name[op]);
		rte_tel_data_add_dict_u64(d, key, sum.errors[op]);
	}
	rte_tel_data_add_dict_string(d, "last_error", strake_drive_error(drive, error));
	rte_tel_data_add_dict_u64(d, "inflight", sum.inflight);
	rte_tel_data_add_dict_u64(d, "bytes_gathered", sum.bytes_gathered);
	rte_tel_data_add_dict_u64(d, "full", sum.full);
	strake_hist_tel(&sum.latency[0], d, "read_latency");
	strake_hist_tel(&sum.latency[1], d, "write_latency");
	if (drive->ops->telemetry != NULL)
		drive->ops->telemetry(drive, d);
	return 0;
}

/* --- trace ---------------------------------------------------------------------------------------------------------
 */

static int
trace(const char *cmd, const char *params, struct rte_tel_data *d)
{
	static const char *const event[] = {"begin", "down", "held", "retry", "turn", "up", "ring", "end"};
	static struct strake_trace_record rec[RTE_TEL_MAX_ARRAY_ENTRIES]; /* the telemetry thread is the only caller */
	unsigned int n;

	RTE_SET_USED(cmd);
	RTE_SET_USED(params);
	n = strake_trace_get(rec, RTE_DIM(rec));
	rte_tel_data_start_array(d, RTE_TEL_STRING_VAL);
	for (unsigned int i = 0; i < n; i++) {
		const struct strake_trace_record *r = &rec[i];
		char line[RTE_TEL_MAX_STRING_LEN];

		snprintf(line, sizeof(line), "+%llu ns id %llx lcore %u %s %s %s lba %llu+%u class %u status %d",
			 (unsigned long long)((r->cycles - rec[0].cycles) * 1000000000ULL / rte_get_tsc_hz()),
			 (unsigned long long)r->id, r->lcore, r->kind == STRAKE_UNIT_REQ ? "req" : "chunk",
			 strake_op_name(r->op), event[r->event], (unsigned long long)r->lba, r->nlb, r->cls, r->status);
		if (r->stage[0] != '\0') {
			size_t used = strlen(line);

			snprintf(line + used, sizeof(line) - used, " %s", r->stage);
		}
		rte_tel_data_add_array_string(d, line);
	}
	return 0;
}

int
figures_up(struct appliance *a)
{
	static const struct {
		const char *cmd;
		telemetry_cb fn;
		const char *help;
	} cmds[] = {
		{"/strake/status", status, "The appliance as a whole."},
		{"/strake/lcore/list", lcore_list, "Turns, sleeps and cycles of every lcore."},
		{"/strake/lcore/pollers", lcore_pollers, "Work and cycles of an lcore's pollers. Parameter: index."},
		{"/strake/tcp/info", tcp_info, "Connections and counters of a port's TCP. Parameter: name."},
		{"/strake/trace", trace, "Newest steps of traced requests."},
	};
	/* Main may take a volume's stages away, and close a drive: nobody else looks at them. */
	static const struct {
		const char *cmd;
		strake_tel_fn fn;
		const char *help;
	} on_main[] = {
		{"/strake/lcore/steps", lcore_steps, "Where an lcore's cycles go, if asked to. Parameter: index."},
		{"/strake/stage/list", stage_list, "Names of stages. Parameters: first,count."},
		{"/strake/stage/info", stage_info, "Work of a stage. Parameter: name."},
		{"/strake/drive/list", drive_list, "Names of drives. Parameters: first,count."},
		{"/strake/drive/info", drive_info, "Operations, errors and latency of a drive. Parameter: name."},
	};
	int ret = 0;

	app = a;
	started = strake_clock_ns();
	for (unsigned int i = 0; ret == 0 && i < RTE_DIM(cmds); i++)
		ret = strake_tel_register(cmds[i].cmd, cmds[i].fn, cmds[i].help);
	for (unsigned int i = 0; ret == 0 && i < RTE_DIM(on_main); i++)
		ret = strake_tel_register_on_main(on_main[i].cmd, on_main[i].fn, on_main[i].help);
	if (ret == 0)
		ret = figures_stores_up();
	return ret == 0 ? figures_keys_up(a) : ret;
}
