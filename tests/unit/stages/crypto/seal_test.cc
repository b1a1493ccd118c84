/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <functional>
#include <memory>
#include <set>
#include <tuple>

#include "crypto_fixture.h"
#include "fake_notes.h"
#include "tests/unit/stages/compress/chunk_world.h"

extern "C" {
#include "stages/crypto/gcm_stage.h"
}

namespace
{

/* Stands between the lane and its device. */
struct BadCipher {
	uint16_t (*enqueue)(uint8_t, uint16_t, rte_crypto_op **, uint16_t);
	uint16_t (*dequeue)(uint8_t, uint16_t, rte_crypto_op **, uint16_t);
	std::vector<rte_crypto_op *> inside;
	size_t room = SIZE_MAX, give = SIZE_MAX;
	unsigned int fail = 0;
} bad;

uint16_t
bad_enqueue(uint8_t dev, uint16_t qp, rte_crypto_op **ops, uint16_t n)
{
	uint16_t took = 0;

	for (; took < n && bad.inside.size() < bad.room; took++) {
		rte_crypto_op *back;

		EXPECT_EQ(1, bad.enqueue(dev, qp, &ops[took], 1));
		EXPECT_EQ(1, bad.dequeue(dev, qp, &back, 1));
		if (bad.fail > 0) {
			bad.fail--;
			back->status = RTE_CRYPTO_OP_STATUS_ERROR;
		}
		bad.inside.push_back(back);
	}
	return took;
}

uint16_t
bad_dequeue(uint8_t dev, uint16_t qp, rte_crypto_op **ops, uint16_t n)
{
	uint16_t gave = 0;

	/* The last first. */
	for (; gave < n && gave < bad.give && !bad.inside.empty(); gave++) {
		ops[gave] = bad.inside.back();
		bad.inside.pop_back();
	}
	return gave;
}

class Seal : public ChunkWorld, public testing::WithParamInterface<const char *>
{
      protected:
	void
	SetUp() override
	{
		std::string kek(32, '\0');

		for (int i = 0; i < 32; i++)
			kek[i] = (char)(180 + i);
		file.reset(new TempFile(kek));
		start(2);
	}
	virtual const char *
	device()
	{
		return GetParam();
	}
	void
	up(int lcore = -1, const char *queue = "128")
	{
		strake_lcore_enter(0);
		make_sink();
		st = make("seal", "g0.seal", {"key_file", file->path.c_str(), "device", device(), "queue", queue},
			  lcore);
		ASSERT_NE(nullptr, st);
		gcm_notes ops = notes.ops();
		ASSERT_EQ(0, gcm_open(st, &ops, error, sizeof(error))) << error;
		ASSERT_EQ(0, gcm_domain_add(st, kDomain));
		chain_up({st});
	}
	void
	reopen()
	{
		chain_down();
		up();
	}
	struct gcm_stats
	stats()
	{
		struct gcm_stats s;

		gcm_stats(st, &s);
		return s;
	}
	gcm_lcore *
	lc(unsigned int lcore = 1)
	{
		return (gcm_lcore *)st->lc[lcore];
	}
	void
	make_bad()
	{
		bad = BadCipher();
		bad.enqueue = lc()->lane.enqueue;
		bad.dequeue = lc()->lane.dequeue;
		lc()->lane.enqueue = bad_enqueue;
		lc()->lane.dequeue = bad_dequeue;
	}
	/** As compress leaves them: stored bytes of any length. */
	int
	write_stored(uint64_t lba, const std::vector<uint8_t> &bytes, size_t piece = 1 << 20,
		     uint8_t flags = STRAKE_BUF_STABLE)
	{
		Chunk c;

		begin_stored(&c, lba, bytes, piece, flags);
		turn(4);
		return end(&c);
	}
	void
	begin_stored(Chunk *c, uint64_t lba, const std::vector<uint8_t> &bytes, size_t piece = 1 << 20,
		     uint8_t flags = STRAKE_BUF_STABLE)
	{
		fill(c, STRAKE_OP_WRITE, lba, (uint8_t)((bytes.size() + 4095) / 4096));
		c->bytes = bytes;
		c->c->seal.stored = (uint32_t)bytes.size();
		c->c->seal.codec = bytes.size() % 4096 ? STRAKE_CODEC_LZ4 : STRAKE_CODEC_NONE;
		c->c->u.nbytes = (uint32_t)bytes.size();
		c->c->u.bufs = pieces(c->bytes, piece, flags);
		strake_lcore_enter(1);
		begin(c);
	}
	int
	read_back(uint64_t lba, std::vector<uint8_t> *out)
	{
		Chunk c;

		fill(&c, STRAKE_OP_READ, lba, 1);
		strake_lcore_enter(1);
		begin(&c);
		turn(4);
		return end(&c, out);
	}

