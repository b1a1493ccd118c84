/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "nvme_place.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <libnvme.h>
#include <rte_common.h>

#define SECTOR		 512u
#define DMA_MASK_DEFAULT 511u /* kernels before 6.0 say nothing and want this */
#define LIST_MAX	 128

struct search {
	const char *sys;
	char *why;
	size_t len;
};

#define FAIL(s, ret, ...) (snprintf((s)->why, (s)->len, __VA_ARGS__), (ret))

/* --- reading ---------------------------------------------------------------------------------------------------------
 */

/* The kernel's own names all fit. */
static void
path_to(char *path, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(path, PATH_MAX, fmt, ap);
	va_end(ap);
}

/* An attribute without the spaces and line ends around it; empty when there is none. */
static void
attr(char *out, size_t len, const char *dir, const char *name)
{
	char *text = nvme_get_attr(dir, name), *from = text;
	size_t n;

	out[0] = '\0';
	if (text == NULL)
		return;
	from += strspn(from, " ");
	n = strcspn(from, "\n");
	while (n > 0 && from[n - 1] == ' ')
		n--;
	snprintf(out, len, "%.*s", (int)n, from);
	free(text);
}

static uint64_t
number(const char *dir, const char *name)
{
	char text[32];

	attr(text, sizeof(text), dir, name);
	return strtoull(text, NULL, 10);
}

/* nvme0n1 or nvme0c1n1 (a path, of no use to us), ng0n1: the number after the last n. @return 0 when it is neither. */
static unsigned int
instance(const char *name, const char *prefix)
{
	unsigned int ctrl, ns;
	int used = 0;
	size_t n = strlen(prefix);

	if (strncmp(name, prefix, n) != 0 || sscanf(name + n, "%un%u%n", &ctrl, &ns, &used) != 2 ||
	    name[n + used] != '\0')
		return 0;
	return ns;
}

/* --- namespaces of a controller --------------------------------------------------------------------------------------
 */

struct found {
	unsigned int n;
	uint32_t nsid[LIST_MAX];
	struct nvme_place at; /* the one that was wanted */
	bool hit;
};

static void
fill_block(struct nvme_place *p, const char *dir)
{
	char path[PATH_MAX], mask[32];

	path_to(path, "%s/%s", dir, p->block);
	p->bytes = number(path, "size") * SECTOR;
	p->max_xfer = (uint32_t)(number(path, "queue/max_hw_sectors_kb") << 10);
	p->max_segments = (uint32_t)number(path, "queue/max_segments");
	p->max_zeroes = (uint32_t)number(path, "queue/write_zeroes_max_bytes");
	attr(mask, sizeof(mask), path, "queue/dma_alignment");
	p->dma_mask = mask[0] != '\0' ? (uint32_t)strtoul(mask, NULL, 10) : DMA_MASK_DEFAULT;
}

/* The character device beside a block device carries the same instance number. */
static void
fill_generic(struct nvme_place *p, const char *dir, unsigned int ns)
{
	DIR *d = opendir(dir);
	struct dirent *e;

	while (d != NULL && (e = readdir(d)) != NULL) {
		if (instance(e->d_name, "ng") == ns)
			snprintf(p->generic, sizeof(p->generic), "%.31s", e->d_name);
	}
	if (d != NULL)
		closedir(d);
}

/* Look through a controller's or subsystem's folder. @p want 0: whichever; else by number, or by instance. */
static void
walk(struct found *f, const char *dir, uint32_t want, unsigned int want_instance)
{
	DIR *d = opendir(dir);
	struct dirent *e;

	while (d != NULL && (e = readdir(d)) != NULL) {
		unsigned int ns = instance(e->d_name, "nvme");
		char path[PATH_MAX];
		uint32_t nsid;

		if (ns == 0 || strchr(e->d_name + 4, 'c') != NULL)
			continue;
		path_to(path, "%s/%s", dir, e->d_name);
		nsid = (uint32_t)number(path, "nsid");
		if (nsid == 0 || f->n == LIST_MAX)
			continue;
		f->nsid[f->n++] = nsid;
		if ((want != 0 && want != nsid) || (want_instance != 0 && want_instance != ns) || f->hit)
			continue;
		f->hit = true;
		f->at.nsid = nsid;
		snprintf(f->at.block, sizeof(f->at.block), "%.31s", e->d_name);
		fill_block(&f->at, dir);
		fill_generic(&f->at, dir, ns);
	}
	if (d != NULL)
		closedir(d);
}

