/* SPDX-License-Identifier: MIT */
/*
 * The web configuration file: what it may say, and what is said about what it may not.
 */
#include "sidecar/web_config_file.h"

#include <criterion/criterion.h>

#include <errno.h>
#include <gnutls/gnutls.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HASH "$2y$10$X0h1gDsPszWURQaxFh.zoubFi6DXncSjhoQNJgRrnGs7EsimhC7zG"
#define MAKE "make one with htpasswd -nBC 10 '' | tr -d ':\\n'"
#define TLS "tls_server_config: {cert_file: c.pem, key_file: k.pem"

static struct sidecar_web_settings *good(const char *text)
{
	struct sidecar_web_settings *settings = NULL;
	char message[300] = "";

	cr_assert_eq(sidecar_web_config_parse(text, strlen(text), &settings, message, sizeof(message)), 0, "%s\n%s",
		     text, message);
	return settings;
}

static void fine(const char *text)
{
	sidecar_web_settings_free(good(text));
}

static void bad(const char *text, const char *sentence)
{
	struct sidecar_web_settings *settings = NULL;
	char message[300] = "";

	cr_expect_eq(sidecar_web_config_parse(text, strlen(text), &settings, message, sizeof(message)), -EINVAL, "%s",
		     text);
	cr_expect_null(settings);
	cr_expect_str_eq(message, sentence, "%s\nsaid: %s", text, message);
}

Test(web_config, nothing)
{
	static const char *const texts[] = {
		"",
		"\n\n",
		"# nothing\n",
		"---\n",
		"--- ~\n...\n",
		"{}",
		"null",
		"tls_server_config:",
		"tls_server_config: {}\nhttp_server_config: {}\nbasic_auth_users: {}\n",
		"http_server_config: {headers: {}, http2: }\nbasic_auth_users:",
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		struct sidecar_web_settings *settings = good(texts[i]);

		cr_expect_not(settings->has_tls);
		cr_expect_eq(settings->user_count, 0);
		cr_expect_eq(settings->header_count, 0);
		sidecar_web_settings_free(settings);
	}
}

Test(web_config, everything)
{
	struct sidecar_web_settings *settings =
		good("# what can be said\n"
		     "tls_server_config:\n"
		     "  cert_file: server.pem\n"
		     "  key_file: \"/etc/keys/server key.pem\"\n"
		     "  client_auth_type: RequireAndVerifyClientCert\n"
		     "  client_ca_file: 'ca/clients.pem'\n"
		     "  client_allowed_sans: [prometheus.example, 10.0.0.1]\n"
		     "  cipher_suites:\n"
		     "    - TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384\n"
		     "    - TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256\n"
		     "    - TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384\n"
		     "  curve_preferences: [X25519, CurveP256]\n"
		     "  min_version: TLS12\n"
		     "  max_version: TLS13\n"
		     "  prefer_server_cipher_suites: no\n"
		     "http_server_config:\n"
		     "  http2: true\n"
		     "  headers:\n"
		     "    Strict-Transport-Security: max-age=31536000; includeSubDomains\n"
		     "    X-Frame-Options: deny\n"
		     "    X-Content-Type-Options: nosniff\n"
		     "    X-XSS-Protection: \"\"\n"
		     "    Content-Security-Policy: \"default-src 'none'\"\n"
		     "basic_auth_users:\n"
		     "  alice: " HASH "\n"
		     "  'bob [admin]': '" HASH "'\n");

	cr_expect(settings->has_tls);
	cr_expect_eq(sidecar_web_settings_locate(settings, "/etc/promcb"), 0);
	cr_expect_str_eq(settings->cert_path, "/etc/promcb/server.pem");
	cr_expect_str_eq(settings->key_path, "/etc/keys/server key.pem");
	cr_expect_str_eq(settings->client_ca_path, "/etc/promcb/ca/clients.pem");
	cr_expect_eq(settings->client_auth, SIDECAR_CLIENT_REQUIRE_AND_VERIFY);
	cr_expect(settings->checks_sans);
	cr_assert_eq(settings->san_count, 2);
	cr_expect_str_eq(settings->sans[1], "10.0.0.1");
	cr_expect_eq(settings->tls_options.cipher_count, 2);
	cr_expect_eq(settings->tls_options.curve_count, 2);
	cr_expect_eq(settings->tls_options.min_version, 2);
	cr_expect_eq(settings->tls_options.max_version, 3);
	cr_expect(settings->tls_options.client_precedence);
	cr_assert_eq(settings->header_count, 5);
	cr_expect_str_eq(settings->headers[0].name, "Strict-Transport-Security");
	cr_expect_str_eq(settings->headers[0].value, "max-age=31536000; includeSubDomains");
	cr_assert_eq(settings->user_count, 2);
	cr_expect_str_eq(settings->users[1].name, "bob [admin]");
	cr_expect_str_eq(settings->users[1].hash, HASH);
	sidecar_web_settings_free(settings);
}

