/* SPDX-License-Identifier: MIT */
/*
 * routes.c: see routes.h.
 *
 * May include: routes.h, landing.h, negotiate.h, process_metrics.h, atomic.h.
 *
 * An answer is whole or it is no 200: every body is made before its status is said, and sent with its length.
 */
#include "routes.h"

#include "landing.h"
#include "negotiate.h"
#include "process_metrics.h"

#include <promcb/atomic.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* How long an answer may take to be made, if the scraper does not say. */
#define BUDGET_NS ((uint64_t)10000000000)

static const char plain_text[] = "text/plain; charset=utf-8";

/* What is counted by status; others count as 400 or 500. */
static const unsigned statuses[] = {200, 400, 401, 403, 404, 405, 429, 500, 501, 503};

enum { STATUSES = sizeof(statuses) / sizeof(statuses[0]) };

struct sidecar_routes {
	const struct sidecar_options *options;
	struct sidecar_web_config *web_config;
	struct sidecar_bodies *bodies;
	uint64_t requests[STATUSES];
	uint64_t scrapes;       /* being answered */
};

struct sidecar_routes *sidecar_routes_new(const struct sidecar_options *options, struct sidecar_web_config *web_config)
{
	struct sidecar_routes *routes = calloc(1, sizeof(*routes));

	if (routes) {
		routes->options = options;
		routes->web_config = web_config;
	}
	return routes;
}

void sidecar_routes_free(struct sidecar_routes *routes)
{
	free(routes);
}

void sidecar_routes_set_bodies(struct sidecar_routes *routes, struct sidecar_bodies *bodies)
{
	routes->bodies = bodies;
}

/* -- Metrics about this process ------------------------------------------------------------------------------------ */

size_t sidecar_routes_families(void *context, struct promcb_family *families, size_t room)
{
	struct sidecar_routes *routes = context;
	static _Thread_local struct sidecar_process_metrics process;
	static _Thread_local struct promcb_family_sample requests[STATUSES], scrapes;
	static const char *const codes[STATUSES] = {"200", "400", "401", "403", "404",
						    "405", "429", "500", "501", "503"};
	size_t count;

	if (routes->options->without_exporter_metrics || room < SIDECAR_PROCESS_FAMILIES + 2)
		return 0;
	count = sidecar_process_metrics(&process, families);
	for (unsigned i = 0; i < STATUSES; i++)
		requests[i] = (struct promcb_family_sample){"code", codes[i],
							    (double)promcb_load_relaxed(&routes->requests[i])};
	families[count++] = (struct promcb_family){"promcb_http_requests_total",
						   "HTTP requests answered.",
						   NULL,
						   PROMCB_FAMILY_COUNTER,
						   requests,
						   STATUSES};
	scrapes = (struct promcb_family_sample){.number = (double)promcb_load_relaxed(&routes->scrapes)};
	families[count++] = (struct promcb_family){
		"promcb_http_requests_in_flight", "Scrapes being answered.", NULL, PROMCB_FAMILY_GAUGE, &scrapes, 1};
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

/* Sends a response, and drops it. */
static enum MHD_Result send_response(struct sidecar_routes *routes, struct MHD_Connection *connection, unsigned status,
				     const char *content_type, struct MHD_Response *response,
				     const struct sidecar_request *request)
{
	enum MHD_Result result;
	char code[16];

	if (!response)
		return MHD_NO;
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, content_type);
	sidecar_web_config_decorate(routes->web_config, response);
	result = MHD_queue_response(connection, status, response);
	MHD_destroy_response(response);
	count_status(routes, status);
	snprintf(code, sizeof(code), "%u", status);
	sidecar_log(SIDECAR_LOG_DEBUG, "request", "method", request->method, "path", request->url, "code", code, NULL);
	return result;
}

