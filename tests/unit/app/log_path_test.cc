/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* A log volume with all services on drives of memory, its stages on whatever lcores: all of them on this thread. */

#include <array>
#include <functional>
#include <map>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <rte_memory.h>

#include "tests/unit/stages/crypto/crypto_fixture.h"
#include "tests/unit/stages/crypto/fake_notes.h"

extern "C" {
#include "conf.h"
#include "conf_key.h"
#include "dedup.h"
#include "gcm.h"
#include "log_group.h"
#include "store_log.h"
#include "strake_chain.h"
#include "strake_drive.h"
#include "strake_volume.h"
}

namespace
{

using bytes = std::vector<uint8_t>;

constexpr uint16_t kLcores = 5, kOwner = 1, kFront = 2;
constexpr uint32_t kBlock = 4096, kUnit = 16384;

/* Lcores of dedup, compress and seal; -1: with the store. */
struct Placement {
	const char *name, *hash;
	int dedup, compress, seal;
};

class World
{
      public:
	static constexpr unsigned int kDrives = 4;
	uint64_t now = 1000;
	strake_drive *drive[kDrives] = {};
	log_group *group = nullptr;
	store *st = nullptr;
	strake_volume *vol = nullptr;
	strake_stage *dedup = nullptr, *compress = nullptr, *seal = nullptr;
	unsigned int open_reqs = 0;

	explicit World(const Placement &p) : file(std::string(32, 'w'))
	{
		strake_lcore_conf lc = {STRAKE_IDLE_SPIN, 0, SOCKET_ID_ANY};
		strake_buf_conf bufs = {16384, 64u << 20, SOCKET_ID_ANY};
		strake_pipeline_conf pipe = {256, 512, 16, SOCKET_ID_ANY, nullptr};

		self() = this;
		for (uint16_t l = 0; l < kLcores; l++)
			EXPECT_EQ(0, strake_lcore_create(l, &lc));
		EXPECT_EQ(0, strake_buf_init(&bufs));
		EXPECT_EQ(0, strake_pipeline_init(&pipe));
		everywhere([] { EXPECT_EQ(0, strake_pipeline_lcore_init()); });
		turn();
		drives_up();
		store_up();
		volume_up(p);
	}

	~World()
	{
		everywhere([this] { log_lcore_fini(vol); });
		log_destroy(vol);
		for (strake_stage *s : {dedup, compress, seal}) {
			everywhere([s] { strake_stage_lcore_fini(s); });
			strake_stage_destroy(s);
		}
		EXPECT_EQ(0, store_close(st, false));
		for (int i = 0; i < 100; i++)
			turn();
		on(kOwner, [this] { log_group_lcore_fini(group); });
		turn();
		log_group_close(group);
		for (strake_drive *d : drive) {
			everywhere([d] { strake_drive_lcore_fini(d); });
			strake_drive_close(d);
		}
		everywhere([] { strake_pipeline_lcore_fini(); });
		strake_pipeline_fini();
		strake_buf_fini();
		strake_lcore_enter(UINT16_MAX);
		for (uint16_t l = 0; l < kLcores; l++)
			strake_lcore_destroy(l);
	}

	void
	on(uint16_t lcore, const std::function<void()> &fn)
	{
		strake_lcore_enter(lcore);
		fn();
		strake_lcore_enter(0);
	}
	void
	everywhere(const std::function<void()> &fn)
	{
		for (uint16_t l = 0; l < kLcores; l++)
			on(l, fn);
	}
	void
	turn(uint16_t first = 0)
	{
		now += 20000;
		for (uint16_t l = first; l < kLcores; l++)
			on(l, [this] { strake_lcore_turn(now); });
	}

