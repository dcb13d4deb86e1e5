/* SPDX-License-Identifier: MIT */
/* Lines as servers write them, one by one, with what each means worked out by hand; maps; what syslog puts before. */
#include "record/format.h"
#include "record/map.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NONE UINT64_MAX

static char room[PROMCB_FORMAT_ROOM];
static struct promcb_line_rules rules;

static void use(const char *format, const char *fields)
{
	promcb_map_end(rules.map);
	memset(&rules, 0, sizeof(rules));
	cr_assert(promcb_log_format_parse(format, &rules.format, &rules.unit));
	promcb_failures_default(&rules.failures);
	if (fields)
		cr_assert(!promcb_fields_parse(fields, &rules.fields), "%s", fields);
}

/* In memory of the line's exact size, so that a sanitizer sees a byte read too many. */
static enum promcb_line_fault parse(const char *text, struct promcb_line *line, char *name)
{
	size_t length = strlen(text);
	char *copy = malloc(length ? length : 1);
	enum promcb_line_fault fault;

	memcpy(copy, text, length);
	fault = promcb_format_line(copy, length, &rules, room, line);
	name[0] = 0;
	if (fault == PROMCB_LINE_GOOD)
		snprintf(name, 256, "%.*s", (int)line->component_bytes, line->component);
	free(copy);
	return fault;
}

/* latency_ns: NONE if the outcome alone counts. */
static void expect(const char *text, const char *component, uint64_t latency_ns, bool success)
{
	struct promcb_line line;
	char name[256];
	enum promcb_line_fault fault = parse(text, &line, name);

	cr_expect(fault == PROMCB_LINE_GOOD, "%s: fault %d", text, (int)fault);
	cr_expect(strcmp(name, component) == 0, "%s is of \"%s\", not \"%s\"", text, name, component);
	cr_expect(line.success == success, "%s: success is %d", text, line.success);
	cr_expect((line.measured ? line.latency_ns : NONE) == latency_ns, "%s: measured %d, %" PRIu64 " ns", text,
		  line.measured, line.latency_ns);
}

static void refuse(const char *text, enum promcb_line_fault want)
{
	struct promcb_line line;
	char name[256];
	enum promcb_line_fault fault = parse(text, &line, name);

	cr_expect(fault == want, "%s: fault %d, not %d", text, (int)fault, (int)want);
}

/* Reads a map of these bytes. */
static struct promcb_map *map_of(const char *text)
{
	char path[] = "/tmp/promcb_map_XXXXXX";
	int descriptor = mkstemp(path);
	struct promcb_map *map;

	cr_assert(descriptor >= 0 && write(descriptor, text, strlen(text)) == (ssize_t)strlen(text));
	close(descriptor);
	map = promcb_map_read(path);
	unlink(path);
	return map;
}

#define HEAD "192.0.2.1 - bob [28/Nov/2026:10:00:00 +0000] "

Test(record_format, nginx)
{
	use("nginx", NULL);
	expect(HEAD "\"GET /a?b HTTP/1.1\" 200 12 \"-\" \"curl\" 0.025", "GET", 25000000, true);
	expect(HEAD "\"GET / HTTP/1.1\" 200 12 0.025 0.5 \"more\"", "GET", 25000000, true);
	expect(HEAD "\"POST / HTTP/1.1\" 502 0 \"-\" \"a \\\" b\" 0.5, 0.25", "POST", 750000000, false);
	expect(HEAD "\"POST / HTTP/1.1\" 502 0 \"-\" \"x\" \"192.0.2.9\" 0.5 : 0.25, -", "POST", 750000000, false);
	expect(HEAD "\"HEAD / HTTP/2.0\" 404 0 \"-\" \"x\" -", "HEAD", NONE, true);
	expect(HEAD "\"GET /ws HTTP/1.1\" 101 9 \"-\" \"x\" 3623.181", "GET", NONE, true);
	expect(HEAD "\"GET / HTTP/1.1\" 000 0 \"-\" \"x\" 1.2", "GET", 1200000000, false);
	expect(HEAD "\"GET / HTTP/1.1\" 499 0 \"-\" \"x\" 0.1", "GET", 100000000, true);
	/* What some client made up is no component. */
	expect(HEAD "\"EVIL / HTTP/1.1\" 405 0 0.1", "other", 100000000, true);
	expect(HEAD "\"get / HTTP/1.1\" 405 0 0.1", "other", 100000000, true);
	expect(HEAD "\"\\x16\\x03\\x01\" 400 0 \"-\" \"-\" 0.1", "other", 100000000, true);
	expect(HEAD "\"\" 400 0 \"-\" \"-\" 0.1", "other", 100000000, true);
	/* No latency at all. */
	expect(HEAD "\"GET / HTTP/1.1\" 503 5 \"-\" \"x\"", "GET", NONE, false);
	refuse("GET / 200", PROMCB_LINE_FORM);
	refuse(HEAD "\"GET / HTTP/1.1", PROMCB_LINE_FORM);
	refuse(HEAD "\"GET / HTTP/1.1\" 200 5 \"-\" \"x", PROMCB_LINE_FORM);
	refuse(HEAD "\"GET / HTTP/1.1\"", PROMCB_LINE_STATUS);
	refuse(HEAD "\"GET / HTTP/1.1\" 2OO 5", PROMCB_LINE_STATUS);
	refuse(HEAD "\"GET / HTTP/1.1\" 200 5 \"-\" \"x\" 12ms", PROMCB_LINE_TIME);
	refuse(HEAD "\"GET / HTTP/1.1\" 200 5 \"-\" \"x\" 0,012", PROMCB_LINE_TIME);
	refuse(" \t\r", PROMCB_LINE_BLANK);
}

