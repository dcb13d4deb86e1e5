/* SPDX-License-Identifier: MIT */
/*
 * intake.h: lines of a log, as they come from wherever, into calls of a segment.
 *
 * No line stops the rest, and none is lost without a trace: it is a call, or a change of a series (change.h), in every
 * format; or it counts as bad in the segment. Memory does not grow with what is read.
 *
 * SIGTERM, SIGINT and SIGHUP end it as the end of its input does: what is there by then is recorded, and what was wrong
 * is summed up; then the signal kills it. Signals are waited for beside the input, so no handler exists.
 */
#ifndef PROMCB_TOOL_RECORD_INTAKE_H
#define PROMCB_TOOL_RECORD_INTAKE_H

#include "change.h"
#include "format.h"
#include "metric.h"
#include "tally.h"

#include <promcb/promcb.h>

#include <sys/types.h>

/* What is read at most once a signal has come. */
enum { PROMCB_INTAKE_DRAINED_MAX = 1024 * 1024 };

struct promcb_intake {
	struct promcb_session *metrics;
	const struct promcb_line_rules *rules;
	struct promcb_component *overflow;
	struct promcb_component *last; /* the component of the line before; NULL: none */
	size_t last_bytes;
	char last_name[PROMCB_NAME_MAX + 1];
	uint64_t lines; /* begun so far */
	int signals; /* a descriptor that tells of them; -1: none */
	int ending; /* the signal that ends it; 0: none */
	size_t drained_bytes; /* read since then */
	char room[PROMCB_FORMAT_ROOM]; /* of a line's name */
	struct promcb_tally bad[PROMCB_LINE_FAULTS], nameless, homeless, saturated, no_calls,
		changed[PROMCB_CHANGED_WAYS];
	struct promcb_metrics *series;
	struct promcb_change change;
};

/* intake: all zero. Opens the segment, or complains and returns false. */
bool promcb_intake_start(struct promcb_intake *intake, const char *segment, const struct promcb_line_rules *rules);

/* One line, without its newline. */
void promcb_intake_line(struct promcb_intake *intake, const char *bytes, size_t length);

/* A line that has no room, as far as it came: it is bad. */
void promcb_intake_too_long(struct promcb_intake *intake, const char *bytes, size_t length);

/* Reads which signal came, after the descriptor said that one did. Returns whether there is one. */
bool promcb_intake_signal(struct promcb_intake *intake);

/*
 * Sums up what was wrong, and dies of the signal that ended it, if one did. failed: the input could not be read.
 * Returns the status to exit with.
 */
int promcb_intake_end(struct promcb_intake *intake, bool failed);

#endif
