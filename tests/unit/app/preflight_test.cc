/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* Machines made of files: what `strake preflight` says of each. */

#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cstring>
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>

#include <gtest/gtest.h>

#include "app/kinds.h"
#include "app/preflight.h"

namespace
{

/* What functions in struct preflight_src answer; one test runs at a time. */
struct Answers {
	int uring = 0;
	std::map<std::string, foreign> data;
	std::map<std::string, int> claim;
	std::map<std::string, int64_t> device;
} says;

int
ask_uring()
{
	return says.uring;
}

int
ask_foreign(const char *path, struct foreign *out)
{
	auto it = says.data.find(path);

	if (it == says.data.end())
		return 0;
	*out = it->second;
	return 1;
}

int
ask_claim(const char *path)
{
	return says.claim.count(path) != 0 ? says.claim[path] : 0;
}

int64_t
ask_device(const char *path)
{
	return says.device.count(path) != 0 ? says.device[path] : -ENOENT;
}

class Preflight : public testing::Test
{
      protected:
	void
	SetUp() override
	{
		char name[] = "/tmp/strake-preflight-XXXXXX";

		ASSERT_NE(nullptr, mkdtemp(name));
		root = name;
		says = {};
		/* A machine that lacks nothing: four CPUs, two of them isolated, one node. */
		file("/proc/meminfo",
		     "HugePages_Total:    1024\nHugePages_Free:     1024\nHugepagesize:       2048 kB\n");
		file("/proc/self/status", "CapEff:\t000001ffffffffff\nCpus_allowed_list:\t0-3\n");
		file("/proc/cpuinfo", "flags\t\t: fpu constant_tsc\n");
		file("/proc/swaps", "Filename Type Size Used Priority\n");
		file("/proc/self/mountinfo", "22 1 254:0 / / rw - ext4 /dev/vda rw\n");
		file("/sys/devices/system/clocksource/clocksource0/current_clocksource", "tsc\n");
		file("/sys/devices/system/cpu/online", "0-3\n");
		file("/sys/devices/system/cpu/isolated", "2-3\n");
		file("/sys/devices/system/cpu/cpuidle/current_driver", "intel_idle\n");
		file("/dev/cpu_dma_latency", "");
		for (const char *cpu : {"2", "3"}) {
			std::string dir = std::string("/sys/devices/system/cpu/cpu") + cpu;

			file(dir + "/topology/thread_siblings_list", std::string(cpu) + "\n");
			file(dir + "/cpufreq/scaling_governor", "performance\n");
		}
		file("/sys/devices/system/node/node0/cpulist", "0-3\n");
		file("/sys/devices/system/node/node0/hugepages/hugepages-2048kB/free_hugepages", "1024\n");
		text = "appliance: {data_cpus: [2, 3]}\n";
	}

	void
	TearDown() override
	{
		preflight_report_free(&r);
		conf_free(c);
		std::filesystem::remove_all(root);
	}

	void
	file(const std::string &path, const std::string &content)
	{
		std::filesystem::create_directories(std::filesystem::path(root + path).parent_path());
		std::ofstream(root + path) << content;
	}

	void
	gone(const std::string &path)
	{
		std::filesystem::remove_all(root + path);
	}

	void
	link(const std::string &path, const std::string &to)
	{
		std::filesystem::create_directories(std::filesystem::path(root + path).parent_path());
		std::filesystem::create_symlink(to, root + path);
	}

	/* A block device of the kernel's, 8:NUMBER. */
	void
	disk(const std::string &name, unsigned number)
	{
		says.device["/dev/" + name] = (int64_t)makedev(8, number);
		link("/sys/dev/block/8:" + std::to_string(number), "../../class/block/" + name);
		file("/sys/class/block/" + name + "/dev", "8:" + std::to_string(number) + "\n");
		file("/sys/class/block/" + name + "/queue/write_cache", "write through\n");
	}

	int
	run()
	{
		conf_errors errs = {};
		preflight_src src = {};

		preflight_report_free(&r);
		conf_free(c);
		c = text.empty() ? nullptr
				 : conf_parse(text.c_str(), text.size(), "/etc/t.yaml", &kinds_registered, &errs);
		EXPECT_TRUE(text.empty() || c != nullptr) << (errs.n != 0 ? errs.list[0].text : "");
		conf_errors_free(&errs);
		src.root = root.c_str();
		src.no_huge = no_huge;
		src.memlock = memlock;
		src.uring = ask_uring;
		src.foreign = ask_foreign;
		src.claim = ask_claim;
		src.device = ask_device;
		return preflight_run(&src, c, &r);
	}

