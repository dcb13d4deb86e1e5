/* SPDX-License-Identifier: MIT */
/*
 * bench_sidecar: how much slower is recording while a promcb-sidecar is scraped?
 *
 * One thread records x components in turn on one processor. On the other run the sidecar and CLIENTS clients, each
 * with a connection that is kept alive, which ask for y bodies a second together (1000000: back to back). The windows
 * follow one another: no load, 10 a second, 1,000, back to back. Scrapes that come within 100 ms share a snapshot, so
 * that more of them should cost a producer nothing: "of the speed at 10 a second" says what is left of it, in percent.
 *
 * "another segment": the same load on a sidecar that reads a segment of the same size which nobody records. What is
 * lost then is the machine's: the processors share a core's units, a cache, power.
 *
 * Time is what the recording thread had of its processor, so that other programs that want it do not count as loss.
 *
 * Usage: bench_sidecar SIDECAR [ROUNDS [MILLISECONDS [COMPONENTS...]]]; milliseconds of a window, at least 500
 */
#include "bench.h"

#include <promcb/admin.h>
#include <promcb/promcb.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/socket.h>

enum { CLIENTS = 8, BACK_TO_BACK = 1000000, COMPONENTS_MAX = 1000, PIECE = 1 << 18 };

/* Two segments: the one that is recorded, and another. */
struct side {
	const char *who;
	char segment[80];
	struct promcb_session *metrics;
	struct promcb_component *components[COMPONENTS_MAX];
};

static struct side sides[] = {{.who = "promcb"}, {.who = "another segment"}};
static uint64_t components_count;
static uint64_t *scrapes;

static void in_turn(unsigned worker, uint64_t count)
{
	struct promcb_component **components = sides[0].components;
	uint64_t at = 0;

	BENCH_EACH_CALL(promcb_record(components[at], latency_ns, success);
			at = at + 1 < components_count ? at + 1 : 0);
}

/* -- Who scrapes -------------------------------------------------------------------------------------------------- */

struct client {
	uint16_t port;
	uint64_t every_ns;      /* 0: back to back */
	uint64_t begin_ns;
};

/* Reads one answer. Anything but a whole 200 ends the client, and with it the figure. */
static bool read_answer(int connection, char *piece)
{
	static const char ok[] = "HTTP/1.1 200", length_is[] = "Content-Length: ";
	size_t have = 0;

	for (;;) {
		ssize_t got = recv(connection, piece + have, PIECE - 1 - have, 0);

		if (got <= 0)
			return false;
		have += (size_t)got;
		piece[have] = '\0';
		const char *end = strstr(piece, "\r\n\r\n"), *length = strstr(piece, length_is);

		if (!end)
			continue;
		if (strncmp(piece, ok, sizeof(ok) - 1) != 0 || !length || length > end)
			return false;
		size_t whole = (size_t)(end + 4 - piece) + strtoull(length + sizeof(length_is) - 1, NULL, 10);

		for (; have < whole; have += (size_t)got) {
			got = recv(connection, piece, PIECE, 0);
			if (got <= 0)
				return false;
		}
		return have == whole;
	}
}

static void *scrape(void *argument)
{
	static const char request[] = "GET /metrics HTTP/1.1\r\nHost: bench\r\n\r\n";
	const struct client *client = argument;
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_port = htons(client->port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int connection = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	uint64_t next_ns = client->begin_ns;
	char *piece = malloc(PIECE);

	if (!piece || connect(connection, (struct sockaddr *)&address, sizeof(address)) < 0)
		_exit(1);
	for (;;) {
		struct timespec next = {.tv_sec = (time_t)(next_ns / 1000000000),
					.tv_nsec = (long)(next_ns % 1000000000)};

		if (client->every_ns)
			clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL);
		next_ns += client->every_ns;
		if (send(connection, request, sizeof(request) - 1, MSG_NOSIGNAL) < 0 || !read_answer(connection, piece))
			_exit(1);
		promcb_add_relaxed(scrapes, 1);
	}
}

/* Never returns: killed. */
static void be_clients(uint16_t port, uint64_t per_second)
{
	struct client clients[CLIENTS];
	uint64_t begin_ns = bench_now_ns();
	pthread_t thread;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	bench_pin(1);
	for (unsigned i = 0; i < CLIENTS; i++) {
		clients[i].port = port;
		clients[i].every_ns = per_second == BACK_TO_BACK ? 0 : CLIENTS * UINT64_C(1000000000) / per_second;
		clients[i].begin_ns = begin_ns + i * clients[i].every_ns / CLIENTS;
		if (pthread_create(&thread, NULL, scrape, &clients[i]) != 0)
			_exit(1);
	}
	for (;;)
		pause();
}

