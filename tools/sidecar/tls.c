/* SPDX-License-Identifier: MIT */
/* tls.c: PEM files to GnuTLS' objects, and clients' certificates against them. */
#include "tls.h"

#include "tls_priority.h"
#include "web_config_file.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <gnutls/x509.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A client's chain beyond this is not looked at. A SAN beyond this length is no match. */
enum { PEM_BYTES_MAX = 1 << 20, PEER_CHAIN_MAX = 16, SAN_LENGTH_MAX = 1024 };

struct sidecar_tls {
	const struct sidecar_web_settings *settings;
	gnutls_x509_crt_t *chain;
	unsigned chain_length;
	gnutls_x509_privkey_t key;
	gnutls_x509_trust_list_t trust; /* NULL: nothing to verify */
	gnutls_priority_t priority;
};

/* -- Files -------------------------------------------------------------------------------------------------------- */

static int complain(char *message, size_t size, int error, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

static int complain(char *message, size_t size, int error, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(message, size, format, arguments);
	va_end(arguments);
	return error;
}

/* A whole file, which may be a secret: put with wipe(). */
static int slurp(const char *path, gnutls_datum_t *out, char *message, size_t message_size)
{
	/* A FIFO that nobody writes into is no reason to hang. */
	int file = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK), error;
	struct stat status;
	size_t room, done = 0;

	*out = (gnutls_datum_t){.data = NULL};
	if (file < 0 || fstat(file, &status) < 0) {
		error = errno;
		goto failed;
	}
	error = EINVAL;
	if (!S_ISREG(status.st_mode) || status.st_size > PEM_BYTES_MAX) {
		close(file);
		return complain(message, message_size, -EINVAL, "%s: not a regular file of at most %d bytes", path,
				PEM_BYTES_MAX);
	}
	room = (size_t)status.st_size + 1;
	out->data = malloc(room);
	if (!out->data) {
		error = ENOMEM;
		goto failed;
	}
	while (done < room) {
		ssize_t length = read(file, out->data + done, room - done);

		if (length < 0 && errno == EINTR)
			continue;
		if (length < 0) {
			error = errno;
			goto failed;
		}
		if (length == 0)
			break;
		done += (size_t)length;
	}
	/* It grew while it was read: whoever writes it is not done. */
	if (done == room) {
		error = EAGAIN;
		goto failed;
	}
	close(file);
	out->data[done] = '\0';
	out->size = (unsigned)done;
	return 0;
failed:
	if (out->data) {
		explicit_bzero(out->data, done);
		free(out->data);
	}
	if (file >= 0)
		close(file);
	return complain(message, message_size, -error, "%s: %s", path, strerror(error));
}

/* A file, or if there is none what stands in the configuration itself. */
static int obtain(const char *path, const char *text, gnutls_datum_t *out, char *message, size_t message_size)
{
	size_t length;

	if (path)
		return slurp(path, out, message, message_size);
	length = strlen(text);
	out->data = (unsigned char *)strdup(text);
	out->size = (unsigned)length;
	return out->data ? 0 : complain(message, message_size, -ENOMEM, "%s", strerror(ENOMEM));
}

static void wipe(gnutls_datum_t *bytes)
{
	explicit_bzero(bytes->data, bytes->size);
	free(bytes->data);
}

static int load_chain(struct sidecar_tls *tls, char *message, size_t message_size)
{
	const char *path = tls->settings->cert_path;
	gnutls_datum_t pem;
	int result = obtain(path, tls->settings->cert_text, &pem, message, message_size);

	if (result)
		return result;
	result = gnutls_x509_crt_list_import2(&tls->chain, &tls->chain_length, &pem, GNUTLS_X509_FMT_PEM, 0);
	wipe(&pem);
	if (result < 0)
		return complain(message, message_size, -EINVAL, "%s%s: no PEM certificate (%s)",
				path ? "cert_file " : "cert", path ? path : "", gnutls_strerror(result));
	return 0;
}

static int load_key(struct sidecar_tls *tls, char *message, size_t message_size)
{
	const char *path = tls->settings->key_path, *key = path ? "key_file " : "key";
	gnutls_datum_t pem;
	int result = obtain(path, tls->settings->key_text, &pem, message, message_size);

	if (result)
		return result;
	result = gnutls_x509_privkey_init(&tls->key);
	if (result == 0)
		result = gnutls_x509_privkey_import2(tls->key, &pem, GNUTLS_X509_FMT_PEM, NULL, 0);
	wipe(&pem);
	if (result == GNUTLS_E_DECRYPTION_FAILED)
		return complain(message, message_size, -EINVAL,
				"%s%s: the key is encrypted: store it without a password", key, path ? path : "");
	if (result < 0)
		return complain(message, message_size, -EINVAL, "%s%s: no PEM private key (%s)", key, path ? path : "",
				gnutls_strerror(result));
	return 0;
}

