# SPDX-License-Identifier: BSD-3-Clause
# Bytes on plain volumes; with every digest, block size and queue layout.

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
