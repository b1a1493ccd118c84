/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "serve.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_log.h>

#include "group.h"
#include "log_group.h"
#include "nvme_tcp.h"
#include "nvmf.h"
#include "plan.h"
#include "port.h"
#include "port_access.h"
#include "sock.h"
#include "store_log.h"
#include "strake_chain.h"
#include "strake_drive.h"
#include "tcp.h"
#include "volume.h"

RTE_LOG_REGISTER(serve_log, strake.serve, INFO)

#define DRAIN_SECONDS	10
#define CONNS_PER_LCORE 2048

/* --- lcores --------------------------------------------------------------------------------------------------------
 */

/* Classes of service as the pipeline takes them. @return how many. */
static unsigned int
fill_classes(struct strake_qos_class classes[UINT8_MAX + 1], const struct conf *conf)
{
	for (unsigned int i = 0; i < conf->n_services; i++) {
		const struct conf_service *s = &conf->services[i];

		classes[i] = (struct strake_qos_class){
			.cls = (uint8_t)s->cls,
			.weight = s->weight,
			.iops = s->iops,
			.bps = s->bandwidth,
			.burst_ns = s->burst_ms * STRAKE_NS_PER_MS,
		};
	}
	return conf->n_services;
}

static int
pools_up(const struct conf *conf)
{
	const struct conf_appliance *c = &conf->appliance;
	struct strake_qos_class classes[UINT8_MAX + 1];
	struct strake_qos_conf qos = {classes, fill_classes(classes, conf), c->under_way};
	struct strake_buf_conf bufs = {
		.descriptors = c->requests * 8,
		.arena_bytes = c->buffers,
		.socket = SOCKET_ID_ANY,
	};
	struct strake_pipeline_conf pipe = {
		.reqs = c->requests,
		.chunks = c->requests,
		.reserve = 256,
		.socket = SOCKET_ID_ANY,
		.qos = &qos,
	};
	int ret = strake_buf_init(&bufs);

	if (ret < 0)
		return ret;
	ret = strake_pipeline_init(&pipe);
	if (ret < 0)
		strake_buf_fini();
	return ret;
}

static void
lcores_destroy(void)
{
	for (uint16_t i = STRAKE_LCORE_MAX; i-- > 0;)
		strake_lcore_destroy(i);
}

int
serve_lcores_up(struct appliance *a)
{
	const struct conf_appliance *c = &a->conf->appliance;
	int ret;

	a->n_data = c->n_data_cpus;
	for (uint16_t i = 0; i <= a->n_data; i++) {
		struct strake_lcore_conf conf = {
			/* Main waits for control work; a spinning one would only take a core away. */
			.idle = i > 0 && c->idle == CONF_IDLE_SPIN ? STRAKE_IDLE_SPIN : STRAKE_IDLE_ADAPTIVE,
			.socket = (int)rte_lcore_to_socket_id(i),
		};

		ret = strake_lcore_create(i, &conf);
		if (ret < 0)
			goto err;
	}
	strake_lcore_enter(STRAKE_LCORE_MAIN);
	strake_lcore_turn(strake_clock_ns()); /* from now on main knows the time: boot's own I/O is measured */
	ret = pools_up(a->conf);
	if (ret < 0)
		goto err;
	ret = strake_pipeline_lcore_init();
	if (ret == 0)
		return 0;
err:
	lcores_destroy();
	if (ret == -ENOMEM)
		snprintf(a->err, sizeof(a->err), "`memory` is too small for %u requests and `buffers`", c->requests);
	return ret;
}

void
serve_lcores_down(struct appliance *a)
{
	(void)a;
	strake_pipeline_lcore_fini();
	strake_pipeline_fini();
	strake_buf_fini();
	lcores_destroy();
}

/* --- ports and target, main's part ---------------------------------------------------------------------------------
 */

static bool
wants_kernel(const struct conf *conf)
{
	for (unsigned int i = 0; i < conf->n_listeners; i++) {
		if (conf->listeners[i].port == NULL)
			return true;
	}
	return false;
}

