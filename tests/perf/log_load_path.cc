/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/*
 * The whole write path on drives of memory: dedup, LZ4, AES-256-GCM, 3+1; half of the bytes unique, and those shrink to
 * half. Against its kernels, each alone over the same bytes, weighted by the share of the host's bytes it works on. And
 * reads of 4 KiB, sealed and compressed against plain.
 */

#include "log_load.h"

#include <memory>
#include <random>

#include <isa-l.h>
#include <rte_malloc.h>

extern "C" {
#include "dedup.h"
#include "log_group.h"
#include "stages/compress/expand.h"
#include "stages/compress/shrink.h"
#include "stages/crypto/gcm_stage.h"
#include "stages/dedup/fingerprint.h"
#include "stages/volume/store.h"
}

namespace
{

constexpr uint32_t kReq = 131072, kWrites = 4, kReads = 16, kDrives = 4, kUnit = 65536;
constexpr uint64_t kPerRun = 128u << 20; /* bytes of a run, a host's */

strake_drive *drive[kDrives];
log_group *group;
store *st;

struct volume {
	strake_stage *dedup = nullptr, *compress = nullptr, *seal = nullptr;
	strake_volume *vol = nullptr;
};

/* Keys that nobody needs again. */
int
note_read(void *, void *, uint32_t *len)
{
	*len = 0;
	return 0;
}

int
note_write(void *, const void *, uint32_t)
{
	return 0;
}

void
group_up()
{
	const char *pairs[] = {"size", "448MiB", "block_size", "4096", nullptr};
	conf_group conf = {};
	store_conf sc = {};
	char err[300] = "";

	for (unsigned int i = 0; i < kDrives; i++) {
		conf_values *v = conf_values_make(strake_drive_find("mem")->keys, pairs, err, sizeof(err));
		std::string name = "m" + std::to_string(i);

		must(v != nullptr && strake_drive_open(&drive[i], name.c_str(), "mem", v, err, sizeof(err)) == 0 &&
			     strake_drive_lcore_init(drive[i]) == 0,
		     err);
		conf_values_free(v);
	}
	conf.name = "g";
	conf.style = CONF_STYLE_LOG;
	conf.n_drives = kDrives;
	conf.data = 3;
	conf.parity = 1;
	conf.unit = kUnit;
	conf.create = true;
	must(log_group_open(&group, &conf, drive, kDrives, 0, err, sizeof(err)) == 0, err);
	must(log_group_lcore_init(group) == 0, "group");
	sc.name = "s";
	sc.space = log_group_space(group);
	sc.jobs = 1024;
	must(store_open(&st, &sc, err, sizeof(err)) == 0, err);
}

void
group_down()
{
	must(store_close(st, false) == 0, "store");
	while (!log_group_drained(group))
		turn();
	log_group_lcore_fini(group);
	turn();
	log_group_close(group);
	for (strake_drive *d : drive) {
		strake_drive_lcore_fini(d);
		strake_drive_close(d);
	}
}

volume
volume_up(const char *name, const char *hash, bool services)
{
	static const uint8_t uuid[16] = {3};
	const gcm_notes notes = {note_read, note_write, nullptr, 1 << 20, {}};
	std::vector<strake_stage *> req, chunk;
	std::string n(name);
	log_conf conf = {};
	char err[300] = "";
	volume v;

	if (hash != nullptr) {
		v.dedup = stage_make("dedup", (n + ".dedup").c_str(), {"fingerprint", hash, "domain", name});
		must(dedup_attach(v.dedup, uuid, 0, err, sizeof(err)) == 0, err);
		req.push_back(v.dedup);
	}
	if (services) {
		v.compress = stage_make("compress", (n + ".lz4").c_str(), {"codec", "lz4"});
		v.seal = stage_make("seal", (n + ".seal").c_str(),
				    {"key_file", key_file(), "device", "crypto_aesni_gcm"});
		must(gcm_open(v.seal, &notes, err, sizeof(err)) == 0 && gcm_domain_add(v.seal, 1) == 0, err);
		chunk = {v.compress, v.seal};
	}
	for (strake_stage *s : {v.dedup, v.compress, v.seal})
		must(s == nullptr || strake_stage_lcore_init(s) == 0, "stage");
	conf.name = name;
	conf.store = st;
	conf.bytes = 1ULL << 40;
	conf.lba_shift = 12;
	conf.slab_shift = 47;
	conf.domain = 1;
	conf.req_stages = req.data();
	conf.n_req_stages = (unsigned int)req.size();
	conf.chunk_stages = chunk.data();
	conf.n_chunk_stages = (unsigned int)chunk.size();
	must(log_create(&v.vol, &conf, err, sizeof(err)) == 0, err);
	must(log_lcore_init(v.vol) == 0, "volume");
	return v;
}

void
volume_down(volume &v)
{
	std::string name(v.vol->name);

	log_lcore_fini(v.vol);
	log_destroy(v.vol);
	must(store_volume_delete(st, name.c_str()) == 0, "volume");
	for (strake_stage *s : {v.dedup, v.compress, v.seal})
		if (s != nullptr)
			stage_free(s);
}

/* --- a host ------------------------------------------------------------------------------------------------------- */

unsigned int under_way;

void
over(strake_unit *u)
{
	must(u->status == 0, "a request failed");
	under_way--;
	strake_req_free(strake_req_of(u));
}

strake_req *
request(const volume &v, uint8_t op, uint64_t lba, uint32_t bytes)
{
	strake_req *req = strake_req_alloc(false);

	must(req != nullptr, "no request");
	req->vol = v.vol;
	req->u.op = op;
	req->u.lba = lba;
	req->u.nlb = bytes / kBlock;
	req->u.nbytes = op == STRAKE_OP_DEALLOCATE ? 0 : bytes;
	req->u.done = over;
	under_way++;
	return req;
}

void
submit(strake_req *req)
{
	while (under_way > (req->u.op == STRAKE_OP_WRITE ? kWrites : kReads))
		turn();
	strake_req_submit(&req, 1);
}

void
settle()
{
	while (under_way > 0)
		turn();
}

void
add(strake_req *req, uint8_t *at, uint32_t len)
{
	static const strake_backing lent = {"host", nullptr, nullptr};

	strake_unit_append(&req->u, strake_buf_wrap(at, len, &lent, nullptr, STRAKE_BUF_STABLE));
}

/* Runs of 32 KiB, in turns one that was never written and one that was written half a ring ago. */
struct writer {
	uint64_t lba = 0, stamp = 1, slot = 0;

