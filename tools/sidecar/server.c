/* SPDX-License-Identifier: MIT */
/*
 * server.c: see server.h.
 *
 * One thread accepts, and looks after deadlines; the others work, each on whatever connection can go on: epoll(7) tells
 * one of them, and no other until it has said what to wait for next. So a connection is one thread's at a time, without
 * a lock, and a thread that takes long is in no other connection's way. Connections are known by their descriptor: it
 * is closed, and shut down, under one mutex, so that no other file is ever shut down.
 *
 * [TURN] release: all that a thread did to a connection, before it hands it back to epoll; acquire: the thread that
 * epoll tells next. The kernel's own locks order the two on every machine that is known, but nothing says that they
 * must; a thread that saw less would go on from an older state of the connection.
 */
#include "server.h"

#include "auth.h"
#include "descriptors.h"
#include "log.h"

#include <promcb/atomic.h>

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
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
/* And once there is nothing more to say, to take its leave. */
#define FAREWELL_CLIENT_NS (2 * SECOND_NS)

/* How long answers in flight are waited for at the end. */
#define DRAIN_TIMEOUT_NS (5 * SECOND_NS)

/* How long whoever came so late that it has not asked yet is waited for. */
#define NEW_CLIENT_NS (SECOND_NS / 5)

/* How often a line may say that there are too many connections. */
#define COMPLAINT_NS (60 * SECOND_NS)

enum {
	THREADS = SIDECAR_AUTH_THREADS + 3, /* some are left, however many passwords are checked */
	STACK_BYTES = 262144,
};

struct client {
	bool is_open;
	bool is_answering;
	bool was_answered;      /* at least once */
	bool is_closing;        /* shut down, and not yet closed */
	uint64_t deadline_ns;
	uint64_t useful_ns;     /* when its last request was complete, or when it came */
	struct sidecar_connection *connection; /* of the thread that works on it, and of the one that accepts it */
	uint64_t turns;         /* that it had so far */
};

struct sidecar_server {
	struct sidecar_server_options options;
	struct sidecar_connection_options connections;
	int ready, over;        /* epoll's, and an event that ends the threads */
	unsigned thread_count;
	pthread_t threads[THREADS];
	unsigned max_connections;
	uint64_t complained_ns;
	pthread_mutex_t mutex;  /* of all below */
	pthread_cond_t quiet;   /* nothing is being answered any more */
	pthread_cond_t closed;  /* a connection is gone */
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

/* -- Working ------------------------------------------------------------------------------------------------------ */

/* A connection has got on, and has as long for the next step. */
static void enter(void *context, int fd, enum sidecar_phase phase)
{
	static const uint64_t times[] = {
		[SIDECAR_PHASE_BODY] = FIRST_REQUEST_NS,
		[SIDECAR_PHASE_ANSWER] = ANSWER_NS,
		[SIDECAR_PHASE_IDLE] = NEXT_REQUEST_NS,
		[SIDECAR_PHASE_FAREWELL] = FAREWELL_CLIENT_NS,
	};
	struct sidecar_server *server = context;
	struct client *client = &server->clients[fd];
	uint64_t now = now_ns();

	pthread_mutex_lock(&server->mutex);
	client->deadline_ns = now + times[phase];
	if (phase == SIDECAR_PHASE_ANSWER) {
		server->answering++;
		client->is_answering = true;
		client->useful_ns = now;
	} else if (client->is_answering) {
		client->is_answering = false;
		client->was_answered = true;
		if (--server->answering == 0)
			pthread_cond_signal(&server->quiet);
	}
	pthread_mutex_unlock(&server->mutex);
}

static void close_client(struct sidecar_server *server, struct client *client)
{
	sidecar_connection_free(client->connection);
	pthread_mutex_lock(&server->mutex);
	client->connection = NULL;
	client->is_open = false;
	server->open--;
	server->leaving -= client->is_closing;
	if (client->is_answering && --server->answering == 0)
		pthread_cond_signal(&server->quiet);
	/* The number is another's from here on; epoll_ctl(), which others may be about to leave, needs it no more. */
	close((int)(client - server->clients));
	pthread_cond_signal(&server->closed);
	pthread_mutex_unlock(&server->mutex);
}

static void *work(void *context)
{
	struct sidecar_server *server = context;
	struct epoll_event event;

	for (;;) {
		int count = epoll_wait(server->ready, &event, 1, -1);

		if (count < 0 && errno != EINTR)
			break;
		if (count <= 0)
			continue;
		if (event.data.fd == server->over)
			break;
		struct client *client = &server->clients[event.data.fd];
		/* [TURN] acquire: the connection as the last thread left it. */
		uint64_t turns = promcb_load_acquire(&client->turns);

		event.events = sidecar_connection_work(client->connection) | EPOLLONESHOT;
		/* [TURN] release: from here on it is another thread's, unless it is over. */
		promcb_store_release(&client->turns, turns + 1);
		if (event.events == EPOLLONESHOT || epoll_ctl(server->ready, EPOLL_CTL_MOD, event.data.fd, &event) < 0)
			close_client(server, client);
	}
	return NULL;
}

/* -- Accepting ---------------------------------------------------------------------------------------------------- */

/* Whoever works on it sees the end of it, and cleans up. With the mutex. */
static void evict(struct sidecar_server *server, struct client *client)
{
	shutdown((int)(client - server->clients), SHUT_RDWR);
	server->leaving += !client->is_closing;
	client->is_closing = true;
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
			evict(server, client);
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
 * Eviction order: connections without a request first, then idle ones, then the longest-running answer, so that clients
 * that never read cannot exhaust the limit.
 */
static bool evict_before(const struct client *one, const struct client *other)
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

			if (client->is_open && !client->is_closing && (!oldest || evict_before(client, oldest)))
				oldest = client;
		}
		if (oldest)
			evict(server, oldest);
		/* A crowd that comes faster than others go waits in the queue of the socket. */
		if (is_needed || server->open >= server->max_connections + SIDECAR_SPARE_DESCRIPTORS / 2)
			wait_a_moment(server);
	}
	pthread_mutex_unlock(&server->mutex);
	if (was_full && (!server->complained_ns || now - server->complained_ns >= COMPLAINT_NS)) {
		char limit[16];

		server->complained_ns = now;
		snprintf(limit, sizeof(limit), "%u", server->max_connections);
		sidecar_log(SIDECAR_LOG_WARN, "too many connections, closing the least recently used", "limit", limit,
			    NULL);
	}
}

