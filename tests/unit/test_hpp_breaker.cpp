// SPDX-License-Identifier: MIT
// breaker.hpp: calls through circuit breakers, by the numbers that a reader finds: each is told once, however its scope
// is left. Built once without exceptions, too.
#include "found.hpp"

#include <promcb/breaker.hpp>
#include <promcb/breaker_reader.h>

#include <memory>
#include <stdexcept>
#include <thread>
#include <unistd.h>
#include <utility>

using namespace std::chrono_literals;

static_assert(!std::is_copy_constructible_v<promcb::Call> && !std::is_copy_assignable_v<promcb::Call> &&
		      std::is_nothrow_move_constructible_v<promcb::Call> &&
		      std::is_nothrow_move_assignable_v<promcb::Call>,
	      "a call has one owner");
static_assert(std::is_trivially_copyable_v<promcb::Breaker> && std::is_trivially_copyable_v<promcb::Policy>);

static promcb_breaker_summary breaker_of(const char *name)
{
	promcb_breaker_summary summary = {}, found = {};
	promcb_snapshot *snapshot = nullptr;
	promcb_reader *reader = nullptr;

	CHECK(promcb_reader_open(path.c_str(), nullptr, &reader, nullptr) == 0 &&
	      promcb_reader_snapshot(reader, nullptr, &snapshot, nullptr) == 0);
	for (size_t i = 0; promcb_snapshot_breaker(snapshot, i, &summary) == 0; i++)
		if (std::strcmp(summary.component, name) == 0)
			found = summary;
	promcb_snapshot_free(snapshot);
	promcb_reader_close(reader);
	return found;
}

/* So many calls of a component succeeded, failed, and were ignored; and no other was let through. */
static void has(const char *name, uint64_t good, uint64_t bad, uint64_t ignored)
{
	const promcb_breaker_summary breaker = breaker_of(name);
	const promcb_summary summary = Found().component(name);

	if (summary.successful_calls == good && summary.failed_calls == bad && breaker.ignored == ignored &&
	    breaker.permitted == good + bad + ignored)
		return;
	std::printf("%s: %llu good, %llu bad, %llu ignored, %llu let through\n", name,
		    static_cast<unsigned long long>(summary.successful_calls),
		    static_cast<unsigned long long>(summary.failed_calls),
		    static_cast<unsigned long long>(breaker.ignored),
		    static_cast<unsigned long long>(breaker.permitted));
	failures++;
}

static void policies(const promcb::Segment &metrics)
{
	promcb::Component component(metrics, "policies");
	promcb::Breaker first(component, promcb::Policy()
						 .version(2)
						 .failure_rate(0.3)
						 .slow_rate(0.0004, 250ms)
						 .consecutive(7)
						 .min_calls(11)
						 .window(30s)
						 .open(1500us)
						 .open_max(1min)
						 .jitter(0)
						 .probes(2)
						 .successes(4)
						 .failures(5)
						 .lease(1h)
						 .mode(PROMCB_MODE_SHADOW));
	promcb_policy policy = breaker_of("policies").policy;

	CHECK(first.error() == 0);
	CHECK(policy.version == 2 && policy.failure_permille == 300 && policy.slow_permille == 1 &&
	      policy.slow_ns == 250000000 && policy.consecutive == 7 && policy.min_calls == 11);
	CHECK(policy.window_ms == 30000 && policy.open_ms == 2 && policy.open_max_ms == 60000 &&
	      policy.jitter_percent == PROMCB_POLICY_OFF && policy.probes == 2 && policy.successes == 4 &&
	      policy.failures == 5 && policy.lease_ms == 3600000 && policy.mode == PROMCB_MODE_SHADOW);
	promcb::Breaker off(component, promcb::Policy().version(3).failure_rate(0).slow_rate(0, 1s).consecutive(0));

	policy = breaker_of("policies").policy;
	CHECK(off.error() == 0 && policy.failure_permille == PROMCB_POLICY_OFF &&
	      policy.slow_permille == PROMCB_POLICY_OFF && policy.consecutive == PROMCB_POLICY_OFF);
	/* What is out of range is refused, and not taken for the default. */
	const promcb::Policy wrong[] = {
		promcb::Policy().failure_rate(1.1),   promcb::Policy().failure_rate(-0.1), promcb::Policy().jitter(0.6),
		promcb::Policy().window(0s),	      promcb::Policy().window(-1s),	   promcb::Policy().open(24h * 400),
		promcb::Policy().failure_rate(NAN),   promcb::Policy().lease(1ns),
	};
	for (const promcb::Policy &each : wrong) {
		promcb::Breaker refused(component, promcb::Policy(each).version(9));

		CHECK(refused.error() == -EINVAL && std::strstr(refused.message(), "possible"));
	}
	promcb::Breaker other(component, promcb::Policy().version(3));

	CHECK(other.error() == -EEXIST && std::strstr(other.message(), "version 3"));
	promcb::Component none(promcb::Segment("/no/such/directory/segment"), "a");
	promcb::Breaker nobodys(none);
	promcb::Call call(nobodys);

	CHECK(nobodys.error() < 0 && call);
}

