/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* Rules that select: who may connect, and what class a request is of. */

#include "conf_fixture.h"

#define SUB "nqn.2026-11.io.strake:t"

static std::string
access_list(const std::string &list)
{
	return valid_with("ports",
			  "ports: [{name: p0, device: net_tap0, addresses: [10.0.0.2/24], access: " + list + "}]\n");
}

static std::string
class_rule(const std::string &keys)
{
	return valid_with("classes", "classes: [{" + keys + "}]\n");
}

TEST(ConfServices, SayWhatEachClassMayUse)
{
	Loaded l(valid_with("services", "services: [{class: 0}, {class: 9, weight: 7, iops: 500, bandwidth: 2MiB, "
					"burst_ms: 20}]\n"));

	ASSERT_NE(nullptr, l.c) << l.said;
	ASSERT_EQ(2u, l.c->n_services);
	const conf_service *s = l.c->services;
	EXPECT_EQ(0u, s[0].cls);
	EXPECT_EQ(100u, s[0].weight);
	EXPECT_EQ(0u, s[0].iops) << "no limit";
	EXPECT_EQ(0u, s[0].bandwidth);
	EXPECT_EQ(100u, s[0].burst_ms);
	EXPECT_EQ(9u, s[1].cls);
	EXPECT_EQ(7u, s[1].weight);
	EXPECT_EQ(500u, s[1].iops);
	EXPECT_EQ(2u << 20, s[1].bandwidth);
	EXPECT_EQ(20u, s[1].burst_ms);
	EXPECT_EQ(4u << 20, l.c->appliance.under_way);
}

TEST(ConfServices, BadOnes)
{
	auto services = [](const std::string &list) { return valid_with("services", "services: " + list + "\n"); };

	EXPECT_ERROR(services("[{weight: 5}]"), 1, "\"class\" is missing");
	EXPECT_ERROR(services("[{class: 256}]"), 1, "services[0].class");
	EXPECT_ERROR(services("[{class: 1, weight: 0}]"), 1, "services[0].weight");
	EXPECT_ERROR(services("[{class: 1, iops: 0}]"), 1, "services[0].iops");
	EXPECT_ERROR(services("[{class: 1, bandwidth: 100}]"), 1, "services[0].bandwidth");
	EXPECT_ERROR(services("[{class: 1, burst_ms: 1}]"), 1, "services[0].burst_ms");
	EXPECT_ERROR(services("[{class: 1},\n{class: 2}, {class: 1}]"), 2, "class 1 is told of on line 1 already");
}

TEST(ConfAccess, KeepsItsOrderAndDefaults)
{
	Loaded l(access_list("[{from: 10.0.0.9, to: 4420, action: deny},\n{from: 10.0.0.0/24, to: [1, 9], action: "
			     "accept},\n{from: 'fd00::/64', action: accept}]"));

	ASSERT_NE(nullptr, l.c) << l.said;
	ASSERT_EQ(3u, l.c->ports[0].n_access);
	const conf_access *a = l.c->ports[0].access;
	EXPECT_STREQ("10.0.0.9", a[0].from);
	EXPECT_EQ(4420u, a[0].to_first);
	EXPECT_EQ(4420u, a[0].to_last);
	EXPECT_EQ(CONF_DENY, a[0].action);
	EXPECT_EQ(1u, a[1].to_first);
	EXPECT_EQ(9u, a[1].to_last);
	EXPECT_EQ(CONF_ACCEPT, a[1].action);
	EXPECT_EQ(2u, a[1].line);
	EXPECT_EQ(1u, a[2].to_first);
	EXPECT_EQ(65535u, a[2].to_last);
	EXPECT_EQ(0u, l.errs.n) << l.said;
}

TEST(ConfAccess, NoListLetsEverybodyInButAnEmptyOneIsNotNone)
{
	Loaded l(valid_with());

	ASSERT_NE(nullptr, l.c);
	EXPECT_EQ(0u, l.c->ports[0].n_access);
	EXPECT_ERROR(access_list("[]"), 1, "access: expected at least one, found an empty list; without the key");
	EXPECT_ERROR(access_list("~"), 1, "access: expected at least one");
}