static bool is_near(const struct sockaddr *address, socklen_t length)
{
	if (length < sizeof(address->sa_family) || address->sa_family == AF_UNIX)
		return true;
	if (address->sa_family == AF_INET)
		return ntohl(((const struct sockaddr_in *)(const void *)address)->sin_addr.s_addr) >> 24 == 127;
	if (address->sa_family == AF_INET6) {
		const struct in6_addr *six = &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;

		return IN6_IS_ADDR_LOOPBACK(six) || (IN6_IS_ADDR_V4MAPPED(six) && six->s6_addr[12] == 127);
	}
	return false;
}

/* Hands a new connection to the threads. */
static void begin(struct sidecar_server *server, int fd, bool near)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLONESHOT, .data.fd = fd};
	struct client *client = &server->clients[fd];
	uint64_t now = now_ns();

	pthread_mutex_lock(&server->mutex);
	*client = (struct client){
		.is_open = true,
		.deadline_ns = now + FIRST_REQUEST_NS,
		.useful_ns = now,
		.connection = sidecar_connection_new(fd, near, &server->connections),
	};
	server->open++;
	pthread_mutex_unlock(&server->mutex);
	/* [TURN] release: there it is. */
	promcb_store_release(&client->turns, 1);
	if (!client->connection || epoll_ctl(server->ready, EPOLL_CTL_ADD, fd, &event) < 0)
		close_client(server, client);
}

