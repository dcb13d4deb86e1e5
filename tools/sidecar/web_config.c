/* SPDX-License-Identifier: MIT */
/*
 * web_config.c: the rules in force, and the files that they come from.
 *
 * Rules never change: new files give new rules, and whoever is using the old ones keeps them until done. Each request
 * looks at the files' stamps, which costs a stat(2) for each; one thread at a time reads them again, and the others go
 * on with what there is. Invariants:
 *   what is wanted is the last file that could be parsed, in force the last wanted whose own files could be loaded;
 *   stamps are those from before reading, so that a change meanwhile is seen by the next request;
 *   a change is tried once, whether it succeeds or not; again only where the process lacks memory or descriptors.
 */
#include "web_config.h"

#include "auth.h"
#include "files.h"
#include "http_answer.h"
#include "log.h"
#include "tls.h"
#include "web_config_file.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MESSAGE_SIZE = 512 };

/* Settings outlive rules, where only a certificate has changed. */
struct settings {
	unsigned users; /* under config->lock */
	struct sidecar_web_settings *said;
};

struct rules {
	unsigned users; /* under config->lock */
	struct settings *settings;
	struct sidecar_tls *tls; /* NULL: no TLS */
};

enum { WATCH_CONFIG, WATCH_CERT, WATCH_KEY, WATCH_CA, WATCH_COUNT };

struct sidecar_web_config {
	char *path, *directory;
	bool has_tls;
	struct sidecar_auth *auth;
	gnutls_certificate_credentials_t credentials; /* that ask retrieve() for each handshake; NULL: no TLS */

	pthread_mutex_t lock;    /* of counts, and of which rules are in force; held for a few instructions */
	struct rules *in_force;
	uint64_t limited_ns;     /* when the bucket was looked at last; 0: never */
	double bucket;           /* requests that may still come at once */

	pthread_mutex_t reading; /* of all below; taken before lock */
	struct settings *wanted;
	struct sidecar_stamp stamps[WATCH_COUNT];
	bool transient_logged;           /* the last reading failed for want of something, which has been told */
};

/* -- Rules -------------------------------------------------------------------------------------------------------- */

static void put_settings(struct sidecar_web_config *config, struct settings *settings)
{
	bool last;

	if (!settings)
		return;
	pthread_mutex_lock(&config->lock);
	last = --settings->users == 0;
	pthread_mutex_unlock(&config->lock);
	if (last) {
		sidecar_web_settings_free(settings->said);
		free(settings);
	}
}

static struct rules *hold_rules(struct sidecar_web_config *config)
{
	struct rules *rules;

	pthread_mutex_lock(&config->lock);
	rules = config->in_force;
	rules->users++;
	pthread_mutex_unlock(&config->lock);
	return rules;
}

static void put_rules(struct sidecar_web_config *config, struct rules *rules)
{
	bool last;

	if (!rules)
		return;
	pthread_mutex_lock(&config->lock);
	last = --rules->users == 0;
	pthread_mutex_unlock(&config->lock);
	if (last) {
		sidecar_tls_free(rules->tls);
		put_settings(config, rules->settings);
		free(rules);
	}
}

/* -- Files -------------------------------------------------------------------------------------------------------- */

static const char *watched(const struct sidecar_web_config *config, int which)
{
	const struct sidecar_web_settings *said = config->wanted ? config->wanted->said : NULL;

	if (which == WATCH_CONFIG)
		return config->path;
	if (!said || !said->has_tls)
		return NULL;
	return which == WATCH_CERT ? said->cert_path : which == WATCH_KEY ? said->key_path : said->client_ca_path;
}

/* Takes new stamps from one file on; whether they differ. */
static bool restamp(struct sidecar_web_config *config, int first)
{
	bool differ = false;

	for (int i = first; i < WATCH_COUNT; i++) {
		const char *path = watched(config, i);
		struct sidecar_stamp stamp;

		memset(&stamp, 0, sizeof(stamp));
		if (path)
			stamp = sidecar_stamp_of(path);
		differ = differ || memcmp(&stamp, &config->stamps[i], sizeof(stamp)) != 0;
		config->stamps[i] = stamp;
	}
	return differ;
}