	/* "RESULT|about|text|mend" of a check's rows, one a line. */
	std::string
	said(const char *check)
	{
		static const char *const names[] = {"PASS", "WARN", "FAIL"};
		std::string all;

		for (unsigned i = 0; i < r.n; i++)
			if (strcmp(r.rows[i].check, check) == 0)
				all += std::string(names[r.rows[i].result]) + "|" + r.rows[i].about + "|" +
				       r.rows[i].text + "|" + r.rows[i].mend + "\n";
		return all;
	}

	static std::string
	drives(const std::string &list)
	{
		return "appliance: {data_cpus: [2, 3]}\ndrives: [" + list + "]\n";
	}

	static std::string
	port(const std::string &device, const std::string &keys = "")
	{
		return "appliance: {data_cpus: [2, 3]}\n"
		       "ports: [{name: p0, device: '" +
		       device + "', addresses: [10.0.0.2/24]" + keys + "}]\n";
	}

	std::string root, text;
	bool no_huge = false;
	uint64_t memlock = 0;
	conf *c = nullptr;
	preflight_report r = {};
};

TEST_F(Preflight, AMachineThatLacksNothingPassesEveryCheck)
{
	EXPECT_EQ(0, run());
	for (unsigned i = 0; i < r.n; i++)
		EXPECT_EQ(PREFLIGHT_PASS, r.rows[i].result) << r.rows[i].check << ": " << r.rows[i].text;
	EXPECT_GT(r.n, 7u);
}

TEST_F(Preflight, AMachineOfWhichNothingIsKnownIsSurvived)
{
	std::filesystem::remove_all(root);
	run();
	text = "";
	run();
	EXPECT_NE("", said("huge pages"));
}

TEST_F(Preflight, HugePagesAreCountedAndTheCommandGivesWhatIsMissing)
{
	file("/proc/meminfo", "HugePages_Total:    300\nHugePages_Free:     100\nHugepagesize:       2048 kB\n");
	EXPECT_EQ(1, run());
	EXPECT_EQ("FAIL||512 of 2 MiB are needed, 100 are free|sysctl -w vm.nr_hugepages=712\n", said("huge pages"));
	no_huge = true;
	EXPECT_EQ(0, run());
	EXPECT_EQ(0u, said("huge pages").find("WARN||512 of 2 MiB would make it faster"));
	no_huge = false;
	text = "appliance: {data_cpus: [2, 3], huge: false}\n";
	EXPECT_EQ(0, run());
	file("/proc/meminfo", "MemTotal: 1 kB\n");
	EXPECT_EQ(0, run());
	EXPECT_EQ(0u, said("huge pages").find("WARN||the kernel has no huge pages"));
}

TEST_F(Preflight, HugePagesMustLieOnTheNodeOfTheLcores)
{
	file("/sys/devices/system/node/node0/cpulist", "0-1\n");
	file("/sys/devices/system/node/node1/cpulist", "2-3\n");
	file("/sys/devices/system/node/node1/hugepages/hugepages-2048kB/free_hugepages", "0\n");
	EXPECT_EQ(0, run());
	EXPECT_NE(std::string::npos,
		  said("huge pages")
			  .find("WARN|node 1|data lcores run here, and no huge page is free here|echo 512 > "
				"/sys/devices/system/node/node1/hugepages/hugepages-2048kB/nr_hugepages"))
		<< said("huge pages");
}

TEST_F(Preflight, IoUringForbiddenBySysctlOrSeccompOrAbsent)
{
	text = drives("{name: d0, kind: uring, path: /d0, size: 1MiB}");
	says.uring = -EPERM;
	EXPECT_EQ(1, run());
	EXPECT_NE(std::string::npos, said("io_uring").find("seccomp=unconfined"));
	file("/proc/sys/kernel/io_uring_disabled", "2\n");
	EXPECT_EQ(1, run());
	EXPECT_EQ("FAIL||forbidden by kernel.io_uring_disabled=2|sysctl -w kernel.io_uring_disabled=0\n",
		  said("io_uring"));
	gone("/proc/sys/kernel/io_uring_disabled");
	says.uring = -ENOSYS;
	run();
	EXPECT_NE(std::string::npos, said("io_uring").find("CONFIG_IO_URING"));
	text = drives("{name: d0, kind: mem, size: 1MiB}");
	EXPECT_EQ(0, run());
	EXPECT_EQ("", said("io_uring")) << "drives in memory need none";
}

TEST_F(Preflight, RightsGoByWhatTheDevicesNeed)
{
	file("/proc/self/status", "CapEff:\t0000000000000000\nCpus_allowed_list:\t0-3\n");
	file("/dev/net/tun", "");
	file("/proc/net/packet", "");
	file("/sys/class/net/eth0/mtu", "1500\n");
	file("/proc/sys/net/ipv4/conf/eth0/rp_filter", "1\n");
	memlock = UINT64_MAX;
	text = port("net_af_packet0,iface=eth0", ", exception: x0");
	EXPECT_EQ(1, run());
	EXPECT_NE(std::string::npos, said("rights").find("FAIL|p0|CAP_NET_RAW is missing: af_packet needs it"));
	EXPECT_NE(std::string::npos, said("rights").find("FAIL|p0|CAP_NET_ADMIN is missing: the exception tap needs"));
	file("/proc/self/status", "CapEff:\t0000000000003000\nCpus_allowed_list:\t0-3\n");
	EXPECT_EQ(0, run());
	memlock = 64 << 20;
	text = "appliance: {data_cpus: [2, 3]}\n";
	EXPECT_EQ(0, run());
	EXPECT_NE(std::string::npos,
		  said("rights").find(
			  "WARN||64 MiB may be locked, io_uring's buffer registration wants 1024 MiB|ulimit"));
}

TEST_F(Preflight, ClockOtherThanTscIsWarnedOfWithTheWayBack)
{
	file("/sys/devices/system/clocksource/clocksource0/current_clocksource", "hpet\n");
	file("/sys/devices/system/clocksource/clocksource0/available_clocksource", "tsc hpet \n");
	EXPECT_EQ(0, run());
	EXPECT_NE(std::string::npos, said("clock").find("|echo tsc > /sys/devices/system/clocksource"));
	file("/sys/devices/system/clocksource/clocksource0/available_clocksource", "hpet \n");
	run();
	EXPECT_NE(std::string::npos, said("clock").find("tsc=reliable"));
	file("/sys/devices/system/clocksource/clocksource0/current_clocksource", "kvm-clock\n");
	run();
	EXPECT_EQ(0u, said("clock").find("PASS"));
}

TEST_F(Preflight, CoresMissingForbiddenSharedOrNotIsolated)
{
	text = "appliance: {data_cpus: [7]}\n";
	EXPECT_EQ(1, run());
	EXPECT_EQ("FAIL|CPU 7|there is no such CPU, or it is offline|name CPUs of 0-3\n", said("cores"));
	file("/proc/self/status", "CapEff:\t000001ffffffffff\nCpus_allowed_list:\t0-2\n");
	text = "appliance: {data_cpus: [2, 3]}\n";
	EXPECT_EQ(1, run());
	EXPECT_NE(std::string::npos, said("cores").find("FAIL|CPU 3|this process may not run there, only on 0-2"));
	text = "appliance: {data_cpus: [0, 1, 2]}\n";
	EXPECT_EQ(0, run());
	EXPECT_EQ("WARN|CPU 0|a data lcore shares it with the main lcore|give main_cpu a CPU of its own\n"
		  "WARN|CPU 1|not isolated: other processes take it from its lcore|boot with isolcpus=0,1,2 "
		  "nohz_full=0,1,2 rcu_nocbs=0,1,2\n"
		  "PASS|CPU 2|a data lcore's alone|\n",
		  said("cores"));
}

TEST_F(Preflight, SiblingsOfOneCoreAreNamed)
{
	file("/sys/devices/system/cpu/cpu2/topology/thread_siblings_list", "2-3\n");
	file("/sys/devices/system/cpu/cpu3/topology/thread_siblings_list", "2-3\n");
	EXPECT_EQ(0, run());
	EXPECT_EQ("WARN|CPU 2|one core with CPU 3, another data lcore's: each gets half|take data_cpus of different "
		  "cores\n",
		  said("siblings"));
	file("/sys/devices/system/cpu/cpu2/topology/thread_siblings_list", "0,2\n");
	run();
	EXPECT_NE(std::string::npos, said("siblings").find("one core with CPU 0, the main lcore's"));
}

TEST_F(Preflight, GovernorThatSavesPower)
{
	file("/sys/devices/system/cpu/cpu3/cpufreq/scaling_governor", "powersave\n");
	EXPECT_EQ(0, run());
	EXPECT_EQ("WARN|CPU 3|powersave: a sleeping lcore wakes at a low frequency|cpupower -c 3 frequency-set -g "
		  "performance\n",
		  said("governor"));
}

TEST_F(Preflight, CpusThatWakeLate)
{
	run();
	EXPECT_EQ("PASS||a CPU that sleeps runs again within 100 us|\n", said("waking"));
	for (const char *driver : {"haltpoll\n", "none\n"}) {
		file("/sys/devices/system/cpu/cpuidle/current_driver", driver);
		run();
		EXPECT_EQ("WARN||a virtual CPU that sleeps halts, and may take longer than 100 us to run again|set "
			  "`resume_us: 0`, which costs power, or `idle: spin`\n",
			  said("waking"));
	}
	text = "appliance: {data_cpus: [2, 3], resume_us: 0}\n";
	run();
	EXPECT_EQ("PASS||a CPU that sleeps runs again within 0 us|\n", said("waking"));
	std::filesystem::remove(root + "/dev/cpu_dma_latency");
	run();
	EXPECT_EQ(0u, said("waking").find("WARN||no /dev/cpu_dma_latency"));
	text = "appliance: {data_cpus: [2, 3], idle: spin}\n";
	run();
	EXPECT_EQ("", said("waking"));
}

TEST_F(Preflight, PortsAndDrivesFarFromTheLcores)
{
	file("/sys/devices/system/node/node0/cpulist", "2-3\n");
	file("/sys/devices/system/node/node1/cpulist", "0-1\n");
	file("/sys/bus/pci/devices/0000:3b:00.0/numa_node", "1\n");
	disk("nvme0n1", 1);
	file("/sys/class/block/nvme0n1/device/device/numa_node", "1\n");
	text = port("0000:3b:00.0") + "drives: [{name: d0, kind: uring, path: /dev/nvme0n1}]\n";
	run();
	EXPECT_EQ("WARN|p0|is at node 1, where no data lcore runs|take data_cpus of 0-1\n"
		  "WARN|d0|is at node 1, where no data lcore runs|take data_cpus of 0-1\n",
		  said("NUMA"));
}

TEST_F(Preflight, ModulesThatAreWanted)
{
	text = port("0000:3b:00.0", ", exception: x0");
	run();
	EXPECT_EQ("FAIL|vfio-pci|not loaded: a card is driven by it|modprobe vfio-pci\n"
		  "FAIL|tun|not loaded: a tap needs it|modprobe tun\n",
		  said("modules"));
	text = port("net_af_packet0,iface=eth0");
	run();
	EXPECT_EQ("FAIL|af_packet|not loaded: af_packet ports need it|modprobe af_packet\n", said("modules"));
}

/* A virtual machine may have no other way in. */
TEST_F(Preflight, VirtioCardOfTheKernelIsNamedWithItsInterface)
{
	const std::string dev = "/sys/bus/pci/devices/0000:00:10.0";

	file("/sys/bus/pci/drivers/vfio-pci/bind", "");
	text = port("00:10.0");
	link(dev + "/driver", "../../../bus/pci/drivers/virtio-pci");
	file(dev + "/irq", "");
	file(dev + "/virtio0/net/eth0/mtu", "");
	file("/sys/class/net/eth0/operstate", "up\n");
	run();
	EXPECT_EQ("FAIL|p0|0000:00:10.0 is the kernel's (virtio-pci, eth0 is up: see `exception:` before you take it)|"
		  "dpdk-devbind.py -b vfio-pci 0000:00:10.0\n",
		  said("port device"));
}

TEST_F(Preflight, CardOnItsWayFromTheKernelToVfio)
{
	const std::string dev = "/sys/bus/pci/devices/0000:3b:00.0";

	file("/sys/bus/pci/drivers/vfio-pci/bind", "");
	text = port("3b:00.0");
	run();
	EXPECT_EQ("FAIL|p0|0000:3b:00.0: there is no such device|lspci -D -d ::0200\n", said("port device"));
	link(dev + "/driver", "../../../bus/pci/drivers/ice");
	file(dev + "/net/eth0/mtu", "");
	file("/sys/class/net/eth0/operstate", "up\n");
	run();
	EXPECT_EQ("FAIL|p0|0000:3b:00.0 is the kernel's (ice, eth0 is up: see `exception:` before you take it)|"
		  "dpdk-devbind.py -b vfio-pci 0000:3b:00.0\n",
		  said("port device"));
	gone(dev + "/driver");
	link(dev + "/driver", "../../../bus/pci/drivers/vfio-pci");
	run();
	EXPECT_EQ(0u, said("port device").find("FAIL|p0|0000:3b:00.0: no IOMMU"));
	file("/sys/module/vfio/parameters/enable_unsafe_noiommu_mode", "Y\n");
	run();
	EXPECT_EQ(0u, said("port device").find("WARN|p0|0000:3b:00.0: vfio-pci without an IOMMU"));
	link(dev + "/iommu_group", "../../../kernel/iommu_groups/17");
	run();
	EXPECT_EQ(0u, said("port device").find("FAIL|p0|0000:3b:00.0: no /dev/vfio/17"));
	file("/dev/vfio/17", "");
	EXPECT_EQ(0, run());
	EXPECT_EQ("PASS|p0|0000:3b:00.0: vfio-pci, IOMMU group 17|\n", said("port device"));
}

TEST_F(Preflight, MtuOfInterfacesThoseInABondToo)
{
	file("/proc/net/packet", "");
	file("/sys/class/net/a/mtu", "9000\n");
	file("/sys/class/net/b/mtu", "1500\n");
	text = port("net_bonding0,mode=1", ", mtu: 9000, members: ['net_af_packet0,iface=a', "
					   "'net_af_packet1,iface=b,qpairs=1']");
	EXPECT_EQ(1, run());
	EXPECT_EQ("PASS|p0|a has an MTU of 9000|\n"
		  "FAIL|p0|b has an MTU of 1500, the port wants 9000|ip link set b mtu 9000\n",
		  said("interface"));
	gone("/sys/class/net/b");
	file("/sys/class/net/a/operstate", "down\n");
	run();
	EXPECT_EQ("WARN|p0|a is down|ip link set a up\nFAIL|p0|b: there is no such interface|ip link\n",
		  said("interface"));
}

TEST_F(Preflight, TheKernelMustNotHearAfPacketsFramesTwice)
{
	file("/proc/net/packet", "");
	file("/dev/net/tun", "");
	file("/sys/class/net/a/mtu", "1500\n");
	file("/proc/sys/net/ipv4/conf/a/rp_filter", "2\n");
	file("/proc/sys/net/ipv6/conf/a/disable_ipv6", "1\n");
	text = port("net_af_packet0,iface=a");
	EXPECT_EQ(0, run()) << "without an exception path the kernel has no such address";
	text = port("net_af_packet0,iface=a", ", exception: x0");
	EXPECT_EQ(1, run());
	EXPECT_NE(std::string::npos, said("interface").find("|sysctl -w net.ipv4.conf.a.rp_filter=1 "));
	file("/proc/sys/net/ipv4/conf/a/rp_filter", "1\n");
	EXPECT_EQ(0, run());
	file("/proc/sys/net/ipv6/conf/a/disable_ipv6", "0\n");
	EXPECT_EQ(1, run());
}

TEST_F(Preflight, DrivesInUseAndWhatEndsTheUse)
{
	disk("sda", 0);
	text = drives("{name: d0, kind: uring, path: /dev/sda}");
	EXPECT_EQ(0, run());
	EXPECT_EQ("PASS|d0|/dev/sda is free|\n", said("drive in use"));

	says.claim["/dev/sda"] = -EBUSY;
	EXPECT_EQ(1, run());
	EXPECT_EQ("FAIL|d0|/dev/sda is opened by something else|lsblk; fuser -v\n", said("drive in use"));

	file("/proc/self/mountinfo", "30 22 8:0 / /srv rw - ext4 /dev/sda rw\n");
	run();
	EXPECT_EQ("FAIL|d0|sda is mounted on /srv|umount /srv\n", said("drive in use"));

	/* A partition of it. */
	file("/proc/self/mountinfo", "");
	file("/sys/class/block/sda/sda1/partition", "1\n");
	file("/sys/class/block/sda1/dev", "8:1\n");
	file("/proc/swaps", "Filename\tType\n/dev/sda1 partition 1 0 -2\n");
	run();
	EXPECT_EQ("FAIL|d0|sda1 is swap space in use|swapoff /dev/sda1\n", said("drive in use"));

	file("/proc/swaps", "");
	file("/sys/class/block/sda1/holders/md0/dev", "");
	run();
	EXPECT_EQ("FAIL|d0|sda1 is a member of the RAID md0|mdadm --stop /dev/md0\n", said("drive in use"));

	gone("/sys/class/block/sda1/holders");
	file("/sys/class/block/sda/holders/dm-0/dev", "");
	file("/sys/class/block/dm-0/dm/name", "vg-home\n");
	run();
	EXPECT_EQ("FAIL|d0|sda is held by dm-0, vg-home|dmsetup remove vg-home  (LVM: vgchange -an)\n",
		  said("drive in use"));
}

TEST_F(Preflight, DrivesThatAreNotThere)
{
	text = drives("{name: d0, kind: uring, path: /x/d0, size: 1MiB}, {name: d1, kind: uring, path: /x/d1}");
	EXPECT_EQ(1, run());
	EXPECT_EQ("PASS|d0|/x/d0 will be made|\n"
		  "FAIL|d1|/x/d1 does not exist|lsblk, or give `size:` for a file\n",
		  said("drive in use"));
	EXPECT_EQ("", said("drive's data"));
}

TEST_F(Preflight, SomebodyElsesDataUntilItIsNamed)
{
	disk("sda", 0);
	says.data["/dev/sda"] = {"ext4:12-34", "ext4 file system labelled 'srv'"};
	text = drives("{name: d0, kind: uring, path: /dev/sda}");
	EXPECT_EQ(1, run());
	EXPECT_EQ("FAIL|d0|/dev/sda holds ext4 file system labelled 'srv'|name another drive, or lose it: overwrite: "
		  "\"ext4:12-34\"\n",
		  said("drive's data"));
	text = drives("{name: d0, kind: uring, path: /dev/sda, overwrite: 'ext4:12-35'}");
	EXPECT_EQ(1, run());
	text = drives("{name: d0, kind: uring, path: /dev/sda, overwrite: 'ext4:12-34'}");
	EXPECT_EQ(0, run());
	EXPECT_EQ("WARN|d0|/dev/sda: ext4 file system labelled 'srv' will be lost, as `overwrite:` tells|\n",
		  said("drive's data"));
}

TEST_F(Preflight, VolatileWriteCachesAreToldWithTheCommandOfTheirKind)
{
	disk("sda", 0);
	disk("nvme0n1", 1);
	text = drives("{name: d0, kind: uring, path: /dev/sda}, {name: d1, kind: uring, path: /dev/nvme0n1}");
	EXPECT_EQ(0, run());
	EXPECT_EQ("PASS|d0|no volatile write cache|\nPASS|d1|no volatile write cache|\n", said("drive's cache"));
	file("/sys/class/block/sda/queue/write_cache", "write back\n");
	file("/sys/class/block/nvme0n1/queue/write_cache", "write back\n");
	EXPECT_EQ(0, run());
	EXPECT_NE(std::string::npos, said("drive's cache").find("|hdparm -W 0 /dev/sda\n"));
	EXPECT_NE(std::string::npos, said("drive's cache").find("|nvme set-feature -f 6 -V 0 /dev/nvme0n1\n"));
}

TEST_F(Preflight, TheReportIsOneLineForEachAndJsonForPrograms)
{
	char *out = nullptr;
	size_t len = 0;
	FILE *f = open_memstream(&out, &len);

	file("/sys/devices/system/cpu/cpu3/cpufreq/scaling_governor", "powersave\n");
	run();
	preflight_print(&r, f);
	fflush(f);
	std::string lines(out, len);

	EXPECT_NE(std::string::npos, lines.find("\nWARN  governor    CPU 3  powersave: a sleeping lcore wakes at a low "
						"frequency; mend: cpupower -c 3 frequency-set -g performance\n"))
		<< lines;
	EXPECT_NE(std::string::npos, lines.find(" passed, 1 warnings, 0 failed\n")) << lines;
	EXPECT_EQ(r.n + 1, (unsigned)std::count(lines.begin(), lines.end(), '\n'));
	preflight_print_json(&r, f);
	fclose(f);
	EXPECT_NE(std::string::npos, std::string(out).find("\"result\": \"WARN\""));
	EXPECT_NE(std::string::npos, std::string(out).find("\"mend\": \"cpupower -c 3"));
	free(out);
}

} // namespace
