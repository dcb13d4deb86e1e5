/* SPDX-License-Identifier: MIT */
/* record.h: of the record path, what timers need and no application. Async-signal-safe. */
#ifndef PROMCB_RECORD_H
#define PROMCB_RECORD_H

#include "record/entry.h"

/* Records a call whose clock went backwards: with a latency of 0, and counted as such. */
void promcb_record_backward(struct promcb_component *component, bool success, uint64_t now_ns);

#endif
