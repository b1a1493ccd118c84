/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef FUZZ_TARGET_H
#define FUZZ_TARGET_H

/* A target with two subsystems over two volumes in memory: main and one data lcore. Made anew for every input, but for
 * pools, lcores and volumes. */

#include "fuzz_world.h"

extern "C" {
#include "nvmf.h"
#include "nvmf_mem_stage.h"
#include "strake_chain.h"
}

/* The target registers its figures whenever it is made, and DPDK never forgets a command: linked in the place of
 * rte_telemetry_register_cmd(). */
extern "C" int __wrap_rte_telemetry_register_cmd(const char *cmd, telemetry_cb fn, const char *help);
int
__wrap_rte_telemetry_register_cmd(const char *, telemetry_cb, const char *)
{
	return 0;
}

#define FUZZ_LISTED "nqn.2026-01.org.example:listed" /* for kHostA only */
#define FUZZ_OPEN   "nqn.2026-01.org.example:open"

class FuzzTarget
{
      public:
	static constexpr const char *kHostA = "nqn.2014-08.org.nvmexpress:uuid:aaaaaaaa-0000-0000-0000-000000000001";
	static constexpr const char *kHostB = "nqn.2014-08.org.nvmexpress:uuid:bbbbbbbb-0000-0000-0000-000000000002";
	static constexpr uint64_t kBytes = 128 * 1024; /* of each volume */

	static void
	create()
	{
		static const uint8_t ids[2][16] = {{0x10, 1, 2, 3, 4, 5, 0x46, 7, 0x88, 9},
						   {0x20, 1, 2, 3, 4, 5, 0x46, 7, 0x88, 9}};
		const strake_pipeline_conf pc = {64, 64, 4, 0, nullptr};

		FuzzLcores::create(1, 2048, 2u << 20);
		FUZZ_CHECK(strake_pipeline_init(&pc) == 0);
		for (uint16_t i = 0; i < 2; i++) {
			strake_lcore_enter(i);
			FUZZ_CHECK(strake_pipeline_lcore_init() == 0);
		}
		strake_lcore_enter(0);
		disk[0] = nvmf_mem_create("small", kBytes >> 9, 9, ids[0]);
		disk[1] = nvmf_mem_create("large", kBytes >> 12, 12, ids[1]);
		strake_lcore_enter(1);
		for (nvmf_mem *d : disk)
			FUZZ_CHECK(strake_stage_lcore_init(d->stage) == 0);
		configure();
	}
	static void
	set_up()
	{
		char err[256];

		FuzzLcores::begin();
		for (nvmf_mem *d : disk) {
			memset(d->bytes, 0, kBytes);
			d->hold = d->submitted = false;
			d->fail = 0;
		}
		strake_lcore_enter(0);
		FUZZ_CHECK(nvmf_create(&conf_, err, sizeof(err)) == 0);
		strake_lcore_enter(1);
		FUZZ_CHECK(nvmf_lcore_init() == 0);
	}
	/* What a disk does from now on. */
	static void
	disk_step(uint8_t how)
	{
		static const int errs[] = {0, 0, -EIO, -ENOSPC, -EROFS, -EBADMSG, -ETIMEDOUT, -ENOMEM};
		nvmf_mem *d = disk[how & 1];

		strake_lcore_enter(1);
		d->hold = (how & 2) != 0;
		d->submitted = (how & 4) != 0;
		d->fail = errs[how >> 3 & 7];
		if (!d->hold)
			nvmf_mem_release(d);
	}
	static void
	let_go()
	{
		FuzzHog::put();
		disk_step(0);
		disk_step(1);
	}
	/* A namespace comes, goes, or grows. On main. */
	static void
	ns_step(uint8_t how)
	{
		uint16_t self = strake_self_index();
		const char *nqn = how & 1 ? FUZZ_LISTED : FUZZ_OPEN;

		strake_lcore_enter(0);
		switch (how >> 1 & 3) {
		case 0:
			nvmf_ns_add(nqn, how >> 3 & 7, &disk[how >> 6 & 1]->vol);
			break;
		case 1:
			nvmf_ns_remove(nqn, how >> 3 & 7, nullptr, nullptr);
			break;
		default:
			nvmf_ns_resized(&disk[how >> 3 & 1]->vol, nullptr, nullptr);
		}
		strake_lcore_enter(self);
	}
	/* All queue pairs are gone. */
	static void
	tear_down()
	{
		FuzzLcores::turns(3);
		strake_lcore_enter(0);
		/* A look at what silent hosts may have sent takes 32 turns of an lcore, and another may be wanted. */
		for (int i = 0; i < 128 && !nvmf_drain(); i++)
			FuzzLcores::turn();
		FUZZ_CHECK(nvmf_drain());
		strake_lcore_enter(1);
		nvmf_lcore_fini();
		strake_lcore_enter(0);
		nvmf_destroy();
		FUZZ_CHECK(strake_pipeline_inflight() == 0);
		FuzzLcores::check_leaks();
	}

