/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "fake_target.h"

#include <arpa/inet.h>
#include <cstring>
#include <map>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "crc.h"

namespace
{

/* One connection: a queue of the controller. */
class Conn
{
      public:
	Conn(FakeTarget *t, int fd) : t_(t), c_(t->conf()), fd_(fd)
	{
	}

	void
	run()
	{
		std::vector<uint8_t> in(1 << 20);
		size_t have = 0;

		while (!over_) {
			ssize_t n = recv(fd_, in.data() + have, in.size() - have, 0);

			if (n <= 0)
				break;
			if (c_.silent)
				continue;
			have += (size_t)n;
			size_t used = 0;
			while (!over_ && have - used >= 8) {
				nvme_tcp_ch ch;

				memcpy(&ch, in.data() + used, sizeof(ch));
				if (ch.plen < 8 || ch.plen > in.size()) {
					t_->violate("PDU length");
					over_ = true;
				}
				if (over_ || have - used < ch.plen)
					break;
				pdu(in.data() + used, ch);
				used += ch.plen;
			}
			memmove(in.data(), in.data() + used, have - used);
			have -= used;
			flush();
		}
		flush();
	}

      private:
	struct Write {
		nvme_cmd cmd;
		uint32_t len, got, granted;
		std::vector<uint8_t> data;
	};

	void
	flush()
	{
		size_t at = 0;

		while (at < out_.size()) {
			ssize_t n = send(fd_, out_.data() + at, out_.size() - at, MSG_NOSIGNAL);

			if (n <= 0) {
				over_ = true;
				break;
			}
			at += (size_t)n;
		}
		out_.clear();
	}

	void
	put(const void *p, size_t n)
	{
		out_.insert(out_.end(), (const uint8_t *)p, (const uint8_t *)p + n);
	}

	void
	put_crc(const void *p, size_t n)
	{
		uint32_t crc = crc_of(p, n);

		put(&crc, sizeof(crc));
	}

	void
	head(nvme_tcp_ch *ch, uint8_t type, uint8_t hlen, uint32_t data, uint8_t flags)
	{
		uint32_t h = hlen + (hdgst_ ? 4u : 0u);

		*ch = nvme_tcp_ch{};
		ch->type = type;
		ch->hlen = hlen;
		ch->flags =
			(uint8_t)(flags | (hdgst_ ? NVME_TCP_F_HDGST : 0) | (data && ddgst_ ? NVME_TCP_F_DDGST : 0));
		ch->pdo = data ? (uint8_t)h : 0;
		ch->plen = h + data + (data && ddgst_ ? 4u : 0u);
	}

	void
	emit(const void *hdr, uint8_t hlen, const uint8_t *data, uint32_t n)
	{
		put(hdr, hlen);
		if (hdgst_)
			put_crc(hdr, hlen);
		if (n == 0)
			return;
		put(data, n);
		if (ddgst_) {
			put_crc(data, n);
			if (c_.bad_ddgst && qid_ > 0)
				out_.back() ^= 1;
		}
	}

	void
	respond(const nvme_cmd &cmd, uint16_t sc, uint64_t result = 0)
	{
		nvme_tcp_capsule_resp r{};
		nvme_cpl cpl{};

		cpl.result64 = result;
		cpl.cid = cmd.cid;
		cpl.status = NVME_CPL_STATUS(sc, 0);
		memcpy(r.cqe, &cpl, sizeof(cpl));
		head(&r.ch, NVME_TCP_CAPSULE_RESP, sizeof(r), 0, 0);
		emit(&r, sizeof(r), nullptr, 0);
	}

	void
	send_data(const nvme_cmd &cmd, const uint8_t *p, uint32_t len)
	{
		for (uint32_t at = 0; at < len;) {
			uint32_t n = std::min(c_.c2h_max, len - at);
			bool last = at + n == len;
			nvme_tcp_data d{};

			head(&d.ch, NVME_TCP_C2H_DATA, sizeof(d), n,
			     (uint8_t)((last ? NVME_TCP_F_LAST : 0) |
				       (last && c_.success_flag ? NVME_TCP_F_SUCCESS : 0)));
			d.cccid = cmd.cid;
			d.datao = at;
			d.datal = n;
			emit(&d, sizeof(d), p + at, n);
			at += n;
		}
		if (!c_.success_flag)
			respond(cmd, 0);
	}

