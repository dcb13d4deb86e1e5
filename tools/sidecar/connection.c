/* SPDX-License-Identifier: MIT */
#include "connection.h"

#include "http_body.h"
#include "log.h"
#include "stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

enum {
	BUFFER_BYTES = 2048,     /* at first; enough for what scrapers send */
	BODY_ROOM_BYTES = 4096,  /* behind a head */
	STEPS = 64,              /* in a row, before others have theirs */
};

enum state {
	STATE_PEEK,              /* is it TLS at all */
	STATE_HANDSHAKE,
	STATE_HEAD,
	STATE_BODY,
	STATE_SEND,
	STATE_FAREWELL,
};

enum step { STEP_ON, STEP_WAIT, STEP_OVER };

struct sidecar_connection {
	const struct sidecar_connection_options *options;
	struct sidecar_stream stream;
	enum state state;
	char *bytes;
	size_t used, room, seen; /* seen: of a head that was not complete */
	struct sidecar_head head;
	struct sidecar_body_end body;
	struct sidecar_request request;
	bool is_answering, closes;
	struct sidecar_answer answer;
	size_t sent, to_send;
};

static void enter(struct sidecar_connection *connection, enum sidecar_phase phase)
{
	connection->options->enter(connection->options->phase_context, connection->stream.fd, phase);
}

struct sidecar_connection *sidecar_connection_new(int fd, bool is_near,
						  const struct sidecar_connection_options *options)
{
	struct sidecar_connection *connection = calloc(1, sizeof(*connection));

	if (!connection)
		return NULL;
	connection->options = options;
	connection->stream = (struct sidecar_stream){.fd = fd, .wants = EPOLLIN};
	connection->state = sidecar_web_config_has_tls(options->web_config) ? STATE_PEEK : STATE_HEAD;
	connection->request.is_near = is_near;
	return connection;
}

/* The answer was sent, or never will be. */
static void end_answer(struct sidecar_connection *connection)
{
	if (connection->is_answering)
		connection->options->answered(connection->options->context, &connection->request);
	connection->is_answering = false;
	sidecar_answer_drop(&connection->answer);
}

void sidecar_connection_free(struct sidecar_connection *connection)
{
	if (!connection)
		return;
	end_answer(connection);
	if (connection->stream.session)
		gnutls_deinit(connection->stream.session);
	free(connection->bytes);
	free(connection);
}

/* -- The bytes ----------------------------------------------------------------------------------------------------- */

/* What is left of what came moves to the front. */
static void consume(struct sidecar_connection *connection, size_t from, size_t count)
{
	connection->used -= count;
	memmove(connection->bytes + from, connection->bytes + from + count, connection->used - from);
}

/* Reads some more, into a buffer of at most that many bytes. STEP_ON: something came. */
static enum step fill(struct sidecar_connection *connection, size_t most)
{
	ssize_t length;

	if (connection->used == connection->room) {
		size_t room = connection->room ? connection->room * 2 : BUFFER_BYTES;
		char *larger = realloc(connection->bytes, room < most ? room : most);

		if (!larger)
			return STEP_OVER;
		connection->bytes = larger;
		connection->room = room < most ? room : most;
	}
	length = sidecar_stream_read(&connection->stream, connection->bytes + connection->used,
				     connection->room - connection->used);
	if (length > 0) {
		connection->used += (size_t)length;
		return STEP_ON;
	}
	return length == -EAGAIN ? STEP_WAIT : STEP_OVER;
}

/* -- The handshake ------------------------------------------------------------------------------------------------- */

static enum step say_goodbye(struct sidecar_connection *connection)
{
	sidecar_stream_end(&connection->stream);
	connection->state = STATE_FAREWELL;
	enter(connection, SIDECAR_PHASE_FAREWELL);
	return STEP_ON;
}

