/* SPDX-License-Identifier: MIT */
/*
 * Heads and bodies of requests, taken apart; and answers. What is refused is in tests/e2e/68_sidecar_http.py as well,
 * byte by byte; here is what a program that has taken one finds.
 */
#include "sidecar/http_answer.h"
#include "sidecar/http_body.h"
#include "sidecar/http_head.h"

#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOST "Host: localhost\r\n"

static unsigned parse(struct sidecar_head *head, const char *text)
{
	static char bytes[8192];
	const char *reason = NULL;
	size_t length = strlen(text);
	unsigned status;

	memcpy(bytes, text, length + 1);
	cr_assert_eq(sidecar_head_end(bytes, length, 0), length, "%s", text);
	status = sidecar_head_parse(head, bytes, length, &reason);
	cr_expect(status == 0 || reason);
	return status;
}

Test(http_head, what_a_scraper_asks)
{
	struct sidecar_head head;
	char room[256];

	cr_assert_eq(parse(&head, "GET /metrics?q=a%20b+c&r&s=%zz%00 HTTP/1.1\r\n" HOST
				  "Accept: a\r\nX:\r\naccept:  b \t\r\nConnection: x ,close\r\n\r\n"),
		     0);
	cr_expect_eq(head.method, SIDECAR_METHOD_GET);
	cr_expect_str_eq(sidecar_head_method(&head), "GET");
	cr_expect_str_eq(sidecar_head_path(&head), "/metrics");
	cr_expect_str_eq(sidecar_head_value(&head, "ACCEPT", room, sizeof(room)), "a,b");
	cr_expect_str_eq(sidecar_head_value(&head, "x", room, sizeof(room)), "");
	cr_expect_null(sidecar_head_value(&head, "y", room, sizeof(room)));
	/* What does not fit is left out whole. */
	cr_expect_str_eq(sidecar_head_value(&head, "accept", room, 3), "a");
	cr_expect_null(sidecar_head_value(&head, "host", room, 4));
	cr_expect_str_eq(sidecar_head_argument(&head, "q", room, sizeof(room)), "a b c");
	cr_expect_str_eq(sidecar_head_argument(&head, "q", room, 3), "a%");
	cr_expect_str_eq(sidecar_head_argument(&head, "r", room, sizeof(room)), "");
	cr_expect_str_eq(sidecar_head_argument(&head, "s", room, sizeof(room)), "%zz\xff");
	cr_expect_null(sidecar_head_argument(&head, "t", room, sizeof(room)));
	cr_expect_not(head.keeps_alive);
	cr_expect_not(head.is_old);
}

Test(http_head, targets)
{
	static const struct {
		const char *target, *path;
	} cases[] = {
		{"/", "/"},       {"/a%2Fb%41", "/a/bA"}, {"/%0", "/%0"},        {"/%00x", "/\xffx"},
		{"/a+b", "/a+b"}, {"http://h", "/"},      {"http://h?q=1", "/"}, {"HTTPS://h:1/x?q=1", "/x"},
		{"//x", "//x"},
	};
	struct sidecar_head head;
	char text[200], room[16];

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		snprintf(text, sizeof(text), "HEAD %s HTTP/1.1\r\n" HOST "\r\n", cases[i].target);
		cr_assert_eq(parse(&head, text), 0, "%s", text);
		cr_expect_str_eq(sidecar_head_path(&head), cases[i].path);
		if (strchr(cases[i].target, '?'))
			cr_expect_str_eq(sidecar_head_argument(&head, "q", room, sizeof(room)), "1");
	}
	cr_assert_eq(parse(&head, "OPTIONS * HTTP/1.1\r\n" HOST "\r\n"), 0);
	cr_expect(head.is_for_server);
	cr_expect_str_eq(sidecar_head_path(&head), "");
}

Test(http_head, bodies_and_connections)
{
	struct sidecar_head head;

	cr_assert_eq(parse(&head, "GET / HTTP/1.1\r\n" HOST "Content-Length: 007\r\nExpect: 100-Continue\r\n\r\n"), 0);
	cr_expect_eq(head.body_bytes, 7);
	cr_expect(head.expects_continue);
	cr_expect(head.keeps_alive);
	cr_assert_eq(parse(&head, "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\nExpect: x\r\n\r\n"), 0);
	cr_expect(head.keeps_alive);
	cr_expect(head.is_old);
	cr_assert_eq(parse(&head, "GET / HTTP/1.0\r\nConnection: keep-alive\r\nConnection: close\r\n\r\n"), 0);
	cr_expect_not(head.keeps_alive);
	cr_assert_eq(parse(&head, "GET / HTTP/1.1\r\n" HOST "Transfer-Encoding:\tCHUNKED ,\r\n\r\n"), 0);
	cr_expect(head.is_chunked);
	cr_expect_eq(parse(&head, "GET / HTTP/1.1\r\n" HOST "Content-Length: 999999999999999999\r\n\r\n"), 413);
	/* Nothing of it is read. */
	cr_expect_eq(parse(&head, "PUT / HTTP/1.1\r\n" HOST "Content-Length: 999999999999999999\r\n\r\n"), 0);
}

