/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* Checks of the CPUs that lcores run on, and of what lies near them. */

#include <stdlib.h>
#include <string.h>

#include "preflight.h"

static void
cpu_name(char *about, size_t len, unsigned int cpu)
{
	snprintf(about, len, "CPU %u", cpu);
}

/* A list of the kernel's that may be missing. */
static bool
read_set(const struct preflight_src *src, struct preflight_cpus *set, const char *path)
{
	char text[4096];
	bool there = preflight_read(src, text, sizeof(text), "%s", path);

	preflight_cpus_parse(set, text);
	return there;
}

/* --- cores ---------------------------------------------------------------------------------------------------------
 */

/* @return false: it cannot be had at all. */
static bool
usable(const struct preflight_src *src, unsigned int cpu, struct preflight_report *r)
{
	struct preflight_cpus online, allowed;
	char about[64], text[4096], mend[64];

	cpu_name(about, sizeof(about), cpu);
	if (read_set(src, &online, "/sys/devices/system/cpu/online") && (cpu >= PREFLIGHT_CPUS || !online.has[cpu])) {
		preflight_read(src, text, sizeof(text), "/sys/devices/system/cpu/online");
		snprintf(mend, sizeof(mend), "name CPUs of %.40s", text);
		preflight_say(r, PREFLIGHT_FAIL, about, mend, "there is no such CPU, or it is offline");
		return false;
	}
	if (preflight_field(src, "/proc/self/status", "Cpus_allowed_list", text, sizeof(text))) {
		preflight_cpus_parse(&allowed, text);
		if (cpu >= PREFLIGHT_CPUS || !allowed.has[cpu]) {
			preflight_say(r, PREFLIGHT_FAIL, about, "taskset -c or the cgroup's cpuset.cpus must hold it",
				      "this process may not run there, only on %s", text);
			return false;
		}
	}
	return true;
}

static void
isolation(const struct preflight_src *src, const struct conf_appliance *c, struct preflight_report *r)
{
	struct preflight_cpus isolated;
	char list[128] = "", mend[200], about[64];
	int at = 0;

	read_set(src, &isolated, "/sys/devices/system/cpu/isolated");
	for (unsigned int i = 0; i < c->n_data_cpus && at < (int)sizeof(list) - 8; i++)
		at += snprintf(list + at, sizeof(list) - (size_t)at, "%s%u", i != 0 ? "," : "", c->data_cpus[i]);
	snprintf(mend, sizeof(mend), "boot with isolcpus=%s nohz_full=%s rcu_nocbs=%s", list, list, list);
	for (unsigned int i = 0; i < c->n_data_cpus; i++) {
		cpu_name(about, sizeof(about), c->data_cpus[i]);
		if (c->data_cpus[i] == c->main_cpu)
			preflight_say(r, PREFLIGHT_WARN, about, "give main_cpu a CPU of its own",
				      "a data lcore shares it with the main lcore");
		else if (c->data_cpus[i] >= PREFLIGHT_CPUS || !isolated.has[c->data_cpus[i]])
			preflight_say(r, PREFLIGHT_WARN, about, mend,
				      "not isolated: other processes take it from its lcore");
		else
			preflight_say(r, PREFLIGHT_PASS, about, NULL, "a data lcore's alone");
	}
}

void
preflight_cores(const struct preflight_src *src, const struct conf *conf, struct preflight_report *r)
{
	bool all = true;

	if (conf == NULL)
		return;
	all = usable(src, conf->appliance.main_cpu, r);
	for (unsigned int i = 0; i < conf->appliance.n_data_cpus; i++)
		all = usable(src, conf->appliance.data_cpus[i], r) && all;
	if (all)
		isolation(src, &conf->appliance, r);
}

/* --- siblings ------------------------------------------------------------------------------------------------------
 */

static void
siblings_of(const struct preflight_src *src, const struct conf_appliance *c, unsigned int i, struct preflight_report *r)
{
	unsigned int cpu = c->data_cpus[i];
	struct preflight_cpus set;
	char about[64], path[96];

	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%u/topology/thread_siblings_list", cpu);
	if (!read_set(src, &set, path))
		return;
	cpu_name(about, sizeof(about), cpu);
	if (c->main_cpu != cpu && c->main_cpu < PREFLIGHT_CPUS && set.has[c->main_cpu])
		preflight_say(r, PREFLIGHT_WARN, about, "take a main_cpu of another core",
			      "one core with CPU %u, the main lcore's: they take turns", c->main_cpu);
	for (unsigned int k = i + 1; k < c->n_data_cpus; k++)
		if (c->data_cpus[k] != cpu && c->data_cpus[k] < PREFLIGHT_CPUS && set.has[c->data_cpus[k]])
			preflight_say(r, PREFLIGHT_WARN, about, "take data_cpus of different cores",
				      "one core with CPU %u, another data lcore's: each gets half", c->data_cpus[k]);
}

void
preflight_siblings(const struct preflight_src *src, const struct conf *conf, struct preflight_report *r)
{
	unsigned int before = r->n;

	if (conf == NULL)
		return;
	for (unsigned int i = 0; i < conf->appliance.n_data_cpus; i++)
		siblings_of(src, &conf->appliance, i, r);
	if (r->n == before)
		preflight_say(r, PREFLIGHT_PASS, "", NULL, "every lcore has a core of its own");
}

