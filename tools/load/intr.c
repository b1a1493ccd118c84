/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#define ALLOW_EXPERIMENTAL_API /* handles of interrupts are, in this release */

#include "intr.h"

#include <semaphore.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <rte_interrupts.h>

struct call {
	struct rte_intr_handle *handle;
	int fd;
	void (*fn)(void *arg); /* NULL: only to be heard */
	void *arg;
	sem_t done;
};

static void
heard(void *arg)
{
	struct call *c = arg;
	eventfd_t n;

	if (eventfd_read(c->fd, &n) < 0)
		return;
	if (c->fn != NULL)
		c->fn(c->arg);
	sem_post(&c->done);
}

static void
ask(struct call *c, void (*fn)(void *arg))
{
	c->fn = fn;
	eventfd_write(c->fd, 1);
	while (sem_wait(&c->done) < 0)
		;
}

static bool
listens(struct call *c)
{
	c->handle = rte_intr_instance_alloc(RTE_INTR_INSTANCE_F_PRIVATE);
	return c->handle != NULL && rte_intr_fd_set(c->handle, c->fd) == 0 &&
	       rte_intr_type_set(c->handle, RTE_INTR_HANDLE_EXT) == 0 &&
	       rte_intr_callback_register(c->handle, heard, c) == 0;
}

void
intr_call(void (*fn)(void *arg), void *arg)
{
	/* The thread keeps looking at it until the process ends, and there is one device. */
	static struct call c;

	c.arg = arg;
	c.fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (c.fd < 0 || sem_init(&c.done, 0, 0) != 0 || !listens(&c)) {
		fn(arg);
		return;
	}
	ask(&c, fn);
	/* A handle that was dropped wakes the thread before this does. */
	ask(&c, NULL);
}
