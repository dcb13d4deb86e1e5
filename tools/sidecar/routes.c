/* SPDX-License-Identifier: MIT */
/*
 * routes.c: see routes.h.
 *
 * An answer is whole or it is no 200: every body is made before its status is said, and sent with its length.
 */
#include "routes.h"

#include "assets.h"
#include "landing.h"
#include "negotiate.h"
#include "process_metrics.h"

#include <promcb/atomic.h>

#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How long an answer may take to be made, if the scraper does not say. */
#define BUDGET_NS ((uint64_t)10000000000)

static const char plain_text[] = "text/plain; charset=utf-8";

/* What is counted by status; others count as 400 or 500. */
static const unsigned statuses[] = {200, 304, 400, 401, 403, 404, 405, 429, 500, 501, 503};

enum { STATUSES = sizeof(statuses) / sizeof(statuses[0]) };

/* Answers that are made at the same time: more would each take longer, and all of them more memory. */
enum { MAKERS = 4 };

/* Recordings that are not all sent: each is one client's own, and as large as the history. */
enum { RECORDINGS_MAX = 2 };

struct sidecar_routes {
	const struct sidecar_options *options;
	struct sidecar_web_config *web_config;
	struct sidecar_bodies *bodies;
	struct sidecar_api *api;
	uint64_t requests[STATUSES];
	uint64_t scrapes;       /* being answered */
	uint64_t recordings;    /* likewise */
	sem_t makers;           /* that may begin */
};

struct sidecar_routes *sidecar_routes_new(const struct sidecar_options *options, struct sidecar_web_config *web_config)
{
	struct sidecar_routes *routes = calloc(1, sizeof(*routes));

	if (routes) {
		routes->options = options;
		routes->web_config = web_config;
		sem_init(&routes->makers, 0, MAKERS);
	}
	return routes;
}

void sidecar_routes_free(struct sidecar_routes *routes)
{
	if (routes)
		sem_destroy(&routes->makers);
	free(routes);
}

void sidecar_routes_set_bodies(struct sidecar_routes *routes, struct sidecar_bodies *bodies, struct sidecar_api *api)
{
	routes->bodies = bodies;
	routes->api = api;
}

/* -- Metrics about this process ------------------------------------------------------------------------------------ */

size_t sidecar_routes_families(void *context, struct promcb_family *families, size_t capacity)
{
	struct sidecar_routes *routes = context;
	static _Thread_local struct sidecar_process_metrics process;
	static _Thread_local struct promcb_series requests[STATUSES], scrapes;
	static const struct promcb_label codes[STATUSES] = {
		{"code", "200"}, {"code", "304"}, {"code", "400"}, {"code", "401"}, {"code", "403"}, {"code", "404"},
		{"code", "405"}, {"code", "429"}, {"code", "500"}, {"code", "501"}, {"code", "503"},
	};
	size_t count;

	if (routes->options->without_exporter_metrics || capacity < SIDECAR_PROCESS_FAMILIES + 2)
		return 0;
	count = sidecar_process_metrics(&process, families);
	for (unsigned i = 0; i < STATUSES; i++)
		requests[i] = (struct promcb_series){
			.labels = &codes[i],
			.label_count = 1,
			.number = (double)promcb_load_relaxed(&routes->requests[i]),
		};
	families[count++] = (struct promcb_family){"promcb_http_requests_total",
						   "HTTP requests answered.",
						   NULL,
						   PROMCB_FAMILY_COUNTER,
						   requests,
						   STATUSES,
						   {0}};
	scrapes = (struct promcb_series){.number = (double)promcb_load_relaxed(&routes->scrapes)};
	families[count++] = (struct promcb_family){"promcb_http_requests_in_flight",
						   "Scrapes being answered.",
						   NULL,
						   PROMCB_FAMILY_GAUGE,
						   &scrapes,
						   1,
						   {0}};
	return count;
}

