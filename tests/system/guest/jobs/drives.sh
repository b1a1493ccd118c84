# SPDX-License-Identifier: BSD-3-Clause
# The ways to a drive, its names, and what is refused.

# Buffers that the kernel took for itself to copy what should have gone to a drive as it lay: counted as it frees them.
bounces()
{
	[ -e /sys/kernel/tracing/kprobe_events ] || mount -t tracefs none /sys/kernel/tracing
	if ! [ -e /sys/kernel/tracing/events/kprobes/bounce ]; then
		echo "p:bounce bio_free_pages" >/sys/kernel/tracing/kprobe_events
		echo 1 >/sys/kernel/tracing/events/kprobes/bounce/enable
	fi
	awk '$1 == "bounce" { print $2 }' /sys/kernel/tracing/kprobe_profile
}

by_passthrough()
{
	conf 0 "device: /dev/ng0n1" "device: nvme1n1" >/tmp/conf
	serve
	before=$(bounces)
	exercise 1
	[ "$(bounces)" = "$before" ] || die "bounces: $before, then $(bounces)"
	show d0
	is access passthrough
	is registered_buffers 1
	is block_size 512
	is ring_enters_most_in_a_turn 1
	is strangers 0
	grep -q '"identify: in-band"' /tmp/show || die "$(cat /tmp/show)"
	show d1
	is access passthrough
	is max_transfer 16384
	is block_size 4096
	[ "$(figure commands_cut)" -gt 100 ]
	end
	# What does lie badly is seen.
	for rw in randread randwrite; do
		before=$(bounces)
		fio --name=odd --ioengine=io_uring_cmd --cmd_type=nvme --filename=/dev/ng1n1 --mem_align=2 --bs=4k --rw=$rw \
			--number_ios=16 --size=1M >/tmp/fio || die "$(cat /tmp/fio)"
		[ "$(bounces)" -ge $((before + 16)) ] || die "$rw: $before, then $(bounces): nothing would be seen"
	done
}

by_helper()
{
	blank
	conf 0 "device: ng0n1, access: helper" "device: ng1n1, access: helper" >/tmp/conf
	serve
	exercise 2
	show d0
	is access helper
	is strangers 0
	end
}

# Two namespaces of one controller, by its serial number, mirrored; with blocks of two sizes.
by_serial()
{
	blank
	conf 1 "device: \"serial:TESTDRIVE0/1\"" "device: \"serial:TESTDRIVE0/2\"" >/tmp/conf
	serve
	exercise 3
	show d0
	is device ng0n1
	show d1
	is device ng0n2
	is nsid 2
	is serial TESTDRIVE0/2
	end
}

by_slot()
{
	blank
	slot=$(cat /sys/class/nvme/nvme1/address)
	conf 0 "device: \"$slot\"" >/tmp/conf
	serve
	exercise 4
	show d0
	is slot "$slot"
	is serial TESTDRIVE1
	end
}

by_block_device()
{
	blank
	conf 0 "device: nvme0n1, access: block" "device: nvme1n1, access: block" >/tmp/conf
	serve
	exercise 5
	show d0
	is access block
	is access_why "asked for"
	is serial TESTDRIVE0
	end
}

without_permission()
{
	blank
	conf 0 "device: nvme0n1" "device: nvme1n1" >/tmp/conf
	serve setpriv --bounding-set -sys_admin --inh-caps -sys_admin
	exercise 6
	show d0
	is access block
	is access_why "passthrough is not permitted"
	end
	conf 0 "device: nvme0n1, access: passthrough" >/tmp/conf
	! setpriv --bounding-set -sys_admin --inh-caps -sys_admin timeout 20 strake /tmp/conf >/tmp/log 2>&1
	grep -q "Permission denied" /tmp/log
}

# A kernel, or a container, that shows the block device alone.
without_character_device()
{
	blank
	mv /dev/ng0n1 /dev/hidden
	conf 0 "device: nvme0n1" "device: nvme1n1" >/tmp/conf
	serve
	exercise 8
	show d0
	is access block
	is access_why "the kernel has no character device for it"
	show d1
	is access passthrough
	end
	conf 0 "device: nvme0n1, access: passthrough" >/tmp/conf
	refused "d0: nvme0n1: /dev/ng0n1: No such file"
	mv /dev/hidden /dev/ng0n1
}

