/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef CONF_FIXTURE_H
#define CONF_FIXTURE_H

#include <string>

#include <gtest/gtest.h>

#include "conf.h"

/** Kinds and stages of the tests' own, in the shape of the real ones. */
extern const conf_kinds kKinds;

/** A file loaded, with what was said of it. */
struct Loaded {
	conf *c;
	conf_errors errs;
	std::string said; /**< conf_errors_print() */

	explicit Loaded(const std::string &text, const char *file = "/etc/t.yaml");
	Loaded(const Loaded &) = delete;
	~Loaded();
	/** Is @p what said on line @p line? */
	bool says(unsigned int line, const std::string &what) const;
};

/** A small valid file; @p section replaced by @p text where it is not empty. */
std::string valid_with(const std::string &section = "", const std::string &text = "");
std::string saved(const conf *c);

#define EXPECT_ERROR(yaml, line, what)                                                                                 \
	do {                                                                                                           \
		Loaded l_(yaml);                                                                                       \
		EXPECT_EQ(nullptr, l_.c);                                                                              \
		EXPECT_TRUE(l_.says(line, what))                                                                       \
			<< "wanted on line " << (line) << ": " << (what) << "\nbut was said:\n"                        \
			<< l_.said;                                                                                    \
	} while (0)

#endif /* CONF_FIXTURE_H */
