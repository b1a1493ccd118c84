/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <cstring>
#include <random>

#include "conf_fixture.h"

namespace
{

/** A valid configuration, different for each seed. */
class Maker
{
      public:
	explicit Maker(unsigned int seed) : rng(seed)
	{
	}

	std::string
	file()
	{
		std::string all = "appliance:\n";

		all += one("name", {"a", "b-1", "\"x.y_z\""}) + one("huge", {"true", "false"}) +
		       one("memory", {"1GiB", "3145728KiB", "1073741825"}) + one("buffers", {"8MiB", "64MiB"}) +
		       one("idle", {"spin", "adaptive"}) + one("slab", {"1MiB", "1TiB"}) +
		       one("data_cpus", {"[0]", "[1, 2, 3]", "[0, 7]"}) + one("control", {"/tmp/c", "rel/ative.sock"}) +
		       one("state", {"/tmp/s", "rel/ative"});
		all += "ports:\n- name: p0\n  device: " +
		       pick({"net_tap0", "'net_tap0,iface=x'", "\"0000:3b:00.0\"", "'a \"b\" \\c'"}) +
		       "\n  addresses: " + pick({"[10.0.0.2/24]", "[\"fd00::2/64\", 10.0.0.2/8]"}) + "\n" +
		       one("mtu", {"576", "9000"}) + one("vlan", {"0", "4094"}) +
		       one("mac", {"\"02:00:00:00:00:01\""}) + one("gateway4", {"10.0.0.1"}) +
		       one("congestion", {"newreno", "cubic"}) +
		       one("access",
			   {"[{from: 10.0.0.0/8, action: accept}]",
			    "[{from: 10.0.0.9, to: 4420, action: deny}, {from: '::/0', to: [1, 65535], action: "
			    "accept}]"});
		all += "drives:\n";
		for (int i = 0; i < 7; i++)
			all += "- {name: d" + std::to_string(i) + ", " +
			       pick({"kind: mem, size: 1MiB", "kind: 'null'", "kind: mem, size: 3145729"}) + "}\n";
		all += "groups:\n- name: g0\n  drives: [d0, d1, d2, d3]\n  raid: " + pick({"0", "1", "10"}) + "\n" +
		       one("chunk", {"4KiB", "1MiB"}) + one("create", {"true", "false"}) +
		       one("region", {"1MiB", "1GiB"});
		all += "- name: g1\n  style: log\n  parity: 0\n  drives: [d4]\n" + one("spares", {"[d5]", "[d6, d5]"}) +
		       one("rebuild_rate", {"4KiB", "1GiB"}) + one("scrub_every", {"90min", "7d", "3s"}) +
		       one("scrub_rate", {"4KiB", "5000000"}) + one("reseal_rate", {"4KiB", "1GiB"}) +
		       one("map_cache", {"16MiB", "100000000"}) + one("lcore", {"1"});
		all += "volumes:\n- name: v0\n  group: g0\n  size: " + pick({"4KiB", "1TiB", "5000000512"}) +
		       "\n  lba: 512\n" + one("read_only", {"true", "false"}) +
		       one("uuid", {"6f1c1f3e-6d0a-4f7e-9a51-0d6a3e5c7b1a"}) +
		       one("stages", {"[]", "[trace]", "[delay: {time: 100us}, trace: {lcore: 1}]",
				      "[crypto: {key_file: 'a b: #c'}]", "[crypto: {key_file: \"\\u00e4\\\"\\\\\"}]",
				      "[delay: ]"});
		all += "subsystems:\n- nqn: " +
		       pick({"nqn.2026-11.io.s", "\"nqn.2026-11.io.s:a b\"", "'nqn.2026-11.io.s:ä'"}) + "\n" +
		       one("serial", {"S1", "'0x1F'", "'- x'"}) + one("model", {"'null'", "'~'", "'true'", "M"}) +
		       one("hosts", {"any", "[]", "['nqn.2026-11.a.b:h']"}) +
		       one("namespaces", {"[]", "[{volume: v0}]", "[{nsid: 9, volume: v0}]"}) +
		       one("max_queues", {"1", "128"});
		all += "classes:\n- class: " + pick({"1", "255"}) + "\n" + one("name", {"c"}) +
		       one("host", {"any", "'nqn.2026-11.a.b:h'"}) +
		       one("range", {"[0, 1MiB]", "[1048576, 1TiB]", "[1GiB, 1024TiB]"}) +
		       one("ops", {"[read]", "[write_zeroes, compare_write]"}) +
		       one("dscp", {"46", "[0, 63]", "[8, 8]"}) + one("pcp", {"7", "[0, 3]"});
		all += "services:\n- class: " + pick({"0", "255"}) + "\n" + one("weight", {"1", "1000"}) +
		       one("iops", {"1", "1000000000"}) + one("bandwidth", {"4KiB", "1TiB", "123456789"}) +
		       one("burst_ms", {"10", "60000"});
		all += "listeners:\n- port: " + pick({"p0", "kernel"}) +
		       "\n  address: " + pick({"10.0.0.2", "0.0.0.0"}) + "\n" + one("service", {"1", "65535"}) +
		       one("ana", {"optimized", "non_optimized", "inaccessible"});
		return all;
	}

