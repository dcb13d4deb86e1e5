/* SPDX-License-Identifier: MIT */
/*
 * listen.h: addresses to listening sockets.
 *
 *
 */
#ifndef PROMCB_SIDECAR_LISTEN_H
#define PROMCB_SIDECAR_LISTEN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum { SIDECAR_LISTENERS_MAX = 64 };

struct sidecar_listeners {
	size_t count;
	int fds[SIDECAR_LISTENERS_MAX];
	bool is_ours[SIDECAR_LISTENERS_MAX]; /* made here, not passed to us */
	char addresses[SIDECAR_LISTENERS_MAX][256]; /* as bound: "127.0.0.1:10042", "[::1]:10042", "unix:/run/x" */
};

/*
 * Adds HOST:PORT, :PORT (IPv6 and IPv4), [IPV6]:PORT or unix:PATH. Port 0 is a free one. Returns 0, or -errno with a
 * sentence in message.
 */
int sidecar_listen(struct sidecar_listeners *listeners, const char *address, char *message, size_t message_size);

/* Adds port on the loopback addresses; where there is no IPv6, on the other alone. Returns as above. */
int sidecar_listen_loopback(struct sidecar_listeners *listeners, unsigned port, char *message, size_t message_size);

/* Whether systemd passes sockets to this process (sd_listen_fds(3)). */
bool sidecar_listen_is_activated(void);

/* Adds what systemd passes. Returns as above. */
int sidecar_listen_systemd(struct sidecar_listeners *listeners, char *message, size_t message_size);

/* Gives the files of unix sockets made here to a user. Returns as above. */
int sidecar_listen_give(const struct sidecar_listeners *listeners, uid_t uid, gid_t gid, char *message,
			size_t message_size);

/* Closes all, and removes the files of unix sockets made here. */
void sidecar_listen_close(struct sidecar_listeners *listeners);

#endif
