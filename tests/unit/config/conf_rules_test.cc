/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "conf_fixture.h"

static std::string
port(const std::string &keys)
{
	return valid_with("ports", "ports: [{name: p0, device: net_tap0, " + keys + "}]\n");
}

static std::string
subsystem(const std::string &keys)
{
	return valid_with("subsystems", "subsystems: [{" + keys + "}]\n");
}

static std::string
volume(const std::string &keys)
{
	return valid_with("volumes", "volumes: [{name: v0, group: g0, size: 4KiB, " + keys + "}]\n");
}

TEST(ConfRules, EveryErrorOfAFileIsToldAtOnceInOrderOfLines)
{
	Loaded l("appliance:\n"
		 "  nmae: x\n"
		 "  huge: yes\n"
		 "  memory: 10GB\n"
		 "  slab: 3GiB\n"
		 "prots: []\n"
		 "drives:\n"
		 "  - name: d0\n"
		 "    kind: memm\n"
		 "  - kind: mem\n"
		 "    size: 12\n"
		 "groups:\n"
		 "  - {name: g0, raid: 10, drives: [d0, d9]}\n");

	EXPECT_EQ(nullptr, l.c);
	EXPECT_EQ("/etc/t.yaml:2:3: appliance.nmae: unknown key; did you mean \"name\"?\n"
		  "/etc/t.yaml:3:9: appliance.huge: \"yes\" is not true or false; write true\n"
		  "/etc/t.yaml:4:11: appliance.memory: \"10GB\" is not a size; write 10GiB\n"
		  "/etc/t.yaml:5:9: appliance.slab: 3GiB is not a power of two; the nearest are 2GiB and 4GiB\n"
		  "/etc/t.yaml:6:1: prots: unknown key; did you mean \"ports\"?\n"
		  "/etc/t.yaml:9:11: drives[0].kind: no kind of drive is called \"memm\"; did you mean \"mem\"?\n"
		  "/etc/t.yaml:10:5: drives[1]: \"name\" is missing (Name of the drive.)\n"
		  "/etc/t.yaml:11:11: drives[1].size: 12 is out of range; expected 1MiB to 1TiB\n"
		  "/etc/t.yaml:13:39: groups[0].drives[1]: no drive is named \"d9\"; did you mean \"d0\"?\n",
		  l.said);
}

TEST(ConfRules, KeysGivenTwice)
{
	EXPECT_ERROR("appliance:\n  name: a\n  name: b\n", 3, "appliance.name: given twice; first on line 2");
	EXPECT_ERROR("drives: []\ndrives: []\n", 2, "drives: given twice; first on line 1");
}

TEST(ConfRules, WrongShapes)
{
	EXPECT_ERROR("appliance: [a]\n", 1, "expected keys with values (\"name: ...\"), found a list");
	EXPECT_ERROR("drives: {name: d0}\n", 1, "expected a list (lines that begin with \"- name:\"), found a mapping");
	EXPECT_ERROR("drives: [d0]\n", 1, "drives[0]: expected keys with values (\"name: ...\")");
	EXPECT_ERROR("listeners: [127.0.0.1]\n", 1, "listeners[0]: expected keys with values (\"port: ...\")");
	EXPECT_ERROR("appliance: {data_cpus: 1}\n", 1, "expected a list; write [1]");
	EXPECT_ERROR("appliance: {data_cpus: []}\n", 1, "expected at least one");
	EXPECT_ERROR("appliance: {data_cpus: [1, 1]}\n", 1, "\"1\" stands in the list twice");
	EXPECT_ERROR("appliance: {data_cpus: [x]}\n", 1, "data_cpus[0]: \"x\" is not a whole number");
	EXPECT_ERROR("appliance: {name: }\n", 1, "found nothing");
	EXPECT_ERROR("appliance: {name: [x]}\n", 1, "found a list");
	EXPECT_ERROR("appliance: {idle: spinn}\n", 1,
		     "\"spinn\" is not known; did you mean \"spin\"? expected adaptive or spin");
	EXPECT_ERROR("appliance: {requests: 0}\n", 1, "0 is out of range; expected 256 to 65536");
	EXPECT_ERROR("appliance: {memory: 64MiB, buffers: 64MiB}\n", 1, "64MiB does not fit into memory, 64MiB in all");
	EXPECT_ERROR("appliance: {control: /" + std::string(120, 'x') + "}\n", 1, "121 bytes long");
	EXPECT_ERROR("nonsense: 1\n", 1, "unknown key; known here: appliance, ports, drives");
}

