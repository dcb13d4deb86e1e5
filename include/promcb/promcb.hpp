// SPDX-License-Identifier: MIT
/*
 * promcb.hpp: promcb.h, breaker.h and metric.h for C++17 and later: handles that know their type, labels as string_view,
 * scopes that time themselves. Header only. Segments and components are in segment.hpp, calls and circuit breakers in
 * breaker.hpp, which it includes.
 *
 *     promcb::Segment metrics;
 *     promcb::Component payments(metrics, "payment_api");
 *     promcb::CounterFamily sent(metrics, promcb::Spec("proxy_sent_bytes_total", "Bytes sent to a peer.")
 *                                                 .unit("bytes").labels({"peer"}));
 *     promcb::Counter to_peer = sent.with("10.0.0.7");
 *
 *     void pay()
 *     {
 *             promcb::Call call(payments);       // recorded when the scope is left, as a failure where by an exception
 *             to_peer.add(1460);
 *     }
 *
 * Nothing here throws, and nothing needs exceptions or run-time type information to be compiled in. A handle is one
 * pointer (of histograms, two words): copy it. One that could not be had does nothing, or counts as "_overflow"; error()
 * of the segment and of the family, which is 0 or -errno, and message() say why. What is thread-safe and signal-safe in
 * C is so here.
 */
#ifndef PROMCB_PROMCB_HPP
#define PROMCB_PROMCB_HPP

#include <promcb/breaker.hpp>
#include <promcb/metric.h>
#include <promcb/segment.hpp>

#include <array>
#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <string_view>
#include <type_traits>

namespace promcb
{

/* How a family is declared: see struct promcb_family_spec. Keeps no more of what it is given than the pointers to text. */
class Spec
{
      public:
	explicit Spec(const char *name, const char *help = nullptr) noexcept
	{
		spec_.name = name;
		spec_.help = help;
	}

	Spec &unit(const char *unit) noexcept { return set(spec_.unit, unit); }
	Spec &decimals(uint32_t decimals) noexcept { return set(spec_.decimals, decimals); }
	Spec &doubles() noexcept { return set(spec_.flags, spec_.flags | PROMCB_DOUBLES); }
	Spec &scope(promcb_scope scope) noexcept { return set(spec_.scope, scope); }
	Spec &series_max(uint32_t series) noexcept { return set(spec_.series_max, series); }

	/* At most 16; more are refused when the family is registered. */
	Spec &labels(std::initializer_list<const char *> names) noexcept { return copy(names, labels_, spec_.labels); }

	/* At most 511 values of one more label, a cell each. */
	Spec &enumerated(const char *label, std::initializer_list<const char *> values) noexcept
	{
		spec_.enumerated_label = label;
		return copy(values, enumerated_, spec_.enumerated);
	}

	Spec &buckets(uint32_t per_octave, double smallest = 0, double largest = 0) noexcept
	{
		spec_.buckets_per_octave = per_octave;
		spec_.smallest = smallest;
		return set(spec_.largest, largest);
	}

	/* At most 60 upper bounds, ascending. */
	Spec &bounds(std::initializer_list<double> bounds) noexcept
	{
		spec_.bound_count = bounds.size();
		for (size_t i = 0; i < bounds.size() && i < bounds_.size(); i++)
			bounds_[i] = bounds.begin()[i];
		return set(spec_.bounds, static_cast<const double *>(bounds_.data()));
	}

	/* Of a histogram of seconds: how many nanoseconds its unit is; 0: it is of doubles. */
	uint32_t ns_per_unit() const noexcept
	{
		uint32_t ns = spec_.flags & PROMCB_DOUBLES ? 0 : 1;

		for (uint32_t decimal = spec_.decimals; decimal < 9; decimal++)
			ns *= 10;
		return ns;
	}

	/* With the pointers of this object: it may have been copied. */
	promcb_family_spec get() const noexcept
	{
		promcb_family_spec spec = spec_;

		spec.labels = spec.labels ? labels_.data() : nullptr;
		spec.enumerated = spec.enumerated ? enumerated_.data() : nullptr;
		spec.bounds = spec.bounds ? bounds_.data() : nullptr;
		return spec;
	}

