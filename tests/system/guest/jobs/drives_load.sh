# SPDX-License-Identifier: BSD-3-Clause
# What a read by passthrough costs, against fio's io_uring_cmd at the same size, depth and rate: processor time for each
# I/O, all of it, of the whole process. Both sleep when there is nothing to do.

# by_fio DEPTH [RATE]: "IOPS MICROSECONDS", from the JSON of its only job
by_fio()
{
	fio --name=r --filename=/dev/ng0n1 --ioengine=io_uring_cmd --cmd_type=nvme --rw=randread --bs=4k --iodepth=$1 \
		${2:+--rate_iops=$2} --fixedbufs=1 --registerfiles=1 --time_based --runtime=4 --norandommap \
		--output-format=json >/tmp/fio
	tr -d ' ,' </tmp/fio | awk -F: '
		/"read":/ || /"read"/ { in_read = 1 }
		in_read && /"total_ios"/ { ios = $2; in_read = 0 }
		/"job_runtime"/ { ms = $2 }
		/"usr_cpu"/ { usr = $2 }
		/"sys_cpu"/ { sys = $2 }
		END { printf "%d %.2f\n", ios * 1000 / ms, (usr + sys) / 100 * ms * 1000 / ios }'
}

# by_us DEPTH [RATE]: likewise
by_us()
{
	drive-load kind=nvme device=/dev/ng0n1 access=passthrough depth=$1 rate=${2:-0} seconds=4 >/tmp/us 2>/tmp/err || die "$(cat /tmp/err)"
	tail -n 1 /tmp/us | tr -d ' "{}' | tr , '\n' | awk -F: '
		$1 == "iops" { iops = $2 }
		$1 == "cpu_us" { cpu = $2 }
		END { printf "%d %.2f\n", iops, cpu }'
}

# against LIMIT DEPTH [RATE]: in turns, and the middle of three. LIMIT, of fio's time, is wide where the load is paced: there
# it is the emulated processor's speed at the moment that counts most.
against()
{
	limit=$1
	shift
	: >/tmp/theirs
	: >/tmp/ours
	for turn in 1 2 3; do
		by_fio $1 $2 >>/tmp/theirs
		by_us $1 $2 >>/tmp/ours
	done
	theirs=$(sort -n -k 2 /tmp/theirs | sed -n 2p)
	ours=$(sort -n -k 2 /tmp/ours | sed -n 2p)
	say "depth $1${2:+, $2 a second asked}: fio ${theirs% *} IOPS, ${theirs#* } us each; Strake ${ours% *} IOPS, ${ours#* } us each" >/dev/console
	tail -n 1 /tmp/us >/dev/console
	echo "$theirs $ours" | awk -v l=$limit '{ exit !($4 <= l * $2) }' || die "dearer than fio: $theirs, $ours"
}

cost()
{
	by_fio 16 >/tmp/first
	most=$(cut -d ' ' -f 1 /tmp/first)
	for part in 4 2; do
		against 2 16 $((most / part))
	done
	against 1.1 16
}

t cost
