# SPDX-License-Identifier: BSD-3-Clause
# What an operator does while Linux is connected, and what several hosts agree on by reservations.

# Names of hosts, as the kernel takes them: nvme-cli does not connect a second one to what the first is connected to.
UUID_A=aaaaaaaa-0000-4000-8000-000000000001
UUID_B=bbbbbbbb-0000-4000-8000-000000000002

sectors()
{
	cat "/sys/block/${1#/dev/}/size"
}

# The host hears of a new size by itself, and again when asked to look.
resize()
{
	attach $NQN2
	was=$(sectors "$DEV")
	outside ctl volume resize v2 72MiB
	wait_for 10 '[ "$(sectors "$DEV")" = $((72 * 2048)) ]'
	dd if=/dev/urandom of="$DEV" bs=1M seek=70 count=2 oflag=direct
	fails dd if=/dev/zero of="$DEV" bs=1M seek=72 count=1 oflag=direct
	outside ctl volume resize v2 64MiB --shrink v2
	wait_for 10 '[ "$(sectors "$DEV")" = "$was" ]'
	nvme ns-rescan "/dev/$CTRL"
	[ "$(sectors "$DEV")" = "$was" ]
}

namespaces()
{
	attach $NQN
	n3=${DEV%n1}n3
	fio_verify --filename="$DEV" --rw=randwrite --bs=16k --iodepth=16 --size=16M --rate_iops=4000,300 &
	job=$!
	for i in 1 2 3; do
		outside ctl namespace add $NQN v2
		wait_for 10 '[ -b $n3 ]'
		dd if="$n3" of=/dev/null bs=64k count=4 iflag=direct
		outside ctl namespace remove $NQN v2
		wait_for 10 '[ ! -b $n3 ]'
	done
	wait $job
}

ana()
{
	cat /sys/class/nvme/"$1"/nvme*c*n1/ana_state
}

# One path is closed and opened under load, then the other; the host follows the events.
paths()
{
	attach $NQN
	first=$CTRL
	nvme connect -t tcp -a $TARGET6 -s 4420 -n $NQN --keep-alive-tmo=30
	wait_for 10 '[ "$(ls -d /sys/class/nvme/nvme*/nvme*c*n1 | wc -l)" = 2 ]'
	second=$(basename "$(ls -d /sys/class/nvme/nvme* | grep -vx "/sys/class/nvme/$first" | head -n 1)")
	fio --name=v --direct=1 --ioengine=libaio --verify=crc32c --filename="$DEV" --rw=randwrite --bs=16k --iodepth=16 --size=32M \
		--rate_iops=4000,300 >/tmp/fio 2>&1 &
	job=$!
	outside ctl listener ana $TARGET:4420 inaccessible
	wait_for 5 '[ "$(ana $first)" = inaccessible ]'
	[ "$(ana "$second")" = optimized ]
	outside ctl listener ana $TARGET:4420 non_optimized
	wait_for 5 '[ "$(ana $first)" = non-optimized ]'
	outside ctl listener ana "[$TARGET6]:4420" change
	wait_for 5 '[ "$(ana $second)" = change ]'
	outside ctl listener ana "[$TARGET6]:4420" inaccessible
	wait_for 5 '[ "$(ana $second)" = inaccessible ]'
	outside ctl listener ana "[$TARGET6]:4420" optimized
	outside ctl listener ana $TARGET:4420 optimized
	wait_for 5 '[ "$(ana $first)$(ana $second)" = optimizedoptimized ]'
	wait $job || die "$(cat /tmp/fio)"
}

# Two hosts of one namespace, each by a controller of its own: what goes to the controller's own device keeps its path.
two_hosts()
{
	for h in A B; do
		eval "uuid=\$UUID_$h"
		before=$(ls /sys/class/nvme)
		echo "transport=tcp,traddr=$TARGET,trsvcid=4420,nqn=$NQN2,keep_alive_tmo=30,hostid=$uuid" \
			"hostnqn=nqn.2014-08.org.nvmexpress:uuid:$uuid" | tr ' ' , >/dev/nvme-fabrics
		for c in $(ls /sys/class/nvme); do
			echo "$before" | grep -qx "$c" || eval "$h=/dev/$c"
		done
	done
	find_devices $NQN2
	sleep 1
	head -c 4096 /dev/urandom >/tmp/w
}

write_by()
{
	nvme io-passthru "$1" --opcode=1 --namespace-id=1 --data-len=4096 --write --input-file=/tmp/w >/tmp/o 2>&1
}

read_by()
{
	nvme io-passthru "$1" --opcode=2 --namespace-id=1 --data-len=4096 --read >/tmp/o 2>&1
}

report()
{
	nvme resv-report "$1" -n 1 --eds >/tmp/report
	cat /tmp/report
}

reservations()
{
	two_hosts
	nvme id-ns "$DEV" | grep -q '^rescap *: 0xff'
	nvme resv-register "$A" -n 1 --nrkey=1 --rrega=0 --cptpl=3
	nvme resv-register "$B" -n 1 --nrkey=2 --rrega=0
	nvme resv-acquire "$A" -n 1 --crkey=1 --rtype=1 --racqa=0
	report "$B"
	grep -q '^rtype *: 1' /tmp/report && grep -q '^regctl *: 2' /tmp/report && grep -q '^ptpls *: 1' /tmp/report
	write_by "$A"
	read_by "$B"
	fails write_by "$B"
	grep -qi 'conflict' /tmp/o || die "$(cat /tmp/o)"
	fails nvme resv-acquire "$B" -n 1 --crkey=2 --rtype=1 --racqa=0
	for end in restart kill; do
		outside $end
		# Who was killed has not said goodbye: a host learns of it by the next thing it asks.
		read_by "$A" || :
		read_by "$B" || :
		wait_for 60 '[ "$(cat /sys/class/nvme/${A#/dev/}/state)$(cat /sys/class/nvme/${B#/dev/}/state)" = livelive ]'
		sleep 1
		fails write_by "$B"
		report "$B"
		grep -q '^rtype *: 1' /tmp/report && grep -q '^regctl *: 2' /tmp/report
	done
	nvme resv-acquire "$B" -n 1 --crkey=2 --prkey=1 --rtype=2 --racqa=2
	write_by "$B"
	fails read_by "$A"
	nvme get-log "$A" -i 0x80 -l 64 -b >/tmp/log
	[ "$(od -An -tu1 -j8 -N1 /tmp/log | tr -d ' ')" = 1 ] || die "$(od -An -tx1 /tmp/log)"
	nvme resv-release "$B" -n 1 --crkey=2 --rtype=2 --rrela=0
	write_by "$A"
	nvme resv-register "$B" -n 1 --crkey=2 --rrega=1 --cptpl=2
	report "$B"
	grep -q '^regctl *: 0' /tmp/report
}

t resize tolerant
t namespaces tolerant
t paths tolerant
t reservations errors
