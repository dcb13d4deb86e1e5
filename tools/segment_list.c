/* SPDX-License-Identifier: MIT */
#include "segment_list.h"

#include "common.h"

#include <promcb/admin.h>

#include <stdio.h>

struct list {
	promcb_write_fn *write;
	void *context;
};

/* Opening a segment says more than the list does: why it is unusable. */
static int list_one(void *context, const char *segment, bool usable)
{
	const struct list *list = context;
	struct promcb_message message = {.text = ""};
	struct promcb_reader *reader = NULL;
	int length, error = promcb_reader_open(segment, NULL, &reader, &message);
	char line[1024];

	promcb_reader_close(reader);
	if (usable && error == 0)
		length = snprintf(line, sizeof(line), "usable\t%s\n", segment);
	else
		length = snprintf(line, sizeof(line), "unusable\t%s\t%s\n", segment,
				  promcb_tool_reason(error, &message));
	if (length >= (int)sizeof(line))
		length = (int)sizeof(line) - 1;
	return list->write(list->context, line, (size_t)length);
}

int promcb_tool_list_segments(promcb_write_fn *write, void *context)
{
	struct list list = {.write = write, .context = context};
	int result = promcb_list(NULL, list_one, &list);

	if (result >= 0)
		return 0;
	promcb_tool_complain("cannot list the segments in shared memory: %s", promcb_strerror(result));
	return PROMCB_TOOL_FAILED;
}
