/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "ctl.h"

#include <errno.h>
#include <libgen.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <jansson.h>
#include <rte_common.h>

#include "strake_lcore.h"

#define CLIENTS_MAX 16

struct client {
	int fd;		/* -1: free */
	uint64_t waits; /* number of the request whose answer comes later; 0: none */
	size_t used;
	char line[CTL_LINE_MAX];
};

static struct {
	struct appliance *app;
	const struct ctl_ops *ops;
	struct strake_poller poller;
	int listen_fd;
	int epoll_fd; /* the listening socket and every client, so that main wakes for each */
	struct client clients[CLIENTS_MAX];
	struct client *current; /* whose request is being carried out */
	uint64_t last;		/* number given to a deferred request */
	bool busy;		/* a command runs turns of the loop */
} ctl = {.listen_fd = -1, .epoll_fd = -1};

const char *
ctl_value(const struct ctl_request *r, const char *key)
{
	for (unsigned int i = 0; i < r->n; i++) {
		if (strcmp(r->keys[i], key) == 0)
			return r->values[i];
	}
	return NULL;
}

int
ctl_refuse(json_t *answer, int ret, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	json_object_set_new(answer, "error", json_vsprintf(fmt, ap));
	va_end(ap);
	return ret;
}

int
ctl_number(const struct ctl_request *r, const char *key, uint64_t *out, json_t *answer)
{
	const char *text = ctl_value(r, key);
	char *end = NULL;

	if (text != NULL)
		*out = strtoull(text, &end, 0);
	if (text != NULL && end != text && *end == '\0')
		return 0;
	json_object_set_new(answer, "error", json_sprintf("%s needs %s=NUMBER", r->command, key));
	return -EINVAL;
}

/* --- one line ------------------------------------------------------------------------------------------------------
 */

static void
parse(char *line, struct ctl_request *r)
{
	char *save = NULL;

	for (char *word = strtok_r(line, " \t\r", &save); word != NULL; word = strtok_r(NULL, " \t\r", &save)) {
		char *eq = strchr(word, '=');

		if (eq == NULL && r->n == 0) {
			if (r->command[0] != '\0')
				strcat(r->command, " ");
			strcat(r->command, word);
		} else if (eq != NULL && r->n < CTL_WORDS_MAX) {
			*eq = '\0';
			r->keys[r->n] = word;
			r->values[r->n++] = eq + 1;
		}
	}
}

/* @return the answer's line, the caller's to free; NULL: no memory. */
static char *
print(json_t *answer, int ret)
{
	char *text, *line = NULL;

	json_object_set_new(answer, "ok", json_boolean(ret == 0));
	if (ret < 0 && json_object_get(answer, "error") == NULL)
		json_object_set_new(answer, "error", json_string(strerror(-ret)));
	text = json_dumps(answer, JSON_COMPACT);
	if (text != NULL && asprintf(&line, "%s\n", text) < 0)
		line = NULL;
	free(text);
	return line;
}

/* @return as print(); NULL also: it comes later. */
static char *
execute(const char *line)
{
	char copy[CTL_LINE_MAX];
	struct ctl_request r = {.n = 0};
	json_t *answer = json_object();
	char *out;
	int ret;

	snprintf(copy, sizeof(copy), "%s", line);
	parse(copy, &r);
	ret = ctl.ops->run(ctl.app, &r, answer);
	out = ret != CTL_LATER ? print(answer, ret) : NULL;
	json_decref(answer);
	return out;
}

/* --- the socket ----------------------------------------------------------------------------------------------------
 */

static void
drop(struct client *c)
{
	close(c->fd);
	c->fd = -1;
	c->waits = 0;
	c->used = 0;
}

/* A client that does not read its short answers loses them. */
static void
send_answer(struct client *c, const char *out)
{
	size_t len = strlen(out);

	if (send(c->fd, out, len, MSG_DONTWAIT | MSG_NOSIGNAL) != (ssize_t)len)
		drop(c);
}

static void
answer_line(struct client *c, const char *line)
{
	char *out;

	ctl.current = c;
	out = execute(line);
	ctl.current = NULL;
	if (out != NULL)
		send_answer(c, out);
	free(out);
}

uint64_t
ctl_defer(void)
{
	if (ctl.current != NULL)
		ctl.current->waits = ++ctl.last;
	return ctl.last;
}