/* -- Answers ------------------------------------------------------------------------------------------------------- */

static void count_status(struct sidecar_routes *routes, unsigned status)
{
	unsigned i = 0, other = status < 500 ? 400 : 500;

	while (i < STATUSES && statuses[i] != status)
		i++;
	for (i = i == STATUSES ? 0 : i; statuses[i] != status && statuses[i] != other; i++)
		continue;
	promcb_add_relaxed(&routes->requests[i], 1);
}

/* The end of an answer that was begun with its status. content_type: NULL: it has no body. */
static void finish(struct sidecar_routes *routes, const struct sidecar_request *request, struct sidecar_answer *answer,
		   const char *content_type)
{
	char code[16];

	if (content_type)
		sidecar_answer_header(answer, "Content-Type", content_type);
	sidecar_web_config_decorate(routes->web_config, answer);
	count_status(routes, answer->status);
	snprintf(code, sizeof(code), "%u", answer->status);
	sidecar_log(SIDECAR_LOG_DEBUG, "request", "method", sidecar_head_method(request->head), "path",
		    sidecar_head_path(request->head), "code", code, NULL);
}

/* A sentence for a person. extra: a header and its value; NULL: none. */
static void say(struct sidecar_routes *routes, const struct sidecar_request *request, struct sidecar_answer *answer,
		unsigned status, const char *text, const char *extra, const char *extra_value)
{
	sidecar_answer_begin(answer, status);
	if (extra)
		sidecar_answer_header(answer, extra, extra_value);
	sidecar_answer_text(answer, text);
	finish(routes, request, answer, plain_text);
}

static void put_body(void *context)
{
	sidecar_body_put(context);
}

static void send_body(struct sidecar_routes *routes, const struct sidecar_request *request,
		      struct sidecar_answer *answer, unsigned status, struct sidecar_body *body)
{
	sidecar_answer_begin(answer, status);
	if (body->gzipped)
		sidecar_answer_header(answer, "Content-Encoding", "gzip");
	if (request->is_scrape)
		sidecar_answer_header(answer, "Vary", "Accept, Accept-Encoding");
	sidecar_answer_header(answer, "Cache-Control", "no-store");
	finish(routes, request, answer, body->content_type);
	sidecar_answer_body(answer, body->bytes, body->length, put_body, body);
}

static void fail(struct sidecar_routes *routes, const struct sidecar_request *request, struct sidecar_answer *answer,
		 int error)
{
	char text[256];

	snprintf(text, sizeof(text), "No answer could be made in time: %s.\n", promcb_strerror(error));
	sidecar_log(SIDECAR_LOG_WARN, "no answer could be made", "path", sidecar_head_path(request->head), "error",
		    promcb_strerror(error), NULL);
	say(routes, request, answer, 503, text, NULL, NULL);
}

/* Room for the longest header's value that is looked at. */
enum { VALUE_BYTES = 2048 };

static uint64_t budget_ns(const struct sidecar_request *request)
{
	char room[64];

	return sidecar_negotiate_budget_ns(
		sidecar_head_value(request->head, "X-Prometheus-Scrape-Timeout-Seconds", room, sizeof(room)),
		BUDGET_NS);
}

static enum sidecar_gzip gzip_of(const struct sidecar_request *request)
{
	char room[VALUE_BYTES];

	if (!sidecar_negotiate_gzip(sidecar_head_value(request->head, "Accept-Encoding", room, sizeof(room))))
		return SIDECAR_GZIP_NEVER;
	return request->is_near ? SIDECAR_GZIP_SMALL : SIDECAR_GZIP_ALWAYS;
}

/* -- Routes -------------------------------------------------------------------------------------------------------- */

static void answer_metrics(struct sidecar_routes *routes, struct sidecar_request *request,
			   struct sidecar_answer *answer)
{
	unsigned limit = routes->options->max_requests;
	enum sidecar_gzip gzip = gzip_of(request);
	char room[VALUE_BYTES];
	struct sidecar_body *body;
	enum promcb_format format;
	int result;

