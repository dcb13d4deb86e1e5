/* SPDX-License-Identifier: MIT */
/*
 * recording.h: a history as bytes, and back: what promcb-top records, and shows again.
 *
 * A recording begins with the 16 bytes "promcb history 1"; entries follow, each of its length and CRC-32 (both 4 bytes,
 * little-endian), a kind, and what the kind has: the segment, a component as it is by then, a column, or what is known
 * of the segment besides. Entries are only ever added, so what a program that was killed had written can be read: an
 * entry that is not whole ends the recording, and is left out.
 *
 * Invariants: a history that is read has the columns that were written, each as it was, and all totals of the last
 * column, to the last call. Bytes may be anything: reading says no, reads nothing beyond, and takes at most a few
 * hundred bytes of memory for each entry besides the recording's own size.
 */
#ifndef PROMCB_VIEW_RECORDING_H
#define PROMCB_VIEW_RECORDING_H

#include "history.h"

enum { PROMCB_VIEW_RECORDING_MARK = 16, PROMCB_VIEW_SEGMENT_MAX = 511, PROMCB_VIEW_COMPONENTS_MAX = 65536 };

/* Whether bytes, of which there are at least PROMCB_VIEW_RECORDING_MARK, begin a recording. */
bool promcb_view_is_recording(const void *bytes);

/* What has been written so far. */
struct promcb_view_recorder {
	struct promcb_view_component *known; /* as a reader has them by now; without names */
	uint32_t count, room;
	uint32_t schema;
	uint64_t sequence;
	struct promcb_segment_info info;
};

/*
 * Begins a recording: all that a history has so far is put to out. Returns 0, or -ENOMEM, after which, as in the end,
 * promcb_view_recorder_end() is due.
 */
int promcb_view_record_first(struct promcb_view_recorder *recorder, const struct promcb_view_history *history,
			     const char *segment, const struct promcb_segment_info *info,
			     struct promcb_view_bytes *out);

/* The same of the columns that end after a moment. */
int promcb_view_record_since(struct promcb_view_recorder *recorder, const struct promcb_view_history *history,
			     const char *segment, const struct promcb_segment_info *info, uint64_t from_ns,
			     struct promcb_view_bytes *out);

/*
 * Puts what came since. Returns 0, -ENOMEM, or -ESTALE: it is another history by now, or so much came
 * that some of it has been joined.
 */
int promcb_view_record_more(struct promcb_view_recorder *recorder, const struct promcb_view_history *history,
			    const struct promcb_segment_info *info, struct promcb_view_bytes *out);

void promcb_view_recorder_end(struct promcb_view_recorder *recorder);

/* What was recorded. */
struct promcb_view_recording {
	struct promcb_view_history history;
	char segment[PROMCB_VIEW_SEGMENT_MAX + 1];
	struct promcb_segment_info info; /* what a list shows of it */
	bool cut;                        /* its last entry is not whole */
};

/* What a recording is read for. */
enum promcb_view_purpose {
	PROMCB_VIEW_TO_LOOK,  /* columns stay as they are; the components' buckets are not kept */
	PROMCB_VIEW_TO_GO_ON, /* promcb_view_take() goes on from it, within the default limits */
};

/*
 * Reads a recording. Returns 0, after which promcb_view_history_end() is due, or -EBADMSG (it is none, or damaged),
 * -EPROTO (of a later version), -ENOMEM.
 */
int promcb_view_recording_read(const void *bytes, size_t length, enum promcb_view_purpose purpose,
			       struct promcb_view_recording *out);

#endif
