/* SPDX-License-Identifier: MIT */
/* checking.h: what a check of the fixture's segment finds. */
#ifndef PROMCB_CHECKING_H
#define PROMCB_CHECKING_H

#include "fixture.h"

struct told {
	int count;
	char sentences[2048];
};

static inline void tell(void *context, const char *sentence)
{
	struct told *told = context;

	told->count++;
	strncat(told->sentences, sentence, sizeof(told->sentences) - strlen(told->sentences) - 2);
	strcat(told->sentences, "\n");
}

static inline int check(struct told *told)
{
	struct promcb_reader *reader;
	int result;

	*told = (struct told){.count = 0};
	cr_assert_eq(promcb_reader_open(fixture_segment, NULL, &reader, NULL), 0);
	result = promcb_reader_check(reader, tell, told);
	promcb_reader_close(reader);
	return result;
}

#endif
