/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "world.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <malloc.h>
#include <rte_log.h>
#include <rte_memory.h>

extern "C" {
#include "gcm.h"
#include "stages/stripe/log_super_format.h"
}

namespace sim
{

namespace
{

/* Later than any real clock: what waits by that one then stands still, and the simulation does not see it. */
constexpr uint64_t kEpoch = 1ull << 60;
constexpr uint64_t kTurn = 20000;
constexpr uint64_t kHang = 3000000; /* turns of one process */
constexpr uint64_t kApart = 3 * MAP_FANOUT + 8;

World *alive;
uint64_t turns;
strake_poller watchdog;

uint32_t
watch(strake_poller *, uint64_t)
{
	if (++turns > kHang) {
		fprintf(stderr, "seed %lu: waits for ever\n", alive->conf.seed);
		alive->dump();
		abort();
	}
	if (alive->each_turn)
		alive->each_turn();
	return 0;
}

void
must(bool ok, const char *what)
{
	if (!ok) {
		fprintf(stderr, "seed %lu: %s\n", alive->conf.seed, what);
		abort();
	}
}

void
process_up(uint64_t now)
{
	strake_lcore_conf lc = {STRAKE_IDLE_SPIN, 0, SOCKET_ID_ANY};
	strake_buf_conf bufs = {4096, 24u << 20, SOCKET_ID_ANY};
	strake_pipeline_conf pipe = {128, 256, 16, SOCKET_ID_ANY};

	must(strake_lcore_create(0, &lc) == 0, "no lcore");
	strake_lcore_enter(0);
	must(strake_buf_init(&bufs) == 0, "no buffers");
	must(strake_pipeline_init(&pipe) == 0 && strake_pipeline_lcore_init() == 0, "no pipeline");
	turns = 0;
	watchdog.name = "watchdog";
	watchdog.poll = watch;
	watchdog.fd = -2;
	strake_poller_add(&watchdog);
	strake_lcore_turn(now);
}

void
process_down()
{
	strake_poller_del(&watchdog);
	strake_pipeline_lcore_fini();
	strake_pipeline_fini();
	strake_buf_fini();
	strake_lcore_enter(UINT16_MAX);
	strake_lcore_destroy(0);
}

/* What a process had it has given back, however it ended. */
void
pools_check()
{
	struct strake_buf_usage u;

	strake_buf_usage(&u);
	must(u.descriptors_free == u.descriptors, "buffers are lost");
}

} // namespace

World::World(const WorldConf &c) : conf(c), chain(c.packs, c.domains > 0), now(kEpoch)
{
	unsigned n = c.data + c.parity + c.spare;
	power_conf pc = {};

	alive = this;
	/* Pages of drives come and go: they need not be the kernel's each time. */
	mallopt(M_TRIM_THRESHOLD, 256 << 20);
	mallopt(M_MMAP_THRESHOLD, 512 << 10);
	rte_log_set_global_level(RTE_LOG_CRIT);
	ps = power_supply_new(c.seed);
	pc.bytes = c.drive_bytes;
	pc.delay_turns = c.delay_turns;
	pc.write_through = c.write_through;
	for (unsigned i = 0; i < n; i++) {
		std::string serial = "S" + std::to_string(i);

		pc.serial = serial.c_str();
		disks.push_back(power_disk_new(ps, &pc));
	}
	drive.resize(n);
	process_up(now);
}

World::~World()
{
	if (g != nullptr)
		crash();
	for (power_disk *d : disks)
		power_disk_free(d);
	power_supply_free(ps);
	process_down();
}

struct log_group_status
World::group() const
{
	struct log_group_status s;

	::log_group_status(g, &s);
	return s;
}

void
World::erase(unsigned i)
{
	const bytes zeroes(1u << 20);

	power_disk_poke(disks[i], 0, zeroes.data(), zeroes.size());
	power_disk_poke(disks[i], conf.drive_bytes - zeroes.size(), zeroes.data(), zeroes.size());
}

/* Intents take a 64th of a drive. */
uint64_t
World::data_off() const
{
	return lgroup_super_data_off(std::max(262144u, (uint32_t)(conf.drive_bytes / 64) & ~4095u));
}

uint64_t
World::used_bytes() const
{
	const uint64_t column = (uint64_t)conf.unit * conf.rows;

	return conf.large.parts > 1 ? conf.large.count() * column : conf.drive_bytes - data_off();
}

/* Columns lie in the order of their segments: each has one on each drive. */
uint64_t
World::used_off(uint64_t n) const
{
	const uint64_t column = (uint64_t)conf.unit * conf.rows;

	if (conf.large.parts > 1)
		n = conf.large.nth((uint32_t)(n / column)) * column + n % column;
	return data_off() + n;
}

int
World::grow()
{
	strake_drive *d = drive.back();
	char err[400] = "";
	int ret = log_group_spare_remove(g, d);

	if (ret == 0)
		ret = log_group_drive_add(g, d, err, sizeof(err));
	why = err;
	return ret;
}

void
World::lie(unsigned liars, uint32_t kinds, bool all)
{
	const uint64_t data = data_off(), from = all ? 0 : data;

	for (unsigned i = 0; i < liars; i++) {
		power_lies l = {conf.seed + i, 12, from, from, data, 4, kinds};

		power_disk_lies(disks[(conf.seed + i) % drives()], &l);
	}
}

uint64_t
World::lies() const
{
	uint64_t sum = 0;

	for (const power_disk *d : disks) {
		power_figures f;

		power_disk_figures(d, &f);
		for (uint64_t n : f.lies)
			sum += n;
	}
	return sum;
}

/* --- a process ---------------------------------------------------------------------------------------------------- */

int
World::boot(uint32_t mask)
{
	std::vector<strake_drive *> list;
	conf_group gc = {};
	std::string name = "d" + std::to_string(drives() - 1);
	conf_drive last = {}, *spares[] = {&last};
	char err[400] = "";
	int ret;

	turns = 0;
	for (unsigned i = 0; i < drives(); i++) {
		std::string name = "d" + std::to_string(i);

		must(power_drive_open(&drive[i], name.c_str(), disks[i]) == 0, "no drive");
		must(strake_drive_lcore_init(drive[i]) == 0, "no drive on the lcore");
		if (mask >> i & 1)
			list.push_back(drive[i]);
	}
	gc.name = "g0";
	gc.style = CONF_STYLE_LOG;
	gc.data = conf.data;
	gc.parity = conf.parity;
	gc.unit = conf.unit;
	gc.segment = conf.unit * conf.rows;
	gc.create = true;
	gc.n_drives = drives() - conf.spare;
	last.name = name.c_str();
	gc.spares = spares;
	gc.n_spares = conf.spare;
	ret = log_group_open(&g, &gc, list.data(), (unsigned)list.size(), 0, err, sizeof(err));
	if (ret < 0)
		g = nullptr;
	else
		must(log_group_lcore_init(g) == 0, "no group on the lcore");
	why = err;
	must(ret < 0 || lgroup_super_data_off(log_group_space(g)->intent_bytes) == data_off(),
	     "segments lie elsewhere");
	if (ret == 0)
		ret = chain.up(log_group_space(g), why);
	if (ret == 0)
		ret = store_up();
	if (ret < 0 && st == nullptr) {
		chain.down();
		group_down();
	}
	return ret;
}

int
World::store_up()
{
	store_conf sc = {};
	char err[400] = "";
	int ret;

	sc.name = "s0";
	sc.space = log_group_space(g);
	sc.map_bytes = MAP_BYTES_MIN;
	sc.checkpoint_bytes = conf.checkpoint_bytes;
	sc.row_age = conf.row_age;
	sc.jobs = 64;
	sc.clock = clock;
	ret = store_open(&st, &sc, err, sizeof(err));
	if (ret < 0)
		st = nullptr;
	why = err;
	if (ret == 0 && conf.large.parts > 1) {
		while (st->ckpt.state != STORE_CKPT_IDLE)
			turn();
		conf.large.rest(st, !opened);
	}
	opened = opened || ret == 0;
	for (unsigned i = 0; ret == 0 && i < kVolumes; i++)
		ret = volume_up(i);
	return ret;
}

int
World::volume_up(unsigned at)
{
	std::string name = "v" + std::to_string(at);
	uint8_t uuid[16] = {(uint8_t)(7 + at)};
	char err[400] = "";
	store_volume d;
	log_conf lv = {};
	int ret;

	lv.name = name.c_str();
	lv.store = st;
	lv.bytes = (lba(kBlocks - 1) + 1) * 4096;
	lv.lba_shift = 12;
	lv.slab_shift = 47;
	lv.uuid = uuid;
	lv.domain = domain(at);
	lv.chunk_stages = chain.stages.data();
	lv.n_chunk_stages = (unsigned)chain.stages.size();
	if (store_volume_get(st, lv.name, &d) == 0) {
		lv.bytes = d.bytes;
	} else if (conf.lively) {
		last_born++;
		memcpy(uuid + 1, &last_born, sizeof(last_born));
	}
	ret = chain.seal != nullptr ? gcm_domain_add(chain.seal, lv.domain) : 0;
	if (ret == 0)
		ret = log_create(&vol[at], &lv, err, sizeof(err));
	if (ret < 0)
		vol[at] = nullptr;
	else
		must(log_lcore_init(vol[at]) == 0, "no volume on the lcore");
	why = err;
	return ret;
}

void
World::volume_down(unsigned at)
{
	log_lcore_fini(vol[at]);
	log_destroy(vol[at]);
	vol[at] = nullptr;
}

int
World::volume_resize(unsigned at, uint32_t n)
{
	return log_resize(vol[at], (lba(n - 1) + 1) * 4096);
}

uint32_t
World::domain(unsigned at) const
{
	return conf.domains > 1 ? 1 + at : conf.domains;
}

/* In its volume. */
uint64_t
World::lba(uint32_t block) const
{
	uint32_t b = block % kBlocks;

	return conf.together == 0 ? b : b / conf.together * kApart + b % conf.together;
}

uint32_t
World::born(unsigned at) const
{
	uint32_t n;

	memcpy(&n, vol[at]->uuid + 1, sizeof(n));
	return n;
}

uint32_t
World::blocks(unsigned at) const
{
	uint64_t last = vol[at]->nlb - 1;

	return 1 + (uint32_t)(conf.together == 0 ? last : last / kApart * conf.together + last % kApart);
}

/* The store's own work is in no stage any more. */
void
World::let_go()
{
	for (strake_volume *v : vol) {
		while (v != nullptr && !log_lcore_drain(v))
			turn();
	}
}

/* Nothing is under way any more, whatever became of it. */
void
World::settle()
{
	while ((st != nullptr && st->io_under_way > 0) || !log_group_drained(g))
		turn();
	for (unsigned i = 0; i < 8; i++)
		turn();
	while ((st != nullptr && st->io_under_way > 0) || !log_group_drained(g))
		turn();
}

void
World::group_down()
{
	if (g != nullptr) {
		settle();
		log_group_lcore_fini(g);
		log_group_close(g);
	}
	g = nullptr;
	for (unsigned i = 0; i < drives(); i++) {
		strake_drive_lcore_fini(drive[i]);
		strake_drive_close(drive[i]);
	}
	pools_check();
}

/* @return of store_close(). */
int
World::store_down(bool abandon)
{
	int ret;

	for (unsigned i = 0; i < kVolumes; i++) {
		if (vol[i] != nullptr)
			volume_down(i);
	}
	chain.down();
	if (st == nullptr)
		return 0;
	strake_stage_lcore_fini(store_stage(st));
	ret = store_close(st, abandon);
	st = nullptr;
	return ret;
}

void
World::crash()
{
	power_cut(ps);
	if (g != nullptr) {
		/* It would find out by its next write, and until then read for ever. */
		if (st != nullptr)
			store_fail(st, -EIO);
		must(drain(), "requests hang without power");
		let_go();
		settle();
		store_down(true);
		group_down();
	}
	power_restore(ps);
	power_cut_at(ps, 0);
}

int
World::stop()
{
	int ret;

	while (!strake_pipeline_lcore_drain())
		turn();
	let_go();
	ret = store_down(false);
	group_down();
	return ret;
}

/* --- time --------------------------------------------------------------------------------------------------------- */

uint64_t
World::clock()
{
	return alive->now += kTurn;
}

void
World::turn()
{
	now += kTurn;
	strake_lcore_turn(now);
}

bool
World::drain(unsigned n)
{
	for (unsigned i = 0; i < n && open_reqs > 0; i++)
		turn();
	return open_reqs == 0;
}

/* --- requests ----------------------------------------------------------------------------------------------------- */

void
World::over(strake_unit *u)
{
	Request *r = (Request *)u->arg;

	r->status = u->status;
	if (u->op == STRAKE_OP_READ && u->status == 0) {
		r->data.resize(u->nbytes);
		must(strake_buf_copy_out(u->bufs, 0, r->data.data(), u->nbytes) == 0, "a read is short");
	}
	r->done = true;
	alive->open_reqs--;
	strake_req_free(strake_req_of(u));
	if (r->then)
		r->then();
}

void
World::submit(Request &r, uint8_t op, uint32_t block, uint32_t n, const bytes &payload, uint16_t flags, bool advise)
{
	strake_req *req = strake_req_alloc(false);

	must(req != nullptr, "no request is left");
	r.done = false;
	req->vol = vol[block / kBlocks];
	req->u.op = op;
	req->u.lba = op == STRAKE_OP_FLUSH ? 0 : lba(block);
	req->u.nlb = n;
	req->u.flags |= flags;
	req->u.nbytes = op == STRAKE_OP_READ ? n * 4096 : (uint32_t)payload.size();
	for (size_t off = 0; off < payload.size();) {
		uint32_t part = (uint32_t)std::min<size_t>(payload.size() - off, off == 0 ? 5000 : 60000);
		strake_buf *b = strake_buf_page(part);

		must(b != nullptr, "no buffer is left");
		memcpy(b->addr, &payload[off], part);
		strake_unit_append(&req->u, b);
		off += part;
	}
	if (advise)
		req->advice = &r.advice;
	req->u.arg = &r;
	req->u.done = over;
	open_reqs++;
	strake_req_submit(&req, 1);
}

void
stamp(uint8_t *to, uint64_t s)
{
	if (s == 0) {
		memset(to, 0, 4096);
		return;
	}
	uint64_t words = s & kLoose ? 4096 / 64 * (4 + s % 4) : 4096 / 8;

	memset(to + words * 8, 0, 4096 - words * 8);
	for (uint64_t i = 0; i < words; i++) {
		uint64_t v = s + i * (s | 1) * 0xbf58476d1ce4e5b9ull;

		memcpy(to + i * 8, &v, 8);
	}
}

uint64_t
stamp_of(const uint8_t *at)
{
	uint8_t want[4096];
	uint64_t s;

	memcpy(&s, at, 8);
	stamp(want, s);
	return memcmp(want, at, 4096) == 0 ? s : UINT64_MAX;
}

} // namespace sim
