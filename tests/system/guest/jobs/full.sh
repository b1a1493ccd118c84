# SPDX-License-Identifier: BSD-3-Clause
# A thin log volume that is promised more than its drives hold: Linux sees ENOSPC and nothing worse, keeps what it has, and
# goes on when something was deleted. Random bytes, which neither shrink nor repeat.

SPACE="No space left on device"

# Until the store is full. How many MiB it took is in /tmp/filled, what they are in /tmp/sum.
fill()
{
	fails dd if=/dev/urandom of="$1" bs=256k oflag=direct 2>/tmp/dd
	grep -q "$SPACE" /tmp/dd || die "$(cat /tmp/dd)"
	cat /tmp/dd
	filled=$(($(sed -n 's/^\([0-9]*\)+.* records out/\1/p' /tmp/dd) / 4))
	[ $filled -gt 64 ] || die "full with $filled MiB"
	echo $filled >/tmp/filled
	sum "$1" >/tmp/sum
}

# A number of the health log.
health()
{
	nvme smart-log "$DEV2" -o json | sed -n "s/.*\"$1\" *: *\([0-9]*\).*/\1/p"
}

sum()
{
	dd if="$1" bs=1M count=$(cat /tmp/filled) iflag=direct 2>/dev/null | md5sum
}

# A file system that was synchronised lies beside what fills the store.
filled_beside_a_file_system()
{
	attach $NQN
	mkfs.ext4 -q "$DEV"
	mount -t ext4 "$DEV" /mnt
	cp -r /lib/modules /mnt/kept
	head -c 3000000 /dev/urandom >/mnt/kept/random
	sync
	(cd /mnt && find . -type f -exec md5sum {} +) >/tmp/sums
	umount /mnt
	[ "$(health critical_warning)" = 0 ] || die "it warns with $(health avail_spare) % left"
	fill "$DEV2"
	# The administrator is told by the health log, too.
	[ "$(health critical_warning)" = 1 ] || die "it does not warn with $(health avail_spare) % left"
	# It stays full, over kill -9 too, and what it holds is read.
	fails dd if=/dev/urandom of="$DEV2" bs=1M count=16 seek=$(cat /tmp/filled) oflag=direct 2>/tmp/dd
	grep -q "$SPACE" /tmp/dd || die "$(cat /tmp/dd)"
	outside kill
	sum "$DEV2" | cmp - /tmp/sum
	mount -t ext4 -o ro,noload "$DEV" /mnt
	(cd /mnt && md5sum -c -s /tmp/sums)
	umount /mnt
}

# Room that is given back is room: for the file system, and for as much as before.
out_of_it_again()
{
	attach $NQN
	blkdiscard "$DEV2"
	mount -t ext4 -o discard "$DEV" /mnt
	(cd /mnt && md5sum -c -s /tmp/sums)
	cp -r /lib/modules /mnt/more
	rm -r /mnt/kept
	sync
	umount /mnt
	e2fsck -fn "$DEV"
	[ "$(health critical_warning)" = 0 ] || die "it still warns with $(health avail_spare) % left"
	fio_verify --filename="$DEV2" --rw=randwrite --bsrange=4k-64k --iodepth=16 --size=16M
	before=$(cat /tmp/filled)
	fill "$DEV2"
	# Chunks that hold little that lives are gathered meanwhile: a tenth is let pass.
	[ $((filled * 10)) -ge $((before * 9)) ] || die "full with $filled MiB, before with $before"
	sum "$DEV2" | cmp - /tmp/sum
}

t filled_beside_a_file_system errors
t out_of_it_again errors
