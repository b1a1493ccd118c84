/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* Chunk stages with chunks in a real chain, to a stage that forgets them. */

#include <isa-l.h>

#include "log_load.h"

extern "C" {
#include "stages/compress/compress.h"
#include "stages/crypto/gcm_stage.h"
}

namespace
{

constexpr unsigned int kBurst = 32;
/* Chunks of bursts that have not come back: a device may take more than a turn. */
unsigned int under_way;

void
sink_down(strake_stage *, strake_unit **units, uint16_t n)
{
	for (uint16_t i = 0; i < n; i++)
		units[i]->verdict = STRAKE_DONE;
}

int
sink_create(strake_stage *, const conf_values *, char *, size_t)
{
	return 0;
}

strake_chain *
chain_of(strake_stage *st)
{
	static strake_stage_ops ops;
	static strake_stage *sink;
	strake_chain *chain;
	char err[200] = "";

	ops.name = "forget";
	ops.unit = STRAKE_UNIT_CHUNK;
	ops.create = sink_create;
	ops.down = sink_down;
	if (sink == nullptr)
		must(strake_stage_create(&sink, &ops, "forget", nullptr, -1, err, sizeof(err)) == 0, err);
	strake_stage *both[] = {st, sink};
	must(strake_stage_lcore_init(st) == 0, st->name);
	must(strake_chain_create(&chain, st->name, STRAKE_UNIT_CHUNK, both, 2, err, sizeof(err)) == 0, err);
	return chain;
}

void
free_chunk(strake_unit *u)
{
	must(u->status == 0, "a chunk failed");
	strake_chunk_free(strake_chunk_of(u));
	under_way--;
}

/* The next bytes of the ring. */
uint8_t *
next_bytes(uint64_t len)
{
	static uint64_t at;
	uint8_t *p = ring + at;

	at = at + 2 * len <= kRing ? at + len : 0;
	return p;
}

strake_chunk *
chunk(strake_buf *bufs, uint32_t len)
{
	strake_chunk *c = strake_chunk_alloc(false);

	must(c != nullptr && bufs != nullptr, "no chunk");
	c->u.op = STRAKE_OP_WRITE;
	c->u.nbytes = c->seal.plain = c->seal.stored = len;
	c->seal.blocks = (uint8_t)(len / kBlock);
	c->seal.domain = 1;
	c->lba_shift = 12;
	c->u.bufs = c->u.last = bufs;
	c->u.done = free_chunk;
	return c;
}

/* A burst of host's bytes through the chain. */
void
burst(strake_chain *chain, uint32_t len)
{
	static const strake_backing lent = {"load", nullptr, nullptr};
	uint8_t *at = next_bytes((uint64_t)kBurst * len);
	strake_unit *units[kBurst];

	for (unsigned int i = 0; i < kBurst; i++)
		units[i] =
			&chunk(strake_buf_wrap(at + (uint64_t)i * len, len, &lent, nullptr, STRAKE_BUF_STABLE), len)->u;
	under_way += kBurst;
	strake_chain_begin(chain, units, kBurst);
	do
		turn();
	while (under_way > 0);
}

void
lz4_run(uint32_t len)
{
	strake_stage *st = stage_make("compress", "lz4", {"codec", "lz4"});
	strake_chain *chain = chain_of(st);
	std::vector<uint8_t> out(kRun);
	shrink lz4 = {};

	must(shrink_init(&lz4, 1, SOCKET_ID_ANY) == 0, "no memory");
	compare(
		"LZ4, runs of " + std::to_string(len / 1024) + " KiB", (uint64_t)kBurst * len, 20,
		[&] {
			uint8_t *at = next_bytes((uint64_t)kBurst * len);

			for (unsigned int i = 0; i < kBurst; i++)
				shrink_lz4(&lz4, out.data(), len - 64, at + (uint64_t)i * len, len);
		},
		[&] { burst(chain, len); });
	shrink_fini(&lz4);
	strake_chain_destroy(chain);
	stage_free(st);
}

/* ISA-L's own deflate, a run at a time, as its device does it. */
void
deflate_run(uint32_t len)
{
	strake_stage *st = stage_make("compress", "deflate", {"codec", "deflate", "device", "compress_isal"});
	strake_chain *chain = chain_of(st);
	std::vector<uint8_t> out(kRun), level(ISAL_DEF_LVL1_DEFAULT);
	isal_zstream z;

	compare(
		"deflate, compress_isal, runs of " + std::to_string(len / 1024) + " KiB", (uint64_t)kBurst * len, 40,
		[&] {
			uint8_t *at = next_bytes((uint64_t)kBurst * len);

			for (unsigned int i = 0; i < kBurst; i++) {
				isal_deflate_stateless_init(&z);
				z.level = 1;
				z.level_buf = level.data();
				z.level_buf_size = (uint32_t)level.size();
				z.end_of_stream = 1;
				z.next_in = at + (uint64_t)i * len;
				z.avail_in = len;
				z.next_out = out.data();
				z.avail_out = len - 64;
				must(isal_deflate_stateless(&z) == COMP_OK, "deflate");
			}
		},
		[&] { burst(chain, len); });
	strake_chain_destroy(chain);
	stage_free(st);
}

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

/* Pages that compress made, sealed where they lie, as often as there are bursts of them. */
struct sealing {
	strake_buf *page[kBurst];
	strake_chain *chain;
	uint32_t len;
};

void
seal_done(strake_unit *u)
{
	must(u->status == 0, "a chunk failed");
	u->bufs = u->last = nullptr;
	strake_chunk_free(strake_chunk_of(u));
}

void
seal_burst(sealing *s)
{
	strake_unit *units[kBurst];

	for (unsigned int i = 0; i < kBurst; i++) {
		units[i] = &chunk(s->page[i], s->len)->u;
		units[i]->done = seal_done;
	}
	strake_chain_begin(s->chain, units, kBurst);
	turn();
}

void
seal_run(const char *driver, uint32_t len)
{
	const gcm_notes notes = {note_read, note_write, nullptr, 1 << 20, {}};
	strake_stage *st = stage_make("seal", driver, {"key_file", key_file(), "device", driver});
	char err[200] = "";

	must(gcm_open(st, &notes, err, sizeof(err)) == 0 && gcm_domain_add(st, 1) == 0, err);
	sealing s = {{}, chain_of(st), len};
	gcm_lane *l = &((gcm_lcore *)strake_stage_lcore(st))->lane;
	void *session = gcm_device_session(l->dev, ring, true);
	gcm_job *jobs[kBurst], *back[kBurst];
	strake_chunk *c[kBurst];

	for (unsigned int i = 0; i < kBurst; i++) {
		s.page[i] = strake_buf_page(len);
		c[i] = chunk(strake_buf_page(len), len);
		must(s.page[i] != nullptr && gcm_lane_fill(l, &c[i]->u, session, &jobs[i]) == 0, "no job");
	}
	compare(
		std::string("AES-256-GCM, ") + driver + ", " + std::to_string(len / 1024) + " KiB",
		(uint64_t)kBurst * len, 20,
		[&] {
			must(gcm_lane_push(l, jobs, kBurst, 0) == kBurst && gcm_lane_pull(l, back, kBurst, 0) == kBurst,
			     "device");
		},
		[&] { seal_burst(&s); });
	for (unsigned int i = 0; i < kBurst; i++) {
		gcm_lane_put(l, jobs[i]);
		strake_chunk_free(c[i]);
		strake_buf_put(s.page[i]);
	}
	gcm_device_session_free(l->dev, session);
	strake_chain_destroy(s.chain);
	stage_free(st);
}

} // namespace

void
stages_run()
{
	for (uint32_t len : {kBlock, kRun})
		lz4_run(len);
	for (uint32_t len : {kBlock, kRun})
		deflate_run(len);
	for (const char *driver : {"crypto_aesni_gcm", "crypto_aesni_mb"})
		for (uint32_t len : {kBlock, kRun / 2, kRun})
			seal_run(driver, len);
}