# What may not be locked is not registered: the same commands, by pages that the kernel looks up each time.
without_registered_buffers()
{
	blank
	conf 0 "device: nvme0n1" "device: nvme1n1" >/tmp/conf
	before=$(bounces)
	ulimit -l 1024
	serve setpriv --bounding-set -ipc_lock --inh-caps -ipc_lock
	grep -q "works without registered buffers" /tmp/log || die "$(cat /tmp/log)"
	exercise 9
	[ "$(bounces)" = "$before" ] || die "bounces: $before, then $(bounces)"
	show d0
	is access passthrough
	is ring_enters_most_in_a_turn 1
	is strangers 0
	end
}

refusals()
{
	conf 0 "device: ng2n1" >/tmp/conf
	refused "8 bytes of metadata"
	conf 0 "device: ng2n2" >/tmp/conf
	refused "zoned namespace"
	conf 0 "device: nvme7n1" >/tmp/conf
	refused "there is no such namespace"
	conf 0 "device: \"serial:TESTDRIVE0\"" >/tmp/conf
	refused "has the namespaces 1, 2; say which\|has the namespaces 2, 1; say which"
	conf 0 "device: \"serial:TESTDRIVE9\"" >/tmp/conf
	refused "no controller has the serial TESTDRIVE9; there are"
	conf 0 "device: nvme1n1" "device: ng1n1" >/tmp/conf
	refused "mounted or used by something else"
	mkfs.ext4 -q /dev/nvme1n1
	mount -t ext4 /dev/nvme1n1 /mnt
	conf 0 "device: nvme1n1" >/tmp/conf
	refused "mounted or used by something else"
	umount /mnt
}

# A drive that is missing is looked for on the bus before anything is said of it.
looked_for()
{
	blank
	echo 1 >"/sys/bus/pci/devices/$(address)/remove"
	conf 0 "device: \"serial:TESTDRIVE1\"" >/tmp/conf
	serve
	grep -q "d0: rescan: PCI buses" /tmp/log || die "$(cat /tmp/log)"
	exercise 7
	show d0
	is serial TESTDRIVE1
	grep -q '"find: failed: no controller has the serial' /tmp/show || die "$(cat /tmp/show)"
	end
}

# sent OPERATION TEXT: how many commands with this in them the kernel gave to a drive
sent()
{
	grep -c "cmd=(nvme_cmd_$1 .*$2" /sys/kernel/tracing/trace || :
}

# What a drive is asked for, as the kernel sees it leave: by words that no other test could tell from what was read back. Of
# lengths that nothing else has.
words_of_commands()
{
	blank
	conf 0 "device: ng0n1" >/tmp/conf
	serve
	[ -e /sys/kernel/tracing/events ] || mount -t tracefs none /sys/kernel/tracing
	echo 1 >/sys/kernel/tracing/events/nvme/nvme_setup_cmd/enable
	strake-io write --fill 7 --offset 1M --length 20K --fua $HOST
	strake-io write --fill 7 --offset 2M --length 24K $HOST
	strake-io trim --offset 1M --length 20K $HOST
	strake-io zero --offset 2M --length 24K $HOST
	echo 0 >/sys/kernel/tracing/events/nvme/nvme_setup_cmd/enable
	end
	count="$(sent write "len=39, ctrl=0x4000,") $(sent write len=39,) $(sent write "len=47, ctrl=0x0,") $(sent write len=47,)"
	count="$count $(sent dsm "nr=[01], attributes=4") $(sent write_zeroes len=47,)"
	[ "$count" = "1 1 1 1 1 1" ] || die "$count: $(tail -n 40 /sys/kernel/tracing/trace)"
}

t by_passthrough
t words_of_commands
t by_helper
t by_serial
t by_slot
t by_block_device
t without_permission
t without_character_device
t without_registered_buffers
t refusals
t looked_for