	/* Requests begin on an lcore that is not the store's. */
	void
	submit(uint8_t op, uint64_t lba, uint32_t n, const bytes &data, std::function<void(strake_unit *)> then,
	       uint16_t flags = 0)
	{
		auto *end = new std::function<void(strake_unit *)>(std::move(then));

		open_reqs++;
		on(kFront, [&] {
			strake_req *req = strake_req_alloc(false);

			ASSERT_NE(nullptr, req);
			req->vol = vol;
			req->u.op = op;
			req->u.lba = lba;
			req->u.nlb = n;
			req->u.flags |= flags;
			req->u.nbytes = n * kBlock;
			for (size_t off = 0; off < data.size();) {
				uint32_t len = (uint32_t)std::min<size_t>(data.size() - off, 65536);
				strake_buf *b = strake_buf_page(len);

				ASSERT_NE(nullptr, b);
				memcpy(b->addr, &data[off], len);
				strake_unit_append(&req->u, b);
				off += len;
			}
			req->u.arg = end;
			req->u.done = [](strake_unit *u) {
				auto *fn = (std::function<void(strake_unit *)> *)u->arg;

				EXPECT_EQ(kFront, strake_self_index());
				(*fn)(u);
				delete fn;
				self()->open_reqs--;
				strake_req_free(strake_req_of(u));
			};
			strake_req_submit(&req, 1);
		});
	}
	void
	drain()
	{
		for (int i = 0; i < 200000 && open_reqs > 0; i++)
			turn();
		ASSERT_EQ(0u, open_reqs) << "it hangs";
	}
	int
	write(uint64_t lba, const bytes &data, uint16_t flags = 0)
	{
		int status = 1;

		submit(
			STRAKE_OP_WRITE, lba, (uint32_t)(data.size() / kBlock), data,
			[&](strake_unit *u) { status = u->status; }, flags);
		drain();
		return status;
	}
	bytes
	read(uint64_t lba, uint32_t n)
	{
		bytes out((size_t)n * kBlock);
		int status = 1;

		submit(STRAKE_OP_READ, lba, n, {}, [&](strake_unit *u) {
			status = u->status;
			if (status == 0)
				status = strake_buf_copy_out(u->bufs, 0, out.data(), (uint32_t)out.size());
		});
		drain();
		EXPECT_EQ(0, status) << "block " << lba;
		return out;
	}
	/* Bytes that all drives were given to write. */
	uint64_t
	written() const
	{
		uint64_t sum = 0;

		for (strake_drive *d : drive)
			for (uint16_t l = 0; l < kLcores; l++)
				sum += d->stats[l] != nullptr ? d->stats[l]->bytes[STRAKE_IO_WRITE] : 0;
		return sum;
	}

      private:
	TempFile file;
	FakeNotes keys;

	static World *&
	self()
	{
		static World *w;

		return w;
	}
	/* Main waits for the owner: the others go on meanwhile. */
	static uint64_t
	clock()
	{
		self()->turn(1);
		return self()->now;
	}
	void
	drives_up()
	{
		const char *pairs[] = {"size", "24MiB", "block_size", "4096", nullptr};
		char err[300] = "";

		for (unsigned int i = 0; i < kDrives; i++) {
			conf_values *v = conf_values_make(strake_drive_find("mem")->keys, pairs, err, sizeof(err));

			ASSERT_EQ(0, strake_drive_open(&drive[i], ("m" + std::to_string(i)).c_str(), "mem", v, err,
						       sizeof(err)))
				<< err;
			conf_values_free(v);
			everywhere([&] { EXPECT_EQ(0, strake_drive_lcore_init(drive[i])); });
		}
	}
	void
	store_up()
	{
		conf_group conf = {};
		store_conf sc = {};
		char err[300] = "";

		conf.name = "g";
		conf.style = CONF_STYLE_LOG;
		conf.n_drives = kDrives;
		conf.data = 3;
		conf.parity = 1;
		conf.unit = kUnit;
		conf.segment = 262144;
		conf.create = true;
		ASSERT_EQ(0, log_group_open(&group, &conf, drive, kDrives, kOwner, err, sizeof(err))) << err;
		on(kOwner, [this] { ASSERT_EQ(0, log_group_lcore_init(group)); });
		sc.name = "s";
		sc.space = log_group_space(group);
		sc.clock = clock;
		ASSERT_EQ(0, store_open(&st, &sc, err, sizeof(err))) << err;
	}
	strake_stage *
	stage(const char *kind, int lcore, std::vector<const char *> pairs)
	{
		strake_stage *s = nullptr;
		char err[300] = "";

		pairs.push_back(nullptr);
		conf_values *v = conf_values_make(strake_stage_find(kind)->keys, pairs.data(), err, sizeof(err));
		EXPECT_EQ(0, strake_stage_create(&s, strake_stage_find(kind), kind, v, lcore, err, sizeof(err))) << err;
		conf_values_free(v);
		return s;
	}
	void
	volume_up(const Placement &p)
	{
		gcm_notes notes = keys.ops();
		log_conf conf = {};
		char err[300] = "";

		dedup = stage("dedup", p.dedup, {"fingerprint", p.hash});
		compress = stage("compress", p.compress, {"codec", "lz4"});
		seal = stage("seal", p.seal, {"key_file", file.path.c_str()});
		ASSERT_EQ(0, dedup_attach(dedup, log_group_space(group)->uuid, kOwner, err, sizeof(err))) << err;
		ASSERT_EQ(0, gcm_open(seal, &notes, err, sizeof(err))) << err;
		ASSERT_EQ(0, gcm_domain_add(seal, 9));
		for (strake_stage *s : {dedup, compress, seal})
			everywhere([s] { EXPECT_EQ(0, strake_stage_lcore_init(s)); });
		strake_stage *chunk[] = {compress, seal};
		conf.name = "v";
		conf.store = st;
		conf.bytes = 64u << 20;
		conf.lba_shift = 12;
		conf.slab_shift = 47;
		conf.domain = 9;
		conf.req_stages = &dedup;
		conf.n_req_stages = 1;
		conf.chunk_stages = chunk;
		conf.n_chunk_stages = 2;
		ASSERT_EQ(0, log_create(&vol, &conf, err, sizeof(err))) << err;
		everywhere([this] { EXPECT_EQ(0, log_lcore_init(vol)); });
	}
};

/* Half of a block repeats, so that it shrinks. */
void
fill(uint8_t *to, uint64_t what)
{
	std::mt19937_64 rng(what);

	for (uint32_t i = 0; i < kBlock; i += 8) {
		uint64_t v = rng();

		if (i >= 64 && i % 64 >= 32)
			memcpy(to + i, to + i - 64, 8);
		else
			memcpy(to + i, &v, 8);
	}
}

/* What a run of the same requests leaves behind. */
struct Outcome {
	bytes image;
	uint64_t hits, zeroes, plain, stored;

