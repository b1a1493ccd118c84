/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <string.h>

#include "conf_section.h"

static const char *const idles[] = {"adaptive", "spin", NULL};
static const char *const raids[] = {"0", "1", "10", NULL};
static const char *const styles[] = {"plain", "log", NULL};
static const char *const lbas[] = {"512", "4096", NULL};
static const char *const congestions[] = {"cubic", "newreno", NULL};
static const char *const kernel_congestions[] = {"cubic", "newreno", "system", NULL};
static const char *const transports[] = {"nvme_tcp", NULL};
static const char *const anas[] = {"optimized", "non_optimized", "inaccessible", NULL};
static const char *const actions[] = {"accept", "deny", NULL};
static const char *const ops[] = {"read",	   "write",  "flush", "write_zeroes", "deallocate", "compare",
				  "compare_write", "verify", NULL};

static const struct conf_field appliance_fields[] = {
	{.key = {"name", CONF_STRING, .min = 1, .max = NAME_MAX_BYTES, .def = "strake",
		 .help = "Name of this appliance; also of its control socket and its DPDK file prefix."},
	 .form = conf_form_name},
	{.key = {"control", CONF_PATH, .help = "Control socket; without it /run/strake/NAME.sock."}},
	{.key = {"state", CONF_PATH,
		 .help = "Folder for what outlives the process, such as reservations; without it "
			 "/var/lib/strake/NAME."}},
	{.key = {"main_cpu", CONF_UINT, .max = 1023, .def = "0",
		 .help = "CPU of the main lcore, which does control work."}},
	{.key = {"data_cpus", CONF_UINT, .max = 1023,
		 .help = "CPUs of the data lcores, one each; without it [1], or [0] on a machine with one CPU."},
	 .shape = CONF_MANY,
	 .most = 31},
	{.key = {"huge", CONF_BOOL, .def = "true", .help = "Whether DPDK takes its memory from huge pages."}},
	{.key = {"memory", CONF_SIZE, .min = 64ULL << 20, .max = 1ULL << 44, .def = "1GiB",
		 .help = "Memory for DPDK in all."}},
	{.key = {"buffers", CONF_SIZE, .min = 8ULL << 20, .max = 1ULL << 44, .def = "256MiB",
		 .help = "How much of it holds data on its way to and from drives."}},
	{.key = {"requests", CONF_UINT, .min = 256, .max = 65536, .def = "16384",
		 .help = "Requests under way at most."}},
	{.key = {"idle", CONF_CHOICE, .def = "adaptive", .choices = idles,
		 .help = "What a lcore without work does: sleep until there is some, or spin."}},
	{.key = {"resume_us", CONF_UINT, .max = 10000, .def = "100",
		 .help = "How long a CPU that sleeps may take to run again, microseconds, asked of the kernel while "
			 "the "
			 "appliance serves, of all CPUs, and not with `idle: spin`; 0 keeps them from halting at "
			 "all."}},
	{.key = {"congestion", CONF_CHOICE, .def = "cubic", .choices = kernel_congestions,
		 .help = "TCP congestion control of listeners on `port: kernel`; `system`: what the host is set to."}},
	{.key = {"slab", CONF_SIZE, .power_of_two = true, .min = 1ULL << 20, .max = 1ULL << 40, .def = "1GiB",
		 .help = "Part of a volume that one data lcore owns."}},
	{.key = {"under_way", CONF_SIZE, .min = 4096, .max = 1ULL << 30, .def = "4MiB",
		 .help = "Of a data lcore's requests under way, before classes take turns by weight; only with "
			 "`services`."}},
	{},
};

static const struct conf_field access_fields[] = {
	{.key = {"from", CONF_STRING, .required = true, .min = 1, .max = 63,
		 .help = "Network of the peer, 10.0.0.0/24, or one address; 0.0.0.0/0 and \"::/0\" are everybody."},
	 .form = conf_form_network},
	{.key = {"to", CONF_UINT, .min = 1, .max = 65535, .help = "TCP port, or first and last; without it all."},
	 .shape = CONF_RANGE},
	{.key = {"action", CONF_CHOICE, .required = true, .choices = actions,
		 .help = "What becomes of a connection it fits; a denied one gets no answer."}},
	{},
};

