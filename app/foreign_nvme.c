/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* The block device beside an NVMe namespace, from what the operator calls it: libblkid reads block devices. */

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "foreign.h"

/* An attribute without the spaces around it. */
static void
attribute(char *out, size_t len, const char *sys, const char *ctrl, const char *ns, const char *name)
{
	char path[PATH_MAX];
	FILE *f;

	out[0] = '\0';
	snprintf(path, sizeof(path), "%s/class/nvme/%s/%s%s%s", sys, ctrl, ns, ns[0] != '\0' ? "/" : "", name);
	f = fopen(path, "re");
	if (f == NULL)
		return;
	if (fscanf(f, " %63[^\n]", out) != 1)
		out[0] = '\0';
	fclose(f);
	len = strlen(out);
	while (len > 0 && out[len - 1] == ' ')
		out[--len] = '\0';
}

/* A namespace in a controller's folder: nvme0n1, or nvme0c1n1, a path to it where the kernel does multipath. */
static bool
block_of(const char *entry, char *out, size_t len)
{
	unsigned int subsystem, ctrl, ns;
	int used = 0;

	if (sscanf(entry, "nvme%un%u%n", &subsystem, &ns, &used) != 2 || entry[used] != '\0') {
		used = 0;
		if (sscanf(entry, "nvme%uc%un%u%n", &subsystem, &ctrl, &ns, &used) != 3 || entry[used] != '\0')
			return false;
	}
	snprintf(out, len, "/dev/nvme%un%u", subsystem, ns);
	return true;
}

/* @p nsid 0: any. */
static bool
namespace_of(const char *sys, const char *ctrl, unsigned long nsid, char *out, size_t len)
{
	char path[PATH_MAX], text[64];
	bool found = false;
	struct dirent *e;
	DIR *d;

	snprintf(path, sizeof(path), "%s/class/nvme/%s", sys, ctrl);
	d = opendir(path);
	while (d != NULL && !found && (e = readdir(d)) != NULL) {
		if (!block_of(e->d_name, out, len))
			continue;
		attribute(text, sizeof(text), sys, ctrl, e->d_name, "nsid");
		found = nsid == 0 || strtoul(text, NULL, 10) == nsid;
	}
	if (d != NULL)
		closedir(d);
	return found;
}

bool
foreign_nvme_block(const char *sys, const char *device, char *out, size_t len)
{
	const char *name = strncmp(device, "/dev/", 5) == 0 ? device + 5 : device, *slash = strchr(name, '/');
	bool serial = strncmp(name, "serial:", 7) == 0, found = false;
	char path[PATH_MAX], want[64], text[64];
	struct dirent *e;
	DIR *d;

	if (strncmp(name, "ng", 2) == 0 || strncmp(name, "nvme", 4) == 0) {
		snprintf(out, len, "/dev/nvme%s", name + (name[1] == 'g' ? 2 : 4));
		return true;
	}
	snprintf(want, sizeof(want), "%.*s", (int)(strcspn(name, "/") - (serial ? 7 : 0)), name + (serial ? 7 : 0));
	snprintf(path, sizeof(path), "%s/class/nvme", sys);
	d = opendir(path);
	while (d != NULL && !found && (e = readdir(d)) != NULL) {
		attribute(text, sizeof(text), sys, e->d_name, "", serial ? "serial" : "address");
		if (text[0] != '\0' && strcmp(text, want) == 0)
			found = namespace_of(sys, e->d_name, slash != NULL ? strtoul(slash + 1, NULL, 10) : 0, out,
					     len);
	}
	if (d != NULL)
		closedir(d);
	return found;
}
