/* SPDX-License-Identifier: MIT */
/*
 * What Prometheus really asks for, release by release, and what nobody should send but somebody will.
 */
#include "sidecar/negotiate.h"

#include <criterion/criterion.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PB "application/vnd.google.protobuf"
#define PB_FULL PB ";proto=io.prometheus.client.MetricFamily;encoding=delimited"
#define OM "application/openmetrics-text"

static const enum promcb_format text = PROMCB_FORMAT_TEXT, openmetrics = PROMCB_FORMAT_OPENMETRICS,
				protobuf = PROMCB_FORMAT_PROTOBUF;

static void check(const char *accept, enum promcb_format wanted)
{
	enum promcb_format got = sidecar_negotiate_format(accept);

	cr_expect_eq(got, wanted, "\"%.200s\": format %d, not %d", accept ? accept : "(none)", got, wanted);
}

/* Prometheus 2.42, 2.42 with native histograms, 3.4 and later, the same with native histograms; then 3.0's spelling. */
Test(negotiate, what_prometheus_sends)
{
	check(OM ";version=1.0.0," OM ";version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1", openmetrics);
	check(PB_FULL "," OM ";version=1.0.0;q=0.8," OM ";version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,"
		      "*/*;q=0.1",
	      protobuf);
	check(OM ";version=1.0.0;escaping=allow-utf-8;q=0.6," OM ";version=0.0.1;q=0.5,"
		 "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
	      openmetrics);
	check(PB_FULL ";q=0.6," OM ";version=1.0.0;escaping=allow-utf-8;q=0.5," OM ";version=0.0.1;q=0.4,"
		      "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1",
	      protobuf);
	check(PB_FULL ";escaping=allow-utf-8;q=0.6," OM ";version=1.0.0;escaping=allow-utf-8;q=0.5", protobuf);
}

Test(negotiate, what_others_send)
{
	check(NULL, text);
	check("", text);
	check("*/*", text);
	check("text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8", text);
	check("text/plain;version=1.0.0;escaping=allow-utf-8,*/*;q=0.1", text);
	check(PB ";proto=io.prometheus.client.MetricFamily;encoding=text;q=0.9,text/plain;q=0.1", text);
	check(OM "; version=2.0.0;q=0.9, " OM ";version=1.0.0;q=0.5", openmetrics);
	check("application/json", text);
	check("application/*", text);
	check("text/*", text);
}

Test(negotiate, what_can_be_served)
{
	check(OM, openmetrics);
	check(OM ";version=0.0.1", openmetrics);
	check(OM ";version=1.0.0;charset=utf-8", openmetrics);
	check(OM ";version=2.0.0", text);
	check(OM ";version=", text);
	check(OM ";version", text);
	check(OM ";version=1.0.01", text);
	check(PB, text);
	check(PB ";encoding=delimited", text);
	check(PB ";proto=io.prometheus.client.MetricFamily", text);
	check(PB ";proto=io.prometheus.client.metricfamily;encoding=delimited", text);
	check(PB ";encoding=delimited;proto=io.prometheus.client.MetricFamily;charset=utf-8", protobuf);
	/* The type names it, not something that begins or ends like it. */
	check(OM "s", text);
	check("x" OM, text);
}

Test(negotiate, weights)
{
	/* At equal weight the richer format, in either order. */
	check("text/plain," OM "," PB_FULL, protobuf);
	check(PB_FULL "," OM ",text/plain", protobuf);
	check("text/plain," OM, openmetrics);
	check("*/*," OM, openmetrics);
	check("text/plain;q=0.501," OM ";q=0.5", text);
	check(OM ";q=0.499,text/plain;q=0.5", text);
	/* Finer than thousandths is no difference. */
	check("text/plain;q=0.5009," OM ";q=0.5001", openmetrics);
	check(OM ";q=0", text);
	check(OM ";q=0.000," PB_FULL ";q=0.001", protobuf);
	check(OM ";q=0.0009", text);
	check(OM ";q=1.5,text/plain;q=1", openmetrics);
	check("text/plain;q=99999999999999999999," OM ";q=1", openmetrics);
	check(OM ";q=1.," PB_FULL ";q=.5", openmetrics);
	/* What is no number is a refusal. */
	check(OM ";q=abc", text);
	check(OM ";q=", text);
	check(OM ";q", text);
	check(OM ";q=.", text);
	check(OM ";q=-1", text);
	check(OM ";q=+1", text);
	check(OM ";q=1e0", text);
	check(OM ";q=0x1", text);
	check(OM ";q=nan", text);
	check(OM ";q=\"1\"", text);
	check(OM ";q=0,5", text);
	/* Of several the first. */
	check(OM ";q=0;q=1", text);
	check(OM ";q=0.5;q=0,text/plain;q=0.4", openmetrics);
}

