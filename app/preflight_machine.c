/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* Checks of the machine as a whole: memory, io_uring, rights, clock. */

#include <errno.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>

#include <rte_common.h>

#include "preflight.h"

#define MIB ((uint64_t)1 << 20)

static uint64_t
meminfo(const struct preflight_src *src, const char *key)
{
	char text[64];

	return preflight_field(src, "/proc/meminfo", key, text, sizeof(text)) ? strtoull(text, NULL, 10) : 0;
}

/* --- huge pages ----------------------------------------------------------------------------------------------------
 */

/* Pages on the nodes that have data lcores; memory of another node is slower for every packet. */
static void
huge_nodes(const struct preflight_src *src, const struct conf *conf, uint64_t page_kb, struct preflight_report *r)
{
	char text[32], about[64], mend[200];

	for (int node = 0; preflight_exists(src, "/sys/devices/system/node/node%d", node); node++) {
		if (!preflight_node_used(src, conf, node) ||
		    !preflight_read(src, text, sizeof(text),
				    "/sys/devices/system/node/node%d/hugepages/hugepages-%" PRIu64 "kB/free_hugepages",
				    node, page_kb) ||
		    strtoull(text, NULL, 10) != 0)
			continue;
		snprintf(about, sizeof(about), "node %d", node);
		snprintf(mend, sizeof(mend),
			 "echo %" PRIu64 " > /sys/devices/system/node/node%d/hugepages/hugepages-%" PRIu64
			 "kB/nr_hugepages",
			 (conf->appliance.memory / 1024 + page_kb - 1) / page_kb, node, page_kb);
		preflight_say(r, PREFLIGHT_WARN, about, mend, "data lcores run here, and no huge page is free here");
	}
}

void
preflight_huge(const struct preflight_src *src, const struct conf *conf, struct preflight_report *r)
{
	uint64_t page_kb = meminfo(src, "Hugepagesize"), free_pages = meminfo(src, "HugePages_Free");
	uint64_t total = meminfo(src, "HugePages_Total"), need;
	char mend[200];

	if (page_kb == 0) {
		preflight_say(r,
			      conf != NULL && conf->appliance.huge && !src->no_huge ? PREFLIGHT_FAIL : PREFLIGHT_WARN,
			      "", "write `huge: false`, or start with --no-huge", "the kernel has no huge pages");
		return;
	}
	need = ((conf != NULL ? conf->appliance.memory : 1024 * MIB) / 1024 + page_kb - 1) / page_kb;
	snprintf(mend, sizeof(mend), "sysctl -w vm.nr_hugepages=%" PRIu64, total + need - RTE_MIN(free_pages, need));
	if (free_pages < need) {
		bool wanted = conf != NULL && conf->appliance.huge && !src->no_huge;

		preflight_say(r, wanted ? PREFLIGHT_FAIL : PREFLIGHT_WARN, "", mend,
			      "%" PRIu64 " of %" PRIu64 " MiB %s, %" PRIu64 " are free", need, page_kb / 1024,
			      wanted ? "are needed" : "would make it faster", free_pages);
		return;
	}
	preflight_say(r, PREFLIGHT_PASS, "", NULL, "%" PRIu64 " of %" PRIu64 " MiB are needed, %" PRIu64 " are free",
		      need, page_kb / 1024, free_pages);
	if (conf != NULL && conf->appliance.huge && !src->no_huge)
		huge_nodes(src, conf, page_kb, r);
}

/* --- io_uring ------------------------------------------------------------------------------------------------------
 */

static bool
wants_uring(const struct conf *conf)
{
	for (unsigned int i = 0; conf != NULL && i < conf->n_drives; i++)
		if (strcmp(conf->drives[i].kind, "mem") != 0)
			return true;
	return conf == NULL;
}

void
preflight_uring(const struct preflight_src *src, const struct conf *conf, struct preflight_report *r)
{
	char disabled[16];
	int ret;

	if (!wants_uring(conf))
		return;
	ret = src->uring();
	if (ret == 0) {
		preflight_say(r, PREFLIGHT_PASS, "", NULL, "allowed");
		return;
	}
	preflight_read(src, disabled, sizeof(disabled), "/proc/sys/kernel/io_uring_disabled");
	if (disabled[0] == '1' || disabled[0] == '2')
		preflight_say(r, PREFLIGHT_FAIL, "", "sysctl -w kernel.io_uring_disabled=0",
			      "forbidden by kernel.io_uring_disabled=%s", disabled);
	else if (ret == -ENOSYS)
		preflight_say(r, PREFLIGHT_FAIL, "", "use a kernel with CONFIG_IO_URING", "the kernel has none");
	else if (ret == -ENOMEM)
		preflight_say(r, PREFLIGHT_FAIL, "", "ulimit -l unlimited", "not enough locked memory allowed");
	else
		preflight_say(r, PREFLIGHT_FAIL, "", "docker run --security-opt seccomp=unconfined ...",
			      "forbidden (%s), as by a container's seccomp filter", strerror(-ret));
}

