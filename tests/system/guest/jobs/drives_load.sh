# SPDX-License-Identifier: BSD-3-Clause
# What a read by passthrough costs, against fio's io_uring_cmd at the same depth and size: processor time for each I/O.

# per_io DEPTH: microseconds of processor time for each read by fio, from the JSON of its only job
by_fio()
{
	fio --name=r --filename=/dev/ng0n1 --ioengine=io_uring_cmd --cmd_type=nvme --rw=randread --bs=4k --iodepth=$1 \
		--fixedbufs=1 --registerfiles=1 --time_based --runtime=6 --norandommap --output-format=json >/tmp/fio
	tr -d ' ,' </tmp/fio | awk -F: '
		/"read":/ || /"read"/ { in_read = 1 }
		in_read && /"total_ios"/ { ios = $2; in_read = 0 }
		/"job_runtime"/ { ms = $2 }
		/"usr_cpu"/ { usr = $2 }
		/"sys_cpu"/ { sys = $2 }
		END { printf "fio %.2f us per I/O, %d IOPS\n", (usr + sys) / 100 * ms * 1000 / ios, ios * 1000 / ms }'
}

cost()
{
	for depth in 1 16 64; do
		ours=$(nvme-load /dev/ng0n1 4096 $depth 6 passthrough 2>/tmp/err) || die "$(cat /tmp/err)"
		fio=$(by_fio $depth)
		say "depth $depth: $(echo "$ours" | tail -n 1); $fio" >/dev/console
		[ $depth = 1 ] && continue
		echo "$(echo "$ours" | tail -n 1 | sed 's/.*us_per_io //') $fio" | awk '{ exit !($1 <= 1.1 * $3) }' || die "dearer than fio"
	done
}

t cost
