/* SPDX-License-Identifier: MIT */
/*
 * metric.h: counters, levels, gauges, histograms and infos with labels, in the segment that calls are recorded in.
 *
 *     struct promcb_metric_family *sent;
 *     struct promcb_counter *sent_to_peer;
 *
 *     promcb_family_register(metrics, &(struct promcb_family_spec){
 *             .name = "proxy_sent_bytes_total", .help = "Bytes sent to a peer.", .unit = "bytes",
 *             .type = PROMCB_COUNTER, .labels = (const char *const[]){"peer", NULL}}, &sent);
 *     promcb_counter_with(sent, (const char *const[]){"10.0.0.7", NULL}, &sent_to_peer);
 *     promcb_counter_add(sent_to_peer, 1460);
 *
 * A family has a name, a type, a unit and names of labels; a series is one family with one value for each of its
 * labels, and is what counts. Keep the handles of series that are known in advance; what ends in _with finds the series
 * by its label values in each call, for those that are not.
 *
 * Kinds
 *   counter     only grows. Shared by all processes, and survives them.
 *   level       an amount that is added to and taken from: the length of a queue that outlives its processes. As cheap
 *               as a counter, and survives the processes as well.
 *   gauge       is set. Of the process: each living process has a value of its own, and the sum, the least or the
 *               greatest is shown; a process that ends, in whatever way, takes its value along. Or of the segment: the
 *               last that was set by anybody, and stays.
 *   histogram   counts values by size: in buckets of a constant relative width, or of bounds that are given.
 *   info        a constant 1 with labels that say something: a version. Shown while a process that told it lives.
 *
 * Numbers of counters, levels and histograms are whole; with decimals = 3, 1 means 0.001: sums are exact, in whatever
 * order they were added. Doubles are a choice of the family (PROMCB_DOUBLES), at twice the time.
 *
 * Cap: a family has at most series_max series. Label values beyond, and those that are against the rules, are counted
 * in its series whose label values are all "_overflow". Nothing that was counted is lost.
 *
 * Concurrency (T any thread; S also from a signal handler, first use included) and progress
 *      promcb_series_remove, promcb_family_clear,
 *      promcb_series_remove_idle                       T    blocking (this process; -EBUSY while another removes)
 *      promcb_family_register, promcb_family_find,
 *      promcb_*_with                                   T    blocking (this process only); *_add_with and the like are
 *                                                           wait-free for label values seen before
 *      all others                                      T S  wait-free once the thread has used the series in the
 *                                                           present segment; promcb_gauge_add is lock-free
 *
 * Limits of what is set: it needs a lane, which a process takes at the first gauge or info; where none is to be had,
 * setting is dropped, and counted so, as in the child of vfork, but for what its parent has set: that is its parent's.
 * The first time that a process sets a gauge it waits for a fork, as for a component that is looked up: see promcb.h,
 * Caveats. If the segment is removed and made anew, what a process has set goes along as soon as one of its threads
 * finds out, and so does what is set while there is none, or at that moment; but not what a thread that was in the
 * middle of setting then comes to set after another thread has set, added to or cleared the gauge in the new segment,
 * nor seconds later. So an add may be lost in that moment.
 *
 * A thread that records no calls looks where its segments' names lead by these calls: once a second, but up to 64 of
 * them late if they came in a burst.
 */
#ifndef PROMCB_METRIC_H
#define PROMCB_METRIC_H

#include <promcb/promcb.h>