	void
	expect_same(const Outcome &o, const char *name) const
	{
		EXPECT_TRUE(image == o.image) << name;
		EXPECT_EQ(zeroes, o.zeroes) << name;
		/* A block whose only likeness is overwritten by the same request is shared where it comes first. */
		EXPECT_EQ(hits + plain / kBlock, o.hits + o.plain / kBlock) << name;
		EXPECT_NEAR((double)hits, (double)o.hits, (double)hits / 50) << name;
	}
};

Outcome
run(const Placement &p)
{
	constexpr uint32_t kBlocks = 600;
	World w(p);
	std::mt19937_64 rng(5);
	Outcome out;
	bytes model(kBlocks * kBlock);
	struct store_usage u;

	for (unsigned int i = 0; i < 150; i++) {
		uint32_t n = 1 + rng() % 24;
		uint64_t lba = rng() % (kBlocks - n);
		bytes data((size_t)n * kBlock);

		for (uint32_t b = 0; b < n; b++)
			if (rng() % 8 != 0)
				fill(&data[b * kBlock], rng() % 120);
		EXPECT_EQ(0, w.write(lba, data, i % 10 == 0 ? STRAKE_UNIT_FUA : 0)) << p.name;
		std::copy(data.begin(), data.end(), &model[lba * kBlock]);
	}
	/* And many at once, in places apart. */
	for (uint32_t b = 0; b < kBlocks; b += 20) {
		bytes data(8 * kBlock);

		for (uint32_t i = 0; i < 8; i++)
			fill(&data[i * kBlock], 1000 + b + i);
		w.submit(STRAKE_OP_WRITE, b, 8, data, [](strake_unit *r) { EXPECT_EQ(0, r->status); });
		std::copy(data.begin(), data.end(), &model[b * kBlock]);
	}
	w.drain();
	for (uint32_t b = 0; b < kBlocks; b += 30) {
		bytes got = w.read(b, 30);

		out.image.insert(out.image.end(), got.begin(), got.end());
	}
	EXPECT_EQ(model, out.image) << p.name;
	::store_usage(w.st, &u);
	out.hits = u.hit_blocks;
	out.zeroes = u.zero_blocks;
	out.plain = u.plain_bytes;
	out.stored = u.stored_bytes;
	EXPECT_GT(out.hits, 0u);
	EXPECT_GT(out.zeroes, 0u);
	EXPECT_LT(out.stored, out.plain);
	return out;
}

TEST(LogPath, StagesOnLcoresOfTheirOwnGiveTheSame)
{
	const Placement places[] = {
		{"dedup apart", "sha256", 2, -1, -1},	     {"compress apart", "sha256", -1, 3, -1},
		{"seal apart", "sha256", -1, -1, 4},	     {"all apart", "sha256", 2, 3, 4},
		{"two with one another", "sha256", 3, 4, 4},
	};
	const Outcome base = run({"inline", "sha256", -1, -1, -1});

	for (const Placement &p : places)
		run(p).expect_same(base, p.name);
}

TEST(LogPath, ComparedBytesTravelTheSameWay)
{
	run({"all apart", "fast", 2, 3, 4}).expect_same(run({"inline", "fast", -1, -1, -1}), "fast");
}

/* A change of keys travels to the lcore that seals, and sealing anew from the store's there and back, beside hosts on
 * another. */
TEST(LogPath, AllIsSealedAnewWhereverItIsSealed)
{
	constexpr uint32_t kBlocks = 1200;

	for (const Placement &p : {Placement{"inline", "sha256", -1, -1, -1}, {"all apart", "sha256", 2, 3, 4}}) {
		SCOPED_TRACE(p.name);
		World w(p);
		std::mt19937_64 rng(11);
		bytes model(kBlocks * kBlock);
		struct store_reseal_status s;
		const struct store_seals *seals;
		auto put = [&] {
			uint64_t lba = rng() % (kBlocks / 8) * 8;

			for (uint32_t b = 0; b < 8; b++)
				fill(&model[(lba + b) * kBlock], rng());
			ASSERT_EQ(0, w.write(lba, bytes(&model[lba * kBlock], &model[lba * kBlock] + 8 * kBlock)));
		};
		auto expect_all = [&] {
			bytes got;

			for (uint32_t b = 0; b < kBlocks; b += 60) {
				bytes piece = w.read(b, 60);

				got.insert(got.end(), piece.begin(), piece.end());
			}
			EXPECT_TRUE(model == got);
		};

		for (int i = 0; i < 150; i++)
			put();
		ASSERT_EQ(2, gcm_domain_rotate(w.seal, 9));
		struct store_reseal_target t = {9, 2};

		store_reseal_begin(w.st, &t, 1);
		store_reseal_get(w.st, &s);
		for (int i = 0; i < 20000 && s.state == STORE_RESEAL_GOES_ON; i++) {
			if (i % 50 == 0 && i < 1000)
				put();
			w.turn();
			store_reseal_get(w.st, &s);
		}
		ASSERT_EQ(STORE_RESEAL_ENDED, s.state);
		EXPECT_GT(s.chunks, 20u);
		EXPECT_EQ(0u, s.damaged + s.unopened + s.unread + s.left);
		ASSERT_EQ(0, store_seals_begin(w.st));
		for (int i = 0; i < 20000 && store_seals_result(w.st, &seals) == -EINPROGRESS; i++)
			w.turn();
		ASSERT_EQ(0, store_seals_result(w.st, &seals));
		ASSERT_EQ(1u, seals->n_domains);
		EXPECT_EQ(2u, seals->domain[0].oldest);
		store_seals_end(w.st);
		EXPECT_EQ(1, gcm_epoch_oldest_in_use(w.seal, 9, 2)) << "the older key is destroyed";
		expect_all();
		put();
		expect_all();
	}
}

/* A small synchronous write costs at most 8 KiB on each of the m + 1 drives that keep it before it is acknowledged;
 * rows that are full go their own way. */
TEST(LogPath, ASmallDurableWriteCostsLittle)
{
	World w({"inline", "sha256", -1, -1, -1});
	bytes data(kBlock);
	std::mt19937_64 rng(3);

	for (unsigned int i = 0; i < 40; i++) {
		struct log_group_status was, is;
		uint64_t before;

		for (auto &b : data)
			b = (uint8_t)rng(); /* does not shrink */
		for (int t = 0; t < 50; t++)
			w.turn();
		before = w.written();
		::log_group_status(w.group, &was);
		ASSERT_EQ(0, w.write(i * 7, data, STRAKE_UNIT_FUA));
		::log_group_status(w.group, &is);
		EXPECT_LE(is.rows, was.rows + 1) << "write " << i;
		before += (is.rows - was.rows) * World::kDrives * kUnit;
		EXPECT_LE(w.written() - before, 2u * 8192) << "write " << i;
		EXPECT_GE(w.written() - before, is.rows == was.rows ? 2u * 4096 : 0) << "write " << i;
	}
}

} // namespace