TEST(ConfRules, OneMistakeIsToldOnce)
{
	Loaded address(valid_with("ports", "ports: [{name: p0, device: net_tap0, addresses: 10.0.0.2/24,\n"
					   " gateway4: 10.0.0.1}]\n"));
	Loaded none(valid_with("groups", "groups: [{name: g0, style: log, data: 3, drives: []}]\n"));
	Loaded name(valid_with("drives", "drives: [{name: d\xc3\xb6, kind: mem, size: 1MiB}, "
					 "{name: d1, kind: mem, size: 1MiB}]\n"));
	Loaded bare(valid_with("drives", "drives: [d0, {name: d1, kind: mem, size: 1MiB}]\n"));

	EXPECT_EQ(1u, address.errs.n) << address.said;
	EXPECT_TRUE(address.says(1, "ports[0].addresses: expected a list; write [10.0.0.2/24]")) << address.said;
	EXPECT_EQ(1u, none.errs.n) << none.said;
	EXPECT_EQ(1u, name.errs.n) << name.said;
	EXPECT_TRUE(name.says(1, "is not a name")) << name.said;
	EXPECT_EQ(1u, bare.errs.n) << bare.said;
}

TEST(ConfRules, ListsWrittenAsOneText)
{
	EXPECT_ERROR(valid_with("groups", "groups: [{name: g0, raid: 1, drives: 'd0, d1'}]\n"), 1, "write [d0, d1]");
	EXPECT_ERROR(valid_with("groups", "groups: [{name: g0, raid: 1, drives: d0 d1}]\n"), 1, "write [d0, d1]");
	EXPECT_ERROR("appliance: {data_cpus: 1-3}\n", 1, "expected a list, such as [a, b]; found a single value");
}

TEST(ConfRules, Names)
{
	EXPECT_ERROR(valid_with("drives",
				"drives: [{name: d0, kind: mem, size: 1MiB}, {name: d1, kind: mem, size: 1MiB},\n"
				" {name: d0, kind: mem, size: 1MiB}]\n"),
		     2, "drives[2].name: \"d0\" is taken by drives[0] on line 1");
	EXPECT_ERROR("drives: [{name: 'a b', kind: mem, size: 1MiB}]\n", 1, "\"a b\" is not a name");
	EXPECT_ERROR("drives: [{name: " + std::string(64, 'x') + ", kind: mem, size: 1MiB}]\n", 1,
		     "64 bytes long; expected 1 to 63");
	EXPECT_ERROR("ports: [{name: kernel, device: x, addresses: [10.0.0.2/24]}]\n", 1, "choose another name");
	EXPECT_ERROR(valid_with("ports", "ports: [{name: p0, device: x, addresses: [10.0.0.2/24]},\n"
					 "{name: p1, device: x, addresses: [10.0.1.2/24]}]\n"),
		     2, "\"x\" is taken by ports[0]");
}

TEST(ConfRules, DrivesOfAGroup)
{
	std::string drives = "drives: [{name: e0, kind: mem, size: 1MiB}", names = "e0";

	for (int i = 1; i < 32; i++) {
		drives += ", {name: e" + std::to_string(i) + ", kind: mem, size: 1MiB}";
		names += ", e" + std::to_string(i);
	}
	Loaded most(drives + "]\ngroups:\n - {name: g0, raid: 0, drives: [" + names + "]}\n");

	EXPECT_EQ(std::string::npos, most.said.find("at most")) << most.said;
	EXPECT_ERROR(drives + ", {name: e32, kind: mem, size: 1MiB}]\ngroups:\n - {name: g0, raid: 0,\n   drives: [" +
			     names + ", e32]}\n",
		     4, "groups[0].drives: 33 drives; a group has at most 32");
}

