/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* What strakectl did to volumes is laid over the configuration file of the next start, as far as the two agree. */

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>

#include <gtest/gtest.h>

extern "C" {
#include "conf.h"
#include "kinds.h"
#include "overlay.h"
#include "plan.h"
#include "state.h"
#include "volume_json.h"
}

namespace
{

const char kNqn[] = "nqn.2026-11.io.s:x";
const char kUuid[] = "6f1c1f3e-6d0a-4f7e-9a51-0d6a3e5c7b1a";

class Overlay : public testing::Test
{
      protected:
	std::string dir, said;
	conf *c = nullptr;
	char err[600] = "";

	Overlay()
	{
		char name[] = "/tmp/strake-overlay-XXXXXX";

		dir = mkdtemp(name);
	}
	~Overlay() override
	{
		stop();
		EXPECT_EQ(0, system(("rm -rf " + dir).c_str()));
	}

	static std::string
	file(const std::string &volumes = "", const std::string &spaces = "[{volume: v0}]")
	{
		return "drives:\n  - {name: d0, kind: mem, size: 64MiB}\ngroups:\n"
		       "  - {name: g0, style: log, parity: 0, drives: [d0]}\nvolumes:\n"
		       "  - {name: v0, group: g0, size: 64MiB, stages: [dedup: {domain: x}, compress]}\n" +
		       volumes + "subsystems:\n  - {nqn: \"" + kNqn + "\", hosts: any, namespaces: " + spaces +
		       "}\nlisteners:\n  - {port: kernel, address: 127.0.0.1}\n";
	}

	void
	stop()
	{
		overlay_free();
		conf_free(c);
		c = nullptr;
	}

	/* As a process starts. @return of overlay_load(). */
	int
	start(const std::string &text)
	{
		conf_errors errs;
		std::string all = "appliance: {state: " + dir + "/a/b}\n" + text;

		stop();
		c = conf_parse(all.c_str(), all.size(), "/t.yaml", &kinds_registered, &errs);
		EXPECT_NE(nullptr, c) << (errs.n > 0 ? errs.list[0].text : "");
		conf_errors_free(&errs);
		if (c == nullptr)
			return -EINVAL;
		testing::internal::CaptureStderr();
		int ret = overlay_load(c, err, sizeof(err));
		said = testing::internal::GetCapturedStderr();
		return ret;
	}

	conf_volume *
	volume(const char *name)
	{
		return conf_volume_find(c, name);
	}

	std::string
	offered()
	{
		std::string out;

		for (unsigned n = 0; n < c->subsystems[0].n_namespaces; n++)
			out += std::to_string(c->subsystems[0].namespaces[n].nsid) + "=" +
			       c->subsystems[0].namespaces[n].volume->name + " ";
		return out;
	}

