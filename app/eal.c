/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "eal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_pci.h>

#include "strake_stage.h"

#define ARGS_MAX 64
#define MIB	 ((uint64_t)1024 * 1024)

struct args {
	int n;
	char *v[ARGS_MAX];
};

__attribute__((format(printf, 2, 3))) static void
add(struct args *a, const char *fmt, ...)
{
	va_list ap;

	if (a->n == ARGS_MAX - 1)
		return;
	va_start(ap, fmt);
	if (vasprintf(&a->v[a->n], fmt, ap) >= 0)
		a->n++;
	va_end(ap);
}

static uint64_t
meminfo(const char *key)
{
	FILE *f = fopen("/proc/meminfo", "re");
	char line[128];
	uint64_t value = 0;

	if (f == NULL)
		return 0;
	while (fgets(line, sizeof(line), f) != NULL) {
		if (strncmp(line, key, strlen(key)) == 0 && line[strlen(key)] == ':') {
			value = strtoull(line + strlen(key) + 1, NULL, 10);
			break;
		}
	}
	fclose(f);
	return value;
}

/* Who held them may have ended a moment ago: what his io_uring had pinned, the kernel lets go of in the background. */
static uint64_t
huge_free(uint64_t need)
{
	uint64_t n = meminfo("HugePages_Free");

	for (int i = 0; i < 300 && n < need && meminfo("HugePages_Total") >= need; i++) {
		usleep(10000);
		n = meminfo("HugePages_Free");
	}
	return n;
}

/* EAL says little when huge pages are short; the operator gets the number and the mend. */
static int
huge_check(struct appliance *a)
{
	uint64_t page = meminfo("Hugepagesize") * 1024, free_pages, need;

	if (a->no_huge)
		return 0;
	if (page == 0) {
		snprintf(a->err, sizeof(a->err),
			 "the kernel has no huge pages; set `huge: false` or start with --no-huge");
		return -ENOMEM;
	}
	need = (a->conf->appliance.memory + page - 1) / page;
	free_pages = huge_free(need);
	if (free_pages >= need)
		return 0;
	snprintf(a->err, sizeof(a->err),
		 "%" PRIu64 " huge pages of %" PRIu64 " MiB are needed for `memory`, %" PRIu64
		 " are free; `sysctl vm.nr_hugepages=%" PRIu64 "` gives them, --no-huge does without",
		 need, page / MIB, free_pages, meminfo("HugePages_Total") + need - free_pages);
	return -ENOMEM;
}

static int
name_taken(struct appliance *a, const char *holds)
{
	snprintf(a->err, sizeof(a->err), "an appliance named \"%s\" is running already (it holds %s)",
		 a->conf->appliance.name, holds);
	return -EBUSY;
}

/* One appliance of a name: the lock lies beside its control socket, and goes with the process. */
static int
name_lock(struct appliance *a)
{
	char path[128], dir[128]; /* a socket's path is shorter */
	int fd;

	snprintf(path, sizeof(path), "%s.lock", a->conf->appliance.control);
	snprintf(dir, sizeof(dir), "%s", path);
	mkdir(dirname(dir), 0755);
	fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0) {
		int ret = -errno;

		snprintf(a->err, sizeof(a->err), "%s: %s; `control:` of the file names another place", path,
			 strerror(-ret));
		return ret;
	}
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	close(fd);
	return name_taken(a, path);
}

/* With another `control:` the same name is still one folder of DPDK's, where telemetry is asked. Without huge pages
 * DPDK refuses a second one by a lock of its own, and takes the folder's now and then. */
static int
folder_lock(struct appliance *a)
{
	const char *dir = rte_eal_get_runtime_dir();
	int fd = a->no_huge ? -1 : open(dir, O_DIRECTORY | O_RDONLY | O_CLOEXEC);

	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	close(fd);
	return name_taken(a, dir);
}

/* EAL names a CPU it cannot have by its number only. */
static int
cpu_check(struct appliance *a, unsigned int cpu)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) < 0 || (cpu < CPU_SETSIZE && CPU_ISSET(cpu, &set)))
		return 0;
	snprintf(a->err, sizeof(a->err), "CPU %u is not one this process may use; there are %ld, from 0", cpu,
		 sysconf(_SC_NPROCESSORS_ONLN));
	return -EINVAL;
}

static int
cpus_check(struct appliance *a)
{
	int ret = cpu_check(a, a->conf->appliance.main_cpu);

	for (unsigned int i = 0; ret == 0 && i < a->conf->appliance.n_data_cpus; i++)
		ret = cpu_check(a, a->conf->appliance.data_cpus[i]);
	return ret;
}

