/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "progress.h"
#include "units.h"

#define NS_PER_S 1000000000ull

void
progress_begin(struct progress *p, const char *what, uint64_t total, bool quiet, uint64_t now)
{
	*p = (struct progress){.what = what, .total = total, .begun = now, .quiet = quiet};
	p->tty = isatty(STDERR_FILENO) == 1;
	p->next = p->tty ? now : now + 5 * NS_PER_S;
}

void
progress_line(char *out, int outlen, const struct progress *p, uint64_t done, uint64_t now, int width)
{
	double secs = (double)(now - p->begun) / NS_PER_S, rate = secs > 0 ? (double)done / secs : 0;
	unsigned int percent = p->total > 0 ? (unsigned int)((double)done * 100 / (double)p->total) : 100;
	char b1[UNITS_MAX], b2[UNITS_MAX], b3[UNITS_MAX], tail[128], bar[64];
	int room, fill;

	snprintf(tail, sizeof(tail), "%3u %%  %s of %s  %s/s", percent, units_bytes(b1, (double)done),
		 units_bytes(b2, (double)p->total), units_bytes(b3, rate));
	room = width - (int)strlen(p->what) - (int)strlen(tail) - 5;
	if (room > 40)
		room = 40;
	if (room < 5) {
		snprintf(out, (size_t)outlen, "%s %s", p->what, tail);
		return;
	}
	fill = (int)((unsigned int)room * (percent > 100 ? 100 : percent) / 100);
	memset(bar, '#', (size_t)fill);
	memset(bar + fill, '.', (size_t)(room - fill));
	bar[room] = '\0';
	snprintf(out, (size_t)outlen, "%s [%s] %s", p->what, bar, tail);
}

static int
columns(void)
{
	struct winsize ws;

	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &ws) == 0 && ws.ws_col > 0)
		return ws.ws_col;
	return 80;
}

void
progress_update(struct progress *p, uint64_t done, uint64_t now)
{
	char line[256];

	if (p->quiet || now < p->next)
		return;
	p->next = now + (p->tty ? NS_PER_S / 10 : 5 * NS_PER_S);
	progress_line(line, sizeof(line), p, done, now, p->tty ? columns() : 0);
	fprintf(stderr, p->tty ? "\r%s\033[K" : "%s\n", line);
	fflush(stderr);
}

void
progress_end(struct progress *p, uint64_t done, uint64_t now)
{
	char line[256];

	if (p->quiet)
		return;
	progress_line(line, sizeof(line), p, done, now, p->tty ? columns() : 0);
	fprintf(stderr, p->tty ? "\r%s\033[K\n" : "%s\n", line);
}
