/* SPDX-License-Identifier: MIT */
#include "http_answer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char *reason_of(unsigned status)
{
	static const struct {
		unsigned status;
		const char *reason;
	} reasons[] = {
		{200, "OK"},
		{304, "Not Modified"},
		{400, "Bad Request"},
		{401, "Unauthorized"},
		{403, "Forbidden"},
		{404, "Not Found"},
		{405, "Method Not Allowed"},
		{413, "Content Too Large"},
		{414, "URI Too Long"},
		{417, "Expectation Failed"},
		{429, "Too Many Requests"},
		{431, "Request Header Fields Too Large"},
		{500, "Internal Server Error"},
		{501, "Not Implemented"},
		{503, "Service Unavailable"},
		{505, "HTTP Version Not Supported"},
	};

	for (size_t i = 0; i < sizeof(reasons) / sizeof(*reasons); i++) {
		if (reasons[i].status == status)
			return reasons[i].reason;
	}
	return "";
}

static void append(struct sidecar_answer *answer, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void append(struct sidecar_answer *answer, const char *format, ...)
{
	for (;;) {
		size_t left = answer->head_room - answer->head_length,
		       more = answer->head_room ? answer->head_room * 2 : 512;
		va_list arguments;
		char *larger;
		int length;

		va_start(arguments, format);
		length = vsnprintf(answer->head ? answer->head + answer->head_length : NULL, left, format, arguments);
		va_end(arguments);
		if (length >= 0 && (size_t)length < left) {
			answer->head_length += (size_t)length;
			return;
		}
		larger = length < 0 ? NULL : realloc(answer->head, more);
		if (!larger) {
			answer->has_failed = true;
			return;
		}
		answer->head = larger;
		answer->head_room = more;
	}
}

void sidecar_answer_begin(struct sidecar_answer *answer, unsigned status)
{
	char date[64];
	struct tm calendar;
	time_t now = time(NULL);

	sidecar_answer_drop(answer);
	answer->status = status;
	strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&now, &calendar));
	append(answer, "HTTP/1.1 %u %s\r\nDate: %s\r\n", status, reason_of(status), date);
}

void sidecar_answer_header(struct sidecar_answer *answer, const char *name, const char *value)
{
	if (!answer->has_failed)
		append(answer, "%s: %s\r\n", name, value);
}

void sidecar_answer_body(struct sidecar_answer *answer, const void *body, size_t length, void (*release)(void *context),
			 void *context)
{
	answer->body = body;
	answer->body_length = length;
	answer->release = release;
	answer->context = context;
}

void sidecar_answer_text(struct sidecar_answer *answer, const char *text)
{
	char *copy = strdup(text);

	if (copy)
		sidecar_answer_body(answer, copy, strlen(copy), free, copy);
	else
		answer->has_failed = true;
}

void sidecar_answer_end(struct sidecar_answer *answer, bool closes, bool is_old)
{
	if (answer->has_failed)
		return;
	/* What was not modified has the length that it had. */
	if (answer->status != 304)
		append(answer, "Content-Length: %zu\r\n", answer->body_length);
	append(answer, "%s\r\n", closes ? "Connection: close\r\n" : is_old ? "Connection: keep-alive\r\n" : "");
}

void sidecar_answer_drop(struct sidecar_answer *answer)
{
	free(answer->head);
	if (answer->release)
		answer->release(answer->context);
	*answer = (struct sidecar_answer){.status = 0};
}
