/* SPDX-License-Identifier: MIT */
/*
 * snapshot_check.h: what holds of every snapshot, and of every rendering of one, whatever the segment's bytes were.
 *
 * May include: snapshot.h, reader.h, name.h, fuzz.h. Ends the process where something does not hold.
 */
#ifndef PROMCB_FUZZ_SNAPSHOT_CHECK_H
#define PROMCB_FUZZ_SNAPSHOT_CHECK_H

#include "fuzz.h"
#include "model/snapshot.h"

/* The invariants of snapshot.h, and what follows from them for summaries. with_recent: as the snapshot was taken. */
void fuzz_check_snapshot(const struct promcb_snapshot *snapshot, bool with_recent);

/* Renders in every format that there is, and looks whether each is well-formed on the outside. */
void fuzz_check_renderings(const struct promcb_snapshot *snapshot);

#endif
