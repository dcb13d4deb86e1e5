/* SPDX-License-Identifier: MIT */
#include "stream.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>

/* What GnuTLS says, as an errno. */
static int error_of(struct sidecar_stream *stream, ssize_t result)
{
	if (result != GNUTLS_E_AGAIN && result != GNUTLS_E_INTERRUPTED)
		return -EPROTO;
	stream->wants = gnutls_record_get_direction(stream->session) ? EPOLLOUT : EPOLLIN;
	return -EAGAIN;
}

/* What GnuTLS would call an error of its own, is one of the client's certificate. */
static void send_alert(gnutls_session_t session, int error)
{
	if (error == GNUTLS_E_KEY_USAGE_VIOLATION)
		(void)gnutls_alert_send(session, GNUTLS_AL_FATAL, GNUTLS_A_UNSUPPORTED_CERTIFICATE);
	else
		(void)gnutls_alert_send_appropriate(session, error);
}

int sidecar_stream_greet(struct sidecar_stream *stream, const char **reason)
{
	int result;

	do
		result = gnutls_handshake(stream->session);
	while (result == GNUTLS_E_INTERRUPTED ||
	       (result < 0 && result != GNUTLS_E_AGAIN && !gnutls_error_is_fatal(result)));
	stream->is_greeted = result == GNUTLS_E_SUCCESS;
	if (stream->is_greeted)
		return 0;
	if (result == GNUTLS_E_AGAIN)
		return error_of(stream, result);
	*reason = gnutls_strerror(result);
	/* An alert of the client's, or its end, is answered with nothing. */
	if (result != GNUTLS_E_FATAL_ALERT_RECEIVED && result != GNUTLS_E_PREMATURE_TERMINATION &&
	    result != GNUTLS_E_PULL_ERROR && result != GNUTLS_E_PUSH_ERROR)
		send_alert(stream->session, result);
	return -EPROTO;
}

ssize_t sidecar_stream_read(struct sidecar_stream *stream, void *bytes, size_t size)
{
	ssize_t result;

	if (!stream->session) {
		do
			result = recv(stream->fd, bytes, size, MSG_DONTWAIT);
		while (result < 0 && errno == EINTR);
		stream->wants = EPOLLIN;
		return result < 0 ? -errno : result;
	}
	do
		result = gnutls_record_recv(stream->session, bytes, size);
	while (result == GNUTLS_E_INTERRUPTED ||
	       (result < 0 && result != GNUTLS_E_AGAIN && !gnutls_error_is_fatal((int)result) &&
		result != GNUTLS_E_REHANDSHAKE));
	/* Nobody has to grant a second handshake. */
	return result >= 0 ? result : error_of(stream, result);
}

ssize_t sidecar_stream_write(struct sidecar_stream *stream, const struct iovec parts[2])
{
	const struct iovec *first = &parts[parts[0].iov_len == 0];
	ssize_t result;

	if (!stream->session) {
		/* sendmsg() changes nothing of them. */
		struct iovec both[2] = {parts[0], parts[1]};
		struct msghdr message = {.msg_iov = both, .msg_iovlen = 2};

		do
			result = sendmsg(stream->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
		while (result < 0 && errno == EINTR);
		stream->wants = EPOLLOUT;
		return result < 0 ? -errno : result;
	}
	result = gnutls_record_send(stream->session, first->iov_base, first->iov_len);
	return result >= 0 ? result : error_of(stream, result);
}

void sidecar_stream_end(struct sidecar_stream *stream)
{
	/* A fatal alert has the last word. */
	if (stream->is_greeted)
		(void)gnutls_bye(stream->session, GNUTLS_SHUT_WR);
	shutdown(stream->fd, SHUT_WR);
}
