/* SPDX-License-Identifier: MIT */
#include "body.h"

#include "gzip.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <urcu/uatomic.h>

static struct sidecar_counted_body *counted(struct sidecar_body *body)
{
	return (struct sidecar_counted_body *)body; /* its first member */
}

void sidecar_body_put(struct sidecar_body *body)
{
	if (body && uatomic_sub_return(&counted(body)->users, 1) == 0)
		free(counted(body));
}

/* What a renderer writes to. */
struct growing {
	struct sidecar_counted_body *body;
	size_t size;
};

static int grow(void *context, const void *bytes, size_t length)
{
	struct growing *growing = context;
	size_t used = growing->body ? growing->body->body.length : 0;

	if (used + length > growing->size || !growing->body) {
		size_t size = 2 * growing->size + length;
		struct sidecar_counted_body *body = realloc(growing->body, sizeof(*body) + size);

		if (!body)
			return -ENOMEM;
		if (!growing->body)
			*body = (struct sidecar_counted_body){.users = 1};
		growing->body = body;
		growing->size = size;
	}
	memcpy(growing->body->bytes + used, bytes, length);
	growing->body->body.length = used + length;
	return 0;
}

/* The renderer's bytes as a body of their own size. Returns 0, or -ENOMEM. */
static int finish(struct growing *growing, enum promcb_format format, struct sidecar_counted_body **out)
{
	/* A rendering without a byte is a body too. */
	int result = growing->body ? 0 : grow(growing, "", 0);

	if (result < 0)
		return result;
	struct sidecar_counted_body *body = realloc(growing->body, sizeof(*body) + growing->body->body.length);

	*out = body ? body : growing->body;
	growing->body = NULL;
	(*out)->body.bytes = (*out)->bytes;
	(*out)->body.content_type = promcb_format_content_type(format);
	return 0;
}

int sidecar_body_render(const struct promcb_render_segment *parts, size_t count, enum promcb_format format,
			const struct promcb_render_options *options, struct sidecar_counted_body **out)
{
	struct growing growing = {.size = 16384};
	int result = promcb_render_segments(parts, count, format, options, grow, &growing);

	if (result == 0)
		result = finish(&growing, format, out);
	free(growing.body);
	return result;
}

int sidecar_body_copy(const void *bytes, size_t length, const char *content_type, struct sidecar_counted_body **out)
{
	struct sidecar_counted_body *body = malloc(sizeof(*body) + length);

	if (!body)
		return -ENOMEM;
	*body = (struct sidecar_counted_body){.users = 1};
	if (length)
		memcpy(body->bytes, bytes, length);
	body->body = (struct sidecar_body){.bytes = body->bytes, .length = length, .content_type = content_type};
	*out = body;
	return 0;
}

int sidecar_body_compress(const struct sidecar_counted_body *plain, struct sidecar_counted_body **out)
{
	struct growing growing = {.size = 0};
	void *bytes;
	size_t length;
	int result = sidecar_gzip(plain->bytes, plain->body.length, &bytes, &length);

	if (result < 0)
		return result;
	result = grow(&growing, bytes, length);
	free(bytes);
	if (result < 0)
		return result;
	*out = growing.body;
	(*out)->body.bytes = (*out)->bytes;
	(*out)->body.content_type = plain->body.content_type;
	(*out)->body.gzipped = true;
	return 0;
}
