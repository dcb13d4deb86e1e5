/* SPDX-License-Identifier: MIT */
/*
 * Authorization headers; passwords against hashes of htpasswd's and others' making; and who waits for whom.
 */
#include "sidecar/auth.h"

#include <criterion/criterion.h>

#include <crypt.h>
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* -- Headers ------------------------------------------------------------------------------------------------------ */

static void decodes(const char *header, const char *name, const char *password)
{
	struct sidecar_credentials credentials;

	cr_assert_eq(sidecar_auth_decode(header, &credentials), 0, "%s", header);
	cr_expect_str_eq(credentials.name, name);
	cr_expect_str_eq(credentials.password, password);
}

static void refuses(const char *header)
{
	static const struct sidecar_credentials nothing;
	struct sidecar_credentials credentials;

	memset(&credentials, 'x', sizeof(credentials));
	cr_expect_eq(sidecar_auth_decode(header, &credentials), -EINVAL, "%s", header ? header : "(none)");
	cr_expect_eq(memcmp(&credentials, &nothing, sizeof(nothing)), 0, "not wiped: %s", header);
}

Test(auth, header)
{
	decodes("Basic YWxpY2U6c2VjcmV0", "alice", "secret");
	decodes("basic  YWxpY2U6c2VjcmV0 ", "alice", "secret");
	decodes("BASIC YTpiOmM=", "a", "b:c");
	decodes("Basic Og==", "", "");
	decodes("Basic YTo=", "a", "");
	decodes("Basic 6Tr/", "\xe9", "\xff");
	refuses(NULL);
	refuses("");
	refuses("Basic");
	refuses("Basic ");
	refuses("BasicYWxpY2U6c2VjcmV0");
	refuses("Bearer YWxpY2U6c2VjcmV0");
	refuses("Basic YWxpY2U=");           /* no colon */
	refuses("Basic YTpi=");              /* length */
	refuses("Basic YTo");                /* padding */
	refuses("Basic YTo=YTo=");           /* padding within */
	refuses("Basic ====");
	refuses("Basic Y===");
	refuses("Basic YT!i");
	refuses("Basic YT-_");               /* another alphabet */
	refuses("Basic YTpi YTpi");
	refuses("Basic YTpiAGM=");           /* "a:b\0c" */
	refuses("Basic ADpi");
	refuses("Basic \xc3\xa9\xc3\xa9");
}

static void encode(const char *text, char *out)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t length = strlen(text);

	out += sprintf(out, "Basic ");
	for (size_t i = 0; i < length; i += 3) {
		unsigned word = (unsigned)(unsigned char)text[i] << 16;

		word |= i + 1 < length ? (unsigned)(unsigned char)text[i + 1] << 8 : 0;
		word |= i + 2 < length ? (unsigned)(unsigned char)text[i + 2] : 0;
		*out++ = digits[word >> 18];
		*out++ = digits[word >> 12 & 63];
		*out++ = i + 1 < length ? digits[word >> 6 & 63] : '=';
		*out++ = i + 2 < length ? digits[word & 63] : '=';
	}
	*out = '\0';
}

Test(auth, header_lengths)
{
	char text[2000], header[3000];

	for (size_t name = 0; name < 300; name += 17) {
		for (size_t password = 0; password < 600; password += 7) {
			memset(text, 'n', name);
			text[name] = ':';
			memset(text + name + 1, 'p', password);
			text[name + 1 + password] = '\0';
			encode(text, header);
			if (name <= SIDECAR_AUTH_NAME_MAX && password <= SIDECAR_AUTH_PASSWORD_MAX) {
				text[name] = '\0';
				decodes(header, text, text + name + 1);
			} else {
				refuses(header);
			}
		}
	}
}

/* -- Passwords ---------------------------------------------------------------------------------------------------- */

static enum sidecar_auth_verdict check(struct sidecar_auth *auth, const struct sidecar_web_user *users, size_t count,
				       const char *name, const char *password)
{
	struct sidecar_credentials credentials = {.name = ""};

	snprintf(credentials.name, sizeof(credentials.name), "%s", name);
	snprintf(credentials.password, sizeof(credentials.password), "%s", password);
	return sidecar_auth_check(auth, users, count, &credentials);
}

/* After a wrong password nothing is checked for a while: asks until there is an answer. */
static enum sidecar_auth_verdict settle(struct sidecar_auth *auth, const struct sidecar_web_user *users, size_t count,
					const char *name, const char *password)
{
	enum sidecar_auth_verdict verdict;

	while ((verdict = check(auth, users, count, name, password)) == SIDECAR_AUTH_BUSY)
		;
	return verdict;
}