	static inline nvmf_mem *disk[2];

      private:
	static void
	configure()
	{
		for (int i = 0; i < 2; i++) {
			vols[i].name = i == 0 ? "small" : "large";
			spaces[i].nsid = i == 0 ? 1 : 3;
			spaces[i].volume = &vols[i];
		}
		hosts[0] = kHostA;
		subs[0].nqn = FUZZ_LISTED;
		subs[0].hosts = hosts;
		subs[0].n_hosts = 1;
		subs[1].nqn = FUZZ_OPEN;
		subs[1].any_host = true;
		for (conf_subsystem &s : subs) {
			s.namespaces = spaces;
			s.n_namespaces = 2;
			s.max_queues = 3;
			s.queue_depth = 32;
		}
		conf_.subsystems = subs;
		conf_.n_subsystems = 2;
	}
	static inline conf_volume vols[2];
	static inline conf_namespace spaces[2];
	static inline conf_subsystem subs[2];
	static inline const char *hosts[1];
	static inline conf conf_;
};

inline nvme_connect_data
fuzz_connect_data(uint8_t how, uint16_t cntlid)
{
	static const char *const subsystems[] = {FUZZ_OPEN, FUZZ_LISTED, NVME_DISCOVERY_NQN,
						 "nqn.2026-01.org.example:no"};
	nvme_connect_data d = {};

	memset(d.hostid, how & 4 ? 0x6b : 0x5a, sizeof(d.hostid));
	d.cntlid = cntlid;
	snprintf(d.subnqn, sizeof(d.subnqn), "%s", subsystems[how & 3]);
	snprintf(d.hostnqn, sizeof(d.hostnqn), "%s", how & 4 ? FuzzTarget::kHostB : FuzzTarget::kHostA);
	return d;
}

inline nvme_cmd
fuzz_connect_sqe(uint16_t qid, uint16_t sqsize, uint32_t kato, bool flow_off)
{
	nvme_cmd c = {};

	c.opc = NVME_OPC_FABRICS;
	c.fctype = NVME_FCTYPE_CONNECT;
	c.flags = NVME_CMD_PSDT_SGL;
	c.qid = qid;
	c.sqsize = sqsize;
	c.cattr = flow_off ? NVME_CONNECT_DISABLE_SQ_FLOW : 0;
	c.kato = kato;
	c.sgl.type = NVME_SGL_IN_CAPSULE;
	c.sgl.len = sizeof(nvme_connect_data);
	return c;
}