TEST(ConfAccess, BadOnes)
{
	EXPECT_ERROR(access_list("deny"), 1, "ports[0].access: expected a list");
	EXPECT_ERROR(access_list("[deny]"), 1, "access[0]: expected keys with values");
	EXPECT_ERROR(access_list("[{from: 10.0.0.1}]"), 1, "\"action\" is missing");
	EXPECT_ERROR(access_list("[{action: deny}]"), 1, "\"from\" is missing");
	EXPECT_ERROR(access_list("[{from: 10.0.0.1, action: drop}]"), 1,
		     "\"drop\" is not known; expected accept or deny");
	EXPECT_ERROR(access_list("[{from: 10.0.0.1, action: dney}]"), 1, "did you mean \"deny\"?");
	EXPECT_ERROR(access_list("[{form: 10.0.0.1, action: deny}]"), 1, "did you mean \"from\"?");
	EXPECT_ERROR(access_list("[{from: 10.0.0.1/24, action: deny}]"), 1, "write 10.0.0.0/24");
	EXPECT_ERROR(access_list("[{from: 'fd00::1:0:0:1/64', action: deny}]"), 1, "write fd00::/64");
	EXPECT_ERROR(access_list("[{from: 10.0.0/24, action: deny}]"), 1, "is not a network");
	EXPECT_ERROR(access_list("[{from: 10.0.0.0/33, action: deny}]"), 1, "is not a network");
	EXPECT_ERROR(access_list("[{from: any, action: deny}]"), 1, "is not a network");
	EXPECT_ERROR(access_list("[{from: 10.0.0.1, to: 0, action: deny}]"), 1,
		     "0 is out of range; expected 1 to 65535");
	EXPECT_ERROR(access_list("[{from: 10.0.0.1, to: [1, 65536], action: deny}]"), 1,
		     "to[1]: 65536 is out of range");
	EXPECT_ERROR(access_list("[{from: 10.0.0.1, to: [9, 1], action: deny}]"), 1,
		     "access[0].to: ends before it begins; write [1, 9]");
	EXPECT_ERROR(access_list("[{from: 10.0.0.1, to: [9], action: deny}]"), 1, "expected [first, last], found 1");
	EXPECT_ERROR(access_list("[{from: 10.0.0.1, to: [1, 2, 3], action: deny}]"), 1,
		     "expected [first, last], found 3");
	EXPECT_ERROR(access_list("[{from: 10.0.0.1, to: {a: 1}, action: deny}]"), 1,
		     "expected [first, last], each a number, 1 to 65535; found a mapping");
	EXPECT_ERROR(access_list("[{from: 10.0.0.1, to: , action: deny}]"), 1, "found nothing");
	EXPECT_ERROR(access_list("[{from: 10.0.0.1, to_first: 1, action: deny}]"), 1, "unknown key");
}

TEST(ConfAccess, WarnsOfWhatIsNeverReached)
{
	Loaded l(access_list("[{from: 10.0.0.0/8, action: accept},\n{from: 10.0.0.9, to: 4420, action: deny}]"));

	ASSERT_NE(nullptr, l.c) << l.said;
	EXPECT_TRUE(l.says(2, "access[1]: is never reached: line 1 decides all of it")) << l.said;
	for (const char *fine : {"[{from: 10.0.0.9, action: deny}, {from: 10.0.0.0/8, action: accept}]",
				 "[{from: 10.0.0.0/8, to: [1, 4419], action: deny}, {from: 10.0.0.9, action: accept}]",
				 "[{from: 0.0.0.0/0, action: accept}, {from: '::/0', action: accept}]"}) {
		Loaded ok(access_list(fine));

		ASSERT_NE(nullptr, ok.c) << ok.said;
		EXPECT_EQ(0u, ok.errs.n) << ok.said;
	}
}

TEST(ConfClass, HoldsWhatWasWritten)
{
	Loaded l(class_rule("name: gold, host: 'nqn.2026-11.a.b:h', subsystem: '" SUB "', namespace: 1, range: [1MiB, "
			    "1GiB], ops: [write, flush], dscp: [8, 46], pcp: 5, class: 7"));

	ASSERT_NE(nullptr, l.c) << l.said;
	ASSERT_EQ(1u, l.c->n_classes);
	const conf_class &c = l.c->classes[0];
	EXPECT_STREQ("gold", c.name);
	EXPECT_STREQ("nqn.2026-11.a.b:h", c.host);
	EXPECT_EQ(&l.c->subsystems[0], c.subsystem);
	EXPECT_EQ(1u, c.nsid);
	EXPECT_EQ(1u << 20, c.range_first);
	EXPECT_EQ((1u << 30) - 1, c.range_last);
	ASSERT_EQ(2u, c.n_ops);
	EXPECT_STREQ("flush", c.ops[1]);
	EXPECT_EQ(8u, c.dscp_first);
	EXPECT_EQ(46u, c.dscp_last);
	EXPECT_EQ(5u, c.pcp_first);
	EXPECT_EQ(5u, c.pcp_last);
	EXPECT_EQ(7u, c.cls);
}

