/* SPDX-License-Identifier: MIT */
#include "options.h"

#include "api.h"
#include "assets.h"
#include "common.h"
#include "segment_names.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum {
	KEY_SEGMENT = 's',
	KEY_MATCH = 'm',
	KEY_LISTEN = 256,
	KEY_PATH,
	KEY_CONFIG,
	KEY_SYSTEMD,
	KEY_MAX_REQUESTS,
	KEY_MAX_CONNECTIONS,
	KEY_NO_EXPORTER,
	KEY_SHARE,
	KEY_HISTORY,
	KEY_HISTORY_DIRECTORY,
	KEY_LEVEL,
	KEY_USER,
};

static const struct argp_option options[] = {
	{"segment", KEY_SEGMENT, "SEGMENT", 0,
	 "Segment to serve: a shared-memory name such as \"/promcb\", a path, or a glob "
	 "pattern of either. May be repeated. Default: the value of PROMCB_SEGMENT, or "
	 "\"/promcb\"",
	 0},
	{"match", KEY_MATCH, "TEXT", 0, PROMCB_TOOL_MATCH_HELP, 0},
	{"web.listen-address", KEY_LISTEN, "HOST:PORT", 0,
	 "Where to listen: HOST:PORT, :PORT (every address) or unix:PATH; may be repeated. Default: port 10042 on "
	 "127.0.0.1 and ::1",
	 0},
	{"web.telemetry-path", KEY_PATH, "PATH", 0, "Where metrics are served; default /metrics", 0},
	{"web.config.file", KEY_CONFIG, "FILE", 0,
	 "TLS, client certificates, basic authentication and headers, in the exporter toolkit's format; read again "
	 "when it changes",
	 0},
	{"web.systemd-socket", KEY_SYSTEMD, NULL, 0,
	 "Fail unless systemd passes listening sockets; without a --web.listen-address "
	 "they are used anyway",
	 0},
	{"web.max-requests", KEY_MAX_REQUESTS, "N", 0,
	 "Maximum number of concurrent scrapes; default 40, 0 for no limit", 0},
	{"web.max-connections", KEY_MAX_CONNECTIONS, "N", 0,
	 "Maximum number of open connections; one more closes the least recently used. "
	 "Default 512",
	 0},
	{"web.disable-exporter-metrics", KEY_NO_EXPORTER, NULL, 0,
	 "Leave out the metrics about this process (process_*, promcb_http_*)", 0},
	{"web.share-ms", KEY_SHARE, "MS", 0,
	 "Scrapes within MS milliseconds share a snapshot; default 100, 0 to take one "
	 "for each",
	 0},
	{"history", KEY_HISTORY, "SIZE", 0,
	 "Memory for what came when, which /api/v1/live and /api/v1/history tell: bytes, or with K, M or G; "
	 "default 32M, 0 to keep none",
	 0},
	{"history.directory", KEY_HISTORY_DIRECTORY, "DIR", 0,
	 "Where history is kept for the next process, a file for each segment; default: the RUNTIME_DIRECTORY of "
	 "systemd, or nowhere; empty: nowhere",
	 0},
	{"user", KEY_USER, "USER[:GROUP]", 0, "Switch to this user once the sockets are open", 0},
	{"log.level", KEY_LEVEL, "LEVEL", 0, "debug, info (the default), warn or error", 0},
	{0},
};

static const char documentation[] = "Serves promcb segments over HTTP to Prometheus: text, OpenMetrics and protobuf."
				    "\vThe exit status is 0 after SIGINT or SIGTERM, 1 after an error, 2 if an option "
				    "is wrong.";

static unsigned parse_number(struct argp_state *state, const char *option, const char *text, unsigned most)
{
	char *end;
	unsigned long value;

	errno = 0;
	value = strtoul(text, &end, 10);
	if (*text < '0' || *text > '9' || *end || errno || value > most)
		argp_error(state, "invalid --%s \"%s\": expected a number from 0 to %u", option, text, most);
	return (unsigned)value;
}

static void add(struct argp_state *state, const char *option, const char *text, const char **list, size_t *count)
{
	if (!*text)
		argp_error(state, "--%s is empty", option);
	if (*count == SIDECAR_LISTS_MAX)
		argp_error(state, "--%s given more than %d times", option, SIDECAR_LISTS_MAX);
	list[(*count)++] = text;
}

/* Bytes, or KiB, MiB, GiB. */
static size_t parse_size(struct argp_state *state, const char *option, const char *text)
{
	static const char units[] = "KMG";
	char *end;
	unsigned long long value;
	const char *unit;

	errno = 0;
	value = strtoull(text, &end, 10);
	unit = *end ? strchr(units, *end) : NULL;
	for (const char *each = units; unit && each <= unit; each++)
		value = value > SIZE_MAX / 1024 ? SIZE_MAX : value * 1024;
	if (*text < '0' || *text > '9' || errno || (*end && (!unit || end[1])) || value > SIZE_MAX / 4)
		argp_error(state, "invalid --%s \"%s\": expected a number of bytes, such as 32M", option, text);
	return (size_t)value;
}

