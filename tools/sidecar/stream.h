/* SPDX-License-Identifier: MIT */
/*
 * stream.h: bytes over a socket that does not block, as they are or through TLS.
 *
 * A leaf on GnuTLS. Whoever is told -EAGAIN waits for what `wants` says.
 */
#ifndef PROMCB_SIDECAR_STREAM_H
#define PROMCB_SIDECAR_STREAM_H

#include <gnutls/gnutls.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

struct sidecar_stream {
	int fd;
	gnutls_session_t session; /* NULL: no TLS */
	bool is_greeted;          /* the handshake is over, and has not failed */
	uint32_t wants;           /* EPOLLIN or EPOLLOUT */
};

/*
 * Goes on with a handshake. Returns 0, -EAGAIN, or -EPROTO: it has failed, which the client was told by an alert, and
 * *reason is why.
 */
int sidecar_stream_greet(struct sidecar_stream *stream, const char **reason);

/* Returns how many bytes, 0 for the end, -EAGAIN, or another -errno. */
ssize_t sidecar_stream_read(struct sidecar_stream *stream, void *bytes, size_t size);

/* The same for writing two parts, at least one of which is not empty; after -EAGAIN with the same parts. */
ssize_t sidecar_stream_write(struct sidecar_stream *stream, const struct iovec parts[2]);

/* Says that nothing more will come. */
void sidecar_stream_end(struct sidecar_stream *stream);

#endif
