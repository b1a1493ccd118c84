/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef NVMF_PEERS_H
#define NVMF_PEERS_H

/* Several hosts, each with a host identifier of its own, at one subsystem; and their reservation commands. */

#include "rig.h"

struct Peer {
	Host *admin = nullptr, *io = nullptr;
	uint8_t id = 0;
};

class Peers : public Rig
{
      protected:
	nvme_connect_data
	data_of(uint8_t id, const char *subnqn, uint16_t cntlid = 0xffff)
	{
		char nqn[64];

		snprintf(nqn, sizeof(nqn), "nqn.2026-01.org.example:host%u", id);
		nvme_connect_data d = connect_data(subnqn, nqn, cntlid);
		memset(d.hostid, id, sizeof(d.hostid));
		return d;
	}

	Peer
	peer(uint8_t id, uint16_t lcore = 1, const char *subnqn = SUB_OPEN)
	{
		Peer p;

		p.id = id;
		p.admin = &host(lcore);
		Cmd &c = connect(*p.admin, connect_sqe(0), data_of(id, subnqn));
		EXPECT_EQ(0, c.sc());
		p.admin->cntlid = (uint16_t)c.c.cqe.cdw0;
		EXPECT_EQ(0, property_set(*p.admin, NVME_PROP_CC, kEnable).sc());
		p.io = &host(lcore);
		EXPECT_EQ(0, connect(*p.io, connect_sqe(1), data_of(id, subnqn, p.admin->cntlid)).sc());
		return p;
	}

	static nvme_cmd
	resv_sqe(uint8_t opc, uint32_t cdw10, uint32_t nsid = 1)
	{
		nvme_cmd sqe = {};

		sqe.opc = opc;
		sqe.nsid = nsid;
		sqe.cdw10 = cdw10;
		return sqe;
	}

	static std::vector<uint8_t>
	keys(uint64_t a, uint64_t b)
	{
		return bytes_of(nvme_resv_keys{a, b});
	}

	uint16_t
	reg(const Peer &p, uint64_t key, uint32_t more = 0, uint64_t old = 0, uint32_t nsid = 1)
	{
		return run(*p.io, resv_sqe(NVME_IO_RESV_REGISTER, more, nsid), keys(old, key)).sc();
	}

	uint16_t
	acquire(const Peer &p, uint64_t key, uint32_t type, uint32_t action = NVME_RACQA_ACQUIRE, uint64_t other = 0)
	{
		return run(*p.io, resv_sqe(NVME_IO_RESV_ACQUIRE, action | type << 8), keys(key, other)).sc();
	}

	uint16_t
	release(const Peer &p, uint64_t key, uint32_t type, uint32_t action = NVME_RRELA_RELEASE)
	{
		return run(*p.io, resv_sqe(NVME_IO_RESV_RELEASE, action | type << 8), bytes_of(key)).sc();
	}

	Cmd &
	report(const Peer &p, uint32_t len = 64 + 8 * 64, uint32_t eds = 1, uint32_t nsid = 1)
	{
		nvme_cmd sqe = resv_sqe(NVME_IO_RESV_REPORT, len / 4 - 1, nsid);

		sqe.cdw11 = eds;
		sqe.sgl.len = len;
		return run(*p.io, sqe);
	}

	/* "gen type persists: host=key*, ..." with a star for who holds it. */
	std::string
	state_of(const Peer &p, uint32_t nsid = 1)
	{
		Cmd &c = report(p, 64 + 64 * 64, 1, nsid);
		EXPECT_EQ(0, c.sc());
		const nvme_resv_status *st = c.as<nvme_resv_status>();
		const nvme_resv_registrant *r = reinterpret_cast<const nvme_resv_registrant *>(st + 1);
		std::string s = std::to_string(st->gen) + " " + std::to_string(st->rtype) + " " +
				std::to_string(st->ptpls) + ":";

		for (unsigned i = 0; i < (unsigned)(st->regctl[0] | st->regctl[1] << 8); i++) {
			EXPECT_EQ(0xffff, r[i].cntlid);
			s += " " + std::to_string(r[i].hostid[0]) + "=" + std::to_string(r[i].rkey) +
			     (r[i].rcsts & 1 ? "*" : "");
		}
		return s;
	}

	uint16_t
	write_one(const Peer &p, uint32_t nsid = 1)
	{
		return run(*p.io, rw(NVME_IO_WRITE, 0, 1, 0, nsid), pattern(nsid == 1 ? 512 : 4096)).sc();
	}

	uint16_t
	read_one(const Peer &p, uint32_t nsid = 1)
	{
		return run(*p.io, rw(NVME_IO_READ, 0, 1, nsid == 1 ? 512 : 4096, nsid)).sc();
	}
};

#endif /* NVMF_PEERS_H */