/* Where it ends is the same, whatever was seen before. */
Test(http_head, ends)
{
	static const char text[] = "\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\n\r\n";
	size_t length = strlen(text), end = 4 + 16 + 9 + 2;

	for (size_t seen = 0; seen < end; seen++) {
		for (size_t now = seen; now <= length; now++)
			cr_expect_eq(sidecar_head_end(text, now, seen), now < end ? 0 : end, "%zu %zu", seen, now);
	}
	cr_expect_eq(sidecar_head_end("GET / HTTP/1.0\n\nx", 17, 0), 16);
	cr_expect_eq(sidecar_head_end("\r\n", 2, 0), 0);
}

static unsigned take(bool is_chunked, const char *text, size_t step, size_t *used)
{
	struct sidecar_body_end body;
	size_t length = strlen(text), done = 0;
	unsigned status = 0;

	sidecar_body_begin(&body, is_chunked, 5);
	while (!status && done < length && body.state != SIDECAR_BODY_DONE) {
		size_t taken = 0, left = length - done;

		status = sidecar_body_take(&body, text + done, left < step ? left : step, 100, &taken);
		done += taken;
	}
	*used = done;
	return status ? status : body.state == SIDECAR_BODY_DONE ? 0 : 1;
}

Test(http_body, however_it_comes)
{
	static const struct {
		bool is_chunked;
		const char *text;
		unsigned status; /* 1: more is to come */
		size_t used;
	} cases[] = {
		{false, "helloGET", 0, 5},
		{false, "hell", 1, 4},
		{true, "5\r\nhello\r\n0\r\n\r\nGET", 0, 15},
		{true, "05;x\r\nhello\r\n00 ;y\r\nA: b\r\nC\r\n\r\nGET", 0, 31},
		{true, "5\r\nhello\r\n0\r\n", 1, 13},
		{true, "65\r\n", 413, 0},
		{true, "fffffffffffffffff\r\n", 413, 0},
		{true, "5\r\nhello!\r\n", 400, 0},
		{true, "5\nhello", 400, 0},
		{true, "g\r\n", 400, 0},
		{true, "\r\n", 400, 0},
		{true, "0\r\n\rx", 400, 0},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		for (size_t step = 1; step < 40; step++) {
			size_t used;
			unsigned status = take(cases[i].is_chunked, cases[i].text, step, &used);

			cr_expect_eq(status, cases[i].status, "%s: %u", cases[i].text, status);
			if (status <= 1)
				cr_expect_eq(used, cases[i].used, "%s: %zu", cases[i].text, used);
		}
	}
}

static unsigned released;

static void release(void *context)
{
	(void)context;
	released++;
}

Test(http_answer, head)
{
	struct sidecar_answer answer = {.status = 0};
	char long_value[5000];
	const char *date;

	memset(long_value, 'x', sizeof(long_value) - 1);
	long_value[sizeof(long_value) - 1] = '\0';
	sidecar_answer_begin(&answer, 404);
	sidecar_answer_body(&answer, "body", 4, release, NULL);
	/* What was said is taken back. */
	sidecar_answer_begin(&answer, 200);
	cr_expect_eq(released, 1);
	sidecar_answer_header(&answer, "X", long_value);
	sidecar_answer_body(&answer, "body", 4, release, NULL);
	sidecar_answer_end(&answer, true, false);
	cr_expect_not(answer.has_failed);
	cr_expect_eq(strncmp(answer.head, "HTTP/1.1 200 OK\r\nDate: ", 23), 0);
	date = strstr(answer.head, " GMT\r\nX: xxx");
	cr_assert_not_null(date);
	cr_expect_eq(date - answer.head, 23 + 25);
	cr_expect_str_eq(answer.head + answer.head_length - 40, "Content-Length: 4\r\nConnection: close\r\n\r\n");
	sidecar_answer_drop(&answer);
	cr_expect_eq(released, 2);
	cr_expect_null(answer.head);
}
