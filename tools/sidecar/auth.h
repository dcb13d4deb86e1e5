/* SPDX-License-Identifier: MIT */
/*
 * auth.h: whether a name and a password are those of a user, by bcrypt with a budget of processor time for strangers.
 *
 * A password costs bcrypt as long as its hash says: 70 ms at a cost of 10, twice that for each step. So verdicts are
 * remembered: SIDECAR_AUTH_KEPT that granted and as many that denied, apart, so that a flood of wrong passwords cannot
 * push a right one out. They are remembered under a keyed hash of name, password and bcrypt hash, never as they came.
 *
 * What is not remembered is checked one at a time in each of two lanes: hashes whose cost is at most two above the
 * lowest of all users, and the dearer ones, so that a login that waits for one of these delays nobody else. A wrong
 * password adds three times as long as it took to the rest of its lane, and once ten of that have gathered, the lane
 * answers "try again": wrong passwords may use at most 25 % of one processor a lane on average; short bursts do not
 * cause refusals. A few callers may wait for their turn in a lane; all others are immediately asked to try again, so
 * that threads are left for logins that are remembered.
 *
 * An unknown name is checked against the hash of some user of the first lane, always the same, and denied: it takes as
 * long as a wrong password there. Only a user whose hash costs more than those of others can be told from a stranger.
 */
#ifndef PROMCB_SIDECAR_AUTH_H
#define PROMCB_SIDECAR_AUTH_H

#include "web_config_file.h"

#include <stddef.h>

enum { SIDECAR_AUTH_THREADS = 5 }; /* at most so many are in here for long */

enum { SIDECAR_AUTH_KEPT = 64, SIDECAR_AUTH_NAME_MAX = 255, SIDECAR_AUTH_PASSWORD_MAX = 511 };

struct sidecar_auth;

enum sidecar_auth_verdict { SIDECAR_AUTH_DENIED, SIDECAR_AUTH_GRANTED, SIDECAR_AUTH_BUSY };

/* What came in an Authorization header. Wiped by whoever is done with it. */
struct sidecar_credentials {
	char name[SIDECAR_AUTH_NAME_MAX + 1];
	char password[SIDECAR_AUTH_PASSWORD_MAX + 1];
};

/*
 * "Basic BASE64" to credentials. Returns 0, or -EINVAL: another scheme, no base64, no colon, a NUL within, or too long;
 * then the credentials are wiped.
 */
int sidecar_auth_decode(const char *authorization, struct sidecar_credentials *out);

/* Returns 0, or -errno: -ENOMEM, or what getrandom(2) says. */
int sidecar_auth_new(struct sidecar_auth **out);

/* Nobody may be in a call of this module any more. */
void sidecar_auth_free(struct sidecar_auth *auth);

/* Forgets all verdicts: the users have changed. Thread-safe. */
void sidecar_auth_forget(struct sidecar_auth *auth);

/* Thread-safe. users: at least one. Blocks as told above. */
enum sidecar_auth_verdict sidecar_auth_check(struct sidecar_auth *auth, const struct sidecar_web_user *users,
					     size_t user_count, const struct sidecar_credentials *credentials);

#endif