	std::unique_ptr<TempFile> file;
	FakeNotes notes;
	strake_stage *st = nullptr;
};

/* One device is enough for what does not depend on it. */
class SealOnce : public Seal
{
      protected:
	const char *
	device() override
	{
		return "crypto_aesni_gcm";
	}
};

} // namespace

TEST_P(Seal, RoundTripsOfAllSizesInPieces)
{
	up();
	for (uint32_t len :
	     {1u, 63u, 64u, 100u, 4000u, 4096u, 5000u, 8192u, 12288u, 16384u, 20480u, 24576u, 28672u, 32700u, 32768u})
		for (size_t piece : {32768u, 4096u, 5000u, 1460u, 777u}) {
			std::vector<uint8_t> data = bytes(len, len + (unsigned)piece, 1), back;

			ASSERT_EQ(0, write_stored(len, data, piece)) << len << " in " << piece;
			SealSink::Stored &s = seal_sink.at[len];
			ASSERT_EQ(len, s.bytes.size());
			ASSERT_EQ(1, s.seal.epoch);
			ASSERT_EQ(1, s.seal.salt);
			ASSERT_TRUE(len < 16 || data != s.bytes);
			for (SealSinkForm form : {SEAL_SINK_PAGES, SEAL_SINK_SHARED, SEAL_SINK_LENT}) {
				seal_sink.form = form;
				seal_sink.piece = piece < 4096 ? 3000 : (uint32_t)piece;
				ASSERT_EQ(0, read_back(len, &back)) << len << " in " << piece;
				ASSERT_TRUE(data == back) << len << " in " << piece;
			}
			for (strake_buf *b : seal_sink.kept)
				strake_buf_put(b);
			seal_sink.kept.clear();
		}
	EXPECT_EQ(0u, stats().damaged + stats().device_failures + seal_sink.bad_lengths);
	EXPECT_GT(stats().in_place, 0u);
	EXPECT_LE(stats().asked, 2u) << "once for each direction";
}

