/* SPDX-License-Identifier: MIT */
/*
 * reader.h: read a segment from outside: attach read-only, take a snapshot, walk it, render it.
 *
 *     struct promcb_reader *reader;
 *     struct promcb_snapshot *snapshot;
 *
 *     if (promcb_reader_open(NULL, NULL, &reader, NULL) == 0) {
 *             if (promcb_reader_snapshot(reader, NULL, &snapshot, NULL) == 0) {
 *                     promcb_render(snapshot, PROMCB_FORMAT_TEXT, NULL, my_write, my_file);
 *                     promcb_snapshot_free(snapshot);
 *             }
 *             promcb_reader_close(reader);
 *     }
 *
 * A reader needs read permission on the segment and nothing else. It trusts no byte of it: a corrupt segment gives
 * -EBADMSG, never a crash. It never waits for a producer. A snapshot is private memory: it stays as it is, and
 * rendering it fails only if memory runs out or the write function fails. A snapshot is all or nothing: it never
 * contains a partial total.
 *
 * One thread at a time may use a reader, and a snapshot while it is being freed; everything else may be shared
 * between threads. Functions that can fail return 0, or a negative errno, which promcb_strerror() explains; a
 * message, where one is taken, may be NULL, and else gets a sentence about what was wrong.
 */
#ifndef PROMCB_READER_H
#define PROMCB_READER_H

#include <promcb/metric.h>
#include <promcb/promcb.h>