static bool
is_pci(const char *device)
{
	struct rte_pci_addr addr;

	return rte_pci_addr_parse(device, &addr) == 0;
}

/* lcore ids are our indexes: 0 main, 1.. data; two of them may share a CPU. */
static void
add_lcores(struct args *args, const struct conf_appliance *c)
{
	char list[512];
	int at = snprintf(list, sizeof(list), "0@%u", c->main_cpu);

	for (unsigned int i = 0; i < c->n_data_cpus && at < (int)sizeof(list) - 16; i++)
		at += snprintf(list + at, sizeof(list) - (size_t)at, ",%u@%u", i + 1, c->data_cpus[i]);
	add(args, "--lcores=%s", list);
}

/* @return true: it is on the PCI bus. */
static bool
add_device(struct args *args, const char *device)
{
	if (!is_pci(device))
		return false;
	add(args, "--allow=%s", device);
	return true;
}

/* The engine that a stage works with, or NULL. */
static const char *
engine_of(const struct conf_stage *stage)
{
	const struct strake_stage_ops *ops = strake_stage_find(stage->name);

	for (const struct conf_key *key = ops != NULL ? ops->keys : NULL; key != NULL && key->name != NULL; key++)
		if (strcmp(key->name, "device") == 0)
			return conf_str(stage->values, "device");
	return NULL;
}

/* @return true: one of them is on the PCI bus. Virtual ones are made by their stage. */
static bool
add_engines(struct args *args, const struct conf *conf)
{
	bool pci = false;

	for (unsigned int v = 0; v < conf->n_volumes; v++)
		for (unsigned int s = 0; s < conf->volumes[v].n_stages; s++) {
			const char *device = engine_of(&conf->volumes[v].stages[s]);

			pci = (device != NULL && add_device(args, device)) || pci;
		}
	return pci;
}

/* A memif client without copies. */
static bool
lends_memory(const struct conf *conf)
{
	for (unsigned int i = 0; i < conf->n_ports; i++)
		if (strncmp(conf->ports[i].device, "net_memif", 9) == 0 &&
		    strstr(conf->ports[i].device, "zero-copy=yes") != NULL)
			return true;
	return false;
}

static void
add_devices(struct args *args, const struct conf *conf)
{
	bool pci = add_engines(args, conf);

	for (unsigned int i = 0; i < conf->n_ports; i++) {
		pci = add_device(args, conf->ports[i].device) || pci;
		for (unsigned int m = 0; m < conf->ports[i].n_members; m++)
			pci = add_device(args, conf->ports[i].members[m]) || pci;
	}
	if (lends_memory(conf))
		add(args, "--single-file-segments"); /* the peer maps memory by file */
	if (pci)
		return;
	add(args, "--no-pci");
	/* Virtual devices want no physical addresses, and looking one up for every frame is dear. */
	add(args, "--iova-mode=va");
}

int
eal_up(struct appliance *a)
{
	const struct conf_appliance *c = &a->conf->appliance;
	struct args args = {0};
	int ret = huge_check(a);

	if (ret == 0)
		ret = cpus_check(a);
	if (ret == 0)
		ret = name_lock(a);
	if (ret < 0)
		return ret;
	add(&args, "strake");
	add_lcores(&args, c);
	add_devices(&args, a->conf);
	add(&args, "--file-prefix=%s", c->name);
	add(&args, "-m");
	add(&args, "%" PRIu64, (c->memory + MIB - 1) / MIB);
	if (a->no_huge)
		add(&args, "--no-huge");
	else
		add(&args, "--in-memory"); /* needs no hugetlbfs mount, and leaves no file */
	/* It warns that a socket of old is not made. Its type is made late, and goes by the first that fits. */
	add(&args, "--log-level=lib.telemetry:error");
	add(&args, "--log-level=*:warning");
	add(&args, "--log-level=lib.eal:error"); /* it warns of page sizes nobody asked for */
	add(&args, "--log-level=strake.*:info");
	if (rte_eal_init(args.n, args.v) < 0) {
		snprintf(a->err, sizeof(a->err), "DPDK did not start: %s",
			 rte_errno != 0 ? rte_strerror(rte_errno) : "its own lines say why");
		return rte_errno != 0 ? -rte_errno : -EIO;
	}
	ret = folder_lock(a);
	if (ret < 0)
		rte_eal_cleanup();
	return ret;
}

void
eal_down(struct appliance *a)
{
	(void)a;
	rte_eal_cleanup();
}
