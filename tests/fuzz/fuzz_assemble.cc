/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/*
 * One to four drives, each with superblocks, marks and dirty maps as an input says, under good sums: a group assembles
 * from them or refuses in one line; what assembled closes, and assembles again from the same drives.
 */

#include <memory>

#include "fuzz_world.h"

extern "C" {
#include "group.h"
#include "stages/stripe/super_format.h"
#include "strake_chain.h"
#include "strake_drive.h"
#include "strake_kernel.h"
}

namespace
{

constexpr unsigned int kDrives = 4;
constexpr uint32_t kBytes = 4u << 20;

/* --- a drive in memory ---------------------------------------------------------------------------------------------
 */

struct Ram {
	uint8_t *bytes = (uint8_t *)calloc(1, kBytes);
	std::vector<strake_io *> ios;
	strake_poller poller = {};
	bool data = false; /* something beyond the head was written */
};

Ram ram[kDrives];
Ram *opening;

int
perform(Ram *r, strake_io *io)
{
	if (io->op == STRAKE_IO_FLUSH)
		return 0;
	FUZZ_CHECK(io->len > 0 && io->off <= kBytes && io->len <= kBytes - io->off && (io->off | io->len) % 512 == 0);
	if (io->op == STRAKE_IO_READ) {
		if (io->bufs == nullptr)
			io->bufs = strake_buf_page(io->len);
		FUZZ_CHECK(io->bufs != nullptr);
		return strake_buf_copy_in(io->bufs, io->buf_off, r->bytes + io->off, io->len);
	}
	if (io->op == STRAKE_IO_WRITE) {
		r->data |= io->off >= SUPER_DATA_OFF;
		return strake_buf_copy_out(io->bufs, io->buf_off, r->bytes + io->off, io->len);
	}
	if (r->data)
		memset(r->bytes + io->off, 0, io->len);
	return 0;
}

uint32_t
ram_poll(strake_poller *p, uint64_t)
{
	Ram *r = (Ram *)RTE_PTR_SUB(p, offsetof(Ram, poller));
	auto ios = std::move(r->ios);

	r->ios.clear();
	for (strake_io *io : ios)
		strake_io_complete(io, perform(r, io));
	return (uint32_t)ios.size();
}

int
ram_open(strake_drive *d, const conf_values *, char *, size_t)
{
	d->bytes = kBytes;
	d->block_size = 512;
	d->max_io = STRAKE_BUF_PAGE_MAX;
	d->priv = opening;
	snprintf(d->serial, sizeof(d->serial), "serial%d", (int)(opening - ram));
	return 0;
}

const strake_drive_ops ram_ops = [] {
	strake_drive_ops o = {};
	o.name = "ram";
	o.open = ram_open;
	o.close = [](strake_drive *) {};
	o.lcore_init = [](strake_drive *d) {
		Ram *r = (Ram *)d->priv;

		r->poller = {};
		r->poller.name = "ram";
		r->poller.poll = ram_poll;
		r->poller.fd = -1;
		strake_poller_add(&r->poller);
		return 0;
	};
	o.lcore_fini = [](strake_drive *d) { strake_poller_del(&((Ram *)d->priv)->poller); };
	o.submit = [](strake_drive *d, strake_io **ios, uint16_t n) {
		Ram *r = (Ram *)d->priv;

		r->ios.insert(r->ios.end(), ios, ios + n);
		return n;
	};
	return o;
}();

/* --- what lies on them ---------------------------------------------------------------------------------------------
 */

void
reseal(uint8_t *page, size_t len)
{
	uint32_t crc;

	memset(page + 12, 0, 4);
	crc = strake_kernel->crc32c(0, page, len);
	memcpy(page + 12, &crc, 4);
}

/* A group that could be: what hostile ones are made from. */
void
plain_super(super *s, const conf_group *conf, unsigned int members)
{
	memset(s, 0, sizeof(*s));
	s->seq = 5;
	s->generation = 9;
	memset(s->uuid, 0x11, sizeof(s->uuid));
	strcpy(s->name, "g0");
	s->raid = conf->raid == CONF_RAID0 ? 0 : conf->raid == CONF_RAID1 ? 1 : 10;
	s->members = members;
	s->clean = true;
	s->chunk = conf->chunk;
	s->region = conf->region;
	s->member_bytes = 3u << 20;
	for (unsigned int i = 0; i < members; i++) {
		memset(s->member[i].uuid, 0x40 + (int)i, 16);
		snprintf(s->member[i].serial, sizeof(s->member[i].serial), "serial%u", i);
		s->member[i].generation = 9;
	}
}

/* Wrong in ways that sums do not show. */
void
bend(Input &in, super *s)
{
	for (unsigned int n = in.u8() % 6; n > 0; n--) {
		uint8_t what = in.u8() % 18, v = in.u8();
		super_member *m = &s->member[v % SUPER_MEMBERS];

		switch (what) {
		case 0:
			s->index = v % 5;
			break;
		case 1:
			s->generation = v % 16;
			break;
		case 2:
			s->seq = v;
			break;
		case 3:
			s->clean = v & 1;
			break;
		case 4:
			m->state = v >> 6;
			break;
		case 5:
			m->generation = v >> 4;
			break;
		case 6:
			memset(m->uuid, v >> 4, 16);
			break;
		case 7:
			memset(s->uuid, v & 3, 16);
			break;
		case 8:
			s->members = v % 33;
			break;
		case 9:
			s->raid = v % 12;
			break;
		case 10:
			s->chunk = 1ULL << v % 64;
			break;
		case 11:
			s->region = 1ULL << v % 64;
			break;
		case 12:
			s->member_bytes = (uint64_t)v << 16;
			break;
		case 13:
			s->name[0] = (char)v;
			break;
		case 14:
			s->generation = in.u64();
			break;
		case 15:
			s->member_bytes = in.u64();
			break;
		case 16:
			s->extents = v % 4;
			break;
		default:
			strcpy(s->extent[v % 4].name, "v0");
			s->extent[v % 4].name[1] = (char)v;
			s->extent[v % 4].place = in.u32();
			s->extent[v % 4].bytes = in.u32();
		}
	}
}

void
put_dirty(Input &in, Ram *r, const super *s)
{
	Bytes bits(DIRTY_BLOCK_BITS / 8);
	dirty_block b = {};

	b.seq = in.u8();
	b.index = in.u8() % 3 == 0 ? in.u8() : 0;
	memcpy(b.uuid, s->uuid, sizeof(b.uuid));
	bits[0] = in.u8();
	bits[bits.size() - 1] = in.u8();
	dirty_encode(&b, bits.data(), r->bytes + dirty_copy_off(0, b.seq & 1));
}

void
put_drive(Input &in, Ram *r, const super *plain, unsigned int i)
{
	static super s;
	uint8_t kind = in.u8();

	if (kind % 8 == 0)
		return; /* blank */
	s = *plain;
	s.index = i;
	for (unsigned int copy = 0; copy < 2; copy++) {
		uint8_t *at = r->bytes + super_copy_off(copy);

		if (copy == 0 && kind % 8 == 1) {
			super_mark mark = {};

			memcpy(mark.uuid, s.uuid, sizeof(mark.uuid));
			memcpy(mark.name, s.name, sizeof(mark.name));
			mark_encode(&mark, at);
			continue;
		}
		if (!(kind >> (4 + copy) & 1))
			bend(in, &s);
		super_encode(&s, at);
		if (kind & 8) {
			size_t off = in.u16();

			at[off] = in.u8();
			if (in.bit())
				reseal(at, SUPER_BYTES);
		}
		s.seq++;
	}
	if (kind & 0x40)
		put_dirty(in, r, &s);
	if (kind & 0x80)
		r->bytes[in.u32() % SUPER_DATA_OFF] ^= in.u8();
}

/* --- opening -------------------------------------------------------------------------------------------------------
 */

void
turn()
{
	strake_lcore_turn(std::max(strake_now(), strake_clock_ns()));
}

int
open_close(const conf_group *conf, unsigned int n, unsigned int turns)
{
	strake_drive *drives[kDrives];
	char err[512] = "";
	group *g = nullptr;
	int ret;

	for (unsigned int i = 0; i < n; i++) {
		char name[8];

		snprintf(name, sizeof(name), "d%u", i);
		opening = &ram[i];
		FUZZ_CHECK(strake_drive_open(&drives[i], name, "ram", nullptr, err, sizeof(err)) == 0);
		FUZZ_CHECK(strake_drive_lcore_init(drives[i]) == 0);
	}
	ret = group_open(&g, conf, drives, n, err, sizeof(err));
	if (getenv("FUZZ_SAY") != nullptr)
		fprintf(stderr, "%d %s\n", ret, err);
	if (ret == 0) {
		struct group_status st;
		unsigned int in_sync = 0;

		group_status(g, &st);
		FUZZ_CHECK(st.members >= 1 && st.members <= 32 && st.bytes > 0 && st.bytes <= (uint64_t)n * kBytes * 2);
		for (unsigned int i = 0; i < st.members; i++) {
			strake_drive *d;

			in_sync += group_member_get(g, i, &d) == GROUP_MEMBER_IN_SYNC;
			FUZZ_CHECK(group_member_get(g, i, &d) == GROUP_MEMBER_MISSING || d != nullptr);
		}
		FUZZ_CHECK(in_sync > 0);
		while (turns-- > 0)
			turn();
		group_close(g);
	} else {
		FUZZ_CHECK(ret < 0 && err[0] != 0 && strchr(err, '\n') == nullptr);
	}
	turn();
	for (unsigned int i = 0; i < n; i++) {
		FUZZ_CHECK(ram[i].ios.empty());
		strake_drive_lcore_fini(drives[i]);
		strake_drive_close(drives[i]);
	}
	return ret;
}

} // namespace