static int check_pair(const struct sidecar_tls *tls, char *message, size_t message_size)
{
	unsigned char of_certificate[64], of_key[64];
	size_t certificate_size = sizeof(of_certificate), key_size = sizeof(of_key);

	if (gnutls_x509_crt_get_key_id(tls->chain[0], GNUTLS_KEYID_USE_SHA256, of_certificate, &certificate_size) ||
	    gnutls_x509_privkey_get_key_id(tls->key, GNUTLS_KEYID_USE_SHA256, of_key, &key_size) ||
	    certificate_size != key_size || memcmp(of_certificate, of_key, key_size) != 0)
		return complain(message, message_size, -EINVAL, "%s%s: not the key of the first certificate in %s",
				tls->settings->key_path ? "key_file " : "key",
				tls->settings->key_path ? tls->settings->key_path : "",
				tls->settings->cert_path ? tls->settings->cert_path : "cert");
	return 0;
}

/* Without a word about what its key is for, it is for everything. */
static bool is_for_signatures(gnutls_x509_crt_t certificate)
{
	unsigned usage, critical;

	return gnutls_x509_crt_get_key_usage(certificate, &usage, &critical) < 0 ||
	       (usage & GNUTLS_KEY_DIGITAL_SIGNATURE) != 0;
}

/* Without a file of its own, the system's authorities are trusted, as by Go. */
static int load_trust(struct sidecar_tls *tls, char *message, size_t message_size)
{
	const char *path = tls->settings->client_ca_path, *text = tls->settings->client_ca_text;
	gnutls_datum_t pem;
	int result;

	if (gnutls_x509_trust_list_init(&tls->trust, 0) < 0)
		return complain(message, message_size, -ENOMEM, "%s", strerror(ENOMEM));
	if (!path && !text) {
		result = gnutls_x509_trust_list_add_system_trust(tls->trust, 0, 0);
		if (result <= 0)
			return complain(message, message_size, -EINVAL,
					"client_ca_file is missing, and the system has no trusted certificates");
		return 0;
	}
	result = obtain(path, text, &pem, message, message_size);
	if (result)
		return result;
	result = gnutls_x509_trust_list_add_trust_mem(tls->trust, &pem, NULL, GNUTLS_X509_FMT_PEM, 0, 0);
	wipe(&pem);
	if (result <= 0)
		return complain(message, message_size, -EINVAL, "%s%s: no PEM certificate%s%s",
				path ? "client_ca_file " : "client_ca", path ? path : "", result < 0 ? ": " : "",
				result < 0 ? gnutls_strerror(result) : "");
	return 0;
}

static bool verifies(const struct sidecar_tls *tls)
{
	return tls->settings->client_auth >= SIDECAR_CLIENT_VERIFY_IF_GIVEN;
}

int sidecar_tls_load(const struct sidecar_web_settings *settings, struct sidecar_tls **out, char *message,
		     size_t message_size)
{
	struct sidecar_tls *tls = calloc(1, sizeof(*tls));
	int result;

	if (!tls)
		return complain(message, message_size, -ENOMEM, "%s", strerror(ENOMEM));
	tls->settings = settings;
	result = sidecar_tls_priority(&settings->tls_options, NULL, &tls->priority, message, message_size);
	if (result == 0)
		result = load_chain(tls, message, message_size);
	if (result == 0)
		result = load_key(tls, message, message_size);
	if (result == 0)
		result = check_pair(tls, message, message_size);
	if (result == 0 && verifies(tls))
		result = load_trust(tls, message, message_size);
	if (result == 0)
		*out = tls;
	else
		sidecar_tls_free(tls);
	return result;
}

void sidecar_tls_free(struct sidecar_tls *tls)
{
	if (!tls)
		return;
	for (unsigned i = 0; i < tls->chain_length; i++)
		gnutls_x509_crt_deinit(tls->chain[i]);
	gnutls_free(tls->chain);
	/* Wipes the key. */
	if (tls->key)
		gnutls_x509_privkey_deinit(tls->key);
	if (tls->trust)
		gnutls_x509_trust_list_deinit(tls->trust, 1);
	if (tls->priority)
		gnutls_priority_deinit(tls->priority);
	free(tls);
}

const char *sidecar_tls_warning(const struct sidecar_tls *tls)
{
	return is_for_signatures(tls->chain[0])
		       ? NULL
		       : "the certificate's keyUsage lacks digitalSignature, which TLS 1.3 and ECDHE need: clients "
			 "that look at that, such as GnuTLS, refuse it; have it issued anew";
}

gnutls_priority_t sidecar_tls_priority_object(const struct sidecar_tls *tls)
{
	return tls->priority;
}

/* -- Clients ------------------------------------------------------------------------------------------------------ */

static bool is_allowed(const struct sidecar_web_settings *settings, const char *san, size_t length)
{
	for (size_t i = 0; i < settings->san_count; i++) {
		if (strlen(settings->sans[i]) == length && memcmp(settings->sans[i], san, length) == 0)
			return true;
	}
	return false;
}