/* A sentence for a person. extra: a header and its value; NULL: none. */
static enum MHD_Result send_text(struct sidecar_routes *routes, struct MHD_Connection *connection, unsigned status,
				 const char *text, const char *extra, const char *extra_value,
				 const struct sidecar_request *request)
{
	/* The buffer is not changed, whatever the type says. */
	struct MHD_Response *response =
		MHD_create_response_from_buffer(strlen(text), (void *)(uintptr_t)text, MHD_RESPMEM_MUST_COPY);

	if (response && extra)
		MHD_add_response_header(response, extra, extra_value);
	return send_response(routes, connection, status, plain_text, response, request);
}

static void put_body(void *context)
{
	sidecar_body_put(context);
}

static enum MHD_Result send_body(struct sidecar_routes *routes, struct MHD_Connection *connection, unsigned status,
				 struct sidecar_body *body, const struct sidecar_request *request)
{
	struct MHD_Response *response = MHD_create_response_from_buffer_with_free_callback_cls(
		body->length, (void *)(uintptr_t)body->bytes, put_body, body);

	if (!response) {
		sidecar_body_put(body);
		return MHD_NO;
	}
	if (body->gzipped)
		MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_ENCODING, "gzip");
	if (request->is_scrape)
		MHD_add_response_header(response, MHD_HTTP_HEADER_VARY, "Accept, Accept-Encoding");
	MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
	return send_response(routes, connection, status, body->content_type, response, request);
}

static enum MHD_Result send_failure(struct sidecar_routes *routes, struct MHD_Connection *connection, int error,
				    const struct sidecar_request *request)
{
	char text[256];

	snprintf(text, sizeof(text), "No answer could be made in time: %s.\n", promcb_strerror(error));
	sidecar_log(SIDECAR_LOG_WARN, "no answer could be made", "path", request->url, "error", promcb_strerror(error),
		    NULL);
	return send_text(routes, connection, MHD_HTTP_SERVICE_UNAVAILABLE, text, NULL, NULL, request);
}

/* A header that may come more than once, joined by commas. */
struct joined {
	const char *name;
	char text[2048];
	size_t used;
};

static enum MHD_Result join(void *context, enum MHD_ValueKind kind, const char *key, const char *value)
{
	struct joined *joined = context;
	size_t length = value ? strlen(value) : 0;

	(void)kind;
	if (strcasecmp(key, joined->name) != 0 || joined->used + length + 2 > sizeof(joined->text))
		return MHD_YES;
	if (joined->used)
		joined->text[joined->used++] = ',';
	if (length)
		memcpy(joined->text + joined->used, value, length);
	joined->used += length;
	joined->text[joined->used] = '\0';
	return MHD_YES;
}

static const char *header(struct MHD_Connection *connection, const char *name, struct joined *joined)
{
	joined->name = name;
	joined->used = 0;
	MHD_get_connection_values(connection, MHD_HEADER_KIND, join, joined);
	return joined->used ? joined->text : NULL;
}

static uint64_t budget_ns(struct MHD_Connection *connection)
{
	return sidecar_negotiate_budget_ns(
		MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "X-Prometheus-Scrape-Timeout-Seconds"),
		BUDGET_NS);
}

/* -- Routes -------------------------------------------------------------------------------------------------------- */

static enum MHD_Result answer_metrics(struct sidecar_routes *routes, struct MHD_Connection *connection,
				      struct sidecar_request *request)
{
	unsigned limit = routes->options->max_requests;
	struct sidecar_body *body;
	struct joined joined;
	enum promcb_format format;
	enum sidecar_gzip gzip = SIDECAR_GZIP_NEVER;
	int result;