	void
	pdu(const uint8_t *p, const nvme_tcp_ch &ch)
	{
		if (!ready_) {
			icreq(p, ch);
			return;
		}
		if ((ch.flags & NVME_TCP_F_HDGST) != (hdgst_ ? NVME_TCP_F_HDGST : 0) && ch.type != NVME_TCP_H2C_TERM)
			t_->violate("header digest flag");
		if (hdgst_ && ch.type != NVME_TCP_H2C_TERM) {
			uint32_t crc;

			memcpy(&crc, p + ch.hlen, 4);
			if (crc != crc_of(p, ch.hlen))
				t_->violate("header digest");
		}
		if (ch.type == NVME_TCP_CAPSULE_CMD)
			capsule(p, ch);
		else if (ch.type == NVME_TCP_H2C_DATA)
			h2c(p, ch);
		else if (ch.type == NVME_TCP_H2C_TERM)
			over_ = true;
		else
			t_->violate("PDU type");
	}

	void
	icreq(const uint8_t *p, const nvme_tcp_ch &ch)
	{
		nvme_tcp_icreq req;
		nvme_tcp_icresp r{};

		if (ch.type != NVME_TCP_ICREQ || ch.plen != 128 || ch.hlen != 128)
			t_->violate("ICReq");
		memcpy(&req, p, sizeof(req));
		if (c_.close_at_icreq) {
			over_ = true;
			return;
		}
		r.ch.type = NVME_TCP_ICRESP;
		r.ch.hlen = sizeof(r);
		r.ch.plen = sizeof(r);
		r.cpda = c_.cpda;
		r.dgst = c_.refuse_digests ? 0 : req.dgst;
		r.maxh2c = c_.max_h2c;
		put(&r, sizeof(r));
		hdgst_ = r.dgst & NVME_TCP_DGST_HDR;
		ddgst_ = r.dgst & NVME_TCP_DGST_DATA;
		ready_ = true;
	}

	/* Data of a PDU, checked. */
	const uint8_t *
	data_of(const uint8_t *p, const nvme_tcp_ch &ch, uint32_t *len)
	{
		*len = 0;
		if (ch.pdo == 0)
			return nullptr;
		*len = ch.plen - ch.pdo - (ddgst_ ? 4u : 0u);
		if (ch.pdo % ((c_.cpda + 1u) * 4) != 0)
			t_->violate("data alignment");
		if (ddgst_) {
			uint32_t crc;

			memcpy(&crc, p + ch.plen - 4, 4);
			if (crc != crc_of(p + ch.pdo, *len))
				t_->violate("data digest");
		}
		return p + ch.pdo;
	}

	void
	capsule(const uint8_t *p, const nvme_tcp_ch &ch)
	{
		const uint8_t *data;
		nvme_cmd cmd;
		uint32_t len;

		memcpy(&cmd, p + 8, sizeof(cmd));
		data = data_of(p, ch, &len);
		if ((cmd.flags & NVME_CMD_PSDT_MASK) != NVME_CMD_PSDT_SGL)
			t_->violate("PSDT");
		if (data != nullptr && (cmd.sgl.type != NVME_SGL_IN_CAPSULE || cmd.sgl.len != len))
			t_->violate("in-capsule SGL");
		if (qid_ > 0 && len > c_.in_capsule && cmd.opc != NVME_OPC_FABRICS)
			t_->violate("in-capsule data too long");
		if (cmd.opc == NVME_OPC_FABRICS)
			fabrics(cmd, data, len);
		else if (qid_ == 0)
			admin(cmd);
		else
			io(cmd, data, len);
	}