      private:
	template <class Field, class Value> Spec &set(Field &field, Value value) noexcept
	{
		field = value;
		return *this;
	}

	/* One more than may be is kept, so that the list is refused rather than cut short. */
	template <size_t Size>
	Spec &copy(std::initializer_list<const char *> from, std::array<const char *, Size> &to,
		   const char *const *&field) noexcept
	{
		size_t count = from.size() < Size - 1 ? from.size() : Size - 1;

		for (size_t i = 0; i < count; i++)
			to[i] = from.begin()[i];
		to[count] = nullptr;
		field = to.data();
		return *this;
	}

	promcb_family_spec spec_ = {};
	std::array<const char *, 18> labels_ = {};
	std::array<const char *, 513> enumerated_ = {};
	std::array<double, 61> bounds_ = {};
};

/* Counts up. */
class Counter
{
      public:
	using Handle = promcb_counter;
	static constexpr promcb_metric_type type = PROMCB_COUNTER;

	explicit Counter(Handle *counter, uint32_t = 0) noexcept : counter_(counter) {}
	void add(uint64_t amount = 1) const noexcept { promcb_counter_add(counter_, amount); }
	void add_at(uint32_t index, uint64_t amount = 1) const noexcept
	{
		promcb_counter_add_at(counter_, index, amount);
	}
	/* In the unit, whatever the family's decimals. */
	void add_double(double amount) const noexcept { promcb_counter_add_double(counter_, amount); }
	template <class Real, detail::IfReal<Real> = 0> void add(Real) const = delete;

      private:
	Handle *counter_;
};

/* Goes up and down, and outlives its processes. */
class Level
{
      public:
	using Handle = promcb_level;
	static constexpr promcb_metric_type type = PROMCB_LEVEL;

	explicit Level(Handle *level, uint32_t = 0) noexcept : level_(level) {}
	void add(int64_t amount = 1) const noexcept { promcb_level_add(level_, amount); }
	void subtract(int64_t amount = 1) const noexcept
	{
		/* The least of all has no opposite; to the cell, which wraps, it is its own. */
		promcb_level_add(level_, static_cast<int64_t>(0 - static_cast<uint64_t>(amount)));
	}
	template <class Real, detail::IfReal<Real> = 0> void add(Real) const = delete;
	template <class Real, detail::IfReal<Real> = 0> void subtract(Real) const = delete;

      private:
	Handle *level_;
};

/* Is set; ends with its process, or is the segment's. */
class Gauge
{
      public:
	using Handle = promcb_gauge;
	static constexpr promcb_metric_type type = PROMCB_GAUGE;

	explicit Gauge(Handle *gauge, uint32_t = 0) noexcept : gauge_(gauge) {}
	void set(double value) const noexcept { promcb_gauge_set(gauge_, value); }
	void add(double amount = 1) const noexcept { promcb_gauge_add(gauge_, amount); }
	void clear() const noexcept { promcb_gauge_clear(gauge_); }

      private:
	Handle *gauge_;
};

/* Counts values by size. */
class Histogram
{
      public:
	using Handle = promcb_histogram;
	static constexpr promcb_metric_type type = PROMCB_HISTOGRAM;

	/* ns_per_unit: see Spec. */
	explicit Histogram(Handle *histogram, uint32_t ns_per_unit) noexcept
		: histogram_(histogram), ns_per_unit_(ns_per_unit)
	{
	}

	/* In units of 10^-decimals. */
	void observe(uint64_t value) const noexcept { promcb_histogram_observe(histogram_, value); }
	/* In the unit, whatever the family's decimals. */
	void observe_double(double value) const noexcept { promcb_histogram_observe_double(histogram_, value); }
	template <class Real, detail::IfReal<Real> = 0> void observe(Real) const = delete;

	/* Of a family of seconds, whatever its decimals; rounded to them. A negative duration is observed as 0. */
	template <class Rep, class Period> void observe(std::chrono::duration<Rep, Period> duration) const noexcept
	{
		if (std::chrono::treat_as_floating_point_v<Rep> || ns_per_unit_ == 0)
			observe_double(duration < duration.zero() ? 0
								  : std::chrono::duration<double>(duration).count());
		else
			observe((detail::nanoseconds(duration) + ns_per_unit_ / 2) / ns_per_unit_);
	}

