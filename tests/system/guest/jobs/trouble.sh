# SPDX-License-Identifier: BSD-3-Clause
# What goes wrong: a bad wire, a silent appliance, one that restarts or dies, one that stays away.
PATIENT="--reconnect-delay=1 --ctrl-loss-tmo=300"

# load FILE: verified writes of some ten seconds in the background, finished by wait_for_load. (Not fio's time_based: its
# second round of mixed I/O takes the headers of the first for wrong. Nor its rate_iops: that counts the smallest size.)
load()
{
	fio --name=v --direct=1 --ioengine=libaio --verify=crc32c --verify_fatal=1 --verify_dump=0 --rw=randwrite \
		--bsrange=4k-64k --iodepth=16 --filename="$1" --size=16M --rate=100m,1600k --randseed=5 >/tmp/fio 2>&1 &
	load=$!
	sleep 1
}

wait_for_load()
{
	wait $load || die "$(cat /tmp/fio)"
	fails grep -E 'err= *[1-9]|verify:' /tmp/fio
}

# No answer may take longer than TCP's own recovery: some retransmissions, each after twice the time of the one before.
# $MOST is that in milliseconds.
bad_wire()
{
	attach $NQN "$@"
	tc qdisc add dev eth0 root netem $OUT
	[ -z "$IN" ] || {
		ip link set ifb0 up
		tc qdisc replace dev eth0 ingress
		tc filter replace dev eth0 parent ffff: protocol all prio 1 matchall action mirred egress redirect dev ifb0
		tc qdisc replace dev ifb0 root netem $IN
	}
	fio_verify --filename="$DEV" --rw=randrw --rwmixread=50 --bsrange=4k-64k --iodepth=16 --size=8M \
		--output-format=normal,terse
	longest=$(grep '^3;' /tmp/fio | awk -F ';' '{printf "%d", ($15 > $56 ? $15 : $56) / 1000}')
	say "out $OUT, in ${IN:-as it was}: the longest answer took $longest ms" >/dev/console
	[ "$longest" -le "${MOST:-3500}" ]
	tc -s qdisc show
	tc qdisc del dev eth0 root
	[ -z "$IN" ] || tc qdisc del dev eth0 ingress
	fio_verify --filename="$DEV2" --rw=randwrite --bs=16k --iodepth=16 --size=4M
	[ "$(state)" = live ]
}

loss() { OUT="loss 1%" IN="loss 1%" bad_wire; }
bursts_of_loss() { MOST=14000 OUT="loss gemodel 0.5% 20% 80% 0.1%" IN="loss gemodel 0.5% 20% 80% 0.1%" bad_wire; }
# netem's first queue is of 1000 packets: a longer one, so that it is a delay and not a loss.
delay() { OUT="delay 20ms limit 10000" IN="delay 20ms limit 10000" bad_wire; }
reorder() { OUT="delay 3ms reorder 20% 50%" IN="delay 3ms reorder 20% 50%" bad_wire; }
duplicate() { OUT="duplicate 5%" IN="duplicate 5%" bad_wire; }
# Only on the way out: what comes in was checked by the card, so that nothing would notice it but a digest.
corrupt() { OUT="corrupt 1%" IN="" bad_wire; }
everything() { OUT="delay 2ms 1ms loss 1% duplicate 1% corrupt 0.5% reorder 5%" IN="delay 2ms 1ms loss 1% duplicate 1%" \
	bad_wire --hdr-digest --data-digest; }

frozen()
{
	KATO=2 attach $NQN $PATIENT
	load "$DEV"
	outside freeze
	sleep 6
	outside thaw
	wait_for 20 '[ "$(state)" = live ]'
	wait_for_load
}

link_down()
{
	KATO=2 attach $NQN $PATIENT
	load "$DEV"
	outside cut
	sleep 6
	outside mend
	wait_for 20 '[ "$(state)" = live ]'
	wait_for_load
}

restarted_while_mounted()
{
	KATO=2 attach $NQN $PATIENT
	nvme ns-descs "$DEV" >/tmp/before
	mkfs.ext4 -q "$DEV"
	mount -t ext4 "$DEV" /mnt
	cp /usr/bin/nvme /mnt/before
	sync
	load /mnt/file
	sleep 2
	outside $1
	cp /usr/bin/fio /mnt/meanwhile
	sync
	outside $1
	wait_for_load
	wait_for 20 '[ "$(state)" = live ]'
	cmp /usr/bin/nvme /mnt/before
	cmp /usr/bin/fio /mnt/meanwhile
	umount /mnt
	e2fsck -fn "$DEV"
	nvme ns-descs "$DEV" | cmp - /tmp/before
}

orderly_restart() { restarted_while_mounted restart; }
kill_9() { restarted_while_mounted kill; }

stays_away()
{
	KATO=2 attach $NQN --reconnect-delay=1 --ctrl-loss-tmo=4
	load "$DEV"
	outside down
	wait_for 30 '[ -z "$(ls /sys/class/nvme)" ]'
	fails wait $load
	outside up
	attach $NQN
	fio_verify --filename="$DEV" --rw=randwrite --bs=16k --iodepth=16 --size=4M
}

modprobe ifb numifbs=1
t loss
t bursts_of_loss
t delay
t reorder
t duplicate
t corrupt
t everything
t frozen tolerant
t link_down tolerant
t orderly_restart tolerant
t kill_9 tolerant
t stays_away errors