static const struct conf_section access_rules = {
	.name = "access",
	.help = "Who may connect: the first that fits decides, and what none fits is denied.",
	.list = true,
	.fields = access_fields,
};

static const struct conf_field port_fields[] = {
	{.key = {"name", CONF_STRING, .required = true, .min = 1, .max = NAME_MAX_BYTES, .help = "Name of the port."},
	 .form = conf_form_name},
	{.key = {"device", CONF_STRING, .required = true, .min = 1, .max = 1023,
		 .help = "PCI address, or device and arguments of a virtual one: \"net_tap0,iface=strake0\"."},
	 .form = conf_form_ascii},
	{.key = {"members", CONF_STRING, .min = 1, .max = 255,
		 .help = "Devices that a \"net_bonding0,mode=1\" joins: one carries the frames, another takes over "
			 "when "
			 "its link fails."},
	 .shape = CONF_MANY,
	 .most = 8,
	 .form = conf_form_ascii},
	{.key = {"mtu", CONF_UINT, .min = 576, .max = 65535, .def = "1500", .help = "Bytes of the largest IP packet."}},
	{.key = {"queues", CONF_UINT, .max = 31, .def = "0",
		 .help = "Queue pairs; 0: one for each data lcore, as far as the port has them."}},
	{.key = {"vlan", CONF_UINT, .max = 4094, .def = "0", .help = "802.1Q id of all frames; 0: untagged."}},
	{.key = {"mac", CONF_STRING, .min = 1, .max = 17, .help = "MAC address to set; without it the port's own."},
	 .form = conf_form_mac},
	{.key = {"addresses", CONF_STRING, .required = true, .min = 1, .max = 63,
		 .help = "IPv4 and IPv6 addresses with their prefix: 10.0.0.2/24."},
	 .shape = CONF_MANY,
	 .most = 32,
	 .form = conf_form_prefix},
	{.key = {"gateway4", CONF_STRING, .min = 1, .max = 63, .help = "IPv4 router for other networks."},
	 .form = conf_form_host},
	{.key = {"gateway6", CONF_STRING, .min = 1, .max = 63, .help = "IPv6 router for other networks."},
	 .form = conf_form_host},
	{.key = {"congestion", CONF_CHOICE, .def = "cubic", .choices = congestions, .help = "TCP congestion control."}},
	{.key = {"access", CONF_STRING, .help = "Who may connect, by address; without it everybody."},
	 .shape = CONF_MAPS,
	 .of = &access_rules},
	{.key = {"exception", CONF_STRING, .min = 1, .max = 15,
		 .help = "Tap by which the host's kernel gets the frames that are not Strake's, and sends its own; "
			 "without "
			 "it they are dropped."},
	 .form = conf_form_name},
	{.key = {"exception_rate", CONF_UINT, .min = 100, .max = 10000000, .def = "20000",
		 .help = "Frames a second that pass there, each way; the others are dropped and counted."}},
	{},
};

static const struct conf_field drive_fields[] = {
	{.key = {"name", CONF_STRING, .required = true, .min = 1, .max = NAME_MAX_BYTES, .help = "Name of the drive."},
	 .form = conf_form_name},
	{.key = {"kind", CONF_STRING, .required = true, .min = 1, .max = NAME_MAX_BYTES,
		 .help = "Driver; its own keys stand beside this one."}},
	{.key = {"overwrite", CONF_STRING, .min = 1, .max = 127,
		 .help = "Name of the data on it that may be lost, as the refusal to take the drive spells it: "
			 "\"ext4:UUID\". Without effect on anything else."},
	 .form = conf_form_ascii},
	{},
};