void
ctl_finish(uint64_t request, int ret, const char *error)
{
	char *out;

	for (unsigned int i = 0; i < CLIENTS_MAX; i++) {
		struct client *c = &ctl.clients[i];
		json_t *answer;

		if (c->fd < 0 || c->waits != request)
			continue;
		answer = json_object();
		if (ret < 0 && error[0] != '\0')
			json_object_set_new(answer, "error", json_string(error));
		out = print(answer, ret);
		json_decref(answer);
		c->waits = 0;
		if (out != NULL)
			send_answer(c, out);
		free(out);
	}
}

static uint32_t
client_poll(struct client *c)
{
	ssize_t got;
	char *end;

	got = recv(c->fd, c->line + c->used, sizeof(c->line) - 1 - c->used, MSG_DONTWAIT);
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (got <= 0) {
		drop(c);
		return 1;
	}
	c->used += (size_t)got;
	c->line[c->used] = '\0';
	while (c->fd >= 0 && c->waits == 0 && (end = strchr(c->line, '\n')) != NULL) {
		*end = '\0';
		answer_line(c, c->line);
		c->used -= (size_t)(end + 1 - c->line);
		memmove(c->line, end + 1, c->used + 1);
	}
	if (c->fd >= 0 && c->used == sizeof(c->line) - 1)
		drop(c);
	return 1;
}

static int
watch(int fd)
{
	struct epoll_event ev = {.events = EPOLLIN};

	return epoll_ctl(ctl.epoll_fd, EPOLL_CTL_ADD, fd, &ev) < 0 ? -errno : 0;
}

static uint32_t
accept_poll(void)
{
	int fd = accept4(ctl.listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0)
		return 0;
	for (unsigned int i = 0; i < CLIENTS_MAX; i++) {
		if (ctl.clients[i].fd < 0 && watch(fd) == 0) {
			ctl.clients[i].fd = fd;
			return 1;
		}
	}
	close(fd);
	return 1;
}

static uint32_t
ctl_poll(struct strake_poller *p, uint64_t now)
{
	static uint64_t next;
	uint32_t work;

	RTE_SET_USED(p);
	if (ctl.busy) /* a command below runs turns of the loop */
		return 0;
	ctl.busy = true;
	work = ctl.ops->poll(ctl.app, now);
	ctl.busy = false;
	/* Main turns fast when it is busy; people type slowly. */
	if (now < next)
		return work;
	next = now + STRAKE_NS_PER_MS;
	ctl.busy = true;
	work += accept_poll();
	for (unsigned int i = 0; i < CLIENTS_MAX; i++) {
		if (ctl.clients[i].fd >= 0)
			work += client_poll(&ctl.clients[i]);
	}
	ctl.busy = false;
	return work;
}

static int
socket_open(const char *path)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	char dir[sizeof(addr.sun_path)];
	mode_t old;
	int fd, ret;

	if (strlen(path) >= sizeof(addr.sun_path))
		return -ENAMETOOLONG;
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	snprintf(dir, sizeof(dir), "%s", path);
	mkdir(dirname(dir), 0755);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	/* A second appliance of this name was refused already: what lies there is left over. */
	unlink(path);
	old = umask(0177);
	ret = bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 || listen(fd, CLIENTS_MAX) < 0 ? -errno : fd;
	umask(old);
	if (ret < 0)
		close(fd);
	return ret;
}

int
ctl_up(struct appliance *a, const struct ctl_ops *ops)
{
	int fd = socket_open(a->conf->appliance.control);

	if (fd < 0) {
		snprintf(a->err, sizeof(a->err), "%s: %s", a->conf->appliance.control, strerror(-fd));
		return fd;
	}
	ctl.app = a;
	ctl.ops = ops;
	ctl.listen_fd = fd;
	ctl.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (ctl.epoll_fd < 0 || watch(fd) < 0) {
		close(ctl.epoll_fd);
		close(fd);
		return -EMFILE;
	}
	for (unsigned int i = 0; i < CLIENTS_MAX; i++)
		ctl.clients[i].fd = -1;
	ctl.poller.name = "control";
	ctl.poller.poll = ctl_poll;
	ctl.poller.fd = ctl.epoll_fd;
	strake_poller_add(&ctl.poller);
	return 0;
}

void
ctl_down(struct appliance *a)
{
	strake_poller_del(&ctl.poller);
	ctl.ops->down(a);
	for (unsigned int i = 0; i < CLIENTS_MAX; i++) {
		if (ctl.clients[i].fd >= 0)
			drop(&ctl.clients[i]);
	}
	close(ctl.epoll_fd);
	close(ctl.listen_fd);
	unlink(a->conf->appliance.control);
}