	void
	fabrics(const nvme_cmd &cmd, const uint8_t *data, uint32_t len)
	{
		if (cmd.fctype == NVME_FCTYPE_CONNECT) {
			connect(cmd, data, len);
		} else if (cmd.fctype == NVME_FCTYPE_PROPERTY_GET) {
			if (cmd.ofst == NVME_PROP_CAP)
				respond(cmd, 0, (uint64_t)c_.mqes | NVME_CAP_TO(1) | NVME_CAP_CSS_NVM);
			else if (cmd.ofst == NVME_PROP_VS)
				respond(cmd, 0, NVME_VERSION(2, 0, 0));
			else
				respond(cmd, 0,
					(uint64_t)(en_ && !c_.never_ready) | (shut_ ? NVME_CSTS_SHST_COMPLETE : 0));
		} else if (cmd.fctype == NVME_FCTYPE_PROPERTY_SET) {
			en_ = NVME_CC_EN(cmd.value);
			shut_ = NVME_CC_SHN(cmd.value) != 0;
			t_->shutdowns += shut_;
			respond(cmd, 0);
		} else {
			respond(cmd, NVME_SC_INVALID_FIELD);
		}
	}

	void
	connect(const nvme_cmd &cmd, const uint8_t *data, uint32_t len)
	{
		nvme_connect_data d;
		bool known;

		if (len != sizeof(d)) {
			t_->violate("Connect data");
			respond(cmd, NVME_SC_CONNECT_FORMAT);
			return;
		}
		memcpy(&d, data, sizeof(d));
		qid_ = cmd.qid;
		discovery_ = strcmp(d.subnqn, NVME_DISCOVERY_NQN) == 0;
		known = discovery_;
		for (const auto &s : c_.subsystems)
			known = known || s == d.subnqn;
		if (cmd.sqsize == 0 || cmd.sqsize > c_.mqes)
			t_->violate("SQSIZE");
		if (qid_ == 0 && d.cntlid != NVME_CNTLID_DYNAMIC)
			t_->violate("CNTLID of the admin queue");
		if (qid_ > 0 && d.cntlid != 7)
			t_->violate("CNTLID of an I/O queue");
		if (qid_ == 0)
			t_->connect_kato = cmd.kato;
		if (!known)
			respond(cmd, NVME_SC_CONNECT_INVALID, NVME_CONNECT_IN_DATA(256));
		else if (!c_.allowed_host.empty() && c_.allowed_host != d.hostnqn)
			respond(cmd, NVME_SC_CONNECT_HOST);
		else
			respond(cmd, 0, 7);
	}

	void
	identify(const nvme_cmd &cmd)
	{
		std::vector<uint8_t> page(4096);
		auto *ct = (nvme_id_ctrlr *)page.data();
		auto *ns = (nvme_id_ns *)page.data();
		auto *list = (nvme_ns_list *)page.data();

		switch (cmd.cdw10 & 0xff) {
		case NVME_CNS_CTRLR:
			memcpy(ct->mn, "FAKE TARGET                             ", 40);
			memcpy(ct->sn, "0001\x1b[31m            ", 20);
			ct->mdts = c_.mdts;
			ct->sqes = 0x66;
			ct->cqes = 0x44;
			ct->ioccsz = 4 + c_.in_capsule / 16;
			ct->iorcsz = 1;
			ct->nn = 1;
			ct->oncs = NVME_ONCS_DSM | NVME_ONCS_WRITE_ZEROES;
			strcpy(ct->subnqn, c_.subsystems[0].c_str());
			break;
		case NVME_CNS_NS:
			if (cmd.nsid != 1)
				break;
			ns->nsze = ns->ncap = ns->nuse = c_.bytes >> c_.lba_shift;
			ns->lbaf[0].lbads = (uint8_t)c_.lba_shift;
			memset(ns->nguid, 0xab, 16);
			break;
		case NVME_CNS_ACTIVE_NS:
			list->nsid[0] = 1;
			break;
		default:
			respond(cmd, NVME_SC_INVALID_FIELD);
			return;
		}
		send_data(cmd, page.data(), 4096);
	}