static int
ports_up(struct appliance *a)
{
	for (unsigned int i = 0; i < a->conf->n_ports; i++) {
		int ret = port_open(&a->ports[i], &a->conf->ports[i], a->n_data, a->err, sizeof(a->err));

		if (ret == 0)
			ret = port_access_create(&a->access[i], &a->conf->ports[i], a->err, sizeof(a->err));
		if (ret < 0)
			return ret;
	}
	return 0;
}

static void
ports_down(struct appliance *a)
{
	for (unsigned int i = 0; i < a->conf->n_ports; i++) {
		if (a->ports[i] != NULL)
			port_close(a->ports[i]);
		port_access_destroy(a->access[i]);
	}
}

int
serve_fronts_up(struct appliance *a)
{
	unsigned int n = a->conf->n_ports + 1;
	int ret = -ENOMEM;

	a->ports = calloc(n, sizeof(*a->ports));
	a->access = calloc(n, sizeof(*a->access));
	a->carriers = calloc(n, sizeof(*a->carriers));
	a->tcps = calloc((size_t)n * STRAKE_LCORE_MAX, sizeof(*a->tcps));
	if (a->ports == NULL || a->access == NULL || a->carriers == NULL || a->tcps == NULL)
		goto err;
	ret = ports_up(a);
	if (ret < 0)
		goto err;
	ret = nvmf_create(a->conf, a->err, sizeof(a->err));
	if (ret < 0)
		goto err;
	ret = nvme_tcp_init(NULL);
	if (ret < 0)
		goto err_nvmf;
	if (!wants_kernel(a->conf))
		return 0;
	a->carriers[a->conf->n_ports] = sock_carrier_create(a->conf->appliance.congestion);
	if (a->carriers[a->conf->n_ports] != NULL)
		return 0;
	ret = -ENOMEM;
	nvme_tcp_fini();
err_nvmf:
	nvmf_destroy();
err:
	if (a->ports != NULL && a->access != NULL)
		ports_down(a);
	free(a->ports);
	free(a->access);
	free(a->carriers);
	free(a->tcps);
	return ret;
}

void
serve_fronts_down(struct appliance *a)
{
	if (a->carriers[a->conf->n_ports] != NULL)
		sock_carrier_destroy(a->carriers[a->conf->n_ports]);
	nvme_tcp_fini();
	nvmf_destroy();
	ports_down(a);
	free(a->ports);
	free(a->access);
	free(a->carriers);
	free(a->tcps);
}

/* --- the data lcores' part -----------------------------------------------------------------------------------------
 */

static int
tcp_up(struct appliance *a, unsigned int p)
{
	struct tcp_conf conf = {
		.conns = CONNS_PER_LCORE,
		.congestion = a->conf->ports[p].congestion,
	};
	struct port_if *ifp = port_lcore_init(a->ports[p]);

	if (ifp == NULL)
		return -ENOMEM;
	if (a->access[p] != NULL) {
		conf.admit = port_access_admit;
		conf.admit_arg = a->access[p];
	}
	if (getrandom(&conf.seed, sizeof(conf.seed), 0) != sizeof(conf.seed))
		return -EIO;
	return tcp_lcore_create(&a->tcps[p * STRAKE_LCORE_MAX + strake_self_index()], &conf, ifp);
}

/* Undo what data_init() came to on this lcore, which may be a part of it. */
static void
data_undo(struct appliance *a)
{
	struct strake_carrier *kernel = a->carriers[a->conf->n_ports];

	for (unsigned int i = 0; i < a->conf->n_volumes; i++) {
		if (a->volumes[i] == NULL)
			continue;
		if (plan_volume_is_log(&a->conf->volumes[i]))
			log_lcore_fini(a->volumes[i]);
		else
			plain_lcore_fini(a->volumes[i]);
	}
	for (unsigned int i = 0; strake_stage_instance(i) != NULL; i++)
		strake_stage_lcore_fini(strake_stage_instance(i));
	for (unsigned int i = 0; i < a->conf->n_groups; i++) {
		if (a->groups[i] != NULL)
			group_lcore_fini(a->groups[i]);
	}
	for (unsigned int i = 0; i < a->conf->n_drives && !plan_stores_owner(a, strake_self_index()); i++) {
		if (a->drives[i] != NULL)
			strake_drive_lcore_fini(a->drives[i]);
	}
	nvme_tcp_lcore_fini();
	nvmf_lcore_fini();
	if (kernel != NULL)
		sock_lcore_fini(kernel);
	for (unsigned int i = 0; i < a->conf->n_ports; i++) {
		struct tcp *tcp = a->tcps[i * STRAKE_LCORE_MAX + strake_self_index()];

		a->tcps[i * STRAKE_LCORE_MAX + strake_self_index()] = NULL; /* telemetry may still ask */
		if (tcp != NULL)
			tcp_lcore_destroy(tcp);
		port_lcore_fini(a->ports[i]);
	}
}

