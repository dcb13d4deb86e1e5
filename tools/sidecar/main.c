/* SPDX-License-Identifier: MIT */
/* main.c: promcb-sidecar: from the command line to a running server, and back. */
#include "common.h"
#include "options.h"
#include "privileges.h"
#include "routes.h"
#include "server.h"

#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int fail(const char *message)
{
	sidecar_log(SIDECAR_LOG_ERROR, message, NULL);
	return PROMCB_TOOL_FAILED;
}

/* Before there is a thread: what all of them inherit. */
static void prepare_process(void)
{
	sigset_t signals;

	signal(SIGPIPE, SIG_IGN);
	/* Configuration is read again by itself. */
	signal(SIGHUP, SIG_IGN);
	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &signals, NULL);
	umask(077);
	/* Bodies and snapshots are large and soon gone: back to the system with them. */
	mallopt(M_ARENA_MAX, 2);
	mallopt(M_MMAP_THRESHOLD, 262144);
	mallopt(M_TRIM_THRESHOLD, 262144);
}

static int listen_all(const struct sidecar_options *options, struct sidecar_listeners *listeners, char *message,
		      size_t message_size)
{
	int result = 0;

	/* What was asked for by name goes before what was passed. */
	if (options->systemd_socket || (!options->listen_count && sidecar_listen_is_activated()))
		return sidecar_listen_systemd(listeners, message, message_size);
	if (!options->listen_count)
		return sidecar_listen_loopback(listeners, SIDECAR_PORT, message, message_size);
	for (size_t i = 0; i < options->listen_count && result == 0; i++)
		result = sidecar_listen(listeners, options->listen[i], message, message_size);
	return result;
}

/* What needs the rights that we were started with, and then without them. */
static int open_all(const struct sidecar_options *options, struct sidecar_listeners *listeners,
		    struct sidecar_web_config **web_config, char *message, size_t message_size)
{
	struct sidecar_identity identity;
	int result = sidecar_web_config_open(options->config_file, web_config, message, message_size);

	if (result == 0)
		result = listen_all(options, listeners, message, message_size);
	if (result == 0 && options->user) {
		result = sidecar_privileges_find(options->user, &identity, message, message_size);
		if (result == 0)
			result = sidecar_listen_give(listeners, identity.uid, identity.gid, message, message_size);
	} else if (result == 0 && geteuid() == 0) {
		sidecar_log(SIDECAR_LOG_WARN, "running as root, which nothing here needs; see --user", NULL);
	}
	return result < 0 ? result : sidecar_privileges_drop(options->user ? &identity : NULL, message, message_size);
}

/* Whether what is sent to an address leaves this machine. */
static bool is_far(const char *address)
{
	return strncmp(address, "unix:", 5) != 0 && strncmp(address, "127.", 4) != 0 &&
	       strncmp(address, "[::1]:", 6) != 0;
}

static void warn_of_passwords(const struct sidecar_listeners *listeners, struct sidecar_web_config *web_config)
{
	if (sidecar_web_config_has_tls(web_config) || !sidecar_web_config_has_users(web_config))
		return;
	for (size_t i = 0; i < listeners->count; i++) {
		if (is_far(listeners->addresses[i]))
			sidecar_log(SIDECAR_LOG_WARN,
				    "passwords are accepted without TLS: anyone between can read them", "address",
				    listeners->addresses[i], NULL);
	}
}

static int serve(const struct sidecar_options *options, struct sidecar_listeners *listeners,
		 struct sidecar_web_config *web_config, struct sidecar_routes *routes)
{
	const struct sidecar_bodies_options bodies_options = {
		.segments = options->segments,
		.segment_count = options->segment_count,
		.matching = options->matching,
		.idle_ns = options->rendering.hides_idle ? &options->rendering.idle_ns : NULL,
		.prefix = options->rendering.prefix,
		.without_compat = options->rendering.without_compat,
		.classic_schema = options->rendering.classic_schema,
		.classic_first = options->rendering.classic_first,
		.classic_last = options->rendering.classic_last,
		.share_ns = options->share_ns,
		.families = sidecar_routes_families,
		.families_context = routes,
	};
	const struct sidecar_server_options server_options = {
		.listeners = listeners,
		.web_config = web_config,
		.max_connections = options->max_connections,
		.answer = sidecar_routes_answer,
		.answered = sidecar_routes_answered,
		.context = routes,
	};
	struct sidecar_history_options history_options = {NULL, options->history_bytes, options->history_directory};
	struct sidecar_bodies *bodies = NULL;
	struct sidecar_history *history = NULL;
	struct sidecar_api *api = NULL;
	struct sidecar_server *server = NULL;
	int result = sidecar_bodies_start(&bodies_options, &bodies);

	history_options.bodies = bodies;
	if (result == 0 && options->history_bytes)
		result = sidecar_history_start(&history_options, &history);
	api = result == 0 ? sidecar_api_new(bodies, history) : NULL;
	if (result == 0 && !api)
		result = -ENOMEM;
	if (result == 0) {
		sidecar_routes_set_bodies(routes, bodies, api);
		result = sidecar_server_start(&server_options, &server);
	}
	if (result == 0) {
		for (size_t i = 0; i < listeners->count; i++)
			sidecar_log(SIDECAR_LOG_INFO, "listening", "address", listeners->addresses[i], "tls",
				    sidecar_web_config_has_tls(web_config) ? "true" : "false", "version",
				    promcb_version(), NULL);
		warn_of_passwords(listeners, web_config);
		sidecar_notify("READY=1\nSTATUS=Serving metrics");
		result = sidecar_server_run(server);
		sidecar_log(SIDECAR_LOG_INFO, "ending", "signal", strsignal(result), NULL);
		sidecar_notify("STOPPING=1");
		/* Who comes now is refused at once, and not after others were answered. */
		sidecar_listen_close(listeners);
		result = 0;
	} else {
		fail(promcb_strerror(result));
	}
	sidecar_server_stop(server);
	sidecar_history_stop(history);
	sidecar_api_free(api);
	sidecar_bodies_stop(bodies);
	return result < 0 ? PROMCB_TOOL_FAILED : 0;
}

int main(int argc, char **argv)
{
	static struct sidecar_options options;
	static struct sidecar_listeners listeners;
	struct sidecar_web_config *web_config = NULL;
	struct sidecar_routes *routes = NULL;
	char message[1024] = "";
	int status = PROMCB_TOOL_FAILED;

	promcb_tool_start("promcb-sidecar");
	sidecar_options_parse(argc, argv, &options);
	sidecar_log_set_level(options.log_level);
	sidecar_log_start();
	prepare_process();
	/* Keys are read before the rights to do so are given up; a changed key must be readable without them. */
	if (open_all(&options, &listeners, &web_config, message, sizeof(message)) < 0) {
		fail(message);
		goto out;
	}
	/* After the user has changed, which sets it too. */
	sidecar_privileges_hide(options.config_file);
	routes = sidecar_routes_new(&options, web_config);
	status = routes ? serve(&options, &listeners, web_config, routes) : fail(promcb_strerror(ENOMEM));
out:
	sidecar_routes_free(routes);
	sidecar_listen_close(&listeners);
	sidecar_web_config_close(web_config);
	/* The secrets are gone; whoever looks for leaks may look. */
	sidecar_privileges_hide(false);
	return status;
}