TEST(ConfRules, Addresses)
{
	struct {
		const char *address, *what;
	} cases[] = {
		{"10.0.0.2", "has no prefix; write it as in 10.0.0.2/24"},
		{"10.0.0.2/33", "has a bad prefix; expected /0 to /32"},
		{"'fd00::2/129'", "has a bad prefix; expected /0 to /128"},
		{"10.0.0.2/", "has a bad prefix"},
		{"10.0.0.2/024", "has a bad prefix"},
		{"10.0.0.256/24", "is not an IP address"},
		{"host/24", "is not an IP address"},
		{"10.0.0.0/24", "network's own or broadcast"},
		{"10.0.0.255/24", "network's own or broadcast"},
		{"224.0.0.1/24", "is not an address a port can have"},
		{"'ff02::1/64'", "is not an address a port can have"},
		{"127.0.0.1/8", "is not an address a port can have"},
		{"0.0.0.0/0", "is not an address a port can have"},
		{"'::/64'", "is not an address a port can have"},
		{"junk", "is not an address; expected 10.0.0.2/24"},
	};

	for (auto &c : cases)
		EXPECT_ERROR(port(std::string("addresses: [") + c.address + "]"), 1, c.what);
	EXPECT_ERROR(port("addresses: []"), 1, "expected at least one");
	EXPECT_ERROR(port("mtu: 1500"), 1, "\"addresses\" is missing");
	EXPECT_ERROR(port("addresses: [10.0.0.2/24, 10.0.0.2/25]"), 1, "is taken already, on line 1");
	EXPECT_ERROR(port("addresses: ['fd00::2/64', 'fd00:0::2/64', 10.0.0.2/24]"), 1, "is taken already, on line 1");
	EXPECT_ERROR(port("addresses: [10.0.0.2/24], gateway4: 10.0.1.1"), 1, "in none of the networks");
	EXPECT_ERROR(port("addresses: [10.0.0.2/24], gateway4: 'fd00::1'"), 1, "of the other IP version");
	EXPECT_ERROR(port("addresses: [10.0.0.2/24], gateway4: 0.0.0.0"), 1, "not one host's address");
	EXPECT_ERROR(port("addresses: [10.0.0.2/24], mtu: 500"), 1, "500 is out of range; expected 576 to 65535");
	EXPECT_ERROR(port("addresses: [10.0.0.2/24], vlan: 4095"), 1, "4095 is out of range");
	Loaded l(
		port("addresses: [10.0.0.2/24, 'fd00::2/64', 10.1.0.0/31], gateway4: 10.0.0.254, gateway6: 'fe80::1'"));
	EXPECT_NE(nullptr, l.c) << l.said;
}

TEST(ConfRules, Macs)
{
	for (const char *mac : {"02:00:00:00:00", "02-00-00-00-00-01", "02:00:00:00:00:0g", "0200.0000.0001"})
		EXPECT_ERROR(port(std::string("addresses: [10.0.0.2/24], mac: '") + mac + "'"), 1,
			     "is not a MAC address");
	EXPECT_ERROR(port("addresses: [10.0.0.2/24], mac: '03:00:00:00:00:01'"), 1, "is a group address");
	EXPECT_ERROR(port("addresses: [10.0.0.2/24], mac: '00:00:00:00:00:00'"), 1, "is no address");
	Loaded l(port("addresses: [10.0.0.2/24], mac: '02:00:00:aB:00:01'"));
	EXPECT_NE(nullptr, l.c) << l.said;
}

TEST(ConfRules, Raid)
{
	EXPECT_ERROR(valid_with("groups", "groups: [{name: g0, raid: 5, drives: [d0, d1]}]\n"), 1,
		     "\"5\" is not known; expected 0, 1 or 10");
	EXPECT_ERROR(valid_with("groups", "groups: [{name: g0, raid: 0, drives: []}]\n"), 1, "expected at least one");
	EXPECT_ERROR(valid_with("groups", "groups: [{name: g0, raid: 0, drives: [d0, d0]}]\n"), 1,
		     "\"d0\" stands in the list twice");
	EXPECT_ERROR(
		valid_with("groups",
			   "groups: [{name: g0, raid: 0, drives: [d0]},\n{name: g1, raid: 1, drives: [d1, d0]}]\n"),
		2, "drive \"d0\" is in groups[0] already, on line 1");
	EXPECT_ERROR(valid_with("groups", "groups: [{name: g0, raid: 0, drives: [d0], chunk: 2KiB}]\n"), 1,
		     "2KiB is out of range; expected 4KiB to 1MiB");
}

