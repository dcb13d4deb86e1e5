/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as a request: where it ends does not depend on how they come; what is taken keeps what http_head.h
 * promises, and nothing is looked at behind its end.
 */
#include "sidecar/http_body.h"
#include "sidecar/http_head.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool truth, const char *what)
{
	if (!truth) {
		fprintf(stderr, "%s\n", what);
		abort();
	}
}

static void check_strings(const struct sidecar_head *head)
{
	char room[64];

	expect(head->header_count <= SIDECAR_HEADERS_MAX, "too many headers");
	expect(head->method_at + strlen(sidecar_head_method(head)) < head->length, "a method beyond the end");
	expect(head->path_at + strlen(sidecar_head_path(head)) < head->length, "a path beyond the end");
	for (unsigned i = 0; i < head->header_count; i++) {
		expect(head->headers[i].name_at + strlen(head->bytes + head->headers[i].name_at) < head->length,
		       "a name beyond the end");
		expect(head->headers[i].value_at + strlen(head->bytes + head->headers[i].value_at) < head->length,
		       "a value beyond the end");
		(void)sidecar_head_value(head, head->bytes + head->headers[i].name_at, room, sizeof(room));
	}
	(void)sidecar_head_argument(head, "q", room, sizeof(room));
}

static void check_taken(const struct sidecar_head *head)
{
	unsigned hosts = 0, lengths = 0, codings = 0;

	for (unsigned i = 0; i < head->header_count; i++) {
		const char *name = head->bytes + head->headers[i].name_at,
			   *value = head->bytes + head->headers[i].value_at;

		expect(*name && !strpbrk(name, " \t\r\n:"), "a name that is no token");
		expect(!strpbrk(value, "\r\n"), "a value of two lines");
		hosts += strcasecmp(name, "Host") == 0;
		lengths += strcasecmp(name, "Content-Length") == 0;
		codings += strcasecmp(name, "Transfer-Encoding") == 0;
	}
	expect(hosts == 1 || (hosts == 0 && head->is_old), "not one Host");
	expect(lengths <= 1, "two lengths");
	expect(!codings || (!lengths && !head->is_old), "a coding and a length");
	expect(head->is_chunked == (codings > 0), "a coding that is not chunked");
	expect(*sidecar_head_path(head) == '/' || head->method > SIDECAR_METHOD_HEAD, "no path");
}

/* In one piece and in pieces of step bytes: the same end, or the same fault. */
static void check_body(bool is_chunked, uint64_t length, const char *bytes, size_t size, size_t step)
{
	struct sidecar_body_end whole, parts;
	size_t used = 0, used_parts = 0;
	unsigned status, status_parts = 0;

	sidecar_body_begin(&whole, is_chunked, length);
	status = sidecar_body_take(&whole, bytes, size, 100000, &used);
	sidecar_body_begin(&parts, is_chunked, length);
	while (!status_parts && used_parts < size && parts.state != SIDECAR_BODY_DONE) {
		size_t left = size - used_parts, taken = 0;

		status_parts = sidecar_body_take(&parts, bytes + used_parts, left < step ? left : step, 100000, &taken);
		used_parts += taken;
	}
	expect(status == status_parts, "a body that depends on how it comes");
	expect(status || used == used_parts, "a body's end that depends on how it comes");
	expect(status || whole.state == parts.state, "a body's state that depends on how it comes");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t end, seen = 0, piecewise = 0;
	struct sidecar_head head;
	const char *reason = NULL;
	unsigned status;
	char *bytes;

	if (size == 0 || size > 60000)
		return 0;
	end = sidecar_head_end((const char *)data, size, 0);
	for (size_t length = 1; length <= size && !piecewise; length++) {
		piecewise = sidecar_head_end((const char *)data, length, seen);
		seen = length;
	}
	expect(end == piecewise, "an end that depends on how it comes");
	for (size_t step = 1; step <= 7; step += 3) {
		check_body(true, 0, (const char *)data, size, step);
		check_body(false, data[0], (const char *)data, size, step);
	}
	if (!end)
		return 0;
	/* No more room than it needs, so that nothing goes beyond unseen. */
	bytes = malloc(end);
	if (!bytes)
		return 0;
	memcpy(bytes, data, end);
	status = sidecar_head_parse(&head, bytes, end, &reason);
	expect(status == 0 || (status >= 400 && status < 600 && reason && *reason), "no such status");
	check_strings(&head);
	if (status == 0)
		check_taken(&head);
	free(bytes);
	return 0;
}
