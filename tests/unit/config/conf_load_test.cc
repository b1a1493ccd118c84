/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <unistd.h>

#include "conf_fixture.h"

TEST(ConfLoad, FillsTheStructureAndResolvesNames)
{
	Loaded l(valid_with());

	ASSERT_NE(nullptr, l.c) << l.said;
	EXPECT_EQ("", l.said);
	EXPECT_STREQ("t", l.c->appliance.name);
	EXPECT_STREQ("/run/strake/t.sock", l.c->appliance.control);
	EXPECT_STREQ("/var/lib/strake/t", l.c->appliance.state);
	ASSERT_EQ(2u, l.c->appliance.n_data_cpus);
	EXPECT_EQ(2u, l.c->appliance.data_cpus[1]);
	EXPECT_TRUE(l.c->appliance.huge);
	EXPECT_EQ(1ULL << 30, l.c->appliance.memory);
	EXPECT_EQ(256ULL << 20, l.c->appliance.buffers);
	EXPECT_EQ(16384u, l.c->appliance.requests);
	EXPECT_EQ(CONF_IDLE_ADAPTIVE, l.c->appliance.idle);
	EXPECT_EQ(1ULL << 30, l.c->appliance.slab);
	ASSERT_EQ(1u, l.c->n_ports);
	EXPECT_EQ(1500u, l.c->ports[0].mtu);
	EXPECT_STREQ("10.0.0.2/24", l.c->ports[0].addresses[0]);
	EXPECT_STREQ("cubic", l.c->ports[0].congestion);
	EXPECT_EQ(nullptr, l.c->ports[0].mac);
	ASSERT_EQ(1u, l.c->n_groups);
	EXPECT_EQ(CONF_RAID1, l.c->groups[0].raid);
	EXPECT_EQ(65536u, l.c->groups[0].chunk);
	ASSERT_EQ(2u, l.c->groups[0].n_drives);
	EXPECT_EQ(&l.c->drives[1], l.c->groups[0].drives[1]);
	EXPECT_EQ(1u << 20, conf_u64(l.c->drives[1].values, "size"));
	ASSERT_EQ(1u, l.c->n_volumes);
	EXPECT_EQ(&l.c->groups[0], l.c->volumes[0].group);
	EXPECT_EQ(4096u, l.c->volumes[0].lba);
	ASSERT_EQ(1u, l.c->volumes[0].n_stages);
	EXPECT_STREQ("crypto", l.c->volumes[0].stages[0].name);
	EXPECT_EQ(-1, l.c->volumes[0].stages[0].cpu);
	EXPECT_STREQ("aes-256-xts", conf_str(l.c->volumes[0].stages[0].values, "algorithm"));
	ASSERT_EQ(1u, l.c->n_subsystems);
	EXPECT_TRUE(l.c->subsystems[0].any_host);
	EXPECT_EQ(20u, strlen(l.c->subsystems[0].serial));
	ASSERT_EQ(1u, l.c->subsystems[0].n_namespaces);
	EXPECT_EQ(1u, l.c->subsystems[0].namespaces[0].nsid);
	EXPECT_EQ(&l.c->volumes[0], l.c->subsystems[0].namespaces[0].volume);
	ASSERT_EQ(1u, l.c->n_listeners);
	EXPECT_EQ(&l.c->ports[0], l.c->listeners[0].port);
	EXPECT_EQ(4420u, l.c->listeners[0].service);
}

TEST(ConfLoad, KeepsTheLineOfEachItem)
{
	Loaded l(valid_with("drives", "drives:\n\n  - name: d0\n    kind: mem\n    size: 1MiB\n"
				      "  - {name: d1, kind: mem, size: 1MiB}\n"));

	ASSERT_NE(nullptr, l.c) << l.said;
	EXPECT_EQ(3u, l.c->drives[0].line);
	EXPECT_EQ(6u, l.c->drives[1].line);
}

TEST(ConfLoad, TakesStagesBareAndWithKeys)
{
	Loaded l(valid_with("volumes",
			    "volumes:\n- name: v0\n  group: g0\n  size: 512KiB\n  stages:\n  - trace\n  - delay:\n"
			    "  - crypto:\n      key_file: sub/k\n      lcore: 2\n"));

	ASSERT_NE(nullptr, l.c) << l.said;
	ASSERT_EQ(3u, l.c->volumes[0].n_stages);
	EXPECT_STREQ("trace", l.c->volumes[0].stages[0].name);
	EXPECT_EQ(5000000u, conf_u64(l.c->volumes[0].stages[1].values, "time"));
	EXPECT_EQ(2, l.c->volumes[0].stages[2].cpu);
	EXPECT_STREQ("/etc/sub/k", conf_str(l.c->volumes[0].stages[2].values, "key_file"));
}