Test(web_config, defaults)
{
	struct sidecar_web_settings *settings = good(
		TLS ", client_ca_file: , client_auth_type: ~, min_version: , cipher_suites: , client_allowed_sans: }");

	cr_expect(settings->has_tls);
	cr_expect_null(settings->client_ca_path);
	cr_expect_eq(settings->client_auth, SIDECAR_CLIENT_NONE);
	cr_expect_not(settings->checks_sans);
	cr_expect_eq(settings->tls_options.min_version, 2);
	cr_expect_eq(settings->tls_options.max_version, 3);
	cr_expect_eq(settings->tls_options.cipher_count, 0);
	cr_expect_not(settings->tls_options.client_precedence);
	sidecar_web_settings_free(settings);

	/* Nobody is on an empty list. */
	settings = good(TLS ", client_auth_type: RequireClientCert, client_allowed_sans: []}");
	cr_expect_eq(settings->client_auth, SIDECAR_CLIENT_REQUIRE_ANY);
	cr_expect(settings->checks_sans);
	sidecar_web_settings_free(settings);

	/* Numbers are strings where strings are meant. */
	settings = good("tls_server_config: {cert_file: 1, key_file: 2.5}\nbasic_auth_users: {42: " HASH "}");
	cr_expect_str_eq(settings->key_path, "2.5");
	cr_expect_str_eq(settings->users[0].name, "42");
	sidecar_web_settings_free(settings);
}

Test(web_config, keys)
{
	bad("tls_config: {}", "line 1: unknown key \"tls_config\" in the file");
	bad("\n\ntls_server_config:\n  cert_file: a\n  keyfile: b\n",
	    "line 5: unknown key \"keyfile\" in tls_server_config");
	bad("http_server_config: {http3: true}", "line 1: unknown key \"http3\" in http_server_config");
	bad(TLS ", cert_file: d}", "line 1: cert_file appears twice in tls_server_config");
	bad("http_server_config:\n  http2: true\nhttp_server_config:\n  http2: true\n",
	    "line 3: http_server_config appears twice in the file");
	bad("- a", "line 1: the file must be a mapping of keys to values");
	bad("text", "line 1: the file must be a mapping of keys to values");
	bad("tls_server_config: 3", "line 1: tls_server_config must be a mapping of keys to values");
	bad("? [a]\n: b\n", "line 1: a key of the file must be a string");
	bad("{}\n---\n{}\n", "line 2: a second document begins: only one is read");
	bad("tls_server_config: {cert_file: !!binary YQ==}",
	    "line 1: the tag tag:yaml.org,2002:binary is not supported: leave it out");
	bad("tls_server_config: {", "line 2: no YAML: did not find expected node content");
	bad("\ttls_server_config:", "line 1: no YAML: found character that cannot start any token");
	bad("\xff\xfe\xff", "line 1: no YAML: incomplete UTF-16 character");
}

