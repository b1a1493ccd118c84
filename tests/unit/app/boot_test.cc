/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <string>

#include <gtest/gtest.h>

extern "C" {
#include "app/boot.h"
}

namespace
{

std::string order;

template <char c>
int
up(appliance *)
{
	order += c;
	return 0;
}

template <char c>
void
down(appliance *)
{
	order += c;
}

int
refuses(appliance *a)
{
	snprintf(a->err, sizeof(a->err), "it is not there");
	return -ENOENT;
}

int
silent(appliance *)
{
	return -EMFILE;
}

int
interrupted(appliance *a)
{
	boot_cancel();
	snprintf(a->err, sizeof(a->err), "Interrupted system call");
	return -EINTR;
}

int
cancels(appliance *)
{
	boot_cancel();
	return 0;
}

void
crashes(appliance *)
{
	abort();
}

/* Runs in a process of its own: a start is cancelled for good. */
[[noreturn]] void
start(const boot_step *steps, unsigned int n)
{
	appliance a = {};
	int ret = boot_up(&a, steps, n);

	fprintf(stderr, "[%s]", order.c_str());
	fflush(stderr);
	_Exit(-ret);
}

TEST(Boot, StepThatFailsIsNamedAndThoseBeforeItAreUndoneInReverse)
{
	const boot_step steps[] = {
		{"one", up<'a'>, down<'A'>},  {"two", up<'b'>, nullptr},    {"three", up<'c'>, down<'C'>},
		{"four", refuses, down<'X'>}, {"five", up<'x'>, down<'X'>},
	};

	EXPECT_EXIT(start(steps, 5), testing::ExitedWithCode(ENOENT), "^strake: four: it is not there\n\\[abcCA\\]$");
}

TEST(Boot, StepWithoutWordsIsTold)
{
	const boot_step steps[] = {{"one", silent, nullptr}};

	EXPECT_EXIT(start(steps, 1), testing::ExitedWithCode(EMFILE), "^strake: one: Too many open files\n");
}

/* Else an appliance that dies while it takes back what it had begun is gone without a word. */
TEST(Boot, ReasonIsSaidBeforeAnythingIsUndone)
{
	const boot_step steps[] = {{"one", up<'a'>, crashes}, {"two", refuses, nullptr}};

	EXPECT_EXIT(start(steps, 2), testing::KilledBySignal(SIGABRT), "^strake: two: it is not there\n");
}

TEST(Boot, CancelledStartBeginsNoFurtherStepAndIsUndone)
{
	const boot_step steps[] = {
		{"one", up<'a'>, down<'A'>}, {"two", cancels, down<'B'>}, {"three", up<'c'>, down<'C'>}};

	EXPECT_EXIT(start(steps, 3), testing::ExitedWithCode(ECANCELED),
		    "^strake: told to stop before it served \\(three\\)\n\\[aBA\\]$");
}

TEST(Boot, WhatASignalCutShortIsNoFailure)
{
	const boot_step steps[] = {{"one", up<'a'>, down<'A'>}, {"two", interrupted, down<'B'>}};

	EXPECT_EXIT(start(steps, 2), testing::ExitedWithCode(ECANCELED),
		    "^strake: told to stop before it served \\(two\\)\n\\[aA\\]$");
}

} // namespace