Test(negotiate, spelling)
{
	check("APPLICATION/OpenMetrics-Text;VERSION=1.0.0;Q=0.5,text/plain;q=0.4", openmetrics);
	check("Application/Vnd.Google.Protobuf;Proto=io.prometheus.client.MetricFamily;Encoding=delimited", protobuf);
	check(" \t" OM " \t; \tversion \t= \t1.0.0 \t; \tq \t= \t0.5 \t, \ttext/plain;q=0.4 ", openmetrics);
	check(",,, ," OM ",,", openmetrics);
	check(OM ";;;version=1.0.0;;", openmetrics);
	check(";q=1," OM, openmetrics);
	check("=,;=;," OM, openmetrics);
	check(OM ";version=\"1.0.0\"", openmetrics);
	check(OM ";version=\"1\\.0.\\0\"", openmetrics);
	check(OM ";version=\"2.0.0\"", text);
	check(OM ";version=\"1.0.0", openmetrics);
	check(OM ";version=1.0.0\"\"", text);
	/* What is quoted parts nothing. */
	check("text/plain;a=\"," OM ",\"", text);
	check("text/plain;q=0.1;a=\"\\\"," OM ",\";q=1", text);
	check(OM ";a=\";q=0\"", openmetrics);
	check("text/plain;a=\"," OM, text);
	check(OM ";a=\"\\", openmetrics);
	/* Repeated, each must suit. */
	check(OM ";version=1.0.0;version=0.0.1", openmetrics);
	check(OM ";version=1.0.0;version=2.0.0", text);
	check(OM ";version=2.0.0;version=1.0.0", text);
	check(PB_FULL ";encoding=text", text);
	check(PB ";encoding=text;encoding=delimited;proto=io.prometheus.client.MetricFamily", text);
	/* Bytes that belong in no header. */
	check("\xff\xfe\x01," OM, openmetrics);
}

Test(negotiate, very_long)
{
	const char *element = "image/x;q=0.9;a=\"b,c\",";
	size_t count = 50000, step = strlen(element);
	char *accept = malloc(count * step + sizeof(OM));

	cr_assert_not_null(accept);
	for (size_t i = 0; i < count; i++)
		memcpy(accept + i * step, element, step);
	memcpy(accept + count * step, OM, sizeof(OM));
	check(accept, openmetrics);
	memset(accept, '"', count * step);
	check(accept, text);
	memset(accept, ';', count * step);
	check(accept, text);
	memset(accept, ',', count * step);
	check(accept, openmetrics);
	free(accept);
}

Test(negotiate, gzip)
{
	static const char *const yes[] = {"gzip",
					  "GZIP",
					  "x-gzip",
					  "*",
					  "deflate, gzip;q=1.0, *;q=0.5",
					  " gzip ; q=0.001",
					  "identity,gzip;q=0.1",
					  "*;q=0,gzip",
					  "br,*;q=0.1",
					  "gzip;q=2",
					  "gzip;a=\",\""};
	static const char *const no[] = {"",           "identity", "gzip;q=0", "gzip;q=0.000", "gzip;q=0,*",
					 "*,gzip;q=0", "*;q=0",    "gzi",      "gzipp",        "deflate,br,zstd",
					 "gzip;q=abc", "\"gzip\"", "a=gzip"};

	cr_expect_not(sidecar_negotiate_gzip(NULL));
	for (size_t i = 0; i < sizeof(yes) / sizeof(*yes); i++)
		cr_expect(sidecar_negotiate_gzip(yes[i]), "%s", yes[i]);
	for (size_t i = 0; i < sizeof(no) / sizeof(*no); i++)
		cr_expect_not(sidecar_negotiate_gzip(no[i]), "%s", no[i]);
}

Test(negotiate, budget)
{
	static const struct {
		const char *text;
		uint64_t ms;
	} cases[] = {
		{NULL, 5000},
		{"", 5000},
		{"10", 5000},
		{"5.5", 5000},
		{"5.499", 4999},
		{"1", 500},
		{" 1 ", 500},
		{"0.75", 250},
		{"0.6", 100},
		{"0.599", 100},
		{"0.5", 100},
		{"0", 100},
		{".9", 400},
		{"1.", 500},
		{"0.750000000999999999999", 250},
		{"00000000000000000000000001", 500},
		{"-1", 5000},
		{"+1", 5000},
		{"abc", 5000},
		{"1s", 5000},
		{"1e0", 5000},
		{"nan", 5000},
		{"inf", 5000},
		{"1,5", 5000},
		{".", 5000},
		{"18446744073.709551616", 5000},
		{"99999999999999999999999999999999999999.9999999999", 5000},
	};
	char all_nines[400];

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		uint64_t ns = sidecar_negotiate_budget_ns(cases[i].text, 5000000000u);

		cr_expect_eq(ns / 1000000, cases[i].ms, "%s: %llu ns", cases[i].text, (unsigned long long)ns);
	}
	cr_expect_eq(sidecar_negotiate_budget_ns("10", UINT64_MAX), 9500000000u);
	cr_expect_eq(sidecar_negotiate_budget_ns("1", 1000), 1000);
	cr_expect_eq(sidecar_negotiate_budget_ns(NULL, 0), 0);
	/* However many digits: never less than a long time. */
	for (size_t length = 20; length < sizeof(all_nines); length++) {
		memset(all_nines, '9', length);
		all_nines[length] = '\0';
		cr_expect_geq(sidecar_negotiate_budget_ns(all_nines, UINT64_MAX), UINT64_MAX / 20);
	}
}