	uint8_t *
	fresh()
	{
		uint8_t *at = ring + slot * kRun;

		slot = (slot + 1) % (kRing / kRun);
		for (uint32_t i = 0; i < kRun; i += kBlock) {
			uint64_t s = stamp++ * 0x9e3779b97f4a7c15ull;

			memcpy(at + i + 8, &s, 8);
		}
		return at;
	}

	uint8_t *
	known() const
	{
		return ring + (slot + kRing / kRun / 2) % (kRing / kRun) * kRun;
	}

	void
	write(const volume &v, uint64_t bytes, bool again)
	{
		for (uint64_t done = 0; done < bytes; done += kReq) {
			strake_req *req = request(v, STRAKE_OP_WRITE, lba, kReq);

			for (uint32_t at = 0; at < kReq; at += 2 * kRun) {
				add(req, fresh(), kRun);
				add(req, again ? known() : fresh(), kRun);
			}
			lba += kReq / kBlock;
			submit(req);
		}
		settle();
	}
};

/* --- kernels ------------------------------------------------------------------------------------------------------ */

struct term {
	std::string name;
	double share;		  /* of the host's bytes */
	uint64_t bytes;		  /* of one call */
	std::function<void()> fn; /* the kernel */
	std::vector<double> speeds;
	double speed = 0; /* bytes a second */
};

uint8_t *
ring_next(uint32_t len)
{
	static uint64_t at;
	uint8_t *p = ring + at;

	at = at + 2 * len <= kRing ? at + len : 0;
	return p;
}

/* 32 blocks through the stage's own hasher. */
struct hashing {
	dedup_hasher *h = nullptr;
	dedup_job jobs[32];
	uint8_t fp[32][STRAKE_ADVICE_FP];

