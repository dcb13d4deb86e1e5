// SPDX-License-Identifier: MIT
/*
 * breaker.hpp: calls, and the circuit breakers that they go through, for C++17 and later. promcb.hpp includes it, and
 * says what all of them share.
 *
 *     promcb::Breaker payments(component, promcb::Policy().failure_rate(0.3).window(30s).open(10s));
 *
 *     if (promcb::Call call(payments); call) {
 *             if (charge() < 0)
 *                     call.fail(PROMCB_TIMEOUT);
 *     } else {
 *             fall_back();
 *     }
 */
#ifndef PROMCB_BREAKER_HPP
#define PROMCB_BREAKER_HPP

#include <promcb/breaker.h>
#include <promcb/segment.hpp>

#include <exception>

namespace promcb
{

/*
 * When a breaker opens, for how long, and how it closes: see struct promcb_policy, which has the defaults and the ranges.
 * Shares are 0 to 1, to a thousandth, of jitter a hundredth; one that is 0 is off.
 */
class Policy
{
      public:
	Policy &version(uint32_t version) noexcept { return set(policy_.version, version); }
	Policy &failure_rate(double share) noexcept { return set(policy_.failure_permille, parts(share, 1000)); }
	/* Of calls that took longer than that. */
	template <class Rep, class Period>
	Policy &slow_rate(double share, std::chrono::duration<Rep, Period> longer) noexcept
	{
		policy_.slow_ns = detail::nanoseconds(longer);
		return set(policy_.slow_permille, parts(share, 1000));
	}
	Policy &consecutive(uint32_t failures) noexcept
	{
		return set(policy_.consecutive, failures ? failures : PROMCB_POLICY_OFF);
	}
	Policy &min_calls(uint32_t calls) noexcept { return set(policy_.min_calls, calls); }
	template <class Rep, class Period> Policy &window(std::chrono::duration<Rep, Period> window) noexcept
	{
		return set(policy_.window_ms, milliseconds(window));
	}
	/* How long it stays open at first. */
	template <class Rep, class Period> Policy &open(std::chrono::duration<Rep, Period> first) noexcept
	{
		return set(policy_.open_ms, milliseconds(first));
	}
	/* And at most, as it is twice as long each time. */
	template <class Rep, class Period> Policy &open_max(std::chrono::duration<Rep, Period> most) noexcept
	{
		return set(policy_.open_max_ms, milliseconds(most));
	}
	Policy &jitter(double share) noexcept { return set(policy_.jitter_percent, parts(share, 100)); }
	Policy &probes(uint32_t at_a_time) noexcept { return set(policy_.probes, at_a_time); }
	Policy &successes(uint32_t that_close) noexcept { return set(policy_.successes, that_close); }
	Policy &failures(uint32_t that_open) noexcept { return set(policy_.failures, that_open); }
	template <class Rep, class Period> Policy &lease(std::chrono::duration<Rep, Period> lease) noexcept
	{
		return set(policy_.lease_ms, milliseconds(lease));
	}
	Policy &mode(promcb_mode mode) noexcept { return set(policy_.mode, static_cast<uint32_t>(mode)); }
	const promcb_policy &get() const noexcept { return policy_; }

      private:
	Policy &set(uint32_t &field, uint32_t value) noexcept
	{
		field = value;
		return *this;
	}

	/* What is out of range is refused when the policy is put in force, and does not become the default here. */
	static uint32_t parts(double share, uint32_t whole) noexcept
	{
		const double count = share * whole + 0.5;

		if (share == 0)
			return PROMCB_POLICY_OFF;
		if (!(share > 0 && share <= 1))
			return PROMCB_POLICY_OFF - 1;
		return count < 1 ? 1 : static_cast<uint32_t>(count);
	}

	template <class Rep, class Period> static uint32_t milliseconds(std::chrono::duration<Rep, Period> time) noexcept
	{
		const uint64_t ms = (detail::nanoseconds(time) + 500000) / 1000000;

		return ms == 0 || ms >= PROMCB_POLICY_OFF ? PROMCB_POLICY_OFF - 1 : static_cast<uint32_t>(ms);
	}

