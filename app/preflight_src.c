/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* Reading the machine: files of /sys and /proc under the root of struct preflight_src. */

#include <dirent.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "preflight.h"

static void
path_of(const struct preflight_src *src, char *out, size_t len, const char *fmt, va_list ap)
{
	int at = snprintf(out, len, "%s", src->root);

	vsnprintf(out + at, len - (size_t)at, fmt, ap);
}

bool
preflight_read(const struct preflight_src *src, char *out, size_t len, const char *path, ...)
{
	char full[PATH_MAX];
	va_list ap;
	FILE *f;

	va_start(ap, path);
	path_of(src, full, sizeof(full), path, ap);
	va_end(ap);
	out[0] = '\0';
	f = fopen(full, "re");
	if (f == NULL)
		return false;
	if (fgets(out, (int)len, f) == NULL)
		out[0] = '\0';
	fclose(f);
	len = strcspn(out, "\n");
	while (len > 0 && out[len - 1] == ' ')
		len--;
	out[len] = '\0';
	return len != 0;
}

bool
preflight_exists(const struct preflight_src *src, const char *path, ...)
{
	char full[PATH_MAX];
	va_list ap;

	va_start(ap, path);
	path_of(src, full, sizeof(full), path, ap);
	va_end(ap);
	return access(full, F_OK) == 0;
}

bool
preflight_link(const struct preflight_src *src, char *out, size_t len, const char *path, ...)
{
	char full[PATH_MAX], to[PATH_MAX];
	const char *last;
	va_list ap;
	ssize_t n;

	va_start(ap, path);
	path_of(src, full, sizeof(full), path, ap);
	va_end(ap);
	n = readlink(full, to, sizeof(to) - 1);
	if (n < 0)
		return false;
	to[n] = '\0';
	last = strrchr(to, '/');
	snprintf(out, len, "%s", last != NULL ? last + 1 : to);
	return true;
}

bool
preflight_field(const struct preflight_src *src, const char *path, const char *key, char *out, size_t len)
{
	char full[PATH_MAX], line[4096];
	bool found = false;
	FILE *f;

	snprintf(full, sizeof(full), "%s%s", src->root, path);
	out[0] = '\0';
	f = fopen(full, "re");
	while (f != NULL && !found && fgets(line, sizeof(line), f) != NULL) {
		char *value = strchr(line, ':');

		if (value == NULL || strncmp(line, key, strlen(key)) != 0 ||
		    strspn(line + strlen(key), " \t") != (size_t)(value - line) - strlen(key))
			continue;
		value++;
		value += strspn(value, " \t");
		value[strcspn(value, "\n")] = '\0';
		snprintf(out, len, "%s", value);
		found = true;
	}
	if (f != NULL)
		fclose(f);
	return found;
}

static int
no_dots(const struct dirent *e)
{
	return e->d_name[0] != '.';
}

bool
preflight_entry(const struct preflight_src *src, unsigned int i, char *out, size_t len, const char *path, ...)
{
	char full[PATH_MAX];
	struct dirent **list;
	va_list ap;
	int n;

	va_start(ap, path);
	path_of(src, full, sizeof(full), path, ap);
	va_end(ap);
	n = scandir(full, &list, no_dots, versionsort);
	if (n < 0)
		return false;
	if (i < (unsigned int)n)
		snprintf(out, len, "%s", list[i]->d_name);
	for (int k = 0; k < n; k++)
		free(list[k]);
	free(list);
	return i < (unsigned int)n;
}

bool
preflight_cap(const struct preflight_src *src, unsigned int cap)
{
	char text[32];

	return preflight_field(src, "/proc/self/status", "CapEff", text, sizeof(text)) &&
	       (strtoull(text, NULL, 16) >> cap & 1) != 0;
}

void
preflight_cpus_parse(struct preflight_cpus *set, const char *list)
{
	memset(set, 0, sizeof(*set));
	while (*list >= '0' && *list <= '9') {
		char *end;
		unsigned long first = strtoul(list, &end, 10), last = first;

		if (*end == '-')
			last = strtoul(end + 1, &end, 10);
		for (unsigned long c = first; c <= last && c < PREFLIGHT_CPUS; c++)
			set->has[c] = true;
		list = *end == ',' ? end + 1 : "";
	}
}

int
preflight_cpu_node(const struct preflight_src *src, unsigned int cpu)
{
	char text[4096];

	for (int node = 0; preflight_exists(src, "/sys/devices/system/node/node%d", node); node++) {
		struct preflight_cpus set;

		preflight_read(src, text, sizeof(text), "/sys/devices/system/node/node%d/cpulist", node);
		preflight_cpus_parse(&set, text);
		if (cpu < PREFLIGHT_CPUS && set.has[cpu])
			return node;
	}
	return -1;
}

bool
preflight_node_used(const struct preflight_src *src, const struct conf *conf, int node)
{
	if (node < 0)
		return true;
	for (unsigned int i = 0; i < conf->appliance.n_data_cpus; i++)
		if (preflight_cpu_node(src, conf->appliance.data_cpus[i]) == node)
			return true;
	return false;
}

const char *
preflight_device(const struct conf *conf, unsigned int i, const struct conf_port **port)
{
	for (unsigned int p = 0; p < conf->n_ports; p++) {
		unsigned int n = conf->ports[p].n_members != 0 ? conf->ports[p].n_members : 1;

		*port = &conf->ports[p];
		if (i < n)
			return conf->ports[p].n_members != 0 ? conf->ports[p].members[i] : conf->ports[p].device;
		i -= n;
	}
	return NULL;
}

bool
preflight_pci(const char *device, char *addr)
{
	struct rte_pci_addr pci;
	char text[32];

	snprintf(text, sizeof(text), "%.*s", (int)strcspn(device, ","), device);
	if (rte_pci_addr_parse(text, &pci) != 0)
		return false;
	rte_pci_device_name(&pci, addr, PCI_PRI_STR_SIZE);
	return true;
}