/* --- rights --------------------------------------------------------------------------------------------------------
 */

static void
right(const struct preflight_src *src, struct preflight_report *r, unsigned int cap, const char *name,
      const char *about, const char *why)
{
	char mend[200];

	if (preflight_cap(src, cap))
		return;
	snprintf(mend, sizeof(mend), "run as root, or: setcap cap_%s+ep $(command -v strake)", name);
	preflight_say(r, PREFLIGHT_FAIL, about, mend, "CAP_%s is missing: %s", name, why);
}

static void
locked_memory(const struct preflight_src *src, const struct conf *conf, struct preflight_report *r, bool pci)
{
	uint64_t need = conf != NULL ? conf->appliance.memory : 1024 * MIB;

	if (preflight_cap(src, CAP_IPC_LOCK) || src->memlock >= need)
		return;
	preflight_say(r, pci ? PREFLIGHT_FAIL : PREFLIGHT_WARN, "",
		      "ulimit -l unlimited  (systemd: LimitMEMLOCK=infinity)",
		      "%" PRIu64 " MiB may be locked, %s wants %" PRIu64 " MiB", src->memlock / MIB,
		      pci ? "a card's DMA" : "io_uring's buffer registration", need / MIB);
}

void
preflight_rights(const struct preflight_src *src, const struct conf *conf, struct preflight_report *r)
{
	unsigned int before = r->n;
	const struct conf_port *port;
	const char *device;
	char addr[PCI_PRI_STR_SIZE];
	bool pci = false;

	for (unsigned int i = 0; conf != NULL && (device = preflight_device(conf, i, &port)) != NULL; i++) {
		if (preflight_pci(device, addr))
			pci = true;
		else if (strncmp(device, "net_af_packet", 13) == 0)
			right(src, r, CAP_NET_RAW, "NET_RAW", port->name, "af_packet needs it");
		else if (strncmp(device, "net_tap", 7) == 0 || strncmp(device, "net_af_xdp", 10) == 0)
			right(src, r, CAP_NET_ADMIN, "NET_ADMIN", port->name, "its device needs it");
	}
	for (unsigned int i = 0; conf != NULL && i < conf->n_ports; i++)
		if (conf->ports[i].exception != NULL)
			right(src, r, CAP_NET_ADMIN, "NET_ADMIN", conf->ports[i].name, "the exception tap needs it");
	locked_memory(src, conf, r, pci);
	if (r->n == before)
		preflight_say(r, PREFLIGHT_PASS, "", NULL, "enough");
}

/* --- clock ---------------------------------------------------------------------------------------------------------
 */

void
preflight_clock(const struct preflight_src *src, const struct conf *conf, struct preflight_report *r)
{
	static const char dir[] = "/sys/devices/system/clocksource/clocksource0";
	char now[32], others[128], flags[4096], mend[200];

	if (!preflight_read(src, now, sizeof(now), "%s/current_clocksource", dir)) {
		preflight_say(r, PREFLIGHT_WARN, "", NULL, "the clock source is unknown");
		return;
	}
	preflight_field(src, "/proc/cpuinfo", "flags", flags, sizeof(flags));
	if (strcmp(now, "tsc") == 0) {
		preflight_say(r, PREFLIGHT_PASS, "", NULL, "tsc");
	} else if (strcmp(now, "kvm-clock") == 0 && strstr(flags, "constant_tsc") != NULL) {
		preflight_say(r, PREFLIGHT_PASS, "", NULL, "kvm-clock, on a constant TSC");
	} else {
		preflight_read(src, others, sizeof(others), "%s/available_clocksource", dir);
		if (strstr(others, "tsc") != NULL)
			snprintf(mend, sizeof(mend), "echo tsc > %s/current_clocksource", dir);
		else
			snprintf(mend, sizeof(mend), "boot with tsc=reliable on the kernel's command line");
		preflight_say(r, PREFLIGHT_WARN, "", mend,
			      "%s; Strake tells time by the TSC, which the kernel distrusts", now);
	}
}