TEST_P(Seal, EveryBitOfPayloadTagNonceAndSealIsAuthenticated)
{
	up();
	std::vector<uint8_t> data = bytes(4096, 1, 1), back;

	ASSERT_EQ(0, write_stored(1, data));
	const SealSink::Stored right = seal_sink.at[1];
	unsigned int n = 0;
	auto bent = [&](std::function<void(SealSink::Stored &)> how) {
		seal_sink.at[1] = right;
		how(seal_sink.at[1]);
		n++;
		return read_back(1, &back);
	};

	for (size_t bit : {0u, 7u, 4095u * 8, 2000u * 8 + 3})
		EXPECT_EQ(-EBADMSG, bent([&](SealSink::Stored &s) { s.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8); }));
	for (int i = 0; i < 16; i++)
		EXPECT_EQ(-EBADMSG, bent([&](SealSink::Stored &s) { s.seal.tag[i] ^= 1; }));
	for (int i = 0; i < 12; i++)
		EXPECT_EQ(-EBADMSG, bent([&](SealSink::Stored &s) { s.seal.nonce[i] ^= 0x80; }));
	EXPECT_EQ(-EBADMSG, bent([](SealSink::Stored &s) { s.seal.serial ^= 1ULL << 40; }));
	EXPECT_EQ(-EBADMSG, bent([](SealSink::Stored &s) { s.seal.plain += 4096; }));
	EXPECT_EQ(-EBADMSG, bent([](SealSink::Stored &s) { s.seal.codec = STRAKE_CODEC_DEFLATE; }));
	EXPECT_EQ(-EBADMSG, bent([](SealSink::Stored &s) { s.seal.blocks++; }));
	EXPECT_EQ(-EBADMSG, bent([](SealSink::Stored &s) { s.seal.stored--; }));
	EXPECT_EQ(-EBADMSG, bent([](SealSink::Stored &s) { s.seal.stored = 0; }));
	EXPECT_EQ(-EBADMSG, bent([](SealSink::Stored &s) { s.bytes.pop_back(), s.seal.stored--; }));
	EXPECT_EQ(-EBADMSG, bent([](SealSink::Stored &s) { s.seal.epoch = 0; })) << "not encrypted is no way in";
	EXPECT_EQ(-EBADMSG, bent([](SealSink::Stored &s) { s.seal.epoch = 2; }));
	EXPECT_EQ(-EBADMSG, bent([](SealSink::Stored &s) { s.seal.salt = 9; }));
	EXPECT_EQ(-EBADMSG, bent([](SealSink::Stored &s) { s.seal.domain++; }));
	EXPECT_EQ(n, stats().damaged);
	EXPECT_EQ(0u, stats().device_failures);
	EXPECT_EQ(0, bent([](SealSink::Stored &s) {}));
	EXPECT_TRUE(data == back);
}

TEST_P(Seal, WholeBursts)
{
	up();
	std::vector<Chunk> all(STRAKE_BURST);

	for (int round = 0; round < 2; round++) {
		for (unsigned int i = 0; i < all.size(); i++)
			begin_stored(&all[i], i, bytes(4096 * (1 + i % 4), i, 1), 2000 + i * 100);
		turn(4);
		for (Chunk &c : all)
			ASSERT_EQ(0, end(&c));
		std::vector<strake_unit *> units;
		strake_lcore_enter(1);
		for (unsigned int i = 0; i < all.size(); i++) {
			fill(&all[i], STRAKE_OP_READ, i, 1);
			units.push_back(&all[i].c->u);
		}
		strake_chain_begin(chain, units.data(), (uint16_t)units.size());
		turn(4);
		for (Chunk &c : all) {
			std::vector<uint8_t> back;

			ASSERT_EQ(0, end(&c, &back));
			ASSERT_TRUE(c.bytes == back);
		}
	}
}

INSTANTIATE_TEST_SUITE_P(All, Seal, testing::Values("crypto_aesni_gcm", "crypto_aesni_mb", "crypto_openssl"),
			 [](const testing::TestParamInfo<const char *> &i) { return std::string(i.param); });
INSTANTIATE_TEST_SUITE_P(One, SealOnce, testing::Values("crypto_aesni_gcm"));

TEST_P(SealOnce, BytesThatAPeerCanChangeAreCopiedFirst)
{
	up();
	std::vector<uint8_t> data = bytes(8192, 3), back;

	ASSERT_EQ(0, write_stored(0, data, 1 << 20, 0));
	EXPECT_EQ(8192u, stats().gathered);
	ASSERT_EQ(0, read_back(0, &back));
	EXPECT_TRUE(data == back);
}

/* (salt, domain, epoch) make the subkey; under it no nonce comes twice: not after a restart, not when the drives are
 * restored from an older image, not when a copy of them is opened. */
