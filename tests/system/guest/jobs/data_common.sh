# SPDX-License-Identifier: BSD-3-Clause
# Bytes that any volume must keep: fio with verification, file systems, discard and zeroes.

mixed()
{
	fio_verify --filename="$1" --rw=randrw --rwmixread=30 --bsrange="$2" --iodepth=16 --size=12M --offset=8M
	fio_verify --filename="$1" --rw=write --bs=256k --iodepth=4 --size=16M --offset=32M
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