      private:
	Handle *histogram_;
	uint32_t ns_per_unit_;
};

/* Says something by its labels, a version say, while the process lives. */
class Info
{
      public:
	using Handle = promcb_gauge;
	static constexpr promcb_metric_type type = PROMCB_INFO;

	explicit Info(Handle *info, uint32_t = 0) noexcept : info_(info) { promcb_gauge_set(info_, 1); }
	/* No longer shown. */
	void clear() const noexcept { promcb_gauge_clear(info_); }

      private:
	Handle *info_;
};

/* One more of a gauge while the object lives: what is open, in use, waiting. */
class Held
{
      public:
	explicit Held(const Gauge &gauge) noexcept : gauge_(gauge) { gauge_.add(1); }
	Held(const Held &) = delete;
	Held &operator=(const Held &) = delete;
	~Held() { gauge_.add(-1); }

      private:
	Gauge gauge_;
};

/* A histogram of seconds observes how long the object lived. */
class Timer
{
      public:
	explicit Timer(const Histogram &histogram) noexcept
		: histogram_(histogram), start_(std::chrono::steady_clock::now())
	{
	}
	Timer(const Timer &) = delete;
	Timer &operator=(const Timer &) = delete;
	~Timer() { histogram_.observe(std::chrono::steady_clock::now() - start_); }

      private:
	Histogram histogram_;
	std::chrono::steady_clock::time_point start_;
};

/* A family of one type, and its series by label values. */
template <class Series> class Family
{
      public:
	Family(const Segment &segment, const Spec &spec) noexcept : ns_per_unit_(spec.ns_per_unit())
	{
		promcb_family_spec given = spec.get();

		given.type = Series::type;
		given.message = &message_;
		error_ = promcb_family_register(segment.get(), &given, &family_);
	}

	/* The series that has these label values, as many as the family has labels: anything that is a string_view. */
	template <class... Values> Series with(const Values &...values) const noexcept
	{
		const std::array<std::string_view, sizeof...(Values)> views = {std::string_view(values)...};
		const char *texts[sizeof...(Values) + 1] = {};
		size_t lengths[sizeof...(Values) + 1] = {};
		void *found = nullptr;

		for (size_t i = 0; i < views.size(); i++) {
			/* A view of nothing has no address. */
			texts[i] = views[i].data() ? views[i].data() : "";
			lengths[i] = views[i].size();
		}
		promcb_series_with(family_, Series::type, texts, lengths, views.size(), &found);
		return Series(static_cast<typename Series::Handle *>(found), ns_per_unit_);
	}

	/* Removes the series that has these label values, for all processes. Returns 0, or -errno: metric.h. */
	template <class... Values> int remove(const Values &...values) const noexcept
	{
		const std::array<std::string_view, sizeof...(Values)> views = {std::string_view(values)...};
		const char *texts[sizeof...(Values) + 1] = {};
		size_t lengths[sizeof...(Values) + 1] = {};

		for (size_t i = 0; i < views.size(); i++) {
			texts[i] = views[i].data() ? views[i].data() : "";
			lengths[i] = views[i].size();
		}
		return promcb_series_remove(family_, texts, lengths, views.size());
	}

	/* Removes all. Returns 0, or -errno. */
	int clear() const noexcept { return promcb_family_clear(family_); }

	int error() const noexcept { return error_; }
	const char *message() const noexcept { return message_.text[0] ? message_.text : promcb_strerror(error_); }
	promcb_metric_family *get() const noexcept { return family_; }

      private:
	promcb_metric_family *family_ = nullptr;
	uint32_t ns_per_unit_;
	int error_ = 0;
	promcb_message message_ = {};
};

using CounterFamily = Family<Counter>;
using LevelFamily = Family<Level>;
using GaugeFamily = Family<Gauge>;
using HistogramFamily = Family<Histogram>;
using InfoFamily = Family<Info>;

} // namespace promcb

#endif
