# SPDX-License-Identifier: BSD-3-Clause
# Ports that are network cards on the PCI bus, behind an IOMMU and taken by vfio-pci: one of two queue pairs that steers by
# RSS, whose kernel driver is bound and up before, and one of a single queue that no driver has. Hosts are outside.
mkdir -p /var && ln -s /run /var/run
SPREADS=0000:00:10.0 PLAIN=0000:00:11.0

cat >/tmp/conf <<END
appliance: {name: g, memory: 320MiB, buffers: 64MiB, requests: 2048, main_cpu: 0, data_cpus: [0, 1], control: /run/ctl.sock}
ports:
  - {name: p0, device: "$SPREADS", addresses: [10.96.0.2/24, "fd96::2/64"]}
  - {name: p1, device: "$PLAIN", addresses: [10.97.0.2/24]}
$(volume_in_memory)
listeners:
  - {port: p0, address: 10.96.0.2}
  - {port: p0, address: "fd96::2"}
  - {port: p1, address: 10.97.0.2}
END

# What has to be done is said, with how; and nothing is taken from the kernel.
refused()
{
	echo 176 >/proc/sys/vm/nr_hugepages
	fails strake preflight /tmp/conf >/tmp/out.preflight
	grep -q 'modprobe vfio-pci' /tmp/out.preflight && grep -q "dpdk-devbind.py -b vfio-pci $SPREADS" /tmp/out.preflight &&
		grep -q "$SPREADS is the kernel's (virtio-pci, eth0 is up" /tmp/out.preflight &&
		grep -q "$PLAIN has no driver, wants vfio-pci" /tmp/out.preflight || die "$(cat /tmp/out.preflight)"
	fails strake /tmp/conf >/tmp/log 2>&1
	grep -q "$SPREADS" /tmp/log || die "$(cat /tmp/log)"
	ip link show eth0
}

# As dpdk-devbind.py does.
bind()
{
	modprobe vfio_pci
	modprobe vfio_iommu_type1
	for card in $SPREADS $PLAIN; do
		echo vfio-pci >/sys/bus/pci/devices/$card/driver_override
		[ ! -e /sys/bus/pci/devices/$card/driver ] || echo $card >/sys/bus/pci/devices/$card/driver/unbind
		echo $card >/sys/bus/pci/drivers_probe
	done
	strake preflight /tmp/conf >/tmp/out.preflight || die "$(cat /tmp/out.preflight)"
	[ "$(grep -c 'vfio-pci, IOMMU group' /tmp/out.preflight)" = 2 ] || die "$(cat /tmp/out.preflight)"
}

starts()
{
	strake /tmp/conf >/tmp/log 2>&1 &
	echo $! >/tmp/pid
	wait_for 60 "grep -q ' serves ' /tmp/log || ! kill -0 $!"
	grep -q ' serves ' /tmp/log || die "$(cat /tmp/log)"
	[ "$(port_figure p0 rss)" = 1 ] && [ "$(port_figure p0 queues)" = 2 ] && [ "$(port_figure p1 rss)" = 0 ] || die "$(cat /tmp/log)"
}

# The first card brings frames to who owns their flow, as we reckon it; both make the sums of what is sent. The first cuts
# what we send and joins what hosts send, the latter saying nothing of the IPv4 header's sum; lcores sleep on its interrupts.
serves()
{
	outside io
	[ "$(port_figure p0 rx_tcp)" -gt 10000 ] && [ "$(port_figure p0 rx_handed)" = 0 ] && [ "$(port_figure p0 tx_cksum_offload)" = 1 ] &&
		[ "$(port_figure p0 tso)" = 1 ] && [ "$(port_figure p0 tx_cut)" -gt 1000 ] &&
		[ "$(port_figure p0 interrupts)" = 1 ] && [ "$(port_figure p0 lro)" = 1 ] && [ "$(port_figure p0 rx_joined)" -gt 1000 ] &&
		[ "$(port_figure p1 rx_tcp)" -gt 1000 ] && [ "$(port_figure p1 tx_cksum_offload)" = 1 ] && [ "$(port_figure p1 tso)" = 0 ] &&
		[ "$(port_figure p1 tx_cut)" = 0 ] || die "$(for p in p0 p1; do strakectl port show $p --name g; done)"
}

ends()
{
	read -r pid </tmp/pid
	kill "$pid"
	wait_for 20 "! kill -0 $pid 2>/dev/null"
	! grep -q 'ERROR' /tmp/log || die "$(cat /tmp/log)"
}

t refused tolerant
t bind tolerant
t starts tolerant
t serves tolerant
t ends tolerant