/* Reads and parses the file into what is wanted. */
static int read_settings(struct sidecar_web_config *config, char *message, size_t message_size)
{
	char *text, problem[MESSAGE_SIZE] = "";
	struct sidecar_web_settings *said;
	struct settings *settings;
	size_t length;
	int result =
		sidecar_file_read(config->path, SIDECAR_WEB_CONFIG_BYTES_MAX, &text, &length, message, message_size);

	if (result)
		return result;
	result = sidecar_web_config_parse(text, length, &said, problem, sizeof(problem));
	explicit_bzero(text, length);
	free(text);
	if (result) {
		snprintf(message, message_size, "%s: %s", config->path, problem);
		return result;
	}
	if (config->in_force && said->has_tls != config->has_tls) {
		sidecar_web_settings_free(said);
		snprintf(message, message_size, "%s: TLS cannot be turned %s while this runs: restart it", config->path,
			 config->has_tls ? "off" : "on");
		return -EINVAL;
	}
	settings = calloc(1, sizeof(*settings));
	if (!settings || sidecar_web_settings_locate(said, config->directory)) {
		free(settings);
		sidecar_web_settings_free(said);
		snprintf(message, message_size, "%s: %s", config->path, strerror(ENOMEM));
		return -ENOMEM;
	}
	settings->said = said;
	settings->users = 1;
	put_settings(config, config->wanted);
	config->wanted = settings;
	return 0;
}

/* What its owner should know, though it is in force. */
static void warn(const struct sidecar_web_config *config, const struct rules *rules)
{
	const char *warning = rules->tls ? sidecar_tls_warning(rules->tls) : NULL;
	const struct sidecar_web_settings *said = rules->settings->said;

	if (warning)
		sidecar_log(SIDECAR_LOG_WARN, warning, "file", said->cert_path ? said->cert_path : config->path, NULL);
	if (said->is_without_certificate)
		sidecar_log(SIDECAR_LOG_WARN, "tls_server_config names no certificate and no key: TLS is off", "file",
			    config->path, NULL);
}

/* What is wanted comes into force. */
static int enforce(struct sidecar_web_config *config, char *message, size_t message_size)
{
	struct rules *rules = calloc(1, sizeof(*rules)), *old;
	int result = 0;

	if (!rules) {
		snprintf(message, message_size, "%s", strerror(ENOMEM));
		return -ENOMEM;
	}
	if (config->wanted->said->has_tls)
		result = sidecar_tls_load(config->wanted->said, &rules->tls, message, message_size);
	if (result) {
		free(rules);
		return result;
	}
	rules->users = 1;
	rules->settings = config->wanted;
	pthread_mutex_lock(&config->lock);
	config->wanted->users++;
	old = config->in_force;
	config->in_force = rules;
	pthread_mutex_unlock(&config->lock);
	if (!old || old->settings != rules->settings)
		sidecar_auth_forget(config->auth);
	warn(config, rules);
	put_rules(config, old);
	return 0;
}

/* Want that has nothing to do with the files, and may be over at the next request. */
static bool is_transient(int error)
{
	return error == -ENOMEM || error == -EMFILE || error == -ENFILE || error == -EINTR || error == -EAGAIN;
}

/* Reads again what has changed, if somebody else is not doing so. */
static void refresh(struct sidecar_web_config *config)
{
	struct sidecar_stamp old;
	char message[MESSAGE_SIZE] = "";
	int result = 0;

	if (!config->path || pthread_mutex_trylock(&config->reading) != 0)
		return;
	old = config->stamps[WATCH_CONFIG];
	if (!restamp(config, WATCH_CONFIG))
		goto out;
	if (memcmp(&old, &config->stamps[WATCH_CONFIG], sizeof(old)) != 0) {
		result = read_settings(config, message, sizeof(message));
		/* Of the files that it names now. */
		(void)restamp(config, WATCH_CERT);
	}
	if (result == 0)
		result = enforce(config, message, sizeof(message));
	if (result == 0)
		sidecar_log(SIDECAR_LOG_INFO, "web configuration reloaded", "file", config->path, NULL);
	else if (!is_transient(result) || !config->transient_logged)
		sidecar_log(SIDECAR_LOG_ERROR, "web configuration rejected, the previous one stays in force", "error",
			    message, NULL);
	config->transient_logged = is_transient(result);
	if (config->transient_logged)
		memset(config->stamps, 0, sizeof(config->stamps));
out:
	pthread_mutex_unlock(&config->reading);
}

