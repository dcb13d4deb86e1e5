/* SPDX-License-Identifier: MIT */
/*
 * web_config_file.h: what a web configuration file says, checked as far as the file alone can be.
 *
 * Pure but for the memory: a text goes in, settings or a sentence come out. Invariants of settings:
 *   has_tls = there is a certificate and a key; without it, nothing was said of them, nor of clients' certificates;
 *   every hash is a whole bcrypt hash; every header is one that may be set, and holds no control bytes.
 */
#ifndef PROMCB_SIDECAR_WEB_CONFIG_FILE_H
#define PROMCB_SIDECAR_WEB_CONFIG_FILE_H

#include "tls_priority.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	SIDECAR_WEB_CONFIG_BYTES_MAX = 1 << 20,
	SIDECAR_WEB_USERS_MAX = 1024,
	SIDECAR_WEB_SANS_MAX = 256,
	SIDECAR_WEB_BURST_MAX = 1000000
};

/* "$2b$10$", 22 characters of salt, 31 of digest. */
enum { SIDECAR_BCRYPT_LENGTH = 60 };

enum sidecar_client_auth {
	SIDECAR_CLIENT_NONE = 0,
	SIDECAR_CLIENT_REQUEST,           /* asked for, not looked at */
	SIDECAR_CLIENT_REQUIRE_ANY,       /* must be there, is not looked at */
	SIDECAR_CLIENT_VERIFY_IF_GIVEN,
	SIDECAR_CLIENT_REQUIRE_AND_VERIFY,
};

struct sidecar_web_user {
	char *name;
	char hash[SIDECAR_BCRYPT_LENGTH + 1];
};

struct sidecar_web_header {
	const char *name; /* a constant */
	char *value;
};

struct sidecar_web_settings {
	bool has_tls, is_without_certificate;        /* the latter: versions or suites were said all the same */
	char *cert_path, *key_path, *client_ca_path; /* any may be NULL */
	char *cert_text, *key_text, *client_ca_text; /* the same in PEM; a path goes before it */
	enum sidecar_client_auth client_auth;
	bool said_client_auth;
	struct sidecar_tls_options tls_options;
	bool checks_sans;                            /* an empty list lets nobody in */
	char **sans;
	size_t san_count;
	struct sidecar_web_header headers[5];
	size_t header_count;
	struct sidecar_web_user *users;
	size_t user_count;
	uint64_t limit_interval_ns;                  /* between two requests; 0: no limit */
	uint64_t limit_burst;                        /* that may come at once; 0 with an interval: none at all */
};

/*
 * Reads a file's bytes. Returns 0, or -errno with a sentence in message that names the line: -EINVAL, -ENOMEM. *out is
 * freed with sidecar_web_settings_free().
 */
int sidecar_web_config_parse(const char *text, size_t length, struct sidecar_web_settings **out, char *message,
			     size_t message_size);

/* Makes relative paths relative to a directory. Returns 0, or -ENOMEM. */
int sidecar_web_settings_locate(struct sidecar_web_settings *settings, const char *directory);

void sidecar_web_settings_free(struct sidecar_web_settings *settings);

#endif
