/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "conf_fixture.h"

/* A hostile text gives one clear line, and no more. */
static std::string
only(const std::string &text)
{
	Loaded l(text);

	EXPECT_EQ(nullptr, l.c);
	EXPECT_EQ(1u, l.errs.n) << l.said;
	return l.said.substr(0, l.said.size() - 1);
}

TEST(ConfHostile, NothingInTheFile)
{
	const char *want = "/etc/t.yaml: empty: there is no configuration in it";

	EXPECT_EQ(want, only(""));
	EXPECT_EQ(want, only("\n\n"));
	EXPECT_EQ(want, only("# only\n# comments\n"));
	EXPECT_EQ(want, only("---\n...\n"));
	EXPECT_EQ(want, only("~\n"));
}

TEST(ConfHostile, NotAConfiguration)
{
	EXPECT_EQ("/etc/t.yaml:1:1: expected keys such as \"appliance:\" and \"volumes:\", found a single value",
		  only("hello\n"));
	EXPECT_EQ("/etc/t.yaml:1:1: expected keys such as \"appliance:\" and \"volumes:\", found a list", only("[]\n"));
	EXPECT_EQ("/etc/t.yaml:1:8: not UTF-8 here: is this a text file?", only("name: \xc3\xa4\xff\n"));
}

TEST(ConfHostile, BytesThatAreNoText)
{
	EXPECT_EQ("/etc/t.yaml:1:2: a NUL byte here: is this a text file?", only(std::string("a\0b", 3)));
	EXPECT_EQ("/etc/t.yaml:2:1: not UTF-8 here: is this a text file?", only("# x\n\xff\xfe"));
	EXPECT_EQ("/etc/t.yaml:1:1: not UTF-8 here: is this a text file?", only("\xff\xfe"
										"a"));
	EXPECT_EQ("/etc/t.yaml:1:1: not UTF-8 here: is this a text file?", only("\xc0\x80"));
	EXPECT_EQ("/etc/t.yaml:1:1: not UTF-8 here: is this a text file?", only("\xed\xa0\x80"));
	EXPECT_EQ("/etc/t.yaml:1:1: not UTF-8 here: is this a text file?", only("\xf4\x90\x80\x80"));
	EXPECT_EQ("/etc/t.yaml:1:1: not UTF-8 here: is this a text file?", only("\xe2\x82"));
	EXPECT_EQ("/etc/t.yaml:2:1: a tab indents this line; YAML indents with spaces only",
		  only("appliance:\n\tname: x\n"));
}

TEST(ConfHostile, EscapesThatHideControlCharacters)
{
	for (const char *text : {"\"a\\0b\"", "\"a\\nb\"", "\"\\e[31m\"", "\"\\x85\"", "\"\\u2028\"", "\"\\x7f\""})
		EXPECT_EQ("/etc/t.yaml:1:19: appliance.name: holds a control character or a line break",
			  only(std::string("appliance: {name: ") + text + "}"))
			<< text;
	EXPECT_EQ("/etc/t.yaml:2:9: appliance.name: holds a control character or a line break",
		  only("appliance:\n  name: |\n    a\n    b\n"));
	EXPECT_EQ("/etc/t.yaml:1:13: this key holds a control character", only("appliance: {\"a\\0b\": 1}"));
}

TEST(ConfHostile, AliasesAnchorsAndTags)
{
	EXPECT_EQ("/etc/t.yaml:1:8: anchors (\"&\") are not taken here; write the value out", only("ports: &p []\n"));
	EXPECT_EQ("/etc/t.yaml:1:8: aliases (\"*\") are not taken here; write the value out", only("ports: *p\n"));
	EXPECT_EQ("/etc/t.yaml:1:8: ports: YAML tags (\"!\") are not taken here", only("ports: !!seq []\n"));
	/* The billion laughs stop at the first anchor's use. */
	std::string bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n";
	for (char c = 'b'; c < 'j'; c++)
		bomb += std::string(1, c) + ": &" + c + " [*" + char(c - 1) + ",*" + char(c - 1) + "]\n";
	Loaded l(bomb);
	EXPECT_EQ(nullptr, l.c);
	EXPECT_TRUE(l.says(1, "anchors")) << l.said;
	EXPECT_TRUE(l.says(2, "aliases")) << l.said;
}

