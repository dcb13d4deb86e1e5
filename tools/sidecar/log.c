/* SPDX-License-Identifier: MIT */
/*
 * log.c: logfmt lines.
 *
 * May include: log.h.
 */
#include "log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 4096 };

static const char *const names[] = {"debug", "info", "warn", "error"};
static enum sidecar_log_level least = SIDECAR_LOG_INFO;

void sidecar_log_set_level(enum sidecar_log_level level)
{
	least = level;
}

int sidecar_log_parse_level(const char *name, enum sidecar_log_level *out)
{
	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(name, names[i]) == 0) {
			*out = (enum sidecar_log_level)i;
			return 0;
		}
	}
	return -EINVAL;
}

/* A line as far as it fits; room for its line feed is left. */
struct line {
	char text[LINE_MAX_BYTES];
	size_t used;
};

static void put(struct line *line, char c)
{
	if (line->used < sizeof(line->text) - 1)
		line->text[line->used++] = c;
}

static void put_text(struct line *line, const char *text)
{
	while (*text)
		put(line, *text++);
}

/* Quoted if it is empty or has anything but plain characters; what came from outside stays on its line. */
static void put_value(struct line *line, const char *value)
{
	bool quoted = !*value;

	for (const char *c = value; *c; c++)
		quoted |= (unsigned char)*c <= ' ' || *c == '"' || *c == '=' || *c == '\\' || (unsigned char)*c == 0x7f;
	if (!quoted) {
		put_text(line, value);
		return;
	}
	put(line, '"');
	for (const char *c = value; *c; c++) {
		if (*c == '"' || *c == '\\')
			put(line, '\\');
		put(line, (unsigned char)*c < ' ' || (unsigned char)*c == 0x7f ? '?' : *c);
	}
	put(line, '"');
}

void sidecar_log(enum sidecar_log_level level, const char *message, ...)
{
	struct line line = {.used = 0};
	struct timespec now;
	struct tm broken;
	char stamp[64];
	va_list pairs;

	if (level < least)
		return;
	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &broken);
	strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%S", &broken);
	put_text(&line, "ts=");
	put_text(&line, stamp);
	snprintf(stamp, sizeof(stamp), ".%03ldZ", now.tv_nsec / 1000000);
	put_text(&line, stamp);
	put_text(&line, " level=");
	put_text(&line, names[level]);
	put_text(&line, " msg=");
	put_value(&line, message);
	va_start(pairs, message);
	for (const char *key = va_arg(pairs, const char *); key; key = va_arg(pairs, const char *)) {
		const char *value = va_arg(pairs, const char *);

		put(&line, ' ');
		put_text(&line, key);
		put(&line, '=');
		put_value(&line, value ? value : "");
	}
	va_end(pairs);
	line.text[line.used++] = '\n';
	/* There is nobody to tell that it failed. */
	if (write(STDERR_FILENO, line.text, line.used) < 0)
		return;
}