/* Whoever speaks HTTP where TLS is spoken is told so, in HTTP; the rest is for TLS, which has a word for everything. */
static enum step peek(struct sidecar_connection *connection)
{
	static const char answer[] = "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\n"
				     "Content-Length: 48\r\nConnection: close\r\n\r\n"
				     "Client sent an HTTP request to an HTTPS server.\n";
	char byte;
	ssize_t length = recv(connection->stream.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

	connection->stream.wants = EPOLLIN;
	if (length < 0)
		return errno == EAGAIN || errno == EINTR ? STEP_WAIT : STEP_OVER;
	if (length == 0)
		return STEP_OVER;
	if (byte >= 'A' && byte <= 'Z') {
		if (send(connection->stream.fd, answer, sizeof(answer) - 1, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
			return STEP_OVER;
		return say_goodbye(connection);
	}
	connection->stream.session = sidecar_web_config_session(connection->options->web_config, connection->stream.fd);
	connection->request.session = connection->stream.session;
	connection->state = STATE_HANDSHAKE;
	return connection->stream.session ? STEP_ON : STEP_OVER;
}

static enum step shake_hands(struct sidecar_connection *connection)
{
	const char *reason = "";
	int result = sidecar_stream_greet(&connection->stream, &reason);

	if (result == -EAGAIN)
		return STEP_WAIT;
	connection->state = STATE_HEAD;
	if (result == 0)
		return STEP_ON;
	sidecar_log(SIDECAR_LOG_DEBUG, "handshake failed", "reason", reason, NULL);
	/* The alert is behind the last word of the client's, which may still be on its way. */
	return say_goodbye(connection);
}

/* -- Requests and answers ------------------------------------------------------------------------------------------ */

static enum step answer(struct sidecar_connection *connection)
{
	struct sidecar_request *request = &connection->request;

	enter(connection, SIDECAR_PHASE_ANSWER);
	request->head = &connection->head;
	request->is_scrape = request->is_recording = false;
	connection->is_answering = true;
	connection->options->answer(connection->options->context, request, &connection->answer);
	connection->closes =
		request->refusal || !connection->head.keeps_alive || connection->body.state != SIDECAR_BODY_DONE;
	sidecar_answer_end(&connection->answer, connection->closes, connection->head.is_old);
	if (connection->answer.has_failed)
		return STEP_OVER;
	connection->sent = 0;
	connection->to_send = connection->answer.head_length;
	if (connection->head.method != SIDECAR_METHOD_HEAD)
		connection->to_send += connection->answer.body_length;
	connection->state = STATE_SEND;
	return STEP_ON;
}

static enum step refuse(struct sidecar_connection *connection, unsigned status, const char *reason)
{
	connection->request.refusal = status;
	connection->request.reason = reason;
	return answer(connection);
}

/* Of a head that is not there as a whole, there are no strings. */
static enum step refuse_unread(struct sidecar_connection *connection, unsigned status, const char *reason)
{
	connection->bytes[connection->used - 1] = '\0';
	connection->head = (struct sidecar_head){
		.bytes = connection->bytes,
		.length = connection->used,
		.method = SIDECAR_METHOD_OTHER,
		.method_at = (uint16_t)(connection->used - 1),
		.path_at = (uint16_t)(connection->used - 1),
		.query_at = (uint16_t)(connection->used - 1),
	};
	return refuse(connection, status, reason);
}

static enum step refuse_length(struct sidecar_connection *connection)
{
	const char *begin;

	connection->bytes[connection->used - 1] = '\0';
	begin = connection->bytes + strspn(connection->bytes, "\r\n");
	return memchr(begin, '\n', connection->used - (size_t)(begin - connection->bytes))
		       ? refuse_unread(connection, 431, "The head is too long.")
		       : refuse_unread(connection, 414, "The target is too long.");
}

/* Whether what came can become a request: TLS, and whatever else is no text, may never send a line's end. */
static bool is_text(const struct sidecar_connection *connection)
{
	unsigned char first = connection->used ? (unsigned char)*connection->bytes : 'G';

	return (first > ' ' && first < 0x7f) || first == '\r' || first == '\n';
}

static enum step read_head(struct sidecar_connection *connection)
{
	struct sidecar_head *head = &connection->head;
	size_t length = sidecar_head_end(connection->bytes, connection->used, connection->seen);
	const char *reason = NULL;
	unsigned status;
	enum step step;

	if (!length && connection->used >= SIDECAR_HEAD_BYTES_MAX)
		return refuse_length(connection);
	if (!length && !is_text(connection))
		return refuse_unread(connection, 400, "This is not HTTP.");
	if (!length) {
		connection->seen = connection->used;
		step = fill(connection, SIDECAR_HEAD_BYTES_MAX);
		/* Whoever asks nothing needs no room for it. */
		if (step == STEP_WAIT && connection->used == 0) {
			free(connection->bytes);
			connection->bytes = NULL;
			connection->room = 0;
		}
		return step;
	}
	enter(connection, SIDECAR_PHASE_BODY);
	connection->request.refusal = 0;
	connection->seen = 0;
	sidecar_body_begin(&connection->body, false, 0);
	status = sidecar_head_parse(head, connection->bytes, length, &reason);
	if (status)
		return refuse(connection, status, reason);
	sidecar_body_begin(&connection->body, head->is_chunked, head->body_bytes);
	/* What is not allowed is answered before a body that nobody wants. */
	if (connection->body.state == SIDECAR_BODY_DONE || head->method > SIDECAR_METHOD_HEAD)
		return answer(connection);
	if (head->expects_continue && connection->used == length) {
		static char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
		const struct iovec parts[2] = {{go_on, sizeof(go_on) - 1}, {NULL, 0}};

		/* Nothing stands before it in the socket. */
		if (sidecar_stream_write(&connection->stream, parts) != (ssize_t)(sizeof(go_on) - 1))
			return STEP_OVER;
	}
	connection->state = STATE_BODY;
	return STEP_ON;
}

/* Nobody wants it, but what follows it is a request. */
static enum step read_body(struct sidecar_connection *connection)
{
	size_t length = connection->head.length, taken = 0;
	unsigned status = sidecar_body_take(&connection->body, connection->bytes + length, connection->used - length,
					    SIDECAR_BODY_BYTES_MAX, &taken);
	enum step step;

	if (status)
		return refuse(connection, status,
			      status == 413 ? "The body is too long." : "The body is not chunked as it should be.");
	consume(connection, length, taken);
	if (connection->body.state == SIDECAR_BODY_DONE)
		return answer(connection);
	step = fill(connection, length + BODY_ROOM_BYTES);
	connection->head.bytes = connection->bytes;
	return step;
}

static enum step send_answer(struct sidecar_connection *connection)
{
	const struct sidecar_answer *answer = &connection->answer;
	size_t head = answer->head_length, sent = connection->sent;
	/* Only read, whatever the type says. */
	const struct iovec parts[2] = {
		{answer->head + (sent < head ? sent : head), sent < head ? head - sent : 0},
		{(char *)(uintptr_t)answer->body + (sent > head ? sent - head : 0),
		 connection->to_send - (sent > head ? sent : head)},
	};
	ssize_t length = sidecar_stream_write(&connection->stream, parts);

	if (length == -EAGAIN)
		return STEP_WAIT;
	if (length < 0)
		return STEP_OVER;
	connection->sent += (size_t)length;
	if (connection->sent < connection->to_send)
		return STEP_ON;
	end_answer(connection);
	enter(connection, SIDECAR_PHASE_IDLE);
	if (connection->closes)
		return say_goodbye(connection);
	consume(connection, 0, connection->head.length);
	connection->state = STATE_HEAD;
	return STEP_ON;
}

/* Until the client has read all, and says so by its end: what it sent meanwhile must not reset the connection. */
static enum step part(struct sidecar_connection *connection)
{
	char bytes[4096];
	ssize_t length;

	do
		length = recv(connection->stream.fd, bytes, sizeof(bytes), MSG_DONTWAIT);
	while (length < 0 && errno == EINTR);
	connection->stream.wants = EPOLLIN;
	if (length > 0)
		return STEP_ON;
	return length < 0 && errno == EAGAIN ? STEP_WAIT : STEP_OVER;
}

uint32_t sidecar_connection_work(struct sidecar_connection *connection)
{
	static enum step (*const steps[])(struct sidecar_connection *) = {
		[STATE_PEEK] = peek,      [STATE_HANDSHAKE] = shake_hands, [STATE_HEAD] = read_head,
		[STATE_BODY] = read_body, [STATE_SEND] = send_answer,      [STATE_FAREWELL] = part,
	};

	for (unsigned step = 0; step < STEPS; step++) {
		switch (steps[connection->state](connection)) {
		case STEP_ON:
			continue;
		case STEP_WAIT:
			return connection->stream.wants;
		case STEP_OVER:
			return 0;
		}
	}
	/* Others have their turn; this one can go on at once. */
	return EPOLLOUT;
}
