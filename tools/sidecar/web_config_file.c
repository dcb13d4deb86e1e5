/* SPDX-License-Identifier: MIT */
/*
 * web_config_file.c: YAML, event by event, into settings.
 *
 * May include: web_config_file.h, web_config_yaml.h, tls_priority.h.
 *
 * The shape is known, three levels deep, so that nothing is built of what is not: the first event out of place ends the
 * reading. No sentence repeats a hash.
 */
#include "web_config_file.h"

#include "tls_priority.h"
#include "web_config_yaml.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct reading {
	struct sidecar_yaml yaml;
	struct sidecar_web_settings *settings;
	bool said_tls; /* something was said in tls_server_config */
};

/* -- Values ------------------------------------------------------------------------------------------------------- */

/* What a key stands for. The event at hand is its value, of which the last event is at hand afterwards. */
struct key {
	const char *name;
	int (*read)(struct reading *reading, const struct key *key);
	size_t offset; /* of what it is read into, in the settings */
};

static void *target(const struct reading *reading, const struct key *key)
{
	return (char *)reading->settings + key->offset;
}

static int read_text(struct reading *reading, const struct key *key)
{
	struct sidecar_yaml *yaml = &reading->yaml;
	char **text = target(reading, key);
	int result;

	if (sidecar_yaml_is_null(yaml))
		return 0;
	result = sidecar_yaml_must_be_text(yaml, key->name);
	if (result || *sidecar_yaml_text(yaml) == '\0')
		return result;
	*text = strdup(sidecar_yaml_text(yaml));
	return *text ? 0 : -ENOMEM;
}

static int read_precedence(struct reading *reading, const struct key *key)
{
	struct sidecar_yaml *yaml = &reading->yaml;
	bool *client = target(reading, key), server = !*client;

	if (sidecar_yaml_bool(yaml, &server))
		return sidecar_yaml_complain(yaml, "%s must be true or false", key->name);
	*client = !server;
	return 0;
}

/* Permission to speak HTTP/2, which nobody has to take: answers are HTTP/1.1. */
static int read_http2(struct reading *reading, const struct key *key)
{
	struct sidecar_yaml *yaml = &reading->yaml;
	bool allowed = true;

	return sidecar_yaml_bool(yaml, &allowed) ? sidecar_yaml_complain(yaml, "%s must be true or false", key->name)
						 : 0;
}

static int read_version(struct reading *reading, const struct key *key)
{
	struct sidecar_yaml *yaml = &reading->yaml;
	unsigned *version = target(reading, key);
	int number;

	if (sidecar_yaml_is_null(yaml))
		return 0;
	number = yaml->event.type == YAML_SCALAR_EVENT ? sidecar_tls_version(sidecar_yaml_text(yaml)) : -1;
	if (number < 0)
		return sidecar_yaml_complain(yaml, "%s must be TLS10, TLS11, TLS12 or TLS13", key->name);
	*version = (unsigned)number;
	return 0;
}

static int read_client_auth(struct reading *reading, const struct key *key)
{
	struct sidecar_yaml *yaml = &reading->yaml;
	static const struct {
		const char *name;
		enum sidecar_client_auth auth;
	} names[] = {
		{"", SIDECAR_CLIENT_NONE},
		{"NoClientCert", SIDECAR_CLIENT_NONE},
		{"RequestClientCert", SIDECAR_CLIENT_REQUEST},
		{"RequireAnyClientCert", SIDECAR_CLIENT_REQUIRE_ANY},
		{"RequireClientCert", SIDECAR_CLIENT_REQUIRE_ANY},
		{"VerifyClientCertIfGiven", SIDECAR_CLIENT_VERIFY_IF_GIVEN},
		{"RequireAndVerifyClientCert", SIDECAR_CLIENT_REQUIRE_AND_VERIFY},
	};
	enum sidecar_client_auth *auth = target(reading, key);

	if (sidecar_yaml_is_null(yaml))
		return 0;
	for (size_t i = 0; yaml->event.type == YAML_SCALAR_EVENT && i < sizeof(names) / sizeof(*names); i++) {
		if (strcmp(sidecar_yaml_text(yaml), names[i].name) == 0) {
			*auth = names[i].auth;
			return 0;
		}
	}
	return sidecar_yaml_complain(
		yaml,
		"%s must be NoClientCert, RequestClientCert, RequireAnyClientCert, VerifyClientCertIfGiven "
		"or RequireAndVerifyClientCert",
		key->name);
}