/* A command that is nearly right, with fields of the input's choice. */
inline nvme_cmd
fuzz_sqe(Input &in, bool admin)
{
	static const uint8_t admin_ops[] = {NVME_ADMIN_IDENTIFY,     NVME_ADMIN_GET_LOG_PAGE, NVME_ADMIN_SET_FEATURES,
					    NVME_ADMIN_GET_FEATURES, NVME_ADMIN_ASYNC_EVENT,  NVME_ADMIN_ABORT,
					    NVME_ADMIN_KEEP_ALIVE,   NVME_OPC_FABRICS};
	static const uint8_t io_ops[] = {NVME_IO_WRITE, NVME_IO_READ,	NVME_IO_COMPARE, NVME_IO_WRITE_ZEROES,
					 NVME_IO_DSM,	NVME_IO_VERIFY, NVME_IO_FLUSH,	 NVME_OPC_FABRICS};
	static const uint8_t resv_ops[] = {NVME_IO_RESV_REGISTER, NVME_IO_RESV_ACQUIRE, NVME_IO_RESV_RELEASE,
					   NVME_IO_RESV_REPORT};
	static const uint8_t fctypes[] = {NVME_FCTYPE_PROPERTY_GET, NVME_FCTYPE_PROPERTY_SET, NVME_FCTYPE_CONNECT,
					  NVME_FCTYPE_DISCONNECT};
	static const uint32_t nsids[] = {1, 3, 0, NVME_NSID_ALL};
	static const uint32_t props[] = {NVME_PROP_CC, NVME_PROP_CSTS, NVME_PROP_CAP, NVME_PROP_VS};
	uint8_t what = in.u8(), how = in.u8();
	nvme_cmd c = {};

	c.opc = what & 8 ? in.u8() : admin ? admin_ops[what & 7] : io_ops[what & 7];
	if (!admin && (what & 8) != 0 && c.opc < 64)
		c.opc = resv_ops[c.opc & 3];
	c.flags = (uint8_t)(NVME_CMD_PSDT_SGL | (how & 3 ? 0 : what >> 4 & 3));
	c.sgl.type = how & 4 ? NVME_SGL_IN_CAPSULE : NVME_SGL_TRANSPORT_DATA;
	if (c.opc == NVME_OPC_FABRICS) {
		c.fctype = how & 8 ? in.u8() : fctypes[what >> 6];
		c.attrib = how & 16 ? in.u8() : 0;
		c.ofst = how & 32 ? in.u32() : props[how >> 6];
		c.value = in.u32();
		c.sgl.len = c.fctype == NVME_FCTYPE_CONNECT ? (uint32_t)sizeof(nvme_connect_data) : 0;
	} else if (admin) {
		uint32_t numd = in.u16() & 0x7ff;

		c.nsid = nsids[what >> 6];
		c.cdw10 = in.u8();
		c.cdw11 = in.u8();
		c.sgl.len = c.opc == NVME_ADMIN_IDENTIFY ? NVME_IDENTIFY_LEN : 0;
		if (c.opc == NVME_ADMIN_GET_LOG_PAGE) {
			c.cdw10 |= numd << 16;
			c.cdw11 = 0;
			c.sgl.len = (numd + 1) * 4;
			c.cdw12 = how & 8 ? in.u32() : 0;
		}
		if (how & 16)
			c.sgl.len = in.u16();
	} else {
		uint32_t shift = what & 64 ? 12 : 9;

		c.nsid = nsids[what >> 6 & 1];
		c.slba = in.u8();
		c.nlb = how & 8 ? in.u16() : in.u8() & 15;
		c.sgl.len = (c.nlb + 1u) << shift;
		if (c.opc == NVME_IO_DSM) {
			c.cdw10 = how & 8 ? in.u8() : in.u8() & 7;
			c.cdw11 = NVME_DSM_AD;
			c.sgl.len = (c.cdw10 + 1) * (uint32_t)sizeof(nvme_dsm_range);
		} else if (c.opc == NVME_IO_FLUSH || c.opc == NVME_IO_WRITE_ZEROES || c.opc == NVME_IO_VERIFY) {
			c.sgl.len = 0;
		} else if (c.opc == resv_ops[0] || c.opc == resv_ops[1] || c.opc == resv_ops[2]) {
			c.cdw10 = (in.u16() & 0x70f) | (uint32_t)(in.u8() & 3) << 30;
			c.sgl.len = c.opc == NVME_IO_RESV_RELEASE ? 8 : 16;
		} else if (c.opc == NVME_IO_RESV_REPORT) {
			c.cdw10 = in.u8();
			c.cdw11 = how & 8 ? 0 : NVME_RESV_EDS;
			c.sgl.len = (c.cdw10 + 1) * 4;
		}
		if (how & 16)
			c.control = in.u16();
		if (how & 32)
			c.sgl.len = in.u32() & 0x3ffff;
	}
	if ((how & 192) == 192) /* any byte but the identifier */
		for (unsigned int n = 1 + in.u8() % 4; n > 0; n--) {
			uint8_t at = in.u8() % sizeof(c);

			if (at != 2 && at != 3)
				((uint8_t *)&c)[at] = in.u8();
		}
	return c;
}

#endif /* FUZZ_TARGET_H */