/* How a mirror is opened whose other half is gone: the operator lists the drives there are. */
TEST(ConfRules, RaidWithoutItsOtherHalvesIsAWarning)
{
	for (const char *group : {"raid: 1, drives: [d0]", "raid: 10, drives: [d0]", "raid: 10, drives: [d0, d1]"}) {
		Loaded l(valid_with("groups", std::string("groups: [{name: g0, ") + group + "}]\n"));

		EXPECT_NE(nullptr, l.c) << l.said;
		EXPECT_NE(std::string::npos, l.said.find("only a group that exists already opens so")) << l.said;
	}
	std::string five = "drives: [";
	for (int i = 0; i < 5; i++)
		five += "{name: d" + std::to_string(i) + ", kind: mem, size: 1MiB}, ";
	Loaded l(five + "]\ngroups: [{name: g0, raid: 10, drives: [d0, d1, d2, d3, d4]}]\n");
	EXPECT_NE(nullptr, l.c) << l.said;
	EXPECT_NE(std::string::npos, l.said.find("at least 4, found 5")) << l.said;
}

TEST(ConfRules, TwoDrivesInOneFile)
{
	EXPECT_ERROR("drives:\n- {name: a, kind: uring, path: /x/y}\n- {name: b, kind: uring, path: /x/y}\n", 3,
		     "drives[1].path: the same file as drives[0] on line 2");
}

TEST(ConfRules, Volumes)
{
	EXPECT_ERROR(volume("lba: 1024"), 1, "\"1024\" is not known; expected 512 or 4096");
	EXPECT_ERROR(valid_with("volumes", "volumes: [{name: v0, group: g0, size: 4608}]\n"), 1,
		     "4608 bytes are no whole number of 4096-byte blocks");
	EXPECT_ERROR(valid_with("volumes", "volumes: [{name: v0, group: h0, size: 4KiB}]\n"), 1,
		     "no group is named \"h0\"; did you mean \"g0\"?");
	EXPECT_ERROR(volume("uuid: abc"), 1, "is not a UUID");
	EXPECT_ERROR(volume("uuid: 00000000-0000-0000-0000-000000000000"), 1, "is the nil UUID");
	EXPECT_ERROR(
		valid_with("volumes",
			   "volumes: [{name: v0, group: g0, size: 4KiB, uuid: 6f1c1f3e-6d0a-4f7e-9a51-0d6a3e5c7b1a},\n"
			   "{name: v1, group: g0, size: 4KiB, uuid: 6f1c1f3e-6d0a-4f7e-9a51-0d6a3e5c7B1A}]\n"),
		2, "is taken by volumes[0]");
	Loaded l(valid_with("volumes", "volumes: [{name: v0, group: g0, size: 4608, lba: 512}]\n"));
	EXPECT_NE(nullptr, l.c) << l.said;
}

