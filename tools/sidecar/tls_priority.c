/* SPDX-License-Identifier: MIT */
/* tls_priority.c: a priority string, and the proof that it allows what was asked for and nothing else. */
#include "tls_priority.h"

#include <errno.h>
#include <gnutls/gnutls.h>
#include <stdio.h>
#include <string.h>

enum { TLS_1_3 = 3 };

static const struct {
	const char *name, *priority;
} versions[] = {
	{"TLS10", "VERS-TLS1.0"},
	{"TLS11", "VERS-TLS1.1"},
	{"TLS12", "VERS-TLS1.2"},
	{"TLS13", "VERS-TLS1.3"},
};

static const struct {
	const char *name, *priority;
} curves[SIDECAR_TLS_CURVES_MAX] = {
	{"CurveP256", "GROUP-SECP256R1"},
	{"CurveP384", "GROUP-SECP384R1"},
	{"CurveP521", "GROUP-SECP521R1"},
	{"X25519", "GROUP-X25519"},
};

/* The suites that Go takes for secure. Those of TLS 1.3 have no key exchange of their own. */
static const struct suite {
	const char *name, *gnutls, *exchange, *cipher, *mac;
} suites[SIDECAR_TLS_CIPHERS_MAX] = {
	{"TLS_RSA_WITH_AES_128_CBC_SHA", "TLS_RSA_AES_128_CBC_SHA1", "RSA", "AES-128-CBC", "SHA1"},
	{"TLS_RSA_WITH_AES_256_CBC_SHA", "TLS_RSA_AES_256_CBC_SHA1", "RSA", "AES-256-CBC", "SHA1"},
	{"TLS_RSA_WITH_AES_128_GCM_SHA256", "TLS_RSA_AES_128_GCM_SHA256", "RSA", "AES-128-GCM", "AEAD"},
	{"TLS_RSA_WITH_AES_256_GCM_SHA384", "TLS_RSA_AES_256_GCM_SHA384", "RSA", "AES-256-GCM", "AEAD"},
	{"TLS_AES_128_GCM_SHA256", "TLS_AES_128_GCM_SHA256", NULL, "AES-128-GCM", "AEAD"},
	{"TLS_AES_256_GCM_SHA384", "TLS_AES_256_GCM_SHA384", NULL, "AES-256-GCM", "AEAD"},
	{"TLS_CHACHA20_POLY1305_SHA256", "TLS_CHACHA20_POLY1305_SHA256", NULL, "CHACHA20-POLY1305", "AEAD"},
	{"TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA", "TLS_ECDHE_ECDSA_AES_128_CBC_SHA1", "ECDHE-ECDSA", "AES-128-CBC",
	 "SHA1"},
	{"TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA", "TLS_ECDHE_ECDSA_AES_256_CBC_SHA1", "ECDHE-ECDSA", "AES-256-CBC",
	 "SHA1"},
	{"TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", "TLS_ECDHE_RSA_AES_128_CBC_SHA1", "ECDHE-RSA", "AES-128-CBC", "SHA1"},
	{"TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA", "TLS_ECDHE_RSA_AES_256_CBC_SHA1", "ECDHE-RSA", "AES-256-CBC", "SHA1"},
	{"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "TLS_ECDHE_ECDSA_AES_128_GCM_SHA256", "ECDHE-ECDSA", "AES-128-GCM",
	 "AEAD"},
	{"TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "TLS_ECDHE_ECDSA_AES_256_GCM_SHA384", "ECDHE-ECDSA", "AES-256-GCM",
	 "AEAD"},
	{"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "TLS_ECDHE_RSA_AES_128_GCM_SHA256", "ECDHE-RSA", "AES-128-GCM",
	 "AEAD"},
	{"TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "TLS_ECDHE_RSA_AES_256_GCM_SHA384", "ECDHE-RSA", "AES-256-GCM",
	 "AEAD"},
	{"TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", "TLS_ECDHE_RSA_CHACHA20_POLY1305", "ECDHE-RSA",
	 "CHACHA20-POLY1305", "AEAD"},
	{"TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", "TLS_ECDHE_ECDSA_CHACHA20_POLY1305", "ECDHE-ECDSA",
	 "CHACHA20-POLY1305", "AEAD"},
};

int sidecar_tls_version(const char *name)
{
	for (size_t i = 0; i < sizeof(versions) / sizeof(*versions); i++) {
		if (strcmp(name, versions[i].name) == 0)
			return (int)i;
	}
	return -1;
}

int sidecar_tls_cipher(const char *name)
{
	for (size_t i = 0; i < SIDECAR_TLS_CIPHERS_MAX; i++) {
		if (strcmp(name, suites[i].name) == 0)
			return (int)i;
	}
	return -1;
}

int sidecar_tls_curve(const char *name)
{
	for (size_t i = 0; i < SIDECAR_TLS_CURVES_MAX; i++) {
		if (strcmp(name, curves[i].name) == 0)
			return (int)i;
	}
	return -1;
}

/* -- Text --------------------------------------------------------------------------------------------------------- */

/* Each part once, in the order of its first mention. The sum of all names is far from filling the text. */
static void append(char *text, const char *part)
{
	char word[64];
	const char *found = text;

	snprintf(word, sizeof(word), ":+%s", part);
	while ((found = strstr(found, word))) {
		found += strlen(word);
		if (*found == '\0' || *found == ':')
			return;
	}
	snprintf(text + strlen(text), SIDECAR_TLS_PRIORITY_MAX - strlen(text), "%s", word);
}

