# SPDX-License-Identifier: BSD-3-Clause
# Drives that wear out, fail and lie: what they say of themselves is altered on its way to the appliance ($WORDS, a library).

# says DEVICE OPCODE PAGE OFFSET BYTE, of any number of them: they say so from now on, and nothing else that is not so.
says()
{
	: >/tmp/words.new
	while [ $# -gt 0 ]; do
		echo "$1 $2 $3 $4 $5" >>/tmp/words.new
		shift 5
	done
	mv /tmp/words.new /tmp/words
}

# What the one that wears says: percent of spare blocks, of its life used, temperature (C), entries of its error log.
wears()
{
	kelvin=$(($3 + 273))
	says ng0n2 2 2 3 "$1" ng0n2 2 2 5 "$2" ng0n2 2 2 1 $((kelvin % 256)) ng0n2 2 2 2 $((kelvin / 256)) \
		ng0n2 2 2 176 "$4" ng0n2 2 1 0 "$4" ng0n2 2 1 8 1 ng0n2 2 1 12 3 ng0n2 2 1 13 5 ng0n2 2 1 16 77 ng0n2 2 1 24 2 \
		${5:+ng0n2 2 3 0 $5 ng0n2 2 3 16 50 ng0n2 2 3 17 46 ng0n2 2 3 18 53}
}

# told TEXT: in the log, and among the events that strakectl shows.
told()
{
	wait_for 10 "grep -q 'drive d0 .*: $1' /tmp/log"
	strakectl drive health d0 --name g --json >/tmp/show
	grep -q "T[0-9:]*Z ${2:-}$1" /tmp/show || die "strakectl does not show: $1: $(cat /tmp/show)"
}

with_words()
{
	serve env LD_PRELOAD="$WORDS" NVME_WORDS=/tmp/words
}

# Each limit that the operator gave is an event when it is passed, and one when it is kept again; a host notices nothing.
warns()
{
	blank
	conf 1 "device: ng0n2, health: 1s, max_celsius: 60, max_used: 90, min_spare: 20" "device: ng1n1" >/tmp/conf
	wears 100 10 30 0
	with_words
	strakectl drive health d0 --name g --json >/tmp/show
	is spare_percent 100
	is life_used_percent 10
	is celsius 30
	is events_told 0
	is firmware_slot 1
	strake-io bench --pattern randrw --bs 16384 --verify --size 8M --time 6s --depth 4 --json $HOST >/tmp/bench &
	job=$!
	wears 100 91 30 0
	told "91 % of its life is used"
	is life_used_percent 91
	wears 19 91 30 0
	told "19 % of its spare blocks are left; it warns below 20 %"
	wears 19 91 61 0
	told "61 C; it warns at 60"
	is events_told 3
	wears 19 91 61 1
	told "failed I/O in its error log: 1 more; last: status 0x281, LBA 77, namespace 2"
	grep -q '"error_log_newest": "status 0x281, LBA 77, namespace 2"' /tmp/show
	wears 19 91 61 1 33
	told "its firmware will be 2.5, of slot 2, after its next reset" "(well) "
	wears 100 91 50 1 2
	told "50 C; it warns at 60" "(well) "
	told "100 % of its spare blocks are left; it warns below 20 %" "(well) "
	told "its firmware is 2.5 now, in slot 2; it was 1.0" "(well) "
	is firmware 2.5
	wait $job || die "$(cat /tmp/bench /tmp/log)"
	grep -q '"mismatches": *0' /tmp/bench || die "$(cat /tmp/bench)"
	show d0
	is out_of_use no
	end
}

# Drives that contradict themselves or the kernel are refused by name, and the other half serves alone.
lies()
{
	blank
	conf 1 "device: ng0n2" "device: ng1n1" >/tmp/conf
	says
	with_words
	strake-io verify --length 8M --seed 21 $HOST
	end
	# Its size; its LBA format; a serial number that the kernel was not told, or that is none; a capacity beyond its size.
	for lie in "6 0 0 1 says it has" "6 0 146 40 impossible LBA format" "6 0 26 15 it uses LBA format 15 of 8" "6 1 4 88 says its serial number is" \
		"6 1 4 27 is no text" "6 0 15 1 contradict"; do
		words=${lie#* * * * }
		says ng1n1 ${lie% "$words"}
		with_words
		grep "drive d1.*group g0 goes on without it" /tmp/log | grep -q "$words" || die "not said: $words: $(cat /tmp/log)"
		strake-io verify --length 8M --seed 21 --read-only $HOST
		strake-io verify --offset 8M --length 4M --seed 22 $HOST
		end
	done
	# It tells the truth again, and is in the mirror again.
	says
	with_words
	wait_for 30 'strakectl group show g0 --name g --json | grep -q "in_sync d1"'
	strakectl drive fail d0 --name g --yes
	strake-io verify --offset 8M --length 4M --seed 22 --read-only $HOST
	end
}

t warns
t lies