static const struct conf_field group_fields[] = {
	{.key = {"name", CONF_STRING, .required = true, .min = 1, .max = NAME_MAX_BYTES, .help = "Name of the group."},
	 .form = conf_form_name},
	{.key = {"style", CONF_CHOICE, .choices = styles, .def = "plain",
		 .help = "plain: volumes lie on the drives as they are; log: its volumes share one store that writes "
			 "full "
			 "rows with parity."}},
	{.key = {"raid", CONF_CHOICE, .choices = raids,
		 .help = "Of a plain group, required there. 0: striped over all drives; 1: mirrored on all; 10: "
			 "striped "
			 "over pairs of mirrors."}},
	{.key = {"chunk", CONF_SIZE, .power_of_two = true, .min = 4096, .max = 1ULL << 20, .def = "64KiB",
		 .help = "Bytes on one drive before the next one's turn."}},
	{.key = {"drives", CONF_STRING, .required = true, .help = "Names of its drives, each in one group only."},
	 .shape = CONF_MANY,
	 .most = 64,
	 .refers = "drives"},
	{.key = {"region", CONF_SIZE, .power_of_two = true, .min = 1ULL << 20, .max = 1ULL << 40, .def = "64MiB",
		 .help = "What is resynchronised as one after an unclean stop."}},
	{.key = {"create", CONF_BOOL, .def = "true", .help = "Whether blank drives may be made members."}},
	{.key = {"data", CONF_UINT, .max = 24, .def = "0",
		 .help = "Of a log group: drives of a row that hold data; 0: all drives less `parity`, when it is "
			 "made."}},
	{.key = {"parity", CONF_UINT, .max = 3, .def = "1",
		 .help = "Of a log group: drives of a row that hold parity, which is how many may be lost."}},
	{.key = {"unit", CONF_SIZE, .power_of_two = true, .min = 4096, .max = 131072, .def = "64KiB",
		 .help = "Of a log group: bytes of a row on one drive."}},
	{.key = {"segment", CONF_SIZE, .power_of_two = true, .min = 4096, .max = 64ULL << 20,
		 .help = "Of a log group: bytes of a segment, what is cleaned as one, on one drive; without it, it "
			 "suits "
			 "the drives."}},
	{.key = {"map_cache", CONF_SIZE, .min = 16ULL << 20, .max = 1ULL << 40,
		 .help = "Of a log group: how much of its map is kept in memory. 2.1GiB hold that of a TiB of blocks; "
			 "with less, pages of it are read when they are wanted. Part of `memory`; without it 64MiB."}},
	{.key = {"spares", CONF_STRING,
		 .help = "Of a log group: blank drives, each of which takes the place of a member that goes missing; "
			 "with one of them `group grow` makes the group larger. They need not be there yet."},
	 .shape = CONF_MANY,
	 .most = CONF_GROUP_SPARES_MAX,
	 .refers = "drives"},
	{.key = {"rebuild_rate", CONF_SIZE, .min = 4096, .max = 1ULL << 40,
		 .help = "Of a log group: bytes that a rebuild, or growth, writes in a second, at most; without it "
			 "there is "
			 "no limit. `group rate` changes it."}},
	{.key = {"scrub_every", CONF_DURATION, .min = 1000000000ULL, .max = 400 * 86400000000000ULL,
		 .help = "Of a log group: time from the end of one scrub, which reads all rows against their parity, "
			 "to the next; without it, it is scrubbed only when told to."}},
	{.key = {"scrub_rate", CONF_SIZE, .min = 4096, .max = 1ULL << 40,
		 .help = "Of a log group: bytes that such a scrub reads in a second, at most; without it there is no "
			 "limit."}},
	{.key = {"reseal_rate", CONF_SIZE, .min = 4096, .max = 1ULL << 40,
		 .help = "Of a log group: after `key rotate`, bytes of older keys that are sealed anew in a second, at "
			 "most; without it 64MiB. `key reseal` changes it."}},
	{.key = {"lcore", CONF_UINT, .min = 1, .max = 31,
		 .help = "Of a log group: the data lcore, by number, that has its rows, their parity, and its store; "
			 "without it groups are dealt to them in turn."}},
	{},
};

