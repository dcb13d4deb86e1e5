/* SPDX-License-Identifier: MIT */
/*
 * tls_priority.h: which versions, cipher suites and curves a server offers, from the names that Go gives them to the
 * priorities of GnuTLS.
 *
 * A leaf on GnuTLS.
 */
#ifndef PROMCB_SIDECAR_TLS_PRIORITY_H
#define PROMCB_SIDECAR_TLS_PRIORITY_H

#include <stdbool.h>
#include <stddef.h>

struct gnutls_priority_st;

enum { SIDECAR_TLS_CIPHERS_MAX = 17, SIDECAR_TLS_CURVES_MAX = 4, SIDECAR_TLS_PRIORITY_MAX = 1024 };

/* The default is all zero but for the versions. Ciphers and curves: numbers of their names, in order of preference. */
struct sidecar_tls_options {
	unsigned min_version, max_version; /* 0 is TLS 1.0, 3 is TLS 1.3 */
	unsigned ciphers[SIDECAR_TLS_CIPHERS_MAX], curves[SIDECAR_TLS_CURVES_MAX];
	size_t cipher_count, curve_count; /* 0: the library's own choice */
	bool client_precedence;
};

/* Names to numbers; -1 for no such name. "TLS12"; "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"; "CurveP256". */
int sidecar_tls_version(const char *name);
int sidecar_tls_cipher(const char *name);
int sidecar_tls_curve(const char *name);

/*
 * The wishes as GnuTLS takes them, in text and as an object; either may be NULL. GnuTLS chooses key exchange, cipher
 * and MAC apart, and ciphers for all versions alike. So a list of suites whose parts make up another suite as well is
 * refused, and TLS 1.3 has those of its suites whose cipher is listed. Returns 0, or -errno with a sentence in message:
 * -EINVAL, -ENOMEM.
 */
int sidecar_tls_priority(const struct sidecar_tls_options *tls_options, char text[SIDECAR_TLS_PRIORITY_MAX],
			 struct gnutls_priority_st **out, char *message, size_t message_size);

#endif