/* -- Handshakes -------------------------------------------------------------------------------------------------- */

/* Within a handshake, as soon as the client has sent its certificate, or none. */
static int verify(gnutls_session_t session)
{
	struct sidecar_web_config *config = gnutls_session_get_ptr(session);
	struct rules *rules = hold_rules(config);
	const char *fault = rules->tls ? sidecar_tls_peer_fault(rules->tls, session) : NULL;

	put_rules(config, rules);
	if (!fault)
		return 0;
	sidecar_log(SIDECAR_LOG_DEBUG, "handshake refused", "reason", fault, NULL);
	return GNUTLS_E_CERTIFICATE_ERROR;
}

static int retrieve(gnutls_session_t session, const struct gnutls_cert_retr_st *info, gnutls_pcert_st **chain,
		    unsigned *chain_length, gnutls_ocsp_data_st **ocsp, unsigned *ocsp_length, gnutls_privkey_t *key,
		    unsigned *flags)
{
	struct sidecar_web_config *config = gnutls_session_get_ptr(session);
	struct rules *rules = hold_rules(config);
	int result = sidecar_tls_retrieve(rules->tls, session, verify, chain, chain_length, key, flags);

	(void)info;
	*ocsp = NULL;
	*ocsp_length = 0;
	put_rules(config, rules);
	return result;
}

static int make_credentials(struct sidecar_web_config *config)
{
	if (gnutls_certificate_allocate_credentials(&config->credentials) < 0)
		return -ENOMEM;
	gnutls_certificate_set_retrieve_function3(config->credentials, retrieve);
	return 0;
}

/* -- The contract ------------------------------------------------------------------------------------------------- */

static char *directory_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (!slash)
		return strdup(".");
	return strndup(path, slash == path ? 1 : (size_t)(slash - path));
}

int sidecar_web_config_open(const char *path, struct sidecar_web_config **out, char *message, size_t message_size)
{
	struct sidecar_web_config *config = calloc(1, sizeof(*config));
	int result = -ENOMEM;

	snprintf(message, message_size, "%s", strerror(ENOMEM));
	if (!config)
		return -ENOMEM;
	pthread_mutex_init(&config->lock, NULL);
	pthread_mutex_init(&config->reading, NULL);
	if (path) {
		config->path = strdup(path);
		config->directory = directory_of(path);
		if (!config->path || !config->directory)
			goto out;
		result = sidecar_auth_new(&config->auth);
		if (result) {
			snprintf(message, message_size, "no random numbers, or no memory: %s", strerror(-result));
			goto out;
		}
		(void)restamp(config, WATCH_CONFIG);
		result = read_settings(config, message, message_size);
		if (result)
			goto out;
		(void)restamp(config, WATCH_CERT);
		result = enforce(config, message, message_size);
		if (result)
			goto out;
		config->has_tls = config->wanted->said->has_tls;
		if (config->has_tls)
			result = make_credentials(config);
		if (result)
			goto out;
	}
	result = 0;
out:
	if (result)
		sidecar_web_config_close(config);
	else
		*out = config;
	return result;
}

void sidecar_web_config_close(struct sidecar_web_config *config)
{
	if (!config)
		return;
	if (config->credentials)
		gnutls_certificate_free_credentials(config->credentials);
	put_rules(config, config->in_force);
	put_settings(config, config->wanted);
	sidecar_auth_free(config->auth);
	pthread_mutex_destroy(&config->reading);
	pthread_mutex_destroy(&config->lock);
	free(config->directory);
	free(config->path);
	free(config);
}

bool sidecar_web_config_has_users(struct sidecar_web_config *config)
{
	struct rules *rules;
	bool has_users;

	if (!config->path)
		return false;
	rules = hold_rules(config);
	has_users = rules->settings->said->user_count > 0;
	put_rules(config, rules);
	return has_users;
}

bool sidecar_web_config_has_tls(const struct sidecar_web_config *config)
{
	return config->has_tls;
}