/* With multipath, namespaces hang from the subsystem that the controller belongs to. */
static void
walk_subsystems(struct found *f, const struct search *s, const char *ctrl, uint32_t want, unsigned int want_instance)
{
	char dir[PATH_MAX], path[PATH_MAX];
	struct dirent *e;
	DIR *d;

	path_to(dir, "%s/class/nvme-subsystem", s->sys);
	d = opendir(dir);
	while (d != NULL && (e = readdir(d)) != NULL) {
		DIR *has;

		if (e->d_name[0] == '.')
			continue;
		path_to(path, "%s/%s/%s", dir, e->d_name, ctrl);
		has = opendir(path);
		if (has == NULL)
			continue;
		closedir(has);
		path_to(path, "%s/%s", dir, e->d_name);
		walk(f, path, want, want_instance);
	}
	if (d != NULL)
		closedir(d);
}

static void
fill_ctrl(struct nvme_place *p, const struct search *s, const char *ctrl)
{
	char dir[PATH_MAX];

	path_to(dir, "%s/class/nvme/%s", s->sys, ctrl);
	snprintf(p->ctrl, sizeof(p->ctrl), "%.31s", ctrl);
	attr(p->serial, sizeof(p->serial), dir, "serial");
	attr(p->address, sizeof(p->address), dir, "address");
	attr(p->model, sizeof(p->model), dir, "model");
}

/* A namespace of a controller, by its number (0: the only one) or by its instance (0: any). */
static int
find_in(struct nvme_place *p, const struct search *s, const char *ctrl, uint32_t nsid, unsigned int ns)
{
	struct found f = {.n = 0};
	char dir[PATH_MAX], all[256] = "";

	fill_ctrl(p, s, ctrl);
	path_to(dir, "%s/class/nvme/%s", s->sys, ctrl);
	walk(&f, dir, nsid, ns);
	walk_subsystems(&f, s, ctrl, nsid, ns);
	for (unsigned int i = 0; i < f.n && strlen(all) < sizeof(all) - 16; i++)
		sprintf(all + strlen(all), "%s%u", i == 0 ? "" : ", ", f.nsid[i]);
	if (f.n == 0)
		return FAIL(s, -ENODEV, "controller %s has no namespace", ctrl);
	if (!f.hit)
		return FAIL(s, -ENODEV, "controller %s has no such namespace; it has %s", ctrl, all);
	if (nsid == 0 && ns == 0 && f.n > 1)
		return FAIL(s, -EINVAL, "controller %s has the namespaces %s; say which: .../NUMBER", ctrl, all);
	*p = f.at;
	fill_ctrl(p, s, ctrl);
	return 0;
}

/* --- controllers -----------------------------------------------------------------------------------------------------
 */

/* The controller whose attribute is @p value. Two of the same name are one too many. */
static int
find_ctrl(const struct search *s, const char *name, const char *value, char *ctrl, size_t len)
{
	char dir[PATH_MAX], path[PATH_MAX], text[64], seen[256] = "";
	unsigned int hits = 0;
	struct dirent *e;
	DIR *d;

	path_to(dir, "%s/class/nvme", s->sys);
	d = opendir(dir);
	if (d == NULL)
		return FAIL(s, -ENODEV, "this machine's kernel has no NVMe driver loaded (modprobe nvme)");
	while ((e = readdir(d)) != NULL) {
		if (strncmp(e->d_name, "nvme", 4) != 0)
			continue;
		path_to(path, "%s/%s", dir, e->d_name);
		attr(text, sizeof(text), path, name);
		if (strcasecmp(text, value) == 0) {
			snprintf(ctrl, len, "%.31s", e->d_name);
			hits++;
		}
		if (strlen(seen) + strlen(text) + 3 < sizeof(seen) && text[0] != '\0')
			sprintf(seen + strlen(seen), "%s%s", seen[0] == '\0' ? "" : ", ", text);
	}
	closedir(d);
	if (hits == 0)
		return FAIL(s, -ENODEV, "no controller has the %s %s; there are: %s", name, value,
			    seen[0] != '\0' ? seen : "none");
	if (hits > 1)
		return FAIL(s, -ENOTUNIQ, "%u controllers have the %s %s", hits, name, value);
	return 0;
}