/* -- Lists -------------------------------------------------------------------------------------------------------- */

/* Opens a list; false: there is none to read, with the result to return in *result. */
static bool opens_list(struct reading *reading, const struct key *key, int *result)
{
	struct sidecar_yaml *yaml = &reading->yaml;

	*result = 0;
	if (sidecar_yaml_is_null(yaml))
		return false;
	if (yaml->event.type == YAML_SEQUENCE_START_EVENT)
		return true;
	*result = sidecar_yaml_complain(yaml, "%s must be a list", key->name);
	return false;
}

/* Names to numbers. Said twice, a name counts where it stands first. */
static int read_numbers(struct reading *reading, const struct key *key, int (*number_of)(const char *), size_t most,
			unsigned *numbers, size_t *count)
{
	struct sidecar_yaml *yaml = &reading->yaml;
	int result;

	if (!opens_list(reading, key, &result))
		return result;
	while ((result = sidecar_yaml_next(yaml)) == 0 && yaml->event.type != YAML_SEQUENCE_END_EVENT) {
		int number = yaml->event.type == YAML_SCALAR_EVENT ? number_of(sidecar_yaml_text(yaml)) : -1;
		size_t i = 0;

		if (yaml->event.type != YAML_SCALAR_EVENT)
			return sidecar_yaml_complain(yaml, "%s must be a list of names", key->name);
		if (number < 0)
			return sidecar_yaml_complain(yaml, "\"%.80s\" in %s is not known, or not supported",
						     sidecar_yaml_text(yaml), key->name);
		while (i < *count && numbers[i] != (unsigned)number)
			i++;
		if (i == *count && *count < most)
			numbers[(*count)++] = (unsigned)number;
	}
	return result;
}

static int read_ciphers(struct reading *reading, const struct key *key)
{
	struct sidecar_tls_wishes *wishes = &reading->settings->wishes;

	return read_numbers(reading, key, sidecar_tls_cipher, SIDECAR_TLS_CIPHERS_MAX, wishes->ciphers,
			    &wishes->cipher_count);
}

static int read_curves(struct reading *reading, const struct key *key)
{
	struct sidecar_tls_wishes *wishes = &reading->settings->wishes;

	return read_numbers(reading, key, sidecar_tls_curve, SIDECAR_TLS_CURVES_MAX, wishes->curves,
			    &wishes->curve_count);
}

static int read_sans(struct reading *reading, const struct key *key)
{
	struct sidecar_yaml *yaml = &reading->yaml;
	struct sidecar_web_settings *settings = reading->settings;
	int result;

	if (!opens_list(reading, key, &result))
		return result;
	settings->checks_sans = true;
	settings->sans = calloc(SIDECAR_WEB_SANS_MAX, sizeof(*settings->sans));
	if (!settings->sans)
		return -ENOMEM;
	while ((result = sidecar_yaml_next(yaml)) == 0 && yaml->event.type != YAML_SEQUENCE_END_EVENT) {
		result = sidecar_yaml_must_be_text(yaml, "a name in client_allowed_sans");
		if (result)
			return result;
		if (settings->san_count == SIDECAR_WEB_SANS_MAX)
			return sidecar_yaml_complain(yaml, "%s has more than %d names", key->name,
						     SIDECAR_WEB_SANS_MAX);
		settings->sans[settings->san_count] = strdup(sidecar_yaml_text(yaml));
		if (!settings->sans[settings->san_count])
			return -ENOMEM;
		settings->san_count++;
	}
	return result;
}