Test(web_config, tls)
{
	bad("tls_server_config: {key_file: k}", "cert_file, or cert, is missing in tls_server_config");
	bad("tls_server_config: {cert_file: c}", "key_file, or key, is missing in tls_server_config");
	bad("tls_server_config: {cert_file: '', key_file: k}", "cert_file, or cert, is missing in tls_server_config");
	bad("tls_server_config: {client_auth_type: NoClientCert}",
	    "cert_file, or cert, is missing in tls_server_config");
	bad("tls_server_config: {client_ca: x}", "cert_file, or cert, is missing in tls_server_config");
	bad("tls_server_config: {client_allowed_sans: [x]}", "cert_file, or cert, is missing in tls_server_config");
	bad("tls_server_config: {cert: '', key: k}", "cert_file, or cert, is missing in tls_server_config");
	bad("tls_server_config: {cert: c, key: ''}", "key_file, or key, is missing in tls_server_config");
	bad("tls_server_config: {cert: \"a\\0b\", key: k}", "line 1: cert must not hold control characters");
	bad("tls_server_config: {cert_file: [c]}", "line 1: cert_file must be a string");
	bad("tls_server_config: {cert_file: \"a\\0b\"}", "line 1: cert_file must not hold control characters");
	bad(TLS ", client_ca_file: a}", "client_ca_file has no effect without client_auth_type: set that to "
					"RequireAndVerifyClientCert");
	bad(TLS ", client_allowed_sans: [a]}", "client_allowed_sans has no effect without client_auth_type: set that "
					       "to RequireAndVerifyClientCert");
	bad(TLS ",\n client_auth_type: requireAndVerifyClientCert}",
	    "line 2: client_auth_type must be NoClientCert, RequestClientCert, RequireAnyClientCert, "
	    "VerifyClientCertIfGiven or RequireAndVerifyClientCert");
	bad(TLS ", min_version: SSL30}", "line 1: min_version must be TLS10, TLS11, TLS12 or TLS13");
	bad(TLS ", min_version: [TLS12]}", "line 1: min_version must be TLS10, TLS11, TLS12 or TLS13");
	bad(TLS ", min_version: TLS13, max_version: TLS12}", "min_version is above max_version");
	bad("tls_server_config: {min_version: TLS13, max_version: TLS10}", "min_version is above max_version");
	bad(TLS ", cipher_suites: TLS_AES_128_GCM_SHA256}", "line 1: cipher_suites must be a list");
	bad(TLS ", cipher_suites: [[]]}", "line 1: cipher_suites must be a list of names");
	bad(TLS ", cipher_suites: [TLS_RSA_WITH_RC4_128_SHA]}",
	    "line 1: \"TLS_RSA_WITH_RC4_128_SHA\" in cipher_suites is not known, or not supported");
	bad(TLS ", curve_preferences: [P256]}", "line 1: \"P256\" in curve_preferences is not known, or not supported");
	bad(TLS ", prefer_server_cipher_suites: 1}", "line 1: prefer_server_cipher_suites must be true or false");
	bad(TLS ", prefer_server_cipher_suites: 'true'}", "line 1: prefer_server_cipher_suites must be true or false");
	bad("http_server_config: {http2: maybe}", "line 1: http2 must be true or false");
}

Test(web_config, headers)
{
	bad("http_server_config:\n  headers:\n    Server: x", "line 3: the header \"Server\" cannot be set");
	bad("http_server_config: {headers: {x-frame-options: deny}}",
	    "line 1: the header \"x-frame-options\" cannot be set");
	bad("http_server_config: {headers: {X-Frame-Options: allow}}",
	    "line 1: X-Frame-Options must be deny or sameorigin");
	bad("http_server_config: {headers: {X-Content-Type-Options: ''}}",
	    "line 1: X-Content-Type-Options must be nosniff");
	bad("http_server_config: {headers: {X-XSS-Protection: \"a\\r\\nSet-Cookie: b\"}}",
	    "line 1: X-XSS-Protection must not hold control characters");
	bad("http_server_config: {headers: {X-XSS-Protection: 0, X-XSS-Protection: 1}}",
	    "line 1: the header X-XSS-Protection appears twice");
	bad("http_server_config: {headers: [deny]}", "line 1: headers must be a mapping of names to values");
}

