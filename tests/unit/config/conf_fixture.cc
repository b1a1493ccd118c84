/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <cstring>
#include <map>
#include <vector>

#include "conf_fixture.h"

static const char *const algorithms[] = {"aes-256-xts", nullptr};
static const conf_key uring_keys[] = {
	{"path", CONF_PATH, true, false, 0, 0, nullptr, nullptr, "file or block device"},
	{"size", CONF_SIZE, false, false, 1 << 20, 0, nullptr, nullptr, "size to make it"},
	{},
};
static const conf_key mem_keys[] = {
	{"size", CONF_SIZE, true, false, 1 << 20, 1ULL << 40, nullptr, nullptr, "bytes"},
	{},
};
static const conf_key crypto_keys[] = {
	{"key_file", CONF_PATH, true, false, 0, 0, nullptr, nullptr, "file with the key"},
	{"algorithm", CONF_CHOICE, false, false, 0, 0, "aes-256-xts", algorithms, "cipher"},
	{},
};
static const conf_key delay_keys[] = {
	{"time", CONF_DURATION, false, false, 1000, 1000000000, "5ms", nullptr, "how long"},
	{},
};

static const conf_key *
drive_keys(const char *kind, bool *found)
{
	*found = true;
	if (strcmp(kind, "uring") == 0)
		return uring_keys;
	if (strcmp(kind, "mem") == 0)
		return mem_keys;
	*found = strcmp(kind, "null") == 0;
	return nullptr;
}

static const conf_key *
stage_keys(const char *stage, bool *found)
{
	*found = true;
	if (strcmp(stage, "crypto") == 0)
		return crypto_keys;
	if (strcmp(stage, "delay") == 0)
		return delay_keys;
	*found = strcmp(stage, "trace") == 0;
	return nullptr;
}

static const char *
drive_kind(unsigned int i)
{
	static const char *const all[] = {"uring", "mem", "null"};

	return i < 3 ? all[i] : nullptr;
}

static const char *
stage_name(unsigned int i)
{
	static const char *const all[] = {"crypto", "delay", "trace"};

	return i < 3 ? all[i] : nullptr;
}

const conf_kinds kKinds = {drive_keys, stage_keys, drive_kind, stage_name};

Loaded::Loaded(const std::string &text, const char *file)
{
	c = conf_parse(text.data(), text.size(), file, &kKinds, &errs);
	char *buf = nullptr;
	size_t len = 0;
	FILE *out = open_memstream(&buf, &len);

	conf_errors_print(&errs, file, out);
	fclose(out);
	said = buf;
	free(buf);
}

Loaded::~Loaded()
{
	conf_free(c);
	conf_errors_free(&errs);
}

bool
Loaded::says(unsigned int line, const std::string &what) const
{
	for (unsigned int i = 0; i < errs.n; i++)
		if (errs.list[i].line == line && strstr(errs.list[i].text, what.c_str()) != nullptr)
			return true;
	return false;
}

std::string
valid_with(const std::string &section, const std::string &text)
{
	static const std::vector<std::pair<std::string, std::string>> parts = {
		{"appliance", "appliance: {name: t, data_cpus: [1, 2]}\n"},
		{"ports", "ports: [{name: p0, device: net_tap0, addresses: [10.0.0.2/24]}]\n"},
		{"drives", "drives: [{name: d0, kind: mem, size: 1MiB}, {name: d1, kind: mem, size: 1MiB}]\n"},
		{"groups", "groups: [{name: g0, raid: 1, drives: [d0, d1]}]\n"},
		{"volumes", "volumes: [{name: v0, group: g0, size: 512KiB, stages: [crypto: {key_file: k}]}]\n"},
		{"subsystems",
		 "subsystems: [{nqn: 'nqn.2026-11.io.strake:t', hosts: any, namespaces: [{volume: v0}]}]\n"},
		{"classes", ""},
		{"services", ""},
		{"listeners", "listeners: [{port: p0, address: 10.0.0.2}]\n"},
	};
	std::string all;

	/* The section under test comes first, so that its lines count from 1. */
	for (auto &p : parts)
		if (p.first == section)
			all += text;
	for (auto &p : parts)
		if (p.first != section)
			all += p.second;
	return all;
}

std::string
saved(const conf *c)
{
	char *buf = nullptr;
	size_t len = 0;
	FILE *out = open_memstream(&buf, &len);

	EXPECT_EQ(0, conf_save(c, out));
	fclose(out);
	std::string s(buf, len);

	free(buf);
	return s;
}