/* "WHAT/NSID" into its two. @return 0 or -EINVAL. */
static int
split(const struct search *s, const char *device, char *what, size_t len, uint32_t *nsid)
{
	const char *slash = strrchr(device, '/');
	char *end = NULL;

	*nsid = 0;
	if (slash == NULL)
		slash = device + strlen(device);
	else
		*nsid = (uint32_t)strtoul(slash + 1, &end, 10);
	if ((end != NULL && (*end != '\0' || *nsid == 0)) || slash == device || (size_t)(slash - device) >= len)
		return FAIL(s, -EINVAL, "after the slash a namespace's number is expected");
	snprintf(what, len, "%.*s", (int)(slash - device), device);
	return 0;
}

/* ng0n1 or nvme0n1. The first number is the controller's, or that of its subsystem under multipath. */
static int
find_name(struct nvme_place *p, const struct search *s, const char *name)
{
	const bool generic = strncmp(name, "ng", 2) == 0;
	const unsigned int ns = instance(name, generic ? "ng" : "nvme");
	char link[PATH_MAX], dir[PATH_MAX];
	struct found f = {.n = 0};
	char *slash;

	path_to(link, "%s/class/%s/%s", s->sys, generic ? "nvme-generic" : "block", name);
	if (realpath(link, dir) == NULL)
		return FAIL(s, -ENODEV, "there is no such namespace");
	slash = strrchr(dir, '/');
	*slash = '\0';
	walk(&f, dir, 0, ns);
	if (!f.hit)
		return FAIL(s, -ENODEV, "it has no block device: the kernel found its format unusable");
	*p = f.at;
	slash = strrchr(dir, '/') + 1;
	if (strncmp(slash, "nvme-subsys", 11) == 0) {
		DIR *d = opendir(dir);
		struct dirent *e;
		unsigned int n;
		int used;

		while (d != NULL && (e = readdir(d)) != NULL) {
			if (sscanf(e->d_name, "nvme%u%n", &n, &used) == 1 && e->d_name[used] == '\0')
				fill_ctrl(p, s, e->d_name);
		}
		if (d != NULL)
			closedir(d);
	} else {
		fill_ctrl(p, s, slash);
	}
	return 0;
}

int
nvme_place_find(struct nvme_place *place, const char *sys, const char *device, char *why, size_t len)
{
	const struct search s = {sys, why, len};
	const char *name = strncmp(device, "/dev/", 5) == 0 ? device + 5 : device;
	const bool by_serial = strncmp(device, "serial:", 7) == 0;
	char what[64], ctrl[32];
	uint32_t nsid;
	int ret;

	memset(place, 0, sizeof(*place));
	if (instance(name, "ng") != 0 || instance(name, "nvme") != 0)
		return find_name(place, &s, name);
	if (!by_serial && strchr(device, ':') == NULL)
		return FAIL(&s, -EINVAL,
			    "expected /dev/ng0n1, nvme0n1, serial:NUMBER[/NSID] or a PCI slot, 0000:01:00.0[/NSID]");
	ret = split(&s, by_serial ? device + 7 : device, what, sizeof(what), &nsid);
	if (ret == 0)
		ret = find_ctrl(&s, by_serial ? "serial" : "address", what, ctrl, sizeof(ctrl));
	return ret == 0 ? find_in(place, &s, ctrl, nsid, 0) : ret;
}

void
nvme_place_state(const char *sys, const char *ctrl, char *state, size_t len)
{
	char dir[PATH_MAX];

	path_to(dir, "%s/class/nvme/%s", sys, ctrl);
	attr(state, len, dir, "state");
}