TEST_P(SealOnce, NoncesNeverRepeat)
{
	std::set<std::tuple<std::string, uint32_t, uint16_t, std::string>> seen;
	std::vector<uint8_t> data = bytes(4096, 1);
	auto use = [&]() {
		const std::vector<uint8_t> &table = notes.copy[notes.newest];

		for (uint32_t d : {kDomain, kDomain + 1})
			for (int i = 0; i < 20; i++) {
				domain = d;
				ASSERT_EQ(0, write_stored(1, data));
				const strake_seal &s = seal_sink.at[1].seal;
				std::string salt;
				uint32_t keys = table[20], openings = table[24];
				for (uint32_t o = 0; o < openings; o++) {
					const uint8_t *at = &table[128 + 64 * keys + 24 * o];

					if (at[0] == (s.salt & 0xff) && at[1] == s.salt >> 8)
						salt.assign((const char *)at + 8, 16);
				}
				ASSERT_EQ(16u, salt.size()) << "durable before its first use";
				ASSERT_TRUE(
					seen.emplace(salt, s.domain, s.epoch, std::string((const char *)s.nonce, 12))
						.second);
			}
	};

	up();
	ASSERT_EQ(0, gcm_domain_add(st, kDomain + 1));
	use();
	FakeNotes image = notes;
	for (int round = 0; round < 3; round++) {
		reopen();
		use();
		gcm_domain_rotate(st, kDomain);
		use();
		/* The lcore's part is made anew in one opening. */
		strake_lcore_enter(1);
		strake_stage_lcore_fini(st);
		ASSERT_EQ(0, strake_stage_lcore_init(st));
		use();
		if (round % 2 == 0)
			notes = image;
	}
	EXPECT_EQ(40u * 10, seen.size());
}

TEST_P(SealOnce, RotationKeepsTheOldReadableUntilItIsDropped)
{
	up();
	std::vector<uint8_t> data = bytes(4096, 1), back;

	ASSERT_EQ(0, write_stored(1, data));
	EXPECT_EQ(2, gcm_domain_rotate(st, kDomain));
	ASSERT_EQ(0, write_stored(2, data));
	EXPECT_EQ(1, seal_sink.at[1].seal.epoch);
	EXPECT_EQ(2, seal_sink.at[2].seal.epoch);
	ASSERT_EQ(0, read_back(1, &back));
	EXPECT_TRUE(data == back);
	EXPECT_EQ(1, gcm_epoch_oldest_in_use(st, kDomain, 2));
	EXPECT_EQ(-EBADMSG, read_back(1, &back));
	ASSERT_EQ(0, read_back(2, &back));
	auto kept = seal_sink.at;
	reopen();
	seal_sink.at = kept;
	ASSERT_EQ(0, read_back(2, &back));
	EXPECT_TRUE(data == back);
}

TEST_P(SealOnce, AnErasedDomainIsGoneAndTheOthersAreNot)
{
	up();
	std::vector<uint8_t> data = bytes(4096, 1), back;

	ASSERT_EQ(0, gcm_domain_add(st, 8));
	ASSERT_EQ(0, write_stored(1, data));
	domain = 8;
	ASSERT_EQ(0, write_stored(2, data));
	ASSERT_EQ(0, read_back(1, &back));
	ASSERT_EQ(0, gcm_domain_erase(st, kDomain));
	EXPECT_EQ(-EBADMSG, read_back(1, &back));
	domain = kDomain;
	EXPECT_EQ(-EROFS, write_stored(3, data));
	ASSERT_EQ(0, read_back(2, &back));
	EXPECT_TRUE(data == back);
	turn(2);
	for (const gcm_slot &s : lc()->slots.slot)
		EXPECT_TRUE(s.session == nullptr || s.want.domain == 8) << "no session of its keys is left";
	ASSERT_EQ(0, gcm_domain_add(st, kDomain));
	EXPECT_EQ(-EBADMSG, read_back(1, &back)) << "a new key does not bring it back";
	ASSERT_EQ(0, write_stored(3, data));
	EXPECT_EQ(2, seal_sink.at[3].seal.epoch);
	EXPECT_GT(stats().no_key, 0u);
}

TEST_P(SealOnce, TheWrongKeyFailsInOneLineAndWritesNothing)
{
	up();
	chain_down();
	unsigned int writes = notes.writes;
	TempFile other(std::string(64, 'a') + "\n");
	strake_lcore_enter(0);
	strake_stage *wrong = make("seal", "w", {"key_file", other.path.c_str()});
	gcm_notes ops = notes.ops();
	EXPECT_EQ(-EACCES, gcm_open(wrong, &ops, error, sizeof(error)));
	EXPECT_STREQ("this is not the key that the group's keys are wrapped with; nothing was written", error);
	EXPECT_EQ(writes, notes.writes);
	EXPECT_EQ(-ENOKEY, gcm_domain_add(wrong, 1));
	EXPECT_EQ(0, gcm_opening(wrong));
	strake_stage_destroy(wrong);
}

