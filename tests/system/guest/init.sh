#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# PID 1 of the guest: devices, network, /job, and its exit status as the last word on the console. The job has a shell of
# its own: were that PID 1, its end would be the kernel's, and what it said last would not reach the console.
export PATH=/usr/bin:/usr/sbin:/bin:/sbin HOME=/root TERM=dumb
mount -t devtmpfs dev /dev
mount -t proc proc /proc
mount -t sysfs sys /sys
mkdir -p /dev/shm
mount -t tmpfs tmp /dev/shm
mount -t tmpfs tmp /run
modprobe virtio_pci
modprobe virtio_net
modprobe virtio_rng
modprobe nvme-tcp
ip link set lo up
for word in $(cat /proc/cmdline); do
	case $word in
	address=*) ip addr add "${word#*=}" dev eth0 ;;
	address6=*) ip addr add "${word#*=}" dev eth0 nodad ;;
	mtu=*) ip link set eth0 mtu "${word#*=}" ;;
	esac
done
ip link set eth0 up
sh -c '. /lib.sh; say up; . /job; say "job ended $failed"'
status=$?
[ $status -eq 0 ] || echo "guest: the shell of the job ended with status $status"
sleep 0.5
poweroff -f
