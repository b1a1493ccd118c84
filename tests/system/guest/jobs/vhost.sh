# SPDX-License-Identifier: BSD-3-Clause
# A port by virtio-user: the kernel's vhost-net has the other end, a tap. A host is at that tap, in a namespace of its own;
# what is not ours goes by the exception tap to a machine with the same addresses, in another. A second port is on a VLAN.
modprobe tun
modprobe 8021q
modprobe vhost_net
mkdir -p /var && ln -s /run /var/run
OURS=10.98.0.2 OURS6=fd98::2 ATHOST=10.98.0.1 ATHOST6=fd98::1 TAGGED=10.95.0.2
HOST="--nqn $NQN --quiet --addr"

cat >/tmp/conf <<END
appliance: {name: g, huge: false, memory: 320MiB, buffers: 64MiB, requests: 2048, main_cpu: 0, data_cpus: [1], control: /run/ctl.sock}
ports:
  - name: p0
    device: "net_virtio_user0,path=/dev/vhost-net,iface=wire,queues=1,queue_size=256"
    addresses: [$OURS/24, "$OURS6/64"]
    exception: nic0
  - name: p1
    device: "net_virtio_user1,path=/dev/vhost-net,iface=wire1,queues=1,queue_size=256"
    addresses: [$TAGGED/24]
    vlan: 42
$(volume_in_memory)
listeners:
  - {port: p0, address: $OURS}
  - {port: p0, address: "$OURS6"}
  - {port: p1, address: $TAGGED}
END

at_host()
{
	ip netns exec host "$@"
}

starts()
{
	strake /tmp/conf >/tmp/log 2>&1 &
	echo $! >/tmp/pid
	wait_for 30 "grep -q ' serves ' /tmp/log || ! kill -0 $!"
	grep -q ' serves ' /tmp/log || die "$(cat /tmp/log)"
	ip netns add host
	ip netns add machine
	ip link set wire netns host
	ip link set nic0 netns machine
	at_host ip link set wire address 52:54:00:99:00:01 # it has ours: it is meant to be the same machine
	at_host ip addr add $ATHOST/24 dev wire
	at_host ip addr add $ATHOST6/64 dev wire nodad
	at_host ip link set wire up
	ip link set wire1 netns host
	at_host ip link set wire1 address 52:54:00:99:00:02
	at_host ip link set wire1 up
	at_host ip link add link wire1 name wire1.42 type vlan id 42
	at_host ip addr add 10.95.0.1/24 dev wire1.42
	at_host ip link set wire1.42 up
	ip netns exec machine ip addr add $OURS/24 dev nic0
	ip netns exec machine ip addr add $OURS6/64 dev nic0 nodad
	ip netns exec machine ip link set nic0 up
	ip netns exec machine nc -ll -p 22 -e cat &
	echo "$!" >>/tmp/pid
}

# The kernel cuts what we send, if it need be cut. What its TCP has not cut we do not take as it is: some may not be for us.
io()
{
	at_host strake-io verify --length 24M --seed 1 $HOST $OURS
	at_host strake-io verify --length 24M --seed 1 --read-only $HOST $OURS6
	at_host strake-io bench --pattern randrw --bs 16384 --verify --size 16M --time 2s --depth 16 --json $HOST $OURS >/tmp/bench
	grep -q '"mismatches": *0' /tmp/bench || die "$(cat /tmp/bench)"
	[ "$(port_figure p0 tso)" = 1 ] && [ "$(port_figure p0 tx_cut)" -gt 500 ] && [ "$(port_figure p0 lro)" = 0 ] && [ "$(port_figure p0 rx_joined)" = 0 ] ||
		die "$(strakectl port show p0 --name g)"
}

# The same with a tag, and where all that comes is ours what the kernel's TCP has not cut is taken as it is.
tagged()
{
	at_host strake-io verify --length 24M --seed 2 $HOST $TAGGED
	at_host strake-io bench --pattern randrw --bs 131072 --verify --size 16M --time 2s --depth 4 --json $HOST $TAGGED >/tmp/bench
	grep -q '"mismatches": *0' /tmp/bench || die "$(cat /tmp/bench)"
	[ "$(port_figure p1 tx_cut)" -gt 500 ] && [ "$(port_figure p1 lro)" = 1 ] && [ "$(port_figure p1 rx_joined)" -gt 500 ] ||
		die "$(strakectl port show p1 --name g)"
}

# Lines come back from the machine behind us, a closed port is refused by it, and it calls the host, while I/O runs.
exception()
{
	at_host strake-io bench --pattern randrw --bs 16384 --verify --size 16M --time 6s --depth 4 --json $HOST $OURS >/tmp/bench &
	job=$!
	for address in $OURS $OURS6; do
		head -c 100000 /dev/urandom | od -An -tx1 >/tmp/typed
		at_host timeout 10 nc $address 22 </tmp/typed >/tmp/echoed &
		typist=$!
		wait_for 10 'cmp -s /tmp/typed /tmp/echoed'
		kill $typist 2>/dev/null || :
		rm /tmp/echoed
	done
	fails at_host timeout 3 nc $OURS 23 </dev/null
	ip netns exec machine ping -c 3 -i 0.2 -W 2 $ATHOST
	ip netns exec machine ping -c 3 -i 0.2 -W 2 $ATHOST6
	at_host ping -c 3 -i 0.2 -W 2 $OURS
	wait $job || die "$(cat /tmp/bench)"
	grep -q '"mismatches": *0' /tmp/bench || die "$(cat /tmp/bench)"
	[ "$(port_figure p0 exception_to_kernel)" -gt 100 ] && [ "$(port_figure p0 exception_from_kernel)" -gt 100 ] ||
		die "$(strakectl port show p0 --name g)"
}

ends()
{
	read -r pid </tmp/pid
	kill "$pid"
	wait_for 20 "! kill -0 $pid 2>/dev/null"
	fails ip netns exec host ip link show wire
}

t starts tolerant
t io tolerant
t tagged tolerant
t exception tolerant
t ends tolerant