TEST_P(SealOnce, IsNotMadeFromBadConfiguration)
{
	TempFile open(std::string(32, '\1'), 0644), half(std::string(32, 'a'));

	EXPECT_EQ(nullptr, make("seal", "w", {}, -1, -EINVAL));
	EXPECT_STREQ("give either key_file or keyring", error);
	EXPECT_EQ(nullptr, make("seal", "w", {"key_file", open.path.c_str()}, -1, -EACCES));
	EXPECT_EQ(nullptr, make("seal", "w", {"key_file", half.path.c_str()}, -1, -EINVAL));
	EXPECT_NE(nullptr, strstr(error, "32 hex digits are half a key; expected 64 of them, or 32 bytes"));
	EXPECT_EQ(nullptr,
		  make("seal", "w", {"key_file", file->path.c_str(), "device", "crypto_none_such"}, -1, -ENODEV));
	EXPECT_EQ(nullptr,
		  make("seal", "w", {"key_file", file->path.c_str(), "device", "crypto_snow3g"}, -1, -ENOTSUP));
	EXPECT_STREQ("cipher device \"crypto_snow3g\" knows no AES-256-GCM", error);
}

/* Looking for the key is no opening: nothing is made, nothing kept. */
TEST_P(SealOnce, AKeyIsLookedForBeforeTheStageIsMade)
{
	TempFile open(std::string(32, '\1'), 0644), half(std::string(32, 'a'));
	const auto look = [this](std::vector<const char *> pairs) {
		pairs.push_back(nullptr);
		conf_values *v = conf_values_make(strake_stage_find("seal")->keys, pairs.data(), error, sizeof(error));
		int ret = gcm_key_check(v, error, sizeof(error));

		conf_values_free(v);
		return ret;
	};

	strake_lcore_enter(0);
	EXPECT_EQ(0, look({"key_file", file->path.c_str()}));
	EXPECT_EQ(-EACCES, look({"key_file", open.path.c_str()}));
	EXPECT_NE(nullptr, strstr(error, open.path.c_str())) << error;
	EXPECT_EQ(-EINVAL, look({"key_file", half.path.c_str()}));
	EXPECT_EQ(-ENOENT, look({"key_file", "/nowhere/v.key"}));
	EXPECT_STREQ("key file /nowhere/v.key: No such file or directory", error);
	EXPECT_EQ(-EINVAL, look({}));
	EXPECT_EQ(nullptr, strake_stage_instance(0));
}

TEST_P(SealOnce, BeforeItsKeysAreOpenNothingPasses)
{
	strake_lcore_enter(0);
	make_sink();
	st = make("seal", "g0.seal", {"key_file", file->path.c_str()});
	chain_up({st});
	EXPECT_EQ(-EROFS, write_stored(1, bytes(4096, 1)));
	EXPECT_EQ(0u, seal_sink.writes);
}

TEST_P(SealOnce, OnAnLcoreOfItsOwnItDoesTheSame)
{
	up(2);
	std::vector<uint8_t> data = bytes(20480, 1), back;

	ASSERT_EQ(0, write_stored(1, data, 3000));
	ASSERT_EQ(0, read_back(1, &back));
	EXPECT_TRUE(data == back);
	EXPECT_EQ(nullptr, st->lc[1]);
	EXPECT_EQ(2, seal_sink.at[1].seal.nonce[0]) << "the lcore's number is part of the nonce";
}