/* Returns whether there was one. */
static bool accept_one(struct sidecar_server *server, int listener)
{
	union {
		struct sockaddr any;
		struct sockaddr_storage storage;
	} address = {.storage = {0}};
	socklen_t length = sizeof(address);
	int fd = accept4(listener, &address.any, &length, SOCK_CLOEXEC | SOCK_NONBLOCK), yes = 1;

	if (fd < 0) {
		/* Without a descriptor left, the one that waits stays in the queue; one of ours goes. */
		if (errno == EMFILE || errno == ENFILE)
			make_room(server, true);
		return false;
	}
	make_room(server, false);
	if ((size_t)fd >= server->client_count) {
		close(fd);
		return true;
	}
	/* An answer over TLS is several records; of a unix socket this is refused, which is no matter. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
	begin(server, fd, is_near(&address.any, length));
	return true;
}

/* Who has come so far is answered; sockets that were passed to us keep theirs for whoever is started next. */
static void accept_the_rest(struct sidecar_server *server)
{
	const struct sidecar_listeners *listeners = server->options.listeners;
	uint64_t until_ns = now_ns() + NEW_CLIENT_NS;

	/* Not for as long as others come. Without a queue, one at most comes after the last look. */
	for (size_t i = 0; i < listeners->count; i++) {
		if (listeners->is_ours[i])
			(void)listen(listeners->fds[i], 0);
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

/* Ends all threads, and closes what they leave. */
static void end_threads(struct sidecar_server *server)
{
	const uint64_t one = 1;

	/* It is never read: each of them sees it. */
	while (write(server->over, &one, sizeof(one)) < 0 && errno == EINTR)
		continue;
	for (unsigned i = 0; i < server->thread_count; i++)
		pthread_join(server->threads[i], NULL);
	for (size_t fd = 0; server->open && fd < server->client_count; fd++) {
		if (server->clients[fd].is_open)
			close_client(server, &server->clients[fd]);
	}
}

static void free_server(struct sidecar_server *server)
{
	if (server->over >= 0)
		close(server->over);
	if (server->ready >= 0)
		close(server->ready);
	pthread_cond_destroy(&server->closed);
	pthread_cond_destroy(&server->quiet);
	pthread_mutex_destroy(&server->mutex);
	free(server->clients);
	free(server);
}

/* Returns 0, or -errno. */
static int begin_threads(struct sidecar_server *server)
{
	struct epoll_event event = {.events = EPOLLIN, .data.fd = server->over};
	pthread_attr_t attributes;
	int result = 0;

	if (epoll_ctl(server->ready, EPOLL_CTL_ADD, server->over, &event) < 0)
		return -errno;
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, STACK_BYTES);
	for (; result == 0 && server->thread_count < THREADS; server->thread_count += result == 0)
		result = pthread_create(&server->threads[server->thread_count], &attributes, work, server);
	pthread_attr_destroy(&attributes);
	if (result)
		end_threads(server);
	return -result;
}

int sidecar_server_start(const struct sidecar_server_options *options, struct sidecar_server **out)
{
	struct sidecar_server *server = calloc(1, sizeof(*server));
	struct rlimit limit;
	int result = -ENOMEM;

	if (!server)
		return -ENOMEM;
	server->options = *options;
	server->connections = (struct sidecar_connection_options){
		.web_config = options->web_config,
		.answer = options->answer,
		.answered = options->answered,
		.context = options->context,
		.enter = enter,
		.phase_context = server,
	};
	server->max_connections = sidecar_descriptors_raise(options->max_connections);
	getrlimit(RLIMIT_NOFILE, &limit);
	server->client_count = limit.rlim_cur < 131072 ? (size_t)limit.rlim_cur : 131072;
	server->clients = calloc(server->client_count, sizeof(*server->clients));
	pthread_mutex_init(&server->mutex, NULL);
	pthread_cond_init(&server->quiet, NULL);
	pthread_cond_init(&server->closed, NULL);
	server->ready = epoll_create1(EPOLL_CLOEXEC);
	server->over = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (server->ready < 0 || server->over < 0)
		result = -errno;
	else if (server->clients)
		result = begin_threads(server);
	if (result == 0)
		*out = server;
	else
		free_server(server);
	return result;
}

/* With the mutex. Whether somebody came a moment ago, and has not asked yet. */
static bool has_new_client(const struct sidecar_server *server, uint64_t now)
{
	for (size_t fd = 0; server->open && fd < server->client_count; fd++) {
		const struct client *client = &server->clients[fd];

		if (client->is_open && !client->is_answering && !client->was_answered &&
		    client->useful_ns + NEW_CLIENT_NS > now)
			return true;
	}
	return false;
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
	while (server->answering && wait_until(&server->quiet, &server->mutex, begun_ns + DRAIN_TIMEOUT_NS))
		continue;
	pthread_mutex_unlock(&server->mutex);
	end_threads(server);
	free_server(server);
}
