# SPDX-License-Identifier: BSD-3-Clause
# Drives that are reset, grow hot, vanish and return.

# A controller that is reset under load: what it had is asked again, and no host sees an error.
resets()
{
	blank
	conf 0 "device: nvme0n1, timeout: 2s" "device: nvme1n1, timeout: 2s" >/tmp/conf
	serve
	strake-io bench --pattern randrw --bs 16384 --verify --size 32M --time 6s --depth 16 --json $HOST >/tmp/bench &
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

health()
{
	blank
	conf 0 "device: nvme0n1, health: 1s" >/tmp/conf
	serve
	sleep 1
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
	slot=$(cat /sys/class/nvme/nvme1/address)
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
	strakectl drive return d1 --name g
	strake-io verify --length 32M --seed 9 $HOST
	end
}

t resets tolerant
t health
t vanishes_and_returns errors
