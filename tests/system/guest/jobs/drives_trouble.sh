# SPDX-License-Identifier: BSD-3-Clause
# Drives that are reset, grow hot, vanish and return, and what an operator does to them.

# A controller that is reset under load: what it had is asked again, and no host sees an error.
resets()
{
	blank
	conf 0 "device: nvme0n1, timeout: 2s" "device: nvme1n1, timeout: 2s" >/tmp/conf
	serve
	strake-io bench --pattern randrw --bs 16384 --verify --size 32M --time 6s --depth 16 --timeout 60s --json $HOST \
		>/tmp/bench &
	job=$!
	for i in 1 2 3; do
		sleep 1
		nvme reset /dev/nvme0
	done
	wait $job || die "$(cat /tmp/bench /tmp/log)"
	grep -q '"mismatches": *0' /tmp/bench || die "$(cat /tmp/bench)"
	show d0
	is strangers 0
	is out_of_use no
	say "resets: $(figure commands_retried) commands were asked again" >/dev/console
	end
}

# A drive that loses a command: the kernel tries to abort it after 6 s, resets the controller after 6 more, and no host
# sees an error. QEMU stands still while it takes a queue with such a command down, so it gives it back by itself, after
# 15 s, and is told to be quick again before the command that is tried anew has waited as long.
hangs()
{
	blank
	conf 0 "device: nvme0n1, timeout: 6s" >/tmp/conf
	serve
	strake-io bench --pattern randrw --bs 16384 --verify --size 2M --time 3s --depth 1 --timeout 120s --json $HOST \
		>/tmp/bench &
	job=$!
	sleep 1
	outside hang
	wait_for 60 'dmesg | grep -q "timeout, reset controller"'
	outside flow
	wait $job || die "$(cat /tmp/bench /tmp/log)"
	grep -q '"mismatches": *0' /tmp/bench || die "$(cat /tmp/bench)"
	show d0
	is out_of_use no
	[ "$(figure commands_retried)" -gt 0 ] || die "$(cat /tmp/show)"
	end
}

health()
{
	blank
	conf 0 "device: nvme0n1, health: 1s, max_celsius: 30" >/tmp/conf
	serve
	# It has 50 from its beginning.
	wait_for 10 'grep -q "C; it warns at 30" /tmp/log'
	show d0
	is celsius "$(nvme smart-log /dev/nvme0 -o json | sed -n 's/.*"temperature" *: *\([0-9]*\).*/\1/p' | awk '{print $1 - 273}')"
	is critical_warning 0
	# A limit below the drive's temperature makes it warn.
	nvme set-feature /dev/nvme0 -f 4 -v 290
	wait_for 10 'grep -q "temperature is outside its limits" /tmp/log'
	show d0
	is critical_warning 2
	nvme set-feature /dev/nvme0 -f 4 -v 340
	end
}

# One half of a mirror is pulled out under load and put in again.
vanishes_and_returns()
{
	blank
	conf 1 "device: ng0n2" "device: ng1n1" >/tmp/conf
	serve
	strake-io bench --pattern randrw --bs 16384 --verify --size 32M --time 4s --depth 8 --json $HOST >/tmp/bench &
	job=$!
	sleep 2
	slot=$(address)
	echo 1 >"/sys/bus/pci/devices/$slot/remove"
	wait $job || die "$(cat /tmp/bench /tmp/log)"
	grep -q '"mismatches": *0' /tmp/bench || die "$(cat /tmp/bench)"
	wait_for 10 'grep -q "has vanished" /tmp/log'
	show d1
	is out_of_use vanished
	show d0
	is out_of_use no
	echo 1 >/sys/bus/pci/rescan
	for i in $(seq 100); do grep -q "is back" /tmp/log && break; sleep 0.2; done
	grep -q "is back" /tmp/log || die "$(cat /tmp/log; ls /dev/nvme* /dev/ng* /sys/class/nvme)"
	show d1
	is out_of_use no
	in_sync $((36 << 20))
	strake-io verify --length 32M --seed 9 $HOST
	end
}

