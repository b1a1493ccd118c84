/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/*
 * Preloaded into the appliance, puts words into the mouths of its NVMe drives: what Identify and Get Log Page bring, by
 * the kernel's ioctls, is theirs but for the bytes that the file named by NVME_WORDS says. It is read at each answer; a
 * line is
 *
 *     ng0n1 2 2 5 95
 *
 * the device, the opcode (2 Get Log Page, 6 Identify), the log page or structure, the place, and the byte to be there.
 */

#include <dlfcn.h>
#include <linux/nvme_ioctl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static void
alter(int fd, const struct nvme_admin_cmd *cmd)
{
	char link[32], path[64] = "", device[32];
	unsigned int opcode, page, at, byte;
	const char *words = getenv("NVME_WORDS");
	FILE *f = words != NULL ? fopen(words, "re") : NULL;

	if (f == NULL)
		return;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	if (readlink(link, path, sizeof(path) - 1) > 0) {
		while (fscanf(f, "%31s %u %u %u %u", device, &opcode, &page, &at, &byte) == 5) {
			if (strcmp(device, path + strlen("/dev/")) == 0 && opcode == cmd->opcode &&
			    page == (cmd->cdw10 & 0xff) && at < cmd->data_len)
				((uint8_t *)(uintptr_t)cmd->addr)[at] = (uint8_t)byte;
		}
	}
	fclose(f);
}

int
ioctl(int fd, unsigned long request, ...)
{
	int (*real)(int, unsigned long, ...) = (int (*)(int, unsigned long, ...))dlsym(RTLD_NEXT, "ioctl");
	va_list ap;
	void *arg;
	int ret;

	va_start(ap, request);
	arg = va_arg(ap, void *);
	va_end(ap);
	ret = real(fd, request, arg);
	/* Both structures begin alike. */
	if (ret == 0 && (request == NVME_IOCTL_ADMIN_CMD || request == NVME_IOCTL_ADMIN64_CMD))
		alter(fd, arg);
	return ret;
}