static void user(const char *hash)
{
	char text[300];

	snprintf(text, sizeof(text), "basic_auth_users:\n  alice: '%s'\n", hash);
	bad(text, "line 2: the password of \"alice\" is not a bcrypt hash: " MAKE);
}

Test(web_config, users)
{
	fine("basic_auth_users: {a: $2a$04$X0h1gDsPszWURQaxFh.zoubFi6DXncSjhoQNJgRrnGs7EsimhC7zG}");
	fine("basic_auth_users: {a: $2b$31$X0h1gDsPszWURQaxFh.zoubFi6DXncSjhoQNJgRrnGs7EsimhC7zG}");
	fine("basic_auth_users: {'': " HASH "}");
	user("");
	user("secret");
	user("$2y$10$X0h1gDsPszWURQaxFh.zoubFi6DXncSjhoQNJgRrnGs7EsimhC7z");
	user("$2y$10$X0h1gDsPszWURQaxFh.zoubFi6DXncSjhoQNJgRrnGs7EsimhC7zGG");
	user("$2x$10$X0h1gDsPszWURQaxFh.zoubFi6DXncSjhoQNJgRrnGs7EsimhC7zG");
	user("$2y$03$X0h1gDsPszWURQaxFh.zoubFi6DXncSjhoQNJgRrnGs7EsimhC7zG");
	user("$2y$32$X0h1gDsPszWURQaxFh.zoubFi6DXncSjhoQNJgRrnGs7EsimhC7zG");
	user("$2y$1x$X0h1gDsPszWURQaxFh.zoubFi6DXncSjhoQNJgRrnGs7EsimhC7zG");
	user("$2y$10$X0h1gDsPszWURQaxFh!zoubFi6DXncSjhoQNJgRrnGs7EsimhC7zG");
	bad("basic_auth_users:\n  a: \"$2\\0$10$X0h1gDsPszWURQaxFh.zoubFi6DXncSjhoQNJgRrnGs7EsimhC7zG\"",
	    "line 2: the password of \"a\" is not a bcrypt hash: " MAKE);
	user("$6$rounds=5000$0123456789abcdef$aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
	bad("basic_auth_users: {a: }", "line 1: the password of \"a\" is not a bcrypt hash: " MAKE);
	bad("basic_auth_users: {'a:b': " HASH "}",
	    "line 1: the user \"a:b\" has a colon in its name, with which nobody can log in");
	bad("basic_auth_users:\n  a: " HASH "\n  a: " HASH, "line 3: the user \"a\" appears twice");
	bad("basic_auth_users: [a]", "line 1: basic_auth_users must be a mapping of names to bcrypt hashes");
}

Test(web_config, inline_certificates)
{
	struct sidecar_web_settings *settings =
		good("tls_server_config:\n  cert: |\n    -----BEGIN\n    x\n  key: \"k\\n\"\n  client_ca: a\n"
		     "  client_auth_type: RequireAndVerifyClientCert\n");

	cr_expect(settings->has_tls);
	cr_expect_str_eq(settings->cert_text, "-----BEGIN\nx\n");
	cr_expect_str_eq(settings->key_text, "k\n");
	cr_expect_str_eq(settings->client_ca_text, "a");
	cr_expect_null(settings->cert_path);
	sidecar_web_settings_free(settings);
	/* Words about TLS that make none. */
	settings = good("tls_server_config: {min_version: TLS13, prefer_server_cipher_suites: true}");
	cr_expect_not(settings->has_tls);
	cr_expect(settings->is_without_certificate);
	sidecar_web_settings_free(settings);
	settings = good("tls_server_config: {}");
	cr_expect_not(settings->is_without_certificate);
	sidecar_web_settings_free(settings);
}

static void limit(const char *interval, uint64_t ns)
{
	struct sidecar_web_settings *settings;
	char text[200];

	snprintf(text, sizeof(text), "rate_limit: {interval: %s, burst: 7}", interval);
	settings = good(text);
	cr_expect_eq(settings->limit_interval_ns, ns, "%s: %llu", interval,
		     (unsigned long long)settings->limit_interval_ns);
	cr_expect_eq(settings->limit_burst, 7);
	sidecar_web_settings_free(settings);
}

Test(web_config, rate_limit)
{
	limit("0", 0);
	limit("", 0);
	limit("1s", 1000000000);
	limit("\"1s\"", 1000000000);
	limit("250", 250);
	limit("100ms", 100000000);
	limit("1m30.5s", 90500000000);
	limit("1.5h", 5400000000000);
	limit("3us", 3000);
	limit("3\xc2\xb5s", 3000);
	limit("8760h", 31536000000000000);
	fine("rate_limit: {}");
	fine("rate_limit: {interval: 1s, burst: 1000000}");
	for (size_t i = 0; i < 10; i++) {
		static const char *const intervals[] = {"s",   "-1s", "1 s", "1d",        "1s1",
							"1e3", ".s",  "[]",  "99999999h", "1.2.3s"};
		char text[100];

		snprintf(text, sizeof(text), "rate_limit: {interval: %s}", intervals[i]);
		bad(text, strcmp(intervals[i], "[]") == 0
				  ? "line 1: interval must be a string"
				  : "line 1: interval must be a time such as 100ms, 1s or 1m30s, or 0");
	}
	bad("rate_limit: {burst: -1}", "line 1: burst must be a whole number of 0 to 1000000");
	bad("rate_limit: {burst: 1000001}", "line 1: burst must be a whole number of 0 to 1000000");
	bad("rate_limit: {burst: 1.5}", "line 1: burst must be a whole number of 0 to 1000000");
	bad("rate_limit: {rate: 1}", "line 1: unknown key \"rate\" in rate_limit");
}

/* Aliases stand for what they name, merge keys for pairs; what is said in a place goes before what is merged there. */
Test(web_config, aliases)
{
	struct sidecar_web_settings *settings = good("tls_server_config: {cert_file: &a c, key_file: *a}\n"
						     "basic_auth_users: {a: &hash " HASH ", b: *hash, *a : *hash}");

	cr_expect_str_eq(settings->key_path, "c");
	cr_assert_eq(settings->user_count, 3);
	cr_expect_str_eq(settings->users[1].hash, HASH);
	cr_expect_str_eq(settings->users[2].name, "c");
	sidecar_web_settings_free(settings);

	settings = good("tls_server_config: &all\n  <<: {min_version: TLS12, key_file: merged, client_ca_file: a}\n"
			"  cert_file: c\n  key_file: k\n  client_auth_type: RequireAndVerifyClientCert\n"
			"  <<: [{max_version: TLS12, client_ca_file: b}, {max_version: TLS13}]\n");
	cr_expect_str_eq(settings->key_path, "k");
	cr_expect_str_eq(settings->client_ca_path, "a");
	cr_expect_eq(settings->tls_options.max_version, 2);
	sidecar_web_settings_free(settings);

	/* Merged through several, and an anchor that is set anew. */
	settings = good("basic_auth_users:\n  <<: &one {a: &h " HASH "}\n  b: *h\n"
			"http_server_config:\n  headers: {X-Frame-Options: &h deny, X-XSS-Protection: *h}\n");
	cr_expect_eq(settings->user_count, 2);
	cr_expect_str_eq(settings->headers[1].value, "deny");
	sidecar_web_settings_free(settings);

	fine("&a tls_server_config: {}");
	bad("basic_auth_users: {a: *h}", "line 1: an alias has no anchor");
	bad("basic_auth_users: {a: *h, b: &h " HASH "}", "line 1: an alias has no anchor");
	bad("basic_auth_users: &u\n  <<: *u\n", "line 2: an alias refers to something that contains it");
	bad("http_server_config: &u [*u]", "line 1: an alias refers to something that contains it");
	bad("basic_auth_users: {<<: text}", "line 1: \"<<\" merges a mapping, or a list of mappings");
	bad("basic_auth_users: {<<: [[{}]]}", "line 1: \"<<\" merges a mapping, or a list of mappings");
	bad("basic_auth_users: {'<<': text}", "line 1: the password of \"<<\" is not a bcrypt hash: " MAKE);
	bad("http_server_config: {<<: {http2: maybe}}", "line 1: http2 must be true or false");
	bad("http_server_config: {<<: {http3: true}}", "line 1: unknown key \"http3\" in http_server_config");
}

/* Few bytes that say much are too much: nine to the power of nine strings, as many merges, a long way down. */
Test(web_config, aliases_are_bounded)
{
	char text[4096];
	size_t length = (size_t)snprintf(text, sizeof(text), "a0: &a0 [x,x,x,x,x,x,x,x,x]\n");

	for (int i = 1; i <= 9; i++)
		length += (size_t)snprintf(text + length, sizeof(text) - length,
					   "a%d: &a%d [*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d]\n", i, i, i - 1,
					   i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1);
	bad(text, "line 1: it is too large once its aliases are expanded");
	length = (size_t)snprintf(text, sizeof(text), "a0: &a0 {x: y}\n");
	for (int i = 1; i <= 12; i++)
		length += (size_t)snprintf(text + length, sizeof(text) - length,
					   "a%d: &a%d {<<: [*a%d,*a%d,*a%d,*a%d,*a%d,*a%d]}\n", i, i, i - 1, i - 1,
					   i - 1, i - 1, i - 1, i - 1);
	bad(text, "line 1: it is too large once its aliases are expanded");
	length = (size_t)snprintf(text, sizeof(text), "a0: &a0 {x: y}\n");
	for (int i = 1; i <= 40; i++)
		length += (size_t)snprintf(text + length, sizeof(text) - length, "a%d: &a%d {<<: *a%d}\n", i, i, i - 1);
	bad(text, "line 1: it is too many levels deep");
}

/* One more than may be, of everything that is counted; and as many as may be. */
Test(web_config, bounds)
{
	size_t room = SIDECAR_WEB_CONFIG_BYTES_MAX + 2, length = 0;
	char *text = malloc(room), message[300] = "";
	struct sidecar_web_settings *settings = NULL;

	cr_assert_not_null(text);
	memset(text, '#', room);
	cr_expect_eq(sidecar_web_config_parse(text, room - 1, &settings, message, sizeof(message)), -EINVAL);
	cr_expect_str_eq(message, "it has more than 1048576 bytes");
	cr_expect_eq(sidecar_web_config_parse(text, room - 2, &settings, message, sizeof(message)), 0);
	sidecar_web_settings_free(settings);

	memset(text, '[', room);
	cr_expect_eq(sidecar_web_config_parse(text, room - 2, &settings, message, sizeof(message)), -EINVAL);
	memset(text, '{', room);
	cr_expect_eq(sidecar_web_config_parse(text, room - 2, &settings, message, sizeof(message)), -EINVAL);

	length = (size_t)snprintf(text, room, "basic_auth_users:\n");
	for (int i = 0; i <= SIDECAR_WEB_USERS_MAX; i++) {
		if (i == SIDECAR_WEB_USERS_MAX)
			fine(text);
		length += (size_t)snprintf(text + length, room - length, "  u%d: %s\n", i, HASH);
	}
	bad(text, "line 1026: basic_auth_users has more than 1024 users");

	length = (size_t)snprintf(text, room, TLS ", client_auth_type: RequestClientCert, client_allowed_sans: [");
	for (int i = 0; i <= SIDECAR_WEB_SANS_MAX; i++)
		length += (size_t)snprintf(text + length, room - length, "s%d, ", i);
	snprintf(text + length, room - length, "]}");
	bad(text, "line 1: client_allowed_sans has more than 256 names");
	free(text);
}

/* -- What GnuTLS makes of it -------------------------------------------------------------------------------------- */

static int wish(unsigned min_version, const char *const *ciphers, char *text, char *message)
{
	struct sidecar_tls_options tls_options = {.min_version = min_version, .max_version = 3};

	for (; *ciphers; ciphers++)
		tls_options.ciphers[tls_options.cipher_count++] = (unsigned)sidecar_tls_cipher(*ciphers);
	return sidecar_tls_priority(&tls_options, text, NULL, message, 300);
}

Test(tls_priority, suites)
{
	static const char *const none[] = {NULL};
	static const char *const gcm[] = {"TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
					  "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", NULL};
	static const char *const crossed[] = {"TLS_RSA_WITH_AES_128_CBC_SHA", "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA",
					      NULL};
	static const char *const cbc[] = {"TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", NULL};
	char text[SIDECAR_TLS_PRIORITY_MAX], message[300] = "";

	cr_expect_eq(wish(2, none, text, message), 0);
	cr_expect_str_eq(text, "NORMAL:%DEBUG_ALLOW_KEY_USAGE_VIOLATIONS:-RSA:-DHE-RSA:-VERS-ALL:%SERVER_PRECEDENCE"
			       ":+VERS-TLS1.3:+VERS-TLS1.2");
	cr_expect_eq(wish(2, gcm, text, message), 0, "%s", message);
	cr_expect(strstr(text, ":+VERS-TLS1.3:+VERS-TLS1.2:+ECDHE-RSA:+AES-256-GCM:+AEAD:+ECDHE-ECDSA") != NULL, "%s",
		  text);
	cr_expect_eq(wish(2, crossed, text, message), -EINVAL);
	cr_expect(strstr(message, "also make up TLS_") != NULL, "%s", message);
	/* No suite of TLS 1.3 is left, so that it is not offered; or nothing is. */
	cr_expect_eq(wish(1, cbc, text, message), 0);
	cr_expect(strstr(text, ":+VERS-TLS1.2:+VERS-TLS1.1:+ECDHE-RSA:+AES-128-CBC:+SHA1") != NULL, "%s", text);
	cr_expect_null(strstr(text, "TLS1.3"), "%s", text);
	cr_expect_eq(wish(3, cbc, text, message), -EINVAL);
}

/* Every name alone allows itself, one suite of TLS 1.3 at most, and nothing else; all together are no more than all. */
Test(tls_priority, every_suite)
{
	struct sidecar_tls_options tls_options = {.max_version = 3}, all = {.max_version = 3};
	char message[300] = "";

	for (unsigned i = 0; i < SIDECAR_TLS_CIPHERS_MAX; i++) {
		gnutls_priority_t priority;
		unsigned index, count = 0;

		all.ciphers[all.cipher_count++] = i;
		tls_options.ciphers[0] = i;
		tls_options.cipher_count = 1;
		cr_assert_eq(sidecar_tls_priority(&tls_options, NULL, &priority, message, sizeof(message)), 0, "%u: %s",
			     i, message);
		for (unsigned j = 0; gnutls_priority_get_cipher_suite_index(priority, j, &index) !=
				     GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE;
		     j++)
			count++;
		cr_expect(count == 1 || count == 2, "%u: %u suites", i, count);
		gnutls_priority_deinit(priority);
	}
	cr_expect_eq(sidecar_tls_priority(&all, NULL, NULL, message, sizeof(message)), 0, "%s", message);
	for (unsigned i = 0; i < SIDECAR_TLS_CURVES_MAX; i++) {
		tls_options = (struct sidecar_tls_options){
			.min_version = 2, .max_version = 3, .curves = {i}, .curve_count = 1};
		cr_expect_eq(sidecar_tls_priority(&tls_options, NULL, NULL, message, sizeof(message)), 0, "%u: %s", i,
			     message);
	}
}
