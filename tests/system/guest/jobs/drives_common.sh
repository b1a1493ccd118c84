# SPDX-License-Identifier: BSD-3-Clause
# What the jobs on drives share. The appliance runs on this guest's own emulated drives: nvme0 (namespace 1 of 512-byte
# blocks, 2 of 4096), nvme1 (4096, takes 16 KiB at a time), nvme2 (metadata; zones).
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

# The drive that can be pulled, and its slot; after that it has another number.
movable()
{
	for c in /sys/class/nvme/nvme*; do
		grep -q TESTDRIVE1 "$c/serial" && echo /dev/$(cd "$c" && ls -d nvme*n1 nvme*n2 2>/dev/null | head -n 1)
	done
}

address()
{
	cat "$(dirname "$(grep -l TESTDRIVE1 /sys/class/nvme/nvme*/serial)")/address"
}

# Drives that hold nothing, and no appliance left over from a test that failed.
blank()
{
	for p in $(pidof strake); do kill -9 "$p"; done
	for d in /dev/nvme0n1 /dev/nvme0n2 $(movable); do
		dd if=/dev/zero of=$d bs=1M count=4 conv=fsync 2>/dev/null
	done
}

# serve [prefix...]: start on /tmp/conf
serve()
{
	: >/tmp/log # what the one before said must not be taken for it
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
	strake-io verify --length 24M --seed "$1" $HOST
	strake-io bench --pattern randrw --bs 16384 --verify --size 16M --time 1s --depth 16 --json $HOST >/tmp/bench
	grep -q '"mismatches": *0' /tmp/bench || die "$(cat /tmp/bench)"
	strake-io trim --offset 1M --length 2M $HOST
	strake-io zero --offset 4M --length 8M $HOST
}
