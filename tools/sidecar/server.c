/* SPDX-License-Identifier: MIT */
/*
 * server.c: see server.h.
 *
 * May include: server.h, descriptors.h, log.h.
 *
 * Connections are known by their descriptor: libmicrohttpd tells of their beginning and of their end before it closes
 * the descriptor, and both and every shutdown happen under one mutex, so that no other file is ever shut down.
 */
#include "server.h"

#include "descriptors.h"
#include "log.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SECOND_NS ((uint64_t)1000000000)

/* How long a connection may take: for its first request, to be answered, and for another request. */
#define FIRST_REQUEST_NS (10 * SECOND_NS)
#define ANSWER_NS (60 * SECOND_NS)
#define NEXT_REQUEST_NS (300 * SECOND_NS)

/* How long answers in flight are waited for at the end. */
#define FAREWELL_NS (5 * SECOND_NS)

/* How long whoever came so late that it has not asked yet is waited for. */
#define NEW_CLIENT_NS (SECOND_NS / 5)

/* How often a line may say that there are too many connections. */
#define COMPLAINT_NS (60 * SECOND_NS)

enum {
	THREADS = 4,
	HEAD_MAX_BYTES = 16384, /* of a request, and of what libmicrohttpd keeps for it */
	IDLE_SECONDS = 120,
	STACK_BYTES = 262144,
};

struct client {
	bool is_open;
	bool is_answering;
	bool was_answered;      /* at least once */
	bool is_leaving;        /* shut down, and not yet closed */
	uint64_t deadline_ns;
	uint64_t useful_ns;     /* when its last request was complete, or when it came */
	struct sidecar_request request;
};

struct sidecar_server {
	struct sidecar_server_options options;
	struct MHD_Daemon *daemon;
	unsigned max_connections;
	uint64_t complained_ns;
	pthread_mutex_t mutex;  /* of all below */
	pthread_cond_t quiet;   /* nothing is being answered any more */
	pthread_cond_t closed;  /* a connection is gone */
	unsigned arriving;      /* handed to libmicrohttpd, which has not told of their beginning yet */
	unsigned open;
	unsigned leaving;       /* of these */
	unsigned answering;
	size_t client_count;
	struct client *clients; /* by descriptor */
};

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * SECOND_NS + (uint64_t)now.tv_nsec;
}

/* By a clock that nobody sets. Returns false once the time has come. */
static bool wait_until(pthread_cond_t *condition, pthread_mutex_t *mutex, uint64_t until_ns)
{
	const struct timespec until = {(time_t)(until_ns / SECOND_NS), (long)(until_ns % SECOND_NS)};

	return pthread_cond_clockwait(condition, mutex, CLOCK_MONOTONIC, &until) != ETIMEDOUT;
}

/* -- What libmicrohttpd tells ------------------------------------------------------------------------------------- */

static struct client *client_of(struct sidecar_server *server, struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);

	return info && info->connect_fd >= 0 && (size_t)info->connect_fd < server->client_count
		       ? &server->clients[info->connect_fd]
		       : NULL;
}

static bool is_near(struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	const struct sockaddr *address = info ? info->client_addr : NULL;

	if (!address || address->sa_family == AF_UNIX)
		return true;
	if (address->sa_family == AF_INET)
		return ntohl(((const struct sockaddr_in *)(const void *)address)->sin_addr.s_addr) >> 24 == 127;
	if (address->sa_family == AF_INET6) {
		const struct in6_addr *six = &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;

		return IN6_IS_ADDR_LOOPBACK(six) || (IN6_IS_ADDR_V4MAPPED(six) && six->s6_addr[12] == 127);
	}
	return false;
}

static void connection_changed(void *context, struct MHD_Connection *connection, void **socket_context,
			       enum MHD_ConnectionNotificationCode code)
{
	struct sidecar_server *server = context;
	struct client *client = client_of(server, connection);
	uint64_t now = now_ns();

	(void)socket_context;
	if (code == MHD_CONNECTION_NOTIFY_STARTED)
		sidecar_web_config_connected(server->options.web_config, connection);
	if (!client)
		return;
	pthread_mutex_lock(&server->mutex);
	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		server->arriving -= server->arriving > 0;
		*client = (struct client){
			.is_open = true,
			.deadline_ns = now + FIRST_REQUEST_NS,
			.useful_ns = now,
			.request = {.is_near = is_near(connection)},
		};
		server->open++;
	} else if (client->is_open) {
		client->is_open = false;
		server->open--;
		server->leaving -= client->is_leaving;
		pthread_cond_signal(&server->closed);
	}
	pthread_mutex_unlock(&server->mutex);
}

