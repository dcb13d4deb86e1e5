// SPDX-License-Identifier: MIT
// promcb.hpp: every class of it, by the numbers that a reader finds. A program of its own: it tells what is wrong and
// ends with 1.
#include "found.hpp"

#include <promcb/promcb.hpp>

#include <stdexcept>
#include <unistd.h>

using namespace std::chrono_literals;

/* -- What is said in types ----------------------------------------------------------------------------------------- */

static_assert(sizeof(promcb::Counter) == sizeof(void *) && sizeof(promcb::Level) == sizeof(void *) &&
		      sizeof(promcb::Gauge) == sizeof(void *) && sizeof(promcb::Histogram) <= 2 * sizeof(void *),
	      "a handle is one pointer, of histograms two words");
static_assert(std::is_trivially_copyable_v<promcb::Counter> && std::is_trivially_copyable_v<promcb::Histogram>);
static_assert(!std::is_copy_constructible_v<promcb::Segment> && !std::is_copy_constructible_v<promcb::Call> &&
		      !std::is_copy_constructible_v<promcb::Held> && !std::is_copy_constructible_v<promcb::Timer>,
	      "what ends something at its end does so once");

template <class Series, class Number, class = void> struct Adds : std::false_type {
};
template <class Series, class Number>
struct Adds<Series, Number, std::void_t<decltype(std::declval<Series>().add(std::declval<Number>()))>>
    : std::true_type {
};
template <class Number, class = void> struct Observes : std::false_type {
};
template <class Number>
struct Observes<Number, std::void_t<decltype(std::declval<promcb::Histogram>().observe(std::declval<Number>()))>>
    : std::true_type {
};
static_assert(Adds<promcb::Counter, int>() && Adds<promcb::Counter, size_t>() && Adds<promcb::Level, int>());
static_assert(Observes<int>() && Observes<size_t>() && Observes<std::chrono::minutes>());
static_assert(!Adds<promcb::Counter, double>() && !Adds<promcb::Level, float>() && !Observes<double>(),
	      "what is behind the point of a double is not dropped without a word");

static bool is_near(double value, double expected)
{
	return std::fabs(value - expected) < 1e-9;
}

/* -- Segments ------------------------------------------------------------------------------------------------------ */

static void segment_that_cannot_be_had()
{
	promcb::Segment none("/no/such/directory/segment");
	promcb::Component component(none, "a");
	promcb::CounterFamily family(none, promcb::Spec("none_total").labels({"a"}));
	promcb::HistogramFamily histograms(none, promcb::Spec("none_seconds").unit("seconds"));

	CHECK(!none && none.error() == -ENOENT && none.message()[0]);
	CHECK(component.error() < 0 && family.error() < 0 && family.message()[0]);
	/* Without harm. */
	component.record(1ms, true);
	component.record_outcome(false);
	component.set_state(PROMCB_OPEN);
	component.count_log(PROMCB_LOG_ERROR);
	CHECK(component.state() == PROMCB_CLOSED);
	family.with("x").add(1);
	histograms.with().observe(1s);
	promcb::Call call(component);
}

static void segment_of_the_environment()
{
	promcb_session *first;

	setenv("PROMCB_SEGMENT", path.c_str(), 1);
	{
		promcb::Segment metrics;

		CHECK(metrics && metrics.error() == 0);
		first = metrics.get();
	}
	/* It stayed. */
	promcb::Segment metrics;
	promcb::Counter counter = promcb::CounterFamily(metrics, promcb::Spec("default_total")).with();

	CHECK(metrics.get() == first);
	counter.add();
	CHECK(Found().number("default_total") == 1);
}

static void segment_of_options_and_a_message()
{
	promcb_options options = {};
	promcb_message message = {};

	options.lanes = UINT32_MAX;
	{
		promcb::Segment refused(path.c_str(), &options);
		CHECK(!refused && refused.error() == -EINVAL && std::strstr(refused.message(), "lanes"));
	}
	options.message = &message;
	promcb::Segment refused(path.c_str(), &options);
	CHECK(refused.error() == -EINVAL && std::strstr(message.text, "lanes") && refused.message()[0]);
}

/* -- Components ---------------------------------------------------------------------------------------------------- */

static void component_records_durations(const promcb::Segment &metrics)
{
	promcb::Component component(metrics, "durations"), copied(component);

	CHECK(component.error() == 0);
	component.record(2ms, true);
	copied.record(std::chrono::duration<double>(0.004), false);
	component.record(-5s, true); // 0
	component.record(std::chrono::duration<double>(std::nan("")), true); // 0
	component.record(std::chrono::hours::max(), true);
	component.record(std::chrono::duration<double>(1e300), true);
	component.record_outcome(false);
	component.count_log(PROMCB_LOG_WARNING);
	CHECK(component.set_state(PROMCB_HALF_OPEN) == 0 && copied.state() == PROMCB_HALF_OPEN);

	Found found;
	promcb_summary summary = found.component("durations");

	CHECK(summary.total_calls == 7 && summary.failed_calls == 2 && summary.unmeasured_calls == 1);
	CHECK(summary.state == PROMCB_HALF_OPEN && summary.log_entries[PROMCB_LOG_WARNING] == 1);
	CHECK(summary.min_latency == 0 && found.info().saturated_calls == 2);
}

