# SPDX-License-Identifier: BSD-3-Clause
# What jobs use. A job defines functions and runs each with `t NAME`; a function fails where a command in it does.
TARGET=10.99.0.2
TARGET6=fd99::2
NQN=nqn.2026-11.io.strake:test
NQN2=nqn.2026-11.io.strake:second
NQN3=nqn.2026-11.io.strake:listed
failed=0
# What the kernel says of the emulated processor, of a size it was asked to exceed, of a reset it was told to make, and of
# the way in which nvme-cli asks a controller.
EXPECTED='hrtimer: interrupt took\|clocksource:\|, clamping down\|resetting controller\|no usable path - requeuing\|using deprecated NVME_IOCTL'

# Lines for the machine that runs the guest begin with "guest: ".
say()
{
	echo "guest: $*"
}

# Ask the machine outside to do something to the appliance or the wire, and wait until it has.
outside()
{
	read -r uptime _ </proc/uptime
	say "ask $*" >/dev/console
	read -r answer </dev/ttyS0
	[ "$answer" = done ]
}

die()
{
	echo "$*"
	exit 1
}

# What must not succeed. (Not "!": set -e does not look at what follows one.)
fails()
{
	! "$@" || die "it succeeded: $*"
}

# t NAME [tolerant|errors]: run the function; its output is shown if it fails. What the kernel warned of meanwhile is shown
# and is a failure, unless the test makes trouble on purpose: then only errors of I/O and of the kernel itself are
# (tolerant), or those of the kernel alone (errors).
t()
{
	case $2 in
	tolerant) bad='I/O error\|EXT4-fs\|WARNING:\|BUG:\|Call Trace' ;;
	errors) bad='WARNING:\|BUG:\|Call Trace' ;;
	*) bad=. ;;
	esac
	read -r began _ </proc/uptime
	dmesg -C
	(
		set -e
		"$1"
	) >/tmp/out 2>&1
	status=$?
	dmesg --level=emerg,alert,crit,err,warn | grep -v "$EXPECTED" >/tmp/warn
	uniq -c -f 2 /tmp/warn | sed "s/^/guest: $1: kernel: /"
	[ $status -eq 0 ] && grep -q "$bad" /tmp/warn && status=warned
	read -r ended _ </proc/uptime
	if [ $status = 0 ]; then
		say "ok $1 ($(echo "$ended $began" | awk '{printf "%.1f", $1 - $2}') s)"
	else
		sed "s/^/guest: $1: /" /tmp/out
		[ -z "$2" ] || dmesg | tail -n 30 | sed "s/^/guest: $1: log: /"
		failed=$((failed + 1))
		say "not ok $1 ($status)"
	fi
	umount /mnt 2>/dev/null
	tc qdisc del dev eth0 root 2>/dev/null
	tc qdisc del dev eth0 ingress 2>/dev/null
	nvme disconnect-all >/dev/null 2>&1
}

# port_figure PORT NAME: what the appliance says of a port
port_figure()
{
	strakectl port show "$1" --name g --json | sed -n "s/.*\"$2\": \([0-9]*\),\?/\1/p"
}

# Of a pipeline file: a volume that any host may have, and what is below it.
volume_in_memory()
{
	cat <<-END
		drives:
		  - {name: d0, kind: mem, size: 96MiB}
		groups:
		  - {name: g0, raid: 0, drives: [d0]}
		volumes:
		  - {name: v0, group: g0, size: 64MiB, lba: 4096}
		subsystems:
		  - nqn: "$NQN"
		    hosts: any
		    namespaces: [{volume: v0}]
	END
}

# attach NQN [option of nvme connect]...: $CTRL is the controller, $DEV its first namespace, $DEV2 its second. The
# keep-alive ($KATO, seconds) is long: an emulated processor on a busy machine stands still for seconds.
attach()
{
	nqn=$1
	shift
	nvme connect -t tcp -a $TARGET -s 4420 -n "$nqn" --keep-alive-tmo="${KATO:-30}" "$@"
	find_devices "$nqn"
}

find_devices()
{
	for i in $(seq 100); do
		for s in /sys/class/nvme-subsystem/*; do
			[ "$(cat "$s/subsysnqn" 2>/dev/null)" = "$1" ] || continue
			CTRL=$(cd "$s" && ls -d nvme* | grep -x 'nvme[0-9]*' | head -n 1)
			DEV=/dev/nvme${s##*nvme-subsys}n1
			DEV2=/dev/nvme${s##*nvme-subsys}n2
			[ -b "$DEV" ] && { [ "$1" != $NQN ] || [ -b "$DEV2" ]; } && return 0
		done
		sleep 0.1
	done
	die "no namespace of $1"
}

detach()
{
	nvme disconnect -n "$1"
}

# Direct I/O with verification; wrong bytes and errors end the test.
fio_verify()
{
	fio --name=v --direct=1 --ioengine=libaio --verify=crc32c --verify_fatal=1 --verify_dump=0 --group_reporting \
		--randseed=7 "$@" >/tmp/fio 2>&1 && ! grep -E 'err= *[1-9]|verify:|io_u error' /tmp/fio || {
		tail -n 15 /tmp/fio
		return 1
	}
}

# Whether bytes from an offset on are all zero: zeroes DEV OFFSET LENGTH
zeroes()
{
	unit=4096
	[ $((($2 | $3) % 131072)) -ne 0 ] || unit=131072
	[ "$(dd if="$1" bs=$unit skip=$(($2 / unit)) count=$(($3 / unit)) iflag=direct 2>/dev/null | tr -d '\0' | wc -c)" = 0 ]
}

wait_for()
{
	for i in $(seq $(($1 * 10))); do
		eval "$2" && return 0
		sleep 0.1
	done
	die "not within $1 s: $2"
}

state()
{
	cat "/sys/class/nvme/$CTRL/state"
}
