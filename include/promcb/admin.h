/* SPDX-License-Identifier: MIT */
/*
 * admin.h: what an operator does to segments: find, size and remove them. Resetting is in promcb.h, since producers
 * may do it too.
 *
 * All of it is thread-safe and blocking. Functions return 0, or a negative errno (promcb_strerror()); a message may
 * be NULL, and else gets a sentence about what was wrong.
 */
#ifndef PROMCB_ADMIN_H
#define PROMCB_ADMIN_H

#include <promcb/promcb.h>

#pragma GCC visibility push(default)
#ifdef __cplusplus
extern "C" {
#endif

/* Room for the longest path of a segment, with its terminating zero. */
#define PROMCB_PATH_MAX 512

/*
 * The file of a segment, whether there is one or not: as promcb_open() takes it, a name lies in /dev/shm, a relative
 * path is made absolute, and NULL is what the environment says. Returns 0, or -EINVAL.
 */
int promcb_segment_path(const char *segment, char path[PROMCB_PATH_MAX], struct promcb_message *message);

/*
 * Creates a segment and leaves it. Returns 0, or -errno: -EEXIST (there is one), else as promcb_open().
 */
int promcb_create(const char *segment, const struct promcb_options *options, struct promcb_message *message);

/*
 * Removes a segment: its name goes immediately, its memory when the last process has left it. Producers that still
 * run notice with their next call, if it comes a second later, else within that second, and go on in a new segment of
 * the same name. force: also while producers live, and what is left of a segment that was written over, if it is the
 * caller's own. Of several that remove one segment at the same time, one does, and none removes a newer one of the same
 * name; they wait for each other, for at most a few seconds. Returns 0, or -errno: -ENOENT, -ESTALE (there is a newer
 * one), -EBUSY (producers live, or another remover is stopped), -EACCES, -EBADMSG (not a segment).
 */
int promcb_remove(const char *segment, bool force, struct promcb_message *message);

/*
 * Calls found for each file in the directory that is a segment by its first bytes; directory NULL: where POSIX shared
 * memory lives. usable: this version can read it. Stops when found returns non-zero, and returns that; else 0, or
 * -errno.
 */
int promcb_list(const char *directory, int (*found)(void *context, const char *segment, bool usable), void *context);

#ifdef __cplusplus
}
#endif
#pragma GCC visibility pop

#endif