TEST_P(SealOnce, WithoutPagesChunksWaitInOrder)
{
	up();
	std::vector<uint8_t> data = bytes(4096, 1), back;

	ASSERT_EQ(0, write_stored(0, data));
	std::vector<Chunk> all(8);
	strake_lcore_enter(1);
	take_pages();
	for (unsigned int i = 0; i < all.size(); i++)
		begin_stored(&all[i], i, data);
	turn(4);
	EXPECT_EQ(1u, seal_sink.writes);
	strake_lcore_enter(1);
	EXPECT_FALSE(st->ops->drain(st));
	give_pages();
	turn(3);
	for (Chunk &c : all)
		ASSERT_EQ(0, end(&c));
	strake_lcore_enter(1);
	EXPECT_TRUE(st->ops->drain(st));
	uint64_t last = 0;
	for (auto &s : seal_sink.at) {
		uint64_t count;

		memcpy(&count, s.second.seal.nonce + 4, 8);
		EXPECT_GT(count, last);
		last = count;
		ASSERT_EQ(0, read_back(s.first, &back));
		EXPECT_TRUE(data == back);
	}
}

TEST_P(SealOnce, AFullDeviceDelays)
{
	up(-1, "4");
	make_bad();
	bad.room = 3;
	bad.give = 2;
	std::vector<Chunk> all(40);
	for (int round = 0; round < 2; round++) {
		for (unsigned int i = 0; i < all.size(); i++)
			begin_stored(&all[i], i, bytes(4096 * (1 + i % 2), i, 1));
		turn(60);
		for (Chunk &c : all)
			ASSERT_EQ(0, end(&c));
	}
	for (unsigned int i = 0; i < all.size(); i++) {
		std::vector<uint8_t> back;

		ASSERT_EQ(0, read_back(i, &back));
		ASSERT_TRUE(all[i].bytes == back);
	}
	EXPECT_EQ(0u, stats().device_failures);
}

TEST_P(SealOnce, WhatTheDeviceFailsWithInPlaceFailsAndTheSecondTimeIsItsLast)
{
	up();
	std::vector<uint8_t> data = bytes(4096, 1), back;

	ASSERT_EQ(0, write_stored(1, data));
	make_bad();
	bad.fail = 1;
	EXPECT_EQ(-EIO, read_back(1, &back));
	ASSERT_EQ(0, read_back(1, &back));
	EXPECT_FALSE(lc()->lane.dead);
	bad.fail = 1;
	EXPECT_EQ(-EIO, read_back(1, &back));
	EXPECT_TRUE(lc()->lane.dead);
	EXPECT_EQ(2u, stats().device_failures);
	EXPECT_EQ(1u, stats().devices_off);
	ASSERT_EQ(0, read_back(1, &back));
	EXPECT_TRUE(data == back);
}

/* A write whose bytes lie where they lay: nobody above hears of the device. */
TEST_P(SealOnce, WhatTheDeviceFailsWithElsewhereIsDoneAgain)
{
	up();
	std::vector<uint8_t> data = bytes(4096, 1), back;
	seal_sink.form = SEAL_SINK_LENT;

	ASSERT_EQ(0, write_stored(1, data));
	make_bad();
	for (unsigned int i = 0; i < GCM_LANE_FAILURES; i++) {
		bad.fail = 1;
		ASSERT_EQ(0, write_stored(2 + i, data));
		ASSERT_EQ(0, read_back(2 + i, &back));
		EXPECT_TRUE(data == back);
	}
	EXPECT_TRUE(lc()->lane.dead);
	EXPECT_EQ(2u, stats().device_failures);
	EXPECT_GT(stats().soft, 0u);
}