/* -- Mappings ----------------------------------------------------------------------------------------------------- */

/* A mapping of known keys. */
static int read_keys(struct reading *reading, const char *section, const struct key *keys, size_t count)
{
	struct sidecar_yaml *yaml = &reading->yaml;
	const char *where = *section ? section : "the file";
	uint64_t seen = 0;
	int result;

	if (sidecar_yaml_is_null(yaml))
		return 0;
	if (yaml->event.type != YAML_MAPPING_START_EVENT)
		return sidecar_yaml_complain(yaml, "%s must be a mapping of keys to values", where);
	while ((result = sidecar_yaml_next(yaml)) == 0 && yaml->event.type != YAML_MAPPING_END_EVENT) {
		size_t i = 0;

		if (yaml->event.type != YAML_SCALAR_EVENT)
			return sidecar_yaml_complain(yaml, "a key of %s must be a string", where);
		while (i < count && strcmp(sidecar_yaml_text(yaml), keys[i].name) != 0)
			i++;
		if (i == count)
			return sidecar_yaml_complain(yaml, "unknown key \"%.80s\" in %s", sidecar_yaml_text(yaml),
						     where);
		if (seen & UINT64_C(1) << i)
			return sidecar_yaml_complain(yaml, "%s is there a second time in %s", keys[i].name, where);
		seen |= UINT64_C(1) << i;
		result = sidecar_yaml_next(yaml);
		if (result == 0)
			result = keys[i].read(reading, &keys[i]);
		if (result)
			return result;
	}
	reading->said_tls = reading->said_tls || (seen && strcmp(section, "tls_server_config") == 0);
	return result;
}

/* $2a$, $2b$ or $2y$, a cost of 4 to 31, and 53 characters of salt and digest. */
static bool is_bcrypt(const char *hash, size_t length)
{
	static const char characters[] = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
	unsigned cost;

	if (length != SIDECAR_BCRYPT_LENGTH || memcmp(hash, "$2", 2) != 0 ||
	    (hash[2] != 'a' && hash[2] != 'b' && hash[2] != 'y') || hash[3] != '$' || hash[6] != '$' || hash[4] < '0' ||
	    hash[4] > '9' || hash[5] < '0' || hash[5] > '9')
		return false;
	cost = (unsigned)(hash[4] - '0') * 10 + (unsigned)(hash[5] - '0');
	return cost >= 4 && cost <= 31 && strspn(hash + 7, characters) == SIDECAR_BCRYPT_LENGTH - 7;
}

static int read_users(struct reading *reading, const struct key *key)
{
	struct sidecar_yaml *yaml = &reading->yaml;
	struct sidecar_web_settings *settings = reading->settings;
	int result;

	if (sidecar_yaml_is_null(yaml))
		return 0;
	if (yaml->event.type != YAML_MAPPING_START_EVENT)
		return sidecar_yaml_complain(yaml, "%s must be a mapping of names to bcrypt hashes", key->name);
	settings->users = calloc(SIDECAR_WEB_USERS_MAX, sizeof(*settings->users));
	if (!settings->users)
		return -ENOMEM;
	while ((result = sidecar_yaml_next(yaml)) == 0 && yaml->event.type != YAML_MAPPING_END_EVENT) {
		struct sidecar_web_user *user = &settings->users[settings->user_count];

		result = sidecar_yaml_must_be_text(yaml, "the name of a user");
		if (result)
			return result;
		if (strchr(sidecar_yaml_text(yaml), ':'))
			return sidecar_yaml_complain(
				yaml, "the user \"%.80s\" has a colon in its name, with which nobody can log in",
				sidecar_yaml_text(yaml));
		for (size_t i = 0; i < settings->user_count; i++) {
			if (strcmp(settings->users[i].name, sidecar_yaml_text(yaml)) == 0)
				return sidecar_yaml_complain(yaml, "the user \"%.80s\" is there a second time",
							     sidecar_yaml_text(yaml));
		}
		if (settings->user_count == SIDECAR_WEB_USERS_MAX)
			return sidecar_yaml_complain(yaml, "%s has more than %d users", key->name,
						     SIDECAR_WEB_USERS_MAX);
		user->name = strdup(sidecar_yaml_text(yaml));
		if (!user->name)
			return -ENOMEM;
		settings->user_count++;
		result = sidecar_yaml_next(yaml);
		if (result)
			return result;
		if (yaml->event.type != YAML_SCALAR_EVENT ||
		    !is_bcrypt(sidecar_yaml_text(yaml), yaml->event.data.scalar.length))
			return sidecar_yaml_complain(
				yaml,
				"the password of \"%.80s\" is no bcrypt hash: make one with htpasswd -nBC 10 NAME",
				user->name);
		memcpy(user->hash, sidecar_yaml_text(yaml), SIDECAR_BCRYPT_LENGTH);
	}
	return result;
}