	/* Counted before the limit is looked at, so that no two scrapes are the last that fits. */
	request->is_scrape = true;
	if (promcb_add_relaxed(&routes->scrapes, 1) >= limit && limit) {
		char text[128];

		snprintf(text, sizeof(text), "Limit of concurrent requests reached (%u), try again later.\n", limit);
		say(routes, request, answer, 503, text, NULL, NULL);
		return;
	}
	format = sidecar_negotiate_format(sidecar_head_value(request->head, "Accept", room, sizeof(room)));
	result = sidecar_body_metrics(routes->bodies, format, gzip, budget_ns(request), &body);
	if (result < 0)
		fail(routes, request, answer, result);
	else
		send_body(routes, request, answer, 200, body);
}

/* The status says whether all segments could be read, where health is asked for; the document has the verdict. */
static void answer_json(struct sidecar_routes *routes, const struct sidecar_request *request,
			struct sidecar_answer *answer, enum promcb_format format)
{
	char room[VALUE_BYTES];
	const char *matching =
		format != PROMCB_FORMAT_HEALTH ? sidecar_head_argument(request->head, "q", room, sizeof(room)) : NULL;
	struct sidecar_body *body;
	int result = sidecar_body_json(routes->bodies, format, matching, budget_ns(request), &body);

	if (result < 0)
		fail(routes, request, answer, result);
	else
		send_body(routes, request, answer, format == PROMCB_FORMAT_HEALTH && body->is_partial ? 503 : 200,
			  body);
}

static void answer_api(struct sidecar_routes *routes, struct sidecar_request *request, struct sidecar_answer *answer)
{
	char room[VALUE_BYTES], tag[128], text[256];
	const struct sidecar_api_request asked = {
		.head = request->head,
		.gzip = gzip_of(request),
		.if_none_match = sidecar_head_value(request->head, "If-None-Match", room, sizeof(room)),
	};
	struct sidecar_api_answer got;

	request->is_recording = strcmp(sidecar_head_path(request->head), "/api/v1/recording") == 0;
	if (request->is_recording && promcb_add_relaxed(&routes->recordings, 1) >= RECORDINGS_MAX) {
		say(routes, request, answer, 503, "Others are being sent a recording, try again later.\n",
		    "Retry-After", "5");
		return;
	}
	sidecar_api_answer(routes->api, &asked, &got);
	if (got.sentence) {
		snprintf(text, sizeof(text), "%s\n", got.sentence);
		say(routes, request, answer, got.status, text, NULL, NULL);
		return;
	}
	sidecar_answer_begin(answer, got.status);
	/* A browser asks each time whether there is something new. */
	sidecar_answer_header(answer, "Cache-Control", got.id[0] ? "no-cache" : "no-store");
	sidecar_answer_header(answer, "Vary", "Accept-Encoding");
	sidecar_answer_header(answer, "X-Content-Type-Options", "nosniff");
	if (got.id[0]) {
		snprintf(tag, sizeof(tag), "W/\"%s\"", got.id);
		sidecar_answer_header(answer, "ETag", tag);
	}
	if (got.file[0]) {
		snprintf(tag, sizeof(tag), "attachment; filename=\"%s\"", got.file);
		sidecar_answer_header(answer, "Content-Disposition", tag);
	}
	if (got.body && got.body->gzipped)
		sidecar_answer_header(answer, "Content-Encoding", "gzip");
	finish(routes, request, answer, got.body ? got.body->content_type : NULL);
	if (got.body)
		sidecar_answer_body(answer, got.body->bytes, got.body->length, put_body, got.body);
}

/* A number of seconds up to an hour; anything else is no wish to refresh. */
static unsigned refresh_of(const char *text)
{
	char *end;
	unsigned long seconds = strtoul(text, &end, 10);

	return *text >= '0' && *text <= '9' && !*end && seconds <= 3600 ? (unsigned)seconds : 0;
}