static struct sidecar_web_user make(const char *name, const char *password, const char *setting)
{
	struct sidecar_web_user user = {.name = strdup(name)};
	struct crypt_data *room = calloc(1, sizeof(*room));

	cr_assert(user.name && room);
	snprintf(user.hash, sizeof(user.hash), "%s", crypt_r(password, setting, room));
	cr_assert_eq(strlen(user.hash), SIDECAR_BCRYPT_LENGTH);
	free(room);
	return user;
}

/* Hashes of Openwall's crypt_blowfish, of htpasswd 2.4, and of Python's bcrypt 3.2, which others made. */
Test(auth, known_hashes)
{
	static const struct {
		const char *hash, *password;
	} cases[] = {
		{"$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", "U*U"},
		{"$2a$05$CCCCCCCCCCCCCCCCCCCCC.VGOzA784oUp/Z0DY336zx7pLYAy0lwK", "U*U*"},
		{"$2a$05$XXXXXXXXXXXXXXXXXXXXXOAcXxm9kjPGEMsLznoKqmqw7tc8WCx4a", "U*U*U"},
		{"$2a$05$CCCCCCCCCCCCCCCCCCCCC.7uG0VCzI2bS7j6ymqJi9CdcdxiRTWNy", ""},
		{"$2b$05$/OK.fbVrR/bpIqNJ5ianF.CE5elHaaO4EbggVDjb8P19RukzXSM3e", "\xff\xff\xa3"},
		{"$2y$05$/OK.fbVrR/bpIqNJ5ianF.CE5elHaaO4EbggVDjb8P19RukzXSM3e", "\xff\xff\xa3"},
		/* Go and Python make no difference between $2a$ and $2b$, for any password. */
		{"$2a$05$/OK.fbVrR/bpIqNJ5ianF.CE5elHaaO4EbggVDjb8P19RukzXSM3e", "\xff\xff\xa3"},
		/* The salt's last two bits mean nothing. */
		{"$2a$05$CCCCCCCCCCCCCCCCCCCCC/E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", "U*U"},
	};
	struct sidecar_web_user user = {.name = strdup("u")};
	struct sidecar_auth *auth;

	cr_assert_eq(sidecar_auth_new(&auth), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		memcpy(user.hash, cases[i].hash, sizeof(user.hash));
		cr_expect_eq(settle(auth, &user, 1, "u", cases[i].password), SIDECAR_AUTH_GRANTED, "%zu", i);
		cr_expect_eq(settle(auth, &user, 1, "u", "U*U**"), SIDECAR_AUTH_DENIED, "%zu", i);
		cr_expect_eq(settle(auth, &user, 1, "v", cases[i].password), SIDECAR_AUTH_DENIED, "%zu", i);
	}
	sidecar_auth_free(auth);
	free(user.name);
}

Test(auth, each_has_an_own_password)
{
	enum { USERS = 5 };
	struct sidecar_web_user users[USERS];
	struct sidecar_auth *auth;

	cr_assert_eq(sidecar_auth_new(&auth), 0);
	for (int i = 0; i < USERS; i++) {
		char name[8], password[8];

		snprintf(name, sizeof(name), "user%d", i);
		snprintf(password, sizeof(password), "pass%d", i);
		users[i] =
			make(name, password, i % 2 ? "$2b$04$abcdefghijklmnopqrstuu" : "$2y$05$abcdefghijklmnopqrstuu");
	}
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < USERS; i++) {
			for (int j = 0; j < USERS; j++) {
				char password[8];

				snprintf(password, sizeof(password), "pass%d", j);
				cr_expect_eq(settle(auth, users, USERS, users[i].name, password),
					     i == j ? SIDECAR_AUTH_GRANTED : SIDECAR_AUTH_DENIED);
			}
		}
		sidecar_auth_forget(auth);
	}
	for (int i = 0; i < USERS; i++)
		free(users[i].name);
	sidecar_auth_free(auth);
}

/*
 * Who is taken from the file is a stranger at once, even one with the very hash and password of a user; and a right
 * password is remembered through any number of wrong ones.
 */
