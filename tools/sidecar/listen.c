/* SPDX-License-Identifier: MIT */
#include "listen.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 1024, SYSTEMD_FIRST_FD = 3 };

/* Names a bound socket as it would be asked for. */
static void name_of(int fd, char *out, size_t size)
{
	union {
		struct sockaddr any;
		struct sockaddr_un local;
		struct sockaddr_storage storage;
	} address = {.storage = {0}};
	socklen_t length = sizeof(address);
	char host[128] = "?", port[16] = "?";

	if (getsockname(fd, &address.any, &length) < 0) {
		snprintf(out, size, "?");
	} else if (address.any.sa_family == AF_UNIX) {
		snprintf(out, size, "unix:%s", address.local.sun_path);
	} else {
		getnameinfo(&address.any, length, host, sizeof(host), port, sizeof(port),
			    NI_NUMERICHOST | NI_NUMERICSERV);
		snprintf(out, size, address.any.sa_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
	}
}

static int keep(struct sidecar_listeners *listeners, int fd, bool is_ours, char *message, size_t message_size)
{
	if (listeners->count == SIDECAR_LISTENERS_MAX) {
		close(fd);
		snprintf(message, message_size, "more than %d sockets to listen on", SIDECAR_LISTENERS_MAX);
		return -E2BIG;
	}
	listeners->fds[listeners->count] = fd;
	listeners->is_ours[listeners->count] = is_ours;
	name_of(fd, listeners->addresses[listeners->count], sizeof(listeners->addresses[0]));
	listeners->count++;
	return 0;
}

static int fail(int error, const char *address, const char *what, char *message, size_t message_size)
{
	snprintf(message, message_size, "cannot listen on %s: %s: %s", address, what, strerror(error));
	return -error;
}

/* -- Files --------------------------------------------------------------------------------------------------------- */

/* Removes what a server left that is no more. Returns whether the path is free now. */
static bool is_stale(const struct sockaddr_un *address)
{
	struct stat status;
	int fd, result;

	if (lstat(address->sun_path, &status) < 0 || !S_ISSOCK(status.st_mode))
		return false;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return false;
	result = connect(fd, (const struct sockaddr *)address, sizeof(*address));
	result = result < 0 ? errno : 0;
	close(fd);
	return result == ECONNREFUSED && unlink(address->sun_path) == 0;
}

static int listen_file(struct sidecar_listeners *listeners, const char *name, char *message, size_t message_size)
{
	const char *path = name + strlen("unix:");
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd, result;
	mode_t mask;

	if (!*path || strlen(path) >= sizeof(address.sun_path))
		return fail(EINVAL, name, "expected a path of 1 to 107 bytes", message, message_size);
	strcpy(address.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return fail(errno, name, "socket", message, message_size);
	/* The owner and the group may connect, as they may read a segment. A chmod() could meet another file. */
	mask = umask(0117);
	result = bind(fd, (const struct sockaddr *)&address, sizeof(address));
	if (result < 0 && errno == EADDRINUSE && is_stale(&address))
		result = bind(fd, (const struct sockaddr *)&address, sizeof(address));
	umask(mask);
	if (result < 0 || listen(fd, BACKLOG) < 0) {
		result = errno;
		close(fd);
		return fail(result, name, result == EADDRINUSE ? "another server, or another file" : "bind", message,
			    message_size);
	}
	return keep(listeners, fd, true, message, message_size);
}

/* -- Addresses ----------------------------------------------------------------------------------------------------- */

static int listen_on(const struct addrinfo *where, int *out)
{
	int yes = 1, no = 0;
	int fd = socket(where->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int result;

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	/* ":PORT" is every address; "[::]:PORT" too, as with other exporters. */
	if (where->ai_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof(no));
	if (bind(fd, where->ai_addr, where->ai_addrlen) < 0 || listen(fd, BACKLOG) < 0) {
		result = -errno;
		close(fd);
		return result;
	}
	*out = fd;
	return 0;
}

/* Whether an address stands in the list before: /etc/hosts may have it twice. */
static bool is_repeated(const struct addrinfo *list, const struct addrinfo *address)
{
	for (; list != address; list = list->ai_next) {
		if (list->ai_addrlen == address->ai_addrlen &&
		    memcmp(list->ai_addr, address->ai_addr, address->ai_addrlen) == 0)
			return true;
	}
	return false;
}

static int listen_host(struct sidecar_listeners *listeners, const char *name, const char *host, const char *port,
		       char *message, size_t message_size)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
	struct addrinfo *found;
	size_t before;
	int fd = -1, result = getaddrinfo(host, port, &hints, &found);

	if (result != 0) {
		snprintf(message, message_size, "cannot listen on %s: %s", name, gai_strerror(result));
		return -EINVAL;
	}
	/* A name may stand for several addresses; no name for two, of which IPv6's takes IPv4 along. */
	before = listeners->count;
	for (unsigned i = 0; i < 2 && (host || listeners->count == before); i++) {
		for (const struct addrinfo *at = found; at; at = at->ai_next) {
			if (at->ai_family != (i == 0 ? AF_INET6 : AF_INET) || is_repeated(found, at))
				continue;
			result = listen_on(at, &fd);
			/* An address that this machine has not is left out. */
			if (result == -EADDRNOTAVAIL || result == -EAFNOSUPPORT)
				continue;
			result = result < 0 ? fail(-result, name, "bind", message, message_size)
					    : keep(listeners, fd, true, message, message_size);
			if (result < 0)
				goto out;
		}
	}
	result = listeners->count > before ? 0 : fail(EADDRNOTAVAIL, name, "bind", message, message_size);
out:
	freeaddrinfo(found);
	return result;
}

int sidecar_listen(struct sidecar_listeners *listeners, const char *address, char *message, size_t message_size)
{
	const char *colon = strrchr(address, ':');
	char host[256];
	size_t length;
	unsigned long port;
	char *end;

	if (strncmp(address, "unix:", 5) == 0)
		return listen_file(listeners, address, message, message_size);
	if (!colon || !(colon[1] >= '0' && colon[1] <= '9') || (port = strtoul(colon + 1, &end, 10), *end) ||
	    port > 65535) {
		snprintf(message, message_size, "cannot listen on \"%s\": expected HOST:PORT, :PORT or unix:PATH",
			 address);
		return -EINVAL;
	}
	length = (size_t)(colon - address);
	if (length >= 2 && address[0] == '[' && address[length - 1] == ']') {
		address++;
		length -= 2;
	} else if (memchr(address, ':', length)) {
		snprintf(message, message_size, "cannot listen on \"%s\": IPv6 addresses need brackets", address);
		return -EINVAL;
	}
	if (length >= sizeof(host))
		length = sizeof(host) - 1;
	memcpy(host, address, length);
	host[length] = '\0';
	return listen_host(listeners, address, length ? host : NULL, colon + 1, message, message_size);
}

int sidecar_listen_loopback(struct sidecar_listeners *listeners, unsigned port, char *message, size_t message_size)
{
	char address[64], ignored[256];
	int result;

	snprintf(address, sizeof(address), "127.0.0.1:%u", port);
	result = sidecar_listen(listeners, address, message, message_size);
	if (result < 0)
		return result;
	snprintf(address, sizeof(address), "[::1]:%u", port);
	sidecar_listen(listeners, address, ignored, sizeof(ignored));
	return 0;
}

/* One past the last descriptor that systemd passes; 0: none. What is meant for another process is nothing to us. */
static int systemd_end_fd(void)
{
	const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");
	int fds = count ? atoi(count) : 0;

	if (!pid || strtol(pid, NULL, 10) != getpid() || fds < 1)
		return 0;
	return SYSTEMD_FIRST_FD + (fds < SIDECAR_LISTENERS_MAX ? fds : SIDECAR_LISTENERS_MAX + 1);
}

bool sidecar_listen_is_activated(void)
{
	return systemd_end_fd() > 0;
}

int sidecar_listen_systemd(struct sidecar_listeners *listeners, char *message, size_t message_size)
{
	int last = systemd_end_fd();

	if (!last) {
		snprintf(message, message_size,
			 "--web.systemd-socket: systemd passed no socket (LISTEN_PID and LISTEN_FDS); start "
			 "promcb-sidecar.socket instead of the service");
		return -EINVAL;
	}
	for (int fd = SYSTEMD_FIRST_FD; fd < last; fd++) {
		int listening = 0;
		socklen_t size = sizeof(listening);

		if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) < 0 || !listening) {
			snprintf(message, message_size,
				 "descriptor %d, passed by systemd, is not a listening stream socket", fd);
			return -ENOTSOCK;
		}
		fcntl(fd, F_SETFD, FD_CLOEXEC);
		fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
		int result = keep(listeners, fd, false, message, message_size);

		if (result < 0)
			return result;
	}
	/* Not for children. */
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	return 0;
}

int sidecar_listen_give(const struct sidecar_listeners *listeners, uid_t uid, gid_t gid, char *message,
			size_t message_size)
{
	for (size_t i = 0; i < listeners->count; i++) {
		const char *address = listeners->addresses[i];

		if (listeners->is_ours[i] && strncmp(address, "unix:", 5) == 0 && lchown(address + 5, uid, gid) < 0)
			return fail(errno, address, "chown", message, message_size);
	}
	return 0;
}

void sidecar_listen_close(struct sidecar_listeners *listeners)
{
	while (listeners->count) {
		const char *address = listeners->addresses[--listeners->count];

		close(listeners->fds[listeners->count]);
		if (listeners->is_ours[listeners->count] && strncmp(address, "unix:", 5) == 0)
			unlink(address + strlen("unix:"));
	}
}