static void answer_landing(struct sidecar_routes *routes, const struct sidecar_request *request,
			   struct sidecar_answer *answer)
{
	char room[16];
	const char *refresh = sidecar_head_argument(request->head, "refresh", room, sizeof(room));
	const struct sidecar_landing landing = {
		.telemetry_path = routes->options->telemetry_path,
		.is_live = routes->options->history_bytes > 0 && !refresh,
		.budget_ns = budget_ns(request),
		.refresh_seconds = refresh ? refresh_of(refresh) : 0,
	};
	char *page;
	size_t length;
	int result = sidecar_landing_page(routes->bodies, &landing, &page, &length);

	if (result < 0) {
		fail(routes, request, answer, result);
		return;
	}
	sidecar_answer_begin(answer, 200);
	sidecar_answer_header(answer, "Cache-Control", "no-store");
	sidecar_answer_header(answer, "Content-Security-Policy",
			      "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
			      "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'");
	sidecar_answer_header(answer, "Referrer-Policy", "no-referrer");
	sidecar_answer_header(answer, "X-Content-Type-Options", "nosniff");
	sidecar_answer_body(answer, page, length, free, page);
	finish(routes, request, answer, "text/html; charset=utf-8");
}

/* The page's files: another name when they change, so that they are fetched once. */
static void answer_asset(struct sidecar_routes *routes, const struct sidecar_request *request,
			 struct sidecar_answer *answer, const struct sidecar_asset *asset)
{
	bool gzipped = gzip_of(request) != SIDECAR_GZIP_NEVER;

	sidecar_answer_begin(answer, 200);
	sidecar_answer_header(answer, "Cache-Control", "public, max-age=31536000, immutable");
	sidecar_answer_header(answer, "Vary", "Accept-Encoding");
	sidecar_answer_header(answer, "X-Content-Type-Options", "nosniff");
	if (gzipped)
		sidecar_answer_header(answer, "Content-Encoding", "gzip");
	finish(routes, request, answer, asset->type);
	sidecar_answer_body(answer, gzipped ? asset->gzipped : asset->plain,
			    gzipped ? asset->gzipped_length : asset->plain_length, NULL, NULL);
}

static void answer_ready(struct sidecar_routes *routes, const struct sidecar_request *request,
			 struct sidecar_answer *answer)
{
	if (sidecar_bodies_ready(routes->bodies))
		say(routes, request, answer, 200, "promcb-sidecar is ready.\n", NULL, NULL);
	else
		say(routes, request, answer, 503,
		    "promcb-sidecar is not ready: a segment is missing or cannot be read; / says which.\n", NULL, NULL);
}

/* What is made of a snapshot. */
static void answer_snapshot(struct sidecar_routes *routes, struct sidecar_request *request,
			    struct sidecar_answer *answer, const char *path)
{
	while (sem_wait(&routes->makers) < 0)
		continue;
	if (strcmp(path, routes->options->telemetry_path) == 0)
		answer_metrics(routes, request, answer);
	else if (strcmp(path, "/health/metrics") == 0)
		answer_json(routes, request, answer, PROMCB_FORMAT_HEALTH);
	else if (strcmp(path, "/prometheus/query") == 0)
		answer_json(routes, request, answer, PROMCB_FORMAT_JSON);
	else if (strcmp(path, "/api/v1/metrics") == 0)
		answer_json(routes, request, answer, PROMCB_FORMAT_METRICS);
	else if (sidecar_api_is(path))
		answer_api(routes, request, answer);
	else
		answer_landing(routes, request, answer);
	sem_post(&routes->makers);
}

