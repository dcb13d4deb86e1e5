/* SPDX-License-Identifier: MIT */
/*
 * gzip.c: zlib's deflate behind one call.
 *
 * zlib counts what it is given and what it has left in 32 bits, so that bodies of 4 GiB and more go in pieces.
 */
#include "gzip.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#define ZLIB_CONST
#include <zlib.h>

/* zlib: the largest window, and 16 more for a gzip header instead of its own. */
enum { GZIP_WINDOW_BITS = 15 + 16, GZIP_LEVEL = 1, GZIP_MEMORY_LEVEL = 8 };

static unsigned piece_of(size_t left)
{
	return left < UINT_MAX ? (unsigned)left : UINT_MAX;
}

int sidecar_gzip(const void *bytes, size_t length, void **out, size_t *out_length)
{
	z_stream stream = {.zalloc = Z_NULL};
	size_t taken = 0, room, done = 0;
	unsigned char *member, *fitting;
	int result;

	if (deflateInit2(&stream, GZIP_LEVEL, Z_DEFLATED, GZIP_WINDOW_BITS, GZIP_MEMORY_LEVEL, Z_DEFAULT_STRATEGY) !=
	    Z_OK)
		return -ENOMEM;
	room = deflateBound(&stream, length);
	member = malloc(room);
	if (!member) {
		deflateEnd(&stream);
		return -ENOMEM;
	}
	do {
		unsigned in = piece_of(length - taken), space = piece_of(room - done);

		stream.next_in = (const unsigned char *)bytes + taken;
		stream.avail_in = in;
		stream.next_out = member + done;
		stream.avail_out = space;
		result = deflate(&stream, in == length - taken ? Z_FINISH : Z_NO_FLUSH);
		taken += in - stream.avail_in;
		done += space - stream.avail_out;
	} while (result == Z_OK);
	deflateEnd(&stream);
	/* The bound is zlib's word that it fits; with room left, nothing but the end stops it. */
	if (result != Z_STREAM_END) {
		free(member);
		return -ENOMEM;
	}
	fitting = realloc(member, done);
	*out = fitting ? fitting : member;
	*out_length = done;
	return 0;
}