Test(record_format, apache_has_microseconds)
{
	use("apache", NULL);
	expect("shop.example:80 " HEAD "\"GET / HTTP/1.1\" 200 12 \"-\" \"x\" 1500", "GET", 1500000, true);
	rules.unit = PROMCB_UNIT_MS;
	expect(HEAD "\"GET / HTTP/1.1\" 200 12 1500", "GET", 1500000000, true);
}

#define BEFORE "Nov 28 10:00:00 lb haproxy[7]: 192.0.2.1:5 [28/Nov/2026:10:00:00.123] web~ "
#define AFTER " 12 - - ---- 1/1/0/0/0 0/0 "

Test(record_format, haproxy)
{
	use("haproxy", NULL);
	expect(BEFORE "shop/s1 0/0/1/25/30 200" AFTER "\"GET / HTTP/1.1\"", "shop/s1", 25000000, true);
	expect("2001:db8::1:5 [x] web shop/s1 0/0/1/25/+30 504" AFTER "\"GET / HTTP/1.1\"", "shop/s1", 25000000, false);
	expect(BEFORE "shop/<NOSRV> 0/-1/-1/-1/+30 503" AFTER "\"GET / HTTP/1.1\"", "shop/<NOSRV>", NONE, false);
	expect(BEFORE "shop/<NOSRV> -1/-1/-1/-1/5 -1" AFTER "\"<BADREQ>\"", "shop/<NOSRV>", NONE, false);
	expect(BEFORE "shop/s1 0/0/1/25/9000 101" AFTER "\"GET /ws HTTP/1.1\"", "shop/s1", NONE, true);
	refuse("Nov 28 10:00:00 lb haproxy[7]: Connect from 192.0.2.1:5 to 192.0.2.2:80 (web/HTTP)", PROMCB_LINE_FORM);
	refuse("192.0.2.1:5 [28/Nov/2026:10:00:00.1] web shop/s1 0/0/25 100 -- 1/1/0/0/0 0/0", PROMCB_LINE_FORM);
	refuse(BEFORE "shop/s1 0/0/1/25/30 x" AFTER "\"GET / HTTP/1.1\"", PROMCB_LINE_STATUS);
	/* With what follows the request in httpslog, and cut. */
	rules.map = map_of("^shop/s1 GET /a$ named\n^\\S+ GET /cu cut\n");
	cr_assert(rules.map);
	expect(BEFORE "shop/s1 0/0/1/25/30 200" AFTER "{x|y} \"GET /a?b HTTP/1.1\" 0/0/0/0/0 shop/TLSv1.3/-", "named",
	       25000000, true);
	expect(BEFORE "shop/s1 0/0/1/25/30 200" AFTER "\"GET /cu", "cut", 25000000, true);
	expect(BEFORE "shop/s2 0/0/1/25/30 200" AFTER "\"GET /a HTTP/1.1\"", "other", 25000000, true);
	expect(BEFORE "shop/s1 0/0/1/25/30 200 12", "other", 25000000, true);
}