	promcb_policy policy_ = {};
};

/* The circuit breaker of a component, which all processes share: breaker.h. */
class Breaker
{
      public:
	/* As it is in force, or the default. */
	explicit Breaker(const Component &component) noexcept
	{
		error_ = promcb_breaker_get(component.get(), nullptr, &breaker_);
	}

	Breaker(const Component &component, const promcb_policy &policy) noexcept
	{
		promcb_policy chosen = policy;

		if (!chosen.message)
			chosen.message = &message_;
		error_ = promcb_breaker_get(component.get(), &chosen, &breaker_);
	}

	Breaker(const Component &component, const Policy &policy) noexcept : Breaker(component, policy.get()) {}

	/* How long calls will be refused; 0 where one may be let through, or nothing is known. */
	std::chrono::nanoseconds retry_after() const noexcept
	{
		return std::chrono::nanoseconds(promcb_retry_after(breaker_));
	}

	int force(promcb_mode mode) const noexcept { return promcb_breaker_force(breaker_, mode); }
	template <class Rep, class Period> int trip(std::chrono::duration<Rep, Period> at_least) const noexcept
	{
		return promcb_breaker_trip(breaker_, detail::nanoseconds(at_least));
	}
	int reset() const noexcept { return promcb_breaker_reset(breaker_); }
	int error() const noexcept { return error_; }
	const char *message() const noexcept { return message_.text[0] ? message_.text : promcb_strerror(error_); }
	promcb_breaker *get() const noexcept { return breaker_; }

      private:
	promcb_breaker *breaker_ = nullptr;
	int error_ = 0;
	promcb_message message_ = {};
};

/*
 * One call, from here to the end of the scope, or to end(): a success, or a failure where fail() was called or an
 * exception leaves the scope. It is told once, however the scope is left. Through a breaker it is false where it may not
 * be made: then there is nothing to tell. It can be moved, also into another thread, where its scope begins anew: an
 * exception that is under way at that moment does not count.
 */
class Call
{
      public:
	explicit Call(const Component &component) noexcept : component_(component.get())
	{
		token_.start = promcb_start();
	}

	explicit Call(const Breaker &breaker) noexcept : breaker_(breaker.get())
	{
		if (!promcb_begin(breaker_, &token_))
			breaker_ = nullptr;
	}

	Call(Call &&other) noexcept { take(other); }

	/* What it was before is ended. */
	Call &operator=(Call &&other) noexcept
	{
		if (this != &other) {
			end();
			take(other);
		}
		return *this;
	}

	~Call() { end(); }

	/* Whether it may be made, and has not ended. */
	explicit operator bool() const noexcept { return breaker_ || component_; }

	/* What it counts as when it ends. */
	void fail(promcb_call_outcome outcome = PROMCB_FAILURE) noexcept { outcome_ = outcome; }

	/* Nothing is recorded: it was no call after all. To a breaker it says nothing. */
	void drop() noexcept { outcome_ = PROMCB_IGNORED; }

	void end() noexcept
	{
		if (outcome_ == PROMCB_SUCCESS && std::uncaught_exceptions() > exceptions_)
			outcome_ = PROMCB_FAILURE;
		if (breaker_)
			promcb_end(breaker_, &token_, outcome_);
		else if (component_ && outcome_ != PROMCB_IGNORED)
			promcb_stop(component_, token_.start, outcome_ == PROMCB_SUCCESS);
		breaker_ = nullptr;
		component_ = nullptr;
	}

      private:
	void take(Call &other) noexcept
	{
		breaker_ = other.breaker_;
		component_ = other.component_;
		token_ = other.token_;
		outcome_ = other.outcome_;
		exceptions_ = std::uncaught_exceptions();
		other.breaker_ = nullptr;
		other.component_ = nullptr;
	}

	promcb_breaker *breaker_ = nullptr;
	promcb_component *component_ = nullptr;
	promcb_token token_ = {};
	promcb_call_outcome outcome_ = PROMCB_SUCCESS;
	int exceptions_ = std::uncaught_exceptions();
};

} // namespace promcb

#endif