static const struct conf_field volume_fields[] = {
	{.key = {"name", CONF_STRING, .required = true, .min = 1, .max = NAME_MAX_BYTES, .help = "Name of the volume."},
	 .form = conf_form_name},
	{.key = {"group", CONF_STRING, .required = true, .help = "Group of drives it lies on."}, .refers = "groups"},
	{.key = {"size", CONF_SIZE, .required = true, .min = 4096, .max = 1ULL << 50, .help = "Size hosts see."}},
	{.key = {"lba", CONF_CHOICE, .def = "4096", .choices = lbas, .help = "Logical block size, bytes."}},
	{.key = {"read_only", CONF_BOOL, .def = "false", .help = "Whether writes are refused."}},
	{.key = {"uuid", CONF_STRING, .min = 1, .max = 36,
		 .help = "Identity to give it; without it one is made with the volume and kept on the drives."},
	 .form = conf_form_uuid},
	{.key = {"stages", CONF_STRING,
		 .help = "Services in order, nearest the host first: a name, or a name with its keys; `lcore: N` gives "
			 "a "
			 "stage the N-th data lcore."},
	 .shape = CONF_STAGES},
	{},
};

static const struct conf_field namespace_fields[] = {
	{.key = {"nsid", CONF_UINT, .min = 1, .max = 1024, .help = "Namespace id; without it the place in the list."}},
	{.key = {"volume", CONF_STRING, .required = true, .help = "Volume to offer."}, .refers = "volumes"},
	{},
};

static const struct conf_section namespaces = {
	.name = "namespaces",
	.help = "What a subsystem offers.",
	.list = true,
	.fields = namespace_fields,
};

static const struct conf_field subsystem_fields[] = {
	{.key = {"nqn", CONF_STRING, .required = true, .min = 1, .max = NQN_MAX_BYTES, .help = "NVMe qualified name."},
	 .form = conf_form_nqn},
	{.key = {"serial", CONF_STRING, .min = 1, .max = 20,
		 .help = "Serial number; without it one made from the NQN."},
	 .form = conf_form_ascii},
	{.key = {"model", CONF_STRING, .min = 1, .max = 40, .def = "Strake", .help = "Model number."},
	 .form = conf_form_ascii},
	{.key = {"hosts", CONF_STRING, .min = 1, .max = NQN_MAX_BYTES,
		 .help = "NQNs of the hosts that may connect, or `any`; without it none may. An NQN is a claim, not a "
			 "proof: the network must be trusted."},
	 .shape = CONF_HOSTS,
	 .form = conf_form_nqn},
	{.key = {"namespaces", CONF_STRING, .help = "Volumes it offers."}, .shape = CONF_MAPS, .of = &namespaces},
	{.key = {"max_queues", CONF_UINT, .min = 1, .max = 128, .def = "16", .help = "I/O queues of one controller."}},
	{.key = {"queue_depth", CONF_UINT, .min = 2, .max = 1024, .def = "128", .help = "Entries of one queue."}},
	{},
};

