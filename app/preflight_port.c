/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* Checks of what ports need: kernel modules, a card's driver and IOMMU, interfaces and their MTU. */

#include <stdlib.h>
#include <string.h>

#include "preflight.h"

/* --- modules -------------------------------------------------------------------------------------------------------
 */

static void
module(const struct preflight_src *src, const char *name, const char *sign, const char *why, struct preflight_report *r)
{
	char mend[96];

	if (preflight_exists(src, "%s", sign))
		return;
	snprintf(mend, sizeof(mend), "modprobe %s", name);
	preflight_say(r, PREFLIGHT_FAIL, name, mend, "not loaded: %s", why);
}

static void
drive_modules(const struct preflight_src *src, const struct conf *conf, struct preflight_report *r)
{
	for (unsigned int i = 0; i < conf->n_drives; i++) {
		if (strcmp(conf->drives[i].kind, "nvme") == 0) {
			module(src, "nvme", "/sys/class/nvme", "NVMe drives need it", r);
			return;
		}
	}
}

void
preflight_modules(const struct preflight_src *src, const struct conf *conf, struct preflight_report *r)
{
	bool pci = false, tap = false, packet = false;
	unsigned int before = r->n;
	const struct conf_port *port;
	const char *device;
	char addr[PCI_PRI_STR_SIZE];

	if (conf == NULL)
		return;
	for (unsigned int i = 0; (device = preflight_device(conf, i, &port)) != NULL; i++) {
		pci |= preflight_pci(device, addr);
		tap |= strncmp(device, "net_tap", 7) == 0 || port->exception != NULL;
		packet |= strncmp(device, "net_af_packet", 13) == 0;
	}
	if (pci)
		module(src, "vfio-pci", "/sys/bus/pci/drivers/vfio-pci", "a card is driven by it", r);
	if (tap)
		module(src, "tun", "/dev/net/tun", "a tap needs it", r);
	if (packet)
		module(src, "af_packet", "/proc/net/packet", "af_packet ports need it", r);
	drive_modules(src, conf, r);
	if (r->n == before)
		preflight_say(r, PREFLIGHT_PASS, "", NULL, "all that is needed");
}

/* --- cards ---------------------------------------------------------------------------------------------------------
 */

static void
iommu(const struct preflight_src *src, const char *about, const char *addr, struct preflight_report *r)
{
	char group[16], unsafe[8], path[64];

	if (preflight_link(src, group, sizeof(group), "/sys/bus/pci/devices/%s/iommu_group", addr)) {
		snprintf(path, sizeof(path), "/dev/vfio/%s", group);
		if (!preflight_exists(src, "%s", path)) {
			char mend[96];

			snprintf(mend, sizeof(mend), "ls -l /dev/vfio; dpdk-devbind.py -b vfio-pci %s", addr);
			preflight_say(r, PREFLIGHT_FAIL, about, mend, "%s: no %s, so vfio does not offer it", addr,
				      path);
			return;
		}
		preflight_say(r, PREFLIGHT_PASS, about, NULL, "%s: vfio-pci, IOMMU group %s", addr, group);
		return;
	}
	preflight_read(src, unsafe, sizeof(unsafe), "/sys/module/vfio/parameters/enable_unsafe_noiommu_mode");
	if (unsafe[0] == 'Y')
		preflight_say(r, PREFLIGHT_WARN, about, "boot with intel_iommu=on iommu=pt (AMD: iommu=pt)",
			      "%s: vfio-pci without an IOMMU: the card can write anywhere", addr);
	else
		preflight_say(r, PREFLIGHT_FAIL, about,
			      "boot with intel_iommu=on iommu=pt, or echo Y > "
			      "/sys/module/vfio/parameters/enable_unsafe_noiommu_mode",
			      "%s: no IOMMU, which vfio wants", addr);
}

/* The kernel's interface of a card; a virtio card has it one device further. */
static bool
interface_of(const struct preflight_src *src, const char *addr, char *iface, size_t len)
{
	char child[64];

	if (preflight_entry(src, 0, iface, len, "/sys/bus/pci/devices/%s/net", addr))
		return true;
	for (unsigned int i = 0; preflight_entry(src, i, child, sizeof(child), "/sys/bus/pci/devices/%s", addr); i++)
		if (strncmp(child, "virtio", 6) == 0)
			return preflight_entry(src, 0, iface, len, "/sys/bus/pci/devices/%s/%s/net", addr, child);
	return false;
}

/* Taking a card from the kernel takes its interface too, and whoever is logged in by it. */
static void
unbound(const struct preflight_src *src, const char *about, const char *addr, const char *driver,
	struct preflight_report *r)
{
	char iface[32] = "", state[16] = "", mend[96];

	snprintf(mend, sizeof(mend), "dpdk-devbind.py -b vfio-pci %s", addr);
	if (interface_of(src, addr, iface, sizeof(iface)))
		preflight_read(src, state, sizeof(state), "/sys/class/net/%s/operstate", iface);
	if (driver[0] == '\0')
		preflight_say(r, PREFLIGHT_FAIL, about, mend, "%s has no driver, wants vfio-pci", addr);
	else if (strcmp(state, "up") == 0)
		preflight_say(r, PREFLIGHT_FAIL, about, mend,
			      "%s is the kernel's (%s, %s is up: see `exception:` before you take it)", addr, driver,
			      iface);
	else
		preflight_say(r, PREFLIGHT_FAIL, about, mend, "%s is the kernel's (%s), wants vfio-pci", addr, driver);
}