static void parse_history(struct argp_state *state, const char *text, struct sidecar_options *out)
{
	out->history_bytes = parse_size(state, "history", text);
	if (out->history_bytes && out->history_bytes < SIDECAR_HISTORY_LEAST)
		argp_error(state, "--history=%s is too little: expected 0, or at least 64K", text);
}

bool sidecar_options_is_taken(const char *path)
{
	static const char *const taken[] = {"/",          "/api/v1/metrics", "/health/metrics", "/prometheus/query",
					    "/-/healthy", "/-/ready"};

	for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++)
		if (strcmp(path, taken[i]) == 0)
			return true;
	return sidecar_api_is(path) || sidecar_asset_find(path);
}

static void parse_path(struct argp_state *state, const char *text, struct sidecar_options *out)
{
	if (*text != '/' || strpbrk(text, " ?#"))
		argp_error(state, "invalid --web.telemetry-path \"%s\": expected a path that begins with /", text);
	if (sidecar_options_is_taken(text))
		argp_error(state, "--web.telemetry-path=%s: something else is served there", text);
	out->telemetry_path = text;
}

/* What no option can say of itself alone. */
static void check_together(struct argp_state *state, const struct sidecar_options *out)
{
	if (out->systemd_socket && out->listen_count)
		argp_error(state, "--web.systemd-socket and --web.listen-address cannot be combined");
	/* A glob pattern's finds are looked at one by one. */
	for (size_t i = 0; i < out->segment_count && out->segment_count > 1; i++) {
		if (!promcb_segment_is_label(out->segments[i]))
			argp_error(state, "--segment=%s cannot be a label value: expected 1 to 255 bytes of UTF-8",
				   out->segments[i]);
	}
}

static error_t parse(int key, char *text, struct argp_state *state)
{
	struct sidecar_options *out = state->input;

	switch (key) {
	case KEY_SEGMENT:
		add(state, "segment", text, out->segments, &out->segment_count);
		return 0;
	case KEY_MATCH:
		out->matching = text;
		return 0;
	case KEY_LISTEN:
		add(state, "web.listen-address", text, out->listen, &out->listen_count);
		return 0;
	case KEY_PATH:
		parse_path(state, text, out);
		return 0;
	case KEY_CONFIG:
		/* Empty is none, as with the other exporters. */
		out->config_file = *text ? text : NULL;
		return 0;
	case KEY_SYSTEMD:
		out->systemd_socket = true;
		return 0;
	case KEY_MAX_REQUESTS:
		out->max_requests = parse_number(state, "web.max-requests", text, 1000000);
		return 0;
	case KEY_MAX_CONNECTIONS:
		out->max_connections = parse_number(state, "web.max-connections", text, 65536);
		if (out->max_connections == 0)
			argp_error(state, "--web.max-connections=0: nobody could connect");
		return 0;
	case KEY_NO_EXPORTER:
		out->without_exporter_metrics = true;
		return 0;
	case KEY_SHARE:
		out->share_ns = parse_number(state, "web.share-ms", text, 60000) * (uint64_t)1000000;
		return 0;
	case KEY_HISTORY:
		parse_history(state, text, out);
		return 0;
	case KEY_HISTORY_DIRECTORY:
		out->history_directory = *text ? text : NULL;
		return 0;
	case KEY_LEVEL:
		if (sidecar_log_parse_level(text, &out->log_level) < 0)
			argp_error(state, "unknown --log.level \"%s\": expected debug, info, warn or error", text);
		return 0;
	case KEY_USER:
		out->user = text;
		return 0;
	case ARGP_KEY_END:
		check_together(state, out);
		return 0;
	default:
		return promcb_tool_parse_rest(key, text, state, &out->rendering);
	}
}

/* The first of those that systemd made for the service. */
static const char *runtime_directory(void)
{
	static char directory[PATH_MAX];
	const char *list = getenv("RUNTIME_DIRECTORY");
	size_t length = list ? strcspn(list, ":") : 0;

	if (length == 0 || length >= sizeof(directory) || *list != '/')
		return NULL;
	memcpy(directory, list, length);
	return directory;
}

void sidecar_options_parse(int argc, char **argv, struct sidecar_options *out)
{
	static const struct argp argp = {
		.options = options, .parser = parse, .doc = documentation, .children = promcb_tool_rendering_child};

	*out = (struct sidecar_options){
		.telemetry_path = "/metrics",
		.max_requests = 40,
		.max_connections = 512,
		.share_ns = 100000000,
		.history_bytes = SIDECAR_HISTORY_DEFAULT,
		.log_level = SIDECAR_LOG_INFO,
		.history_directory = runtime_directory(),
	};
	argp_parse(&argp, argc, argv, 0, NULL, out);
	if (!out->segment_count)
		out->segments[out->segment_count++] = promcb_tool_segment_name(NULL);
}
