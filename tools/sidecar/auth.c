/* SPDX-License-Identifier: MIT */
/*
 * auth.c: Authorization headers, bcrypt, and remembered verdicts.
 *
 * Invariants: in each lane at most one thread is in bcrypt, and at most lane_waiters wait for that; no password is in
 * memory that is given back, but for what libraries keep on their stacks.
 */
#include "auth.h"

#include "web_config_file.h"

#include <crypt.h>
#include <errno.h>
#include <gnutls/crypto.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <time.h>

/* Of a verdict's name, HMAC-SHA-256. */
enum { AUTH_KEY_BYTES = 32, AUTH_TAG_BYTES = 32 };

/* A wrong password is a rest of so many times as long as it took; so many of them gather before it is kept. */
enum { AUTH_REST_FACTOR = 3, AUTH_REST_AHEAD = 10 };

/* Those whose cost is that much above the lowest are not in the way of others. */
enum { AUTH_COST_SPAN = 2, QUICK_LANE = 0, SLOW_LANE, LANE_COUNT };

static const unsigned lane_waiters[LANE_COUNT] = {2, 1};
_Static_assert(2 + 1 + LANE_COUNT == SIDECAR_AUTH_THREADS, "who waits, and who works");

static const uint64_t NS_PER_SECOND = 1000000000u, REST_MOST_NS = 2000000000u;

struct tags {
	unsigned char tag[SIDECAR_AUTH_KEPT][AUTH_TAG_BYTES];
	size_t count, next;
};

struct sidecar_auth {
	unsigned char key[AUTH_KEY_BYTES];
	pthread_mutex_t lock;      /* of all below; never held while bcrypt works */
	struct tags granted, denied;
	unsigned long generation;  /* of what is remembered: a verdict that began before it changed is not kept */
	struct lane {
		pthread_cond_t turn;
		bool working;
		unsigned waiters;
		uint64_t rest_ns;       /* for the last wrong password */
		uint64_t rest_until_ns; /* may lie AUTH_REST_AHEAD of these ahead before it is kept */
	} lanes[LANE_COUNT];
};

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NS_PER_SECOND + (uint64_t)now.tv_nsec;
}

/* -- Headers ------------------------------------------------------------------------------------------------------ */

static int digit_of(char byte)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *found = byte ? strchr(digits, byte) : NULL;

	return found ? (int)(found - digits) : -1;
}

/* Base64 with its padding and nothing else, to a string. Returns its length, or -EINVAL. */
static int decode_base64(const char *text, size_t length, char *out, size_t size)
{
	size_t done = 0;

	while (length > 0 && (text[length - 1] == ' ' || text[length - 1] == '\t'))
		length--;
	if (length % 4)
		return -EINVAL;
	for (size_t i = 0; i < length; i += 4) {
		unsigned padding =
			i + 4 == length ? (text[i + 3] == '=') + (text[i + 3] == '=' && text[i + 2] == '=') : 0;
		uint32_t word = 0;

		for (size_t j = 0; j < 4; j++) {
			int digit = j < 4 - padding ? digit_of(text[i + j]) : 0;

			if (digit < 0)
				return -EINVAL;
			word = word << 6 | (uint32_t)digit;
		}
		for (unsigned j = 0; j < 3 - padding; j++) {
			out[done] = (char)(word >> (16 - 8 * j) & 0xff);
			/* Behind a NUL, a password would go unseen. */
			if (out[done] == '\0' || ++done == size)
				return -EINVAL;
		}
	}
	out[done] = '\0';
	return (int)done;
}

int sidecar_auth_decode(const char *authorization, struct sidecar_credentials *out)
{
	char decoded[sizeof(*out)];
	int result = -EINVAL;
	const char *colon;

	explicit_bzero(out, sizeof(*out));
	if (!authorization || strncasecmp(authorization, "Basic ", 6) != 0)
		return -EINVAL;
	for (authorization += 6; *authorization == ' '; authorization++)
		;
	if (decode_base64(authorization, strlen(authorization), decoded, sizeof(decoded)) < 0)
		goto out;
	colon = strchr(decoded, ':');
	if (!colon || colon - decoded > SIDECAR_AUTH_NAME_MAX || strlen(colon + 1) > SIDECAR_AUTH_PASSWORD_MAX)
		goto out;
	memcpy(out->name, decoded, (size_t)(colon - decoded));
	strcpy(out->password, colon + 1);
	result = 0;
out:
	explicit_bzero(decoded, sizeof(decoded));
	return result;
}

/* -- What is remembered ------------------------------------------------------------------------------------------- */

/* Looks at all of it, however early it is found. */
static bool remembers(const struct tags *tags, const unsigned char *tag)
{
	unsigned found = 0;

	for (size_t i = 0; i < tags->count; i++)
		found |= gnutls_memcmp(tags->tag[i], tag, AUTH_TAG_BYTES) == 0;
	return found;
}

