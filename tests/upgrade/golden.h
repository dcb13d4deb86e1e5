/* SPDX-License-Identifier: MIT */
/* golden.h: the recipe of breakers, for golden.c. */
#ifndef PROMCB_GOLDEN_H
#define PROMCB_GOLDEN_H

#include <promcb/promcb.h>

/*
 * One that is closed, one half-open with a probe under way, one in shadow mode and with labels, one that is forced. The
 * session is closed.
 */
void golden_make_breakers(struct promcb_session *p);

/* The same components are called again, if they are in the segment. */
void golden_call_breakers(struct promcb_session *p, const char *segment);

#endif
