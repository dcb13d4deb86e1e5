/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as a web configuration file: settings that keep what their header promises, or a sentence; and an
 * Authorization header of the same bytes.
 */
#include "sidecar/auth.h"
#include "sidecar/web_config_file.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool truth, const char *what)
{
	if (!truth) {
		fprintf(stderr, "%s\n", what);
		abort();
	}
}

static void check(struct sidecar_web_settings *settings)
{
	char message[300];

	expect(!settings->has_tls ||
		       ((settings->cert_path || settings->cert_text) && (settings->key_path || settings->key_text)),
	       "TLS without certificate or key");
	expect(settings->has_tls || (!settings->cert_path && !settings->cert_text && !settings->checks_sans),
	       "words about no TLS");
	expect(settings->tls_options.min_version <= settings->tls_options.max_version &&
		       settings->tls_options.max_version <= 3,
	       "versions");
	expect(settings->tls_options.cipher_count <= SIDECAR_TLS_CIPHERS_MAX, "ciphers");
	expect(settings->tls_options.curve_count <= SIDECAR_TLS_CURVES_MAX, "curves");
	expect(settings->header_count <= 5 && settings->user_count <= SIDECAR_WEB_USERS_MAX, "counts");
	for (size_t i = 0; i < settings->header_count; i++) {
		for (const char *at = settings->headers[i].value; *at; at++)
			expect((unsigned char)*at >= 0x20 && *at != 0x7f, "a header with control characters");
	}
	for (size_t i = 0; i < settings->user_count; i++) {
		expect(strlen(settings->users[i].hash) == SIDECAR_BCRYPT_LENGTH, "half a hash");
		expect(!strchr(settings->users[i].name, ':'), "a colon in a name");
	}
	if (settings->tls_options.cipher_count > 0 || settings->tls_options.curve_count > 0)
		(void)sidecar_tls_priority(&settings->tls_options, NULL, NULL, message, sizeof(message));
	expect(sidecar_web_settings_locate(settings, "/directory") == 0, "no memory");
	expect(!settings->cert_path || *settings->cert_path == '/', "a relative path is left");
	sidecar_web_settings_free(settings);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sidecar_web_settings *settings = NULL;
	struct sidecar_credentials credentials;
	char message[300] = "", *header = malloc(size + 7);
	int result;

	if (!header)
		return 0;
	result = sidecar_web_config_parse((const char *)data, size, &settings, message, sizeof(message));
	if (result == 0)
		check(settings);
	else
		expect(result == -EINVAL && *message != '\0' && !settings, "a failure without a sentence");

	memcpy(header, "Basic ", 6);
	memcpy(header + 6, data, size);
	header[6 + size] = '\0';
	if (sidecar_auth_decode(header, &credentials) == 0)
		expect(!strchr(credentials.name, ':'), "a name that goes on");
	free(header);
	return 0;
}
