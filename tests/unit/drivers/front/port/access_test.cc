/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* Who may connect: the list as a table. */

#include <vector>

#include "rig.h"

extern "C" {
#include "port_access.h"
}

class PortAccess : public testing::Test
{
      protected:
	void
	Build(std::vector<conf_access> l)
	{
		char err[160] = "";

		list = l;
		conf.name = "p0";
		conf.access = list.data();
		conf.n_access = (unsigned int)list.size();
		ASSERT_EQ(0, port_access_create(&access, &conf, err, sizeof(err))) << err;
	}

	bool
	Admits(const char *from, uint16_t to = 4420)
	{
		struct port_pkt pkt;

		memset((void *)&pkt, 0x5a, sizeof(pkt));
		pkt.src = addr(from);
		return port_access_admit(access, &pkt, to);
	}

	void
	TearDown() override
	{
		port_access_destroy(access);
	}

	static conf_access
	Rule(const char *from, conf_action action, unsigned int first = 1, unsigned int last = 65535)
	{
		return {from, first, last, action, 0};
	}

	conf_port conf = {};
	std::vector<conf_access> list;
	port_access *access = nullptr;
};

TEST_F(PortAccess, IsNoTableWithoutAList)
{
	Build({});
	EXPECT_EQ(nullptr, access);
}

TEST_F(PortAccess, DeniesWhatNoRuleNames)
{
	Build({Rule("10.0.0.0/24", CONF_ACCEPT)});
	EXPECT_TRUE(Admits("10.0.0.0"));
	EXPECT_TRUE(Admits("10.0.0.255"));
	EXPECT_FALSE(Admits("10.0.1.0"));
	EXPECT_FALSE(Admits("9.255.255.255"));
	EXPECT_FALSE(Admits("a00::"));
}

TEST_F(PortAccess, GoesByTheFirstThatFits)
{
	Build({Rule("10.0.0.9", CONF_DENY), Rule("10.0.0.8/29", CONF_ACCEPT), Rule("0.0.0.0/0", CONF_DENY, 4420, 4420),
	       Rule("0.0.0.0/0", CONF_ACCEPT)});
	EXPECT_FALSE(Admits("10.0.0.9"));
	EXPECT_TRUE(Admits("10.0.0.8"));
	EXPECT_TRUE(Admits("10.0.0.15"));
	EXPECT_FALSE(Admits("10.0.0.16"));
	EXPECT_TRUE(Admits("10.0.0.16", 4421));
	EXPECT_FALSE(Admits("10.0.0.9", 4421));
	EXPECT_FALSE(Admits("::1")) << "another IP version";
}

TEST_F(PortAccess, TakesAnyPrefixOfIpv6)
{
	for (unsigned int prefix = 0; prefix <= 128; prefix++) {
		port_addr in = addr("fd5a:5aa5:a5a5:1:8000:1:5aa5:ffff"), out = in;
		char text[64], net[80], inside[64], outside[64];
		conf_access rule;

		for (unsigned int i = prefix; i < 128; i++)
			in.b[i / 8] &= (uint8_t) ~(0x80 >> i % 8);
		inet_ntop(AF_INET6, in.b, text, sizeof(text));
		snprintf(net, sizeof(net), "%s/%u", text, prefix);
		for (unsigned int i = prefix; i < 128; i++)
			in.b[i / 8] |= (uint8_t)(0x80 >> i % 8);
		inet_ntop(AF_INET6, in.b, inside, sizeof(inside));
		rule = Rule(net, CONF_ACCEPT);
		Build({rule});
		EXPECT_TRUE(Admits(text)) << net;
		EXPECT_TRUE(Admits(inside)) << net;
		EXPECT_FALSE(Admits("10.0.0.1")) << net;
		if (prefix > 0) {
			out.b[(prefix - 1) / 8] ^= (uint8_t)(0x80 >> (prefix - 1) % 8);
			inet_ntop(AF_INET6, out.b, outside, sizeof(outside));
			EXPECT_FALSE(Admits(outside)) << net;
		}
		port_access_destroy(access);
		access = nullptr;
	}
}

TEST_F(PortAccess, KeepsToItsPorts)
{
	Build({Rule("10.0.0.0/8", CONF_ACCEPT, 4420, 4429), Rule("fd00::/8", CONF_ACCEPT, 65535, 65535)});
	EXPECT_FALSE(Admits("10.0.0.1", 4419));
	EXPECT_TRUE(Admits("10.0.0.1", 4420));
	EXPECT_TRUE(Admits("10.0.0.1", 4429));
	EXPECT_FALSE(Admits("10.0.0.1", 4430));
	EXPECT_FALSE(Admits("fd00::1", 65534));
	EXPECT_TRUE(Admits("fd00::1", 65535));
}

TEST_F(PortAccess, HoldsALongList)
{
	std::vector<std::string> names;
	std::vector<conf_access> l;

	for (int i = 0; i < 1024; i++)
		names.push_back("10." + std::to_string(i / 256) + "." + std::to_string(i % 256) + ".0/24");
	for (int i = 0; i < 1024; i++)
		l.push_back(Rule(names[i].c_str(), i % 2 != 0 ? CONF_DENY : CONF_ACCEPT));
	Build(l);
	EXPECT_TRUE(Admits("10.0.0.1"));
	EXPECT_FALSE(Admits("10.0.1.1"));
	EXPECT_TRUE(Admits("10.3.254.7"));
	EXPECT_FALSE(Admits("10.3.255.7"));
	EXPECT_FALSE(Admits("10.4.0.7"));
}

TEST_F(PortAccess, RefusesWhatIsNoNetwork)
{
	for (const char *from : {"", "junk", "10.0.0.0/33", "::/129"}) {
		conf_access rule = Rule(from, CONF_ACCEPT);
		char err[160] = "";

		conf.name = "p0";
		conf.access = &rule;
		conf.n_access = 1;
		EXPECT_EQ(-EINVAL, port_access_create(&access, &conf, err, sizeof(err))) << from;
		EXPECT_EQ(nullptr, access);
		EXPECT_NE(nullptr, strstr(err, "port p0: ")) << err;
	}
}