TEST(ConfRules, Stages)
{
	EXPECT_ERROR(volume("stages: [cryptoo]"), 1,
		     "stages[0]: no stage is called \"cryptoo\"; did you mean \"crypto\"?");
	EXPECT_ERROR(volume("stages: [raid5]"), 1, "known: crypto, delay, trace");
	EXPECT_ERROR(volume("stages: [crypto]"), 1, "\"key_file\" is missing (file with the key)");
	EXPECT_ERROR(volume("stages: [crypto: {key: x}]"), 1, "stages[0].crypto.key: unknown key");
	EXPECT_ERROR(volume("stages: [crypto: {key_fiel: x}]"), 1, "did you mean \"key_file\"?");
	EXPECT_ERROR(volume("stages: [crypto: {key_file: x, algorithm: aes-128-xts}]"), 1,
		     "did you mean \"aes-256-xts\"?");
	EXPECT_ERROR(volume("stages: [crypto: {key_file: [x]}]"), 1, "expected path, found a list");
	EXPECT_ERROR(volume("stages: [trace, delay: {time: 5}]"), 1, "is not a duration");
	EXPECT_ERROR(volume("stages: [trace, delay: {time: 2s}]"), 1, "2s is out of range; expected 1us to 1s");
	EXPECT_ERROR(volume("stages: [trace, trace]"), 1, "stage \"trace\" stands in the list twice");
	EXPECT_ERROR(volume("stages: [trace: {lcore: 3}]"), 1, "there is no data lcore 3; appliance.data_cpus makes 2");
	EXPECT_ERROR(volume("stages: [trace: {lcore: 0}]"), 1, "0 is out of range; expected 1 to 31");
	EXPECT_ERROR(volume("stages: {crypto: {key_file: x}}"), 1, "expected a list of stages");
	EXPECT_ERROR(volume("stages: [[trace]]"), 1, "expected a stage's name");
	EXPECT_ERROR(valid_with("volumes", "volumes:\n- name: v0\n  group: g0\n  size: 4KiB\n  stages:\n  - crypto:\n"
					   "    key_file: x\n"),
		     6, "a stage's keys stand deeper than its name");
}

TEST(ConfRules, Nqns)
{
	struct {
		std::string nqn, what;
	} cases[] = {
		{"iqn.2026-11.io.strake:t", "is not an NQN"},
		{"nqn.io.strake:t", "has no year and month"},
		{"nqn.2026-1.io.strake", "has no year and month"},
		{"nqn.", "has no year and month"},
		{"nqn.2026-13.io.strake:t", "names a month that is none"},
		{"nqn.2026-00.io.strake:t", "names a month that is none"},
		{"nqn.2026-11.", "has no proper domain"},
		{"nqn.2026-11.:x", "has no proper domain"},
		{"nqn.2026-11.io.:x", "has no proper domain"},
		{"nqn.2026-11.io_strake:x", "has a domain with characters other than"},
		{"nqn.2026-11.io.strake:", "ends in \\\":\\\" without a name"},
		{"nqn.2014-08.org.nvmexpress:uuid:1234", "does not end in a UUID"},
		{"nqn.2014-08.org.nvmexpress.discovery", "is the discovery subsystem's"},
		{"nqn.2026-11.io.strake:" + std::string(202, 'x'), "224 bytes long; expected 1 to 223"},
	};

	cases[10].what = "ends in \":\" without a name";
	for (auto &c : cases)
		EXPECT_ERROR(subsystem("nqn: '" + c.nqn + "'"), 1, c.what);
	for (std::string nqn : {std::string("nqn.2026-11.io.strake"), "nqn.2026-11.io.strake:" + std::string(201, 'x'),
				std::string("nqn.2014-08.org.nvmexpress:uuid:2a6f0f4c-5f2b-4b6e-8f0d-3f1f6b1c9a77")}) {
		Loaded l(subsystem("nqn: '" + nqn + "'"));

		EXPECT_NE(nullptr, l.c) << l.said;
	}
}

TEST(ConfRules, Subsystems)
{
	const std::string n = "nqn: 'nqn.2026-11.io.strake:t', ";

	EXPECT_ERROR(subsystem(n + "hosts: all"), 1, "expected \"any\" or a list of NQNs, found \"all\"");
	EXPECT_ERROR(subsystem(n + "hosts: [any]"), 1, "hosts[0]: \"any\" is not an NQN");
	EXPECT_ERROR(subsystem(n + "hosts: ['nqn.2026-11.a.b', 'nqn.2026-11.a.b']"), 1, "stands in the list twice");
	EXPECT_ERROR(subsystem(n + "serial: 123456789012345678901"), 1, "21 bytes long; expected 1 to 20");
	EXPECT_ERROR(subsystem(n + "serial: 'ä'"), 1, "holds characters other than ASCII");
	EXPECT_ERROR(subsystem(n + "namespaces: [{volume: w0}]"), 1, "no volume is named \"w0\"; did you mean \"v0\"?");
	EXPECT_ERROR(subsystem(n + "namespaces: [{nsid: 0, volume: v0}]"), 1, "0 is out of range");
	EXPECT_ERROR(subsystem(n + "namespaces: [v0]"), 1, "expected keys with values");
	EXPECT_ERROR(subsystem(n + "namespaces: [{volume: v0}, {volume: v0}]"), 1,
		     "volume \"v0\" is in this subsystem already");
	const std::string two = "volumes: [{name: v0, group: g0, size: 4KiB}, {name: v1, group: g0, size: 4KiB}]\n";
	std::string text = subsystem(n + "namespaces: [{volume: v0},\n{nsid: 1, volume: v1}]");
	text.replace(text.find("volumes: ["), text.find("\n", text.find("volumes: [")) + 1 - text.find("volumes: ["),
		     two);
	EXPECT_ERROR(text, 2, "namespace id 1 is taken on line 1");
	EXPECT_ERROR(valid_with("subsystems", "subsystems:\n- nqn: nqn.2026-11.io.s\n- nqn: nqn.2026-11.io.s\n"), 3,
		     "is taken by subsystems[0] on line 2");
}

