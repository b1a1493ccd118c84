/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "link.h"

#define REPLY_MAX    (1u << 20)
#define REPLY_SECS   10
#define PAGE	     512 /* entries in one array, at most: the telemetry library's limit */
#define CONTROL_LINE 65536

struct tel {
	int fd;
	size_t room;
	char *reply;
};

static int
fail(char *err, int ret, const char *what, const char *why)
{
	snprintf(err, LINK_ERR_MAX, "%s: %s", what, why);
	return ret;
}

static int
unix_connect(const char *path, int type, char *err)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	struct timeval tv = {.tv_sec = REPLY_SECS};
	int fd, ret;

	if (strlen(path) >= sizeof(a.sun_path))
		return fail(err, -ENAMETOOLONG, path, "this path is too long for a socket");
	strcpy(a.sun_path, path);
	fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return fail(err, -errno, path, strerror(errno));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0)
		return fd;
	ret = -errno;
	close(fd);
	if (ret == -ENOENT || ret == -ECONNREFUSED)
		return fail(err, ret, path, "no appliance answers here; is it running, and is --name right?");
	return fail(err, ret, path, strerror(-ret));
}

static ssize_t
receive(struct tel *t, char *err)
{
	ssize_t n = recv(t->fd, t->reply, t->room - 1, 0);

	if (n < 0)
		return fail(err, errno == EAGAIN ? -ETIMEDOUT : -errno, "telemetry",
			    errno == EAGAIN ? "the appliance does not answer" : strerror(errno));
	if (n == 0)
		return fail(err, -ECONNRESET, "telemetry", "the appliance closed the connection");
	t->reply[n] = '\0';
	return n;
}

int
tel_open(struct tel **out, const char *path, char *err)
{
	struct tel *t = calloc(1, sizeof(*t));
	json_t *hello;
	json_int_t most;
	int ret;

	if (t == NULL)
		return fail(err, -ENOMEM, path, "out of memory");
	t->fd = unix_connect(path, SOCK_SEQPACKET, err);
	t->room = REPLY_MAX;
	t->reply = malloc(t->room);
	ret = t->fd < 0 ? t->fd : t->reply == NULL ? fail(err, -ENOMEM, path, "out of memory") : 0;
	if (ret == 0)
		ret = (int)receive(t, err);
	if (ret < 0)
		goto err_close;
	hello = json_loads(t->reply, 0, NULL);
	most = json_integer_value(json_object_get(hello, "max_output_len"));
	json_decref(hello);
	if (most <= 0) {
		ret = fail(err, -EPROTO, path, "this is no telemetry socket");
		goto err_close;
	}
	if (most >= REPLY_MAX)
		most = REPLY_MAX - 1;
	t->room = (size_t)most + 1;
	*out = t;
	return 0;

err_close:
	tel_close(t);
	return ret;
}

void
tel_close(struct tel *t)
{
	if (t->fd >= 0)
		close(t->fd);
	free(t->reply);
	free(t);
}

int
tel_ask(struct tel *t, const char *query, json_t **out, char *err)
{
	json_error_t why;
	json_t *root, *value;
	ssize_t n;

	if (send(t->fd, query, strlen(query), MSG_NOSIGNAL) < 0)
		return fail(err, -errno, "telemetry", strerror(errno));
	n = receive(t, err);
	if (n < 0)
		return (int)n;
	root = json_loadb(t->reply, (size_t)n, 0, &why);
	if (!json_is_object(root)) {
		json_decref(root);
		return fail(err, -EPROTO, query, "the answer is not JSON");
	}
	/* {"/command": answer} */
	value = json_object_iter_value(json_object_iter(root));
	*out = value != NULL ? json_incref(value) : json_null();
	json_decref(root);
	return 0;
}