struct CallsAtTheEnd {
	const promcb::Component &component;

	~CallsAtTheEnd()
	{
		promcb::Call call(component);
	}
};

static void call_counts_what_ended_its_scope(const promcb::Segment &metrics)
{
	promcb::Component component(metrics, "scopes");

	{
		promcb::Call call(component);
	}
	{
		promcb::Call call(component);
		call.fail();
	}
	{
		promcb::Call call(component);
		call.drop();
	}
	try {
		promcb::Call call(component);
		throw std::runtime_error("a failure");
	} catch (const std::runtime_error &) {
	}
	try {
		/* The call is made and ends while another exception is under way: a success. */
		CallsAtTheEnd end{component};
		throw std::runtime_error("none of its own");
	} catch (const std::runtime_error &) {
	}
	promcb_summary summary = Found().component("scopes");

	CHECK(summary.total_calls == 4 && summary.failed_calls == 2 && summary.unmeasured_calls == 0);
}

/* -- Families ------------------------------------------------------------------------------------------------------ */

/* The lists that it is given end with each full expression, and the object that it was made in with the function. */
static promcb::Spec spec_of_lists()
{
	promcb::Spec spec("lists_total", "By method and code.");

	spec.labels({"method"});
	spec.enumerated("code", {"ok", "bad", "other"});
	return spec;
}

static void spec_is_copied_with_its_lists(const promcb::Segment &metrics)
{
	std::optional<promcb::Spec> first = spec_of_lists();
	promcb::Spec second = *first, third("x");

	first.reset();
	third = second;
	promcb::CounterFamily family(metrics, third);
	CHECK(family.error() == 0);
	family.with("GET").add_at(1, 5);
	family.with("GET").add_at(99); // as the last
	family.with("PUT").add(2); // as the first

	promcb::HistogramFamily sizes(metrics,
				      promcb::Spec(promcb::Spec("lists_bytes").unit("bytes").bounds({10, 100})));
	sizes.with().observe(10);
	sizes.with().observe(11);

	Found found;
	CHECK(found.number("lists_total", {"GET", "ok"}) == 0 && found.number("lists_total", {"GET", "bad"}) == 5);
	CHECK(found.number("lists_total", {"GET", "other"}) == 1 && found.number("lists_total", {"PUT", "ok"}) == 2);
	CHECK(found.family("lists_bytes")->buckets == 3 && found.count("lists_bytes") == 2);
}

/* Numerals of two and three digits. */
#define TEN(x) x "0", x "1", x "2", x "3", x "4", x "5", x "6", x "7", x "8", x "9"
#define HUNDRED(x)                                                                                                  \
	TEN(x "0"), TEN(x "1"), TEN(x "2"), TEN(x "3"), TEN(x "4"), TEN(x "5"), TEN(x "6"), TEN(x "7"), TEN(x "8"), \
		TEN(x "9")

static void spec_refuses_what_is_too_much(const promcb::Segment &metrics)
{
	promcb::CounterFamily labels(metrics, promcb::Spec("much_total")
						      .labels({"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k",
							       "l", "m", "n", "o", "p", "q"}));
	promcb::CounterFamily enumerated(
		metrics, promcb::Spec("much_total")
				 .enumerated("v", {HUNDRED("0"), HUNDRED("1"), HUNDRED("2"), HUNDRED("3"), HUNDRED("4"),
						   TEN("50"), "510", "511"}));
	promcb::CounterFamily most(metrics, promcb::Spec("most_total")
						    .enumerated("v", {HUNDRED("0"), HUNDRED("1"), HUNDRED("2"),
								      HUNDRED("3"), HUNDRED("4"), TEN("50"), "510"}));
	promcb::HistogramFamily bounds(
		metrics, promcb::Spec("much").bounds({1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15, 16,
						      17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32,
						      33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48,
						      49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63}));
	promcb::GaugeFamily decimals(metrics, promcb::Spec("much").decimals(10));

	CHECK(labels.error() == -EINVAL && std::strstr(labels.message(), "label"));
	CHECK(enumerated.error() == -EINVAL && bounds.error() == -EINVAL && decimals.error() == -EINVAL);
	labels.with().add();
	enumerated.with().add();
	most.with().add_at(510, 3);
	bounds.with().observe(1);
	CHECK(most.error() == 0 && Found().number("most_total", {"510"}) == 3);
	CHECK(!Found().family("much_total") && !Found().family("much"));
}