	/* Counted before the limit is looked at, so that no two scrapes are the last that fits. */
	request->is_scrape = true;
	if (promcb_add_relaxed(&routes->scrapes, 1) >= limit && limit) {
		char text[128];

		snprintf(text, sizeof(text), "Limit of concurrent requests reached (%u), try again later.\n", limit);
		return send_text(routes, connection, MHD_HTTP_SERVICE_UNAVAILABLE, text, NULL, NULL, request);
	}
	format = sidecar_negotiate_format(header(connection, MHD_HTTP_HEADER_ACCEPT, &joined));
	if (sidecar_negotiate_gzip(header(connection, MHD_HTTP_HEADER_ACCEPT_ENCODING, &joined)))
		gzip = request->is_near ? SIDECAR_GZIP_SMALL : SIDECAR_GZIP_ALWAYS;
	result = sidecar_body_metrics(routes->bodies, format, gzip, budget_ns(connection), &body);
	return result < 0 ? send_failure(routes, connection, result, request)
			  : send_body(routes, connection, MHD_HTTP_OK, body, request);
}

/* The status says whether all segments could be read, where health is asked for; the document has the verdict. */
static enum MHD_Result answer_json(struct sidecar_routes *routes, struct MHD_Connection *connection,
				   enum promcb_format format, const struct sidecar_request *request)
{
	const char *matching = format == PROMCB_FORMAT_JSON
				       ? MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "q")
				       : NULL;
	struct sidecar_body *body;
	int result = sidecar_body_json(routes->bodies, format, matching, budget_ns(connection), &body);

	if (result < 0)
		return send_failure(routes, connection, result, request);
	return send_body(routes, connection,
			 format == PROMCB_FORMAT_HEALTH && body->is_partial ? MHD_HTTP_SERVICE_UNAVAILABLE
									    : MHD_HTTP_OK,
			 body, request);
}

/* A number of seconds up to an hour; anything else is no wish to refresh. */
static unsigned refresh_of(const char *text)
{
	char *end;
	unsigned long seconds = strtoul(text, &end, 10);

	return *text >= '0' && *text <= '9' && !*end && seconds <= 3600 ? (unsigned)seconds : 0;
}

static enum MHD_Result answer_landing(struct sidecar_routes *routes, struct MHD_Connection *connection,
				      const struct sidecar_request *request)
{
	const char *refresh = MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "refresh");
	const struct sidecar_landing landing = {
		.telemetry_path = routes->options->telemetry_path,
		.budget_ns = budget_ns(connection),
		.refresh_seconds = refresh ? refresh_of(refresh) : 0,
	};
	struct MHD_Response *response;
	char *page;
	size_t length;
	int result = sidecar_landing_page(routes->bodies, &landing, &page, &length);

	if (result < 0)
		return send_failure(routes, connection, result, request);
	response = MHD_create_response_from_buffer(length, page, MHD_RESPMEM_MUST_FREE);
	if (!response) {
		free(page);
		return MHD_NO;
	}
	MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
	MHD_add_response_header(response, "Content-Security-Policy",
				"default-src 'none'; style-src 'unsafe-inline'; form-action 'self'");
	MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
	return send_response(routes, connection, MHD_HTTP_OK, "text/html; charset=utf-8", response, request);
}

static enum MHD_Result answer_ready(struct sidecar_routes *routes, struct MHD_Connection *connection,
				    const struct sidecar_request *request)
{
	if (sidecar_bodies_ready(routes->bodies))
		return send_text(routes, connection, MHD_HTTP_OK, "promcb-sidecar is ready.\n", NULL, NULL, request);
	return send_text(routes, connection, MHD_HTTP_SERVICE_UNAVAILABLE,
			 "promcb-sidecar is not ready: a segment is missing or cannot be read; / says which.\n", NULL,
			 NULL, request);
}

static enum MHD_Result answer_path(struct sidecar_routes *routes, struct MHD_Connection *connection,
				   struct sidecar_request *request)
{
	const char *path = request->url;

