/* SPDX-License-Identifier: MIT */
/*
 * socket.c: records the lines that are sent to a unix socket: datagrams of one line or several, or streams of
 * lines, each or all with what syslog puts before them.
 *
 * Messages in a stream end with a newline, or begin with their length (RFC 6587, "123 <190>..."). A sender that sends
 * nothing holds a connection and nothing else; of more than CONNECTIONS the kernel lets the next ones wait.
 */
#include "common.h"
#include "intake.h"
#include "ways.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* A message's length in front of it has up to HEAD_BYTES. */
enum { CONNECTIONS = 64, HEAD_BYTES = 8, BUFFER_BYTES = 2 * 65536 };

/* Invariant: used <= PROMCB_LINE_MAX_BYTES + HEAD_BYTES between reads. */
struct connection {
	char *buffer; /* NULL: none */
	int descriptor;
	size_t used;
	bool skipping; /* in a line that is too long */
};

struct inlet {
	struct promcb_intake intake;
	struct sockaddr_un address;
	int descriptor;
	ino_t inode; /* of the address */
	bool is_stream;
	char datagram[PROMCB_LINE_MAX_BYTES + 1];
	struct connection connections[CONNECTIONS];
};

static void take_message(struct inlet *inlet, const char *bytes, size_t length)
{
	const char *message = promcb_syslog_message(bytes, length);

	promcb_intake_line(&inlet->intake, message, length - (size_t)(message - bytes));
}

static void take_datagram(struct inlet *inlet, size_t length)
{
	const char *at = inlet->datagram, *end = at + length;

	/* Its rest is gone. */
	if (length > PROMCB_LINE_MAX_BYTES) {
		promcb_intake_too_long(&inlet->intake, at, PROMCB_LINE_MAX_BYTES);
		return;
	}
	while (at < end) {
		const char *newline = memchr(at, '\n', (size_t)(end - at)), *stop = newline ? newline : end;

		take_message(inlet, at, (size_t)(stop - at));
		at = stop + 1;
	}
}

/* All that is there, so that the kernel's short queue is empty soon. */
static void receive(struct inlet *inlet)
{
	for (;;) {
		ssize_t length = recv(inlet->descriptor, inlet->datagram, sizeof(inlet->datagram), MSG_DONTWAIT);

		if (length < 0 && errno == EINTR)
			continue;
		if (length < 0)
			return;
		take_datagram(inlet, (size_t)length);
		if (inlet->intake.ending && (inlet->intake.drained_bytes += (size_t)length) > PROMCB_INTAKE_DRAINED_MAX)
			return;
	}
}

/* Where a message that begins with its length has its end: 0 if it has no length, SIZE_MAX if more must come first. */
static size_t counted(const char *bytes, size_t used, size_t *head)
{
	size_t length = 0, i;

	for (i = 0; i < used && i < 7 && bytes[i] >= '0' && bytes[i] <= '9'; i++)
		length = 10 * length + (size_t)(bytes[i] - '0');
	if (i == 0 || (i < used && bytes[i] != ' ') || i == 7 || length > PROMCB_LINE_MAX_BYTES)
		return 0;
	if (i + 1 >= used)
		return SIZE_MAX;
	if (bytes[i + 1] != '<')
		return 0;
	*head = i + 1;
	return i + 1 + length;
}

/* Takes the whole messages off the buffer. */
static void take_messages(struct inlet *inlet, struct connection *connection)
{
	const char *at = connection->buffer, *end = at + connection->used;

	while (at < end) {
		size_t left = (size_t)(end - at), head = 0;
		size_t bytes = connection->skipping ? 0 : counted(at, left, &head);
		const char *newline = memchr(at, '\n', left);

		if (bytes > left || (bytes == 0 && !newline))
			break;
		if (bytes == 0)
			bytes = (size_t)(newline - at);
		if (!connection->skipping)
			take_message(inlet, at + head, bytes - head);
		connection->skipping = false;
		at += bytes;
		at += at < end && *at == '\n';
	}
	connection->used = (size_t)(end - at);
	if (connection->skipping || connection->used > PROMCB_LINE_MAX_BYTES + HEAD_BYTES) {
		if (!connection->skipping)
			promcb_intake_too_long(&inlet->intake, at, connection->used);
		connection->skipping = true;
		connection->used = 0;
	}
	memmove(connection->buffer, at, connection->used);
}

static void leave(struct inlet *inlet, struct connection *connection)
{
	/* The last line may lack its newline. */
	if (connection->used > 0 && !connection->skipping)
		take_message(inlet, connection->buffer, connection->used);
	close(connection->descriptor);
	free(connection->buffer);
	*connection = (struct connection){.buffer = NULL};
}

static void read_from(struct inlet *inlet, struct connection *connection)
{
	ssize_t length;

	do {
		length = recv(connection->descriptor, connection->buffer + connection->used,
			      BUFFER_BYTES - connection->used, MSG_DONTWAIT);
		if (length > 0) {
			connection->used += (size_t)length;
			take_messages(inlet, connection);
			inlet->intake.drained_bytes += inlet->intake.ending ? (size_t)length : 0;
		}
	} while ((length < 0 && errno == EINTR) ||
		 (length > 0 && inlet->intake.ending && inlet->intake.drained_bytes < PROMCB_INTAKE_DRAINED_MAX));
	if (length == 0 || (length < 0 && errno != EAGAIN))
		leave(inlet, connection);
}