/* The order of the pollers is the way of a request: what a port received in a turn can leave in the same turn. */
static int
data_init(void *arg)
{
	struct appliance *a = arg;
	struct strake_carrier *kernel = a->carriers[a->conf->n_ports];
	bool ready = plan_stores_owner(a, strake_self_index());
	int ret = 0;

	for (unsigned int i = 0; ret == 0 && i < a->conf->n_ports; i++)
		ret = tcp_up(a, i);
	if (ret == 0 && kernel != NULL)
		ret = sock_lcore_init(kernel);
	if (ret == 0)
		ret = nvmf_lcore_init();
	if (ret == 0)
		ret = nvme_tcp_lcore_init();
	for (unsigned int i = 0; ret == 0 && !ready && i < a->conf->n_drives; i++)
		ret = a->drives[i] != NULL ? strake_drive_lcore_init(a->drives[i]) : 0;
	for (unsigned int i = 0; ret == 0 && i < a->conf->n_groups; i++)
		ret = a->groups[i] != NULL ? group_lcore_init(a->groups[i]) : 0;
	for (unsigned int i = 0; ret == 0 && strake_stage_instance(i) != NULL; i++)
		ret = strake_stage_lcore_init(strake_stage_instance(i));
	for (unsigned int i = 0; ret == 0 && i < a->conf->n_volumes; i++) {
		if (a->volumes[i] != NULL)
			ret = plan_volume_is_log(&a->conf->volumes[i]) ? log_lcore_init(a->volumes[i])
								       : plain_lcore_init(a->volumes[i]);
	}
	if (ret == 0)
		ret = strake_pipeline_lcore_init();
	if (ret < 0)
		data_undo(a);
	return ret;
}

static int
data_fini(void *arg)
{
	strake_pipeline_lcore_fini();
	data_undo(arg);
	return 0;
}

static int
data_run(void *arg)
{
	(void)arg;
	strake_lcore_enter((uint16_t)rte_lcore_id());
	strake_lcore_run();
	return 0;
}

int
serve_loops_up(struct appliance *a)
{
	for (uint16_t i = 1; i <= a->n_data; i++)
		rte_eal_remote_launch(data_run, a, i);
	return 0;
}

void
serve_loops_down(struct appliance *a)
{
	for (uint16_t i = 1; i <= a->n_data; i++) {
		strake_lcore_stop(i);
		rte_eal_wait_lcore(i);
	}
}

static int
carriers_up(struct appliance *a)
{
	for (unsigned int i = 0; i < a->conf->n_ports; i++) {
		a->carriers[i] = tcp_carrier_create(&a->tcps[i * STRAKE_LCORE_MAX], strake_lcore_count());
		if (a->carriers[i] == NULL)
			return -ENOMEM;
	}
	return 0;
}

static void
carriers_down(struct appliance *a)
{
	for (unsigned int i = 0; i < a->conf->n_ports; i++)
		tcp_carrier_destroy(a->carriers[i]);
}

int
serve_data_up(struct appliance *a)
{
	uint16_t ready = 0;
	int ret = 0;

	while (ret == 0 && ready < a->n_data) {
		ret = strake_msg_call(ready + 1, data_init, a);
		if (ret < 0)
			snprintf(a->err, sizeof(a->err), "data lcore %u: %s", ready + 1, strerror(-ret));
		else
			ready++;
	}
	if (ret == 0)
		ret = carriers_up(a);
	if (ret == 0)
		return 0;
	carriers_down(a);
	for (uint16_t i = 1; i <= ready; i++)
		strake_msg_call(i, data_fini, a);
	return ret;
}

