/* SPDX-License-Identifier: MIT */
/*
 * demo.c: promcb-demo, a producer to look at: a few threads that make real calls, and record each with promcb.
 *
 * Not installed; tools/quickstart.sh starts several of them on one segment.
 *
 * The calls: reading files, connecting over loopback TCP to a listener of this process, which accepts, and to a port
 * that nobody listens on, which refuses, and resolving "localhost". Calls to the closed port go through a circuit
 * breaker that all threads and processes share: OPEN_AFTER failures in a row open it, then one call in OPEN_MS is let
 * through to probe.
 *
 * Invariants: nothing leaves the machine; each thread makes at most one round of calls in ROUND_NS.
 */
#include "common.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <promcb/atomic.h>
#include <promcb/breaker.h>
#include <promcb/metric.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { THREADS_MAX = 64, ROUND_NS = 5 * 1000 * 1000, OPEN_AFTER = 5, OPEN_MS = 500, BACKLOG = 128 };

/* Above all characters: options without a short form. */
enum option_key { KEY_SECONDS = 256, KEY_THREADS };

struct arguments {
	const char *segment;
	unsigned seconds; /* 0: until SIGINT or SIGTERM */
	unsigned threads;
};

/* What a thread calls; the same components in every thread and process. */
struct calls {
	struct promcb_component *read_status;
	struct promcb_component *read_passwd;
	struct promcb_component *connect_open;
	struct promcb_breaker *connecting; /* of that one: lets all through, and tells how many are in flight */
	struct promcb_component *connect_refused;
	struct promcb_breaker *guarded; /* of that one, shared by all threads and processes */
	struct promcb_component *resolve; /* NULL: not to be called */
};

/* And what it counts beside calls: one of each kind. */
struct counts {
	struct promcb_counter *read_bytes;
	struct promcb_level *pending; /* connected, and not accepted yet; of all processes together */
	struct promcb_gauge *threads;
	struct promcb_histogram *file_bytes;
};

struct demo {
	struct calls calls;
	struct counts counts;
	struct sockaddr_in open;
	struct sockaddr_in refused;
	int listener;
	int reserved; /* holds the refused port, without listening: nobody else gets it */
};

static uint64_t stopping;

static bool is_stopping(void)
{
	return promcb_load_relaxed(&stopping);
}

/* -- The calls ---------------------------------------------------------------------------------------------------- */

static bool read_file(const char *path, const struct counts *counts)
{
	char bytes[4096];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint64_t total = 0;
	ssize_t length;

	if (fd < 0)
		return false;
	while ((length = read(fd, bytes, sizeof(bytes))) > 0)
		total += (uint64_t)length;
	close(fd);
	promcb_counter_add(counts->read_bytes, total);
	promcb_histogram_observe(counts->file_bytes, total);
	return length == 0;
}

static bool connect_to(const struct sockaddr_in *address)
{
	/* Closing resets the connection: thousands of them in a row leave no port waiting behind. */
	const struct linger reset = {.l_onoff = 1, .l_linger = 0};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool success;

	if (fd < 0)
		return false;
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	success = connect(fd, (const struct sockaddr *)(const void *)address, sizeof(*address)) == 0;
	close(fd);
	return success;
}

/* Whether "localhost" is found without asking a name server, which would leave the machine and take seconds. */
static bool localhost_is_local(void)
{
	FILE *hosts = fopen("/etc/hosts", "re");
	char line[1024];
	bool found = false;

	while (hosts && !found && fgets(line, sizeof(line), hosts))
		found = line[0] != '#' && strstr(line, "localhost");
	if (hosts)
		fclose(hosts);
	return found;
}

static bool resolve(const char *name)
{
	const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
	struct addrinfo *found;

	if (getaddrinfo(name, NULL, &hints, &found) != 0)
		return false;
	freeaddrinfo(found);
	return true;
}

/* One call of each kind. */
static void one_round(const struct demo *demo)
{
	const struct calls *calls = &demo->calls;
	struct promcb_token token;
	uint64_t start;
	bool success;
	int error;

	start = promcb_start();
	promcb_stop(calls->read_status, start, read_file("/proc/self/status", &demo->counts));
	start = promcb_start();
	promcb_stop(calls->read_passwd, start, read_file("/etc/passwd", &demo->counts));
	if (promcb_begin(calls->connecting, &token)) {
		success = connect_to(&demo->open);
		promcb_end(calls->connecting, &token, success ? PROMCB_SUCCESS : PROMCB_CONNECT);
		promcb_level_add(demo->counts.pending, success);
	}
	if (calls->resolve) {
		start = promcb_start();
		promcb_stop(calls->resolve, start, resolve("localhost"));
	}
	if (!promcb_begin(calls->guarded, &token)) {
		promcb_count_error(calls->connect_refused, PROMCB_ERROR_REJECTED);
		return;
	}
	success = connect_to(&demo->refused);
	error = errno;
	promcb_end(calls->guarded, &token, success ? PROMCB_SUCCESS : PROMCB_CONNECT);
	if (success)
		return;
	promcb_count_error(calls->connect_refused, error == ECONNREFUSED ? PROMCB_ERROR_REFUSED : PROMCB_ERROR_OTHER);
	promcb_count_log(calls->connect_refused, PROMCB_LOG_ERROR);
}