static promcb::Counter series_of_a_family_that_ends(const promcb::Segment &metrics)
{
	return promcb::CounterFamily(metrics, promcb::Spec("labels_total").labels({"a", "b"}).series_max(7))
		.with("gone", "");
}

static void family_takes_strings_of_all_kinds(const promcb::Segment &metrics)
{
	promcb::CounterFamily family(metrics, promcb::Spec("labels_total").labels({"a", "b"}).series_max(7)),
		copied(family);
	const std::string_view two_words("first second");
	std::string name = "first";

	CHECK(family.error() == 0);
	series_of_a_family_that_ends(metrics).add(2);
	copied.with("gone", std::string()).add(3);
	family.with(two_words.substr(0, 5), two_words.substr(6)).add(5); // without a zero behind them
	family.with(name, "second").add(7);
	family.with(std::string_view(), std::string_view()).add(11);
	family.with("", "").add(13);
	family.with("one alone").add(17); // _overflow, as what follows
	family.with("three", "of", "them").add(19);
	family.with(std::string("a zero\0in it", 12), "").add(23);
	for (int i = 0; i < 100; i++)
		family.with("many", std::to_string(i)).add();

	Found found;
	double many = 0;

	CHECK(found.number("labels_total", {"gone", ""}) == 5);
	CHECK(found.number("labels_total", {"first", "second"}) == 12);
	CHECK(found.number("labels_total", {"", ""}) == 24);
	for (int i = 0; i < 4; i++)
		many += found.number("labels_total", {"many", std::to_string(i)});
	CHECK(many == 4);
	CHECK(found.number("labels_total", {"_overflow", "_overflow"}) == 17 + 19 + 23 + 96);
	CHECK(found.family("labels_total")->series_max == 7);

	CHECK(family.remove("gone", std::string()) == 0 && family.remove("gone", "") == -ENOENT);
	family.with("gone", "").add(2);
	CHECK(Found().number("labels_total", {"gone", ""}) == 2);
	CHECK(family.clear() == 0);
	CHECK(Found().family("labels_total")->series == 0);
}

static void family_that_differs(const promcb::Segment &metrics)
{
	promcb::LevelFamily level(metrics, promcb::Spec("differs")),
		again(metrics, promcb::Spec("differs", "Another help."));
	promcb::GaugeFamily gauge(metrics, promcb::Spec("differs"));

	CHECK(level.error() == 0 && again.error() == 0 && again.get() == level.get());
	CHECK(gauge.error() == -EEXIST && std::strstr(gauge.message(), "differs"));
	gauge.with().set(5);
	again.with().add(1);
	CHECK(Found().number("differs") == 1);
}

/* -- Series -------------------------------------------------------------------------------------------------------- */

static void counters_and_levels(const promcb::Segment &metrics)
{
	promcb::Counter counter = promcb::CounterFamily(metrics, promcb::Spec("counted_total")).with(), copy = counter;
	promcb::Counter decimal = promcb::CounterFamily(metrics, promcb::Spec("decimal_total").decimals(3)).with();
	promcb::Counter real = promcb::CounterFamily(metrics, promcb::Spec("real_total").doubles()).with();
	promcb::Level level = promcb::LevelFamily(metrics, promcb::Spec("level")).with();
	promcb::Level least = promcb::LevelFamily(metrics, promcb::Spec("least")).with();
	uint64_t rejected = Found().info().rejected_values;

	counter.add();
	copy.add(size_t(41));
	decimal.add(1500);
	decimal.add_double(0.25);
	real.add_double(0.5);
	real.add_double(-1);
	real.add_double(std::nan(""));
	real.add(2);
	level.add();
	level.add(10);
	level.add(-30);
	level.subtract();
	level.subtract(-7);
	least.subtract(INT64_MIN);

	Found found;
	CHECK(found.number("counted_total") == 42);
	CHECK(found.number("decimal_total") == 1.75 && found.number("real_total") == 2.5);
	CHECK(found.info().rejected_values - rejected == 2);
	CHECK(found.number("level") == 1 + 10 - 30 - 1 + 7 && found.number("least") == -0x1p63);
}

