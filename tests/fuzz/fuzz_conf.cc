/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/*
 * Any bytes as a configuration: no crash, no leak, at least one error where there is no structure, and what loads is
 * saved to bytes that load and save to the same bytes.
 */

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "conf.h"

namespace
{

const char *const words[] = {"one", "two", nullptr};
const conf_key drive_table[] = {
	{"path", CONF_PATH, true, false, 0, 0, nullptr, nullptr, "a path"},
	{"size", CONF_SIZE, false, true, 4096, 0, "1MiB", nullptr, "a size"},
	{"wait", CONF_DURATION, false, false, 0, 1000000000, "5ms", nullptr, "a duration"},
	{"word", CONF_CHOICE, false, false, 0, 0, nullptr, words, "a choice"},
	{},
};
const conf_key stage_table[] = {
	{"text", CONF_STRING, false, false, 1, 16, nullptr, nullptr, "a text"},
	{"on", CONF_BOOL, false, false, 0, 0, "true", nullptr, "a switch"},
	{"n", CONF_UINT, false, false, 1, 9, nullptr, nullptr, "a number"},
	{},
};

const conf_key *
drive_keys(const char *kind, bool *found)
{
	*found = strcmp(kind, "file") == 0 || strcmp(kind, "none") == 0;
	return strcmp(kind, "file") == 0 ? drive_table : nullptr;
}

const conf_key *
stage_keys(const char *stage, bool *found)
{
	*found = strcmp(stage, "st") == 0 || strcmp(stage, "bare") == 0;
	return strcmp(stage, "st") == 0 ? stage_table : nullptr;
}

const char *
drive_kind(unsigned int i)
{
	return i == 0 ? "file" : i == 1 ? "none" : nullptr;
}

const char *
stage_name(unsigned int i)
{
	return i == 0 ? "st" : i == 1 ? "bare" : nullptr;
}

const conf_kinds kinds = {drive_keys, stage_keys, drive_kind, stage_name};

std::string
save(const conf *c)
{
	char *buf = nullptr;
	size_t len = 0;
	FILE *out = open_memstream(&buf, &len);

	if (out == nullptr || conf_save(c, out) != 0)
		abort();
	fclose(out);
	std::string s(buf, len);

	free(buf);
	return s;
}

conf *
parse(const char *text, size_t len)
{
	conf_errors errs;
	conf *c = conf_parse(text, len, "/fuzz/f.yaml", &kinds, &errs);
	bool any = false;

	for (unsigned int i = 0; i < errs.n; i++) {
		any = any || !errs.list[i].warning;
		if (strlen(errs.list[i].text) == 0 || strchr(errs.list[i].text, '\n') != nullptr)
			abort();
	}
	if (any != (c == nullptr))
		abort();
	conf_errors_free(&errs);
	return c;
}

} // namespace

extern "C" int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	conf *first = parse((const char *)data, size);

	if (first == nullptr)
		return 0;
	std::string once = save(first);
	conf *second = parse(once.data(), once.size());

	if (second == nullptr || save(second) != once)
		abort();
	conf_free(first);
	conf_free(second);
	return 0;
}
