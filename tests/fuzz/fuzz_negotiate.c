/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as headers of a scrape: an answer that is one of those there are, and the same for what a header means,
 * however it is written.
 */
#include "sidecar/negotiate.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool truth, const char *what)
{
	if (!truth) {
		fprintf(stderr, "%s\n", what);
		abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint64_t most_ns = 5000000000u;
	char *header = malloc(2 * size + 2), *longer;
	enum promcb_format format;
	uint64_t budget_ns;
	size_t length;
	bool gzip;

	if (!header)
		return 0;
	memcpy(header, data, size);
	header[size] = '\0';
	length = strlen(header);
	format = sidecar_negotiate_format(header);
	gzip = sidecar_negotiate_gzip(header);
	budget_ns = sidecar_negotiate_budget_ns(header, most_ns);
	expect(format == PROMCB_FORMAT_TEXT || format == PROMCB_FORMAT_OPENMETRICS || format == PROMCB_FORMAT_PROTOBUF,
	       "no such format");
	expect(budget_ns >= most_ns / 50 && budget_ns <= most_ns, "a budget out of bounds");
	expect(sidecar_negotiate_budget_ns(header, 1) == 1, "a budget beyond the most");

	/* Leading and trailing commas say nothing, and what is said twice says no more; but within quotes it does. */
	longer = malloc(2 * length + 4);
	if (longer && !strchr(header, '"')) {
		sprintf(longer, ",%s", header);
		expect(sidecar_negotiate_format(longer) == format, "a leading comma matters");
		sprintf(longer, "%s,%s,", header, header);
		expect(sidecar_negotiate_format(longer) == format, "repetition matters");
		expect(sidecar_negotiate_gzip(longer) == gzip, "repetition matters to gzip");
	}
	free(longer);
	free(header);
	return 0;
}
