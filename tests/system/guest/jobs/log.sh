# SPDX-License-Identifier: BSD-3-Clause
# Log volumes with all stages: file systems and verified I/O while they are whole, degraded, rebuilt and killed.

both_block_sizes()
{
	attach $NQN
	mixed "$DEV" 4k-64k
	fio_verify --filename="$DEV2" --rw=randrw --bsrange=512-20k --blockalign=512 --iodepth=16 --size=4M
	mixed "$DEV2" 4k-64k
}

# One drive is taken away under load: nothing is seen of it, nor of its return.
degraded_and_rebuilt()
{
	attach $NQN
	fio --name=v --direct=1 --ioengine=libaio --verify=crc32c --verify_fatal=1 --verify_dump=0 --rw=randwrite \
		--bsrange=4k-64k --iodepth=16 --filename="$DEV" --size=16M --rate=100m,3m --randseed=5 >/tmp/fio 2>&1 &
	load=$!
	sleep 1
	outside ctl drive fail d1
	mixed "$DEV2" 4k-64k
	outside ctl drive return d1
	outside rebuilt d1
	outside ctl drive fail d2
	wait $load || die "$(cat /tmp/fio)"
	fails grep -E 'err= *[1-9]|verify:' /tmp/fio
	mixed "$DEV2" 4k-64k
	outside ctl drive return d2
	outside rebuilt d2
}

# The appliance dies by SIGKILL under two mounted file systems; what was synchronised is there, and they go on.
killed_while_mounted()
{
	attach $NQN --reconnect-delay=1 --ctrl-loss-tmo=300
	mkfs.ext4 -q "$DEV"
	mkfs.xfs -q -f "$DEV2"
	mkdir -p /run/x
	mount -t ext4 "$DEV" /mnt
	mount -t xfs "$DEV2" /run/x
	for round in 1 2 3; do
		for d in /mnt /run/x; do
			head -c 3000000 /dev/urandom >$d/kept$round
			cp -r /lib/modules $d/m$round
		done
		sync
		md5sum /mnt/kept* /run/x/kept* >/tmp/sums
		cp -r /lib /mnt/more$round &
		copy=$!
		cp -r /lib /run/x/more$round
		outside kill
		wait $copy
		sync
		md5sum -c -s /tmp/sums
		rm -r /mnt/more$round /run/x/m$round
	done
	umount /mnt
	umount /run/x
	e2fsck -fn "$DEV"
	xfs_repair -n "$DEV2"
	mount -t ext4 "$DEV" /mnt
	mount -t xfs "$DEV2" /run/x
	md5sum -c -s /tmp/sums
	umount /run/x
}

t both_block_sizes
t ext4
t xfs
t discard_and_zeroes
t degraded_and_rebuilt
t killed_while_mounted tolerant
