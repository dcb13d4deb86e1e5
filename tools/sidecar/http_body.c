/* SPDX-License-Identifier: MIT */
#include "http_body.h"

void sidecar_body_begin(struct sidecar_body_end *body, bool is_chunked, uint64_t length)
{
	*body = (struct sidecar_body_end){
		.state = is_chunked ? SIDECAR_BODY_SIZE
			 : length   ? SIDECAR_BODY_DATA
				    : SIDECAR_BODY_DONE,
		.is_chunked = is_chunked,
		.left = is_chunked ? 0 : length,
	};
}

static int hex_of(char byte)
{
	if (byte >= '0' && byte <= '9')
		return byte - '0';
	byte = (char)(byte | 0x20);
	return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

/* Whether a byte can stand in a line that nobody reads. */
static bool is_text(char byte)
{
	return (unsigned char)byte >= ' ' || byte == '\t';
}

static enum sidecar_body_state after_size(const struct sidecar_body_end *body)
{
	return body->left ? SIDECAR_BODY_DATA : SIDECAR_BODY_TRAILER;
}

/* One byte of what is around chunks. Returns false: it must not stand there. */
static bool step(struct sidecar_body_end *body, char byte)
{
	switch (body->state) {
	case SIDECAR_BODY_SIZE:
		if (hex_of(byte) >= 0) {
			body->left = body->left << 4 | (unsigned)hex_of(byte);
			return ++body->digits <= 15;
		}
		if (!body->digits)
			return false;
		body->state = byte == '\r' ? SIDECAR_BODY_SIZE_END : SIDECAR_BODY_EXTENSION;
		return byte == '\r' || byte == ';' || byte == ' ' || byte == '\t';
	case SIDECAR_BODY_EXTENSION:
		if (byte == '\r')
			body->state = SIDECAR_BODY_SIZE_END;
		return byte == '\r' || is_text(byte);
	case SIDECAR_BODY_SIZE_END:
		body->state = after_size(body);
		return byte == '\n';
	case SIDECAR_BODY_DATA_CR:
		body->state = SIDECAR_BODY_DATA_END;
		return byte == '\r';
	case SIDECAR_BODY_DATA_END:
		body->state = SIDECAR_BODY_SIZE;
		body->digits = 0;
		return byte == '\n';
	case SIDECAR_BODY_TRAILER:
		body->state = byte == '\r' ? SIDECAR_BODY_LAST_END : SIDECAR_BODY_TRAILER_LINE;
		return byte == '\r' || is_text(byte);
	case SIDECAR_BODY_TRAILER_LINE:
		if (byte == '\r')
			body->state = SIDECAR_BODY_TRAILER_END;
		return byte == '\r' || is_text(byte);
	case SIDECAR_BODY_TRAILER_END:
		body->state = SIDECAR_BODY_TRAILER;
		return byte == '\n';
	case SIDECAR_BODY_LAST_END:
		body->state = SIDECAR_BODY_DONE;
		return byte == '\n';
	case SIDECAR_BODY_DATA:
	case SIDECAR_BODY_DONE:
		break;
	}
	return false;
}

unsigned sidecar_body_take(struct sidecar_body_end *body, const char *bytes, size_t length, uint64_t most, size_t *used)
{
	size_t at = 0;

	while (at < length && body->state != SIDECAR_BODY_DONE) {
		if (body->state != SIDECAR_BODY_DATA) {
			if (!step(body, bytes[at++]))
				return 400;
			/* Before it has come. */
			if (body->left > most || body->taken + at > most)
				return 413;
			continue;
		}
		if (body->left > length - at) {
			body->left -= length - at;
			at = length;
		} else {
			at += (size_t)body->left;
			body->left = 0;
			body->state = body->is_chunked ? SIDECAR_BODY_DATA_CR : SIDECAR_BODY_DONE;
		}
	}
	body->taken += at;
	*used = at;
	return body->taken > most ? 413 : 0;
}