	explicit hashing(const char *hash)
	{
		const enum dedup_kind kind = strcmp(hash, "fast") == 0 ? DEDUP_FAST : DEDUP_SHA256;

		must(dedup_hasher_create(&h, kind, SOCKET_ID_ANY) == 0, "hasher");
	}
	~hashing()
	{
		dedup_hasher_destroy(h);
	}
	void
	operator()()
	{
		uint8_t *at = ring_next(kReq);

		for (unsigned int i = 0; i < 32; i++)
			jobs[i] = {at + (uint64_t)i * kBlock, fp[i]};
		must(dedup_hasher_run(h, jobs, 32, 0) == 0, "hash");
	}
};

/* One run, packed and expanded. */
struct packing {
	std::vector<uint8_t> packed, plain;
	shrink lz4 = {};
	uint32_t len, stored;

	explicit packing(uint32_t n) : packed(n), plain(n), len(n)
	{
		must(shrink_init(&lz4, 1, SOCKET_ID_ANY) == 0, "no memory");
		stored = shrink_lz4(&lz4, packed.data(), len - 64, ring, len);
		must(stored > 0, "no gain");
	}
	~packing()
	{
		shrink_fini(&lz4);
	}
	void
	pack()
	{
		shrink_lz4(&lz4, plain.data(), len - 64, ring_next(len), len);
	}
	void
	expand()
	{
		must(compress_expand(STRAKE_CODEC_LZ4, plain.data(), len, packed.data(), stored, nullptr) == 0,
		     "expand");
	}
};

/* One payload sealed again and again by the device. */
struct sealing {
	gcm_lane *l;
	void *session;
	strake_chunk *c = strake_chunk_alloc(false);
	gcm_job *job = nullptr, *back = nullptr;

	sealing(const volume &v, uint32_t len)
	{
		l = &((gcm_lcore *)strake_stage_lcore(v.seal))->lane;
		session = gcm_device_session(l->dev, ring, true);
		c->seal.stored = len;
		c->u.bufs = strake_buf_page(len);
		must(gcm_lane_fill(l, &c->u, session, &job) == 0, "no job");
	}
	~sealing()
	{
		gcm_lane_put(l, job);
		strake_chunk_free(c);
		gcm_device_session_free(l->dev, session);
	}
	void
	operator()()
	{
		must(gcm_lane_push(l, &job, 1, 0) == 1 && gcm_lane_pull(l, &back, 1, 0) == 1, "device");
	}
};

/* Rows of three units in pages, the parity and a place on drives for all four. */
struct rows {
	static constexpr unsigned int kRows = 4;
	uint8_t *from = (uint8_t *)rte_malloc(nullptr, (uint64_t)kRows * 4 * kUnit, 4096);
	uint8_t *to = (uint8_t *)rte_malloc(nullptr, kTo, 4096);
	uint64_t at = 0, n = 0;
	static constexpr uint64_t kTo = 256u << 20;

