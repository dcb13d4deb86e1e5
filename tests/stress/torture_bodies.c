/* SPDX-License-Identifier: MIT */
/*
 * torture_bodies: threads ask for bodies in every format while a process records, and while segments come and go.
 *
 * Invariants: without sharing, a body holds every call that was done before it was asked for, and none that was not
 * begun when it came; with sharing, the same for what was done share_ns before. In each body calls = successes +
 * failures = the count of the histogram. No total ever falls. Segments that come and go are there or not, never in
 * part.
 */
#include "stress.h"

#include "../../tools/sidecar/bodies.h"
#include "../../tools/sidecar/log.h"

#include <promcb/atomic.h>

#include <signal.h>
#include <zlib.h>

enum { ASKERS = 3, ROUNDS = 1500 };

struct progress {
	uint64_t begun;
	uint64_t done;
	uint64_t stop;
};

static struct progress *progress;
static char names[2][96];
static const char *patterns[2] = {names[0], names[1]};

static void record_for_ever(void)
{
	struct promcb_component *component = stress_component(stress_open(NULL), "c");

	while (!promcb_load_relaxed(&progress->stop)) {
		promcb_store_release(&progress->begun, progress->begun + 1);
		promcb_record(component, 1000 + progress->begun % 1000000, progress->begun % 5 != 0);
		promcb_store_release(&progress->done, progress->done + 1);
	}
}

/* Segments beside the one that is recorded in are made, removed, and cut short while they are read. */
static void come_and_go(void)
{
	char name[128];

	for (unsigned i = 0; !promcb_load_relaxed(&progress->stop); i++) {
		struct promcb_session *p;
		struct promcb_component *component;

		snprintf(name, sizeof(name), "%s-guest-%u", stress_segment, i % 3);
		CHECK(promcb_open(name, NULL, &p) == 0, "open %s", name);
		promcb_component(p, "guest", &component);
		promcb_record(component, 5, true);
		promcb_close(p);
		if (i % 4 == 1) {
			char path[160];

			snprintf(path, sizeof(path), "/dev/shm%s", name);
			CHECK(truncate(path, 4096) == 0 && unlink(path) == 0, "%s", path);
		}
		if (i % 4 == 3)
			promcb_remove(name, true, NULL);
	}
	for (unsigned i = 0; i < 3; i++) {
		snprintf(name, sizeof(name), "%s-guest-%u", stress_segment, i);
		promcb_remove(name, true, NULL);
	}
}

/* The value of a series of the recorded component, anywhere in the text. */
static uint64_t value_of(const char *text, const char *series)
{
	char line[256];
	const char *at;

	snprintf(line, sizeof(line), "\n%s{segment=\"%s\",component=\"c\"} ", series, stress_segment);
	at = strstr(text, line);
	CHECK(at, "no %s in:\n%.2000s", series, text);
	return strtoull(at + strlen(line), NULL, 10);
}

static char *text_of(const struct sidecar_body *body)
{
	size_t room = body->gzipped ? (size_t)1 << 22 : body->length + 1;
	char *text = malloc(room);

	CHECK(text, "memory");
	if (body->gzipped) {
		z_stream stream = {.next_in = (Bytef *)(uintptr_t)body->bytes,
				   .avail_in = (uInt)body->length,
				   .next_out = (Bytef *)text,
				   .avail_out = (uInt)room - 1};

		CHECK(inflateInit2(&stream, 15 + 16) == Z_OK, "inflate");
		CHECK(inflate(&stream, Z_FINISH) == Z_STREAM_END, "a body is no gzip");
		text[stream.total_out] = '\0';
		inflateEnd(&stream);
	} else {
		memcpy(text, body->bytes, body->length);
		text[body->length] = '\0';
	}
	return text;
}

struct asker {
	struct sidecar_bodies *bodies;
	bool shared;
	uint64_t rounds;
};