static int early(const promcb::Breaker &breaker)
{
	promcb::Call call(breaker);

	if (!call)
		return -1;
	return 0;
}

static void scopes(const promcb::Component &component, const promcb::Breaker &breaker)
{
	CHECK(early(breaker) == 0);
	has("scopes", 1, 0, 0);
	{
		promcb::Call call(breaker);
		call.fail();
	}
	has("scopes", 1, 1, 0);
	{
		promcb::Call call(breaker);
		call.fail(PROMCB_OVERLOAD);
		/* The last word counts. */
		call.drop();
	}
	has("scopes", 1, 1, 1);
	{
		promcb::Call call(breaker);
		call.end();
		CHECK(!call);
		call.fail();
		call.end();
	}
	has("scopes", 2, 1, 1);
	/* Calls of the component itself are no business of the breaker. */
	{
		promcb::Call call(component);
		CHECK(call);
	}
	CHECK(Found().component("scopes").total_calls == 4 && breaker_of("scopes").permitted == 4);
}

static promcb::Call made(const promcb::Breaker &breaker)
{
	promcb::Call call(breaker);

	call.fail(PROMCB_RESET);
	return call;
}

static void moves(const promcb::Breaker &breaker)
{
	{
		promcb::Call call = made(breaker);
		promcb::Call next(std::move(call));

		CHECK(next && !call);
	}
	has("moves", 0, 1, 0);
	{
		promcb::Call one(breaker), other(breaker);

		one.fail();
		/* The one is ended, and the other goes on in its place. */
		one = std::move(other);
		CHECK(Found().component("moves").failed_calls == 2);
	}
	has("moves", 1, 2, 0);
	{
		promcb::Call call(breaker);
		promcb::Call &same = call;

		call = std::move(same);
		CHECK(call);
	}
	has("moves", 2, 2, 0);
	/* Into another thread. */
	std::thread([call = promcb::Call(breaker)]() mutable { call.fail(PROMCB_TIMEOUT); }).join();
	has("moves", 2, 3, 0);
	auto held = std::make_unique<promcb::Call>(breaker);

	held.reset();
	has("moves", 3, 3, 0);
}

static void refusals(const promcb::Breaker &breaker)
{
	CHECK(breaker.force(PROMCB_MODE_OPEN) == 0);
	CHECK(early(breaker) == -1);
	{
		promcb::Call call(breaker);
		promcb::Call next(std::move(call));

		next.fail();
		CHECK(!call && !next);
	}
	CHECK(breaker_of("refusals").refused_forced == 2);
	has("refusals", 0, 0, 0);
	CHECK(breaker.force(PROMCB_MODE_AUTOMATIC) == 0 && breaker.trip(10min) == 0);
	CHECK(early(breaker) == -1);
	CHECK(breaker.retry_after() > 9min && breaker.retry_after() < 11min);
	CHECK(breaker.reset() == 0 && breaker.retry_after() == 0ns && early(breaker) == 0);
	has("refusals", 1, 0, 0);
}

#if __cpp_exceptions
struct AtTheEnd {
	const promcb::Breaker &breaker;

	~AtTheEnd() { promcb::Call call(breaker); }
};

static void exceptions(const promcb::Breaker &breaker)
{
	try {
		promcb::Call call(breaker);
		throw std::runtime_error("a failure");
	} catch (const std::runtime_error &) {
	}
	has("exceptions", 0, 1, 0);
	try {
		promcb::Call call(breaker);
		call.drop();
		throw std::runtime_error("of the caller");
	} catch (const std::runtime_error &) {
	}
	has("exceptions", 0, 1, 1);
	try {
		/* Made and ended while another exception is under way. */
		AtTheEnd end{breaker};
		throw std::runtime_error("none of its own");
	} catch (const std::runtime_error &) {
	}
	has("exceptions", 1, 1, 1);
	try {
		promcb::Call call(breaker);
		promcb::Call next(std::move(call));
		throw std::runtime_error("of the one that has it");
	} catch (const std::runtime_error &) {
	}
	has("exceptions", 1, 2, 1);
}
#endif

int main()
{
	const promcb::Policy never = promcb::Policy().failure_rate(0);

	path = "/dev/shm/promcb-hpp-breaker-" + std::to_string(getpid());
	unlink(path.c_str());
	{
		promcb::Segment metrics(path.c_str());
		promcb::Component in_scopes(metrics, "scopes");

		policies(metrics);
		scopes(in_scopes, promcb::Breaker(in_scopes, never));
		moves(promcb::Breaker(promcb::Component(metrics, "moves"), never));
		refusals(promcb::Breaker(promcb::Component(metrics, "refusals"), never));
#if __cpp_exceptions
		exceptions(promcb::Breaker(promcb::Component(metrics, "exceptions"), never));
#endif
	}
	unlink(path.c_str());
	return failures ? 1 : 0;
}