Test(record_format, json)
{
	use("json", "request.method,duration,status");
	expect("{\"request\":{\"method\":\"G\\u0045T\",\"x\":[{\"status\":1}]},\"duration\":2.5e-3,\"status\":200}",
	       "GET", 2500000, true);
	expect("host app: {\"status\":\"502\", \"duration\":null, \"request\":{\"method\":\"a b\"}} ", "a b", NONE,
	       false);
	expect("{\"request\":{\"method\":\"x\"},\"duration\":\"0.5, 0.25\",\"status\":\"502, 200\"}", "x", 750000000,
	       true);
	expect("{\"request\":{\"method\":\"x\"},\"status\":0}", "x", NONE, false);
	refuse("{\"request\":{\"method\":\"x\"},\"duration\":1}", PROMCB_LINE_STATUS);
	refuse("{\"request\":{\"method\":\"x\"},\"duration\":true,\"status\":200}", PROMCB_LINE_TIME);
	refuse("{\"request\":{\"method\":\"x\"},\"duration\":1,\"status\":200", PROMCB_LINE_FORM);
	refuse("{\"request\":{\"method\":\"x\"},\"duration\":1,\"status\":200}}", PROMCB_LINE_FORM);
	refuse("nothing", PROMCB_LINE_FORM);
}

/* One field several times is longer than the line that it stands in. */
Test(record_format, fields_that_are_longer_than_the_line)
{
	static char text[PROMCB_LINE_MAX_BYTES + 1];
	struct promcb_line line;
	char name[256];

	memset(text, 'x', sizeof(text) - 1);
	memcpy(text, "{\"u\":\"", 6);
	memcpy(text + sizeof(text) - 1 - 15, "\",\"status\":200}", 15);
	use("json", "u+u+u+u,,status");
	rules.map = map_of("^x+ x+$ two\n");
	cr_assert(parse(text, &line, name) == PROMCB_LINE_GOOD);
	cr_expect(strcmp(name, "two") == 0, "%s", name);
	memset(text, 'x', sizeof(text) - 1);
	memcpy(text, "u:", 2);
	memcpy(text + sizeof(text) - 1 - 11, "\tstatus:200", 11);
	rules.format = PROMCB_LOG_LTSV;
	cr_assert(parse(text, &line, name) == PROMCB_LINE_GOOD);
	cr_expect(strcmp(name, "two") == 0, "%s", name);
}

Test(record_format, ltsv)
{
	use("ltsv", "host,reqtime,status");
	expect("time:28/Nov/2026:10:00:00\thost:a b\tstatus:200\treqtime:0.5", "a b", 500000000, true);
	expect("host:shop\tstatus:000\treqtime:-", "shop", NONE, false);
	expect("host:shop\tstatus:500", "shop", NONE, false);
	refuse("host:shop\treqtime:1", PROMCB_LINE_STATUS);
	refuse("host:shop\tstatus:200\treqtime:x", PROMCB_LINE_TIME);
	refuse("shop 1 200", PROMCB_LINE_FORM);
}

Test(record_format, statsd)
{
	struct promcb_line line;
	char name[256];

	use("statsd", NULL);
	expect("api.get:12.5|ms", "api.get", 12500000, true);
	expect("api.get:12.5|ms|#a:b,c", "api.get", 12500000, true);
	expect("api.get:0.0000004|ms|@1", "api.get", 0, true);
	cr_expect(parse("x:1|ms|@0.1", &line, name) == PROMCB_LINE_GOOD && line.times == 10);
	cr_expect(parse("x:1|ms|@0.0001|#t", &line, name) == PROMCB_LINE_GOOD && line.times == 10000);
	cr_expect(parse("x:1|ms|@0.333", &line, name) == PROMCB_LINE_GOOD && line.times == 3);
	/* Nothing says that these are of time. */
	refuse("x:1|c", PROMCB_LINE_NO_CALL);
	refuse("x:+5|g|@0.1", PROMCB_LINE_NO_CALL);
	refuse("x:7|h", PROMCB_LINE_NO_CALL);
	refuse("x:7|d", PROMCB_LINE_NO_CALL);
	refuse("x:1|q", PROMCB_LINE_FORM);
	refuse("x:1", PROMCB_LINE_FORM);
	refuse("x|ms", PROMCB_LINE_FORM);
	refuse("x:y|ms", PROMCB_LINE_TIME);
	refuse("x:1|ms|@0", PROMCB_LINE_FORM);
	refuse("x:1|ms|@0.00001", PROMCB_LINE_FORM);
	refuse("x:1|ms|@2", PROMCB_LINE_FORM);
}

