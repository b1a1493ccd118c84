/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "resume.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <rte_log.h>

RTE_LOG_REGISTER(resume_log, strake.resume, INFO)

int
resume_within(const char *path, uint32_t us)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), err;

	if (fd < 0)
		return -errno;
	if (write(fd, &us, sizeof(us)) == (ssize_t)sizeof(us))
		return fd;
	err = errno;
	close(fd);
	return -err;
}

int
resume_up(struct appliance *a)
{
	const struct conf_appliance *c = &a->conf->appliance;

	a->resume_fd = -1;
	if (c->idle == CONF_IDLE_SPIN)
		return 0;
	a->resume_fd = resume_within("/dev/cpu_dma_latency", c->resume_us);
	if (a->resume_fd < 0)
		rte_log(RTE_LOG_NOTICE, resume_log, "CPUs cannot be kept to `resume_us: %u`: %s\n", c->resume_us,
			strerror(-a->resume_fd));
	return 0;
}

void
resume_down(struct appliance *a)
{
	if (a->resume_fd >= 0)
		close(a->resume_fd);
}