TEST(ConfLoad, TakesHostLists)
{
	Loaded l(valid_with("subsystems",
			    "subsystems: [{nqn: 'nqn.2026-11.io.strake:t', namespaces: [{nsid: 7, volume: v0}], "
			    "hosts: ['nqn.2026-11.com.example:h1', "
			    "'nqn.2014-08.org.nvmexpress:uuid:2a6f0f4c-5f2b-4b6e-8f0d-3f1f6b1c9a77']}]\n"));

	ASSERT_NE(nullptr, l.c) << l.said;
	EXPECT_FALSE(l.c->subsystems[0].any_host);
	ASSERT_EQ(2u, l.c->subsystems[0].n_hosts);
	EXPECT_STREQ("nqn.2026-11.com.example:h1", l.c->subsystems[0].hosts[0]);
	EXPECT_EQ(7u, l.c->subsystems[0].namespaces[0].nsid);
}

TEST(ConfLoad, KernelListenerHasNoPort)
{
	Loaded l(valid_with("listeners", "listeners: [{port: kernel, address: '::'}, {port: p0, address: 0.0.0.0}]\n"));

	ASSERT_NE(nullptr, l.c) << l.said;
	EXPECT_EQ(nullptr, l.c->listeners[0].port);
}

TEST(ConfLoad, SerialIsTheSameForAnNqnAndOtherForAnother)
{
	Loaded a(valid_with()), b(valid_with());
	Loaded c(valid_with("subsystems", "subsystems: [{nqn: 'nqn.2026-11.io.strake:u'}]\n"));

	ASSERT_TRUE(a.c != nullptr && b.c != nullptr && c.c != nullptr);
	EXPECT_STREQ(a.c->subsystems[0].serial, b.c->subsystems[0].serial);
	EXPECT_STRNE(a.c->subsystems[0].serial, c.c->subsystems[0].serial);
}

TEST(ConfLoad, WarnsOfWhatIsNotUsedAndLoadsAllTheSame)
{
	Loaded l(valid_with("volumes",
			    "volumes:\n- {name: v0, group: g0, size: 4KiB}\n- {name: v1, group: g0, size: 4KiB}\n"));

	ASSERT_NE(nullptr, l.c);
	ASSERT_EQ(1u, l.errs.n) << l.said;
	EXPECT_TRUE(l.errs.list[0].warning);
	EXPECT_EQ("/etc/t.yaml:3:3: warning: volumes[1]: \"v1\" is not used: no host can see it\n", l.said);
}

TEST(ConfLoad, WarnsOfASubsystemNobodyCanUse)
{
	Loaded l("subsystems:\n- nqn: nqn.2026-11.io.strake\n");

	ASSERT_NE(nullptr, l.c) << l.said;
	EXPECT_TRUE(l.says(2, "no hosts are named")) << l.said;
	EXPECT_TRUE(l.says(2, "no namespaces")) << l.said;
	EXPECT_TRUE(l.says(2, "no listeners")) << l.said;
}

TEST(ConfLoad, TakesAListWithAllItemsCommentedOut)
{
	Loaded l("appliance:\nports:\n#  - name: p0\ndrives:\n");

	ASSERT_NE(nullptr, l.c) << l.said;
	EXPECT_EQ(0u, l.c->n_ports);
	EXPECT_STREQ("strake", l.c->appliance.name);
}

TEST(ConfLoad, RelativePathsAreTakenFromTheFilesFolder)
{
	char folder[] = "/tmp/conf_test_XXXXXX";

	ASSERT_NE(nullptr, mkdtemp(folder));
	std::string file = std::string(folder) + "/a.yaml";
	std::ofstream(file) << valid_with();
	conf_errors errs;
	conf *c = conf_load(file.c_str(), &kKinds, &errs);

	unlink(file.c_str());
	rmdir(folder);
	ASSERT_NE(nullptr, c);
	EXPECT_EQ(std::string(folder) + "/k", conf_str(c->volumes[0].stages[0].values, "key_file"));
	EXPECT_EQ(file, c->file);
	conf_free(c);
	conf_errors_free(&errs);
}

TEST(ConfLoad, SaysWhyAFileCannotBeRead)
{
	conf_errors errs;

	EXPECT_EQ(nullptr, conf_load("/nonexistent/x.yaml", &kKinds, &errs));
	ASSERT_EQ(1u, errs.n);
	EXPECT_STREQ("cannot be opened: No such file or directory", errs.list[0].text);
	conf_errors_free(&errs);
	EXPECT_EQ(nullptr, conf_load("/tmp", &kKinds, &errs));
	ASSERT_EQ(1u, errs.n);
	EXPECT_STREQ("cannot be read: Is a directory", errs.list[0].text);
	conf_errors_free(&errs);
	EXPECT_EQ(nullptr, conf_load("/dev/zero", &kKinds, &errs));
	ASSERT_EQ(1u, errs.n);
	EXPECT_STREQ("longer than 1MiB, which is the most a configuration may be", errs.list[0].text);
	conf_errors_free(&errs);
}