Test(record_format, fields)
{
	struct promcb_fields fields;

	cr_expect(!promcb_fields_parse("a+b.c+d+e,,s", &fields));
	cr_expect(fields.names == 4 && strcmp(fields.paths[1], "b.c") == 0 && !*fields.paths[4]);
	cr_expect(strcmp(fields.paths[5], "s") == 0);
	cr_expect(promcb_fields_parse("a+b+c+d+e,l,s", &fields) != NULL);
	cr_expect(promcb_fields_parse("a+,l,s", &fields) != NULL);
	cr_expect(promcb_fields_parse(",l,s", &fields) != NULL);
	cr_expect(promcb_fields_parse("a,l,", &fields) != NULL);
	cr_expect(promcb_fields_parse("a,l", &fields) != NULL);
	cr_expect(promcb_fields_parse("a,l,s,t", &fields) != NULL);
	cr_expect(promcb_fields_parse("", &fields) != NULL);
}

static void expect_route(struct promcb_map *map, const char *text, size_t bytes, const char *want)
{
	char name[PROMCB_MAPPED_BYTES + 1];

	name[promcb_map_apply(map, text, bytes, name)] = 0;
	cr_expect(strcmp(name, want) == 0, "\"%s\" is \"%s\", not \"%s\"", text, name, want);
}

Test(record_format, maps)
{
	static char text[50000];
	struct promcb_map *map = map_of("# routes\n\n ^GET /$\thome \n^(GET|HEAD) /o/(\\d+)(x)? $1_o$3$$\r\n"
					"^(?:a|b)+$ long\n^(a+)+$ forever\n^(.*)z$ $1\n");

	cr_assert(map);
	expect_route(map, "GET /", 5, "home");
	expect_route(map, "GET /o/17", 9, "GET_o$");
	expect_route(map, "HEAD /o/17x", 11, "HEAD_ox$");
	expect_route(map, "GET /\0", 6, "other");
	expect_route(map, "\xff\xfe", 2, "other");
	expect_route(map, "", 0, "other");
	/* Much to do, and more than is done for a text. */
	memset(text, 'a', sizeof(text));
	expect_route(map, text, 10000, "long");
	text[40] = '!';
	expect_route(map, text, 41, "other");
	/* A name that is too long is cut to no name, not to another. */
	text[40] = 'b';
	text[sizeof(text) - 1] = 'z';
	cr_expect(promcb_map_apply(map, text, sizeof(text), room) == PROMCB_MAPPED_BYTES);
	promcb_map_end(map);
	promcb_map_end(NULL);
	cr_expect(!map_of("^GET( x\n") && !map_of("lonely\n") && !map_of("^(a) $2\n") && !map_of("^(a) $x\n"));
	cr_expect(!map_of("^a b$") && !map_of("# nothing\n") && !map_of("^a \x01\n") &&
		  !promcb_map_read("/nowhere/map"));
}

static void expect_message(const char *line, const char *want)
{
	size_t length = strlen(line);
	char *copy = malloc(length ? length : 1);
	const char *message;

	memcpy(copy, line, length);
	message = promcb_syslog_message(copy, length);
	cr_expect(length - (size_t)(message - copy) == strlen(want) && memcmp(message, want, strlen(want)) == 0,
		  "%s: \"%.*s\", not \"%s\"", line, (int)(copy + length - message), message, want);
	free(copy);
}

Test(record_format, what_syslog_puts_before)
{
	expect_message("a 1 200", "a 1 200");
	expect_message("<190>Nov 28 10:00:00 host nginx: a 1 200", "a 1 200");
	expect_message("<190>Nov  8 10:00:00 nginx: a 1 200", "a 1 200");
	expect_message("<134>Nov 28 10:00:00 haproxy[7]: a 1 200", "a 1 200");
	expect_message("<14>1 2026-11-28T10:00:00Z h app 7 - - a 1 200", "a 1 200");
	expect_message("<14>1 2026-11-28T10:00:00Z h app 7 m [a b=\"c ] \\\" d\"][e] \xef\xbb\xbf"
		       "a 1 200",
		       "a 1 200");
	expect_message("<14>1 - - - - - -", "");
	expect_message("<14>a 1 200", "a 1 200");
	expect_message("<14", "<14");
	expect_message("<>a", "<>a");
	expect_message("<12345>a", "<12345>a");
	expect_message("<14>", "");
	expect_message("", "");
}