TEST(ConfRules, Listeners)
{
	EXPECT_ERROR(valid_with("listeners", "listeners: [{port: p1, address: 10.0.0.2}]\n"), 1,
		     "no port is named \"p1\"; did you mean \"p0\"?");
	EXPECT_ERROR(valid_with("listeners", "listeners: [{port: kernal, address: 10.0.0.2}]\n"), 1,
		     "did you mean \"kernel\"?");
	EXPECT_ERROR(valid_with("listeners", "listeners: [{port: p0, address: 10.0.0.3}]\n"), 1,
		     "port \"p0\" does not have \"10.0.0.3\"");
	EXPECT_ERROR(valid_with("listeners", "listeners: [{port: p0, address: '::'}]\n"), 1, "does not have \"::\"");
	EXPECT_ERROR(valid_with("listeners", "listeners: [{port: p0, address: 10.0.0.2/24}]\n"), 1, "has a prefix");
	EXPECT_ERROR(valid_with("listeners", "listeners: [{port: kernel, address: localhost}]\n"), 1,
		     "is not an IP address");
	for (const char *text : {"'[::1]'", "'[::1]:4420'", "10.0.0.2:4420"})
		EXPECT_ERROR(
			valid_with("listeners", std::string("listeners: [{port: kernel, address: ") + text + "}]\n"), 1,
			"without brackets or a port");
	EXPECT_ERROR(valid_with("listeners", "listeners: [{port: p0, address: 10.0.0.2, service: 70000}]\n"), 1,
		     "70000 is out of range; expected 1 to 65535");
	EXPECT_ERROR(valid_with("listeners", "listeners: [{port: p0, address: 10.0.0.2},\n"
					     "{port: p0, address: 10.0.0.2, service: 4420}]\n"),
		     2, "the same address and port as listeners[0] on line 1");
	EXPECT_ERROR(valid_with("listeners", "listeners: [{transport: nvme_rdma, port: p0, address: 10.0.0.2}]\n"), 1,
		     "is not known; expected nvme_tcp");
}