/* The head of a request is complete; whatever body it has may take as long as a head. */
static void begin(struct sidecar_server *server, struct client *client)
{
	pthread_mutex_lock(&server->mutex);
	client->deadline_ns = now_ns() + FIRST_REQUEST_NS;
	client->request.is_scrape = false;
	pthread_mutex_unlock(&server->mutex);
}

/* All of a request is there. */
static void begin_answer(struct sidecar_server *server, struct client *client)
{
	pthread_mutex_lock(&server->mutex);
	server->answering++;
	client->useful_ns = now_ns();
	client->deadline_ns = client->useful_ns + ANSWER_NS;
	client->is_answering = true;
	pthread_mutex_unlock(&server->mutex);
}

static enum MHD_Result handle(void *context, struct MHD_Connection *connection, const char *url, const char *method,
			      const char *version, const char *upload, size_t *upload_bytes, void **request_context)
{
	struct sidecar_server *server = context;
	struct client *client = client_of(server, connection);

	(void)version, (void)upload, (void)upload_bytes;
	if (!client)
		return MHD_NO;
	/*
	 * An answer to the head closes the connection, since a body may follow. That is right for methods that have
	 * one, for nothing that is served here wants it; the others are asked for twice.
	 */
	if (!*request_context) {
		*request_context = client;
		begin(server, client);
		if (strcmp(method, MHD_HTTP_METHOD_GET) == 0 || strcmp(method, MHD_HTTP_METHOD_HEAD) == 0)
			return MHD_YES;
	}
	if (*upload_bytes) {
		*upload_bytes = 0;
		return MHD_YES;
	}
	begin_answer(server, client);
	client->request.url = url;
	client->request.method = method;
	return server->options.answer(server->options.context, connection, &client->request);
}

static void completed(void *context, struct MHD_Connection *connection, void **request_context,
		      enum MHD_RequestTerminationCode code)
{
	struct sidecar_server *server = context;
	struct client *client = *request_context;

	(void)connection, (void)code;
	/* A request that was never handed on has no context. */
	if (!client)
		return;
	*request_context = NULL;
	server->options.answered(server->options.context, &client->request);
	pthread_mutex_lock(&server->mutex);
	client->deadline_ns = now_ns() + NEXT_REQUEST_NS;
	if (client->is_answering && --server->answering == 0)
		pthread_cond_signal(&server->quiet);
	client->was_answered |= client->is_answering;
	client->is_answering = false;
	pthread_mutex_unlock(&server->mutex);
}

/* A NUL would end what is asked for: it becomes a byte that stands in no text. */
static size_t unescape(void *context, struct MHD_Connection *connection, char *text)
{
	(void)context, (void)connection;
	for (char *nul = strstr(text, "%00"); nul; nul = strstr(nul, "%00"))
		nul[1] = nul[2] = 'f';
	return MHD_http_unescape(text);
}

static void log_mhd(void *context, const char *format, va_list arguments)
{
	char text[512];

	(void)context;
	vsnprintf(text, sizeof(text), format, arguments);
	text[strcspn(text, "\n")] = '\0';
	sidecar_log(SIDECAR_LOG_DEBUG, "libmicrohttpd", "text", text, NULL);
}

/* -- Accepting ---------------------------------------------------------------------------------------------------- */

/* libmicrohttpd sees the end of it, and cleans up. With the mutex. */
static void send_away(struct sidecar_server *server, struct client *client)
{
	shutdown((int)(client - server->clients), SHUT_RDWR);
	server->leaving += !client->is_leaving;
	client->is_leaving = true;
}

/* Closes whoever is over time. Returns when the next one will be, or 0 for never. */
static uint64_t enforce_deadlines(struct sidecar_server *server)
{
	uint64_t now = now_ns(), next_ns = 0;

	pthread_mutex_lock(&server->mutex);
	for (size_t fd = 0; server->open && fd < server->client_count; fd++) {
		struct client *client = &server->clients[fd];

		if (!client->is_open)
			continue;
		if (client->deadline_ns <= now) {
			send_away(server, client);
			client->deadline_ns = now + SECOND_NS;
		}
		if (!next_ns || client->deadline_ns < next_ns)
			next_ns = client->deadline_ns;
	}
	pthread_mutex_unlock(&server->mutex);
	return next_ns;
}

/* Until a connection is gone, or for a twentieth of a second. With the mutex. */
static void wait_a_moment(struct sidecar_server *server)
{
	wait_until(&server->closed, &server->mutex, now_ns() + SECOND_NS / 20);
}