	rows()
	{
		must(from != nullptr && to != nullptr, "no memory");
		memset(from, 1, (uint64_t)kRows * 4 * kUnit);
		memset(to, 1, kTo);
	}
	~rows()
	{
		rte_free(from);
		rte_free(to);
	}
	uint8_t *
	next()
	{
		return from + n++ % kRows * 4 * kUnit;
	}
	void
	parity()
	{
		uint8_t *r = next();
		void *v[] = {r, r + kUnit, r + 2 * kUnit, r + 3 * kUnit};

		xor_gen(4, kUnit, v);
	}
	void
	drives()
	{
		for (unsigned int i = 0; i < 4 * kUnit / kBlock; i++, at = (at + kBlock) % kTo)
			strake_kernel->cksum_copy_nt(to + at, from + (n % kRows) * 4 * kUnit + (uint64_t)i * kBlock,
						     kBlock, 0);
		n++;
	}
};

/* @return what the kernels allow, bytes a second, at the speeds they had in their last turn. */
double
allowed(const std::vector<term> &terms)
{
	double sum = 0;

	for (const term &t : terms)
		sum += t.share / t.speeds.back();
	return 1 / sum;
}

/* How that comes about. */
void
show(const char *name, std::vector<term> &terms)
{
	double sum = 0;

	for (term &t : terms) {
		t.speed = median(t.speeds);
		sum += t.share / t.speed;
	}
	for (const term &t : terms) {
		const double part = t.share / t.speed / sum;

		if (json)
			printf("{\"path\": \"%s\", \"term\": \"%s\", \"share\": %.4f, \"gbs\": %.3f, \"part\": %.4f}\n",
			       name, t.name.c_str(), t.share, t.speed / 1e9, part);
		else
			printf("    %-36s share %.3f at %6.2f GB/s: %4.1f %% of the time\n", t.name.c_str(), t.share,
			       t.speed / 1e9, part * 100);
	}
}

/* The kernels and on what share of the host's bytes each works, as counted while @p w wrote. */
std::vector<term>
kernels(bool fast, const struct store_usage &n, double host, hashing &hash, packing &pack, sealing &seal, rows &r,
	const std::vector<uint8_t> &same)
{
	const double in = (double)n.plain_bytes / host, out = (double)n.stored_bytes / host;
	const double log = (double)n.hot_bytes / host, known = 1 - in;
	const uint32_t stored = pack.stored;
	std::vector<term> terms = {
		{fast ? "XXH3" : "SHA-256", 1, kReq, [&] { hash(); }, {}},
		{"LZ4, 32 KiB", in, kRun, [&] { pack.pack(); }, {}},
		{"AES-256-GCM, " + std::to_string(stored) + " bytes", out, stored, [&] { seal(); }, {}},
		{"CRC32C",
		 log,
		 stored,
		 [=] { must(strake_kernel->crc32c(1, ring_next(kRun), stored) != 0, "crc"); },
		 {}},
		{"gather into rows", log, stored, [&r, stored] { memcpy(r.next(), ring_next(kRun), stored); }, {}},
		{"parity 3+1, ISA-L", log, 3 * kUnit, [&] { r.parity(); }, {}},
		{"memory of the drives", log * 4 / 3, 4 * kUnit, [&] { r.drives(); }, {}},
	};
	if (!fast)
		return terms;
	/* What is known by a fast hash is read back and compared. */
	terms.push_back({"AES-256-GCM, of what is compared", known * stored / kRun, stored, [&] { seal(); }, {}});
	terms.push_back({"CRC32C, of what is compared", known * stored / kRun, stored, terms[3].fn, {}});
	terms.push_back({"LZ4, expanding what is compared", known, kRun, [&] { pack.expand(); }, {}});
	terms.push_back(
		{"comparing", known, kRun, [&] { must(memcmp(same.data(), &same[kRun], kRun) == 0, "compare"); }, {}});
	return terms;
}

/* Chunks into rows, rows with their parity to the drives; and the same by the kernels one after the other. */
void
rows_run()
{
	packing pack(kRun);
	strake_buf *page = strake_buf_page(pack.stored);
	struct log_head h = {};
	uint32_t fill = 0, n = 0;
	rows r;

	must(page != nullptr, "no page");
	memcpy(page->addr, pack.packed.data(), pack.stored);
	h.kind = LOG_DATA;
	h.seal.plain = kRun;
	h.seal.stored = pack.stored;
	h.seal.codec = STRAKE_CODEC_LZ4;
	h.seal.blocks = kRun / kBlock;
	log_head_measure(&h);
	compare(
		"rows, gathered, 3+1, to the drives", h.bytes, 2,
		[&] {
			must(strake_kernel->crc32c(1, page->addr, pack.stored) != 0, "crc");
			memcpy(r.from + fill, page->addr, pack.stored);
			fill += h.bytes;
			if (fill + h.bytes > 3 * kUnit) {
				r.n = 0;
				r.parity();
				r.n = 0;
				r.drives();
				fill = 0;
			}
		},
		[&] {
			while (store_room(st, STORE_HOT, h.bytes) != 0)
				turn();
			h.lsn = 0;
			store_append(st, STORE_HOT, &h, page, nullptr);
			if (++n % 12 == 0)
				turn();
		});
	strake_buf_put(page);
}

/* Writing and the kernels in turns, since other work on the machine comes and goes. The store has room for all of it,
 * so that nothing is collected meanwhile. */
void
write_path(const char *hash)
{
	const std::string name = std::string("write path, ") + hash;
	const bool fast = strcmp(hash, "fast") == 0;
	volume v = volume_up("w", hash, true);
	writer w;
	hashing hasher(hash);
	packing pack(kRun);
	auto seal = std::make_unique<sealing>(v, pack.stored);
	rows r;
	struct store_usage before, after;
	std::vector<double> got, most, ratio;
	std::vector<term> terms;

	w.write(v, kRing * 2, false); /* what is known half a ring later */
	w.write(v, kPerRun, true);
	::store_usage(st, &before);
	w.write(v, kPerRun, true);
	::store_usage(st, &after);
	after.plain_bytes -= before.plain_bytes;
	after.stored_bytes -= before.stored_bytes;
	after.hot_bytes -= before.hot_bytes;
	const std::vector<uint8_t> same(2 * kRun, 7);
	terms = kernels(fast, after, (double)kPerRun, hasher, pack, *seal, r, same);
	for (unsigned int i = 0; i < 3 * runs; i++) {
		uint64_t begin = cpu_ns();

		w.write(v, kPerRun, true);
		got.push_back((double)kPerRun * 1e9 / (double)(cpu_ns() - begin));
		for (term &t : terms)
			t.speeds.push_back(rate(t.bytes, 15, t.fn));
		most.push_back(allowed(terms));
		ratio.push_back(got.back() / most.back());
	}
	show(name.c_str(), terms);
	row(name, median(most), median(got), median(ratio));
	seal.reset();
	volume_down(v);
}

/* --- reads -------------------------------------------------------------------------------------------------------- */

double
read_cycles(const volume &v, uint64_t blocks)
{
	std::mt19937_64 rng(7);
	std::vector<double> got;

	for (unsigned int i = 0; i <= runs; i++) {
		const unsigned int n = 40000;
		uint64_t begin = cpu_ns();

		for (unsigned int k = 0; k < n; k++)
			submit(request(v, STRAKE_OP_READ, rng() % blocks, kBlock));
		settle();
		got.push_back((double)(cpu_ns() - begin) / 1e9 * (double)rte_get_tsc_hz() / n);
	}
	return median(got);
}

void
fill(const volume &v, uint64_t bytes, uint32_t each)
{
	writer w;

	for (uint64_t at = 0; at < bytes; at += kRun) {
		uint8_t *run = w.fresh();

		for (uint32_t i = 0; i < kRun; i += each) {
			strake_req *req = request(v, STRAKE_OP_WRITE, (at + i) / kBlock, each);

			add(req, run + i, each);
			submit(req);
		}
	}
	submit(request(v, STRAKE_OP_FLUSH, 0, 0));
	settle();
	for (unsigned int i = 0; i < 20000; i++)
		turn();
}

double
expand_cycles(uint32_t len)
{
	packing p(len);

	p.expand();
	return (double)rte_get_tsc_hz() * len / rate(len, 60, [&] { p.expand(); });
}

void
reads(uint32_t each)
{
	const uint64_t bytes = 128u << 20;
	volume plain = volume_up("p", nullptr, false), full = volume_up("f", nullptr, true);

	fill(plain, bytes, each);
	fill(full, bytes, each);
	double p = read_cycles(plain, bytes / kBlock), f = read_cycles(full, bytes / kBlock), x = expand_cycles(each);

	if (json)
		printf("{\"read\": %u, \"plain\": %.0f, \"full\": %.0f, \"expand\": %.0f, \"more\": %.0f}\n", each, p,
		       f, x, f - p - x);
	else
		printf("4 KiB reads of runs of %u KiB: plain %.0f cycles, compressed and sealed %.0f, expanding %.0f, "
		       "more %.0f\n",
		       each / 1024, p, f, x, f - p - x);
	volume_down(plain);
	volume_down(full);
}

} // namespace

/* Each on a store of its own: collection of what an earlier one left is not theirs. */
void
path_run()
{
	const struct {
		const char *name;
		std::function<void()> run;
	} parts[] = {
		{"rows", rows_run},
		{"write path sha256", [] { write_path("sha256"); }},
		{"write path fast", [] { write_path("fast"); }},
		{"reads", [] { reads(kBlock); }},
		{"reads", [] { reads(kRun); }},
	};

	for (const auto &part : parts) {
		if (!wanted(part.name))
			continue;
		group_up();
		part.run();
		group_down();
	}
}