Test(auth, verdicts)
{
	struct sidecar_web_user users[2] = {make("a", "same", "$2b$04$abcdefghijklmnopqrstuu"),
					    make("b", "same", "$2b$04$abcdefghijklmnopqrstuu")};
	struct sidecar_auth *auth;

	cr_assert_eq(sidecar_auth_new(&auth), 0);
	cr_expect_eq(settle(auth, users, 2, "a", "same"), SIDECAR_AUTH_GRANTED);
	cr_expect_eq(settle(auth, users, 2, "b", "same"), SIDECAR_AUTH_GRANTED);
	cr_expect_eq(settle(auth, users, 1, "b", "same"), SIDECAR_AUTH_DENIED);
	for (int i = 0; i < 3 * SIDECAR_AUTH_KEPT; i++) {
		char password[16];

		snprintf(password, sizeof(password), "wrong%d", i);
		cr_expect_eq(settle(auth, users, 1, "a", password), SIDECAR_AUTH_DENIED);
		/* Right after a wrong one: remembered ones are answered. */
		cr_expect_eq(check(auth, users, 1, "a", "same"), SIDECAR_AUTH_GRANTED);
		cr_expect_eq(check(auth, users, 1, "a", password), SIDECAR_AUTH_DENIED);
	}
	sidecar_auth_forget(auth);
	cr_expect_eq(settle(auth, users, 1, "a", "same"), SIDECAR_AUTH_GRANTED);
	sidecar_auth_free(auth);
	free(users[0].name);
	free(users[1].name);
}

/* A scraper with a wrong password does not send another away, who has the right one and comes for the first time. */
Test(auth, a_few_wrong_passwords_send_nobody_away)
{
	struct sidecar_web_user user = make("u", "right", "$2b$07$abcdefghijklmnopqrstuu");
	struct sidecar_auth *auth;
	bool busy = false;

	cr_assert_eq(sidecar_auth_new(&auth), 0);
	cr_expect_eq(check(auth, &user, 1, "u", "wrong"), SIDECAR_AUTH_DENIED);
	cr_expect_eq(check(auth, &user, 1, "u", "wrong as well"), SIDECAR_AUTH_DENIED);
	cr_expect_eq(check(auth, &user, 1, "u", "right"), SIDECAR_AUTH_GRANTED);
	/* Many do: a second of bcrypt asks for three of rest. */
	for (int i = 0; i < 1000 && !busy; i++) {
		char password[16];

		snprintf(password, sizeof(password), "wrong%d", i);
		busy = check(auth, &user, 1, "u", password) == SIDECAR_AUTH_BUSY;
	}
	cr_expect(busy);
	cr_expect_eq(check(auth, &user, 1, "u", "right"), SIDECAR_AUTH_GRANTED);
	sidecar_auth_free(auth);
	free(user.name);
}

/* -- Many at once ------------------------------------------------------------------------------------------------- */

enum { THREADS = 8, ROUNDS = 40 };

struct crowd {
	struct sidecar_auth *auth;
	struct sidecar_web_user user;
	unsigned granted[THREADS], denied[THREADS], busy[THREADS], wrong[THREADS];
};

struct member {
	struct crowd *crowd;
	unsigned number;
};

static void *attend(void *argument)
{
	struct member *member = argument;
	struct crowd *crowd = member->crowd;
	unsigned me = member->number;

	for (unsigned round = 0; round < ROUNDS; round++) {
		bool right = (round + me) % 2;
		char password[32];
		enum sidecar_auth_verdict verdict;

		snprintf(password, sizeof(password), right ? "right" : "wrong %u %u", me, round);
		verdict = check(crowd->auth, &crowd->user, 1, "u", password);
		crowd->busy[me] += verdict == SIDECAR_AUTH_BUSY;
		crowd->granted[me] += verdict == SIDECAR_AUTH_GRANTED;
		crowd->denied[me] += verdict == SIDECAR_AUTH_DENIED;
		crowd->wrong[me] += verdict != SIDECAR_AUTH_BUSY && (verdict == SIDECAR_AUTH_GRANTED) != right;
		if (me == 0 && round % 8 == 0)
			sidecar_auth_forget(crowd->auth);
	}
	return NULL;
}

Test(auth, crowd)
{
	struct crowd crowd = {.user = make("u", "right", "$2b$05$abcdefghijklmnopqrstuu")};
	struct member members[THREADS];
	pthread_t threads[THREADS];
	unsigned answers = 0;

	cr_assert_eq(sidecar_auth_new(&crowd.auth), 0);
	for (unsigned i = 0; i < THREADS; i++) {
		members[i] = (struct member){&crowd, i};
		cr_assert_eq(pthread_create(&threads[i], NULL, attend, &members[i]), 0);
	}
	for (unsigned i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		cr_expect_eq(crowd.wrong[i], 0);
		answers += crowd.granted[i] + crowd.denied[i] + crowd.busy[i];
	}
	cr_expect_eq(answers, THREADS * ROUNDS);
	cr_expect_eq(settle(crowd.auth, &crowd.user, 1, "u", "right"), SIDECAR_AUTH_GRANTED);
	sidecar_auth_free(crowd.auth);
	free(crowd.user.name);
}
