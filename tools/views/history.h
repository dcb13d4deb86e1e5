/* SPDX-License-Identifier: MIT */
/*
 * history.h: what came when: columns of time, each with exact counts and histograms of every component that had any.
 *
 * A column covers what came between two looks at a segment. Columns follow one another without a gap in the counts:
 * each begins where the one before ended. New ones are as fine as somebody looks; older ones are joined to coarser ones
 * (tiers), in which counts and buckets are sums: time is lost, and never a call. Beyond the last tier, or the budget of
 * bytes, the oldest column goes.
 *
 * Invariants: a component's totals less the sum of its rows are what came before the first column, where nothing was
 * reset. The sum over windows that follow one another is the sum over the whole. Nothing here reads a clock, a file or
 * a segment: times and counts are the caller's.
 */
#ifndef PROMCB_VIEW_HISTORY_H
#define PROMCB_VIEW_HISTORY_H

#include "row.h"

enum { PROMCB_VIEW_TIERS = 3 };

struct promcb_view_tier {
	uint64_t width_ns; /* of a column; 0 for the first: as it came */
	uint32_t columns;  /* at most, and a column's worth of the next */
};

struct promcb_view_limits {
	struct promcb_view_tier tiers[PROMCB_VIEW_TIERS];
	size_t bytes; /* of columns; 0: no limit */
};

/* 1 s for 5 minutes, 10 s for an hour, 1 min for a day; 32 MiB. */
extern const struct promcb_view_limits promcb_view_default_limits;

/* Why a column is not what was measured in its time. */
enum promcb_view_gap {
	PROMCB_VIEW_GAP_NONE = 0,
	PROMCB_VIEW_GAP_STOPPED = 1, /* nobody looked: its counts are exact, their time within it is not known */
	PROMCB_VIEW_GAP_MISSING = 2, /* there was no segment to be read */
};
enum { PROMCB_VIEW_GAPS = 3 };

/* "stopped", "missing"; NULL for none. */
extern const char *const promcb_view_gap_names[PROMCB_VIEW_GAPS];

struct promcb_view_column {
	uint64_t from_ns, upto_ns; /* Unix */
	uint64_t took_ns;          /* by a clock that is never set */
	uint32_t tier;
	uint32_t gap;              /* enum promcb_view_gap */
	uint32_t length;           /* of rows, in bytes; they are in order of their components */
	uint8_t *rows;
};

/* A component, as of the newest column. */
struct promcb_view_component {
	char *name;
	uint64_t created_ns, since_ns;
	uint64_t last_call_ns, last_failure_ns; /* 0: none, or not known */
	uint64_t changed_ns;
	uint32_t state;
	bool listed;                            /* by the newest look */
	struct promcb_view_counts total;        /* since since_ns */
	struct promcb_view_bytes buckets;       /* likewise, of one outcome and then of the other, as rows have them */
};

struct promcb_view_history {
	uint32_t schema;
	size_t bucket_count;
	struct promcb_view_limits limits;
	struct promcb_view_component *components;
	uint32_t *by_name; /* their numbers, sorted */
	uint32_t component_count, component_room;
	struct promcb_view_column *columns;
	size_t column_count, column_room;
	size_t tier_columns[PROMCB_VIEW_TIERS];
	size_t bytes;
	uint64_t sequence; /* of the newest column: how many there have been */
};

/* Returns 0, -EINVAL (no such schema) or -ENOMEM. */
int promcb_view_history_start(struct promcb_view_history *history, uint32_t schema,
			      const struct promcb_view_limits *limits);
void promcb_view_history_end(struct promcb_view_history *history);

/* The component of that name; UINT32_MAX: there is none. */
uint32_t promcb_view_find(const struct promcb_view_history *history, const char *name);

/* Adds a component, which is not there yet, with zero counts. Returns its number; UINT32_MAX: no memory. */
uint32_t promcb_view_add(struct promcb_view_history *history, const char *name);

/*
 * Adds a column; rows become the history's, or are freed. Columns come in order of time. Returns 0, -ENOMEM, or
 * -EBADMSG (rows that are none, or of components that are not there, or not in order).
 */
int promcb_view_push(struct promcb_view_history *history, const struct promcb_view_column *column);

/* What the names and totals of components take, besides columns. */
size_t promcb_view_component_bytes(const struct promcb_view_history *history);

/* Lets the oldest columns go until those that are left take at most so many bytes, or there is one. */
void promcb_view_trim(struct promcb_view_history *history, size_t bytes);

/* When the first column begins and the last one ends; 0: there is none. */
uint64_t promcb_view_from_ns(const struct promcb_view_history *history);
uint64_t promcb_view_upto_ns(const struct promcb_view_history *history);

/* -- Windows ------------------------------------------------------------------------------------------------------- */

/* The sum over the columns that end in a window. */
struct promcb_view_window {
	uint64_t from_ns, upto_ns; /* what they cover; both 0: nothing */
	double seconds;            /* of it, that somebody looked at: what calls are divided by */
	struct promcb_view_counts counts;
	uint32_t marks;
	uint32_t gaps;             /* of enum promcb_view_gap, as bits */
	uint64_t first_ns, last_ns; /* the ends of the first and the last column with a call; 0: none */
	bool stated;                /* state and changed_ns are those of the last row */
	uint32_t state;
	uint64_t changed_ns;
	uint64_t *buckets;         /* 2 x those of the schema */
};

/*
 * The sum of the columns that end after from_ns and not after upto_ns, of one component: windows that follow one
 * another have no column in common and leave none out. buckets: room for 2 x bucket_count, zeroed here; NULL: none are
 * wanted.
 */
void promcb_view_window(const struct promcb_view_history *history, uint32_t component, uint64_t from_ns,
			uint64_t upto_ns, uint64_t *buckets, struct promcb_view_window *out);

/* The same of every component at once. out and buckets: for component_count of them. */
void promcb_view_windows(const struct promcb_view_history *history, uint64_t from_ns, uint64_t upto_ns,
			 uint64_t *buckets, struct promcb_view_window *out);

/* -- Quantiles of buckets ------------------------------------------------------------------------------------------ */

/* A quantile as it is written: 99.9 % is 999 of 1,000. */
struct promcb_view_quantile {
	uint32_t part, whole;
};

enum promcb_view_firmness {
	PROMCB_VIEW_NONE = 0,   /* fewer than 1 / (1 - quantile) calls: there is no such quantile */
	PROMCB_VIEW_COARSE = 1, /* fewer than ten times as many */
	PROMCB_VIEW_FIRM = 2,
};

/* How many calls have a latency: the sum of the buckets. */
uint64_t promcb_view_measured(const uint64_t *buckets, size_t count);

/*
 * The bucket that a quantile lies in, of one outcome, or of both where also is not NULL. Nearest rank: of n calls the
 * one of rank quantile x n, rounded up. Returns how much it can be relied on; *bucket is set unless there is none.
 */
enum promcb_view_firmness promcb_view_quantile(const uint64_t *buckets, const uint64_t *also, size_t count,
					       struct promcb_view_quantile quantile, size_t *bucket);

#endif
