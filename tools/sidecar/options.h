/* SPDX-License-Identifier: MIT */
/* options.h: the command line of promcb-sidecar, in the names of Prometheus' exporter toolkit. */
#ifndef PROMCB_SIDECAR_OPTIONS_H
#define PROMCB_SIDECAR_OPTIONS_H

#include "bodies.h"
#include "common.h"
#include "log.h"

enum { SIDECAR_LISTS_MAX = 64, SIDECAR_PORT = 10042 };

struct sidecar_options {
	const char *listen[SIDECAR_LISTS_MAX];  /* none: loopback, SIDECAR_PORT */
	size_t listen_count;
	const char *segments[SIDECAR_LISTS_MAX]; /* at least one */
	size_t segment_count;
	const char *matching;           /* of components to serve, as in promcb_snapshot_options; NULL: all */
	const char *telemetry_path;
	const char *config_file;        /* NULL: none */
	const char *user;               /* USER or USER:GROUP to become; NULL: stay */
	unsigned max_requests;
	unsigned max_connections;
	uint64_t share_ns;
	size_t history_bytes;           /* 0: none is kept */
	const char *history_directory;  /* NULL: it ends with the process */
	struct promcb_tool_rendering rendering;
	bool systemd_socket;
	bool without_exporter_metrics;
	enum sidecar_log_level log_level;
};

/* Ends the process on wrong options, on --help and on --version. */
void sidecar_options_parse(int argc, char **argv, struct sidecar_options *out);

/* Whether something else than metrics is served at a path. */
bool sidecar_options_is_taken(const char *path);

#endif
