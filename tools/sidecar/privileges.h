/* SPDX-License-Identifier: MIT */
/*
 * privileges.h: what the process may do, and what systemd is told.
 *
 * A leaf.
 */
#ifndef PROMCB_SIDECAR_PRIVILEGES_H
#define PROMCB_SIDECAR_PRIVILEGES_H

#include <stddef.h>

/*
 * Becomes user, "USER" or "USER:GROUP" (NULL: stays who it is), for good, and gives up ever getting rights by exec.
 * Returns 0, or -errno with a sentence in message.
 */
int sidecar_privileges_drop(const char *user, char *message, size_t message_size);

/* Tells the service manager, if there is one: "READY=1", as sd_notify(3). Never fails. */
void sidecar_notify(const char *state);

#endif