static const struct conf_field class_fields[] = {
	{.key = {"name", CONF_STRING, .min = 1, .max = NAME_MAX_BYTES, .help = "Name of the rule, for people."},
	 .form = conf_form_name},
	{.key = {"host", CONF_STRING, .min = 1, .max = NQN_MAX_BYTES, .def = "any",
		 .help = "NQN of the host, or `any`."},
	 .form = conf_form_any_nqn},
	{.key = {"subsystem", CONF_STRING, .help = "NQN of the subsystem; without it any."}, .refers = "subsystems"},
	{.key = {"namespace", CONF_UINT, .min = 1, .max = 1024, .help = "Namespace id; without it any."}},
	{.key = {"range", CONF_SIZE, .max = 1ULL << 50,
		 .help = "Where the request begins in the volume: from the first byte up to, not with, the second; "
			 "whole "
			 "MiB. Without it anywhere."},
	 .shape = CONF_RANGE},
	{.key = {"ops", CONF_CHOICE, .choices = ops, .help = "What is asked; without it anything."},
	 .shape = CONF_MANY,
	 .most = 8},
	{.key = {"dscp", CONF_UINT, .max = 63,
		 .help = "DSCP the host's packets carry, or first and last; 0 on kernel sockets. Without it any."},
	 .shape = CONF_RANGE},
	{.key = {"pcp", CONF_UINT, .max = 7,
		 .help = "802.1Q priority they carry, or first and last; 0 on kernel sockets. Without it any."},
	 .shape = CONF_RANGE},
	{.key = {"class", CONF_UINT, .required = true, .min = 1, .max = 255, .help = "Class of service given."}},
	{},
};

static const struct conf_field service_fields[] = {
	{.key = {"class", CONF_UINT, .required = true, .max = 255,
		 .help = "Class of service; classes not in the list share what class 0 may use."}},
	{.key = {"weight", CONF_UINT, .min = 1, .max = 1000, .def = "100",
		 .help = "Its share of turns, against the weights of other classes that wait."}},
	{.key = {"iops", CONF_UINT, .min = 1, .max = 1000000000,
		 .help = "Most requests a second, divided evenly among the data lcores; without it any number."}},
	{.key = {"bandwidth", CONF_SIZE, .min = 4096, .max = 1ULL << 40,
		 .help = "Most bytes a second, divided likewise; without it any number."}},
	{.key = {"burst_ms", CONF_UINT, .min = 10, .max = 60000, .def = "100",
		 .help = "How long a quiet class may save up what its limits give it."}},
	{},
};

static const struct conf_field listener_fields[] = {
	{.key = {"transport", CONF_CHOICE, .def = "nvme_tcp", .choices = transports, .help = "Protocol."}},
	{.key = {"port", CONF_STRING, .required = true,
		 .help = "Port to listen on, or `kernel`: the host's own sockets."},
	 .refers = "ports",
	 .refers_too = "kernel"},
	{.key = {"address", CONF_STRING, .required = true, .min = 1, .max = 63,
		 .help = "One of the port's addresses; 0.0.0.0 or \"::\" for all of them."},
	 .form = conf_form_address},
	{.key = {"service", CONF_UINT, .min = 1, .max = 65535, .def = "4420", .help = "TCP port."}},
	{.key = {"ana", CONF_CHOICE, .def = "optimized", .choices = anas,
		 .help = "How hosts with several paths are to use this one: first, when no better one is left, or "
			 "not."}},
	{},
};

const struct conf_section conf_sections[] = {
	{"appliance", "The process itself.", false, appliance_fields},
	{"ports", "Network ports run by Strake's own TCP.", true, port_fields},
	{"drives", "Where bytes end.", true, drive_fields},
	{"groups", "Drives put together.", true, group_fields},
	{"volumes", "What is cut out of groups and offered to hosts.", true, volume_fields},
	{"subsystems", "What hosts connect to.", true, subsystem_fields},
	{"classes", "Class of service of requests: the first rule that matches gives it, without one it is 0.", true,
	 class_fields},
	{"services", "What classes of service may use, and who goes first; without it nobody waits.", true,
	 service_fields},
	{"listeners", "Where hosts connect.", true, listener_fields},
	{},
};

const struct conf_section *
conf_section_find(const char *name)
{
	for (const struct conf_section *s = conf_sections; s->name != NULL; s++)
		if (strcmp(s->name, name) == 0)
			return s;
	return NULL;
}

const char *
conf_section_id(const char *section)
{
	return conf_section_find(section)->fields[0].key.name;
}