      private:
	std::string
	pick(std::initializer_list<const char *> of)
	{
		return *(of.begin() + rng() % of.size());
	}
	std::string
	one(const char *key, std::initializer_list<const char *> of)
	{
		return rng() % 3 == 0 ? "" : std::string("  ") + key + ": " + pick(of) + "\n";
	}
	std::mt19937 rng;
};

} // namespace

TEST(ConfSave, WhatWasSavedLoadsAndSavesToTheSameBytes)
{
	for (unsigned int seed = 0; seed < 1000; seed++) {
		std::string text = Maker(seed).file();
		Loaded first(text);

		ASSERT_NE(nullptr, first.c) << "seed " << seed << "\n" << first.said << text;
		std::string once = saved(first.c);
		Loaded second(once, "/elsewhere/u.yaml");

		ASSERT_NE(nullptr, second.c) << "seed " << seed << "\n" << second.said << once;
		ASSERT_EQ(once, saved(second.c)) << "seed " << seed;
	}
}

TEST(ConfSave, KeepsEveryValue)
{
	Loaded l(valid_with(
		"volumes",
		"volumes: [{name: v0, group: g0, size: 512KiB, stages: [crypto: {key_file: k, lcore: 2}]}]\n"));

	ASSERT_NE(nullptr, l.c) << l.said;
	EXPECT_EQ(
		"appliance:\n  name: t\n  control: /run/strake/t.sock\n  state: /var/lib/strake/t\n  main_cpu: 0\n  "
		"data_cpus: [1, 2]\n  huge: "
		"true\n"
		"  memory: 1GiB\n  buffers: 256MiB\n  requests: 16384\n  idle: adaptive\n  resume_us: 100\n  "
		"congestion: cubic\n  slab: "
		"1GiB\n  under_way: "
		"4MiB\n"
		"\nports:\n  - name: p0\n    device: net_tap0\n    mtu: 1500\n    queues: 0\n    vlan: 0\n"
		"    addresses: [10.0.0.2/24]\n    congestion: cubic\n    exception_rate: 20000\n"
		"\ndrives:\n  - name: d0\n    kind: mem\n    size: 1MiB\n  - name: d1\n    kind: mem\n    size: 1MiB\n"
		"\ngroups:\n  - name: g0\n    raid: 1\n    chunk: 64KiB\n    drives: [d0, d1]\n    region: 64MiB\n"
		"    create: true\n"
		"\nvolumes:\n  - name: v0\n    group: g0\n    size: 512KiB\n    lba: 4096\n    read_only: false\n"
		"    stages:\n      - crypto:\n          lcore: 2\n          key_file: /etc/k\n"
		"          algorithm: aes-256-xts\n"
		"\nsubsystems:\n  - nqn: \"nqn.2026-11.io.strake:t\"\n    serial: " +
			std::string(l.c->subsystems[0].serial) +
			"\n    model: Strake\n    hosts: any\n    max_queues: 16\n    queue_depth: 128\n"
			"    namespaces:\n      - nsid: 1\n        volume: v0\n"
			"\nlisteners:\n  - transport: nvme_tcp\n    port: p0\n    address: 10.0.0.2\n    service: "
			"4420\n    ana: optimized\n",
		saved(l.c));
}

