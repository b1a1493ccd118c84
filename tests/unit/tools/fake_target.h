/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef FAKE_TARGET_H
#define FAKE_TARGET_H

/**
 * @file
 * The smallest NVMe/TCP target that an initiator can work with: a RAM disk behind a listening socket on loopback, one
 * thread a connection. It checks what the initiator sends, and can be told to misbehave.
 */

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "nvme_spec.h"
#include "nvme_tcp_spec.h"

struct FakeTargetConf {
	bool hdgst = false, ddgst = false; /* accepted when asked for; set by the initiator's ICReq */
	bool refuse_digests = false;
	uint32_t max_h2c = 8192;
	uint32_t in_capsule = 4096;
	uint32_t r2t_max = 16384; /* bytes asked for at a time */
	uint32_t c2h_max = 32768; /* bytes in one C2HData */
	uint8_t cpda = 0;
	uint16_t mqes = 127;
	uint16_t queues = 8;
	uint8_t mdts = 5; /* 128 KiB */
	uint32_t lba_shift = 9;
	uint64_t bytes = 32ull << 20;
	bool success_flag = true; /* reads end with the data, without a completion */
	std::vector<std::string> subsystems = {"nqn.2026-01.test:a"};
	std::string allowed_host; /* "" any */
	/* misbehaviour */
	bool never_ready = false; /* CSTS.RDY stays 0 */
	bool silent = false;	  /* accepts connections, says nothing */
	bool close_at_icreq = false;
	bool never_answer_io = false;
	int fail_io_status = 0;	 /* NVME_SC of every I/O command */
	int corrupt_read = -1;	 /* the n-th read has a byte flipped (digest is of the flipped) */
	int lose_write = -1;	 /* the n-th write is acknowledged and thrown away */
	int close_after_io = -1; /* close the connection at the n-th I/O command */
	bool bad_ddgst = false;
};

class FakeTarget
{
      public:
	explicit FakeTarget(const FakeTargetConf &conf = FakeTargetConf());
	~FakeTarget();

	uint16_t
	port() const
	{
		return port_;
	}
	/* What the initiator did wrong, "" when nothing. */
	std::string violation();
	std::vector<uint8_t> &
	disk()
	{
		return disk_;
	}
	const FakeTargetConf &
	conf() const
	{
		return conf_;
	}
	void violate(const std::string &what);

	std::atomic<int> keep_alives{0}, reads{0}, writes{0}, ios{0}, h2c_pdus{0}, r2ts{0}, shutdowns{0}, fua{0},
		flushes{0};
	std::atomic<uint32_t> connect_kato{0};

      private:
	void accept_loop();

	FakeTargetConf conf_;
	std::vector<uint8_t> disk_;
	int listen_fd_ = -1;
	uint16_t port_ = 0;
	std::atomic<bool> stop_{false};
	std::thread acceptor_;
	std::vector<std::thread> conns_;
	std::mutex lock_;
	std::vector<int> fds_;
	std::string violation_;
};

#endif /* FAKE_TARGET_H */