/* The oldest makes room. */
static void remember(struct tags *tags, const unsigned char *tag)
{
	memcpy(tags->tag[tags->next], tag, AUTH_TAG_BYTES);
	tags->next = (tags->next + 1) % SIDECAR_AUTH_KEPT;
	if (tags->count < SIDECAR_AUTH_KEPT)
		tags->count++;
}

int sidecar_auth_new(struct sidecar_auth **out)
{
	struct sidecar_auth *auth = calloc(1, sizeof(*auth));

	if (!auth)
		return -ENOMEM;
	if (getrandom(auth->key, sizeof(auth->key), 0) != (ssize_t)sizeof(auth->key)) {
		free(auth);
		return -EIO;
	}
	pthread_mutex_init(&auth->lock, NULL);
	for (size_t i = 0; i < LANE_COUNT; i++)
		pthread_cond_init(&auth->lanes[i].turn, NULL);
	*out = auth;
	return 0;
}

void sidecar_auth_free(struct sidecar_auth *auth)
{
	if (!auth)
		return;
	for (size_t i = 0; i < LANE_COUNT; i++)
		pthread_cond_destroy(&auth->lanes[i].turn);
	pthread_mutex_destroy(&auth->lock);
	explicit_bzero(auth, sizeof(*auth));
	free(auth);
}

void sidecar_auth_forget(struct sidecar_auth *auth)
{
	pthread_mutex_lock(&auth->lock);
	auth->generation++;
	explicit_bzero(&auth->granted, sizeof(auth->granted));
	explicit_bzero(&auth->denied, sizeof(auth->denied));
	for (size_t i = 0; i < LANE_COUNT; i++)
		auth->lanes[i].rest_until_ns = 0;
	pthread_mutex_unlock(&auth->lock);
}

/* -- Passwords ---------------------------------------------------------------------------------------------------- */

/*
 * $2a$ is computed as $2b$: the library's own $2a$ alters the hashes of some passwords with bytes over 127, to tell
 * them from those of a faulty bcrypt of long ago. Only the digest is compared, as the last character of a salt has two
 * bits that mean nothing and that not everybody keeps. crypt_rn(), which sanitizers do not take the place of: theirs
 * has the linker believe that libcrypt is not needed, and then finds it missing.
 */
static bool matches(const char *hash, const char *password, struct crypt_data *room)
{
	enum { DIGEST_AT = 29 };
	char setting[SIDECAR_BCRYPT_LENGTH + 1];
	const char *computed;
	bool same;

	memcpy(setting, hash, sizeof(setting));
	setting[2] = 'b';
	computed = crypt_rn(password, setting, room, (int)sizeof(*room));
	same = computed && strlen(computed) == SIDECAR_BCRYPT_LENGTH &&
	       gnutls_memcmp(computed + DIGEST_AT, hash + DIGEST_AT, SIDECAR_BCRYPT_LENGTH - DIGEST_AT) == 0;
	explicit_bzero(setting, sizeof(setting));
	return same;
}

/* A name to a tag, under the key; what stands between parts is in none of them. */
static bool tag_of(const struct sidecar_auth *auth, const char *hash, const struct sidecar_credentials *credentials,
		   unsigned char tag[AUTH_TAG_BYTES])
{
	gnutls_hmac_hd_t hmac;
	int result;

	if (gnutls_hmac_init(&hmac, GNUTLS_MAC_SHA256, auth->key, sizeof(auth->key)) < 0)
		return false;
	result = gnutls_hmac(hmac, credentials->name, strlen(credentials->name) + 1);
	if (result == 0)
		result = gnutls_hmac(hmac, credentials->password, strlen(credentials->password) + 1);
	if (result == 0)
		result = gnutls_hmac(hmac, hash, strlen(hash) + 1);
	gnutls_hmac_deinit(hmac, tag);
	return result == 0;
}

static unsigned cost_of(const struct sidecar_web_user *user)
{
	return (unsigned)(user->hash[4] - '0') * 10 + (unsigned)(user->hash[5] - '0');
}

/* The highest cost of the quick lane. */
static unsigned quick_cost(const struct sidecar_web_user *users, size_t count)
{
	unsigned lowest = cost_of(&users[0]);

	for (size_t i = 1; i < count; i++)
		lowest = cost_of(&users[i]) < lowest ? cost_of(&users[i]) : lowest;
	return lowest + AUTH_COST_SPAN;
}

/*
 * The user of a name, looking at all of them; the same stranger always gets the same one of the quick lane, by the key,
 * so that how long bcrypt takes tells nothing where their costs differ.
 */
