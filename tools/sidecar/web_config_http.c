/* SPDX-License-Identifier: MIT */
/*
 * web_config_http.c: what a web configuration file says of HTTP: headers, users, and how many requests.
 *
 * No sentence repeats a hash.
 */
#include "web_config_reading.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* -- Headers and users --------------------------------------------------------------------------------------------- */

/* Permission to speak HTTP/2, which nobody has to take: answers are HTTP/1.1. */
static int read_http2(struct reading *reading, const struct key *key)
{
	struct sidecar_yaml *yaml = &reading->yaml;
	bool allowed = true;

	return sidecar_yaml_bool(yaml, &allowed) ? sidecar_yaml_complain(yaml, "%s must be true or false", key->name)
						 : 0;
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

int sidecar_web_read_users(struct reading *reading, const struct key *key)
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
				return sidecar_yaml_complain(yaml, "the user \"%.80s\" appears twice",
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
				"the password of \"%.80s\" is not a bcrypt hash: make one with htpasswd -nBC 10 '' | "
				"tr -d ':\\n'",
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
				return sidecar_yaml_complain(yaml, "the header %s appears twice", known[i].name);
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

int sidecar_web_read_http(struct reading *reading, const struct key *key)
{
	static const struct key keys[] = {{"http2", read_http2, 0}, {"headers", read_headers, 0}};

	return sidecar_web_read_keys(reading, key->name, keys, sizeof(keys) / sizeof(*keys));
}

/* -- How many requests --------------------------------------------------------------------------------------------- */

/* "1m30s", as Go writes a time, to nanoseconds. Returns 0, or -EINVAL. */
static int duration_of(const char *text, uint64_t *ns)
{
	static const struct {
		const char *name;
		double ns;
	} units[] = {
		{"ns", 1},   {"us", 1e3}, {"\xc2\xb5s", 1e3}, {"\xce\xbcs", 1e3},
		{"ms", 1e6}, {"s", 1e9},  {"m", 6e10},        {"h", 3.6e12},
	};
	double sum = 0;

	if (*text == '\0')
		return -EINVAL;
	while (*text) {
		size_t digits = strspn(text, "0123456789"), length, unit = 0;
		double number = 0, scale = 1;
		bool has_digits = digits > 0;

		for (; digits > 0; digits--)
			number = number * 10 + (*text++ - '0');
		if (*text == '.') {
			for (text++; *text >= '0' && *text <= '9'; has_digits = true)
				number += (scale /= 10) * (*text++ - '0');
		}
		length = strcspn(text, "0123456789.");
		while (unit < sizeof(units) / sizeof(*units) &&
		       (strlen(units[unit].name) != length || memcmp(units[unit].name, text, length) != 0))
			unit++;
		if (!has_digits || unit == sizeof(units) / sizeof(*units))
			return -EINVAL;
		sum += number * units[unit].ns;
		text += length;
	}
	/* A hundred years are enough. */
	if (sum > 3.2e18)
		return -EINVAL;
	*ns = (uint64_t)sum;
	return 0;
}

/* A whole number of at most 18 digits. Returns 0, or -EINVAL. */
static int number_of(const char *text, uint64_t *number)
{
	size_t length = strspn(text, "0123456789");

	if (length == 0 || length > 18 || text[length])
		return -EINVAL;
	*number = strtoull(text, NULL, 10);
	return 0;
}

/* A number without a unit is one of nanoseconds, as the toolkit reads it. */
static int read_interval(struct reading *reading, const struct key *key)
{
	struct sidecar_yaml *yaml = &reading->yaml;
	uint64_t *ns = &reading->settings->limit_interval_ns;
	int result;

	if (sidecar_yaml_is_null(yaml))
		return 0;
	result = sidecar_yaml_must_be_text(yaml, key->name);
	if (result)
		return result;
	if (number_of(sidecar_yaml_text(yaml), ns) && duration_of(sidecar_yaml_text(yaml), ns))
		return sidecar_yaml_complain(yaml, "%s must be a time such as 100ms, 1s or 1m30s, or 0", key->name);
	return 0;
}

static int read_burst(struct reading *reading, const struct key *key)
{
	struct sidecar_yaml *yaml = &reading->yaml;

	if (sidecar_yaml_is_null(yaml))
		return 0;
	if (yaml->event.type != YAML_SCALAR_EVENT ||
	    number_of(sidecar_yaml_text(yaml), &reading->settings->limit_burst) ||
	    reading->settings->limit_burst > SIDECAR_WEB_BURST_MAX)
		return sidecar_yaml_complain(yaml, "%s must be a whole number of 0 to %d", key->name,
					     SIDECAR_WEB_BURST_MAX);
	return 0;
}

int sidecar_web_read_rate_limit(struct reading *reading, const struct key *key)
{
	static const struct key keys[] = {{"interval", read_interval, 0}, {"burst", read_burst, 0}};

	return sidecar_web_read_keys(reading, key->name, keys, sizeof(keys) / sizeof(*keys));
}