	void
	log_page(const nvme_cmd &cmd)
	{
		uint32_t len = (((cmd.cdw10 >> 16) | cmd.cdw11 << 16) + 1) * 4;
		std::vector<uint8_t> log(1024 * (1 + c_.subsystems.size()) + len + cmd.cdw12);
		auto *h = (nvme_discovery_log *)log.data();
		auto *e = (nvme_discovery_entry *)(h + 1);

		h->genctr = 1;
		h->numrec = c_.subsystems.size();
		for (const auto &s : c_.subsystems) {
			e->trtype = NVME_TRTYPE_TCP;
			e->adrfam = NVME_ADRFAM_IPV4;
			e->subtype = NVME_DISC_NVM;
			memset(e->trsvcid, ' ', sizeof(e->trsvcid));
			memcpy(e->trsvcid, "4420", 4);
			strcpy(e->subnqn, s.c_str());
			strcpy(e->traddr, "127.0.0.1");
			e++;
		}
		send_data(cmd, log.data() + cmd.cdw12, len);
	}

	void
	admin(const nvme_cmd &cmd)
	{
		switch (cmd.opc) {
		case NVME_ADMIN_IDENTIFY:
			identify(cmd);
			break;
		case NVME_ADMIN_GET_LOG_PAGE:
			log_page(cmd);
			break;
		case NVME_ADMIN_SET_FEATURES:
			respond(cmd, 0, (uint32_t)((c_.queues - 1) | (c_.queues - 1) << 16));
			break;
		case NVME_ADMIN_KEEP_ALIVE:
			t_->keep_alives++;
			respond(cmd, 0);
			break;
		default:
			respond(cmd, NVME_SC_INVALID_OPCODE);
		}
	}

	bool
	range(const nvme_cmd &cmd, uint64_t *at, uint32_t *len)
	{
		*at = cmd.slba << c_.lba_shift;
		*len = (uint32_t)(cmd.nlb + 1) << c_.lba_shift;
		return *at + *len <= c_.bytes;
	}

	void
	io(const nvme_cmd &cmd, const uint8_t *data, uint32_t len)
	{
		uint64_t at;
		uint32_t n;
		int nth = t_->ios++;

		if (c_.never_answer_io)
			return;
		if (c_.close_after_io >= 0 && nth >= c_.close_after_io) {
			over_ = true;
			return;
		}
		if (c_.fail_io_status != 0) {
			respond(cmd, (uint16_t)c_.fail_io_status);
			return;
		}
		if (cmd.opc == NVME_IO_FLUSH) {
			t_->flushes++;
			respond(cmd, 0);
		} else if (cmd.opc == NVME_IO_DSM) {
			dsm(cmd, data, len);
		} else if (!range(cmd, &at, &n)) {
			respond(cmd, NVME_SC_LBA_RANGE);
		} else if (cmd.opc == NVME_IO_READ) {
			read(cmd, at, n);
		} else if (cmd.opc == NVME_IO_WRITE_ZEROES) {
			memset(t_->disk().data() + at, 0, n);
			respond(cmd, 0);
		} else if (cmd.opc == NVME_IO_WRITE) {
			t_->fua += (cmd.control & NVME_RW_FUA) != 0;
			if (data != nullptr && len == n) {
				store(cmd, data);
				return;
			}
			if (data != nullptr || cmd.sgl.type != NVME_SGL_TRANSPORT_DATA || cmd.sgl.len != n)
				t_->violate("write SGL");
			writes_[cmd.cid] = Write{cmd, n, 0, 0, std::vector<uint8_t>(n)};
			grant(writes_[cmd.cid]);
		} else {
			respond(cmd, NVME_SC_INVALID_OPCODE);
		}
	}

	void
	read(const nvme_cmd &cmd, uint64_t at, uint32_t n)
	{
		uint8_t *p = t_->disk().data() + at;
		bool corrupt = t_->reads++ == c_.corrupt_read;

		p[n / 2] ^= corrupt;
		send_data(cmd, p, n);
		p[n / 2] ^= corrupt;
	}

	void
	dsm(const nvme_cmd &cmd, const uint8_t *data, uint32_t len)
	{
		nvme_dsm_range r;

		if (len != sizeof(r)) {
			t_->violate("DSM data");
			return;
		}
		memcpy(&r, data, sizeof(r));
		memset(t_->disk().data() + (r.slba << c_.lba_shift), 0, (size_t)r.nlb << c_.lba_shift);
		respond(cmd, 0);
	}

