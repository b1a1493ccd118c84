# SPDX-License-Identifier: BSD-3-Clause
# What nvme-cli asks: discovery, identity, logs, features, I/O commands one by one.

discover()
{
	nvme discover -t tcp -a $TARGET -s 4420 >/tmp/d
	grep -q "subnqn: *$NQN\$" /tmp/d && grep -q "subnqn: *$NQN2\$" /tmp/d || die "$(cat /tmp/d)"
	nvme discover -t tcp -a $TARGET -s 4420 -o json >/tmp/d
	[ "$(grep -c '"subnqn"' /tmp/d)" -ge 2 ] && grep -q "\"traddr\":\"$TARGET\"" /tmp/d || die "$(cat /tmp/d)"
}

connect_all()
{
	nvme connect-all -t tcp -a $TARGET -s 4420
	find_devices $NQN2
	find_devices $NQN
	nvme list-subsys >/tmp/l
	[ "$(grep -c ' live' /tmp/l)" = 4 ] || die "$(cat /tmp/l)"
	nvme disconnect-all
	[ -z "$(ls /sys/class/nvme)" ]
}

# Ask for a controller that is there: the persistent discovery controller, with asynchronous events.
persistent_discovery()
{
	nvme discover -t tcp -a $TARGET -s 4420 -p >/tmp/d
	sleep 1
	grep -l discovery /sys/class/nvme/*/subsysnqn
	c=$(basename "$(ls -d /sys/class/nvme/nvme* | head -n 1)")
	[ "$(cat "/sys/class/nvme/$c/state")" = live ]
	nvme discover -d "$c" >/tmp/d || nvme get-log "/dev/$c" -i 0x70 -l 1024 >/tmp/d
}

identity()
{
	for round in 1 2; do
		attach $NQN
		{
			nvme list-ns "$DEV" -a
			for n in "$DEV" "$DEV2"; do
				nvme id-ns "$n" | grep -E '^(nsze|nguid|eui64|lbaf|flbas|nmic|anagrpid|dlfeat|nsfeat)'
				nvme ns-descs "$n"
				cat "/sys/block/${n#/dev/}/wwid" "/sys/block/${n#/dev/}/size"
			done
		} >/tmp/id$round
		nvme id-ctrl "/dev/$CTRL" -H >/tmp/ctrl
		nvme list -v >/tmp/list
		detach $NQN
	done
	cmp /tmp/id1 /tmp/id2
	grep -q "^mn *: Strake " /tmp/ctrl && grep -q "^subnqn *: $NQN\$" /tmp/ctrl || die "$(cat /tmp/ctrl)"
	grep -q '^nguid *: 0*$' /tmp/id1 && die "no NGUID"
	[ "$(grep -c '^uuid *:' /tmp/id1)" = 2 ] && ! grep -q 'uuid *: 0000' /tmp/id1 || die "$(cat /tmp/id1)"
}

block_sizes()
{
	attach $NQN
	[ "$(cat "/sys/block/${DEV#/dev/}/queue/logical_block_size")" = 4096 ]
	[ "$(cat "/sys/block/${DEV2#/dev/}/queue/logical_block_size")" = 512 ]
	for d in "${DEV#/dev/}" "${DEV2#/dev/}"; do
		for f in max_sectors_kb max_hw_sectors_kb discard_max_bytes discard_granularity write_zeroes_max_bytes write_cache \
			fua max_segments minimum_io_size optimal_io_size; do
			echo "$d $f $(cat "/sys/block/$d/queue/$f")"
		done
		[ "$(cat "/sys/block/$d/queue/discard_max_bytes")" != 0 ]
		[ "$(cat "/sys/block/$d/queue/write_zeroes_max_bytes")" != 0 ]
	done
}

logs()
{
	attach $NQN
	c=/dev/$CTRL
	nvme smart-log "$c"
	nvme error-log "$c" -e 4
	nvme fw-log "$c"
	nvme ana-log "$c"
	nvme changed-ns-list-log "$c"
	fails nvme self-test-log "$c"
	nvme get-log "$c" -i 0xc -l 64
	nvme effects-log "$c" -c 0 | grep -q "Dataset Management"
	fails nvme persistent-event-log "$c" -a 0 -l 512
	fails nvme get-log "$c" -i 0xc0 -l 512
	nvme smart-log "$DEV" -o json
	nvme show-regs "$c" -H | grep -q "NVM command set is Supported"
}

features()
{
	attach $NQN
	c=/dev/$CTRL
	for f in 1 2 4 7 0xa 0xb 0xf; do
		nvme get-feature "$c" -f $f -H
	done
	nvme get-feature "$c" -f 5 -n 1
	nvme set-feature "$c" -f 0xb -v 0x100
	nvme get-feature "$c" -f 0xb | grep -q 'value:0x*0*100'
	fails nvme set-feature "$c" -f 0x3f -v 1
}

refused()
{
	attach $NQN
	c=/dev/$CTRL
	nvme list-ctrl "$c" | grep -q :
	fails nvme format "$DEV" -f -l 0
	fails nvme fw-download "$c" -f /lib.sh
	fails nvme create-ns "$c" -s 100 -c 100
	fails nvme sanitize "$c" -a 2
	nvme resv-report "$DEV" --eds
	fails nvme subsystem-reset "$c"
	fails nvme device-self-test "$c" -s 1
	fails nvme admin-passthru "$c" -O 0xc5
	fails nvme io-passthru "$DEV" -O 0x85 -n 1
	fails nvme write-uncor "$DEV" -s 0 -c 0
	# Past the end, and over it.
	blocks=$(($(cat "/sys/block/${DEV#/dev/}/size") / 8))
	fails nvme read "$DEV" -s $blocks -c 0 -z 4096 -d /tmp/r
	fails nvme read "$DEV" -s $((blocks - 1)) -c 1 -z 8192 -d /tmp/r
	nvme read "$DEV" -s $((blocks - 1)) -c 0 -z 4096 -d /tmp/r
	[ "$(state)" = live ]
}

io_commands()
{
	attach $NQN
	for n in "$DEV 4096" "$DEV2 512"; do
		set -- $n
		dev=$1 size=$2
		rm -f /tmp/r
		head -c $((size * 8)) /dev/urandom >/tmp/w
		nvme write "$dev" -s 16 -c 7 -z $((size * 8)) -d /tmp/w
		nvme read "$dev" -s 16 -c 7 -z $((size * 8)) -d /tmp/r
		cmp /tmp/w /tmp/r
		nvme compare "$dev" -s 16 -c 7 -z $((size * 8)) -d /tmp/w
		head -c $((size * 8)) /dev/zero >/tmp/z
		fails nvme compare "$dev" -s 16 -c 7 -z $((size * 8)) -d /tmp/z
		nvme flush "$dev" -n "${dev##*n}"
		nvme write-zeroes "$dev" -s 16 -c 3
		rm /tmp/r
		nvme read "$dev" -s 16 -c 3 -z $((size * 4)) -d /tmp/r
		cmp -n $((size * 4)) /tmp/z /tmp/r
		nvme read "$dev" -s 20 -c 3 -z $((size * 4)) -d /tmp/r
		tail -c $((size * 4)) /tmp/w | cmp - /tmp/r
		nvme dsm "$dev" -n "${dev##*n}" -s 20 -b 4 -d
		nvme read "$dev" -s 20 -c 3 -z $((size * 4)) -d /tmp/r
		cmp -n $((size * 4)) /tmp/z /tmp/r
		nvme write "$dev" -s 3 -c 0 -z $size -d /tmp/w -f
		nvme read "$dev" -s 3 -c 0 -z $size -d /tmp/r -f -l
		cmp -n $size /tmp/w /tmp/r
	done
}

t discover
t connect_all
t persistent_discovery
t identity
t block_sizes
t logs
t features
t refused
t io_commands