int
tel_ask_list(struct tel *t, const char *command, json_t **out, char *err)
{
	char query[256];
	json_t *page;
	int ret = tel_ask(t, command, out, err);

	while (ret == 0 && json_is_array(*out) && json_array_size(*out) > 0 && json_array_size(*out) % PAGE == 0) {
		snprintf(query, sizeof(query), "%s,%zu,%u", command, json_array_size(*out), PAGE);
		ret = tel_ask(t, query, &page, err);
		if (ret < 0) {
			json_decref(*out);
			return ret;
		}
		if (json_array_size(page) == 0) {
			json_decref(page);
			break;
		}
		json_array_extend(*out, page);
		json_decref(page);
	}
	return ret;
}

int
tel_ask_all(struct tel *t, const char *kind, json_t **out, char *err)
{
	json_t *names, *name, *all;
	char query[256];
	size_t i;
	int ret;

	snprintf(query, sizeof(query), "/strake/%s/list", kind);
	ret = tel_ask_list(t, query, &names, err);
	if (ret < 0)
		return ret;
	if (!json_is_array(names)) {
		*out = names;
		return 0;
	}
	all = json_array();
	json_array_foreach(names, i, name)
	{
		json_t *info = NULL;

		if (json_is_string(name))
			snprintf(query, sizeof(query), "/strake/%s/info,%s", kind, json_string_value(name));
		else if (json_is_integer(name))
			snprintf(query, sizeof(query), "/strake/%s/info,%" JSON_INTEGER_FORMAT, kind,
				 json_integer_value(name));
		else
			continue;
		ret = tel_ask(t, query, &info, err);
		if (ret < 0)
			break;
		if (json_is_object(info) && json_object_get(info, "name") == NULL &&
		    json_object_get(info, "id") == NULL) {
			/* A table needs its first column. */
			json_t *with = json_pack("{sO}", json_is_string(name) ? "name" : "id", name);

			json_object_update(with, info);
			json_array_append_new(all, with);
		} else if (json_is_object(info)) {
			json_array_append(all, info);
		}
		json_decref(info);
	}
	if (ret < 0 || (json_array_size(all) == 0 && json_array_size(names) > 0)) {
		json_decref(all);
		all = names;
	} else {
		json_decref(names);
	}
	if (ret < 0)
		json_decref(all);
	else
		*out = all;
	return ret;
}

/* Some commands take minutes: an appliance that answers others meanwhile, be it by a refusal, is still at it. */
static bool
still_at_it(const char *path)
{
	char err[LINK_ERR_MAX], reply;
	int fd = unix_connect(path, SOCK_STREAM, err);
	bool answers = fd >= 0 && dprintf(fd, "ping\n") > 0 && recv(fd, &reply, 1, 0) == 1;

	if (fd >= 0)
		close(fd);
	return answers;
}

int
control_ask(const char *path, const char *line, json_t **out, char *err)
{
	char *reply = malloc(CONTROL_LINE);
	size_t have = 0;
	int fd, ret = 0;

	if (reply == NULL)
		return fail(err, -ENOMEM, path, "out of memory");
	fd = unix_connect(path, SOCK_STREAM, err);
	if (fd < 0) {
		free(reply);
		return fd;
	}
	if (dprintf(fd, "%s\n", line) < 0)
		ret = fail(err, -errno, path, strerror(errno));
	while (ret == 0 && memchr(reply, '\n', have) == NULL) {
		ssize_t n = recv(fd, reply + have, CONTROL_LINE - have, 0);

		if (n < 0 && errno == EAGAIN && still_at_it(path))
			continue;
		if (n < 0)
			ret = fail(err, errno == EAGAIN ? -ETIMEDOUT : -errno, path,
				   errno == EAGAIN ? "the appliance does not answer" : strerror(errno));
		else if (n == 0)
			ret = fail(err, -ECONNRESET, path, "the appliance closed the connection without an answer");
		else
			have += (size_t)n;
	}
	close(fd);
	if (ret == 0) {
		*out = json_loadb(reply, (size_t)((char *)memchr(reply, '\n', have) - reply), 0, NULL);
		if (!json_is_object(*out)) {
			json_decref(*out);
			ret = fail(err, -EPROTO, path, "the answer is not JSON");
		}
	}
	free(reply);
	return ret;
}
