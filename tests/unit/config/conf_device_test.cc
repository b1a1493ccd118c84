/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "conf_fixture.h"

static std::string
port(const std::string &keys)
{
	return valid_with("ports", "ports: [{name: p0, addresses: [10.0.0.2/24], " + keys + "}]\n");
}

static std::string
bond(const std::string &mode, const std::string &members)
{
	return port("device: 'net_bonding0" + mode + "', members: " + members);
}

static const char kPair[] = "['net_af_packet0,iface=a', 'net_af_packet1,iface=b']";

TEST(ConfDevice, TakesABondAndItsMembersInOrder)
{
	for (const char *mode : {"", ",mode=1", ",mode=2"}) {
		Loaded l(bond(mode, kPair));

		ASSERT_NE(nullptr, l.c) << mode << l.said;
		ASSERT_EQ(2u, l.c->ports[0].n_members);
		EXPECT_STREQ("net_af_packet0,iface=a", l.c->ports[0].members[0]);
		EXPECT_STREQ("net_af_packet1,iface=b", l.c->ports[0].members[1]);
		EXPECT_NE(std::string::npos,
			  saved(l.c).find("members: [\"net_af_packet0,iface=a\", \"net_af_packet1,iface=b\"]"))
			<< saved(l.c);
	}
	Loaded cards(bond(",mode=4", "['0000:3b:00.0', '0000:3b:00.1']"));

	EXPECT_NE(nullptr, cards.c) << cards.said;
}

TEST(ConfDevice, RefusesAModeThatDoesNotFitWithTheReason)
{
	EXPECT_ERROR(bond(",mode=0", kPair), 1, "overtake each other");
	EXPECT_ERROR(bond(",mode=3", kPair), 1, "on every member");
	EXPECT_ERROR(bond(",mode=7", kPair), 1, "expected mode 1 (active-backup)");
	EXPECT_ERROR(bond(",mode=", kPair), 1, "expected mode 1 (active-backup)");
}

TEST(ConfDevice, RefusesMembersThatCannotBeInABondWithTheReason)
{
	EXPECT_ERROR(bond(",mode=4", kPair), 1, "LACP (mode 4) needs a device that lets all multicast in");
	EXPECT_ERROR(bond("", "['net_memif0,id=0', 'net_memif1,id=1']"), 1, "takes no other MAC address");
	EXPECT_ERROR(bond("", "['net_tap0', 'net_tap1']"), 1, "no link that could fail");
	EXPECT_ERROR(bond("", "['net_bonding1', 'net_af_packet0,iface=a']"), 1, "a bond cannot be in a bond");
}

TEST(ConfDevice, ABondHasItsMembersAndOnlyABond)
{
	EXPECT_ERROR(port("device: net_bonding0"), 1, "a bond needs `members:`");
	EXPECT_ERROR(port("device: 'net_bonding0,slave=net_af_packet0'"), 1, "not by slave=");
	EXPECT_ERROR(bond("", "['net_af_packet0,iface=a']"), 1, "at least 2 members, found 1");
	EXPECT_ERROR(bond("", "[]"), 1, "at least 2 members, found 0");
	EXPECT_ERROR(port("device: 'net_af_packet0,iface=a', members: ['net_ring0', 'net_ring1']"), 1,
		     "only a bond has members");
}

TEST(ConfDevice, NoDeviceIsUsedTwice)
{
	EXPECT_ERROR(bond("", "['net_af_packet0,iface=a', 'net_af_packet0,iface=b']"), 1,
		     "\"net_af_packet0\" is in use already");
	EXPECT_ERROR(valid_with("ports", "ports:\n"
					 "  - {name: p0, addresses: [10.0.0.2/24], device: net_ring0}\n"
					 "  - {name: p1, addresses: [10.0.1.2/24], device: net_bonding0,\n"
					 "     members: [net_ring1, net_ring0]}\n"),
		     4, "\"net_ring0\" is in use already");
}

TEST(ConfDevice, ExceptionPathHasATapOfItsOwn)
{
	Loaded l(port("device: 'net_af_packet0,iface=a', exception: nic0, exception_rate: 5000"));

	ASSERT_NE(nullptr, l.c) << l.said;
	EXPECT_STREQ("nic0", l.c->ports[0].exception);
	EXPECT_EQ(5000u, l.c->ports[0].exception_rate);
	EXPECT_NE(std::string::npos, saved(l.c).find("    exception: nic0\n    exception_rate: 5000\n"));
	EXPECT_ERROR(port("device: net_ring0, exception: sixteen-letters-"), 1, "exception");
	EXPECT_ERROR(port("device: net_ring0, exception: 'a/b'"), 1, "is not a name");
	EXPECT_ERROR(port("device: net_ring0, exception: nic0, exception_rate: 5"), 1, "out of range");
	EXPECT_ERROR(port("device: net_tap0, exception: nic0"), 1, "the kernel's already");
	EXPECT_ERROR(valid_with("ports", "ports:\n"
					 "  - {name: p0, addresses: [10.0.0.2/24], device: net_ring0, exception: x}\n"
					 "  - {name: p1, addresses: [10.0.1.2/24], device: net_ring1, exception: x}\n"),
		     3, "\"x\" is taken by ports[0]");
}

TEST(ConfDevice, VirtioUserIsRefusedWithTheWayOut)
{
	EXPECT_ERROR(port("device: 'net_virtio_user0,queues=1'"), 1, "the vhost-user socket of a virtual switch");
}

TEST(ConfDevice, WhatIsNoDeviceIsToldAtOnce)
{
	EXPECT_ERROR(port("device: eth0"), 1, "a virtual device such as \"net_af_packet0,iface=eth0\"");
	EXPECT_ERROR(port("device: enp3s0f1np1"), 1, "looks like an interface of the kernel's");
	EXPECT_ERROR(port("device: '0000:3b:00'"), 1, "is no whole PCI address");
	EXPECT_ERROR(port("device: '3b:00.0.1'"), 1, "is no whole PCI address");
	for (const char *good :
	     {"'0000:3b:00.0'", "3b:00.0", "net_ring0", "'eth_ring0'", "'auxiliary:mlx5_core.sf.2'",
	      "00000000-0000-8899-0000-000000000000", "'bus=pci,addr=3b:00.0'", "'virtio_user0,path=/dev/vhost-net'"}) {
		Loaded l(port(std::string("device: ") + good));

		EXPECT_NE(nullptr, l.c) << good << ": " << l.said;
	}
}

TEST(ConfDevice, ADriveNamesWhatMayBeLostOnIt)
{
	Loaded l(valid_with("drives", "drives: [{name: d0, kind: mem, size: 1MiB, overwrite: 'ext4:0b5d'}, "
				      "{name: d1, kind: mem, size: 1MiB}]\n"));

	ASSERT_NE(nullptr, l.c) << l.said;
	EXPECT_STREQ("ext4:0b5d", l.c->drives[0].overwrite);
	EXPECT_EQ(nullptr, l.c->drives[1].overwrite);
	EXPECT_NE(std::string::npos, saved(l.c).find("overwrite: \"ext4:0b5d\"")) << saved(l.c);
}
