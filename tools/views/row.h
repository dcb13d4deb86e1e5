/* SPDX-License-Identifier: MIT */
/*
 * row.h: what came of one component in one column of time, and its bytes.
 *
 * A row is a component's number and its counts, of which most buckets are empty: a bucket that is not takes a byte, as
 * a rule (3 bits say how many are passed over, 5 bits the count; more of either follows as whole numbers of 7 bits a
 * byte). Bytes may come from a file: they are believed only as far as they keep to this, and row_get() says no to all
 * others, among them rows of more buckets than there are.
 *
 * Invariant: row_get() of what row_put() wrote is the same row, to the last call.
 */
#ifndef PROMCB_VIEW_ROW_H
#define PROMCB_VIEW_ROW_H

#include <promcb/reader.h>

/* Histograms have no more: those of schema 5. */
enum { PROMCB_VIEW_BUCKETS_MAX = 2048, PROMCB_VIEW_OUTCOMES = 2 };

/* What a row's counts are not: what came between its column's two ends. By how much the eye must be told. */
enum promcb_view_mark {
	PROMCB_VIEW_MARK_CREATED = 1,   /* the component was registered in this column */
	PROMCB_VIEW_MARK_RESET = 2,     /* reset, or the segment recreated: what came before that is lost */
	PROMCB_VIEW_MARK_BACKWARDS = 4, /* counts went back: none are told */
};

struct promcb_view_counts {
	uint64_t calls[PROMCB_VIEW_OUTCOMES]; /* by enum promcb_outcome */
	uint64_t transitions[PROMCB_STATES];
	uint64_t logs[PROMCB_LOG_LEVELS];
	uint64_t latency_ns; /* the sum of all latencies */
};

struct promcb_view_row {
	uint32_t component;
	uint32_t marks;
	uint32_t state;      /* of the breaker at the end; enum promcb_state */
	uint64_t changed_ns; /* of the state, Unix; 0: never */
	struct promcb_view_counts counts;
	/* By outcome, buckets of the first, then of the second: room for 2 x the schema's buckets, the caller's. */
	uint64_t *buckets;
};

/* Bytes that grow. */
struct promcb_view_bytes {
	uint8_t *bytes;
	size_t length, room;
	bool failed; /* no memory: what was put since is missing */
};

/* Bytes to be read; failed once something was not what it should be, and from then on. */
struct promcb_view_span {
	const uint8_t *at, *end;
	bool failed;
};

void promcb_view_put(struct promcb_view_bytes *out, const void *bytes, size_t length);
void promcb_view_put_number(struct promcb_view_bytes *out, uint64_t number);
/* None may be NULL. */
struct promcb_view_span promcb_view_span_of(const uint8_t *bytes, size_t length);
void promcb_view_bytes_free(struct promcb_view_bytes *out);
/* The bytes, which are the caller's from here on, without the room beyond them; NULL: there are none. */
uint8_t *promcb_view_bytes_take(struct promcb_view_bytes *out);
uint64_t promcb_view_get_number(struct promcb_view_span *in);
/* length bytes; NULL: there are not so many. */
const uint8_t *promcb_view_get(struct promcb_view_span *in, size_t length);

/* Buckets that are not empty, of one outcome. */
void promcb_view_put_buckets(struct promcb_view_bytes *out, const uint64_t *buckets, size_t count);
/* Adds them to what is there. buckets: NULL: they are looked at, not kept. */
void promcb_view_get_buckets(struct promcb_view_span *in, uint64_t *buckets, size_t count);
/* The same of both outcomes, one after the other; no bytes are no calls. */
void promcb_view_put_all_buckets(struct promcb_view_bytes *out, const uint64_t *buckets, size_t count);
void promcb_view_get_all_buckets(struct promcb_view_span *in, uint64_t *buckets, size_t count);

void promcb_view_put_counts(struct promcb_view_bytes *out, const struct promcb_view_counts *counts);
void promcb_view_get_counts(struct promcb_view_span *in, struct promcb_view_counts *counts);
void promcb_view_add_counts(struct promcb_view_counts *into, const struct promcb_view_counts *counts);

/* count: of the schema's buckets. */
void promcb_view_row_put(struct promcb_view_bytes *out, const struct promcb_view_row *row, size_t count);

/* The component of the next row, which is left where it is. */
uint32_t promcb_view_row_peek(const struct promcb_view_span *in);

/* Passes a row over. */
void promcb_view_row_skip(struct promcb_view_span *in);

/*
 * Adds the next row to row, which is zeroed at first: counts and buckets are sums, marks are all of them, and the state
 * is that of the last. buckets: NULL: they are looked at, not kept.
 */
void promcb_view_row_add(struct promcb_view_span *in, struct promcb_view_row *row, size_t count);

#endif
