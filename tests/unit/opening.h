/* SPDX-License-Identifier: MIT */
/* opening.h: what opening and reading the fixture's segment return, and whether the message says why. */
#ifndef PROMCB_OPENING_H
#define PROMCB_OPENING_H

#include "fixture.h"

static struct promcb_message message;

static inline int open_result(const struct promcb_options *options)
{
	struct promcb_options ours = options ? *options : (struct promcb_options){.max_bytes = 0};
	struct promcb_session *p;
	int result;

	ours.message = &message;
	message.text[0] = 0;
	result = promcb_open(fixture_segment, &ours, &p);
	if (result == 0)
		promcb_close(p);
	return result;
}

static inline int reader_result(void)
{
	struct promcb_reader *reader;
	struct promcb_snapshot *snapshot;
	int result;

	message.text[0] = 0;
	result = promcb_reader_open(fixture_segment, NULL, &reader, &message);
	if (result < 0)
		return result;
	result = promcb_reader_snapshot(reader, NULL, &snapshot, &message);
	if (result == 0)
		promcb_snapshot_free(snapshot);
	promcb_reader_close(reader);
	return result;
}

#define SAYS(part) cr_assert(strstr(message.text, part), "\"%s\" does not say \"%s\"", message.text, part)

#endif