TEST(ConfClass, MatchesAnythingByDefault)
{
	Loaded l(class_rule("class: 255"));

	ASSERT_NE(nullptr, l.c) << l.said;
	const conf_class &c = l.c->classes[0];
	EXPECT_EQ(nullptr, c.name);
	EXPECT_STREQ("any", c.host);
	EXPECT_EQ(nullptr, c.subsystem);
	EXPECT_EQ(0u, c.nsid);
	EXPECT_EQ(0u, c.range_first);
	EXPECT_EQ(UINT64_MAX, c.range_last);
	EXPECT_EQ(0u, c.n_ops);
	EXPECT_EQ(0u, c.dscp_first);
	EXPECT_EQ(63u, c.dscp_last);
	EXPECT_EQ(7u, c.pcp_last);
}

TEST(ConfClass, BadOnes)
{
	EXPECT_ERROR(class_rule("host: any"), 1, "\"class\" is missing");
	EXPECT_ERROR(class_rule("class: 0"), 1, "0 is out of range; expected 1 to 255");
	EXPECT_ERROR(class_rule("class: 256"), 1, "256 is out of range");
	EXPECT_ERROR(class_rule("clas: 1"), 1, "did you mean \"class\"?");
	EXPECT_ERROR(class_rule("class: 1, host: h"), 1, "is not an NQN");
	EXPECT_ERROR(class_rule("class: 1, subsystem: '" SUB "x'"), 1, "did you mean \"" SUB "\"?");
	EXPECT_ERROR(class_rule("class: 1, namespace: 1025"), 1, "1025 is out of range");
	EXPECT_ERROR(class_rule("class: 1, subsystem: '" SUB "', namespace: 2"), 1,
		     "classes[0].namespace: subsystems[0] on line 7 has no namespace 2");
	EXPECT_ERROR(class_rule("class: 1, ops: [raed]"), 1, "ops[0]: \"raed\" is not known; did you mean \"read\"?");
	EXPECT_ERROR(class_rule("class: 1, ops: read"), 1, "expected a list; write [read]");
	EXPECT_ERROR(class_rule("class: 1, ops: []"), 1, "expected at least one");
	EXPECT_ERROR(class_rule("class: 1, dscp: 64"), 1, "64 is out of range; expected 0 to 63");
	EXPECT_ERROR(class_rule("class: 1, pcp: [0, 8]"), 1, "pcp[1]: 8 is out of range; expected 0 to 7");
	EXPECT_ERROR(class_rule("class: 1, range: 1GiB"), 1, "range: expected [first, end], each a size");
	EXPECT_ERROR(class_rule("class: 1, range: [0, 1GB]"), 1, "range[1]: \"1GB\" is not a size; write 1GiB");
	EXPECT_ERROR(class_rule("class: 1, range: [1MiB, 1MiB]"), 1, "empty: it begins and ends at");
	EXPECT_ERROR(class_rule("class: 1, range: [0, 1537KiB]"), 1,
		     "range[1]: 1537KiB is no whole number of MiB; the nearest are 1MiB and 2MiB");
	EXPECT_ERROR(valid_with("classes", "classes: [{name: a, class: 1},\n{name: a, class: 2}]\n"), 2,
		     "\"a\" is taken by classes[0]");
	EXPECT_ERROR(valid_with("classes", "classes: {class: 1}\n"), 1, "classes: expected a list");
}

TEST(ConfClass, WarnsOfAHostThatMayNotConnect)
{
	std::string subs = "subsystems: [{nqn: '" SUB "', hosts: ['nqn.2026-11.a.b:x'], namespaces: [{volume: v0}]}]\n";
	Loaded wrong(valid_with("subsystems", subs + "classes: [{host: 'nqn.2026-11.a.b:y', class: 1}]\n"));
	Loaded right(valid_with("subsystems", subs + "classes: [{host: 'nqn.2026-11.a.b:x', class: 1}]\n"));

	ASSERT_NE(nullptr, wrong.c) << wrong.said;
	EXPECT_TRUE(wrong.says(2, "classes[0].host: \"nqn.2026-11.a.b:y\" may not connect")) << wrong.said;
	ASSERT_NE(nullptr, right.c) << right.said;
	EXPECT_EQ(0u, right.errs.n) << right.said;
}
