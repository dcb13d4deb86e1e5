/* SPDX-License-Identifier: MIT */
/* record.h: of the record path, what timers and promcb_prepare() need, and no application. Async-signal-safe. */
#ifndef PROMCB_RECORD_H
#define PROMCB_RECORD_H

#include "record/entry.h"

/* Records a call whose clock went backwards: with a latency of 0, and counted as such. */
void promcb_record_backward(struct promcb_component *component, bool success, uint64_t now_ns);

/* Calls with the place where the calling thread records, found as a record finds it. Returns false if there is none. */
bool promcb_record_with_entry(struct promcb_component *component,
			      void (*use)(const struct promcb_entry *at, void *context), void *context);

#endif
