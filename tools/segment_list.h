/* SPDX-License-Identifier: MIT */
/* segment_list.h: the list of segments that promcb-export and promcb-admin print. */
#ifndef PROMCB_TOOL_SEGMENT_LIST_H
#define PROMCB_TOOL_SEGMENT_LIST_H

#include <promcb/reader.h>

/*
 * Writes a line for each segment in shared memory: "usable" and its name, or "unusable", its name and the reason,
 * separated by tabs. Returns the exit status; what failed was reported.
 */
int promcb_tool_list_segments(promcb_write_fn *write, void *context);

#endif