static int read_headers(struct reading *reading, const struct key *key)
{
	struct sidecar_yaml *yaml = &reading->yaml;
	static const struct {
		const char *name, *values[3]; /* none: any */
	} known[] = {
		{"Strict-Transport-Security", {NULL}},
		{"X-Content-Type-Options", {"nosniff", NULL}},
		{"X-Frame-Options", {"deny", "sameorigin", NULL}},
		{"X-XSS-Protection", {NULL}},
		{"Content-Security-Policy", {NULL}},
	};
	struct sidecar_web_settings *settings = reading->settings;
	int result;

	if (sidecar_yaml_is_null(yaml))
		return 0;
	if (yaml->event.type != YAML_MAPPING_START_EVENT)
		return sidecar_yaml_complain(yaml, "%s must be a mapping of names to values", key->name);
	while ((result = sidecar_yaml_next(yaml)) == 0 && yaml->event.type != YAML_MAPPING_END_EVENT) {
		struct sidecar_web_header *header = &settings->headers[settings->header_count];
		const char *text;
		size_t i = 0;

		if (yaml->event.type != YAML_SCALAR_EVENT)
			return sidecar_yaml_complain(yaml, "a header's name must be a string");
		while (i < sizeof(known) / sizeof(*known) && strcmp(sidecar_yaml_text(yaml), known[i].name) != 0)
			i++;
		if (i == sizeof(known) / sizeof(*known))
			return sidecar_yaml_complain(yaml, "the header \"%.80s\" cannot be set",
						     sidecar_yaml_text(yaml));
		for (size_t j = 0; j < settings->header_count; j++) {
			if (settings->headers[j].name == known[i].name)
				return sidecar_yaml_complain(yaml, "the header %s is there a second time",
							     known[i].name);
		}
		result = sidecar_yaml_next(yaml);
		if (result == 0)
			result = sidecar_yaml_must_be_text(yaml, known[i].name);
		if (result)
			return result;
		text = sidecar_yaml_is_null(yaml) ? "" : sidecar_yaml_text(yaml);
		if (known[i].values[0] && !sidecar_yaml_is_one_of(text, known[i].values))
			return sidecar_yaml_complain(yaml, "%s must be %s%s%s", known[i].name, known[i].values[0],
						     known[i].values[1] ? " or " : "",
						     known[i].values[1] ? known[i].values[1] : "");
		header->name = known[i].name;
		header->value = strdup(text);
		if (!header->value)
			return -ENOMEM;
		settings->header_count++;
	}
	return result;
}

#define FIELD(member) offsetof(struct sidecar_web_settings, member)

static int read_tls(struct reading *reading, const struct key *key)
{
	static const struct key keys[] = {
		{"cert_file", read_text, FIELD(cert_path)},
		{"key_file", read_text, FIELD(key_path)},
		{"client_auth_type", read_client_auth, FIELD(client_auth)},
		{"client_ca_file", read_text, FIELD(client_ca_path)},
		{"client_allowed_sans", read_sans, 0},
		{"cipher_suites", read_ciphers, 0},
		{"curve_preferences", read_curves, 0},
		{"min_version", read_version, FIELD(wishes.min_version)},
		{"max_version", read_version, FIELD(wishes.max_version)},
		{"prefer_server_cipher_suites", read_precedence, FIELD(wishes.client_precedence)},
	};

	return read_keys(reading, key->name, keys, sizeof(keys) / sizeof(*keys));
}

