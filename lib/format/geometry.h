/* SPDX-License-Identifier: MIT */
/*
 * geometry.h: judges a header that somebody else wrote, and makes one. Pure; may include: layout.h, bucket.h,
 * message.h.
 *
 * After promcb_header_validate() every offset and count of the geometry copy may be used without a further check
 * against max_bytes: areas lie in order, aligned, without overlap, and end at or below max_bytes.
 */
#ifndef PROMCB_GEOMETRY_H
#define PROMCB_GEOMETRY_H

#include "base/message.h"
#include "format/layout.h"

/*
 * Whether the options make a segment; fills the geometry. page_bytes: of the file system. Returns 0, or -EINVAL with
 * a message.
 */
int promcb_geometry_make(const struct promcb_options *options, uint32_t page_bytes, struct promcb_geometry *geometry,
			 struct promcb_message *message);

/*
 * Whether a private copy of a header can be trusted as far as it goes. path: for the message.
 * Returns 0, -EBADMSG (not a segment, corrupt) or -EPROTO (another format version or ABI).
 */
int promcb_header_validate(const struct promcb_header *header, const char *path, struct promcb_message *message);

/* Where the fixed areas end that a segment has from birth: header to table. */
uint64_t promcb_geometry_fixed_bytes(const struct promcb_geometry *geometry);

#endif