static void *work(void *context)
{
	const struct timespec pause = {.tv_nsec = ROUND_NS};
	const struct demo *demo = context;

	promcb_gauge_add(demo->counts.threads, 1);
	while (!is_stopping()) {
		one_round(demo);
		nanosleep(&pause, NULL);
	}
	promcb_gauge_add(demo->counts.threads, -1);
	return NULL;
}

/* -- The listener ------------------------------------------------------------------------------------------------- */

/* Accepts whatever comes until told to stop. */
static void *accept_all(void *context)
{
	const struct demo *demo = context;
	struct pollfd waiting = {.fd = demo->listener, .events = POLLIN};
	int fd;

	while (!is_stopping())
		if (poll(&waiting, 1, 100) > 0) {
			fd = accept4(demo->listener, NULL, NULL, SOCK_CLOEXEC);
			if (fd >= 0) {
				close(fd);
				promcb_level_add(demo->counts.pending, -1);
			}
		}
	return NULL;
}

/* A loopback socket on a port that the kernel chooses. Returns it, or -errno. */
static int bind_loopback(struct sockaddr_in *address)
{
	socklen_t length = sizeof(*address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	*address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	if (fd < 0 || bind(fd, (struct sockaddr *)(void *)address, length) < 0 ||
	    getsockname(fd, (struct sockaddr *)(void *)address, &length) < 0)
		return -errno;
	return fd;
}

/* Returns 0, or complains and returns -errno. */
static int declare(struct promcb_session *metrics, struct promcb_family_spec spec, struct promcb_metric_family **family)
{
	struct promcb_message message;
	int result;

	spec.message = &message;
	result = promcb_family_register(metrics, &spec, family);
	if (result < 0)
		promcb_tool_complain("%s: %s", spec.name, promcb_tool_reason(result, &message));
	return result;
}

static int declare_counts(struct counts *counts, struct promcb_session *metrics)
{
	struct promcb_metric_family *read_bytes, *pending, *threads, *file_bytes;
	int result = declare(metrics,
			     (struct promcb_family_spec){.name = "demo_read_bytes_total",
							 .help = "Bytes read from files.",
							 .unit = "bytes",
							 .type = PROMCB_COUNTER},
			     &read_bytes);

	if (result == 0)
		result = declare(metrics,
				 (struct promcb_family_spec){.name = "demo_pending_connections",
							     .help = "Connections made and not accepted yet.",
							     .type = PROMCB_LEVEL},
				 &pending);
	if (result == 0)
		result = declare(metrics,
				 (struct promcb_family_spec){.name = "demo_threads",
							     .help = "Threads that make calls, of living processes.",
							     .type = PROMCB_GAUGE},
				 &threads);
	if (result == 0)
		result = declare(metrics,
				 (struct promcb_family_spec){.name = "demo_file_bytes",
							     .help = "How much a file had that was read.",
							     .unit = "bytes",
							     .type = PROMCB_HISTOGRAM,
							     .buckets_per_octave = 2,
							     .smallest = 64,
							     .largest = 65536},
				 &file_bytes);
	if (result < 0)
		return result;
	promcb_counter_with(read_bytes, NULL, &counts->read_bytes);
	promcb_level_with(pending, NULL, &counts->pending);
	promcb_gauge_with(threads, NULL, &counts->threads);
	promcb_histogram_with(file_bytes, NULL, &counts->file_bytes);
	return 0;
}

static int demo_start(struct demo *demo, struct promcb_session *metrics)
{
	struct calls *calls = &demo->calls;
	int result;

	demo->listener = bind_loopback(&demo->open);
	demo->reserved = bind_loopback(&demo->refused);
	if (demo->listener < 0 || demo->reserved < 0)
		return demo->listener < 0 ? demo->listener : demo->reserved;
	if (listen(demo->listener, BACKLOG) < 0)
		return -errno;
	result = promcb_component(metrics, "read_proc_status", &calls->read_status);
	if (result == 0)
		result = promcb_component(metrics, "read_etc_passwd", &calls->read_passwd);
	if (result == 0)
		result = promcb_component(metrics, "connect_open_port", &calls->connect_open);
	if (result == 0)
		result = promcb_breaker(calls->connect_open,
					&(struct promcb_policy){.failure_permille = PROMCB_POLICY_OFF},
					&calls->connecting);
	if (result == 0)
		result = promcb_component(metrics, "connect_closed_port", &calls->connect_refused);
	if (result == 0)
		result = promcb_breaker(calls->connect_refused,
					&(struct promcb_policy){.failure_permille = PROMCB_POLICY_OFF,
								.consecutive = OPEN_AFTER,
								.open_ms = OPEN_MS,
								.open_max_ms = OPEN_MS,
								.probes = 1},
					&calls->guarded);
	if (result == 0 && localhost_is_local())
		result = promcb_component(metrics, "resolve_localhost", &calls->resolve);
	if (result == 0)
		result = declare_counts(&demo->counts, metrics);
	return result;
}

/* -- The program -------------------------------------------------------------------------------------------------- */

static const struct argp_option options[] = {
	{"seconds", KEY_SECONDS, "N", 0, "End after so many seconds; default: run until SIGINT or SIGTERM", 0},
	{"threads", KEY_THREADS, "N", 0, "How many threads make calls, 1 to 64; default 2", 0},
	{0},
};

static const char documentation[] =
	"Makes real calls (files, loopback TCP, name resolution) and records each in a promcb segment.";

static unsigned parse_number(const char *text, unsigned least, unsigned most, struct argp_state *state)
{
	char *end;
	unsigned long number = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || number < least || number > most)
		argp_error(state, "invalid number \"%s\": expected %u to %u", text, least, most);
	return (unsigned)number;
}