/*
 * Whoever never asked is of less use than whoever did, and both than whoever is being answered. Of these goes the one
 * that takes longest, for a crowd that does not read its answers shall keep nobody out.
 */
static bool is_less_useful(const struct client *one, const struct client *other)
{
	if (one->is_answering != other->is_answering)
		return !one->is_answering;
	return one->was_answered == other->was_answered ? one->useful_ns < other->useful_ns : !one->was_answered;
}

/*
 * Makes room for one more, at the cost of the one that was useful longest ago. is_needed: also where the limit is not
 * reached, for there is no descriptor left.
 */
static void make_room(struct sidecar_server *server, bool is_needed)
{
	unsigned most = is_needed ? 1 : server->max_connections;
	struct client *oldest = NULL;
	bool was_full = false;
	uint64_t now = now_ns();

	pthread_mutex_lock(&server->mutex);
	if (server->open >= most) {
		was_full = true;
		for (size_t fd = 0; server->open - server->leaving >= most && fd < server->client_count; fd++) {
			struct client *client = &server->clients[fd];

			if (client->is_open && !client->is_leaving && (!oldest || is_less_useful(client, oldest)))
				oldest = client;
		}
		if (oldest)
			send_away(server, oldest);
		/* A crowd that comes faster than others go waits in the queue of the socket. */
		if (is_needed || server->open >= server->max_connections + SIDECAR_SPARE_DESCRIPTORS / 2)
			wait_a_moment(server);
	}
	pthread_mutex_unlock(&server->mutex);
	if (was_full && (!server->complained_ns || now - server->complained_ns >= COMPLAINT_NS)) {
		char limit[16];

		server->complained_ns = now;
		snprintf(limit, sizeof(limit), "%u", server->max_connections);
		sidecar_log(SIDECAR_LOG_WARN, "too many connections, the least useful ones are closed", "limit", limit,
			    NULL);
	}
}

/* Returns whether there was one. */
static bool accept_one(struct sidecar_server *server, int listener)
{
	union {
		struct sockaddr any;
		struct sockaddr_storage storage;
	} address = {.storage = {0}};
	socklen_t length = sizeof(address);
	int fd = accept4(listener, &address.any, &length, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0) {
		/* Without a descriptor left, the one that waits stays in the queue; one of ours goes. */
		if (errno == EMFILE || errno == ENFILE)
			make_room(server, true);
		return false;
	}
	make_room(server, false);
	/* Closed by libmicrohttpd, whatever happens. */
	if ((size_t)fd >= server->client_count) {
		close(fd);
		return true;
	}
	pthread_mutex_lock(&server->mutex);
	server->arriving++;
	pthread_mutex_unlock(&server->mutex);
	if (MHD_add_connection(server->daemon, fd, &address.any, length) != MHD_YES) {
		pthread_mutex_lock(&server->mutex);
		server->arriving -= server->arriving > 0;
		pthread_mutex_unlock(&server->mutex);
	}
	return true;
}

/* Who has come so far is answered; sockets that were passed to us keep theirs for whoever is started next. */
static void accept_the_rest(struct sidecar_server *server)
{
	const struct sidecar_listeners *listeners = server->options.listeners;
	uint64_t until_ns = now_ns() + NEW_CLIENT_NS;

	/* Not for as long as others come. */
	for (size_t i = 0; i < listeners->count; i++) {
		while (listeners->is_ours[i] && now_ns() < until_ns && accept_one(server, listeners->fds[i]))
			continue;
	}
}

int sidecar_server_run(struct sidecar_server *server)
{
	const struct sidecar_listeners *listeners = server->options.listeners;
	struct pollfd watched[SIDECAR_LISTENERS_MAX + 1];
	struct signalfd_siginfo signal_info;
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	for (size_t i = 0; i < listeners->count; i++)
		watched[i] = (struct pollfd){.fd = listeners->fds[i], .events = POLLIN};
	watched[listeners->count] = (struct pollfd){.fd = signalfd(-1, &signals, SFD_CLOEXEC), .events = POLLIN};
	for (;;) {
		uint64_t next_ns = enforce_deadlines(server), now = now_ns();
		/* A deadline can come closer meanwhile, by a request or an answer: not by more than this. */
		uint64_t most_ns = next_ns ? FIRST_REQUEST_NS : 0;
		int timeout_ms = -1;

		if (next_ns) {
			uint64_t wait_ns = next_ns > now ? next_ns - now : 0;

			timeout_ms = (int)((wait_ns < most_ns ? wait_ns : most_ns) / 1000000 + 1);
		}
		if (poll(watched, listeners->count + 1, timeout_ms) < 0 && errno != EINTR)
			return SIGTERM;
		for (size_t i = 0; i < listeners->count; i++) {
			if (watched[i].revents & POLLIN)
				accept_one(server, listeners->fds[i]);
		}
		if (watched[listeners->count].revents & POLLIN &&
		    read(watched[listeners->count].fd, &signal_info, sizeof(signal_info)) == sizeof(signal_info))
			break;
	}
	accept_the_rest(server);
	close(watched[listeners->count].fd);
	return (int)signal_info.ssi_signo;
}

