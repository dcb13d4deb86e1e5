/* SPDX-License-Identifier: MIT */
/*
 * log.c: logfmt lines.
 *
 * A line is at most PIPE_BUF bytes: a pipe that can be written to takes all of it at once. What nobody reads is not
 * waited for, by a descriptor of our own that does not block, or, where there can be none, by looking first.
 */
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Kept free for what ends a line: a quote, how many lines were lost, a line feed. */
enum { LINE_END_BYTES = 64 };

static const char *const names[] = {"debug", "info", "warn", "error"};
static enum sidecar_log_level least = SIDECAR_LOG_INFO;
static int descriptor = STDERR_FILENO;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* of all below */
static unsigned long lost; /* lines that nobody took since the last one that was taken */
static bool is_cut;        /* the last one that was taken was so only in part */

void sidecar_log_start(void)
{
	struct stat status;
	int fd;

	/* A file has a place that others write at too; a socket cannot be opened, and needs not be. */
	if (fstat(STDERR_FILENO, &status) < 0 || !(S_ISFIFO(status.st_mode) || isatty(STDERR_FILENO)))
		return;
	fd = open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	if (fd >= 0)
		descriptor = fd;
}

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

/* A line feed, in case that the line before was cut, and a line as far as it fits; room for its end is left. */
struct line {
	char text[PIPE_BUF];
	size_t used;
};

static bool has_room(const struct line *line, size_t bytes)
{
	return line->used + bytes <= sizeof(line->text) - LINE_END_BYTES;
}

static void put(struct line *line, char c)
{
	if (has_room(line, 1))
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
	if (!has_room(line, 1))
		return;
	put(line, '"');
	for (const char *c = value; *c && has_room(line, 2); c++) {
		if (*c == '"' || *c == '\\')
			put(line, '\\');
		put(line, (unsigned char)*c < ' ' || (unsigned char)*c == 0x7f ? '?' : *c);
	}
	/* There is room for it, also where the value was cut. */
	line->text[line->used++] = '"';
}

/* With the mutex. Returns whether it was written. */
static bool write_line(const struct line *line)
{
	struct pollfd watched = {.fd = descriptor, .events = POLLOUT};
	const char *text = line->text + !is_cut;
	size_t length = line->used - !is_cut;
	ssize_t written = send(descriptor, text, length, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (written < 0 && errno == ENOTSOCK &&
	    (descriptor != STDERR_FILENO || (poll(&watched, 1, 0) == 1 && watched.revents & POLLOUT)))
		written = write(descriptor, text, length);
	if (written > 0)
		is_cut = (size_t)written < length;
	return written > 0;
}

/* Ends a line and writes it, or counts it. */
static void end_line(struct line *line)
{
	char end[LINE_END_BYTES];

	pthread_mutex_lock(&mutex);
	if (lost) {
		snprintf(end, sizeof(end), " lines_lost=%lu", lost);
		memcpy(line->text + line->used, end, strlen(end));
		line->used += strlen(end);
	}
	line->text[line->used++] = '\n';
	lost = write_line(line) ? 0 : lost + 1;
	pthread_mutex_unlock(&mutex);
}

void sidecar_log(enum sidecar_log_level level, const char *message, ...)
{
	struct line line = {.text = "\n", .used = 1};
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
	end_line(&line);
}
