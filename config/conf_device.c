/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* Rules of a port's `device:`, `members:` and `exception:`: what a device cannot do is told before anything starts. */

#include <ctype.h>
#include <string.h>

#include "conf_check.h"

#define BOND "net_bonding"

static bool
begins(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

/* The value of an argument in devargs, up to the next comma; NULL: it is not there. */
static const char *
argument(const char *devargs, const char *name)
{
	size_t len = strlen(name);

	for (const char *at = strchr(devargs, ','); at != NULL; at = strchr(at + 1, ','))
		if (strncmp(at + 1, name, len) == 0 && at[1 + len] == '=')
			return at + 2 + len;
	return NULL;
}

static bool
virtual_device(const char *device)
{
	return begins(device, "net_") || begins(device, "eth_");
}

/* --- bonding -------------------------------------------------------------------------------------------------------
 */

/* @return why this mode is not taken, or NULL. */
static const char *
mode_refused(const char *mode)
{
	switch (mode[0]) {
	case '1':
	case '2':
	case '4':
		return NULL;
	case '0':
		return "mode 0 sends the segments of one connection by turns, so that they overtake each other";
	case '3':
		return "mode 3 sends every frame on every member";
	default:
		return "expected mode 1 (active-backup), 2 (balance) or 4 (LACP)";
	}
}

/* @return why @p member cannot be in a bond of this mode, or NULL. */
static const char *
member_refused(const char *member, char mode)
{
	if (begins(member, BOND))
		return "a bond cannot be in a bond";
	if (begins(member, "net_memif"))
		return "a memif takes no other MAC address, and members of a bond share one";
	if (begins(member, "net_tap"))
		return "a tap is the kernel's end of a cable, with no link that could fail";
	if (mode == '4' && virtual_device(member))
		return "LACP (mode 4) needs a device that lets all multicast in and tells its speed, which a virtual "
		       "one does not; mode=1 works";
	return NULL;
}

static bool
same_device(const char *a, const char *b)
{
	size_t len = strcspn(a, ",");

	return len == strcspn(b, ",") && strncmp(a, b, len) == 0;
}

/* The same device in an earlier member of this port, or as a device of any. */
static bool
taken(struct conf_check *ck, const struct conf_node *list, const struct conf_node *member)
{
	for (const struct conf_node *m = list->first; m != member; m = m->next)
		if (m->kind == CONF_NODE_SCALAR && same_device(m->text, member->text))
			return true;
	for (struct conf_node *p = conf_first(ck->tree, "ports"); p != NULL; p = p->next) {
		const char *device = conf_node_text(p, "device");
		const struct conf_node *others = conf_node_get(p, "members");

		if (device != NULL && same_device(device, member->text))
			return true;
		if (others == list)
			return false;
		for (const struct conf_node *m = others != NULL ? others->first : NULL; m != NULL; m = m->next)
			if (m->kind == CONF_NODE_SCALAR && same_device(m->text, member->text))
				return true;
	}
	return false;
}

static void
members_rules(struct conf_check *ck, struct conf_node *list, char mode)
{
	if (list->n < 2) {
		conf_err_value(ck->errs, list, "a bond needs at least 2 members, found %u", list->n);
		return;
	}
	for (struct conf_node *m = list->first; m != NULL; m = m->next) {
		const char *why;

		if (m->kind != CONF_NODE_SCALAR || m->bad)
			continue;
		why = member_refused(m->text, mode);
		if (why != NULL)
			conf_err_value(ck->errs, m, "%s", why);
		else if (taken(ck, list, m))
			conf_err_value(ck->errs, m, "\"%.*s\" is in use already", (int)strcspn(m->text, ","), m->text);
	}
}

static void
bond_rules(struct conf_check *ck, struct conf_node *port, const char *device)
{
	struct conf_node *list = conf_node_get(port, "members"), *node = conf_node_get(port, "device");
	const char *mode = argument(device, "mode"), *why = mode != NULL ? mode_refused(mode) : NULL;

	if (why != NULL)
		conf_err_value(ck->errs, node, "%s", why);
	if (argument(device, "slave") != NULL)
		conf_err_value(ck->errs, node, "name what it joins in `members:`, not by slave=");
	else if (list == NULL)
		conf_err_value(ck->errs, node, "a bond needs `members:`, the devices it joins");
	else if (list->kind == CONF_NODE_LIST)
		members_rules(ck, list, mode != NULL ? mode[0] : '1');
}

/* --- the exception path --------------------------------------------------------------------------------------------
 */

static void
exception_rules(struct conf_check *ck, struct conf_node *port)
{
	const char *tap = conf_node_text(port, "exception"), *device = conf_node_text(port, "device");

	if (tap == NULL)
		return;
	if (device != NULL && begins(device, "net_tap"))
		conf_err_value(ck->errs, conf_node_get(port, "exception"),
			       "the other end of a tap is the kernel's already; there is nobody to pass frames to");
	for (struct conf_node *p = conf_first(ck->tree, "ports"); p != port; p = p->next) {
		const char *other = conf_node_text(p, "exception");

		if (other != NULL && strcmp(other, tap) == 0)
			conf_err_value(ck->errs, conf_node_get(port, "exception"), "\"%s\" is taken by ports[%u]", tap,
				       p->index);
	}
}

/* --- what is no device at all --------------------------------------------------------------------------------------
 */

/* Hex digits, ":" and "." only, and yet not 0000:3b:00.0 nor 3b:00.0. */
static bool
half_pci(const char *device)
{
	static const char *const shapes[] = {"xxxx:xx:xx.x", "xx:xx.x"};

	if (device[strspn(device, "0123456789abcdefABCDEF:.")] != '\0' || strchr(device, ':') == NULL)
		return false;
	for (unsigned int i = 0; i < 2; i++) {
		const char *s = shapes[i], *d = device;

		while (*s != '\0' && (*s == 'x' ? isxdigit((unsigned char)*d) != 0 : *s == *d))
			s++, d++;
		if (*s == '\0' && *d == '\0')
			return false;
	}
	return true;
}

static void
name_rules(struct conf_check *ck, struct conf_node *node)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-";
	const char *d = node->text;

	if (half_pci(d))
		conf_err_value(ck->errs, node, "\"%.40s\" is no whole PCI address; expected one such as 0000:3b:00.0",
			       d);
	else if (strlen(d) < 16 && d[strspn(d, letters)] == '\0')
		conf_err_value(ck->errs, node,
			       "\"%s\" looks like an interface of the kernel's; expected a PCI address, or a virtual "
			       "device such as \"net_af_packet0,iface=%s\"",
			       d, d);
}

void
conf_check_device_rules(struct conf_check *ck)
{
	for (struct conf_node *port = conf_first(ck->tree, "ports"); port != NULL; port = port->next) {
		const char *device = conf_node_text(port, "device");

		exception_rules(ck, port);
		if (device == NULL)
			continue;
		name_rules(ck, conf_node_get(port, "device"));
		if (begins(device, BOND))
			bond_rules(ck, port, device);
		else if (conf_node_get(port, "members") != NULL)
			conf_err_value(ck->errs, conf_node_get(port, "members"),
				       "only a bond has members: `device: \"net_bonding0,mode=1\"`");
		if ((begins(device, "net_virtio_user") || begins(device, "virtio_user")) &&
		    argument(device, "path") == NULL)
			conf_err_value(ck->errs, conf_node_get(port, "device"),
				       "it needs path=, the vhost-user socket of a virtual switch, or /dev/vhost-net");
	}
}