/* -- Beginning and end -------------------------------------------------------------------------------------------- */

int sidecar_server_start(const struct sidecar_server_options *options, struct sidecar_server **out)
{
	struct sidecar_server *server = calloc(1, sizeof(*server));
	struct MHD_OptionItem items[16];
	size_t count;
	unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_NO_LISTEN_SOCKET | MHD_USE_ITC | MHD_USE_ERROR_LOG;
	struct rlimit limit;

	if (!server)
		return -ENOMEM;
	server->options = *options;
	server->max_connections = sidecar_descriptors_raise(options->max_connections);
	getrlimit(RLIMIT_NOFILE, &limit);
	server->client_count = limit.rlim_cur < 131072 ? (size_t)limit.rlim_cur : 131072;
	server->clients = calloc(server->client_count, sizeof(*server->clients));
	pthread_mutex_init(&server->mutex, NULL);
	pthread_cond_init(&server->quiet, NULL);
	pthread_cond_init(&server->closed, NULL);
	if (!server->clients)
		goto no_memory;
	count = sidecar_web_config_options(options->web_config, items, 15);
	items[count] = (struct MHD_OptionItem){MHD_OPTION_END, 0, NULL};
	if (sidecar_web_config_has_tls(options->web_config))
		flags |= MHD_USE_TLS;
	/* Ours is the limit that is kept; libmicrohttpd's is per thread, and would refuse. */
	server->daemon = MHD_start_daemon(
		flags, 0, NULL, NULL, handle, server, MHD_OPTION_EXTERNAL_LOGGER, log_mhd, NULL, MHD_OPTION_ARRAY,
		items, MHD_OPTION_THREAD_POOL_SIZE, (unsigned)THREADS, MHD_OPTION_THREAD_STACK_SIZE,
		(size_t)STACK_BYTES, MHD_OPTION_CONNECTION_LIMIT,
		(server->max_connections + SIDECAR_SPARE_DESCRIPTORS) * THREADS, MHD_OPTION_CONNECTION_TIMEOUT,
		(unsigned)IDLE_SECONDS, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HEAD_MAX_BYTES,
		MHD_OPTION_NOTIFY_CONNECTION, connection_changed, server, MHD_OPTION_NOTIFY_COMPLETED, completed,
		server, MHD_OPTION_UNESCAPE_CALLBACK, unescape, NULL, MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1,
		MHD_OPTION_END);
	if (!server->daemon)
		goto no_memory;
	*out = server;
	return 0;
no_memory:
	free(server->clients);
	free(server);
	return -ENOMEM;
}

/* With the mutex. Whether somebody came a moment ago, and has not asked yet. */
static bool has_new_client(const struct sidecar_server *server, uint64_t now)
{
	for (size_t fd = 0; !server->arriving && fd < server->client_count; fd++) {
		const struct client *client = &server->clients[fd];

		if (client->is_open && !client->is_answering && !client->was_answered &&
		    client->useful_ns + NEW_CLIENT_NS > now)
			return true;
	}
	return server->arriving > 0;
}

void sidecar_server_stop(struct sidecar_server *server)
{
	uint64_t begun_ns = now_ns();

	if (!server)
		return;
	pthread_mutex_lock(&server->mutex);
	/* Whoever has just come may be about to ask. */
	while (has_new_client(server, begun_ns) && now_ns() < begun_ns + NEW_CLIENT_NS)
		wait_until(&server->quiet, &server->mutex, now_ns() + NEW_CLIENT_NS / 20);
	while (server->answering && wait_until(&server->quiet, &server->mutex, begun_ns + FAREWELL_NS))
		continue;
	pthread_mutex_unlock(&server->mutex);
	MHD_stop_daemon(server->daemon);
	pthread_cond_destroy(&server->closed);
	pthread_cond_destroy(&server->quiet);
	pthread_mutex_destroy(&server->mutex);
	free(server->clients);
	free(server);
}