# The second drive has all that the first has. $1: how much may have been copied in all.
in_sync()
{
	for i in $(seq 300); do
		strakectl group show g0 --name g --json >/tmp/show
		grep -q '"member_1": "in_sync d1"' /tmp/show && break
		sleep 0.1
	done
	grep -q '"member_1": "in_sync d1"' /tmp/show || die "not in sync: $(cat /tmp/show /tmp/log)"
	[ "$(figure resync_bytes)" -le "$1" ] || die "copied: $(cat /tmp/show)"
}

# It is pulled under load and put into another slot: found by its serial number, and only what changed is copied.
moves_to_another_slot()
{
	blank
	conf 1 "device: \"serial:TESTDRIVE0/2\"" "device: \"serial:TESTDRIVE1\"" >/tmp/conf
	serve
	strake-io verify --length 48M --seed 10 $HOST
	# What was written last counts as changed until its regions are called clean.
	wait_for 60 'strakectl group show g0 --name g --json | grep -q "\"regions_dirty\": 0,"'
	strake-io bench --pattern randrw --bs 16384 --verify --size 8M --time 12s --depth 4 --json $HOST >/tmp/bench &
	job=$!
	slot=$(address)
	outside unplug
	wait_for 20 'grep -q "has vanished" /tmp/log'
	outside plug slot3
	wait_for 30 'grep -q "is back" /tmp/log'
	in_sync $((12 << 20))
	wait $job || die "$(cat /tmp/bench /tmp/log)"
	grep -q '"mismatches": *0' /tmp/bench || die "$(cat /tmp/bench)"
	show d1
	! grep -q "\"slot\": \"$slot\"" /tmp/show || die "it is where it was"
	strake-io verify --length 48M --seed 11 $HOST
	end
}

# What strakectl does to drives, while a host goes on.
operator()
{
	blank
	conf 1 "device: ng0n2" "device: \"serial:TESTDRIVE1\"" >/tmp/conf
	serve
	strakectl drive health d1 --name g --json >/tmp/show
	is out_of_use no
	grep -q celsius /tmp/show
	slot=$(dirname "$(grep -l "^$(address | cut -d . -f 1)$" /sys/bus/pci/slots/*/address)")
	strakectl drive locate d1 --name g
	[ "$(cat "$slot/attention")" = 1 ]
	strakectl drive dark d1 --name g
	[ "$(cat "$slot/attention")" = 0 ]
	strakectl drive format d1 --yes --name g >/tmp/said 2>&1 && die "it formats what is in service"
	grep -q "is in service" /tmp/said
	strakectl drive replace d1 --name g --at ng0n1 </dev/null >/tmp/said 2>&1 && die "it did not ask"
	grep -q "say --yes" /tmp/said
	strake-io bench --pattern randrw --bs 16384 --verify --size 8M --time 8s --depth 4 --json $HOST >/tmp/bench &
	job=$!
	strakectl drive remove d1 --yes --name g
	! strakectl drive show d1 --name g || die "it is still open"
	# Exclusively, which only goes where nobody holds it; behind the volume.
	wait_for 5 'blkdiscard -o 100M -l 4096 $(movable)'
	strakectl drive add d1 --name g
	in_sync $((12 << 20))
	strakectl drive replace d1 --at ng0n1 --yes --name g
	in_sync $((200 << 20))
	[ "$(figure resync_bytes)" -ge $((64 << 20)) ] || die "$(cat /tmp/show)"
	wait $job || die "$(cat /tmp/bench /tmp/log)"
	grep -q '"mismatches": *0' /tmp/bench || die "$(cat /tmp/bench)"
	show d1
	is device ng0n1
	strakectl config save /tmp/saved --name g
	grep -q "ng0n1" /tmp/saved
	strakectl drive fail d1 --yes --name g
	strakectl drive format d1 --yes --name g
	strakectl drive return d1 --name g
	in_sync $((400 << 20))
	strake-io verify --length 24M --seed 12 $HOST
	! strakectl drive sanitize d1 --yes --name g || die "it sanitizes what is in service"
	end
}

t resets tolerant
t hangs tolerant
t health
t operator errors
t vanishes_and_returns errors
t moves_to_another_slot errors