gnutls_session_t sidecar_web_config_session(struct sidecar_web_config *config, int fd)
{
	static unsigned char http[] = "http/1.1";
	const gnutls_datum_t protocol = {http, sizeof(http) - 1};
	gnutls_session_t session;
	struct rules *rules;
	int result;

	refresh(config);
	if (gnutls_init(&session, GNUTLS_SERVER | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL | GNUTLS_NO_TICKETS) < 0)
		return NULL;
	gnutls_session_set_ptr(session, config);
	rules = hold_rules(config);
	/* The session counts as a user of them. */
	result = gnutls_priority_set(session, sidecar_tls_priority_object(rules->tls));
	put_rules(config, rules);
	if (result == 0)
		result = gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, config->credentials);
	/* Who asks for other protocols, and not for this one, is told so. */
	if (result == 0)
		result = gnutls_alpn_set_protocols(session, &protocol, 1, GNUTLS_ALPN_MANDATORY);
	if (result < 0) {
		gnutls_deinit(session);
		return NULL;
	}
	gnutls_transport_set_int(session, fd);
	return session;
}

static enum sidecar_access check_password(struct sidecar_web_config *config, const struct sidecar_web_settings *said,
					  const char *authorization)
{
	static const enum sidecar_access access[] = {
		[SIDECAR_AUTH_DENIED] = SIDECAR_ACCESS_UNAUTHORIZED,
		[SIDECAR_AUTH_GRANTED] = SIDECAR_ACCESS_GRANTED,
		[SIDECAR_AUTH_BUSY] = SIDECAR_ACCESS_BUSY,
	};
	struct sidecar_credentials credentials;
	enum sidecar_auth_verdict verdict;

	if (sidecar_auth_decode(authorization, &credentials))
		return SIDECAR_ACCESS_UNAUTHORIZED;
	verdict = sidecar_auth_check(config->auth, said->users, said->user_count, &credentials);
	explicit_bzero(&credentials, sizeof(credentials));
	return access[verdict];
}

/* A bucket of limit_burst requests, full at first, and filled with one an interval. */
static bool is_over_limit(struct sidecar_web_config *config, const struct sidecar_web_settings *said)
{
	struct timespec time;
	uint64_t now_ns;
	double filled;
	bool over;

	if (!said->limit_interval_ns)
		return false;
	clock_gettime(CLOCK_MONOTONIC, &time);
	pthread_mutex_lock(&config->lock);
	now_ns = (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
	now_ns = now_ns > config->limited_ns ? now_ns : config->limited_ns;
	filled = (double)(now_ns - config->limited_ns) / (double)said->limit_interval_ns;
	if (!config->limited_ns || config->bucket + filled > (double)said->limit_burst)
		config->bucket = (double)said->limit_burst;
	else
		config->bucket += filled;
	config->limited_ns = now_ns;
	over = config->bucket < 1;
	config->bucket -= !over;
	pthread_mutex_unlock(&config->lock);
	return over;
}

enum sidecar_access sidecar_web_config_authorize(struct sidecar_web_config *config, gnutls_session_t session,
						 const char *authorization)
{
	enum sidecar_access access = SIDECAR_ACCESS_GRANTED;
	const struct sidecar_web_settings *said;
	struct rules *rules;

	if (!config->path)
		return SIDECAR_ACCESS_GRANTED;
	refresh(config);
	rules = hold_rules(config);
	said = rules->settings->said;
	if (is_over_limit(config, said))
		access = SIDECAR_ACCESS_LIMITED;
	/* A connection from before the rules changed shall not go by the old ones for as long as it is kept alive. */
	if (access == SIDECAR_ACCESS_GRANTED && rules->tls && said->client_auth != SIDECAR_CLIENT_NONE) {
		const char *fault = session ? sidecar_tls_peer_fault(rules->tls, session) : "no TLS session";

		if (fault) {
			sidecar_log(SIDECAR_LOG_DEBUG, "request refused", "reason", fault, NULL);
			access = SIDECAR_ACCESS_FORBIDDEN;
		}
	}
	if (access == SIDECAR_ACCESS_GRANTED && said->user_count > 0)
		access = check_password(config, said, authorization);
	put_rules(config, rules);
	return access;
}

void sidecar_web_config_decorate(struct sidecar_web_config *config, struct sidecar_answer *answer)
{
	struct rules *rules;

	if (!config->path)
		return;
	rules = hold_rules(config);
	for (size_t i = 0; i < rules->settings->said->header_count; i++) {
		const struct sidecar_web_header *header = &rules->settings->said->headers[i];

		if (*header->value)
			sidecar_answer_header(answer, header->name, header->value);
	}
	put_rules(config, rules);
}
