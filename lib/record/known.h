/* SPDX-License-Identifier: MIT */
/*
 * known.h: families and series as this process knows them, whichever file their session presently has.
 *
 * Called with the process's mutex held, but for promcb_known_make(), promcb_known_key(), promcb_known_values(),
 * promcb_known_find() and promcb_known_is_refused().
 *
 * Invariants
 *   - A family and a series are never freed: handles lead to them, and names to those.
 *   - Where they lie in the segment is of the session's generation, or is looked up again, or registered there.
 *     [FOLLOW]
 */
#ifndef PROMCB_KNOWN_H
#define PROMCB_KNOWN_H

#include "record/family.h"
#include "record/open.h"

#include <promcb/native.h>

/* A key is label values, each u16 length and bytes. */
enum {
	PROMCB_KEY_BYTES_MAX = PROMCB_SERIES_VALUES_MAX + 2 * PROMCB_RECORD_LABELS_MAX,
	PROMCB_BOUNDS_MAX = 60,
};

struct promcb_metric_family {
	struct promcb_handle at;        /* its component is the family's place. Session NULL: nothing is counted */
	struct promcb_metric_family *next;     /* of all of the process */
	union promcb_family_image image; /* what was declared */
	uint8_t type, scope;
	bool doubles;
	uint32_t labels;                /* how many values a series has */
	uint32_t width;                 /* cells of a series */
	uint32_t bound_count;
	double scale;                   /* 10^decimals */
	void *overflow;                 /* the handle of the series of what does not fit */
	uint64_t retry_ns;              /* CLOCK_MONOTONIC: it could not be had; not before. 0: it could. Relaxed */
	uint32_t refused;               /* the generation of the segment that refused it. Relaxed */
	int refusal;                    /* and why */
	struct promcb_names series;
	struct promcb_native native;    /* of histograms of constant width */
	double bounds[PROMCB_BOUNDS_MAX]; /* of others: the greatest value of each bucket, */
	uint64_t whole_bounds[PROMCB_BOUNDS_MAX]; /* and as a whole number */
};

/* Of no family: handles of its series do nothing. */
extern struct promcb_metric_family promcb_no_family;

/* Of gauges that count while their process lives. */
static inline bool promcb_family_is_live(const struct promcb_metric_family *family)
{
	return family->type == PROMCB_INFO || (family->type == PROMCB_GAUGE && family->scope != PROMCB_SCOPE_SEGMENT);
}

/* A family that nobody knows of yet, in memory of malloc, as the spec declares it. NULL: no memory. */
struct promcb_metric_family *promcb_known_make(struct promcb_session *p, const union promcb_family_image *image);

/*
 * Makes a key. lengths: NULL where the values end with zeros. Returns its length, or -EINVAL where the values are not
 * as many as the family has labels, or too long.
 */
int promcb_known_key(const struct promcb_metric_family *family, const char *const *values, const size_t *lengths,
		     size_t count, char key[PROMCB_KEY_BYTES_MAX]);

/* A key taken apart. */
struct promcb_values {
	const char *text[PROMCB_RECORD_LABELS_MAX];
	size_t lengths[PROMCB_RECORD_LABELS_MAX];
};

void promcb_known_values(const char *key, size_t bytes, struct promcb_values *values);

/* The handle of a series that this process has had, or NULL. */
static inline void *promcb_known_find(struct promcb_metric_family *family, const char *key, size_t bytes)
{
	return promcb_names_find(&family->series, key, bytes);
}

/* Whether there are so many handles left for series of this process. */
bool promcb_known_has_handles(uint32_t count);

/* The family of the session that this process has declared in the same way, but for its help. NULL: none. */
struct promcb_metric_family *promcb_known_like(const struct promcb_metric_family *family);

/*
 * Adds the family, and the handle of its overflow series. Returns 0, or -EMFILE, -ENOMEM: then it stays the caller's.
 */
int promcb_known_add_family(struct promcb_metric_family *family);

/*
 * The breaker of a component of the family's session: two handles, found by the component's name. policy: kept. As
 * above.
 */
int promcb_known_add_breaker(struct promcb_metric_family *family, struct promcb_component *component, uint64_t *policy,
			     const char *key, size_t bytes, void **out);

/* Adds a series that was found in the family's present segment; all 0: it is not known where. As above. */
int promcb_known_add(struct promcb_metric_family *family, const char *key, size_t bytes,
		     const struct promcb_series_found *at, void **out);

/*
 * Whether the present segment has refused the family, so that nobody waits for it; too_early: and it is not time to try
 * again. Without the mutex.
 */
bool promcb_known_is_refused(const struct promcb_metric_family *family, bool *too_early);

/* The family's place in its session's present segment, registered there if need be. Returns it, or -errno. */
int64_t promcb_known_place(struct promcb_metric_family *family, struct promcb_lane_lease *lease,
			   struct promcb_message *message);

/*
 * The series' first cell in its session's present segment, registered there if need be: that of the overflow series
 * where it cannot be, 0 where there is none either.
 */
uint32_t promcb_known_resolve(struct promcb_series_handle *series, struct promcb_lane_lease *lease);

/*
 * What a thread was about to set in a gauge when its segment was left goes along, too: until another thread has found
 * the gauge where it is now, and may have set it there, or the segment that was left goes. See series->left.
 */
void promcb_known_forward(struct promcb_series_handle *series);

/* The same for a key, without a handle. Returns 0 and what was found, or -errno. */
int promcb_known_register(struct promcb_metric_family *family, struct promcb_lane_lease *lease, const char *key,
			  size_t bytes, struct promcb_series_found *found);

#endif