/* DNS names, mail addresses, URIs and IP addresses, each as it is written. */
static bool has_allowed_san(const struct sidecar_web_settings *settings, gnutls_x509_crt_t certificate)
{
	for (unsigned i = 0;; i++) {
		char san[SAN_LENGTH_MAX], address[INET6_ADDRSTRLEN];
		size_t length = sizeof(san);
		unsigned type;
		int result = gnutls_x509_crt_get_subject_alt_name2(certificate, i, san, &length, &type, NULL);

		if (result == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
			return false;
		/* Of a kind or length that nobody can have listed. */
		if (result < 0 && result != GNUTLS_E_SHORT_MEMORY_BUFFER && result != GNUTLS_E_X509_UNKNOWN_SAN)
			return false;
		if (result < 0)
			continue;
		if (type == GNUTLS_SAN_IPADDRESS) {
			int family = length == 4 ? AF_INET : length == 16 ? AF_INET6 : AF_UNSPEC;

			if (family != AF_UNSPEC && inet_ntop(family, san, address, sizeof(address)) &&
			    is_allowed(settings, address, strlen(address)))
				return true;
		} else if (type == GNUTLS_SAN_DNSNAME || type == GNUTLS_SAN_RFC822NAME || type == GNUTLS_SAN_URI) {
			if (is_allowed(settings, san, length))
				return true;
		}
	}
}

static const char *chain_fault(const struct sidecar_tls *tls, gnutls_x509_crt_t *chain, unsigned length)
{
	gnutls_typed_vdata_st purpose = {
		.type = GNUTLS_DT_KEY_PURPOSE_OID,
		.data = (unsigned char[]){GNUTLS_KP_TLS_WWW_CLIENT},
	};
	unsigned status = 0;

	if (verifies(tls)) {
		if (gnutls_x509_trust_list_verify_crt2(tls->trust, chain, length, &purpose, 1, 0, &status, NULL) < 0)
			return "the client's certificate cannot be verified";
		if (status & GNUTLS_CERT_EXPIRED)
			return "the client's certificate has expired";
		if (status)
			return "the client's certificate is not trusted";
	}
	if (tls->settings->checks_sans && !has_allowed_san(tls->settings, chain[0]))
		return "none of client_allowed_sans is in the client's certificate";
	return NULL;
}

const char *sidecar_tls_peer_fault(const struct sidecar_tls *tls, gnutls_session_t session)
{
	const struct sidecar_web_settings *settings = tls->settings;
	gnutls_x509_crt_t chain[PEER_CHAIN_MAX];
	const gnutls_datum_t *sent;
	const char *fault = NULL;
	unsigned count = 0, length = 0;

	if (settings->client_auth == SIDECAR_CLIENT_NONE)
		return NULL;
	sent = gnutls_certificate_get_peers(session, &count);
	if (!sent || count == 0) {
		if (settings->client_auth == SIDECAR_CLIENT_REQUIRE_ANY ||
		    settings->client_auth == SIDECAR_CLIENT_REQUIRE_AND_VERIFY || settings->checks_sans)
			return "the client sent no certificate";
		return NULL;
	}
	if (!verifies(tls) && !settings->checks_sans)
		return NULL;
	if (count > PEER_CHAIN_MAX)
		return "the client's chain of certificates is too long";
	while (!fault && length < count) {
		if (gnutls_x509_crt_init(&chain[length]) < 0) {
			fault = "there is no memory for the client's certificate";
			break;
		}
		length++;
		if (gnutls_x509_crt_import(chain[length - 1], &sent[length - 1], GNUTLS_X509_FMT_DER) < 0)
			fault = "the client's certificate cannot be read";
	}
	if (!fault)
		fault = chain_fault(tls, chain, length);
	while (length > 0)
		gnutls_x509_crt_deinit(chain[--length]);
	return fault;
}

int sidecar_tls_retrieve(const struct sidecar_tls *tls, gnutls_session_t session,
			 gnutls_certificate_verify_function *verify, gnutls_pcert_st **chain, unsigned *chain_length,
			 gnutls_privkey_t *key, unsigned *flags)
{
	gnutls_pcert_st *copies = gnutls_calloc(tls->chain_length, sizeof(*copies));
	unsigned done = 0;

	if (!copies)
		return -1;
	for (; done < tls->chain_length; done++) {
		if (gnutls_pcert_import_x509(&copies[done], tls->chain[done], 0) < 0)
			goto failed;
	}
	if (gnutls_privkey_init(key) < 0)
		goto failed;
	if (gnutls_privkey_import_x509(*key, tls->key, GNUTLS_PRIVKEY_IMPORT_COPY) < 0) {
		gnutls_privkey_deinit(*key);
		goto failed;
	}
	/* Even where it is required: its absence is for verify to judge, which can say so. */
	gnutls_certificate_server_set_request(
		session, tls->settings->client_auth == SIDECAR_CLIENT_NONE ? GNUTLS_CERT_IGNORE : GNUTLS_CERT_REQUEST);
	gnutls_session_set_verify_function(session, verify);
	*chain = copies;
	*chain_length = done;
	*flags = GNUTLS_CERT_RETR_DEINIT_ALL;
	return 0;
failed:
	while (done > 0)
		gnutls_pcert_deinit(&copies[--done]);
	gnutls_free(copies);
	return -1;
}