	/* A volume like v0, as a command makes it. */
	void
	make(const char *name)
	{
		json_t *from = volume_print_of("v0");
		conf_volume v = {};

		json_object_set_new(from, "uuid", json_string(kUuid));
		ASSERT_EQ(0, volume_parse(c, name, from, &v, err, sizeof(err))) << err;
		json_decref(from);
		ASSERT_NE(nullptr, conf_volume_add(c, &v));
		ASSERT_EQ(0, overlay_volume_made(volume(name)));
	}
	json_t *
	volume_print_of(const char *name)
	{
		conf_volume v = *volume(name);

		v.uuid = kUuid;
		return volume_print(&v);
	}
};

TEST_F(Overlay, NothingKeptIsNothingLaid)
{
	struct overlay_gone gone;

	ASSERT_EQ(0, start(file())) << err;
	EXPECT_EQ("", said);
	EXPECT_EQ(1u, c->n_volumes);
	EXPECT_EQ(-ENOENT, overlay_gone(0, &gone));
}

void
keep(void *arg, const char *line)
{
	*(std::string *)arg += std::string(line) + "\n";
}

TEST_F(Overlay, AVolumeThatWasMadeComesAgainWithItsStages)
{
	ASSERT_EQ(0, start(file())) << err;
	make("new");
	ASSERT_EQ(0, overlay_namespace(kNqn, 5, "new", true));
	ASSERT_EQ(0, overlay_volume_resized(volume("new"), 128 << 20));
	ASSERT_EQ(0, start(file())) << err;
	EXPECT_EQ("", said);
	ASSERT_NE(nullptr, volume("new"));
	EXPECT_EQ(128u << 20, volume("new")->size);
	EXPECT_STREQ(kUuid, volume("new")->uuid);
	EXPECT_EQ(0u, volume("new")->line);
	ASSERT_EQ(2u, volume("new")->n_stages);
	EXPECT_STREQ("x", conf_str(volume("new")->stages[0].values, "domain"));
	EXPECT_EQ("1=v0 5=new ", offered());
	EXPECT_EQ(0, plan_check(c, keep, &said)) << said;
}

TEST_F(Overlay, AllThatDoesNotFitTogetherIsTold)
{
	ASSERT_EQ(0, start(file())) << err;
	make("new");
	make("other");
	volume("new")->size += 512;
	volume("other")->size += 512;
	EXPECT_EQ(-EINVAL, plan_check(c, keep, &said));
	EXPECT_NE(std::string::npos, said.find("volume \"new\": the size")) << said;
	EXPECT_NE(std::string::npos, said.find("volume \"other\": the size")) << said;
}

TEST_F(Overlay, OneThatCouldNotBeMadeDoesNot)
{
	ASSERT_EQ(0, start(file())) << err;
	make("new");
	overlay_volume_unmade("new");
	ASSERT_EQ(0, start(file())) << err;
	EXPECT_EQ(nullptr, volume("new"));
}

TEST_F(Overlay, ADeletedVolumeIsNotServedForBeingInTheFile)
{
	uint8_t uuid[16] = {1, 2, 3};
	std::string both = file("  - {name: v1, group: g0, size: 64MiB}\n", "[{volume: v0}, {volume: v1}]");
	struct overlay_gone gone;

	ASSERT_EQ(0, start(both)) << err;
	ASSERT_EQ(0, overlay_volume_deleted(volume("v1"), uuid, nullptr));
	for (int i = 0; i < 2; i++) {
		ASSERT_EQ(0, start(both)) << err;
		EXPECT_EQ(nullptr, volume("v1"));
		EXPECT_EQ("1=v0 ", offered());
		EXPECT_NE(std::string::npos, said.find("/t.yaml:8: warning: volume \"v1\" was deleted")) << said;
		ASSERT_EQ(0, overlay_gone(0, &gone));
		EXPECT_STREQ("v1", gone.name);
		EXPECT_STREQ("g0", gone.group);
		EXPECT_EQ(0, memcmp(uuid, gone.uuid, sizeof(uuid)));
		overlay_gone_done();
		make("other"); /* has it written */
	}
	/* A new one of the name is served, and the file's is still not. */
	make("v1");
	ASSERT_EQ(0, start(both)) << err;
	ASSERT_NE(nullptr, volume("v1"));
	EXPECT_EQ(0u, volume("v1")->line);
	/* Out of the file, it is forgotten when its group has been told. */
	ASSERT_EQ(0, start(file())) << err;
	EXPECT_EQ(0, overlay_gone(0, &gone));
	overlay_gone_done();
	EXPECT_EQ(-ENOENT, overlay_gone(0, &gone));
}

/* What is left to do after a deletion that did not end includes the keys, if they were to go; any number is a domain.
 */
TEST_F(Overlay, ADeletionRemembersWhetherKeysGoToo)
{
	std::string both = file("  - {name: v1, group: g0, size: 64MiB}\n", "[{volume: v0}, {volume: v1}]");
	const uint32_t domains[] = {0, UINT32_MAX};
	uint8_t uuid[16] = {1, 2, 3};
	struct overlay_gone gone;

	for (const uint32_t &domain : domains) {
		ASSERT_EQ(0, start(both)) << err;
		if (volume("v1") == nullptr)
			make("v1");
		ASSERT_EQ(0, overlay_volume_deleted(volume("v1"), uuid, &domain));
		ASSERT_EQ(0, start(both)) << err;
		ASSERT_EQ(0, overlay_gone(0, &gone));
		EXPECT_TRUE(gone.keys);
		EXPECT_EQ(domain, gone.domain);
	}
	make("v1");
	ASSERT_EQ(0, overlay_volume_deleted(volume("v1"), uuid, nullptr));
	ASSERT_EQ(0, overlay_gone(0, &gone));
	EXPECT_FALSE(gone.keys) << "what was said last counts";
}

TEST_F(Overlay, WhatTheFileHasByNowCountsAndIsSaidIfItDiffers)
{
	const std::string line = "  - {name: new, group: g0, size: 32MiB, stages: [dedup: {domain: x}, compress]";

	ASSERT_EQ(0, start(file())) << err;
	make("new");
	ASSERT_EQ(0, start(file(line + ", uuid: " + kUuid + "}\n"))) << err;
	EXPECT_EQ("", said) << "as after config save";
	EXPECT_EQ(32u << 20, volume("new")->size);
	ASSERT_EQ(0, start(file(line + "}\n"))) << err;
	EXPECT_NE(std::string::npos, said.find("volume \"new\" was made by")) << said;
	EXPECT_EQ(2u, c->n_volumes);
}

TEST_F(Overlay, ASizeHoldsUntilTheFileHasAnother)
{
	ASSERT_EQ(0, start(file())) << err;
	ASSERT_EQ(0, overlay_volume_resized(volume("v0"), 256 << 20));
	volume("v0")->size = 256 << 20;
	ASSERT_EQ(0, overlay_volume_resized(volume("v0"), 128 << 20));
	ASSERT_EQ(0, start(file())) << err;
	EXPECT_EQ(128u << 20, volume("v0")->size);
	EXPECT_TRUE(overlay_resized("v0"));
	std::string changed = file();

	changed.replace(changed.find("64MiB, stages"), 5, "96MiB");
	ASSERT_EQ(0, start(changed)) << err;
	EXPECT_EQ(96u << 20, volume("v0")->size);
	EXPECT_NE(std::string::npos, said.find("its size counts")) << said;
	EXPECT_FALSE(overlay_resized("v0"));
}

TEST_F(Overlay, NamespacesComeAndGo)
{
	std::string both = file("  - {name: v1, group: g0, size: 64MiB}\n", "[{volume: v0}, {volume: v1}]");

	ASSERT_EQ(0, start(both)) << err;
	ASSERT_EQ(0, overlay_namespace(kNqn, 2, "v1", false));
	ASSERT_EQ(0, overlay_namespace(kNqn, 9, "v1", true));
	ASSERT_EQ(0, overlay_namespace(kNqn, 1, "v0", false));
	ASSERT_EQ(0, start(both)) << err;
	EXPECT_EQ("9=v1 ", offered());
	ASSERT_EQ(0, overlay_namespace(kNqn, 1, "v0", true)) << "which takes the removal back";
	ASSERT_EQ(0, start(both)) << err;
	EXPECT_EQ("1=v0 9=v1 ", offered());
	/* The file gave its number to another meanwhile. */
	ASSERT_EQ(0, start(file("  - {name: v1, group: g0, size: 64MiB}\n", "[{volume: v1}, {nsid: 9, volume: v0}]")));
	EXPECT_EQ("1=v1 9=v0 ", offered());
	EXPECT_NE(std::string::npos, said.find("it counts")) << said;
}

/* Whichever of the places has the key: that of the rewrapping, the one before, and, should the file know better, its.
 */
TEST_F(Overlay, TheKeyOfAGroupIsLookedForWhereItMayBe)
{
	auto text = [](const std::string &place) {
		return file("  - {name: v1, group: g0, size: 64MiB, stages: [seal: {" + place + ", queue: 64}]}\n" +
			    "  - {name: v2, group: g0, size: 64MiB, stages: [seal: {" + place + "}]}\n");
	};
	auto places = [&] {
		struct kek_place p;
		std::string all;

		for (unsigned i = 0; overlay_kek(&c->groups[0], i, &p) == 0; i++)
			all += std::string(kek_word(&p)) + " " + p.name + ", ";
		return all;
	};
	auto of = [&](const char *name) {
		struct kek_place p;

		kek_place(conf_volume_stage(volume(name), "seal"), &p);
		return std::string(kek_word(&p)) + " " + p.name;
	};
	struct kek_place a = {false, "/a"}, b = {true, "b"}, d = {false, "/d"};

	ASSERT_EQ(0, start(text("key_file: /a"))) << err;
	EXPECT_EQ("", places());
	ASSERT_EQ(0, overlay_kek_moved(&c->groups[0], &b, &a));
	EXPECT_EQ("key_file /a", of("v1")) << "that is for who moves it to say";
	ASSERT_EQ(0, start(text("key_file: /a"))) << err;
	EXPECT_EQ("", said);
	EXPECT_EQ("keyring b, key_file /a, ", places());
	EXPECT_EQ("keyring b", of("v1"));
	EXPECT_EQ("keyring b", of("v2"));
	EXPECT_EQ(64u, conf_u64(conf_volume_stage(volume("v1"), "seal")->values, "queue")) << "all else is the file's";
	ASSERT_EQ(0, start(text("keyring: b"))) << err;
	EXPECT_EQ("", said) << "as after config save";
	ASSERT_EQ(0, start(text("key_file: /c"))) << err;
	EXPECT_NE(std::string::npos, said.find("both are tried")) << said;
	EXPECT_EQ("keyring b, key_file /a, key_file /c, ", places());
	EXPECT_EQ("keyring b", of("v2"));
	ASSERT_EQ(0, overlay_kek_moved(&c->groups[0], &d, &b));
	EXPECT_EQ("key_file /d, keyring b, ", places()) << "the two that may be";
}

TEST_F(Overlay, AGroupThatIsNotThereCostsOnlyItsVolumes)
{
	ASSERT_EQ(0, start(file())) << err;
	make("new");
	std::string other = file();

	while (other.find("g0") != std::string::npos)
		other.replace(other.find("g0"), 2, "g7");
	ASSERT_EQ(0, start(other)) << err;
	EXPECT_EQ(nullptr, volume("new"));
	EXPECT_NE(std::string::npos, said.find("group \"g0\" is not in the file")) << said;
	ASSERT_EQ(0, start(file())) << err;
	EXPECT_NE(nullptr, volume("new")) << "it is remembered all the same";
}

TEST_F(Overlay, WhatCannotBeReadIsRefused)
{
	for (const char *text : {"", "{", "[]", "{\"version\": 2}", "{\"volumes\": 1}"}) {
		ASSERT_EQ(0, state_write((dir + "/a/b").c_str(), "changes.json", text, strlen(text)));
		EXPECT_GT(0, start(file())) << text;
		EXPECT_NE(std::string::npos, std::string(err).find("changes.json")) << err;
	}
	/* What is read but makes no sense costs itself only. */
	const char odd[] =
		"{\"version\": 1, \"volumes\": {\"x\": 3, \".y\": {\"group\": \"g0\", \"size\": 4096, \"lba\": "
		"4096}}, \"deleted\": {\"z\": []}, \"sizes\": [], \"namespaces\": [1, {}], \"keys\": {\"g0\": [3, {}], "
		"\"g9\": 1}}";

	ASSERT_EQ(0, state_write((dir + "/a/b").c_str(), "changes.json", odd, strlen(odd)));
	EXPECT_EQ(0, start(file())) << err;
	EXPECT_EQ(1u, c->n_volumes);
	EXPECT_EQ("1=v0 ", offered());
}

TEST_F(Overlay, WhatCannotBeKeptHasNotHappened)
{
	ASSERT_EQ(0, start(file())) << err;
	FILE *f = fopen((dir + "/a").c_str(), "w"); /* no folder can be there */

	ASSERT_NE(nullptr, f);
	fclose(f);
	EXPECT_GT(0, overlay_namespace(kNqn, 9, "v0", true));
	ASSERT_EQ(0, unlink((dir + "/a").c_str()));
	ASSERT_EQ(0, overlay_volume_resized(volume("v0"), 128 << 20));
	ASSERT_EQ(0, start(file())) << err;
	EXPECT_EQ("1=v0 ", offered());
	EXPECT_EQ(128u << 20, volume("v0")->size);
}

} // namespace
