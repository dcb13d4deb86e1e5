/* SPDX-License-Identifier: MIT */
/*
 * privileges.h: what the process may do, and what systemd is told.
 *
 *
 */
#ifndef PROMCB_SIDECAR_PRIVILEGES_H
#define PROMCB_SIDECAR_PRIVILEGES_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Who to become. */
struct sidecar_identity {
	char name[256];
	uid_t uid;
	gid_t gid;
};

/* Finds "USER" or "USER:GROUP". Returns 0, or -errno with a sentence in message. */
int sidecar_privileges_find(const char *user, struct sidecar_identity *out, char *message, size_t message_size);

/*
 * Becomes that one (NULL: stays who it is), for good, and gives up ever getting rights by exec. Before there is a
 * thread. Returns as above.
 */
int sidecar_privileges_drop(const struct sidecar_identity *identity, char *message, size_t message_size);

/* Whether nobody but root may look into the memory of this process, nor get it as a core file: for its secrets. */
void sidecar_privileges_hide(bool hidden);

/* Tells the service manager, if there is one: "READY=1", as sd_notify(3). Never fails. */
void sidecar_notify(const char *state);

#endif