#pragma GCC visibility push(default)
#ifdef __cplusplus
extern "C" {
#endif

struct promcb_reader;
struct promcb_snapshot;

/* How a reader gets at the bytes. */
enum promcb_access {
	PROMCB_ACCESS_COPY = 0,   /* pread into private memory: safe in any process */
	PROMCB_ACCESS_MAPPED =
		1, /* map: faster. Truncating the segment raises SIGBUS here: promcb_reader_catch_sigbus() */
};

struct promcb_reader_options {
	enum promcb_access access;
	uint32_t flags;       /* none yet: zero */
	uint64_t reserved[3]; /* zero */
};

/* promcb_snapshot_options.flags */
#define PROMCB_SNAPSHOT_WITHOUT_RECENT 1u /* skip the recent samples: no quantiles, minimum, maximum, average (NaN) */
#define PROMCB_SNAPSHOT_WITH_CALLS 2u     /* keep the recent samples, for promcb_snapshot_call(): 16 bytes each */

struct promcb_snapshot_options {
	uint64_t flags;       /* PROMCB_SNAPSHOT_..., or zero */
	/* Only components and families whose name contains this text, or is like it where it has a "*", any text; NULL:
	   all. */
	const char *matching;
	uint64_t timeout_ns; /* how long to try for a stable view, beside resets and truncations; 0: a second */
	uint64_t deadline_ns; /* of CLOCK_MONOTONIC, when to give up whatever is being done; 0: never */
	uint64_t reserved[4]; /* zero */
};

/* One component, by the names of the Python collector. Latencies are seconds; NaN where the window holds none. */
struct promcb_summary {
	const char *name;               /* with its labels, see promcb_component_with(); ends with the snapshot */
	uint64_t total_calls;           /* since the component was created or reset; success + failure, exactly */
	uint64_t successful_calls;
	uint64_t failed_calls;
	uint64_t unmeasured_calls;      /* of total_calls: those without a latency, promcb_record_outcome() */
	double success_rate;            /* percent of total_calls, 0 to 100; 0 without a call */
	double failure_rate;            /* percent of total_calls; 0 without a call */
	double latency_sum;             /* seconds, of all calls that have a latency */
	double avg_latency;             /* over the recent samples, as all that follow */
	double min_latency;
	double max_latency;
	double p50, p90, p95, p99, p999; /* Hyndman and Fan's type 7 */
	uint64_t recent_calls;          /* how many samples that is */
	double recent_failure_rate;     /* percent of recent_calls; NaN without one */
	enum promcb_state state;
	double last_state_change;       /* Unix seconds; NaN if none, or unknown */
	double last_failure_time;       /* Unix seconds; NaN if none */
	uint64_t transitions[PROMCB_STATES]; /* changes into each enum promcb_state */
	uint64_t log_entries[PROMCB_LOG_LEVELS]; /* by enum promcb_log_level */
	uint64_t reserved[8];           /* zero, until a later version has a use for them */
};

/* The segment as a whole. Counts that cannot be known (locks unsupported) are -1. */
struct promcb_segment_info {
	char path[512];                 /* the file, as opened */
	uint32_t format_major, format_minor;
	uint64_t used_bytes;            /* memory that the file holds */
	uint64_t max_bytes;
	double created;                 /* Unix seconds */
	uint32_t components;            /* registered, "_overflow" not counted */
	uint32_t components_max;
	uint32_t lanes_max;
	int32_t lanes_live;             /* held by a thread now */
	int32_t lanes_idle;             /* held by no thread, with counts in them */
	int32_t lanes_undated;          /* of the live ones: by a clock not known here, so without recent calls */
	int32_t producers;              /* processes that hold a lane */
	uint32_t schema;
	uint32_t recent_samples;
	uint32_t window_seconds;        /* PROMCB_WINDOW_ANY: no limit */
	uint64_t components_rejected;   /* registrations that got "_overflow" */
	uint64_t overflow_calls;        /* calls recorded without a lane: correct, but slower */
	uint64_t dropped_calls;         /* calls that could not be recorded at all */
	uint64_t rejected_calls;        /* calls with a negative, NaN or infinite latency */
	uint64_t saturated_calls;       /* calls longer than PROMCB_LATENCY_MAX_NS */
	uint64_t bad_lines;             /* lines of logs from which no call could be read */
	uint64_t backward_calls;        /* calls whose clock ran backwards, recorded with latency 0 */
	uint64_t families;              /* with their series: what a scrape shows of metric.h */
	uint64_t series;
	uint64_t families_rejected;     /* declared otherwise than they are */
	uint64_t series_rejected;       /* look-ups led to "_overflow": a cap, values against the rules, no room */
	uint64_t rejected_values;       /* negative amounts of counters, NaN, infinities */
	uint64_t dropped_values;        /* could not be recorded at all */
	uint64_t reserved[2];           /* zero, until a later version has a use for them */
};

/*
 * Opens a segment for reading. segment: as for promcb_open(). options: NULL for the defaults. Returns 0, or -errno:
 * -ENOENT (no such segment), -EACCES, -EPROTO (another format version), -EBADMSG (not a segment, or corrupt),
 * -ENOMEM. Thread-safe.
 */
int promcb_reader_open(const char *segment, const struct promcb_reader_options *options, struct promcb_reader **out,
		       struct promcb_message *message);

/* reader: may be NULL. Snapshots taken from it stay. */
void promcb_reader_close(struct promcb_reader *reader);

/*
 * Whether the segment's name now refers to another file. Returns 0 if not, -ESTALE if it was recreated or written over,
 * -ENOENT if it was removed, -EBADMSG if it was truncated.
 */
int promcb_reader_validate(struct promcb_reader *reader);

/*
 * Follows the segment's name: if it refers to another file, see promcb_reader_validate(), the reader goes on with that
 * one. For every reader that takes more than one snapshot, before each: it costs three system calls.
 * Returns 0 if the segment is the one of before, 1 if it is another, or -errno as promcb_reader_open() does. After an
 * error the reader has let go of the file that it had, its snapshots fail with -ENOENT, and a later refresh finds what
 * is there by then. A relative path, and NULL, mean what they meant when the reader was opened.
 */
int promcb_reader_refresh(struct promcb_reader *reader, struct promcb_message *message);

/*
 * Takes a snapshot. What that takes of memory and time is bounded by what the file holds, whatever wrote it; for less
 * time than that, set a deadline. Returns 0, or -errno: -EBADMSG (corrupt), -EAGAIN (components were being reset
 * all the time), -ESTALE (the file was truncated under the reader), -ETIMEDOUT (not done by the deadline), -ENOMEM.
 */
int promcb_reader_snapshot(struct promcb_reader *reader, const struct promcb_snapshot_options *options,
			   struct promcb_snapshot **out, struct promcb_message *message);

void promcb_snapshot_free(struct promcb_snapshot *snapshot);

/* The components listed, sorted by name. The order of two snapshots may differ by what was registered in between. */
size_t promcb_snapshot_count(const struct promcb_snapshot *snapshot);

/* Component index of a snapshot, below promcb_snapshot_count(). Returns 0, or -ENOENT. */
int promcb_snapshot_summary(const struct promcb_snapshot *snapshot, size_t index, struct promcb_summary *out);

/* The component of that full name. Returns 0, or -ENOENT. */
int promcb_snapshot_find(const struct promcb_snapshot *snapshot, const char *name, struct promcb_summary *out);

/*
 * The name of a component without its labels, and its labels, from 0 on in the order of their names: text ends with the
 * snapshot. promcb_snapshot_component() returns how many there are, at most PROMCB_COMPONENT_LABELS_MAX, and copies as
 * many as capacity, or -ENOENT.
 */
int promcb_snapshot_component(const struct promcb_snapshot *snapshot, size_t index, const char **name,
			      struct promcb_label *labels, size_t capacity);

void promcb_snapshot_info(const struct promcb_snapshot *snapshot, struct promcb_segment_info *out);

/* -- When ---------------------------------------------------------------------------------------------------------- */

/*
 * When a snapshot was taken: Unix nanoseconds, and the same moment by CLOCK_MONOTONIC, which is never set. Thread-safe,
 * as all that takes a const struct promcb_snapshot.
 */
uint64_t promcb_snapshot_taken_ns(const struct promcb_snapshot *snapshot);
uint64_t promcb_snapshot_taken_monotonic_ns(const struct promcb_snapshot *snapshot);

/* Moments of a component. */
enum promcb_moment {
	PROMCB_MOMENT_CREATED = 0,           /* it was registered */
	PROMCB_MOMENT_SINCE = 1,             /* since when it counts: its creation, or its last reset */
	PROMCB_MOMENT_LAST_CALL = 2,         /* to 2 ms, and as exact as the stamps of promcb_record_at() are */
	PROMCB_MOMENT_LAST_SUCCESS = 3,      /* likewise */
	PROMCB_MOMENT_LAST_FAILURE = 4,
	PROMCB_MOMENT_LAST_STATE_CHANGE = 5, /* of its circuit breaker */
};

/* Unix nanoseconds. 0: there was none since PROMCB_MOMENT_SINCE, or it is not known, or there is no such component. */
uint64_t promcb_snapshot_moment_ns(const struct promcb_snapshot *snapshot, size_t index, enum promcb_moment moment);

/* -- Latencies ----------------------------------------------------------------------------------------------------- */

enum promcb_outcome { PROMCB_OUTCOME_SUCCESS = 0, PROMCB_OUTCOME_FAILURE = 1, PROMCB_OUTCOME_ANY = 2 };

/*
 * A bucket of latencies: what lies above above_seconds and is not more than upto_seconds. In whole nanoseconds, which
 * is what a segment counts, these are exactly those from least_ns to most_ns; a bucket that none falls in has a
 * least_ns above its most_ns. Longer calls than PROMCB_LATENCY_MAX_NS count as that, in the last bucket. Bucket 0 is
 * the zero bucket: exactly 0 ns.
 */
struct promcb_bucket {
	uint64_t least_ns, most_ns;
	double above_seconds, upto_seconds; /* of the native histogram: powers of 2^(2^-schema) */
	uint64_t reserved[4];               /* 0 */
};

/* How many buckets histograms of a schema (info.schema: 3 to 5) have; 0: no such schema. Thread-safe. */
size_t promcb_bucket_count(uint32_t schema);

/* The bounds of a bucket, from 0 up. Returns 0, or -EINVAL (no such bucket, or schema). Thread-safe. */
int promcb_bucket_bounds(uint32_t schema, size_t bucket, struct promcb_bucket *out);

/*
 * Copies how many calls each bucket holds, of one outcome or of both: as many as capacity, or promcb_bucket_count() of
 * the segment's schema, whichever is less. Calls without a latency are in none. Returns how many buckets there are; 0:
 * no such component, or outcome.
 */
size_t promcb_snapshot_buckets(const struct promcb_snapshot *snapshot, size_t index, enum promcb_outcome outcome,
			       uint64_t *counts, size_t capacity);

/*
 * The bucket that a quantile lies in: of n latencies in order the one of rank quantile x n, rounded up, at least 1; so
 * at least that share of the calls took at most out->most_ns, exactly. quantile: 0 to 1. Of a snapshot that is over all
 * calls since PROMCB_MOMENT_SINCE, of a difference over those in between. *calls, if not NULL: n; where there are fewer
 * than 1 / (1 - quantile), the quantile is their longest. Returns 0, or -errno: -EINVAL (a quantile or an outcome that
 * is none), -ENOENT (no such component), -ENODATA (no call with a latency).
 */
int promcb_snapshot_quantile(const struct promcb_snapshot *snapshot, size_t index, enum promcb_outcome outcome,
			     double quantile, struct promcb_bucket *out, uint64_t *calls);

/* What stands for a latency that is not known: promcb_record_outcome(). */
#define PROMCB_LATENCY_UNMEASURED (UINT64_MAX >> 1)

/* One of the newest calls. */
struct promcb_recent_call {
	uint64_t time_ns;     /* Unix nanoseconds, to 2 ms */
	uint64_t latency_ns;  /* as a float: exact to 16.7 ms, then 6e-8 of it; or PROMCB_LATENCY_UNMEASURED */
	uint64_t failed;      /* 0 or 1 */
	uint64_t reserved[3]; /* 0 */
};

/*
 * One of the newest calls of a component, 0 the newest: of a snapshot taken PROMCB_SNAPSHOT_WITH_CALLS, those that its
 * quantiles are of, summary.recent_calls. Returns 0, or -ENOENT.
 */
int promcb_snapshot_call(const struct promcb_snapshot *snapshot, size_t index, size_t number,
			 struct promcb_recent_call *out);

/* -- Families and series, of metric.h ------------------------------------------------------------------------------ */

/* A family. Text ends with the snapshot. */
struct promcb_family_summary {
	const char *name, *help, *unit; /* help and unit may be empty */
	enum promcb_metric_type type;
	enum promcb_scope scope;
	uint64_t labels;                /* of each series; that of the enumerated values is the last */
	uint64_t series;                /* how many are listed; enumerated values are one each */
	uint64_t series_max;            /* the cap */
	uint64_t refused;               /* look-ups beyond it, and those with label values against the rules */
	uint64_t buckets;               /* of a histogram; 0: it is none */
	uint64_t created_ns;            /* Unix nanoseconds */
	uint64_t reserved[6];           /* zero, until a later version has a use for them */
};

/* A series. */
struct promcb_series_summary {
	double number;                  /* of a histogram, the sum; of an info, 1 */
	uint64_t count;                 /* of a histogram: how many values; else 0 */
	uint64_t created_ns;            /* Unix nanoseconds; since then it counts */
	uint64_t reserved[5];           /* zero, until a later version has a use for them */
};

/*
 * The families that the segment has, sorted by name: those that a scrape shows. promcb_snapshot_difference() has none.
 * Gauges and infos have the series that are set in a living process, or in the segment.
 */
size_t promcb_snapshot_families(const struct promcb_snapshot *snapshot);

/* Family index of a snapshot, below promcb_snapshot_families(). Returns 0, or -ENOENT. */
int promcb_snapshot_family(const struct promcb_snapshot *snapshot, size_t index, struct promcb_family_summary *out);

/* Series number of a family, from 0 on. Returns 0, or -ENOENT. */
int promcb_snapshot_series(const struct promcb_snapshot *snapshot, size_t index, size_t number,
			   struct promcb_series_summary *out);

/* The name of a family's label, from 0 on, and the value that a series has for it. NULL: there is none. */
const char *promcb_snapshot_label(const struct promcb_snapshot *snapshot, size_t index, size_t label);
const char *promcb_snapshot_label_value(const struct promcb_snapshot *snapshot, size_t index, size_t number,
					size_t label);

/*
 * Copies how many values each bucket of a series of a histogram holds: as many as capacity. Returns how many buckets
 * there are; 0: no such series, or no histogram.
 */
size_t promcb_snapshot_series_buckets(const struct promcb_snapshot *snapshot, size_t index, size_t number,
				      uint64_t *counts, size_t capacity);

/* The upper bound of a bucket of a family, included; infinite for the last. NaN: there is no such bucket. */
double promcb_snapshot_series_bound(const struct promcb_snapshot *snapshot, size_t index, size_t bucket);

/* -- Differences --------------------------------------------------------------------------------------------------- */

/* What the counts of a component cover. */
enum promcb_span {
	PROMCB_SPAN_TOTAL = 0,     /* of a snapshot that is no difference: all since PROMCB_MOMENT_SINCE */
	PROMCB_SPAN_BETWEEN = 1,   /* of a difference: all between the two */
	PROMCB_SPAN_CREATED = 2,   /* registered in between: all since */
	PROMCB_SPAN_RESET =
		3,     /* reset in between: all since; what came between the earlier one and the reset is lost */
	PROMCB_SPAN_RECREATED = 4, /* the segment was recreated in between: all since, in the new one; likewise */
	PROMCB_SPAN_UNKNOWN =
		5,   /* counts went back, as where a file was written over by an older one: 0, all of them */
};

/*
 * The difference of two snapshots of one segment, which is a snapshot, too: counts, sums, buckets and transitions of
 * its components are what came in between, exactly, from which rates and quantiles of that time can be taken; their
 * recent calls, states and moments are those of the later one, and so is its promcb_snapshot_info(). A component is
 * listed if the later one lists it. Freed by promcb_snapshot_free(), and independent of both. Returns 0, or 1 if the
 * two are of two segments, as after promcb_reader_refresh() returned 1: each component is then PROMCB_SPAN_RECREATED;
 * or -errno: -EINVAL (later was taken first, one is a difference itself, or their options.matching differ), -ENOMEM.
 * Thread-safe.
 */
int promcb_snapshot_difference(const struct promcb_snapshot *later, const struct promcb_snapshot *earlier,
			       struct promcb_snapshot **out);

/* What the counts of a component cover. PROMCB_SPAN_UNKNOWN if there is no such component. */
enum promcb_span promcb_snapshot_span(const struct promcb_snapshot *snapshot, size_t index);

/*
 * How many seconds that is: what calls are to be divided by to be calls per second. Between two snapshots by
 * CLOCK_MONOTONIC, else by CLOCK_REALTIME; 0 if it is not known.
 */
double promcb_snapshot_seconds(const struct promcb_snapshot *snapshot, size_t index);

/* -- What is idle -------------------------------------------------------------------------------------------------- */

/* What a reader remembers of the snapshots that it has taken: 24 to 96 bytes for a component or a series. */
struct promcb_idle;

/* Returns NULL without memory. */
struct promcb_idle *promcb_idle_new(void);

/* idle: may be NULL. */
void promcb_idle_free(struct promcb_idle *idle);

/*
 * Takes out of a snapshot what has been idle for age_ns, before it is rendered; it is back in the first snapshot after
 * a change, with all that it ever counted. To be called with each snapshot of one reader, and the same idle.
 *
 * A component is idle if nothing was recorded of it and its breaker is closed: since the last of its moments; if it has
 * log lines, whose times are not known, since a snapshot of before, at most. A counter and a histogram, if their
 * numbers are what they were in all snapshots for so long; a level, if it was 0 in them. Gauges and infos never are:
 * they end with their processes. Returns 0, or -errno, and the snapshot is as it was: -ENOMEM, -EINVAL (a difference).
 */
int promcb_snapshot_hide_idle(struct promcb_snapshot *snapshot, struct promcb_idle *idle, uint64_t age_ns);

/* -- Rendering ----------------------------------------------------------------------------------------------------- */

/* What a snapshot is rendered as. */
enum promcb_format {
	PROMCB_FORMAT_TEXT = 0,   /* Prometheus text 0.0.4 */
	PROMCB_FORMAT_JSON = 1,   /* name -> the whole summary */
	PROMCB_FORMAT_HEALTH = 2, /* the health document */
	PROMCB_FORMAT_OPENMETRICS = 3, /* OpenMetrics 1.0.0 */
	PROMCB_FORMAT_PROTOBUF = 4,    /* delimited io.prometheus.client.MetricFamily, with native histograms */
	PROMCB_FORMAT_METRICS = 5,     /* families and series, of metric.h, as JSON */
};

/* A family of the caller's own, rendered after promcb's: of one process, say, or of an HTTP server. */
enum promcb_family_type { PROMCB_FAMILY_GAUGE = 0, PROMCB_FAMILY_COUNTER = 1 };

/* The most labels that a series can be given. */
#define PROMCB_LABELS_MAX 16

/* One number of a family, told apart from the others by its labels. */
struct promcb_series {
	const struct promcb_label *labels; /* in the order of printing, names distinct; NULL: none */
	size_t label_count;
	double number;
	uint64_t since_ns; /* Unix nanoseconds of when a counter began; 0: as options.families_since_ns says */
	uint64_t reserved[2]; /* zero */
};

struct promcb_family {
	const char *name; /* as in text 0.0.4: a counter's ends with "_total" */
	const char *help;
	const char *unit; /* "seconds", "bytes": the last word of the name, "_total" aside; NULL: none */
	enum promcb_family_type type;
	const struct promcb_series *series;
	size_t count;
	uint64_t reserved[2]; /* zero */
};

/* promcb_render_options.flags */
#define PROMCB_RENDER_WITHOUT_COMPAT 1u /* leave out the names that only the Python collector's dashboards use */

struct promcb_render_options {
	uint64_t flags;          /* PROMCB_RENDER_..., or zero */
	double scrape_seconds;   /* what promcb_scrape_duration_seconds says */
	const char *matching;    /* JSON: as in promcb_snapshot_options */
	unsigned classic_schema; /* 0 to 3: 2^that classic buckets per octave; at most the segment's schema is used */
	/* Classic buckets have bounds of 2^first to 2^last seconds, -30 <= first < last <= 10; both 0: -12 to 3. */
	int classic_first, classic_last;
	/*
	 * Labels of every series, the first, to tell what renders. Names of at most 63 bytes that no series has, values
	 * of 1 to 255 bytes of valid UTF-8, and all together no longer than one label can be.
	 */
	const struct promcb_label *labels;
	size_t label_count;
	const struct promcb_family *families; /* the caller's own; NULL: none */
	size_t family_count;
	uint64_t families_since_ns; /* Unix nanoseconds of when counters of theirs began that do not say; 0: unknown */
	/*
	 * What names of components' families begin with, in place of circuit_breaker; NULL: that. At most 63 bytes of
	 * [a-zA-Z_][a-zA-Z0-9_]* that do not end with "_", nor begin with "__" or "promcb". A family of the segment
	 * that has one of the names that come of it is left out, and counted by promcb_families_conflicting.
	 */
	const char *prefix;
	uint64_t reserved[3];       /* zero */
};

/* The longest label of a part, in bytes. */
#define PROMCB_SEGMENT_LABEL_MAX 255

/* One segment's part in a rendering of several. */
struct promcb_render_segment {
	const struct promcb_snapshot *snapshot; /* NULL: it could not be read: its promcb_up is 0 */
	const char *segment;   /* value of its label `segment`: valid UTF-8, not empty; NULL: no such label */
	double scrape_seconds; /* how long its snapshot took */
	uint64_t reserved[2];  /* zero */
};

/* Takes length bytes of a rendering. Returns 0, or a negative errno that ends the rendering. */
typedef int promcb_write_fn(void *context, const void *bytes, size_t length);

/*
 * Renders. options: may be NULL. Returns 0, -EINVAL (no such format, label, prefix or range of classic buckets),
 * -ENOMEM, or what write returned.
 */
int promcb_render(const struct promcb_snapshot *snapshot, enum promcb_format format,
		  const struct promcb_render_options *options, promcb_write_fn *write, void *context);

/*
 * Renders several segments as one: every family once, with all segments' series in the order of the parts.
 * options->scrape_seconds is not looked at. JSON and health: the components of all parts in one object; where a part
 * has a label, each is called "SEGMENT NAME". Returns as promcb_render(); -EINVAL also where a label is not 1 to 255
 * bytes of UTF-8, or where two parts have the same.
 */
int promcb_render_segments(const struct promcb_render_segment *parts, size_t count, enum promcb_format format,
			   const struct promcb_render_options *options, promcb_write_fn *write, void *context);

/*
 * The verdict of the health document: true if every part was read and in no component more calls failed than
 * succeeded. A part without a snapshot is not healthy, and neither is nothing at all. Thread-safe.
 */
bool promcb_parts_healthy(const struct promcb_render_segment *parts, size_t count);

/* "text", "openmetrics", "protobuf", "json", "metrics", "health" to a format. Returns 0, or -EINVAL. */
int promcb_format_parse(const char *name, enum promcb_format *out);

/* What goes into a Content-Type header; NULL for no such format. */
const char *promcb_format_content_type(enum promcb_format format);

/*
 * Checks every invariant of the segment's format that can be seen from outside, and calls report with a sentence for
 * each of the first 20 places where one does not hold, and with one that counts the rest. Returns how many there are,
 * or -errno.
 */
int promcb_reader_check(struct promcb_reader *reader, void (*report)(void *context, const char *sentence),
			void *context);

/*
 * Guards this process against the truncation of mapped segments: installs a SIGBUS handler that chains to the previous
 * one for every other address. Call it from main programs only, never from a library.
 * Returns 0, or -errno.
 */
int promcb_reader_catch_sigbus(void);

#ifdef __cplusplus
}
#endif
#pragma GCC visibility pop

#endif
