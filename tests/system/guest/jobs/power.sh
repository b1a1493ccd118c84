# SPDX-License-Identifier: BSD-3-Clause
# The appliance on this guest's own two drives, a mirror or a log group of one part of data and one of parity ($KIND), until
# the power fails. What goes before this text says that, what an earlier life had flushed ($KEPT, area:seed), which seed comes
# next ($NEXT), and whether to look at the halves ($HALVES).
modprobe nvme
modprobe virtio_blk
mkdir -p /var && ln -s /run /var/run
case $KIND in
mirror) FIRST=/dev/ng0n1 SECOND=/dev/vda KINDS="nvme, device: ng0n1" ;;
log) FIRST=/dev/vda SECOND=/dev/vdb KINDS="uring, path: /dev/vda" ;;
esac
for i in $(seq 50); do [ -e $FIRST ] && [ -b $SECOND ] && break; sleep 0.1; done
# An emulated processor on a busy machine stands still for seconds.
HOST="--addr 127.0.0.1 --nqn $NQN --quiet --timeout 60s"
AREAS=8
seq 1 100 | head -c 64 >/tmp/mirror.key
head -c 32 /tmp/mirror.key >/tmp/log.key
chmod 600 /tmp/*.key
case $KIND in
mirror) GROUP="raid: 1, chunk: 64KiB, region: 4MiB" STAGES="crypto: {key_file: mirror.key}" ;;
log) GROUP="style: log, data: 1, parity: 1" STAGES="dedup, compress, seal: {key_file: log.key}" ;;
esac
cat >/tmp/conf <<END
appliance: {name: g, huge: false, memory: 320MiB, buffers: 64MiB, requests: 2048, main_cpu: 0, data_cpus: [1], control: /run/ctl.sock}
drives:
  - {name: d0, kind: $KINDS}
  - {name: d1, kind: uring, path: $SECOND}
groups:
  - {name: g0, $GROUP, drives: [d0, d1]}
volumes:
  - {name: v0, group: g0, size: 32MiB, lba: 4096, stages: [$STAGES]}
subsystems:
  - nqn: "$NQN"
    hosts: any
    namespaces: [{volume: v0}]
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
	say "lost $KEPT"
	poweroff -f
}

: >/tmp/step
watch &
quietly serves
quietly everything_flushed_is_there
[ -z "$HALVES" ] || quietly either_half_has_it
say "whole"
strake-io bench --pattern randwrite --bs 16k --depth 2 --sleep --offset 16M --time 600s $HOST >/tmp/bench 2>&1 &
while :; do
	area=$((NEXT % AREAS))
	outside begin $area
	quietly strake-io verify --seed $NEXT --offset ${area}M --length 256K $HOST
	quietly strake-io flush $HOST
	say "kept $area $NEXT"
	NEXT=$((NEXT + 1))
done
