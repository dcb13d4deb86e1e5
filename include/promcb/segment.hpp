// SPDX-License-Identifier: MIT
/*
 * segment.hpp: segments and components for C++17 and later. promcb.hpp includes it, and says what all of them share.
 */
#ifndef PROMCB_SEGMENT_HPP
#define PROMCB_SEGMENT_HPP

#include <promcb/promcb.h>

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <type_traits>

namespace promcb
{

namespace detail
{

/* Whole nanoseconds, 0 to 9.2 x 10^18 (291 years): the nearest of these, and 0 of NaN. */
template <class Rep, class Period> uint64_t nanoseconds(std::chrono::duration<Rep, Period> duration) noexcept
{
	const double most = 9.2e9;

	if (!(duration > duration.zero()))
		return 0;
	if (std::chrono::duration<double>(duration).count() >= most)
		return static_cast<uint64_t>(most * 1e9);
	return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(duration).count());
}

/* For functions that take whole numbers alone: a double would lose what is behind its point without a word. */
template <class Number> using IfReal = std::enable_if_t<std::is_floating_point_v<Number>, int>;

} // namespace detail

/* An opened segment; it is given back with the object. Without arguments that of promcb_default(), which stays. */
class Segment
{
      public:
	Segment() noexcept : segment_(promcb_default()), error_(segment_ ? 0 : -errno), is_default_(true) {}

	explicit Segment(const char *name, const promcb_options *options = nullptr) noexcept
	{
		promcb_options chosen = options ? *options : promcb_options();

		if (!chosen.message)
			chosen.message = &message_;
		error_ = promcb_open(name, &chosen, &segment_);
		if (error_ < 0)
			segment_ = nullptr;
	}

	Segment(const Segment &) = delete;
	Segment &operator=(const Segment &) = delete;

	~Segment()
	{
		if (!is_default_)
			promcb_close(segment_);
	}

	explicit operator bool() const noexcept { return segment_ != nullptr; }
	int error() const noexcept { return error_; }
	const char *message() const noexcept { return message_.text[0] ? message_.text : promcb_strerror(error_); }
	promcb_session *get() const noexcept { return segment_; }

      private:
	promcb_session *segment_ = nullptr;
	int error_ = 0;
	bool is_default_ = false;
	promcb_message message_ = {};
};

/* What is called, and whose calls are counted. */
class Component
{
      public:
	/* name: see promcb_component(); zero-terminated. */
	Component(const Segment &segment, const char *name) noexcept
	{
		error_ = promcb_component_get(segment.get(), name, &component_);
	}

	/*
	 * With labels, which all of its series have: see promcb_component_with(). Texts are zero-terminated.
	 *     promcb::Component reads(metrics, "db", {{"op", "read"}});
	 */
	Component(const Segment &segment, const char *name, std::initializer_list<promcb_label> labels) noexcept
	{
		error_ = promcb_component_with(segment.get(), name, labels.begin(), labels.size(), &component_);
	}

	/* A negative latency is recorded as 0. */
	template <class Rep, class Period>
	void record(std::chrono::duration<Rep, Period> latency, bool success) const noexcept
	{
		promcb_record(component_, detail::nanoseconds(latency), success);
	}

	void record_outcome(bool success) const noexcept { promcb_record_outcome(component_, success); }
	int set_state(promcb_state state) const noexcept { return promcb_set_state(component_, state); }
	promcb_state state() const noexcept { return promcb_state_get(component_); }
	void count_error(promcb_error_type type) const noexcept { promcb_count_error(component_, type); }
	void count_log(promcb_log_level level) const noexcept { promcb_count_log(component_, level); }
	int error() const noexcept { return error_; }
	promcb_component *get() const noexcept { return component_; }

      private:
	promcb_component *component_ = nullptr;
	int error_ = 0;
};

} // namespace promcb

#endif
