/* SPDX-License-Identifier: MIT */
/*
 * client.c: pre-forked workers that connect to a server which may be away, behind one circuit breaker for all of them.
 * Usage: client PORT [SECONDS]; promcb-export shows what was let through, what was refused, and why.
 */
#include <arpa/inet.h>
#include <promcb/breaker.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { WORKERS = 4 };

static enum promcb_call_outcome connect_to(const struct sockaddr_in *server)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	/* That there is no socket to be had is no fault of the server. */
	enum promcb_call_outcome outcome = fd < 0 ? PROMCB_IGNORED : PROMCB_SUCCESS;

	if (fd >= 0 && connect(fd, (const struct sockaddr *)server, sizeof(*server)) < 0)
		outcome = PROMCB_CONNECT;
	if (fd >= 0)
		close(fd);
	return outcome;
}

static void work(struct promcb_breaker *breaker, const struct sockaddr_in *server, time_t end)
{
	while (time(NULL) < end) {
		struct promcb_token call;

		if (promcb_begin(breaker, &call))
			promcb_end(breaker, &call, connect_to(server));
		/* Else an answer without the server: what was cached, or an error at once. */
		nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
	}
}

int main(int argc, char **argv)
{
	const struct promcb_policy policy = {.window_ms = 2000, .failure_permille = 300, .open_ms = 500};
	struct sockaddr_in server = {.sin_family = AF_INET};
	time_t end = time(NULL) + (argc > 2 ? atoi(argv[2]) : 10);
	struct promcb_component *component;
	struct promcb_breaker *breaker;

	if (argc < 2 || promcb_component(promcb_default(), "server", &component) < 0 ||
	    promcb_breaker(component, &policy, &breaker) < 0) {
		fprintf(stderr, "usage: client PORT [SECONDS], with a segment that can be opened\n");
		return 2;
	}
	server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	server.sin_port = htons((uint16_t)atoi(argv[1]));
	for (int i = 0; i < WORKERS; i++) {
		if (fork() == 0) {
			work(breaker, &server, end);
			_exit(0);
		}
	}
	while (wait(NULL) > 0)
		continue;
	return 0;
}