static void ask_once(const struct asker *asker, unsigned round, uint64_t *before)
{
	static const enum promcb_format formats[] = {PROMCB_FORMAT_TEXT, PROMCB_FORMAT_OPENMETRICS,
						     PROMCB_FORMAT_PROTOBUF, PROMCB_FORMAT_TEXT};
	enum promcb_format format = formats[round % 4];
	uint64_t done = promcb_load_acquire(&progress->done), begun, calls;
	struct sidecar_body *body;
	char *text;

	CHECK(sidecar_body_metrics(asker->bodies, format, round % 8 == 3 ? SIDECAR_GZIP_ALWAYS : SIDECAR_GZIP_NEVER,
				   1000000000, &body) == 0,
	      "no body");
	begun = promcb_load_acquire(&progress->begun);
	CHECK(body->length > 0, "an empty body");
	CHECK(strcmp(body->content_type, promcb_format_content_type(format)) == 0, "%s", body->content_type);
	if (format != PROMCB_FORMAT_PROTOBUF) {
		text = text_of(body);
		calls = value_of(text, "circuit_breaker_calls_total");
		CHECK(calls <= begun, "%llu calls of %llu", (unsigned long long)calls, (unsigned long long)begun);
		CHECK(asker->shared || calls >= done, "%llu calls, %llu were done before", (unsigned long long)calls,
		      (unsigned long long)done);
		/* A shared take may be followed by an older one only for those who asked at the same time. */
		CHECK(asker->shared || calls >= *before, "calls fell from %llu to %llu", (unsigned long long)*before,
		      (unsigned long long)calls);
		*before = calls;
		CHECK(calls == value_of(text, "circuit_breaker_successes_total") +
				       value_of(text, "circuit_breaker_failures_total"),
		      "successes and failures are not all calls");
		CHECK(calls == value_of(text, "circuit_breaker_call_duration_seconds_count"), "the histogram differs");
		free(text);
	}
	sidecar_body_put(body);
}

static void describe(void *context, const struct sidecar_segment *segment)
{
	unsigned *seen = context;

	if (strcmp(segment->name, stress_segment) == 0)
		CHECK(segment->attached, "%s: %s", segment->name, segment->message);
	*seen += 1;
}

static void *ask(void *argument)
{
	const struct asker *asker = argument;
	uint64_t before = 0;

	for (unsigned round = 0; round < asker->rounds; round++) {
		unsigned seen = 0;

		ask_once(asker, round, &before);
		if (round % 16 == 0) {
			CHECK(sidecar_bodies_describe(asker->bodies, 1000000000, describe, &seen) == 0, "describe");
			CHECK(seen >= 2, "%u segments", seen);
			CHECK(!sidecar_bodies_ready(asker->bodies), "ready without a segment that was asked for");
		}
	}
	return NULL;
}

static void run(uint64_t share_ns)
{
	const struct sidecar_bodies_options options = {.segments = patterns, .segment_count = 2, .share_ns = share_ns};
	struct asker asker = {.shared = share_ns > 0, .rounds = stress_scale(ROUNDS)};
	pthread_t threads[ASKERS];

	CHECK(sidecar_bodies_start(&options, &asker.bodies) == 0, "bodies");
	for (unsigned i = 0; i < ASKERS; i++)
		CHECK(pthread_create(&threads[i], NULL, ask, &asker) == 0, "thread");
	for (unsigned i = 0; i < ASKERS; i++)
		pthread_join(threads[i], NULL);
	sidecar_bodies_stop(asker.bodies);
}

int main(void)
{
	pid_t children[2];

	stress_begin("bodies");
	snprintf(names[0], sizeof(names[0]), "%s*", stress_segment);
	snprintf(names[1], sizeof(names[1]), "%s.missing", stress_segment);
	progress = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(progress != MAP_FAILED, "mmap");
	for (int i = 0; i < 2; i++) {
		children[i] = fork();
		CHECK(children[i] >= 0, "fork");
		if (children[i] == 0) {
			if (i == 0)
				record_for_ever();
			else
				come_and_go();
			_exit(0);
		}
	}
	while (promcb_load_acquire(&progress->done) == 0)
		CHECK(waitpid(children[0], NULL, WNOHANG) == 0, "the producer ended by itself");
	sidecar_log_set_level(SIDECAR_LOG_ERROR);
	run(0);
	run(50000000);
	promcb_store_relaxed(&progress->stop, 1);
	for (int i = 0; i < 2; i++)
		CHECK(stress_wait(children[i]) == 0, "child %d", i);
	printf("%llu calls, and every body in accord with them\n", (unsigned long long)progress->done);
	stress_remove();
	return 0;
}