	if (strcmp(path, routes->options->telemetry_path) == 0)
		return answer_metrics(routes, connection, request);
	if (strcmp(path, "/health/metrics") == 0)
		return answer_json(routes, connection, PROMCB_FORMAT_HEALTH, request);
	if (strcmp(path, "/prometheus/query") == 0)
		return answer_json(routes, connection, PROMCB_FORMAT_JSON, request);
	if (strcmp(path, "/-/ready") == 0)
		return answer_ready(routes, connection, request);
	if (strcmp(path, "/-/healthy") == 0)
		return send_text(routes, connection, MHD_HTTP_OK, "promcb-sidecar is healthy.\n", NULL, NULL, request);
	return answer_landing(routes, connection, request);
}

static bool is_known(const struct sidecar_routes *routes, const char *path)
{
	static const char *const known[] = {"/", "/health/metrics", "/prometheus/query", "/-/healthy", "/-/ready"};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (strcmp(path, known[i]) == 0)
			return true;
	}
	return strcmp(path, routes->options->telemetry_path) == 0;
}

static enum MHD_Result answer_unknown(struct sidecar_routes *routes, struct MHD_Connection *connection,
				      const struct sidecar_request *request)
{
	char text[1024];

	/* What was asked for is not repeated: it is anybody's text. */
	snprintf(text, sizeof(text),
		 "There is nothing at this path. There is: %s, /health/metrics, /prometheus/query?q=TEXT, /-/healthy, "
		 "/-/ready, and / for a person.\n",
		 routes->options->telemetry_path);
	return send_text(routes, connection, MHD_HTTP_NOT_FOUND, text, NULL, NULL, request);
}

/* The path of a target that names its server as well ("http://host/path"), as a proxy would be asked. */
static const char *path_of(const char *url)
{
	const char *host = strncasecmp(url, "http://", 7) == 0    ? url + 7
			   : strncasecmp(url, "https://", 8) == 0 ? url + 8
								  : NULL;

	if (!host)
		return url;
	return strchr(host, '/') ? strchr(host, '/') : "/";
}

enum MHD_Result sidecar_routes_answer(void *context, struct MHD_Connection *connection, struct sidecar_request *request)
{
	struct sidecar_routes *routes = context;

	request->url = path_of(request->url);
	/* Nobody learns without a password what there is. */
	switch (sidecar_web_config_authorize(routes->web_config, connection)) {
	case SIDECAR_ACCESS_GRANTED:
		break;
	case SIDECAR_ACCESS_UNAUTHORIZED:
		return send_text(routes, connection, MHD_HTTP_UNAUTHORIZED, "Unauthorized\n",
				 MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Basic realm=\"promcb\", charset=\"UTF-8\"",
				 request);
	case SIDECAR_ACCESS_FORBIDDEN:
		return send_text(routes, connection, MHD_HTTP_FORBIDDEN,
				 "The client certificate is missing, or not one that is trusted here.\n", NULL, NULL,
				 request);
	case SIDECAR_ACCESS_LIMITED:
		return send_text(routes, connection, MHD_HTTP_TOO_MANY_REQUESTS, "Too Many Requests\n", NULL, NULL,
				 request);
	case SIDECAR_ACCESS_BUSY:
		return send_text(routes, connection, MHD_HTTP_SERVICE_UNAVAILABLE,
				 "Too many passwords are being checked.\n", MHD_HTTP_HEADER_RETRY_AFTER, "1", request);
	}
	if (!is_known(routes, request->url))
		return answer_unknown(routes, connection, request);
	if (strcmp(request->method, MHD_HTTP_METHOD_GET) != 0 && strcmp(request->method, MHD_HTTP_METHOD_HEAD) != 0)
		return send_text(routes, connection, MHD_HTTP_METHOD_NOT_ALLOWED, "GET and HEAD are answered here.\n",
				 MHD_HTTP_HEADER_ALLOW, "GET, HEAD", request);
	return answer_path(routes, connection, request);
}

void sidecar_routes_answered(void *context, const struct sidecar_request *request)
{
	struct sidecar_routes *routes = context;

	if (request->is_scrape)
		promcb_add_relaxed(&routes->scrapes, (uint64_t)-1);
}