static void welcome(struct inlet *inlet)
{
	for (int i = 0; i < CONNECTIONS; i++) {
		struct connection *connection = &inlet->connections[i];

		if (connection->buffer)
			continue;
		connection->descriptor = accept4(inlet->descriptor, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (connection->descriptor < 0)
			return;
		connection->buffer = malloc(BUFFER_BYTES);
		if (!connection->buffer) {
			close(connection->descriptor);
			return;
		}
	}
}

/* Waits once, and takes what is there. */
static void serve(struct inlet *inlet)
{
	struct pollfd ready[CONNECTIONS + 2] = {{.fd = inlet->intake.signals, .events = POLLIN}};
	int places[CONNECTIONS + 2], count = 2;

	for (int i = 0; i < CONNECTIONS; i++)
		if (inlet->connections[i].buffer) {
			places[count] = i;
			ready[count++] = (struct pollfd){.fd = inlet->connections[i].descriptor, .events = POLLIN};
		}
	/* Where there is no room for another, the next waits in the kernel. */
	ready[1] = (struct pollfd){.fd = count < CONNECTIONS + 2 ? inlet->descriptor : -1, .events = POLLIN};
	if (poll(ready, (nfds_t)count, inlet->intake.ending ? 0 : -1) < 0)
		return;
	if (ready[0].revents & POLLIN)
		promcb_intake_signal(&inlet->intake);
	for (int i = 2; i < count; i++)
		if (ready[i].revents || inlet->intake.ending)
			read_from(inlet, &inlet->connections[places[i]]);
	if (ready[1].revents && inlet->is_stream)
		welcome(inlet);
	else if (ready[1].revents)
		receive(inlet);
}

/* A socket that nobody listens at any more is in the way; one that somebody does is his. */
static bool is_abandoned(const struct inlet *inlet)
{
	int kind = inlet->is_stream ? SOCK_STREAM : SOCK_DGRAM, probe = socket(AF_UNIX, kind | SOCK_CLOEXEC, 0);
	struct stat status;
	bool refused = probe >= 0 &&
		       connect(probe, (const struct sockaddr *)&inlet->address, sizeof(inlet->address)) < 0 &&
		       errno == ECONNREFUSED;

	if (probe >= 0)
		close(probe);
	return refused && lstat(inlet->address.sun_path, &status) == 0 && S_ISSOCK(status.st_mode);
}

/* Returns 0, or an errno. */
static int make_socket(struct inlet *inlet)
{
	struct stat status;
	int result;
	const struct sockaddr *address = (const struct sockaddr *)&inlet->address;

	inlet->descriptor =
		socket(AF_UNIX, (inlet->is_stream ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (inlet->descriptor < 0)
		return errno;
	result = bind(inlet->descriptor, address, sizeof(inlet->address)) < 0 ? errno : 0;
	if (result == EADDRINUSE && is_abandoned(inlet)) {
		unlink(inlet->address.sun_path);
		result = bind(inlet->descriptor, address, sizeof(inlet->address)) < 0 ? errno : 0;
	}
	if (result == 0 && inlet->is_stream && listen(inlet->descriptor, CONNECTIONS) < 0)
		result = errno;
	if (result == 0 && stat(inlet->address.sun_path, &status) == 0)
		inlet->inode = status.st_ino;
	return result;
}

/* Unless somebody else has put his there. */
static void remove_socket(const struct inlet *inlet)
{
	struct stat status;

	if (lstat(inlet->address.sun_path, &status) == 0 && status.st_ino == inlet->inode)
		unlink(inlet->address.sun_path);
}

int promcb_record_socket(const char *segment, const struct promcb_line_rules *rules, const char *where)
{
	static const char stream[] = "stream:";
	static struct inlet inlet = {.address = {.sun_family = AF_UNIX}};
	int result = ENAMETOOLONG;

	inlet.is_stream = strncmp(where, stream, strlen(stream)) == 0;
	where += inlet.is_stream ? strlen(stream) : 0;
	if (strlen(where) < sizeof(inlet.address.sun_path)) {
		strcpy(inlet.address.sun_path, where);
		result = make_socket(&inlet);
	}
	if (result != 0) {
		promcb_tool_complain("cannot listen at %s: %s", where,
				     result == EADDRINUSE ? "somebody does already, or it is no socket"
							  : strerror(result));
		return PROMCB_TOOL_FAILED;
	}
	if (!promcb_intake_start(&inlet.intake, segment, rules)) {
		remove_socket(&inlet);
		return PROMCB_TOOL_FAILED;
	}
	while (!inlet.intake.ending)
		serve(&inlet);
	/* What has come by now is taken; who comes later is told. */
	remove_socket(&inlet);
	for (int i = 0; i < 2; i++)
		serve(&inlet);
	for (int i = 0; i < CONNECTIONS; i++)
		if (inlet.connections[i].buffer)
			close(inlet.connections[i].descriptor);
	return promcb_intake_end(&inlet.intake, false);
}
