# SPDX-License-Identifier: BSD-3-Clause
# The appliance on this guest's own drives, a mirror of two, until the power fails. What goes before this text says what an
# earlier life had flushed ($KEPT, area:seed), which seed comes next ($NEXT), and whether to look at the halves ($HALVES).
modprobe nvme
modprobe virtio_blk
mkdir -p /var && ln -s /run /var/run
for i in $(seq 50); do [ -e /dev/ng0n1 ] && [ -b /dev/vda ] && break; sleep 0.1; done
HOST="--addr 127.0.0.1 --nqn $NQN --quiet"
AREAS=8
seq 1 100 | head -c 64 >/tmp/v0.key
chmod 600 /tmp/v0.key
cat >/tmp/conf <<END
appliance: {name: g, huge: false, memory: 320MiB, buffers: 64MiB, requests: 2048, main_cpu: 0, data_cpus: [1], control: /run/ctl.sock}
drives:
  - {name: d0, kind: nvme, device: ng0n1}
  - {name: d1, kind: uring, path: /dev/vda}
groups:
  - {name: g0, raid: 1, chunk: 64KiB, region: 4MiB, drives: [d0, d1]}
volumes:
  - {name: v0, group: g0, size: 32MiB, lba: 4096, stages: [crypto: {key_file: v0.key}]}
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
	grep -q ' serves ' /tmp/log || die "$(cat /tmp/log)"
}

everything_flushed_is_there()
{
	for k in $KEPT; do
		strake-io verify --read-only --seed "${k#*:}" --offset "${k%:*}M" --length 256K $HOST || die "area $k: $(cat /tmp/log)"
	done
}

# Each half of the mirror has it alone, once it is whole again; the other is taken out meanwhile.
either_half_has_it()
{
	for d in d0 d1; do
		wait_for 60 'strakectl group show g0 --name g --json >/tmp/g; grep -q "\"regions_resync\": 0," /tmp/g'
		strakectl drive fail $d --name g --yes
		everything_flushed_is_there
		strakectl drive return $d --name g
	done
}

quietly()
{
	("$@") >/tmp/out 2>&1 && return 0
	say "$* failed: $(tail -n 20 /tmp/out | tr '\n' ' ')"
	say "lost $KEPT"
	poweroff -f
}

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