void
serve_data_down(struct appliance *a)
{
	carriers_down(a);
	for (uint16_t i = 1; i <= a->n_data; i++)
		strake_msg_call(i, data_fini, a);
}

/* --- listening -----------------------------------------------------------------------------------------------------
 */

int
serve_listeners_up(struct appliance *a)
{
	static const enum nvme_ana_state anas[] = {[CONF_ANA_OPTIMIZED] = NVME_ANA_OPTIMIZED,
						   [CONF_ANA_NON_OPTIMIZED] = NVME_ANA_NON_OPTIMIZED,
						   [CONF_ANA_INACCESSIBLE] = NVME_ANA_INACCESSIBLE};

	for (unsigned int i = 0; i < a->conf->n_listeners; i++) {
		const struct conf_listener *l = &a->conf->listeners[i];
		size_t at = l->port != NULL ? (size_t)(l->port - a->conf->ports) : a->conf->n_ports;
		int ret = nvme_tcp_listen(a->carriers[at], l->address, (uint16_t)l->service);

		if (ret < 0) {
			snprintf(a->err, sizeof(a->err), "%s:%u: cannot listen on %s port %u: %s", a->conf->file,
				 l->line, l->address, l->service, strerror(-ret));
			return ret;
		}
		nvmf_ana_set(l->address, (uint16_t)l->service, anas[l->ana]);
		rte_log(RTE_LOG_INFO, serve_log, "NVMe/TCP on %s port %u (%s)\n", l->address, l->service,
			l->port != NULL ? l->port->name : "kernel");
	}
	if (a->conf->n_listeners > 0)
		rte_log(RTE_LOG_WARNING, serve_log,
			"hosts are not authenticated: an NQN is only a claim, so trust everyone on these networks\n");
	return 0;
}

static void
unlisten(struct appliance *a)
{
	for (unsigned int i = 0; i < a->conf->n_listeners; i++) {
		const struct conf_listener *l = &a->conf->listeners[i];
		size_t at = l->port != NULL ? (size_t)(l->port - a->conf->ports) : a->conf->n_ports;

		nvme_tcp_unlisten(a->carriers[at], l->address, (uint16_t)l->service);
	}
}

static int
drain_lcore(void *arg)
{
	(void)arg;
	/* Both are asked each time: each does a part of its work in the asking. */
	bool stages = strake_pipeline_lcore_drain();
	bool conns = nvme_tcp_lcore_drain();

	return stages && conns ? 1 : 0;
}

static bool
lcores_drained(const struct appliance *a)
{
	bool all = true;

	for (uint16_t i = 1; i <= a->n_data; i++)
		all = strake_msg_call(i, drain_lcore, NULL) == 1 && all;
	return all;
}

static int
abort_streams(void *arg)
{
	struct appliance *a = arg;

	for (unsigned int i = 0; i < a->conf->n_ports; i++)
		tcp_lcore_abort_all(a->tcps[i * STRAKE_LCORE_MAX + strake_self_index()]);
	return 0;
}

/* Orderly: hosts are told and their queue pairs ended; what drives have begun finishes; then nothing is under way. */
void
serve_listeners_down(struct appliance *a)
{
	uint64_t until = strake_clock_ns() + DRAIN_SECONDS * STRAKE_NS_PER_SEC;
	bool quiet = false;

	unlisten(a);
	while (!quiet && strake_clock_ns() < until) {
		strake_lcore_turn(strake_clock_ns());
		quiet = nvmf_drain() && lcores_drained(a) && strake_pipeline_inflight() == 0;
		if (!quiet)
			usleep(500);
	}
	if (!quiet)
		rte_log(RTE_LOG_WARNING, serve_log, "%" PRIu64 " requests were still under way after %d s\n",
			strake_pipeline_inflight(), DRAIN_SECONDS);
	for (uint16_t i = 1; i <= a->n_data; i++)
		strake_msg_call(i, abort_streams, a);
}
