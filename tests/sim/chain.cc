/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "chain.h"

#include <cerrno>
#include <cstring>

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

extern "C" {
#include "conf_key.h"
#include "gcm.h"
#include "strake_chain.h"
#include "strake_space.h"
#include "strake_stage.h"
}

namespace sim
{

int
Chain::add(const char *kind, std::vector<const char *> conf, std::string &why)
{
	const strake_stage_ops *ops = strake_stage_find(kind);
	strake_stage *st = nullptr;
	char err[400] = "";
	int ret = -EINVAL;

	conf.push_back(nullptr);
	values.push_back(conf_values_make(ops->keys, conf.data(), err, sizeof(err)));
	if (values.back() != nullptr)
		ret = strake_stage_create(&st, ops, kind, values.back(), -1, err, sizeof(err));
	if (ret == 0) {
		stages.push_back(st);
		ret = strake_stage_lcore_init(st);
	}
	why = err;
	return ret;
}

/* A file with the key that wraps the others, for as long as the program runs. */
static const char *
key_file()
{
	static std::string path;

	if (path.empty()) {
		int fd = memfd_create("key", MFD_CLOEXEC);

		if (fd >= 0 && fchmod(fd, 0600) == 0 && write(fd, "a key of as many as 32 bytes....", 32) == 32)
			path = "/proc/self/fd/" + std::to_string(fd);
	}
	return path.c_str();
}

int
Chain::keys_up(strake_space *sp, std::string &why)
{
	gcm_notes notes = {};
	char err[400] = "";
	int ret;

	notes.read = [](void *arg, void *data, uint32_t *len) {
		return ((strake_space *)arg)->ops->note_read((strake_space *)arg, 1, data, len);
	};
	notes.write = [](void *arg, const void *data, uint32_t len) {
		return ((strake_space *)arg)->ops->note_write((strake_space *)arg, 1, data, len);
	};
	notes.arg = sp;
	notes.room = sp->note_bytes;
	memcpy(notes.uuid, sp->uuid, sizeof(notes.uuid));
	ret = gcm_open(seal, &notes, err, sizeof(err));
	why = err;
	return ret;
}

int
Chain::up(strake_space *sp, std::string &why)
{
	int ret = packs ? add("compress", {"codec", "lz4"}, why) : 0;

	if (ret < 0 || !sealed)
		return ret;
	ret = add("seal", {"key_file", key_file()}, why);
	seal = ret == 0 ? stages.back() : nullptr;
	return ret == 0 ? keys_up(sp, why) : ret;
}

void
Chain::down()
{
	for (strake_stage *st : stages) {
		strake_stage_lcore_fini(st);
		strake_stage_destroy(st);
	}
	stages.clear();
	seal = nullptr;
	for (conf_values *v : values)
		conf_values_free(v);
	values.clear();
}

} // namespace sim
