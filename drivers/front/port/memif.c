/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* A memif server's socket, before the driver makes it. */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <rte_kvargs.h>

#include "port_impl.h"

/** @return whether nobody listens on the socket that lies there. */
static bool
is_left_over(const char *path)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	struct stat st;
	bool refused;
	int fd;

	if (strlen(path) >= sizeof(addr.sun_path) || lstat(path, &st) < 0 || !S_ISSOCK(st.st_mode))
		return false;
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return false;
	refused = connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 && errno == ECONNREFUSED;
	close(fd);
	return refused;
}

void
port_memif_clear(const char *device)
{
	const char *args = strchr(device, ','), *role, *abstract, *path;
	struct rte_kvargs *kv = args != NULL ? rte_kvargs_parse(args + 1, NULL) : NULL;

	if (kv == NULL)
		return;
	role = rte_kvargs_get(kv, "role");
	abstract = rte_kvargs_get(kv, "socket-abstract");
	path = rte_kvargs_get(kv, "socket");
	if (role != NULL && strcmp(role, "server") == 0 && abstract != NULL && strcmp(abstract, "no") == 0 &&
	    path != NULL && is_left_over(path))
		unlink(path);
	rte_kvargs_free(kv);
}
