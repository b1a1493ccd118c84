/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "chain.h"

#include <cerrno>

extern "C" {
#include "conf_key.h"
#include "strake_chain.h"
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

int
Chain::up(std::string &why)
{
	return packs ? add("compress", {"codec", "lz4"}, why) : 0;
}

void
Chain::down()
{
	for (strake_stage *st : stages) {
		strake_stage_lcore_fini(st);
		strake_stage_destroy(st);
	}
	stages.clear();
	for (conf_values *v : values)
		conf_values_free(v);
	values.clear();
}

} // namespace sim