static int read_http(struct reading *reading, const struct key *key)
{
	static const struct key keys[] = {{"http2", read_http2, 0}, {"headers", read_headers, 0}};

	return read_keys(reading, key->name, keys, sizeof(keys) / sizeof(*keys));
}

/* -- The whole ---------------------------------------------------------------------------------------------------- */

static int read_file(struct reading *reading)
{
	struct sidecar_yaml *yaml = &reading->yaml;
	static const struct key keys[] = {
		{"tls_server_config", read_tls, 0},
		{"http_server_config", read_http, 0},
		{"basic_auth_users", read_users, 0},
	};
	int result = sidecar_yaml_next(yaml);

	if (result == 0)
		result = sidecar_yaml_next(yaml);
	/* Nothing at all, or nothing but comments. */
	if (result || yaml->event.type == YAML_STREAM_END_EVENT)
		return result;
	result = sidecar_yaml_next(yaml);
	if (result == 0)
		result = read_keys(reading, "", keys, sizeof(keys) / sizeof(*keys));
	if (result == 0)
		result = sidecar_yaml_next(yaml);
	if (result == 0)
		result = sidecar_yaml_next(yaml);
	if (result == 0 && yaml->event.type != YAML_STREAM_END_EVENT)
		return sidecar_yaml_complain(yaml, "a second document begins: only one is read");
	return result;
}

/* What single keys cannot tell. */
static int agree(const struct sidecar_web_settings *settings, char *message, size_t message_size)
{
	const char *fault = NULL;

	if (!settings->cert_path)
		fault = "cert_file is missing in tls_server_config";
	else if (!settings->key_path)
		fault = "key_file is missing in tls_server_config";
	else if (settings->client_ca_path && settings->client_auth == SIDECAR_CLIENT_NONE)
		fault = "client_ca_file is of no use without client_auth_type: set that to RequireAndVerifyClientCert";
	else if (settings->checks_sans && settings->client_auth == SIDECAR_CLIENT_NONE)
		fault = "client_allowed_sans is of no use without client_auth_type: set that to "
			"RequireAndVerifyClientCert";
	else if (settings->wishes.min_version > settings->wishes.max_version)
		fault = "min_version is above max_version";
	if (!fault)
		return 0;
	snprintf(message, message_size, "%s", fault);
	return -EINVAL;
}

int sidecar_web_config_parse(const char *text, size_t length, struct sidecar_web_settings **out, char *message,
			     size_t message_size)
{
	struct reading reading = {.settings = NULL};
	int result;

	if (length > SIDECAR_WEB_CONFIG_BYTES_MAX) {
		snprintf(message, message_size, "it has more than %d bytes", SIDECAR_WEB_CONFIG_BYTES_MAX);
		return -EINVAL;
	}
	reading.settings = calloc(1, sizeof(*reading.settings));
	if (!reading.settings)
		return -ENOMEM;
	reading.settings->wishes.min_version = (unsigned)sidecar_tls_version("TLS12");
	reading.settings->wishes.max_version = (unsigned)sidecar_tls_version("TLS13");
	result = sidecar_yaml_open(&reading.yaml, text, length, message, message_size);
	if (result == 0) {
		result = read_file(&reading);
		sidecar_yaml_close(&reading.yaml);
	}
	reading.settings->has_tls = reading.said_tls;
	if (result == 0 && reading.said_tls)
		result = agree(reading.settings, message, message_size);
	if (result == 0)
		*out = reading.settings;
	else
		sidecar_web_settings_free(reading.settings);
	if (result == -ENOMEM)
		snprintf(message, message_size, "there is no memory left to read it");
	return result;
}