/* --- governor ------------------------------------------------------------------------------------------------------
 */

void
preflight_governor(const struct preflight_src *src, const struct conf *conf, struct preflight_report *r)
{
	char governor[32], about[64], mend[96];
	unsigned int before = r->n;

	for (unsigned int i = 0; conf != NULL && i < conf->appliance.n_data_cpus; i++) {
		unsigned int cpu = conf->appliance.data_cpus[i];

		if (!preflight_read(src, governor, sizeof(governor),
				    "/sys/devices/system/cpu/cpu%u/cpufreq/scaling_governor", cpu) ||
		    strcmp(governor, "performance") == 0)
			continue;
		cpu_name(about, sizeof(about), cpu);
		snprintf(mend, sizeof(mend), "cpupower -c %u frequency-set -g performance", cpu);
		preflight_say(r, PREFLIGHT_WARN, about, mend, "%s: a sleeping lcore wakes at a low frequency",
			      governor);
	}
	if (conf != NULL && r->n == before)
		preflight_say(r, PREFLIGHT_PASS, "", NULL, "full frequency");
}

/* --- waking --------------------------------------------------------------------------------------------------------
 */

/* Where a hypervisor runs the CPU, the guest's kernel knows one way to idle, of whose end it knows nothing. */
static bool
halts_unbound(const struct preflight_src *src)
{
	char driver[32];

	return !preflight_read(src, driver, sizeof(driver), "/sys/devices/system/cpu/cpuidle/current_driver") ||
	       strcmp(driver, "none") == 0 || strcmp(driver, "haltpoll") == 0;
}

void
preflight_waking(const struct preflight_src *src, const struct conf *conf, struct preflight_report *r)
{
	if (conf == NULL || conf->appliance.idle == CONF_IDLE_SPIN)
		return;
	if (!preflight_exists(src, "/dev/cpu_dma_latency"))
		preflight_say(r, PREFLIGHT_WARN, "", "boot a kernel with CONFIG_CPU_IDLE",
			      "no /dev/cpu_dma_latency: nobody bounds how long a CPU takes to wake");
	else if (conf->appliance.resume_us > 0 && halts_unbound(src))
		preflight_say(r, PREFLIGHT_WARN, "", "set `resume_us: 0`, which costs power, or `idle: spin`",
			      "a virtual CPU that sleeps halts, and may take longer than %u us to run again",
			      conf->appliance.resume_us);
	else
		preflight_say(r, PREFLIGHT_PASS, "", NULL, "a CPU that sleeps runs again within %u us",
			      conf->appliance.resume_us);
}

/* --- NUMA ----------------------------------------------------------------------------------------------------------
 */

static int
number(const struct preflight_src *src, const char *path)
{
	char text[16];

	return preflight_read(src, text, sizeof(text), "%s", path) ? atoi(text) : -1;
}

static int
drive_node(const struct preflight_src *src, const char *path)
{
	static const char *const places[] = {"/sys/class/block/%s/device/numa_node",
					     "/sys/class/block/%s/device/device/numa_node"};
	const char *name = strrchr(path, '/');
	int node = -1;

	for (unsigned int i = 0; name != NULL && node < 0 && i < 2; i++) {
		char file[160];

		snprintf(file, sizeof(file), i == 0 ? places[0] : places[1], name + 1);
		node = number(src, file);
	}
	return node;
}

static void
far(const struct preflight_src *src, const struct conf *conf, const char *about, int node, struct preflight_report *r)
{
	char text[200], mend[300];

	if (preflight_node_used(src, conf, node))
		return;
	preflight_read(src, text, sizeof(text), "/sys/devices/system/node/node%d/cpulist", node);
	snprintf(mend, sizeof(mend), "take data_cpus of %s", text);
	preflight_say(r, PREFLIGHT_WARN, about, mend, "is at node %d, where no data lcore runs", node);
}

void
preflight_numa(const struct preflight_src *src, const struct conf *conf, struct preflight_report *r)
{
	unsigned int before = r->n;
	const struct conf_port *port;
	const char *device;
	char addr[PCI_PRI_STR_SIZE], file[96];

	if (conf == NULL)
		return;
	for (unsigned int i = 0; (device = preflight_device(conf, i, &port)) != NULL; i++) {
		if (!preflight_pci(device, addr))
			continue;
		snprintf(file, sizeof(file), "/sys/bus/pci/devices/%s/numa_node", addr);
		far(src, conf, port->name, number(src, file), r);
	}
	for (unsigned int i = 0; i < conf->n_drives; i++) {
		const char *path = foreign_path(&conf->drives[i]);

		if (path != NULL && src->device(path) > 0)
			far(src, conf, conf->drives[i].name, drive_node(src, path), r);
	}
	if (r->n == before)
		preflight_say(r, PREFLIGHT_PASS, "", NULL, "%s",
			      preflight_exists(src, "/sys/devices/system/node/node1")
				      ? "ports and drives are near lcores"
				      : "one node");
}
