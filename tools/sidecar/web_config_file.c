/* SPDX-License-Identifier: MIT */
/*
 * web_config_file.c: YAML, event by event, into settings.
 *
 * The shape is known, three levels deep, so that nothing is built of what is not: the first event out of place ends the
 * reading. No sentence repeats a hash.
 */
#include "web_config_file.h"

#include "tls_priority.h"
#include "web_config_reading.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* -- Values ------------------------------------------------------------------------------------------------------- */

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

/* PEM, where a file could be named. */
static int read_pem(struct reading *reading, const struct key *key)
{
	struct sidecar_yaml *yaml = &reading->yaml;
	char **text = target(reading, key);
	int result;

	if (sidecar_yaml_is_null(yaml))
		return 0;
	result = sidecar_yaml_must_be_lines(yaml, key->name);
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
			reading->settings->said_client_auth = *names[i].name != '\0';
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
	struct sidecar_tls_options *tls_options = &reading->settings->tls_options;

	return read_numbers(reading, key, sidecar_tls_cipher, SIDECAR_TLS_CIPHERS_MAX, tls_options->ciphers,
			    &tls_options->cipher_count);
}

static int read_curves(struct reading *reading, const struct key *key)
{
	struct sidecar_tls_options *tls_options = &reading->settings->tls_options;

	return read_numbers(reading, key, sidecar_tls_curve, SIDECAR_TLS_CURVES_MAX, tls_options->curves,
			    &tls_options->curve_count);
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

int sidecar_web_read_keys(struct reading *reading, const char *section, const struct key *keys, size_t count)
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
			return sidecar_yaml_complain(yaml, "%s appears twice in %s", keys[i].name, where);
		seen |= UINT64_C(1) << i;
		result = sidecar_yaml_next(yaml);
		if (result == 0)
			result = keys[i].read(reading, &keys[i]);
		if (result)
			return result;
	}
	return result;
}

/* Whether something is said that makes no sense without TLS; as with the toolkit, versions and suites alone do not. */
static bool wants_tls(const struct sidecar_web_settings *settings)
{
	return settings->cert_path || settings->cert_text || settings->key_path || settings->key_text ||
	       settings->client_ca_path || settings->client_ca_text || settings->said_client_auth ||
	       settings->checks_sans;
}

#define FIELD(member) offsetof(struct sidecar_web_settings, member)

static int read_tls(struct reading *reading, const struct key *key)
{
	int result;
	static const struct key keys[] = {
		{"cert", read_pem, FIELD(cert_text)},
		{"key", read_pem, FIELD(key_text)},
		{"client_ca", read_pem, FIELD(client_ca_text)},
		{"cert_file", read_text, FIELD(cert_path)},
		{"key_file", read_text, FIELD(key_path)},
		{"client_auth_type", read_client_auth, FIELD(client_auth)},
		{"client_ca_file", read_text, FIELD(client_ca_path)},
		{"client_allowed_sans", read_sans, 0},
		{"cipher_suites", read_ciphers, 0},
		{"curve_preferences", read_curves, 0},
		{"min_version", read_version, FIELD(tls_options.min_version)},
		{"max_version", read_version, FIELD(tls_options.max_version)},
		{"prefer_server_cipher_suites", read_precedence, FIELD(tls_options.client_precedence)},
	};

	size_t before = reading->yaml.next;

	result = sidecar_web_read_keys(reading, key->name, keys, sizeof(keys) / sizeof(*keys));
	/* More than a mapping's beginning and end. */
	reading->settings->is_without_certificate = reading->yaml.next > before + 1 && !wants_tls(reading->settings);
	return result;
}

/* -- The whole ---------------------------------------------------------------------------------------------------- */

static int read_file(struct reading *reading)
{
	struct sidecar_yaml *yaml = &reading->yaml;
	static const struct key keys[] = {
		{"tls_server_config", read_tls, 0},
		{"http_server_config", sidecar_web_read_http, 0},
		{"basic_auth_users", sidecar_web_read_users, 0},
		{"rate_limit", sidecar_web_read_rate_limit, 0},
	};
	int result = sidecar_yaml_next(yaml);

	if (result == 0)
		result = sidecar_yaml_next(yaml);
	/* Nothing at all, or nothing but comments. */
	if (result || yaml->event.type == YAML_STREAM_END_EVENT)
		return result;
	result = sidecar_yaml_next(yaml);
	if (result == 0)
		result = sidecar_web_read_keys(reading, "", keys, sizeof(keys) / sizeof(*keys));
	if (result == 0)
		result = sidecar_yaml_next(yaml);
	if (result == 0)
		result = sidecar_yaml_next(yaml);
	if (result == 0 && yaml->event.type != YAML_STREAM_END_EVENT)
		return sidecar_yaml_complain(yaml, "a second document begins: only one is read");
	return result;
}

/* What single keys cannot tell. Versions agree though there is no TLS, as each is one: so a certificate can follow. */
static int agree(const struct sidecar_web_settings *settings, char *message, size_t message_size)
{
	const char *fault = NULL;

	if (settings->tls_options.min_version > settings->tls_options.max_version)
		fault = "min_version is above max_version";
	else if (!settings->has_tls)
		return 0;
	else if (!settings->cert_path && !settings->cert_text)
		fault = "cert_file, or cert, is missing in tls_server_config";
	else if (!settings->key_path && !settings->key_text)
		fault = "key_file, or key, is missing in tls_server_config";
	else if ((settings->client_ca_path || settings->client_ca_text) && settings->client_auth == SIDECAR_CLIENT_NONE)
		fault = "client_ca_file has no effect without client_auth_type: set that to RequireAndVerifyClientCert";
	else if (settings->checks_sans && settings->client_auth == SIDECAR_CLIENT_NONE)
		fault = "client_allowed_sans has no effect without client_auth_type: set that to "
			"RequireAndVerifyClientCert";
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
	reading.settings->tls_options.min_version = (unsigned)sidecar_tls_version("TLS12");
	reading.settings->tls_options.max_version = (unsigned)sidecar_tls_version("TLS13");
	result = sidecar_yaml_open(&reading.yaml, text, length, message, message_size);
	if (result == 0)
		result = read_file(&reading);
	sidecar_yaml_close(&reading.yaml);
	reading.settings->has_tls = wants_tls(reading.settings);
	if (result == 0)
		result = agree(reading.settings, message, message_size);
	if (result == 0)
		*out = reading.settings;
	else
		sidecar_web_settings_free(reading.settings);
	if (result == -ENOMEM)
		snprintf(message, message_size, "there is no memory left to read it");
	return result;
}