static void
card(const struct preflight_src *src, const char *about, const char *addr, struct preflight_report *r)
{
	char driver[64] = "";

	if (!preflight_exists(src, "/sys/bus/pci/devices/%s", addr)) {
		preflight_say(r, PREFLIGHT_FAIL, about, "lspci -D -d ::0200", "%s: there is no such device", addr);
		return;
	}
	preflight_link(src, driver, sizeof(driver), "/sys/bus/pci/devices/%s/driver", addr);
	if (strcmp(driver, "vfio-pci") == 0)
		iommu(src, about, addr, r);
	else if (strcmp(driver, "mlx5_core") == 0 || strcmp(driver, "mlx4_core") == 0)
		preflight_say(r, PREFLIGHT_PASS, about, NULL, "%s: %s, shared with the kernel", addr, driver);
	else if (strcmp(driver, "uio_pci_generic") == 0 || strcmp(driver, "igb_uio") == 0)
		preflight_say(r, PREFLIGHT_WARN, about, "modprobe vfio-pci, then dpdk-devbind.py -b vfio-pci",
			      "%s: %s, without protection by an IOMMU and without interrupts", addr, driver);
	else
		unbound(src, about, addr, driver, r);
}

void
preflight_ports(const struct preflight_src *src, const struct conf *conf, struct preflight_report *r)
{
	const struct conf_port *port;
	const char *device;
	char addr[PCI_PRI_STR_SIZE];

	for (unsigned int i = 0; conf != NULL && (device = preflight_device(conf, i, &port)) != NULL; i++)
		if (preflight_pci(device, addr))
			card(src, port->name, addr, r);
}

/* --- interfaces ----------------------------------------------------------------------------------------------------
 */

/* An af_packet socket sees frames and leaves them to the kernel too. Where the kernel has the same addresses, on the
 * tap, it must be kept from taking them on the interface itself. */
static bool
heard_twice(const struct preflight_src *src, const char *iface)
{
	char filter[8], v6[8];

	preflight_read(src, filter, sizeof(filter), "/proc/sys/net/ipv4/conf/%s/rp_filter", iface);
	preflight_read(src, v6, sizeof(v6), "/proc/sys/net/ipv6/conf/%s/disable_ipv6", iface);
	return strcmp(filter, "1") != 0 || strcmp(v6, "0") == 0;
}

static void
interface(const struct preflight_src *src, const struct conf_port *port, const char *device, const char *iface,
	  struct preflight_report *r)
{
	char mtu[16], state[16], mend[200];

	if (!preflight_read(src, mtu, sizeof(mtu), "/sys/class/net/%s/mtu", iface)) {
		preflight_say(r, PREFLIGHT_FAIL, port->name, "ip link", "%s: there is no such interface", iface);
		return;
	}
	if (strtoul(mtu, NULL, 10) < port->mtu) {
		snprintf(mend, sizeof(mend), "ip link set %s mtu %u", iface, port->mtu);
		preflight_say(r, PREFLIGHT_FAIL, port->name, mend, "%s has an MTU of %s, the port wants %u", iface, mtu,
			      port->mtu);
		return;
	}
	if (port->exception != NULL && strncmp(device, "net_af_packet", 13) == 0 && heard_twice(src, iface)) {
		snprintf(mend, sizeof(mend),
			 "sysctl -w net.ipv4.conf.%s.rp_filter=1 net.ipv4.conf.%s.arp_ignore=8 "
			 "net.ipv6.conf.%s.disable_ipv6=1",
			 iface, iface, iface);
		preflight_say(r, PREFLIGHT_FAIL, port->name, mend,
			      "the kernel takes frames of %s itself, beside the exception path, and resets connections",
			      iface);
		return;
	}
	preflight_read(src, state, sizeof(state), "/sys/class/net/%s/operstate", iface);
	if (strcmp(state, "down") == 0) {
		snprintf(mend, sizeof(mend), "ip link set %s up", iface);
		preflight_say(r, PREFLIGHT_WARN, port->name, mend, "%s is down", iface);
		return;
	}
	preflight_say(r, PREFLIGHT_PASS, port->name, NULL, "%s has an MTU of %s", iface, mtu);
}

void
preflight_interfaces(const struct preflight_src *src, const struct conf *conf, struct preflight_report *r)
{
	const struct conf_port *port;
	const char *device;

	for (unsigned int i = 0; conf != NULL && (device = preflight_device(conf, i, &port)) != NULL; i++) {
		const char *at = strstr(device, "iface=");
		char iface[32];

		if (at == NULL || (strncmp(device, "net_af_packet", 13) != 0 && strncmp(device, "net_af_xdp", 10) != 0))
			continue;
		snprintf(iface, sizeof(iface), "%.*s", (int)strcspn(at + 6, ","), at + 6);
		interface(src, port, device, iface, r);
	}
}