static const struct sidecar_web_user *find(const struct sidecar_auth *auth, const struct sidecar_web_user *users,
					   size_t count, unsigned quick, const char *name, bool *known)
{
	const struct sidecar_web_user *found = NULL, *other = NULL;
	unsigned char digest[AUTH_TAG_BYTES] = {0};
	size_t length = strlen(name), number = 0, candidates = 0;

	for (size_t i = 0; i < count; i++) {
		if (strlen(users[i].name) == length && gnutls_memcmp(users[i].name, name, length) == 0)
			found = &users[i];
		candidates += cost_of(&users[i]) <= quick;
	}
	*known = found != NULL;
	/* Failing, it leaves zeroes: the first user. */
	(void)gnutls_hmac_fast(GNUTLS_MAC_SHA256, auth->key, sizeof(auth->key), name, length, digest);
	for (size_t i = 0; i < sizeof(number); i++)
		number = number << 8 | digest[i];
	number %= candidates;
	for (size_t i = 0; !other; i++) {
		if (cost_of(&users[i]) <= quick && number-- == 0)
			other = &users[i];
	}
	return found ? found : other;
}

/* Waits for a turn in a lane, with the lock. Returns whether it has come; not if the verdict is there before. */
static bool take_turn(struct sidecar_auth *auth, struct lane *lane, unsigned waiters_max, const unsigned char *tag,
		      bool known, enum sidecar_auth_verdict *verdict)
{
	for (;;) {
		/* Who is no user any more may share a hash with one, and a verdict of better days. */
		bool granted = known & remembers(&auth->granted, tag), denied = remembers(&auth->denied, tag);

		if (granted || denied) {
			*verdict = granted ? SIDECAR_AUTH_GRANTED : SIDECAR_AUTH_DENIED;
			return false;
		}
		if (!lane->working)
			break;
		*verdict = SIDECAR_AUTH_BUSY;
		if (lane->waiters == waiters_max)
			return false;
		lane->waiters++;
		pthread_cond_wait(&lane->turn, &auth->lock);
		lane->waiters--;
	}
	if (now_ns() + lane->rest_ns * AUTH_REST_AHEAD < lane->rest_until_ns) {
		*verdict = SIDECAR_AUTH_BUSY;
		return false;
	}
	lane->working = true;
	return true;
}

/* With the lock. */
static void end_turn(struct lane *lane, bool granted, uint64_t began_ns)
{
	uint64_t ended_ns = now_ns(), rest_ns = (ended_ns - began_ns) * AUTH_REST_FACTOR;

	lane->working = false;
	if (!granted) {
		if (lane->rest_until_ns < ended_ns)
			lane->rest_until_ns = ended_ns;
		lane->rest_ns = rest_ns < REST_MOST_NS ? rest_ns : REST_MOST_NS;
		lane->rest_until_ns += lane->rest_ns;
	}
	/* All of them: one whose password was this one has its answer now, and another may be next. */
	pthread_cond_broadcast(&lane->turn);
}

enum sidecar_auth_verdict sidecar_auth_check(struct sidecar_auth *auth, const struct sidecar_web_user *users,
					     size_t user_count, const struct sidecar_credentials *credentials)
{
	unsigned quick = quick_cost(users, user_count);
	bool known, granted;
	const struct sidecar_web_user *user = find(auth, users, user_count, quick, credentials->name, &known);
	unsigned which = cost_of(user) <= quick ? QUICK_LANE : SLOW_LANE;
	struct lane *lane = &auth->lanes[which];
	enum sidecar_auth_verdict verdict = SIDECAR_AUTH_BUSY;
	unsigned char tag[AUTH_TAG_BYTES];
	struct crypt_data *room;
	unsigned long generation;
	uint64_t began_ns;
	bool is_mine;

	if (!tag_of(auth, user->hash, credentials, tag))
		return SIDECAR_AUTH_BUSY;
	pthread_mutex_lock(&auth->lock);
	is_mine = take_turn(auth, lane, lane_waiters[which], tag, known, &verdict);
	generation = auth->generation;
	pthread_mutex_unlock(&auth->lock);
	if (!is_mine)
		return verdict;

	began_ns = now_ns();
	room = calloc(1, sizeof(*room));
	granted = room && (known & matches(user->hash, credentials->password, room));
	if (room)
		explicit_bzero(room, sizeof(*room));
	pthread_mutex_lock(&auth->lock);
	end_turn(lane, granted, began_ns);
	if (room && generation == auth->generation)
		remember(granted ? &auth->granted : &auth->denied, tag);
	pthread_mutex_unlock(&auth->lock);
	free(room);
	if (!room)
		return SIDECAR_AUTH_BUSY;
	return granted ? SIDECAR_AUTH_GRANTED : SIDECAR_AUTH_DENIED;
}
