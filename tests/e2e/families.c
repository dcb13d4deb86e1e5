/* SPDX-License-Identifier: MIT */
/*
 * families: a process with families of every kind, in the segment of PROMCB_SEGMENT: counts, says "ready" on standard
 * output, waits for the end of standard input, and ends. Whatever fails it tells, and ends with 1.
 *
 * Usage: e2e_families ADD: everything is counted as often as that.
 */
#include <promcb/metric.h>
#include <promcb/promcb.h>

#include <stdio.h>
#include <stdlib.h>

#define TEXTS(...) ((const char *const[]){__VA_ARGS__, NULL})

static struct promcb_message message;

static struct promcb_metric_family *add_family(struct promcb_session *p, struct promcb_family_spec spec)
{
	struct promcb_metric_family *family;

	spec.message = &message;
	if (promcb_family_register(p, &spec, &family) != 0) {
		fprintf(stderr, "%s\n", message.text);
		exit(1);
	}
	return family;
}

static void want(int result, const char *what)
{
	if (result == 0)
		return;
	fprintf(stderr, "%s: %s\n", what, promcb_strerror(result));
	exit(1);
}

static void count(struct promcb_session *p, unsigned times)
{
	static const char *const peers[] = {"10.0.0.7", "a \"quoted\" \\ name", "two\nlines", "z\xc3\xbcrich", ""};
	struct promcb_metric_family *sent =
		add_family(p, (struct promcb_family_spec){.name = "proxy_sent_bytes_total",
							  .help = "Bytes \"sent\" to a peer,\nwith \\.",
							  .unit = "bytes",
							  .type = PROMCB_COUNTER,
							  .labels = TEXTS("peer", "zone")});
	struct promcb_metric_family *work = add_family(
		p, (struct promcb_family_spec){
			   .name = "work_total", .help = "Work.", .type = PROMCB_COUNTER, .flags = PROMCB_DOUBLES});
	struct promcb_metric_family *errors =
		add_family(p, (struct promcb_family_spec){.name = "errors_total",
							  .help = "Errors.",
							  .type = PROMCB_COUNTER,
							  .labels = TEXTS("queue"),
							  .enumerated = TEXTS("timeout", "other"),
							  .enumerated_label = "type"});
	struct promcb_metric_family *jobs = add_family(p, (struct promcb_family_spec){.name = "queue_jobs",
										      .help = "Jobs that wait.",
										      .unit = "jobs",
										      .type = PROMCB_LEVEL,
										      .decimals = 1,
										      .labels = TEXTS("queue")});
	struct promcb_counter *type, *amount;

	for (unsigned i = 0; i < sizeof(peers) / sizeof(peers[0]); i++)
		for (unsigned j = 0; j < times; j++)
			want(promcb_counter_add_with(sent, TEXTS(peers[i], "eu"), 1000 + i), "counter");
	want(promcb_counter_with(work, NULL, &amount), "doubles");
	want(promcb_counter_with(errors, TEXTS("mail"), &type), "enumerated");
	for (unsigned j = 0; j < times; j++) {
		promcb_counter_add_double(amount, 0.5);
		promcb_counter_add_at(type, 0, 2);
		promcb_counter_add_at(type, 1, 3);
		want(promcb_level_add_with(jobs, TEXTS("mail"), -15), "level");
		want(promcb_level_add_with(jobs, TEXTS("logs"), 40), "level");
	}
}

static void observe(struct promcb_session *p, unsigned times)
{
	static const double bounds[] = {0.001, 0.25, 0.3, 1, 2.5};
	struct promcb_metric_family *requests = add_family(p, (struct promcb_family_spec){.name = "request_seconds",
											  .help = "Requests.",
											  .unit = "seconds",
											  .type = PROMCB_HISTOGRAM,
											  .decimals = 9,
											  .labels = TEXTS("code")});
	struct promcb_metric_family *ratios = add_family(p, (struct promcb_family_spec){.name = "ratios",
											.help = "Ratios.",
											.type = PROMCB_HISTOGRAM,
											.flags = PROMCB_DOUBLES,
											.bounds = bounds,
											.bound_count = 5});
	struct promcb_metric_family *sizes = add_family(p, (struct promcb_family_spec){.name = "message_bytes",
										       .help = "Messages.",
										       .unit = "bytes",
										       .type = PROMCB_HISTOGRAM,
										       .buckets_per_octave = 1,
										       .smallest = 64,
										       .largest = 1 << 20});
	struct promcb_metric_family *waits = add_family(p, (struct promcb_family_spec){.name = "wait_seconds",
										       .help = "Waits.",
										       .unit = "seconds",
										       .type = PROMCB_HISTOGRAM,
										       .decimals = 3,
										       .bounds = bounds,
										       .bound_count = 5});

	for (unsigned j = 0; j < times; j++) {
		for (uint64_t ns = 1; ns < (uint64_t)1 << 42; ns *= 3)
			want(promcb_histogram_observe_with(requests, TEXTS("200"), ns), "native");
		want(promcb_histogram_observe_with(requests, TEXTS("500"), 0), "native");
		want(promcb_histogram_observe_double_with(ratios, NULL, 0.3), "bounds");
		want(promcb_histogram_observe_double_with(ratios, NULL, 7.5), "bounds");
		for (uint64_t bytes = 1; bytes < 1 << 22; bytes *= 2)
			want(promcb_histogram_observe_with(sizes, NULL, bytes), "octaves");
		want(promcb_histogram_observe_with(waits, NULL, 300), "whole bounds");
		want(promcb_histogram_observe_with(waits, NULL, 301), "whole bounds");
	}
}

static void set(struct promcb_session *p)
{
	struct promcb_metric_family *connections = add_family(
		p, (struct promcb_family_spec){.name = "connections", .help = "Connections.", .type = PROMCB_GAUGE});
	struct promcb_metric_family *backup =
		add_family(p, (struct promcb_family_spec){.name = "backup_timestamp_seconds",
							  .help = "The last backup.",
							  .unit = "seconds",
							  .type = PROMCB_GAUGE,
							  .scope = PROMCB_SCOPE_SEGMENT});
	struct promcb_metric_family *build = add_family(p, (struct promcb_family_spec){.name = "app_build_info",
										       .help = "The version.",
										       .type = PROMCB_INFO,
										       .labels = TEXTS("version")});

	want(promcb_gauge_set_with(connections, NULL, 2.5), "gauge");
	want(promcb_gauge_set_with(backup, NULL, 1700000000.25), "gauge of the segment");
	want(promcb_info_with(build, TEXTS("1.2")), "info");
}

int main(int argc, char **argv)
{
	struct promcb_session *p;
	unsigned times = argc > 1 ? (unsigned)atoi(argv[1]) : 1;

	if (promcb_open(NULL, &(struct promcb_options){.message = &message}, &p) != 0) {
		fprintf(stderr, "%s\n", message.text);
		return 1;
	}
	count(p, times);
	observe(p, times);
	set(p);
	puts("ready");
	fflush(stdout);
	while (getchar() != EOF)
		;
	promcb_close(p);
	return 0;
}
