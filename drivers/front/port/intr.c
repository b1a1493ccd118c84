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

static struct {
	struct rte_intr_handle *handle; /* registered for the life of the process */
	int fd;
	sem_t done;
	void (*fn)(void *arg);
	void *arg;
} post;

static void
called(void *arg __rte_unused)
{
	eventfd_t n;

	if (eventfd_read(post.fd, &n) < 0)
		return;
	if (post.fn != NULL)
		post.fn(post.arg);
	sem_post(&post.done);
}

static bool
ready(void)
{
	if (post.handle != NULL)
		return true;
	post.fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (post.fd < 0)
		return false;
	post.handle = rte_intr_instance_alloc(RTE_INTR_INSTANCE_F_PRIVATE);
	if (post.handle != NULL && rte_intr_fd_set(post.handle, post.fd) == 0 &&
	    rte_intr_type_set(post.handle, RTE_INTR_HANDLE_EXT) == 0 && sem_init(&post.done, 0, 0) == 0 &&
	    rte_intr_callback_register(post.handle, called, NULL) == 0)
		return true;
	rte_intr_instance_free(post.handle);
	post.handle = NULL;
	close(post.fd);
	return false;
}

static void
call(void (*fn)(void *arg), void *arg)
{
	post.fn = fn;
	post.arg = arg;
	eventfd_write(post.fd, 1);
	while (sem_wait(&post.done) < 0)
		;
}

void
port_intr_call(void (*fn)(void *arg), void *arg)
{
	if (!ready()) {
		fn(arg);
		return;
	}
	call(fn, arg);
	/* A handle that was dropped wakes the thread before this does. */
	call(NULL, NULL);
}
