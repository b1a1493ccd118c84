/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef LOG_LOAD_H
#define LOG_LOAD_H

/* What log_load's files share: one lcore that is main and owner, its bytes, and a stop-watch. */

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <rte_cycles.h>
#include <rte_memory.h>

extern "C" {
#include "conf_key.h"
#include "strake_chain.h"
#include "strake_drive.h"
#include "strake_kernel.h"
#include "strake_stage.h"
#include "strake_volume.h"
}

constexpr uint32_t kBlock = 4096, kRun = 32768;
/* Bytes written over and over: beyond the second level of the cache. */
constexpr uint64_t kRing = 32u << 20;

/* Bytes that LZ4 makes half of, all blocks different. */
extern uint8_t *ring;
extern unsigned int runs; /* medians are of so many */
extern bool json;

/* Was that part asked for? */
bool wanted(const char *name);
void must(bool ok, const char *what);
void turn();
strake_stage *stage_make(const char *kind, const char *name, std::vector<const char *> pairs);
void stage_free(strake_stage *st);
/* A key file of random bytes; gone at exit. */
const char *key_file();
void row(const std::string &name, double engine, double ours, double ratio);

/* Time of this thread on the processor. */
uint64_t cpu_ns();
/* Bytes a second of something that does @p bytes each time it is called, for @p ms. */
double rate(uint64_t bytes, unsigned int ms, const std::function<void()> &fn);
double median(std::vector<double> v);
/* Engine and ours in turns of @p ms each; prints medians. @return the engine's and ours. */
std::pair<double, double> compare(const std::string &name, uint64_t bytes, unsigned int ms,
				  const std::function<void()> &engine, const std::function<void()> &ours);

/* log_load_stages.cc */
void stages_run();
/* log_load_path.cc */
void path_run();

#endif /* LOG_LOAD_H */