static void answer_path(struct sidecar_routes *routes, struct sidecar_request *request, struct sidecar_answer *answer)
{
	const char *path = sidecar_head_path(request->head);

	const struct sidecar_asset *asset = sidecar_asset_find(path);

	if (asset)
		answer_asset(routes, request, answer, asset);
	else if (strcmp(path, "/-/ready") == 0)
		answer_ready(routes, request, answer);
	else if (strcmp(path, "/-/healthy") == 0)
		say(routes, request, answer, 200, "promcb-sidecar is healthy.\n", NULL, NULL);
	else
		answer_snapshot(routes, request, answer, path);
}

static bool is_known(const struct sidecar_routes *routes, const char *path)
{
	return sidecar_options_is_taken(path) || strcmp(path, routes->options->telemetry_path) == 0;
}

static void answer_unknown(struct sidecar_routes *routes, const struct sidecar_request *request,
			   struct sidecar_answer *answer)
{
	char text[1024];

	/* What was asked for is not repeated: it is anybody's text. */
	snprintf(text, sizeof(text),
		 "Not found. Try: %s, /api/v1/metrics, /api/v1/live, /api/v1/history?component=NAME, /health/metrics, "
		 "/prometheus/query?q=TEXT, /-/healthy, /-/ready, and / for a person.\n",
		 routes->options->telemetry_path);
	say(routes, request, answer, 404, text, NULL, NULL);
}

/* Nobody learns without a password what there is. Returns false: the answer is no. */
static bool is_welcome(struct sidecar_routes *routes, const struct sidecar_request *request,
		       struct sidecar_answer *answer)
{
	char room[VALUE_BYTES];
	const char *authorization = sidecar_head_value(request->head, "Authorization", room, sizeof(room));
	enum sidecar_access access = sidecar_web_config_authorize(routes->web_config, request->session, authorization);

	explicit_bzero(room, sizeof(room));
	switch (access) {
	case SIDECAR_ACCESS_GRANTED:
		return true;
	case SIDECAR_ACCESS_UNAUTHORIZED:
		say(routes, request, answer, 401, "Unauthorized\n", "WWW-Authenticate",
		    "Basic realm=\"promcb\", charset=\"UTF-8\"");
		break;
	case SIDECAR_ACCESS_FORBIDDEN:
		say(routes, request, answer, 403,
		    "The client certificate is missing, or not one that is trusted here.\n", NULL, NULL);
		break;
	case SIDECAR_ACCESS_LIMITED:
		say(routes, request, answer, 429, "Too Many Requests\n", NULL, NULL);
		break;
	case SIDECAR_ACCESS_BUSY:
		say(routes, request, answer, 503, "Too many passwords are being checked.\n", "Retry-After", "1");
		break;
	}
	return false;
}

void sidecar_routes_answer(void *context, struct sidecar_request *request, struct sidecar_answer *answer)
{
	struct sidecar_routes *routes = context;
	const struct sidecar_head *head = request->head;
	bool is_tunnel = *sidecar_head_path(head) == '\0';

	if (request->refusal) {
		char text[256];

		snprintf(text, sizeof(text), "%s\n", request->reason);
		say(routes, request, answer, request->refusal, text, NULL, NULL);
		return;
	}
	if (!is_welcome(routes, request, answer))
		return;
	if (head->is_for_server)
		say(routes, request, answer, 200, "", "Allow", "GET, HEAD");
	else if (!is_tunnel && !is_known(routes, sidecar_head_path(head)))
		answer_unknown(routes, request, answer);
	else if (head->method > SIDECAR_METHOD_HEAD)
		say(routes, request, answer, 405, "GET and HEAD are answered here.\n", "Allow", "GET, HEAD");
	else
		answer_path(routes, request, answer);
}

void sidecar_routes_answered(void *context, const struct sidecar_request *request)
{
	struct sidecar_routes *routes = context;

	if (request->is_scrape)
		promcb_add_relaxed(&routes->scrapes, (uint64_t)-1);
	if (request->is_recording)
		promcb_add_relaxed(&routes->recordings, (uint64_t)-1);
}
