# SPDX-License-Identifier: BSD-3-Clause
# The appliance on this guest's own emulated drives: nvme0 (namespace 1 of 512-byte blocks, 2 of 4096), nvme1 (4096, takes
# 16 KiB at a time), nvme2 (metadata; zones).
modprobe nvme
mkdir -p /var && ln -s /run /var/run
for i in $(seq 50); do [ -e /dev/ng2n1 ] && break; sleep 0.1; done
HOST="--addr 127.0.0.1 --nqn $NQN --quiet"

# conf RAID DRIVE...: a drive is the text behind `kind: nvme, `
conf()
{
	raid=$1
	shift
	echo "appliance: {name: g, huge: false, memory: 320MiB, buffers: 64MiB, requests: 2048, main_cpu: 0, data_cpus: [1], control: /run/ctl.sock}"
	echo "drives:"
	i=0
	names=
	for d in "$@"; do
		echo "  - {name: d$i, kind: nvme, $d}"
		names="$names${names:+, }d$i"
		i=$((i + 1))
	done
	echo "groups:
  - {name: g0, raid: $raid, chunk: 64KiB, region: 4MiB, drives: [$names]}
volumes:
  - {name: v0, group: g0, size: 64MiB, lba: 4096}
subsystems:
  - nqn: \"$NQN\"
    hosts: any
    namespaces: [{volume: v0}]
listeners:
  - {port: kernel, address: 127.0.0.1}"
}

# Drives that hold nothing.
blank()
{
	for d in /dev/nvme0n1 /dev/nvme0n2 /dev/nvme1n1; do
		dd if=/dev/zero of=$d bs=1M count=4 conv=fsync 2>/dev/null
	done
}

# serve [prefix...]: start on /tmp/conf
serve()
{
	"$@" strake /tmp/conf >/tmp/log 2>&1 &
	PID=$!
	for i in $(seq 300); do
		grep -q ' serves ' /tmp/log && return 0
		kill -0 $PID 2>/dev/null || break
		sleep 0.1
	done
	cat /tmp/log
	die "it does not start"
}

end()
{
	kill $PID
	wait $PID
}

# refused TEXT: the appliance must not start, and say why
refused()
{
	! timeout 20 strake /tmp/conf >/tmp/log 2>&1 || die "it started: $(grep kind: /tmp/conf) $(cat /tmp/log)"
	grep -q "$1" /tmp/log || die "it said: $(cat /tmp/log)"
}

show()
{
	strakectl drive show "$1" --name g --json >/tmp/show
}

# is KEY VALUE in what show printed
is()
{
	grep -q "\"$1\": \"\?$2\"\?,\?\$" /tmp/show || die "$1 is not $2: $(cat /tmp/show)"
}

figure()
{
	sed -n "s/.*\"$1\": \([0-9]*\),\?/\1/p" /tmp/show
}

exercise()
{
	strake-io verify --length 48M --seed "$1" $HOST
	strake-io bench --pattern randrw --bs 16384 --verify --size 32M --time 1s --depth 16 --json $HOST >/tmp/bench
	grep -q '"mismatches": *0' /tmp/bench || die "$(cat /tmp/bench)"
	strake-io trim --offset 1M --length 2M $HOST
	strake-io zero --offset 4M --length 8M $HOST
}

by_passthrough()
{
	conf 0 "device: /dev/ng0n1" "device: nvme1n1" >/tmp/conf
	serve
	exercise 1
	show d0
	is access passthrough
	is registered_buffers 1
	is block_size 512
	is ring_enters_most_in_a_turn 1
	is strangers 0
	show d1
	is access passthrough
	is max_transfer 16384
	is block_size 4096
	[ "$(figure commands_cut)" -gt 100 ]
	end
}

by_helper()
{
	blank
	conf 0 "device: ng0n1, access: helper" "device: ng1n1, access: helper" >/tmp/conf
	serve
	exercise 2
	show d0
	is access helper
	is strangers 0
	end
}

# Two namespaces of one controller, by its serial number, mirrored; with blocks of two sizes.
by_serial()
{
	blank
	conf 1 "device: \"serial:TESTDRIVE0/1\"" "device: \"serial:TESTDRIVE0/2\"" >/tmp/conf
	serve
	exercise 3
	show d0
	is device ng0n1
	show d1
	is device ng0n2
	is nsid 2
	is serial TESTDRIVE0/2
	end
}

by_slot()
{
	blank
	slot=$(cat /sys/class/nvme/nvme1/address)
	conf 0 "device: \"$slot\"" >/tmp/conf
	serve
	exercise 4
	show d0
	is slot "$slot"
	is serial TESTDRIVE1
	end
}

by_block_device()
{
	blank
	conf 0 "device: nvme0n1, access: block" "device: nvme1n1, access: block" >/tmp/conf
	serve
	exercise 5
	show d0
	is access block
	is access_why "asked for"
	is serial TESTDRIVE0
	end
}

without_permission()
{
	blank
	conf 0 "device: nvme0n1" "device: nvme1n1" >/tmp/conf
	serve setpriv --bounding-set -sys_admin --inh-caps -sys_admin
	exercise 6
	show d0
	is access block
	is access_why "passthrough is not permitted"
	end
	conf 0 "device: nvme0n1, access: passthrough" >/tmp/conf
	! setpriv --bounding-set -sys_admin --inh-caps -sys_admin timeout 20 strake /tmp/conf >/tmp/log 2>&1
	grep -q "Permission denied" /tmp/log
}

refusals()
{
	conf 0 "device: ng2n1" >/tmp/conf
	refused "8 bytes of metadata"
	conf 0 "device: ng2n2" >/tmp/conf
	refused "zoned namespace"
	conf 0 "device: nvme7n1" >/tmp/conf
	refused "there is no such namespace"
	conf 0 "device: \"serial:TESTDRIVE0\"" >/tmp/conf
	refused "has the namespaces 1, 2; say which\|has the namespaces 2, 1; say which"
	conf 0 "device: \"serial:TESTDRIVE9\"" >/tmp/conf
	refused "no controller has the serial TESTDRIVE9; there are"
	conf 0 "device: nvme1n1" "device: ng1n1" >/tmp/conf
	refused "mounted or used by something else"
	mkfs.ext4 -q /dev/nvme1n1
	mount -t ext4 /dev/nvme1n1 /mnt
	conf 0 "device: nvme1n1" >/tmp/conf
	refused "mounted or used by something else"
	umount /mnt
}

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
	say "resets: $(figure commands_retried) commands were asked again"
	end
}

t by_passthrough
t by_helper
t by_serial
t by_slot
t by_block_device
t without_permission
t refusals
t resets tolerant