TEST(ConfSave, WritesWhatWasChangedSince)
{
	Loaded l(valid_with());
	char err[200];

	ASSERT_NE(nullptr, l.c) << l.said;
	conf_subsystem *s = &l.c->subsystems[0];
	s->any_host = false;
	conf_namespace_remove(s, 1);
	EXPECT_EQ(std::string::npos, saved(l.c).find("namespaces:"));
	conf_namespace_remove(s, 1);
	ASSERT_EQ(0, conf_namespace_add(s, 9, &l.c->volumes[0]));
	ASSERT_EQ(0, conf_host_add(s, "nqn.2026-11.a.b:h"));
	ASSERT_EQ(0, conf_host_add(s, "nqn.2026-11.a.b:i"));
	conf_host_remove(s, "nqn.2026-11.a.b:h");
	conf_host_remove(s, "nqn.2026-11.a.b:h");
	l.c->listeners[0].ana = CONF_ANA_INACCESSIBLE;
	std::string text = saved(l.c);
	EXPECT_NE(std::string::npos, text.find("hosts: [\"nqn.2026-11.a.b:i\"]")) << text;
	EXPECT_NE(std::string::npos, text.find("nsid: 9\n        volume: v0")) << text;
	EXPECT_NE(std::string::npos, text.find("ana: inaccessible")) << text;
	Loaded again(text);
	ASSERT_NE(nullptr, again.c) << again.said;
	EXPECT_EQ(text, saved(again.c));
	EXPECT_TRUE(conf_host_good("nqn.2026-11.a.b:i", err, sizeof(err)));
	for (const char *bad : {"", "a", "nqn.2014-08.org.nvmexpress:uuid:1"})
		EXPECT_FALSE(conf_host_good(bad, err, sizeof(err))) << bad;
	EXPECT_FALSE(conf_host_good(("nqn.2026-11.a.b:" + std::string(300, 'x')).c_str(), err, sizeof(err)));
}

TEST(ConfSave, TellsOfAFullDisk)
{
	Loaded l(valid_with());
	FILE *full = fopen("/dev/full", "w");

	ASSERT_NE(nullptr, full);
	EXPECT_EQ(-ENOSPC, conf_save(l.c, full));
	fclose(full);
}

TEST(ConfReference, NamesEveryKey)
{
	char *buf = nullptr;
	size_t len = 0;
	FILE *out = open_memstream(&buf, &len);

	ASSERT_EQ(0, conf_reference(&kKinds, out));
	fclose(out);
	std::string text = buf;
	free(buf);
	for (const char *key : {"main_cpu", "congestion", "region", "read_only", "queue_depth", "transport", "nsid",
				"key_file", "from", "to", "action", "ops", "dscp", "class"})
		EXPECT_NE(std::string::npos, text.find(std::string("| `") + key + "` |")) << key;
	EXPECT_NE(std::string::npos, text.find("| `chunk` | size, 4KiB to 1MiB, a power of two | `64KiB` |")) << text;
	EXPECT_NE(std::string::npos, text.find("## `subsystems[].namespaces`")) << text;
	EXPECT_NE(std::string::npos, text.find("## `ports[].access`")) << text;
	EXPECT_NE(std::string::npos, text.find("| `to` | number, 1 to 65535; or [first, last] |")) << text;
	EXPECT_NE(std::string::npos, text.find("| `range` | [first, end], each: size, 0 to 1024TiB |")) << text;
}
