# SPDX-License-Identifier: BSD-3-Clause
# Bytes: fio with verification, file systems, discard and zeroes; with every digest, block size and queue layout.

mixed()
{
	fio_verify --filename="$1" --rw=randrw --rwmixread=30 --bsrange="$2" --iodepth=16 --size=12M --offset=8M
	fio_verify --filename="$1" --rw=write --bs=256k --iodepth=4 --size=16M --offset=32M
}

blocks_of_4096()
{
	attach $NQN
	mixed "$DEV" 4k-64k
}

blocks_of_512()
{
	attach $NQN
	fio_verify --filename="$DEV2" --rw=randrw --bsrange=512-20k --blockalign=512 --iodepth=16 --size=8M
	mixed "$DEV2" 4k-64k
}

header_digest()
{
	attach $NQN --hdr-digest
	mixed "$DEV" 4k-64k
}

data_digest()
{
	attach $NQN --data-digest
	mixed "$DEV" 4k-64k
}

both_digests()
{
	attach $NQN --hdr-digest --data-digest
	mixed "$DEV2" 4k-64k
}

queues_and_depths()
{
	for options in "-i 1 -Q 16" "-i 2 -Q 128" "-i 2 -W 2 -Q 32" "-i 1 -P 1 -Q 64" "-i 16 -Q 1024" "-D"; do
		echo "$options"
		attach $NQN $options
		fio_verify --filename="$DEV" --rw=randrw --bsrange=4k-128k --iodepth=64 --numjobs=2 --offset_increment=16M --size=4M
		detach $NQN
	done
}

large_and_deep()
{
	attach $NQN
	fio_verify --filename="$DEV" --rw=randwrite --bs=1M --iodepth=16 --size=32M
	fio_verify --filename="$DEV" --rw=randwrite --bs=4k --iodepth=256 --size=8M --ioengine=io_uring
}

files()
{
	mkdir -p /mnt/a/b/c
	cp -r /lib /usr/bin/fio /mnt/a
	for i in $(seq 50); do head -c $((i * 700)) /dev/urandom >/mnt/a/b/c/$i; done
	ln /mnt/a/fio /mnt/a/b/hard
	mv /mnt/a/b/c/7 /mnt/a/b/seven
	rm /mnt/a/b/c/8
	sync
	(cd /mnt && find . -type f -exec md5sum {} +) >/tmp/sums
	umount /mnt
}

files_are_there()
{
	(cd /mnt && md5sum -c -s /tmp/sums)
	rm -r /mnt/a
	fstrim /mnt
	umount /mnt
}

ext4()
{
	attach $NQN
	mkfs.ext4 -q "$DEV"
	mount -t ext4 -o discard "$DEV" /mnt
	files
	e2fsck -fn "$DEV"
	detach $NQN
	attach $NQN
	mount -t ext4 "$DEV" /mnt
	files_are_there
	e2fsck -fn "$DEV"
}

xfs()
{
	attach $NQN
	mkfs.xfs -q -f "$DEV2"
	mount -t xfs "$DEV2" /mnt
	files
	xfs_repair -n "$DEV2"
	mount -t xfs "$DEV2" /mnt
	files_are_there
	xfs_repair -n "$DEV2"
}

discard_and_zeroes()
{
	attach $NQN
	for d in "$DEV" "$DEV2"; do
		fio_verify --filename="$d" --rw=write --bs=128k --iodepth=8 --size=16M
		fails zeroes "$d" 0 1048576
		blkdiscard -o 1048576 -l 2097152 "$d"
		zeroes "$d" 1048576 2097152
		blkdiscard -z -o 4194304 -l 4194304 "$d"
		zeroes "$d" 4194304 4194304
		blkdiscard -z -o $((8388608 + 4096)) -l 4096 "$d"
		zeroes "$d" $((8388608 + 4096)) 4096
		# What lies beside them is untouched.
		fails zeroes "$d" $((1048576 - 4096)) 4096
		fails zeroes "$d" $((3 * 1048576)) 4096
		fails zeroes "$d" 8388608 4096
		fails zeroes "$d" $((8388608 + 8192)) 4096
		blkdiscard "$d"
		zeroes "$d" 0 16777216
	done
}

reset()
{
	attach $NQN
	fio --name=v --direct=1 --ioengine=libaio --verify=crc32c --filename="$DEV" --rw=randwrite --bs=16k --iodepth=16 --size=16M \
		--rate_iops=4000,200 >/tmp/fio 2>&1 &
	job=$!
	for i in 1 2 3; do
		sleep 1
		nvme reset "/dev/$CTRL"
		wait_for 10 '[ "$(state)" = live ]'
	done
	wait $job || die "$(cat /tmp/fio)"
}

again_and_again()
{
	for i in $(seq 8); do
		attach $NQN -i 2
		dd if="$DEV" of=/dev/null bs=64k count=4 iflag=direct
		detach $NQN
	done
}

by_ipv6()
{
	nvme discover -t tcp -a $TARGET6 -s 4420 | grep -q "subnqn: *$NQN\$"
	TARGET=$TARGET6 attach $NQN --data-digest
	mixed "$DEV" 4k-64k
}

# Two paths to the same namespaces, one taken away under load.
two_paths()
{
	attach $NQN
	first=$CTRL
	TARGET=$TARGET6 attach $NQN
	[ "$(nvme list-subsys | grep -c ' live')" = 2 ]
	[ ! -e /dev/nvme2n1 ]
	fio --name=v --direct=1 --ioengine=libaio --verify=crc32c --filename="$DEV" --rw=randwrite --bs=16k --iodepth=16 --size=16M \
		--rate_iops=4000,300 >/tmp/fio 2>&1 &
	job=$!
	sleep 1
	nvme disconnect -d "$first"
	wait $job || die "$(cat /tmp/fio)"
}

t blocks_of_4096
t blocks_of_512
t header_digest
t data_digest
t both_digests
t queues_and_depths
t large_and_deep
t ext4
t xfs
t discard_and_zeroes
t reset
t again_and_again
t by_ipv6
t two_paths