static void gauges_and_what_is_held(const promcb::Segment &metrics)
{
	promcb::GaugeFamily family(metrics, promcb::Spec("gauged").labels({"which"}));
	promcb::Gauge set = family.with("set"), added = family.with("added"), cleared = family.with("cleared");
	promcb::Gauge held = family.with("held");
	promcb::Gauge lasting =
		promcb::GaugeFamily(metrics, promcb::Spec("lasting").scope(PROMCB_SCOPE_SEGMENT)).with();

	set.set(-2.5);
	added.add();
	added.add(-0.25);
	cleared.set(1);
	cleared.clear();
	lasting.set(3);
	{
		promcb::Held one(held), two(held);

		CHECK(Found().number("gauged", {"held"}) == 2);
		try {
			promcb::Held three(held);
			throw std::runtime_error("");
		} catch (const std::runtime_error &) {
		}
		CHECK(Found().number("gauged", {"held"}) == 2);
	}
	Found found;

	CHECK(found.number("gauged", {"held"}) == 0);
	CHECK(found.number("gauged", {"set"}) == -2.5 && found.number("gauged", {"added"}) == 0.75);
	CHECK(!found.series("gauged", {"cleared"}) && found.number("lasting") == 3);
	CHECK(found.family("lasting")->scope == PROMCB_SCOPE_SEGMENT);
}

static void histograms_of_durations(const promcb::Segment &metrics)
{
	promcb::HistogramFamily family(metrics,
				       promcb::Spec("whole_seconds").unit("seconds").decimals(3).labels({"l"}));
	promcb::Histogram whole = family.with("a"), copy = whole;
	promcb::Histogram real =
		promcb::HistogramFamily(metrics, promcb::Spec("real_seconds").unit("seconds").doubles()).with();
	promcb::Histogram far =
		promcb::HistogramFamily(metrics, promcb::Spec("far_seconds").unit("seconds").buckets(2, 1, 1024))
			.with();
	uint64_t rejected = Found().info().rejected_values;

	whole.observe(1500us); // rounded, as what follows: 0.002
	whole.observe(1499us); // 0.001
	copy.observe(2s);
	copy.observe(-2s); // 0
	whole.observe(std::chrono::duration<double>(0.0015)); // 0.002
	whole.observe(std::chrono::duration<float>(-1)); // 0
	whole.observe(std::chrono::duration<double>(std::nan("")));
	whole.observe(7); // 0.007
	whole.observe(size_t(8)); // 0.008
	whole.observe_double(0.25);
	real.observe(250ms);
	real.observe(-1h); // 0
	real.observe_double(-1);
	real.observe(std::chrono::duration<double, std::micro>(0.5));
	far.observe(std::chrono::hours::max());
	far.observe(1min);

	Found found;
	CHECK(found.count("whole_seconds", {"a"}) == 9);
	CHECK(is_near(found.number("whole_seconds", {"a"}), 0.002 + 0.001 + 2 + 0.002 + 0.007 + 0.008 + 0.25));
	CHECK(found.count("real_seconds") == 4 && is_near(found.number("real_seconds"), 0.25 - 1 + 5e-7));
	CHECK(found.count("far_seconds") == 2 && found.number("far_seconds") == 9.2e9 + 60);
	CHECK(found.info().rejected_values - rejected == 1);
}

static void timer_observes_its_scope(const promcb::Segment &metrics)
{
	promcb::Histogram histogram =
		promcb::HistogramFamily(metrics, promcb::Spec("timed_seconds").unit("seconds").decimals(9)).with();
	auto begin = std::chrono::steady_clock::now();

	{
		promcb::Timer timer(histogram);
	}
	{
		promcb::Timer outer(histogram);
		promcb::Timer inner(histogram);
	}
	std::chrono::duration<double> most = std::chrono::steady_clock::now() - begin;
	Found found;

	CHECK(found.count("timed_seconds") == 3);
	CHECK(found.number("timed_seconds") > 0 && found.number("timed_seconds") <= 2 * most.count());
}

static void infos(const promcb::Segment &metrics)
{
	promcb::InfoFamily family(metrics, promcb::Spec("app_build_info", "The build.").labels({"version"}));
	promcb::Info shown = family.with("1.2"), gone = family.with("1.1");

	CHECK(family.error() == 0);
	gone.clear();
	(void)shown;
	Found found;
	CHECK(found.number("app_build_info", {"1.2"}) == 1 && found.family("app_build_info")->series == 1);
}

int main()
{
	path = "/dev/shm/promcb-hpp-" + std::to_string(getpid());
	unlink(path.c_str());
	segment_that_cannot_be_had();
	segment_of_options_and_a_message();
	segment_of_the_environment();
	{
		promcb::Segment metrics(path.c_str());

		CHECK(metrics && metrics.error() == 0);
		component_records_durations(metrics);
		call_counts_what_ended_its_scope(metrics);
		spec_is_copied_with_its_lists(metrics);
		spec_refuses_what_is_too_much(metrics);
		family_takes_strings_of_all_kinds(metrics);
		family_that_differs(metrics);
		counters_and_levels(metrics);
		gauges_and_what_is_held(metrics);
		histograms_of_durations(metrics);
		timer_observes_its_scope(metrics);
		infos(metrics);
	}
	unlink(path.c_str());
	return failures ? 1 : 0;
}