#pragma GCC visibility push(default)
#ifdef __cplusplus
extern "C" {
#endif

struct promcb_metric_family;    /* all of these are valid until the process ends */
struct promcb_counter;
struct promcb_level;
struct promcb_gauge;
struct promcb_histogram;

enum promcb_metric_type {
	PROMCB_COUNTER = 1,
	PROMCB_LEVEL = 2,
	PROMCB_GAUGE = 3,
	PROMCB_HISTOGRAM = 4,
	PROMCB_INFO = 5,
};

/* Of gauges: what is shown of the values that living processes have set; or one value for all. */
enum promcb_scope {
	PROMCB_SCOPE_SUM = 0,
	PROMCB_SCOPE_MIN = 1,
	PROMCB_SCOPE_MAX = 2,
	PROMCB_SCOPE_SEGMENT = 3,
};

/* Flags of a family. */
#define PROMCB_DOUBLES 1u       /* amounts and sums are doubles */

/* Zero every field and set what should differ. */
struct promcb_family_spec {
	const char *name;       /* [a-zA-Z_][a-zA-Z0-9_]*; of counters, it ends in _total; of infos, in _info */
	const char *help;       /* a sentence; NULL: none */
	const char *unit;       /* "bytes", "seconds": the last word of the name, before _total; NULL: none */
	enum promcb_metric_type type;
	enum promcb_scope scope;        /* of gauges */
	const char *const *labels;      /* names, NULL at the end; NULL: none. At most 16 */
	const char *const *enumerated;  /* of counters: all values of one more label, the last; at most 511, NULL at the
					   end; NULL: there is none */
	const char *enumerated_label;   /* and its name */
	uint32_t flags;
	uint32_t decimals;              /* 0 to 9; of histograms 0, 3, 6 or 9; with PROMCB_DOUBLES 0 */
	uint32_t series_max;            /* the cap; default 1,000 */
	uint32_t buckets_per_octave;    /* of histograms: 1, 2, 4, 8, 16 or 32; default 8 */
	double smallest, largest;       /* of histograms, in the unit: values up to the one are in the zero bucket,
					   those above the other in the last, after both were taken outwards to the
					   next bound of a bucket. Default: 2^-30 to 2^10 for seconds, else 1 to 2^40.
					   At most 510 buckets; of whole numbers, largest is below 2^53 units */
	const double *bounds;           /* of histograms: upper bounds of the buckets, ascending; NULL: as above */
	size_t bound_count;             /* at most 60 */
	struct promcb_message *message; /* filled when the call fails */
	uint64_t reserved[4];           /* zero */
};

/*
 * Finds or registers a family. out: always set to a usable handle, even on error: then to one of which nothing is
 * counted. Returns 0, or -errno: -EINVAL (what is against the rules), -EEXIST (the segment has a family of this name
 * that differs, and the message says both), -ENOSPC (no room), -EBUSY, -EMFILE. Other label names under the same name
 * are another family of it. Another help is no difference. Thread-safe.
 */
int promcb_family_register(struct promcb_session *p, const struct promcb_family_spec *spec,
			   struct promcb_metric_family **out);

/*
 * Finds a family that the segment has, whoever registered it: for programs that learn at run time what to count, and
 * take it as it is. labels: its names, the enumerated one among them, in any order, NULL at the end; NULL: whichever
 * family of that name there is. out: as above. spec: what was declared, in one piece of memory that the caller releases
 * with free(3); NULL on error; may itself be NULL. Returns 0, or -errno: -ENOENT (there is none), -EBADMSG (what the
 * segment says of it is against the rules), -ENOMEM, and those of promcb_family_register(). Thread-safe.
 */
int promcb_family_find(struct promcb_session *p, const char *name, const char *const *labels,
		       struct promcb_metric_family **out, struct promcb_family_spec **spec);

/*
 * The series of a family that has the label values, made if there is none. values: in the order of the family's labels,
 * each 0 to 1,023 bytes of UTF-8, and all together at most 3,800; NULL at the end. NULL where there are no labels. out:
 * always set: to the series whose values are "_overflow" where the cap is reached or the values are against the rules,
 * else, where the family is of another type or nothing can be counted, to a no-op handle. Returns 0, or -errno:
 * -EINVAL, -ENOSPC (the cap, or no room), -EBUSY, -EMFILE (131,071 handles in this process). Thread-safe.
 */
int promcb_counter_with(struct promcb_metric_family *family, const char *const *values, struct promcb_counter **out);
int promcb_level_with(struct promcb_metric_family *family, const char *const *values, struct promcb_level **out);
int promcb_gauge_with(struct promcb_metric_family *family, const char *const *values, struct promcb_gauge **out);
int promcb_histogram_with(struct promcb_metric_family *family, const char *const *values,
			  struct promcb_histogram **out);
/* An info: shown from now on until this process ends. */
int promcb_info_with(struct promcb_metric_family *family, const char *const *values);

/*
 * The same for bindings of other languages: values with their lengths, which may hold any byte but zero and need no
 * zero behind them; count: how many. out: a struct of the type, as above; of infos a struct promcb_gauge, which is
 * shown once it is set to 1.
 */
int promcb_series_with(struct promcb_metric_family *family, enum promcb_metric_type type, const char *const *values,
		       const size_t *lengths, size_t count, void **out);

/* Adds to a counter. Thread-safe. Async-signal-safe. */
void promcb_counter_add(struct promcb_counter *counter, uint64_t amount);
/* The same, in the family's enumerated value of that index, from 0; one that is none counts as the last. */
void promcb_counter_add_at(struct promcb_counter *counter, uint32_t index, uint64_t amount);
/*
 * In the unit, whatever the decimals: rounded to them, or exact with PROMCB_DOUBLES. A negative amount, NaN or an
 * infinity is counted as rejected, and not added. Thread-safe. Async-signal-safe.
 */
void promcb_counter_add_double(struct promcb_counter *counter, double amount);

/* Adds to a level, or takes away. Thread-safe. Async-signal-safe. */
void promcb_level_add(struct promcb_level *level, int64_t amount);

/*
 * Sets a gauge; adds to it, from 0 where it was not set; takes the value away, so that it is not shown. Thread-safe.
 * Async-signal-safe.
 */
void promcb_gauge_set(struct promcb_gauge *gauge, double value);
void promcb_gauge_add(struct promcb_gauge *gauge, double amount);
void promcb_gauge_clear(struct promcb_gauge *gauge);

/* Counts a value of a histogram, in units of 10^-decimals. Thread-safe. Async-signal-safe. */
void promcb_histogram_observe(struct promcb_histogram *histogram, uint64_t value);
/*
 * In the unit, likewise. NaN and infinities, and without PROMCB_DOUBLES negative values, are counted as rejected, and
 * not observed. Thread-safe. Async-signal-safe.
 */
void promcb_histogram_observe_double(struct promcb_histogram *histogram, double value);

/* The same by label values. Return what the functions above return; what these count as "_overflow" was counted. */
int promcb_counter_add_with(struct promcb_metric_family *family, const char *const *values, uint64_t amount);
int promcb_counter_add_double_with(struct promcb_metric_family *family, const char *const *values, double amount);
int promcb_level_add_with(struct promcb_metric_family *family, const char *const *values, int64_t amount);
int promcb_gauge_set_with(struct promcb_metric_family *family, const char *const *values, double value);
int promcb_gauge_add_with(struct promcb_metric_family *family, const char *const *values, double amount);
int promcb_histogram_observe_with(struct promcb_metric_family *family, const char *const *values, uint64_t value);
int promcb_histogram_observe_double_with(struct promcb_metric_family *family, const char *const *values, double value);

/*
 * Removes a series, for all processes: it is no longer listed, and its place below the cap is free. Whoever touches it
 * after, by whatever handle, from before or looked up again, begins a new series of the name at 0, whose start time is
 * that of the removal: each add is in the old one or in the new one. A scrape at that very moment may show of the old
 * one what is in the new one. Of an observation at that moment, the count may be in the one and the value in the other;
 * doubles are subtracted, and may differ from what was added by the last bit of what they were before. A handle from
 * before has it listed as soon as its value is not 0, even where the cap is reached. A gauge of a process is cleared
 * where this process has set it, and stays listed while others have. values, lengths, count: as promcb_series_with()
 * takes them; lengths NULL: as the others do, and count is not looked at.
 * Returns 0, or -errno: -ENOENT (there is no such series), -EINVAL, -EBUSY (another process removes or resets), -ENOSPC
 * (no room to note what is subtracted: nothing is removed). Thread-safe.
 */
int promcb_series_remove(struct promcb_metric_family *family, const char *const *values, const size_t *lengths,
			 size_t count);

/* Removes all series of the family, one by one. Returns 0, or -errno as above, but -ENOENT. Thread-safe. */
int promcb_family_clear(struct promcb_metric_family *family);

/*
 * Removes the series of the segment that are idle, whoever counted in them: counters and histograms whose numbers have
 * not changed since an earlier call of this, in whatever process, at least age_ns ago, and levels that were 0 then and
 * are. What has changed since is noted for later calls, so the first one of all removes nothing: call it daily. Gauges
 * and infos stay, since their processes take them along. removed: how many, may be NULL. Returns 0, or -errno as above,
 * but -ENOENT. Thread-safe.
 */
int promcb_series_remove_idle(struct promcb_session *p, uint64_t age_ns, uint64_t *removed);

#ifdef __cplusplus
}
#endif
#pragma GCC visibility pop

#endif