TEST(ConfRules, LogGroupsHaveDataAndParityAndPlainOnesARaid)
{
	const std::string drives = "drives: [d0, d1]";

	for (const char *good : {"style: log", "style: log, data: 1, parity: 1", "style: log, data: 2, parity: 0",
				 "style: log, data: 1, segment: 64MiB, unit: 64KiB"}) {
		Loaded l(valid_with("groups", "groups: [{name: g0, " + std::string(good) + ", " + drives + "}]\n"));

		EXPECT_NE(nullptr, l.c) << good << l.said;
	}
	EXPECT_ERROR(valid_with("groups", "groups: [{name: g0, " + drives + "}]\n"), 1, "\"raid\" is missing");
	EXPECT_ERROR(valid_with("groups", "groups: [{name: g0, style: log, raid: 1, " + drives + "}]\n"), 1,
		     "is of plain groups");
	EXPECT_ERROR(valid_with("groups", "groups: [{name: g0, style: log, data: 2, parity: 1, " + drives + "}]\n"), 1,
		     "2 drives; 2 data and 1 parity need at least 3");
	EXPECT_ERROR(valid_with("groups", "groups: [{name: g0, style: log, parity: 2, " + drives + "}]\n"), 1,
		     "need at least 3");
	EXPECT_ERROR(valid_with("groups", "groups: [{name: g0, style: log, parity: 4, " + drives + "}]\n"), 1, "3");
	EXPECT_ERROR(
		valid_with("groups", "groups: [{name: g0, style: log, unit: 64KiB, segment: 4KiB, " + drives + "}]\n"),
		1, "is less than a unit");
	/* No store could be opened on these, after the drives were written. */
	EXPECT_ERROR(valid_with("groups", "groups: [{name: g0, style: log, data: 1, unit: 32KiB, " + drives + "}]\n"),
		     1,
		     "groups[0].unit: on 1 data drives is less than 36KiB, which a row must hold; expected at least "
		     "36864 bytes");
	EXPECT_ERROR(valid_with("groups", "groups: [{name: g0, style: log, data: 2, parity: 0, segment: 64KiB, " +
						  drives + "}]\n"),
		     1, "groups[0].segment: on 2 data drives is less than 132KiB; expected at least 67584 bytes");
	EXPECT_ERROR(valid_with("groups", "groups: [{name: g0, style: log, data: 2, parity: 0, segment: 64MiB, " +
						  drives + "}]\n"),
		     1, "more than 64MiB");
}

TEST(ConfRules, ACacheOfTheMapIsLargeEnoughAndFitsIntoMemory)
{
	const std::string group = "groups: [{name: g0, style: log, drives: [d0], parity: 0, map_cache: ";

	EXPECT_ERROR(valid_with("groups", group + "15MiB}]\n"), 1, "15MiB is out of range; expected 16MiB to 1TiB");
	EXPECT_ERROR(valid_with("groups", group + "1GiB}]\n"), 1, "does not fit into appliance.memory, 1GiB in all");
	EXPECT_ERROR(valid_with("groups", group + "400MiB},\n {name: g1, style: log, drives: [d1], parity: 0,\n"
						  "map_cache: 400MiB}]\n"),
		     3, "does not fit into appliance.memory");
}

TEST(ConfRules, SparesAndScrubsAreOfLogGroups)
{
	const std::string log = "groups: [{name: g0, style: log, drives: [d0], parity: 0, ";
	Loaded l(valid_with("groups", log + "spares: [d1], scrub_every: 7d, scrub_rate: 64MiB, map_cache: 256MiB}]\n"));

	ASSERT_NE(nullptr, l.c) << l.said;
	EXPECT_EQ("", l.said) << "a spare is used";
	ASSERT_EQ(1u, l.c->groups[0].n_spares);
	EXPECT_STREQ("d1", l.c->groups[0].spares[0]->name);
	EXPECT_EQ(7 * 86400000000000u, l.c->groups[0].scrub_every);
	EXPECT_EQ(64u << 20, l.c->groups[0].scrub_rate);
	EXPECT_EQ(256u << 20, l.c->groups[0].map_cache);
	EXPECT_ERROR(valid_with("groups", log + "spares: [d0]}]\n"), 1, "is in groups[0] already");
	EXPECT_ERROR(valid_with("groups", log + "spares: [d1, d1]}]\n"), 1, "twice");
	EXPECT_ERROR(valid_with("groups", log + "spares: [d7]}]\n"), 1, "d7");
	EXPECT_ERROR(valid_with("groups", log + "spares: [d1]}, {name: g1, raid: 0, drives: [d1]}]\n"), 1,
		     "is in groups[0] already");
	EXPECT_ERROR(valid_with("groups", log + "scrub_every: 0s}]\n"), 1, "scrub_every");
	EXPECT_ERROR(valid_with("groups", log + "lcore: 4}]\n"), 1,
		     "there is no data lcore 4; appliance.data_cpus makes");
	for (const char *key : {"spares: [d1]", "rebuild_rate: 1MiB", "scrub_every: 1h", "scrub_rate: 1MiB",
				"reseal_rate: 1MiB", "map_cache: 16MiB", "lcore: 1"})
		EXPECT_ERROR(
			valid_with("groups", "groups: [{name: g0, raid: 0, drives: [d0], " + std::string(key) + "}]\n"),
			1, "is of log groups");
}
