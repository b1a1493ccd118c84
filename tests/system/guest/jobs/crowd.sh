# SPDX-License-Identifier: BSD-3-Clause
# Many controllers at once, hosts that come and go, hosts that fall silent, and hosts that wait for news.
HOST=nqn.2014-08.org.nvmexpress:uuid:5f1c2a90-3b1f-4a07-9c43-0c6b6f1d2e77

# join NQN N [option,...]: a host of its own connects by the kernel's own interface; its controller is in $joined
join()
{
	id=$(printf 'dddddddd-0000-4000-8000-%012x' "$2")
	joined=$({ echo "transport=tcp,traddr=$TARGET,trsvcid=4420,nqn=$1,hostid=$id,nr_io_queues=1,keep_alive_tmo=60,queue_size=16$3,hostnqn=nqn.2014-08.org.nvmexpress:uuid:$id" >&3 &&
		sed 's/.*instance=\([0-9]*\).*/nvme\1/' <&3; } 3<>/dev/nvme-fabrics)
	[ -e "/sys/class/nvme/$joined" ] || die "host $2 was refused"
}

# Each host writes a block of its own through its own controller, and reads the block of the one before.
sixty_four_controllers()
{
	for i in $(seq 64); do
		join $NQN2 "$i"
		echo "$joined" >>/tmp/joined
	done
	[ "$(cat /sys/class/nvme/*/state | grep -c live)" = 64 ]
	outside expect controllers 64
	i=0
	for c in $(cat /tmp/joined); do
		printf "%04096d" $i >/tmp/w
		nvme io-passthru "/dev/$c" --opcode=1 --namespace-id=1 --cdw10=$i --data-len=4096 --write --input-file=/tmp/w
		i=$((i + 1))
	done >/dev/null 2>&1
	i=64
	for c in $(cat /tmp/joined); do
		i=$((i - 1))
		nvme io-passthru "/dev/$c" --opcode=2 --namespace-id=1 --cdw10=$i --data-len=4096 --read --raw-binary >/tmp/r 2>/dev/null
		printf "%04096d" $i | cmp - /tmp/r
	done
	nvme disconnect -n $NQN2
	outside expect controllers 0
}

# Two hosts write halves of the same namespace, at the same time and with verification; each sees the other's.
hosts_of_one_namespace()
{
	join $NQN2 1
	a=$joined
	join $NQN2 2
	find_devices $NQN2
	for half in 0 16; do
		fio_verify --filename="$DEV" --rw=randwrite --bs=16k --iodepth=8 --size=16M --offset=${half}M >/tmp/half$half 2>&1 &
		eval "job$half=\$!"
	done
	wait "$job0" || die "$(cat /tmp/half0)"
	wait "$job16" || die "$(cat /tmp/half16)"
	dd if="$DEV" bs=1M count=32 iflag=direct 2>/dev/null | md5sum >/tmp/before
	nvme disconnect -d "$a"
	dd if="$DEV" bs=1M count=32 iflag=direct 2>/dev/null | md5sum | cmp - /tmp/before
}

# The wire takes no frame of the host's: the appliance ends its controller when the keep-alive runs out, not before.
keep_alive_expiry()
{
	KATO=3 attach $NQN --reconnect-delay=1 --ctrl-loss-tmo=60
	outside expect controllers 1
	tc qdisc add dev eth0 root netem loss 100%
	sleep 1
	outside expect controllers 1
	outside expect controllers 0
	tc qdisc del dev eth0 root
	wait_for 20 '[ "$(state)" = live ]'
	outside expect controllers 1
	fio_verify --filename="$DEV" --rw=randwrite --bs=16k --iodepth=8 --size=4M
}

discovery_log()
{
	nvme get-log "/dev/$1" -i 0x70 -l 8192 -b | tr '\0' '\n' >/tmp/d
}

# The persistent discovery controller hears that there is more to find, and then that there is less.
discovery_changes()
{
	rm -f /tmp/events
	uevent sh -c 'env | grep NVME_ >>/tmp/events' &
	listener=$!
	nvme discover -t tcp -a $TARGET -s 4420 -p -k 30 >/tmp/d
	fails grep -q "$NQN3" /tmp/d
	c=$(grep -l discovery /sys/class/nvme/*/subsysnqn | cut -d / -f 5)
	outside ctl host allow $NQN3 $HOST
	wait_for 10 'grep -q "NVME_AEN=0x70f002" /tmp/events'
	discovery_log "$c"
	grep -q $NQN3 /tmp/d
	attach $NQN3
	dd if="$DEV" of=/dev/null bs=64k count=4 iflag=direct # the kernel has looked at it: its scans wait for paths
	rm /tmp/events
	outside ctl host deny $NQN3 $HOST
	wait_for 10 'grep -q "NVME_AEN=0x70f002" /tmp/events'
	discovery_log "$c"
	fails grep -q $NQN3 /tmp/d
	kill $listener
	nvme disconnect -n $NQN3
	fails nvme connect -t tcp -a $TARGET -s 4420 -n $NQN3 2>/tmp/o
}

# What no one offers, and what comes twice.
wrong_connects()
{
	fails nvme connect -t tcp -a $TARGET -s 4420 -n ${NQN}x
	fails nvme connect -t tcp -a $TARGET -s 4421 -n $NQN
	fails nvme connect -t tcp -a $TARGET -s 4420 -n $NQN3
	attach $NQN
	fails nvme connect -t tcp -a $TARGET -s 4420 -n $NQN
	echo "transport=tcp,traddr=$TARGET,trsvcid=4420,nqn=$NQN,hostid=${HOST##*:},hostnqn=$HOST,duplicate_connect" >/dev/nvme-fabrics
	outside expect controllers 2
	nvme disconnect -n $NQN
	outside expect controllers 0
}

# Unplugged under load, again and again: what was under way ends with an error, and nothing is left behind.
disconnects_under_load()
{
	for i in 1 2 3; do
		attach $NQN
		fio --name=v --direct=1 --ioengine=libaio --filename="$DEV" --rw=randrw --bsrange=4k-128k --iodepth=64 --size=64M \
			--time_based --runtime=20 >/tmp/fio 2>&1 &
		load=$!
		sleep 2
		nvme disconnect -n $NQN
		fails wait $load
		outside expect controllers 0
	done
	attach $NQN
	fio_verify --filename="$DEV" --rw=randwrite --bs=16k --iodepth=8 --size=4M
}

t sixty_four_controllers
t hosts_of_one_namespace
t keep_alive_expiry tolerant
t discovery_changes errors
t wrong_connects errors
t disconnects_under_load errors
