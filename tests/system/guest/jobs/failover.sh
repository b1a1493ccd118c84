# SPDX-License-Identifier: BSD-3-Clause
# Two paths to one namespace, and how long I/O stands still when one of them fails. The host's settings are its defaults.
# The emulated processor is part of each figure; what others keep from it is not: a device of the guest's own, which takes
# PACE ms for each write by the guest's timer, shows how long the guest itself stood still meanwhile.
PACE=20
SECOND=10.98.0.2

# By the first path, and by the other, whose address is given.
connect_both()
{
	nvme connect -t tcp -a $TARGET -s 4420 -n $NQN
	find_devices $NQN
	first=$CTRL
	nvme connect -t tcp -a "$1" -s 4420 -n $NQN
	wait_for 10 '[ "$(ls -d /sys/class/nvme/nvme*/nvme*c*n1 | wc -l)" = 2 ]'
}

# Every write through the first path, until it fails: the second is not optimized.
two_paths()
{
	outside ctl listener ana "[$TARGET6]:4420" non_optimized
	outside ctl listener ana $TARGET:4420 optimized
	connect_both $TARGET6
	second=$(basename "$(ls -d /sys/class/nvme/nvme* | grep -vx "/sys/class/nvme/$first" | head -n 1)")
	wait_for 10 '[ "$(cat /sys/class/nvme/$second/nvme*c*n1/ana_state)" = non-optimized ]'
	[ "$(cat /sys/class/nvme/"$first"/nvme*c*n1/ana_state)" = optimized ]
}

# load: writes with a record of the longest; then stall MILLISECONDS SECONDS: so many later, it was not longer.
load()
{
	fio --direct=1 --ioengine=libaio --rw=randwrite --bs=4k --iodepth=4 --size=16M --time_based --runtime=300 \
		--output-format=terse --name=host --filename="$DEV" --rate_iops=,100 --name=guest --filename=/dev/nullb0 >/tmp/fio 2>&1 &
	load=$!
	sleep 3
}

# longest JOB: the longest write, ms
longest()
{
	echo $(($(grep "^3;[^;]*;$1;" /tmp/fio | cut -d ';' -f 56) / 1000))
}

stall()
{
	sleep "$2"
	kill $load # the end it was given is after that of the test, however slow the machine
	wait $load || :
	errors=$(grep '^3;' /tmp/fio | cut -d ';' -f 5 | grep -vcx 0 || :)
	took=$(longest host)
	itself=$(($(longest guest) - PACE))
	say "$name: I/O stood still for $took ms, the guest itself for $itself ms" >/dev/console
	[ "$errors" = 0 ] && [ $((took - itself)) -le "$1" ] ||
		die "$errors with errors, $took ms, the guest itself $itself ms, and $1 were to be had: $(cat /tmp/fio)"
}

# The appliance closes the connections of the path in use.
closed()
{
	name=closed
	two_paths
	load
	outside drop 10.99.0.1
	stall 1000 3
	wait_for 15 '[ "$(cat /sys/class/nvme/$first/state)" = live ]'
}

# The path in use is told to be no more, and hosts to take the other.
announced()
{
	name=announced
	two_paths
	load
	outside ctl listener ana "[$TARGET6]:4420" optimized
	outside ctl listener ana $TARGET:4420 inaccessible
	stall 1000 3
}

# Neither path can be used, until it is announced on the other: what waits goes on. Two seconds of it are the test's.
announced_on_the_other()
{
	name=announced_on_the_other
	two_paths
	load
	outside ctl listener ana "[$TARGET6]:4420" inaccessible
	outside ctl listener ana $TARGET:4420 inaccessible
	read -r from _ </proc/uptime
	sleep 2
	outside ctl listener ana "[$TARGET6]:4420" optimized
	read -r to _ </proc/uptime
	stall $((1000 + $(echo "$from $to" | awk '{printf "%d", ($2 - $1) * 1000}'))) 3
}

# Nothing comes back any more, and nothing says so: the host's frames go astray.
silent()
{
	name=silent
	two_paths
	load
	mac=$(ip neigh show $TARGET dev eth0 | sed -n 's/.*lladdr \([^ ]*\).*/\1/p')
	ip neigh replace $TARGET lladdr 52:54:00:00:00:fe dev eth0 nud permanent
	stall 10000 15
	ip neigh replace $TARGET lladdr "$mac" dev eth0 nud reachable
	wait_for 30 '[ "$(cat /sys/class/nvme/$first/state)" = live ]'
}

# When the kernel said so, in ms since it began.
said_at()
{
	dmesg | sed -n "s/^\[ *\([0-9]*\)\.\([0-9][0-9][0-9]\).*$1.*/\1\2/p" | head -n 1
}

# Two devices of the appliance, each with a cable of its own. That of the one in use is pulled, and put in again: nothing
# tells the host so but the appliance, which misses its keep-alive, by the other. Without that Linux 6.1 waits for its own
# keep-alive to time out, and then as long once more before it lets go of what it had sent there.
cable()
{
	name=cable
	outside ctl listener ana $SECOND:4420 non_optimized
	connect_both $SECOND
	load
	read -r cut _ </proc/uptime
	cut=${cut%.*}${cut#*.}0
	outside cut
	wait_for 30 '[ -n "$(said_at "Reconnecting in")" ]'
	found=$(said_at "starting error recovery")
	over=$(said_at "Reconnecting in")
	say "$name: found out after $((found - cut)) ms, let go after $((over - cut)) ms" >/dev/console
	stall 10000 15
	[ "$(cat /sys/class/nvme/$first/state)" != live ]
	outside mend
	wait_for 30 '[ "$(cat /sys/class/nvme/$first/state)" = live ]'
}

# As systemd sets it; strictly (1) a host drops what comes in by another device than its answer would leave by.
echo 2 >/proc/sys/net/ipv4/conf/all/rp_filter
ip addr add 10.98.0.1/24 dev eth1
ip link set eth1 up
modprobe null_blk nr_devices=1 gb=1 irqmode=2 completion_nsec=${PACE}000000
t cable tolerant
t closed tolerant
t announced tolerant
t announced_on_the_other tolerant
t silent tolerant
outside ctl listener ana "[$TARGET6]:4420" optimized
outside ctl listener ana $TARGET:4420 optimized
