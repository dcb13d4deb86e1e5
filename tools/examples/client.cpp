// SPDX-License-Identifier: MIT
// client.cpp: client.c in C++: pre-forked workers that connect to a server which may be away, behind one circuit breaker
// for all of them. Usage: client PORT [SECONDS]; promcb-admin breaker shows what was let through, and what was refused.
#include <arpa/inet.h>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <promcb/promcb.hpp>
#include <sys/socket.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

using namespace std::chrono_literals;

static constexpr int workers = 4;

struct Socket {
	const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	~Socket()
	{
		if (fd >= 0)
			close(fd);
	}
};

// Whether the server is there. However this is left, by an exception as well, the breaker is told, and once.
static bool ask(const promcb::Breaker &breaker, const sockaddr_in &server)
{
	promcb::Call call(breaker);

	if (!call)
		return false; // an answer without the server: what was cached, or an error at once
	const Socket to;

	if (to.fd < 0)
		call.drop(); // no fault of the server
	else if (connect(to.fd, reinterpret_cast<const sockaddr *>(&server), sizeof(server)) < 0)
		call.fail(errno == ETIMEDOUT ? PROMCB_TIMEOUT : PROMCB_CONNECT);
	else
		return true;
	return false;
}

int main(int argc, char **argv)
{
	const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(argc > 2 ? std::atoi(argv[2]) : 10);
	promcb::Segment metrics;
	promcb::Component component(metrics, "server");
	promcb::Breaker breaker(component, promcb::Policy().window(2s).failure_rate(0.3).open(500ms));
	sockaddr_in server = {};

	if (argc < 2 || breaker.error() < 0) {
		std::fprintf(stderr, "usage: client PORT [SECONDS], with a segment; %s\n", breaker.message());
		return 2;
	}
	server.sin_family = AF_INET;
	server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	server.sin_port = htons(static_cast<uint16_t>(std::atoi(argv[1])));
	for (int i = 0; i < workers; i++) {
		if (fork() != 0)
			continue;
		for (; std::chrono::steady_clock::now() < end; std::this_thread::sleep_for(2ms))
			ask(breaker, server);
		_exit(0);
	}
	while (wait(nullptr) > 0)
		continue;
	return 0;
}