/* Starts a sidecar on a port of its own choice, which it says in its log. */
static pid_t start_sidecar(const char *program, const char *segment, uint16_t *port)
{
	static const char listening[] = "address=127.0.0.1:";
	char option[96], log[4096];
	const char *said = NULL;
	size_t have = 0;
	int ends[2];

	if (pipe(ends) < 0)
		return -1;
	pid_t sidecar = fork();

	if (sidecar == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		bench_pin(1);
		dup2(ends[1], 2);
		close(ends[0]);
		close(ends[1]);
		snprintf(option, sizeof(option), "--segment=%s", segment);
		execl(program, program, option, "--web.listen-address=127.0.0.1:0", "--log.level=info", (char *)NULL);
		_exit(127);
	}
	close(ends[1]);
	while (sidecar > 0 && !(said && strchr(said, '\n')) && have < sizeof(log) - 1) {
		ssize_t got = read(ends[0], log + have, sizeof(log) - 1 - have);

		if (got <= 0)
			return -1;
		have += (size_t)got;
		log[have] = '\0';
		said = strstr(log, listening);
	}
	/* The reading end stays open: there is little more to come. */
	if (sidecar > 0 && said)
		*port = (uint16_t)atoi(said + sizeof(listening) - 1);
	return sidecar;
}

static void end(pid_t child)
{
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

/* -- What is measured --------------------------------------------------------------------------------------------- */

static void tell(const char *what, const char *who, uint64_t per_second, const char *unit, double value)
{
	bench_row("scraped", what, who, components_count, per_second, "1 thread", unit, value);
}

/* The recording's nanoseconds while clients load the sidecar. 0: a scrape failed. */
static double loaded_ns(const struct bench_case *which, const struct side *side, uint16_t port, uint64_t per_second)
{
	pid_t clients = fork();

	if (clients == 0)
		be_clients(port, per_second);
	for (uint64_t before = promcb_load_relaxed(scrapes); promcb_load_relaxed(scrapes) - before < CLIENTS;)
		if (waitpid(clients, NULL, WNOHANG) != 0)
			return 0;
	uint64_t scrapes_before = promcb_load_relaxed(scrapes), begin_ns = bench_now_ns();
	double ns = bench_measure_thread(which, which->count);
	double seconds = (double)(bench_now_ns() - begin_ns) * 1e-9;

	tell("scrapes of the sidecar a second done", side->who, per_second, "/s",
	     (double)(promcb_load_relaxed(scrapes) - scrapes_before) / seconds);
	if (waitpid(clients, NULL, WNOHANG) != 0)
		return 0;
	end(clients);
	return ns;
}

static bool measure(const struct bench_case *which, const struct side *side, uint16_t port)
{
	static const uint64_t rates[] = {10, 1000, BACK_TO_BACK};
	double alone_ns = bench_measure_thread(which, which->count), at_10_ns = 0;

	for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
		double ns = loaded_ns(which, side, port, rates[i]);

		if (ns == 0)
			return false;
		if (rates[i] == 10)
			at_10_ns = ns;
		tell("speed left while the sidecar is scraped", side->who, rates[i], "%", 100 * alone_ns / ns);
		if (rates[i] != 10)
			tell("of the speed at 10 a second", side->who, rates[i], "%", 100 * at_10_ns / ns);
	}
	return true;
}

static bool more_components(uint64_t wanted)
{
	for (; components_count < wanted; components_count++) {
		char name[32];

		snprintf(name, sizeof(name), "component_%04u", (unsigned)components_count);
		for (unsigned s = 0; s < 2; s++) {
			struct promcb_component **component = &sides[s].components[components_count];

			if (promcb_component(sides[s].metrics, name, component) < 0)
				return false;
			for (unsigned k = 0; s == 1 && k < 2000; k++)
				promcb_record(*component, bench_latency_ns[k], bench_success[k]);
		}
	}
	return true;
}

int main(int argc, char **argv)
{
	struct bench_arguments arguments = bench_arguments(argc - 1, argv + 1);
	struct bench_case which = {"scraped", "", "promcb", in_turn, 0, 0, 0};
	const char *segment = bench_segment();
	bool good = argc > 1;

	scrapes = bench_shared_memory(sizeof(*scrapes));
	bench_make_latencies();
	for (unsigned s = 0; s < 2 && good; s++) {
		snprintf(sides[s].segment, sizeof(sides[s].segment), "%s%s", segment, s ? BENCH_OTHER : "");
		good = promcb_open(sides[s].segment, NULL, &sides[s].metrics) == 0;
	}
	if (arguments.budget_ns < 500000000)
		arguments.budget_ns = 500000000;
	for (int i = 4; good && i < (argc > 4 ? argc : 6); i++) {
		static const uint64_t usual[] = {1, 1000};
		uint64_t wanted = argc > 4 ? (uint64_t)atoi(argv[i]) : usual[i - 4];

		if (wanted < 1 || wanted > COMPONENTS_MAX)
			continue;
		good = more_components(wanted);
		bench_measure(&which, BENCH_ONE_THREAD, 2000 * components_count);
		which.count = bench_count(&which, arguments.budget_ns);
		for (unsigned round = 0; good && round < arguments.rounds; round++)
			for (unsigned s = 0; s < 2 && good; s++) {
				uint16_t port = 0;
				pid_t sidecar = start_sidecar(argv[1], sides[s].segment, &port);

				good = sidecar > 0 && port > 0 && measure(&which, &sides[s], port);
				if (sidecar > 0)
					end(sidecar);
			}
	}
	for (unsigned s = 0; s < 2; s++) {
		promcb_close(sides[s].metrics);
		promcb_remove(sides[s].segment, true, NULL);
	}
	if (!good)
		fprintf(stderr, argc > 1 ? "bench_sidecar: no segment, no sidecar or no answer\n"
					 : "Usage: bench_sidecar SIDECAR [ROUNDS [MILLISECONDS [COMPONENTS...]]]\n");
	return !good;
}
