/* SPDX-License-Identifier: MIT */
/*
 * tls.h: a server's certificate, its key, whom it trusts, and what it offers: loaded once, then only read.
 *
 * Sessions have copies of certificate and key, so that those here may go while connections go on.
 */
#ifndef PROMCB_SIDECAR_TLS_H
#define PROMCB_SIDECAR_TLS_H

#include "web_config_file.h"

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <stdbool.h>
#include <stddef.h>

struct sidecar_tls;

/*
 * Loads what the settings name; they must stay for as long as this. Returns 0, or -errno with a sentence in message
 * that names the file: that of reading it, -EINVAL where it is not what it should be, -ENOMEM.
 */
int sidecar_tls_load(const struct sidecar_web_settings *settings, struct sidecar_tls **out, char *message,
		     size_t message_size);

void sidecar_tls_free(struct sidecar_tls *tls);

/* What its owner should know of the certificate, which is served all the same; or NULL. */
const char *sidecar_tls_warning(const struct sidecar_tls *tls);

/* The priorities, for as long as tls is there. */
gnutls_priority_t sidecar_tls_priority_object(const struct sidecar_tls *tls);

/*
 * Whether the client's certificate, or its absence, will do: NULL, or the reason why not. Within a handshake and later.
 * Thread-safe.
 */
const char *sidecar_tls_peer_fault(const struct sidecar_tls *tls, gnutls_session_t session);

/*
 * For a gnutls_certificate_retrieve_function3: sets up what a handshake asks of the client, and gives it copies of the
 * certificate and the key. Returns 0, or -1. Thread-safe.
 */
int sidecar_tls_retrieve(const struct sidecar_tls *tls, gnutls_session_t session,
			 gnutls_certificate_verify_function *verify, gnutls_pcert_st **chain, unsigned *chain_length,
			 gnutls_privkey_t *key, unsigned *flags);

#endif