/* Both ways of sealing make the same of the same, in all sizes and pieces. */
TEST_P(SealOnce, TheProcessorTakesTheDevicesPlace)
{
	up();
	std::map<uint32_t, std::vector<uint8_t>> before;
	std::vector<uint8_t> back;
	strake_seal last = {};

	for (uint32_t len : {1u, 100u, 4096u, 5000u, 32768u}) {
		before[len] = bytes(len, len, 1);
		ASSERT_EQ(0, write_stored(len, before[len], 1460));
	}
	last = seal_sink.at[32768].seal;
	lc()->lane.dead = true;
	for (auto &[len, data] : before) {
		ASSERT_EQ(0, read_back(len, &back)) << len;
		EXPECT_TRUE(data == back) << len;
		ASSERT_EQ(0, write_stored(100000 + len, data, 1460)) << len;
		EXPECT_GT(memcmp(seal_sink.at[100000 + len].seal.nonce + 4, last.nonce + 4, 1), 0) << "nonces go on";
		ASSERT_EQ(0, read_back(100000 + len, &back)) << len;
		EXPECT_TRUE(data == back) << len;
	}
	EXPECT_EQ(15u, stats().soft);
	/* What it sealed, the device opens. */
	lc()->lane.dead = false;
	ASSERT_EQ(2, gcm_domain_rotate(st, kDomain));
	for (auto &[len, data] : before) {
		ASSERT_EQ(0, read_back(100000 + len, &back)) << len;
		EXPECT_TRUE(data == back) << len;
	}
	EXPECT_EQ(15u, stats().soft);
	/* And it is as strict. */
	lc()->lane.dead = true;
	seal_sink.at[4096].bytes[7] ^= 1;
	EXPECT_EQ(-EBADMSG, read_back(4096, &back));
	seal_sink.at[5000].seal.serial ^= 1;
	EXPECT_EQ(-EBADMSG, read_back(5000, &back));
	domain = 77;
	EXPECT_EQ(-EROFS, write_stored(9, bytes(4096, 1)));
	EXPECT_EQ(2u, stats().damaged);
}

TEST_P(SealOnce, TheProcessorWaitsForPagesToo)
{
	up();
	std::vector<uint8_t> data = bytes(4096, 1), back;

	ASSERT_EQ(0, write_stored(0, data));
	lc()->lane.dead = true;
	ASSERT_EQ(0, write_stored(0, data));
	std::vector<Chunk> all(8);
	strake_lcore_enter(1);
	take_pages();
	for (unsigned int i = 0; i < all.size(); i++)
		begin_stored(&all[i], i, data);
	turn(4);
	EXPECT_EQ(2u, seal_sink.writes);
	give_pages();
	turn(3);
	for (Chunk &c : all)
		ASSERT_EQ(0, end(&c));
	for (unsigned int i = 0; i < all.size(); i++) {
		ASSERT_EQ(0, read_back(i, &back));
		EXPECT_TRUE(data == back);
	}
}

TEST_P(SealOnce, ADeviceThatGivesNothingBackIsGivenUp)
{
	up();
	std::vector<uint8_t> data = bytes(4096, 1), back;

	ASSERT_EQ(0, write_stored(1, data));
	make_bad();
	bad.give = 0;
	std::vector<Chunk> all(6);
	for (unsigned int i = 0; i < all.size(); i++)
		begin_stored(&all[i], i, data);
	turn(50);
	EXPECT_EQ(0u, all[0].ends);
	turn(100);
	for (Chunk &c : all)
		ASSERT_EQ(-EIO, end(&c));
	EXPECT_EQ(6u, lc()->lane.orphans);
	strake_lcore_enter(1);
	EXPECT_TRUE(st->ops->drain(st));
	ASSERT_EQ(0, write_stored(2, data)) << "by the processor";
	ASSERT_EQ(0, read_back(2, &back));
	EXPECT_TRUE(data == back);
	bad.give = 100;
	turn(3);
	EXPECT_EQ(0u, lc()->lane.orphans);
	EXPECT_EQ(2u, seal_sink.writes);
}

TEST_P(SealOnce, MoreKeysThanAnLcoreKeepsAtHand)
{
	up();
	std::vector<uint8_t> data = bytes(4096, 1), back;

	for (uint32_t d = 100; d < 400; d++)
		ASSERT_EQ(0, gcm_domain_add(st, d));
	for (int round = 0; round < 2; round++)
		for (uint32_t d = 100; d < 400; d++) {
			domain = d;
			ASSERT_TRUE(round > 0 || write_stored(d, data) == 0) << d;
			ASSERT_EQ(0, read_back(d, &back)) << d;
			ASSERT_TRUE(data == back) << d;
		}
}