extern "C" int
LLVMFuzzerInitialize(int *, char ***argv)
{
	strake_pipeline_conf pc = {64, 64, 8, 0, nullptr};

	fuzz_eal((*argv)[0]);
	strake_drive_register(&ram_ops);
	FuzzLcores::create(0);
	FUZZ_CHECK(strake_pipeline_init(&pc) == 0 && strake_pipeline_lcore_init() == 0);
	return 0;
}

extern "C" int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static super plain;
	static const conf_raid raids[] = {CONF_RAID0, CONF_RAID1, CONF_RAID10};
	struct strake_buf_usage before, after;
	Input in(data, size);
	conf_group conf = {};
	unsigned int n = 1 + in.u8() % kDrives, turns = in.u8() % 64;

	conf.name = "g0";
	conf.raid = raids[in.u8() % 3];
	conf.chunk = 4096u << in.u8() % 9;
	conf.region = 1u << 20;
	conf.create = in.bit();
	conf.n_drives = in.bit() ? n : kDrives;
	plain_super(&plain, &conf, in.bit() ? n : conf.n_drives);
	bend(in, &plain);
	for (unsigned int i = 0; i < kDrives; i++) {
		memset(ram[i].bytes, 0, ram[i].data ? kBytes : SUPER_DATA_OFF);
		ram[i].data = false;
	}
	for (unsigned int i = 0; i < n; i++)
		put_drive(in, &ram[i], &plain, i);
	strake_buf_usage(&before);
	if (open_close(&conf, n, turns) == 0)
		FUZZ_CHECK(open_close(&conf, n, turns) == 0);
	strake_buf_usage(&after);
	FUZZ_CHECK(before.descriptors_free == after.descriptors_free);
	for (int i = 0; i < 4; i++)
		FUZZ_CHECK(before.pages_free[i] == after.pages_free[i]);
	return 0;
}
