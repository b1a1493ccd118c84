# SPDX-License-Identifier: BSD-3-Clause
# What a read by passthrough costs, against fio's io_uring_cmd at the same size, depth and rate: processor time for each
# I/O, all of it, of the whole process. Both sleep when there is nothing to do. Each instruction takes this guest as long as
# any other, so that it is instructions that are counted; and it is the drive that is slow, so that neither has to pace itself.

# QEMU's drive may miss that it was given something, and what it was given then waits until the kernel resets it: often
# where many are given at once, so they are asked for one at a time. The reset is soon, and who waited is measured again.
for queue in /sys/block/nvme*/queue; do
	echo 2000 >$queue/io_timeout
done

fio_once()
{
	fio --name=r --filename=$DRIVE --ioengine=io_uring_cmd --cmd_type=nvme --rw=randread --bs=4k --iodepth=$1 \
		--fixedbufs=1 --registerfiles=1 --time_based --runtime=1 --norandommap --output-format=json >/tmp/fio 2>/tmp/err
}

# by_fio DEPTH: "IOPS MICROSECONDS", from the JSON of its only job
by_fio()
{
	fio_once $1 || fio_once $1 || fio_once $1 || die "$(cat /tmp/fio /tmp/err)"
	tr -d ' ,' </tmp/fio | awk -F: '
		/"read":/ || /"read"/ { in_read = 1 }
		in_read && /"total_ios"/ { ios = $2; in_read = 0 }
		/"job_runtime"/ { ms = $2 }
		/"usr_cpu"/ { usr = $2 }
		/"sys_cpu"/ { sys = $2 }
		END { printf "%d %.2f\n", ios * 1000 / ms, (usr + sys) / 100 * ms * 1000 / ios }'
}

# by_us DEPTH: likewise
by_us()
{
	drive-load kind=nvme device=$DRIVE access=passthrough timeout=2s depth=$1 seconds=1 >/tmp/us 2>/tmp/err || die "$(cat /tmp/err)"
	tail -n 1 /tmp/us | tr -d ' "{}' | tr , '\n' | awk -F: '
		$1 == "iops" { iops = $2 }
		$1 == "cpu_us" { cpu = $2 }
		END { printf "%d %.2f\n", iops, cpu }'
}

# against DEPTH PACE: in turns, and the middle of five, on the drive that gives PACE reads a second; 0: as many as it can.
against()
{
	DRIVE=/dev/ng$(grep -lx "PACE$2 *" /sys/class/nvme/nvme*/serial | sed 's|.*/nvme\([0-9]*\)/serial|\1|')n1
	: >/tmp/theirs
	: >/tmp/ours
	for turn in 1 2 3 4 5; do
		by_fio $1 >>/tmp/theirs
		by_us $1 >>/tmp/ours
	done
	theirs=$(sort -n -k 2 /tmp/theirs | sed -n 3p)
	ours=$(sort -n -k 2 /tmp/ours | sed -n 3p)
	echo "$theirs $ours" | awk -v d=$1 -v p=$2 '{
		printf "guest: depth %d, pace %d: fio %d IOPS, %.2f us each; Strake %d IOPS, %.2f us each: %.2f\n", d, p, $1, $2, $3, $4, $4 / $2
		exit !($4 <= 1.1 * $2) }' >/dev/console || die "dearer than fio: $theirs, $ours: $(cat /tmp/us)"
}

as_fast_as_it_can()
{
	against 1 0
}

five_thousand()
{
	against 1 5000
}

a_thousand()
{
	against 1 1000
}

t as_fast_as_it_can tolerant
t five_thousand tolerant
t a_thousand tolerant
