/* SPDX-License-Identifier: MIT */
/*
 * privileges.c: see privileges.h.
 *
 * The protocol of sd_notify(3) is one datagram; the library that speaks it would take more memory than all else here.
 */
#include "privileges.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int sidecar_privileges_find(const char *user, struct sidecar_identity *out, char *message, size_t message_size)
{
	const char *colon = strchr(user, ':');
	const struct passwd *passwd;
	const struct group *group = NULL;

	snprintf(out->name, sizeof(out->name), "%.*s", (int)(colon ? colon - user : (ptrdiff_t)strlen(user)), user);
	passwd = getpwnam(out->name);
	if (passwd) {
		out->uid = passwd->pw_uid;
		out->gid = passwd->pw_gid;
		if (!colon)
			return 0;
		group = getgrnam(colon + 1);
	}
	if (!group) {
		snprintf(message, message_size, "--user=%s: there is no such %s", user, passwd ? "group" : "user");
		return -ENOENT;
	}
	out->gid = group->gr_gid;
	return 0;
}

/* For good: the kernel forgets who it was, too. */
static int become(const struct sidecar_identity *identity, char *message, size_t message_size)
{
	if (initgroups(identity->name, identity->gid) < 0 ||
	    setresgid(identity->gid, identity->gid, identity->gid) < 0 ||
	    setresuid(identity->uid, identity->uid, identity->uid) < 0) {
		int error = errno;

		snprintf(message, message_size, "cannot become %s: %s; --user is for root", identity->name,
			 strerror(error));
		return -error;
	}
	return 0;
}

int sidecar_privileges_drop(const struct sidecar_identity *identity, char *message, size_t message_size)
{
	int result = identity ? become(identity, message, message_size) : 0;

	if (result == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) {
		result = -errno;
		snprintf(message, message_size, "cannot give up new privileges: %s", strerror(errno));
	}
	return result;
}

void sidecar_privileges_hide(bool hidden)
{
	prctl(PR_SET_DUMPABLE, hidden ? 0 : 1, 0, 0, 0);
}

void sidecar_notify(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	socklen_t length;
	int fd;

	if (!path || (*path != '/' && *path != '@') || strlen(path) >= sizeof(address.sun_path))
		return;
	strcpy(address.sun_path, path);
	length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
	if (*path == '@')
		address.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	/* A manager that does not listen does not want to know. */
	if (sendto(fd, state, strlen(state), MSG_NOSIGNAL | MSG_DONTWAIT, (const struct sockaddr *)&address, length) <
	    0)
		length = 0;
	close(fd);
}