static void compose(const struct sidecar_tls_options *tls_options, char *text)
{
	/*
	 * By itself nothing without forward secrecy, and no groups of primes, which Go does not have either.
	 * Certificates that say too little of what their keys are for are served by everybody else: who loads them
	 * warns.
	 */
	snprintf(text, SIDECAR_TLS_PRIORITY_MAX, "NORMAL:%%DEBUG_ALLOW_KEY_USAGE_VIOLATIONS%s%s:-VERS-ALL%s",
		 tls_options->cipher_count > 0 ? ":-KX-ALL:-CIPHER-ALL:-MAC-ALL" : ":-RSA:-DHE-RSA",
		 tls_options->curve_count > 0 ? ":-GROUP-ALL" : "",
		 tls_options->client_precedence ? "" : ":%SERVER_PRECEDENCE");
	for (unsigned version = tls_options->max_version + 1; version-- > tls_options->min_version;)
		append(text, versions[version].priority);
	for (size_t i = 0; i < tls_options->cipher_count; i++) {
		const struct suite *suite = &suites[tls_options->ciphers[i]];

		if (suite->exchange)
			append(text, suite->exchange);
		append(text, suite->cipher);
		append(text, suite->mac);
	}
	for (size_t i = 0; i < tls_options->curve_count; i++)
		append(text, curves[tls_options->curves[i]].priority);
}

/* -- Proof -------------------------------------------------------------------------------------------------------- */

/* Go's name of a suite, where it has one. */
static const char *known_as(const char *gnutls_name)
{
	for (size_t i = 0; i < SIDECAR_TLS_CIPHERS_MAX; i++) {
		if (strcmp(gnutls_name, suites[i].gnutls) == 0)
			return suites[i].name;
	}
	return gnutls_name;
}

static bool wished(const struct sidecar_tls_options *tls_options, const char *gnutls_name)
{
	for (size_t i = 0; i < tls_options->cipher_count; i++) {
		if (strcmp(gnutls_name, suites[tls_options->ciphers[i]].gnutls) == 0)
			return true;
	}
	return false;
}

/* Every suite that comes of the parts is in the list, and each version that is offered has one. */
static int prove(const struct sidecar_tls_options *tls_options, gnutls_priority_t priority, char *message,
		 size_t message_size)
{
	bool has_new = false, has_old = false;
	unsigned index;

	for (unsigned i = 0;; i++) {
		gnutls_protocol_t oldest;
		const char *name;
		int result = gnutls_priority_get_cipher_suite_index(priority, i, &index);

		if (result == GNUTLS_E_UNKNOWN_CIPHER_SUITE)
			continue;
		if (result != GNUTLS_E_SUCCESS)
			break;
		name = gnutls_cipher_suite_info(index, NULL, NULL, NULL, NULL, &oldest);
		if (!name)
			continue;
		if (oldest == GNUTLS_TLS1_3) {
			has_new = true;
			continue;
		}
		has_old = true;
		if (tls_options->cipher_count > 0 && !wished(tls_options, name)) {
			snprintf(message, message_size,
				 "cipher_suites: this list cannot be kept to, as its parts also make up %s: add that, "
				 "or take out a suite",
				 known_as(name));
			return -EINVAL;
		}
	}
	if ((tls_options->min_version == TLS_1_3 && !has_new) || (tls_options->max_version < TLS_1_3 && !has_old) ||
	    (!has_new && !has_old)) {
		snprintf(message, message_size,
			 "cipher_suites: none of the list is usable with min_version and max_version");
		return -EINVAL;
	}
	return 0;
}

/* Whether there is a suite of TLS 1.3 in the list, or one whose cipher makes one. */
static bool has_modern(const struct sidecar_tls_options *tls_options)
{
	for (size_t i = 0; i < tls_options->cipher_count; i++) {
		if (strcmp(suites[tls_options->ciphers[i]].mac, "AEAD") == 0)
			return true;
	}
	return tls_options->cipher_count == 0;
}

int sidecar_tls_priority(const struct sidecar_tls_options *tls_options, char text[SIDECAR_TLS_PRIORITY_MAX],
			 struct gnutls_priority_st **out, char *message, size_t message_size)
{
	struct sidecar_tls_options offered = *tls_options;
	char own[SIDECAR_TLS_PRIORITY_MAX];
	gnutls_priority_t priority;
	const char *fault;
	int result;

	/* Offered without a suite, TLS 1.3 would be agreed upon first, and fail then. */
	if (offered.max_version == TLS_1_3 && offered.min_version < TLS_1_3 && !has_modern(tls_options))
		offered.max_version--;
	compose(&offered, own);
	result = gnutls_priority_init(&priority, own, &fault);
	if (result == GNUTLS_E_MEMORY_ERROR)
		return -ENOMEM;
	if (result != GNUTLS_E_SUCCESS) {
		snprintf(message, message_size,
			 "cipher_suites, curve_preferences, min_version and max_version leave nothing to offer (%s)",
			 gnutls_strerror(result));
		return -EINVAL;
	}
	result = prove(&offered, priority, message, message_size);
	if (text && result == 0)
		memcpy(text, own, sizeof(own));
	if (out && result == 0)
		*out = priority;
	else
		gnutls_priority_deinit(priority);
	return result;
}
