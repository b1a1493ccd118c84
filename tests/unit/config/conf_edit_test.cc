/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* What a running appliance changes of its configuration. */

#include <cstdlib>
#include <cstring>

#include "conf_fixture.h"

namespace
{

const char kFile[] = R"(
drives:
  - {name: d0, kind: mem, size: 1MiB}
groups:
  - {name: g0, raid: 0, drives: [d0]}
volumes:
  - {name: a, group: g0, size: 64KiB}
  - {name: b, group: g0, size: 64KiB}
  - {name: c, group: g0, size: 64KiB}
subsystems:
  - {nqn: "nqn.2026-11.io.s:x", hosts: any, namespaces: [{volume: a}, {volume: b}, {volume: c}]}
  - {nqn: "nqn.2026-11.io.s:y", hosts: any, namespaces: [{nsid: 7, volume: c}]}
)";

conf_volume
volume(const conf *c, const char *name)
{
	conf_volume v = {};

	v.name = strdup(name);
	v.uuid = strdup("6f1c1f3e-6d0a-4f7e-9a51-0d6a3e5c7b1a");
	v.group = &c->groups[0];
	v.size = 128 << 10;
	v.lba = 4096;
	return v;
}

/* "x:1=a,2=b y:7=c" */
std::string
offered(const conf *c)
{
	std::string out;

	for (unsigned s = 0; s < c->n_subsystems; s++) {
		for (unsigned n = 0; n < c->subsystems[s].n_namespaces; n++)
			out += std::to_string(s) + ":" + std::to_string(c->subsystems[s].namespaces[n].nsid) + "=" +
			       c->subsystems[s].namespaces[n].volume->name + " ";
	}
	return out;
}

TEST(ConfEdit, NamespacesFollowTheirVolumes)
{
	Loaded l(kFile);

	ASSERT_NE(nullptr, l.c) << l.said;
	for (int i = 0; i < 20; i++) {
		conf_volume v = volume(l.c, ("n" + std::to_string(i)).c_str());

		ASSERT_NE(nullptr, conf_volume_add(l.c, &v));
		ASSERT_EQ("0:1=a 0:2=b 0:3=c 1:7=c ", offered(l.c));
	}
	conf_volume_remove(l.c, conf_volume_find(l.c, "b"));
	EXPECT_EQ("0:1=a 0:3=c 1:7=c ", offered(l.c));
	EXPECT_EQ(nullptr, conf_volume_find(l.c, "b"));
	conf_volume_remove(l.c, conf_volume_find(l.c, "a"));
	EXPECT_EQ("0:3=c 1:7=c ", offered(l.c));
	ASSERT_EQ(0, conf_namespace_add(&l.c->subsystems[1], 8, conf_volume_find(l.c, "n19")));
	conf_volume_remove(l.c, conf_volume_find(l.c, "n3"));
	EXPECT_EQ("0:3=c 1:7=c 1:8=n19 ", offered(l.c));
	conf_volume_remove(l.c, conf_volume_find(l.c, "c"));
	EXPECT_EQ("1:8=n19 ", offered(l.c));
}

TEST(ConfEdit, WhatWasAddedIsSavedAndLoadsAgain)
{
	Loaded l(kFile);
	conf_volume v = volume(l.c, "new");

	ASSERT_NE(nullptr, conf_volume_add(l.c, &v));
	ASSERT_EQ(0, conf_namespace_add(&l.c->subsystems[0], 4, conf_volume_find(l.c, "new")));
	conf_volume_remove(l.c, conf_volume_find(l.c, "a"));
	std::string text = saved(l.c);
	Loaded again(text);

	ASSERT_NE(nullptr, again.c) << again.said;
	EXPECT_EQ("0:2=b 0:3=c 0:4=new 1:7=c ", offered(again.c));
	EXPECT_STREQ("6f1c1f3e-6d0a-4f7e-9a51-0d6a3e5c7b1a", conf_volume_find(again.c, "new")->uuid);
	EXPECT_EQ(text, saved(again.c));
}

TEST(ConfEdit, ThingsAreFoundByName)
{
	const char *no[] = {"", "A", "aa", nullptr};
	Loaded l(kFile);

	ASSERT_NE(nullptr, l.c) << l.said;
	EXPECT_EQ(&l.c->volumes[1], conf_volume_find(l.c, "b"));
	EXPECT_EQ(&l.c->groups[0], conf_group_find(l.c, "g0"));
	EXPECT_EQ(&l.c->subsystems[1], conf_subsystem_find(l.c, "nqn.2026-11.io.s:y"));
	EXPECT_EQ(nullptr, conf_volume_stage(&l.c->volumes[0], "dedup"));
	for (const char *name : no) {
		EXPECT_EQ(nullptr, conf_volume_find(l.c, name));
		EXPECT_EQ(nullptr, conf_group_find(l.c, name));
		EXPECT_EQ(nullptr, conf_subsystem_find(l.c, name));
	}
}

TEST(ConfEdit, TheLastVolumeMayGo)
{
	Loaded l(kFile);

	for (const char *name : {"c", "a", "b"})
		conf_volume_remove(l.c, conf_volume_find(l.c, name));
	EXPECT_EQ(0u, l.c->n_volumes);
	EXPECT_EQ("", offered(l.c));
	conf_volume v = volume(l.c, "a");

	ASSERT_NE(nullptr, conf_volume_add(l.c, &v));
	EXPECT_STREQ("a", l.c->volumes[0].name);
}

TEST(ConfEdit, NamesAreCheckedAsInAFile)
{
	char err[256];

	EXPECT_TRUE(conf_name_good("v-1.x_y", err, sizeof(err)));
	for (const std::string &bad :
	     {std::string(), std::string(".g0.known"), std::string("a b"), std::string("a/b"), std::string(64, 'n')})
		EXPECT_FALSE(conf_name_good(bad.c_str(), err, sizeof(err))) << bad;
	EXPECT_TRUE(conf_name_good(std::string(63, 'n').c_str(), err, sizeof(err)));
	EXPECT_FALSE(conf_uuid_good("00000000-0000-0000-0000-000000000000", err, sizeof(err)));
}

} // namespace
