# SPDX-License-Identifier: BSD-3-Clause
# The appliance on this guest's own two drives, a mirror or a log group of one part of data and one of parity ($KIND), until
# the power fails. What goes before this text says that, what an earlier life had flushed ($KEPT, area:seed), which seed comes
# next ($NEXT), whether to look at the halves ($HALVES), whether this is the first life ($BLANK), and what the kernel's own
# host was told that it has reserved ("$KEY $TYPE" of the second volume, or empty: nobody knows). The appliance's state is
# on a disk of its own, which loses and tears as well.
modprobe nvme
modprobe virtio_blk
mkdir -p /var && ln -s /run /var/run
case $KIND in
mirror) FIRST=/dev/ng0n1 SECOND=/dev/vda KINDS="nvme, device: ng0n1" ;;
log) FIRST=/dev/vda SECOND=/dev/vdb KINDS="uring, path: /dev/vda" ;;
esac
for i in $(seq 50); do [ -e $FIRST ] && [ -b $SECOND ] && grep -qs POWER2 /sys/block/vd*/serial && break; sleep 0.1; done
STATE=/dev/$(basename "$(dirname "$(grep -l POWER2 /sys/block/vd*/serial)")")
[ -z "$BLANK" ] || mkfs.ext4 -q -F "$STATE"
mount -t ext4 "$STATE" /mnt || say "the disk of the appliance's state cannot be mounted: $(dmesg | tail -n 3 | tr '\n' ' ')"
# An emulated processor on a busy machine stands still for seconds.
HOST="--addr 127.0.0.1 --quiet --timeout 60s --nqn $NQN"
OTHER="--addr 127.0.0.1 --quiet --timeout 60s --nqn $NQN2"
AREAS=8
seq 1 100 | head -c 64 >/tmp/mirror.key
head -c 32 /tmp/mirror.key >/tmp/log.key
chmod 600 /tmp/*.key
case $KIND in
mirror) GROUP="raid: 1, chunk: 64KiB, region: 4MiB" STAGES="crypto: {key_file: mirror.key}" ;;
log) GROUP="style: log, data: 1, parity: 1" STAGES="dedup, compress, seal: {key_file: log.key}" ;;
esac
cat >/tmp/conf <<END
appliance: {name: g, huge: false, memory: 320MiB, buffers: 64MiB, requests: 2048, main_cpu: 0, data_cpus: [1], control: /run/ctl.sock, state: /mnt/state}
drives:
  - {name: d0, kind: $KINDS}
  - {name: d1, kind: uring, path: $SECOND}
groups:
  - {name: g0, $GROUP, drives: [d0, d1]}
volumes:
  - {name: v0, group: g0, size: 32MiB, lba: 4096, stages: [$STAGES]}
  - {name: v1, group: g0, size: 4MiB, lba: 4096, stages: [$STAGES]}
subsystems:
  - nqn: "$NQN"
    hosts: any
    namespaces: [{volume: v0}]
  - nqn: "$NQN2"
    hosts: any
    namespaces: [{volume: v1}]
listeners:
  - {port: kernel, address: 127.0.0.1}
END

serves()
{
	strake /tmp/conf >/tmp/log 2>&1 &
	wait_for 60 "grep -q ' serves ' /tmp/log || ! kill -0 $!"
	grep -q ' serves ' /tmp/log && return 0
	kill -9 $!
	wait $!
	die "status $?: $(cat /tmp/log; dmesg | tail -n 5)"
}

everything_flushed_is_there()
{
	for k in $KEPT; do
		strake-io verify --read-only --seed "${k#*:}" --offset "${k%:*}M" --length 256K $HOST || die "area $k: $(cat /tmp/log)"
	done
}

whole()
{
	strakectl group show g0 --name g --json >/tmp/g
	grep -q "in_sync d0" /tmp/g && grep -q "in_sync d1" /tmp/g && ! grep -q '"regions_resync": [1-9]' /tmp/g
}

# Each half of the mirror, or each drive of the log group, has it alone, once it is whole again; the other is taken out meanwhile.
either_half_has_it()
{
	for d in d0 d1; do
		wait_for 60 whole
		strakectl drive fail $d --name g --yes
		everything_flushed_is_there
		strakectl drive return $d --name g
	done
}

# The kernel's host, whose name and identifier are the same in every life: $CTRL is its controller, of one namespace.
joins()
{
	before=$(ls /sys/class/nvme)
	nvme connect -t tcp -a 127.0.0.1 -s 4420 -n $NQN2 -i 1 --keep-alive-tmo=60
	CTRL=/dev/$(ls /sys/class/nvme | grep -vxF "$before" | head -n 1)
	wait_for 20 '[ "$(cat /sys/class/nvme/${CTRL#/dev/}/state)" = live ]'
	# It asks for its namespaces after that, and knows no I/O command before.
	wait_for 20 "ls -d /sys/class/nvme/${CTRL#/dev/}/nvme*n1"
}

# What it was answered before the power failed: it is registered, and has reserved the volume, which others may not write.
reservation_is_there()
{
	[ -n "$KEY" ] || return 0
	nvme resv-report "$CTRL" -n 1 --eds >/tmp/report
	grep -q "^rtype *: $TYPE\$" /tmp/report && grep -q '^regctl *: 1$' /tmp/report && grep -q '^ptpls *: 1$' /tmp/report &&
		grep -q "^ *rkey *: $(printf %x "$KEY")\$" /tmp/report && grep -q '^ *rcsts *: 1$' /tmp/report ||
		die "not $KEY $TYPE: $(cat /tmp/report; ls -l /mnt/state)"
	fails strake-io zero --length 4K $OTHER
}

# reserves KEY TYPE: another key and another type than before, whatever that was.
reserves()
{
	nvme resv-report "$CTRL" -n 1 --eds >/tmp/report
	case $(sed -n 's/^regctl *: //p' /tmp/report) in
	0) nvme resv-register "$CTRL" -n 1 --nrkey="$1" --rrega=0 --cptpl=3 ;;
	*) nvme resv-register "$CTRL" -n 1 --nrkey="$1" --rrega=2 --iekey --cptpl=3 ;;
	esac
	case $(sed -n 's/^rtype *: //p' /tmp/report) in
	0) nvme resv-acquire "$CTRL" -n 1 --crkey="$1" --rtype="$2" --racqa=0 ;;
	5 | 6) nvme resv-acquire "$CTRL" -n 1 --crkey="$1" --prkey=0 --rtype="$2" --racqa=1 ;; # of all registrants
	*) nvme resv-acquire "$CTRL" -n 1 --crkey="$1" --prkey="$1" --rtype="$2" --racqa=1 ;;
	esac
}

threads()
{
	for t in /proc/"$(pidof strake)"/task/*; do
		echo "$(cat "$t/comm"): $(cut -d ' ' -f 3,14,15 "$t/stat") $(head -n 5 "$t/stack" | tr '\n' ' ')"
	done
}

# A step that takes 10 s is told, with what the appliance's threads do meanwhile and how much time they have had.
watch()
{
	while sleep 5; do
		read -r now _ </proc/uptime
		read -r began what </tmp/step
		began=${began:-$now}
		[ $((${now%.*} - ${began%.*})) -lt 10 ] ||
			say "slow: at $now s, since $began s: $what: $(threads 2>&1 | tr '\n' ';') load $(cat /proc/loadavg)"
	done
}

quietly()
{
	read -r now _ </proc/uptime
	echo "$now $*" >/tmp/step
	("$@") >/tmp/out 2>&1 && return 0
	say "$* failed: $(tail -n 20 /tmp/out | tr '\n' ' ')"
	say "lost $KEPT; $KEY $TYPE"
	poweroff -f
}

: >/tmp/step
watch &
quietly serves
quietly everything_flushed_is_there
joins >/tmp/joined 2>&1 || say "the kernel's host does not connect: $(cat /tmp/joined; tail -n 3 /tmp/log)"
quietly reservation_is_there
[ -z "$HALVES" ] || quietly either_half_has_it
say "whole"
strake-io bench --pattern randwrite --bs 16k --depth 2 --sleep --offset 16M --time 600s $HOST >/tmp/bench 2>&1 &
while :; do
	area=$((NEXT % AREAS))
	outside begin $area
	quietly strake-io verify --seed $NEXT --offset ${area}M --length 256K $HOST
	quietly strake-io flush $HOST
	if [ -z "$RESERVED" ]; then
		RESERVED=$((NEXT + 1))
		outside begin reservation
		quietly reserves $RESERVED $((NEXT % 6 + 1))
		say "reserved $RESERVED $((NEXT % 6 + 1))"
	fi
	say "kept $area $NEXT"
	NEXT=$((NEXT + 1))
done
