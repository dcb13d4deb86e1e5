/* SPDX-License-Identifier: MIT */
/*
 * policy.h: when a breaker opens and closes: judged, put in force, and looked up.
 *
 * A copy is written only while it is not the one that counts, under the resetter's lane. [POLICY] What a process wants
 * goes along to the next segment, which is made without a policy.
 */
#ifndef PROMCB_POLICY_H
#define PROMCB_POLICY_H

#include "base/message.h"
#include "format/terms.h"
#include "record/lane.h"

#include <promcb/breaker.h>

/* Judges a policy, and packs it. Returns 0, or -EINVAL and says why. */
int promcb_policy_pack(const struct promcb_policy *policy, uint64_t words[PROMCB_POLICY_WORDS]);

/* What is in force where nobody has given one: any other takes its place, whatever its version. */
void promcb_policy_default(uint64_t words[PROMCB_POLICY_WORDS]);

/* What is in force. Returns false if there is none: then what never opens by itself. Lock-free, by anybody. */
bool promcb_policy_read(const struct promcb_descriptor *descriptor, struct promcb_terms *terms);

/*
 * Puts a packed one in force, if that is to be, under the resetter's lane: where there is none, or the default, or one
 * of a lower version. anyway: whatever there is. Returns 0, -EEXIST and says what is, -EBUSY (another process has the
 * lane), or -ENOSPC. With the mutex held.
 */
int promcb_policy_put(struct promcb_segment *segment, struct promcb_descriptor *descriptor,
		      const uint64_t words[PROMCB_POLICY_WORDS], bool anyway, struct promcb_message *message);

/* Makes words what this process wants: but for the default, and for a version lower than what it wants already. */
void promcb_policy_want(uint64_t wanted[PROMCB_POLICY_WORDS], const uint64_t words[PROMCB_POLICY_WORDS]);

#endif