TEST(ConfHostile, Depth)
{
	EXPECT_EQ("/etc/t.yaml:1:9: nested more than 8 levels deep", only(std::string(100000, '[')));
	EXPECT_EQ("/etc/t.yaml:1:11: nested more than 8 levels deep", only("a: " + std::string(500, '[')));
	std::string deep;
	for (int i = 0; i < 400; i++)
		deep += std::string((size_t)i, ' ') + "a:\n";
	EXPECT_EQ("/etc/t.yaml:9:9: nested more than 8 levels deep", only(deep));
}

TEST(ConfHostile, Size)
{
	EXPECT_EQ("/etc/t.yaml: 1048577 bytes; a configuration is at most 1MiB", only(std::string(1048577, '#')));
	EXPECT_EQ("/etc/t.yaml: empty: there is no configuration in it", only(std::string(1048576, '#')));
	std::string keys;
	for (int i = 0; i < 100000; i++)
		keys += "k" + std::to_string(i) + ": 1\n";
	EXPECT_EQ("/etc/t.yaml:1:1: more than 64 keys", only(keys));
	std::string items = "ports:\n";
	for (int i = 0; i < 100000; i++)
		items += "- a\n";
	EXPECT_EQ("/etc/t.yaml:2:1: ports: more than 1024 items", only(items));
}

TEST(ConfHostile, SeveralDocuments)
{
	EXPECT_EQ("/etc/t.yaml:2:1: a second document begins here; a configuration is one document",
		  only("appliance: {}\n---\nappliance: {}\n"));
}

TEST(ConfHostile, BrokenYaml)
{
	EXPECT_NE(std::string::npos, only("ports: [a\n").find("not YAML: ")) << only("ports: [a\n");
	EXPECT_NE(std::string::npos, only("a: b: c\n").find("/etc/t.yaml:1:5: not YAML: "));
	EXPECT_NE(std::string::npos, only("name: \"x\n").find("not YAML: "));
	EXPECT_NE(std::string::npos, only("a: 1\n b: 2\n").find("not YAML: "));
	EXPECT_NE(std::string::npos, only("? [a]\n: b\n").find("a key must be a word"));
}

TEST(ConfHostile, BrokenYamlComesWithWhatItMostlyIs)
{
	const char *const broken[][2] = {
		{"a:\n  b: 1\n   c: 2\n", "is the line indented too deep"},
		{"a:\n  nqn: nqn.x: y\n", "does a value with \":\" in it want quotes?"},
		{"a:\n  b:\n    c: 1\n  - d: 2\n", "is the line indented as those above it?"},
		{"a:\n  c: 1\n  huge:false\n  b: 1\n", "a key is followed by \": \" and its value"},
		{"a:\n  -\tb: 1\n", "a tab, or a value that wants quotes"},
		{"a: @b\n", "a tab, or a value that wants quotes"},
		{"a: [::1]\n", "does the value want quotes?"},
	};

	for (auto &b : broken)
		EXPECT_NE(std::string::npos, only(b[0]).find(b[1])) << only(b[0]);
}

TEST(ConfHostile, ManyErrorsAreCut)
{
	std::string items = "drives:\n";

	for (int i = 0; i < 1000; i++)
		items += "- {name: d" + std::to_string(i) + ", kind: nul" + std::string(40, 'x') + "}\n";
	Loaded l(items);
	EXPECT_EQ(nullptr, l.c);
	EXPECT_EQ(100u, l.errs.n);
	EXPECT_NE(std::string::npos, l.said.find("there may be more; only the first 100 found are shown"));
}

TEST(ConfHostile, LongWordsAreCutInMessages)
{
	Loaded l("appliance: {" + std::string(1000, 'k') + ": 1, idle: '" + std::string(5000, 'v') + "'}");

	EXPECT_EQ(nullptr, l.c);
	EXPECT_EQ(2u, l.errs.n) << l.said;
	EXPECT_LT(l.said.size(), 500u);
}

TEST(ConfHostile, TheLargestFilesThatCountAreQuick)
{
	std::string drives = "drives:\n", groups = "groups:\n", volumes = "volumes:\n";

	for (int i = 0; i < 1024; i++) {
		std::string n = std::to_string(i);

		drives += "- {name: d" + n + ", kind: uring, path: p" + n + "}\n";
		groups += "- {name: g" + n + ", raid: 0, drives: [d" + n + "]}\n";
		volumes += "- {name: v" + n + ", group: g" + n + ", size: 1MiB}\n";
	}
	Loaded l(drives + groups + volumes);
	ASSERT_NE(nullptr, l.c) << l.said;
	EXPECT_EQ(1024u, l.c->n_volumes);
	EXPECT_STREQ("g1023", l.c->volumes[1023].group->name);
}
