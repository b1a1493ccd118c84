/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef FAKE_NOTES_H
#define FAKE_NOTES_H

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <functional>
#include <utility>
#include <vector>

extern "C" {
#include "gcm.h"
}

/* The note of a group: two copies, written in turn, as on a drive. */
struct FakeNotes {
	std::vector<uint8_t> copy[2];
	unsigned int newest = 0;
	int fail_write = 0, fail_read = 0;
	unsigned int writes = 0;
	uint32_t room = 1 << 20;
	uint8_t uuid = 0x31;
	std::function<void()> meanwhile; /* what main does in the turns that it takes while the next one is written */

	static int
	read(void *arg, void *data, uint32_t *len)
	{
		FakeNotes *n = (FakeNotes *)arg;
		std::vector<uint8_t> &v = n->copy[n->newest];

		if (n->fail_read != 0)
			return n->fail_read;
		*len = (uint32_t)std::min((size_t)*len, v.size());
		std::copy_n(v.begin(), *len, (uint8_t *)data);
		return 0;
	}
	static int
	write(void *arg, const void *data, uint32_t len)
	{
		FakeNotes *n = (FakeNotes *)arg;

		std::function<void()> turn = std::exchange(n->meanwhile, nullptr);

		if (turn)
			turn();
		if (n->fail_write != 0)
			return n->fail_write;
		n->newest ^= 1;
		n->copy[n->newest].assign((const uint8_t *)data, (const uint8_t *)data + len);
		n->writes++;
		return 0;
	}
	gcm_notes
	ops()
	{
		gcm_notes o = {read, write, this, room, {}};

		memset(o.uuid, uuid, sizeof(o.uuid));
		return o;
	}
};

#endif /* FAKE_NOTES_H */