static error_t parse(int key, char *text, struct argp_state *state)
{
	struct arguments *arguments = state->input;

	switch (key) {
	case KEY_SECONDS:
		arguments->seconds = parse_number(text, 1, 86400, state);
		return 0;
	case KEY_THREADS:
		arguments->threads = parse_number(text, 1, THREADS_MAX, state);
		return 0;
	default:
		return promcb_tool_parse_rest(key, text, state, &arguments->segment);
	}
}

/* SIGINT and SIGTERM come only where they are waited for. */
static void wait_for_the_end(const sigset_t *stop, unsigned seconds)
{
	const struct timespec limit = {.tv_sec = seconds};

	if (seconds == 0)
		sigwaitinfo(stop, NULL);
	else
		sigtimedwait(stop, NULL, &limit);
	promcb_store_relaxed(&stopping, 1);
}

static int run(struct demo *demo, const struct arguments *arguments, const sigset_t *stop)
{
	pthread_t threads[THREADS_MAX + 1];
	unsigned started = 0;
	int error = pthread_create(&threads[started++], NULL, accept_all, demo);

	while (error == 0 && started <= arguments->threads)
		error = pthread_create(&threads[started++], NULL, work, demo);
	if (error == 0)
		wait_for_the_end(stop, arguments->seconds);
	else
		started--;
	promcb_store_relaxed(&stopping, 1);
	for (unsigned i = 0; i < started; i++)
		pthread_join(threads[i], NULL);
	if (error)
		promcb_tool_complain("cannot start a thread: %s", strerror(error));
	return error ? PROMCB_TOOL_FAILED : 0;
}

int main(int argc, char **argv)
{
	static const struct argp argp = {options, parse, "", documentation, promcb_tool_segment_child, NULL, NULL};
	struct promcb_message message = {.text = ""};
	struct promcb_options segment_options = {.message = &message};
	struct arguments arguments = {.threads = 2};
	static struct demo demo;
	struct promcb_session *metrics;
	sigset_t stop;
	int result;

	promcb_tool_start("promcb-demo");
	argp_parse(&argp, argc, argv, 0, NULL, &arguments);
	sigemptyset(&stop);
	sigaddset(&stop, SIGINT);
	sigaddset(&stop, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &stop, NULL);
	result = promcb_open(arguments.segment, &segment_options, &metrics);
	if (result < 0)
		return promcb_tool_cannot_open(arguments.segment, result, &message);
	result = demo_start(&demo, metrics);
	if (result < 0) {
		promcb_tool_complain("cannot start: %s", promcb_strerror(result));
		return PROMCB_TOOL_FAILED;
	}
	result = run(&demo, &arguments, &stop);
	promcb_close(metrics);
	return result;
}
