/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* The terminal of `top`: raw keys, a screen of its own, put back whatever ends us. */

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"
#include "top.h"

static volatile sig_atomic_t stopped;
static struct termios saved;

static void
on_signal(int sig)
{
	stopped = 1;
}

static struct winsize
size_of_screen(void)
{
	struct winsize ws;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws) == 0 && ws.ws_row > 0 && ws.ws_col > 0)
		return ws;
	return (struct winsize){.ws_row = 24, .ws_col = 80};
}

/* Only as many lines as fit, and of each as much: what is longer would scroll and flicker. */
static void
draw(const char *text, size_t len, bool tty)
{
	struct winsize ws = size_of_screen();
	int left = ws.ws_row - 1;

	if (!tty) {
		fwrite(text, 1, len, stdout);
		fflush(stdout);
		return;
	}
	fputs("\033[H", stdout);
	for (const char *p = text, *end = text + len; p < end && left > 0; left--) {
		const char *nl = memchr(p, '\n', (size_t)(end - p));
		size_t n = nl != NULL ? (size_t)(nl - p) : (size_t)(end - p);

		printf("%.*s\033[K\n", n < ws.ws_col ? (int)n : ws.ws_col - 1, p);
		p += n + 1;
	}
	printf("\033[J\033[7m%.*s\033[0m", ws.ws_col - 1, " q quits ");
	fflush(stdout);
}

static bool
key_quits(double secs, bool tty)
{
	struct pollfd p = {.fd = STDIN_FILENO, .events = POLLIN};
	char c;

	if (poll(&p, tty ? 1 : 0, (int)(secs * 1000)) <= 0)
		return false;
	return read(STDIN_FILENO, &c, 1) != 1 || c == 'q' || c == 'Q' || c == 3;
}

static void
screen_begin(void)
{
	struct termios raw;

	tcgetattr(STDIN_FILENO, &saved);
	raw = saved;
	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	tcsetattr(STDIN_FILENO, TCSANOW, &raw);
	fputs("\033[?1049h\033[?25l", stdout); /* the other screen, no cursor */
}

static void
screen_end(void)
{
	fputs("\033[?25h\033[?1049l", stdout);
	fflush(stdout);
	tcsetattr(STDIN_FILENO, TCSANOW, &saved);
}

static double
now_secs(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

int
top_run(struct tel *t, double secs)
{
	bool tty = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
	json_t *before = NULL, *now = NULL;
	double t0 = 0, t1;
	char err[LINK_ERR_MAX];
	int ret;

	signal(SIGINT, on_signal);
	signal(SIGTERM, on_signal);
	if (tty)
		screen_begin();
	while ((ret = top_look(t, &now, err)) == 0) {
		char *text = NULL;
		size_t len = 0;
		FILE *f = open_memstream(&text, &len);

		t1 = now_secs();
		if (before != NULL && f != NULL)
			top_render(before, now, t1 - t0, f);
		if (f != NULL)
			fclose(f);
		if (before != NULL && text != NULL)
			draw(text, len, tty);
		free(text);
		json_decref(before);
		before = now;
		t0 = t1;
		/* Whoever was to see it may have gone: a closed pipe, a full disk. */
		if (stopped || ferror(stdout) || key_quits(secs, tty) || stopped)
			break;
	}
	if (tty)
		screen_end();
	json_decref(before);
	return ret < 0 && !stopped ? cli_fail(CLI_UNREACHABLE, "%s", err) : CLI_OK;
}