	void
	store(const nvme_cmd &cmd, const uint8_t *data)
	{
		if (t_->writes++ != c_.lose_write)
			memcpy(t_->disk().data() + (cmd.slba << c_.lba_shift), data,
			       (size_t)(cmd.nlb + 1) << c_.lba_shift);
		respond(cmd, 0);
	}

	void
	grant(Write &w)
	{
		nvme_tcp_r2t r{};

		r.cccid = w.cmd.cid;
		r.ttag = (uint16_t)(w.cmd.cid ^ 0x5555);
		r.r2to = w.granted;
		r.r2tl = std::min(c_.r2t_max, w.len - w.granted);
		w.granted += r.r2tl;
		t_->r2ts++;
		head(&r.ch, NVME_TCP_R2T, sizeof(r), 0, 0);
		emit(&r, sizeof(r), nullptr, 0);
	}

	void
	h2c(const uint8_t *p, const nvme_tcp_ch &ch)
	{
		const uint8_t *data;
		nvme_tcp_data d;
		uint32_t len;

		t_->h2c_pdus++;
		memcpy(&d, p, sizeof(d));
		data = data_of(p, ch, &len);
		auto it = writes_.find(d.cccid);
		if (it == writes_.end() || d.ttag != (uint16_t)(d.cccid ^ 0x5555) || d.datal != len ||
		    d.datao != it->second.got || d.datao + len > it->second.granted || len > c_.max_h2c ||
		    ((ch.flags & NVME_TCP_F_LAST) != 0) != (d.datao + len == it->second.granted)) {
			t_->violate("H2CData");
			over_ = true;
			return;
		}
		Write &w = it->second;
		memcpy(w.data.data() + d.datao, data, len);
		w.got += len;
		if (w.got == w.len) {
			store(w.cmd, w.data.data());
			writes_.erase(it);
		} else if (w.got == w.granted) {
			grant(w);
		}
	}

	FakeTarget *t_;
	const FakeTargetConf &c_;
	int fd_;
	bool ready_ = false, over_ = false, hdgst_ = false, ddgst_ = false, en_ = false, shut_ = false,
	     discovery_ = false;
	uint16_t qid_ = 0;
	std::vector<uint8_t> out_;
	std::map<uint16_t, Write> writes_;
};

} // namespace

FakeTarget::FakeTarget(const FakeTargetConf &conf) : conf_(conf), disk_(conf.bytes)
{
	sockaddr_in a{};
	socklen_t len = sizeof(a);

	listen_fd_ = socket(AF_INET, SOCK_STREAM, 0);
	a.sin_family = AF_INET;
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(listen_fd_, (sockaddr *)&a, sizeof(a)) < 0 || listen(listen_fd_, 64) < 0)
		abort();
	getsockname(listen_fd_, (sockaddr *)&a, &len);
	port_ = ntohs(a.sin_port);
	acceptor_ = std::thread([this] { accept_loop(); });
}

void
FakeTarget::accept_loop()
{
	for (;;) {
		int one = 1, fd = accept(listen_fd_, nullptr, nullptr);

		if (fd < 0 || stop_) {
			if (fd >= 0)
				close(fd);
			return;
		}
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		std::lock_guard<std::mutex> g(lock_);
		fds_.push_back(fd);
		conns_.emplace_back([this, fd] {
			Conn(this, fd).run();
			shutdown(fd, SHUT_RDWR);
		});
	}
}

FakeTarget::~FakeTarget()
{
	stop_ = true;
	shutdown(listen_fd_, SHUT_RDWR);
	acceptor_.join();
	for (int fd : fds_)
		shutdown(fd, SHUT_RDWR);
	for (auto &t : conns_)
		t.join();
	for (int fd : fds_)
		close(fd);
	close(listen_fd_);
}

void
FakeTarget::violate(const std::string &what)
{
	std::lock_guard<std::mutex> g(lock_);

	if (violation_.empty())
		violation_ = what;
}

std::string
FakeTarget::violation()
{
	std::lock_guard<std::mutex> g(lock_);

	return violation_;
}
