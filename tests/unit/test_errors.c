/* SPDX-License-Identifier: MIT */
/* Errors of calls by their type: a family of counters with the labels of the component. */
#include "collected.h"
#include "reading.h"

#include "record/open.h"

#include <pthread.h>
#include <sched.h>
#include <sys/wait.h>

TestSuite(errors, .init = fixture_begin, .fini = fixture_end);

static const char *rendered(enum promcb_format format, const char *prefix)
{
	static struct collected to;
	const struct promcb_render_options options = {.prefix = prefix};
	struct promcb_reader *reader = open_reader(PROMCB_ACCESS_COPY);
	struct promcb_snapshot *snapshot = take(reader, false);

	free(to.bytes);
	to = (struct collected){.calls = 0};
	cr_assert_eq(promcb_render(snapshot, format, &options, collect, &to), 0);
	cr_assert_eq(promcb_reader_check(reader, NULL, NULL), 0);
	promcb_snapshot_free(snapshot);
	promcb_reader_close(reader);
	return to.bytes;
}

static void expect(const char *text, const char *line)
{
	const char *found = strstr(text, line);

	cr_assert(found && (found == text || found[-1] == '\n'), "no line %s in\n%s", line, text);
}

Test(errors, by_type)
{
	struct promcb_session *p = fixture_open(NULL);
	struct promcb_component *bare = fixture_component(p, "GET /a\"b"), *read;

	cr_assert_eq(
		promcb_component_with(p, "db", (const struct promcb_label[]){{"op", "read"}, {"az", "a"}}, 2, &read),
		0);
	for (unsigned type = 0; type < PROMCB_ERROR_TYPES; type++)
		for (unsigned i = 0; i <= type; i++)
			promcb_count_error(bare, (enum promcb_error_type)type);
	promcb_count_error(bare, (enum promcb_error_type)77);
	promcb_record_error(read, 1000, PROMCB_ERROR_TIMEOUT);
	promcb_count_error(NULL, PROMCB_ERROR_TIMEOUT);

	/* A child counts through its parent's handles, what it had an error of before and what it had not. */
	struct promcb_component *fresh = fixture_component(p, "fresh");
	pid_t child = fork();

	if (child == 0) {
		promcb_count_error(read, PROMCB_ERROR_RESET);
		promcb_count_error(fresh, PROMCB_ERROR_REFUSED);
		_exit(0);
	}
	cr_assert_eq(waitpid(child, NULL, 0), child);

	const char *text = rendered(PROMCB_FORMAT_TEXT, NULL);

	expect(text, "# TYPE circuit_breaker_errors_total counter\n");
	expect(text, "circuit_breaker_errors_total{component=\"GET /a\\\"b\",type=\"timeout\"} 1\n");
	expect(text, "circuit_breaker_errors_total{component=\"GET /a\\\"b\",type=\"exhausted\"} 7\n");
	expect(text, "circuit_breaker_errors_total{component=\"GET /a\\\"b\",type=\"other\"} 9\n");
	expect(text, "circuit_breaker_errors_total{component=\"db\",az=\"a\",op=\"read\",type=\"timeout\"} 1\n");
	expect(text, "circuit_breaker_errors_total{component=\"db\",az=\"a\",op=\"read\",type=\"reset\"} 1\n");
	expect(text, "circuit_breaker_errors_total{component=\"db\",az=\"a\",op=\"read\",type=\"rejected\"} 0\n");
	expect(text, "circuit_breaker_errors_total{component=\"fresh\",type=\"refused\"} 1\n");
	expect(text, "circuit_breaker_failures_total{component=\"db\",az=\"a\",op=\"read\"} 1\n");
	expect(text, "circuit_breaker_calls_total{component=\"GET /a\\\"b\"} 0\n");
	/* Errors are components' metrics, and called as these are. */
	text = rendered(PROMCB_FORMAT_TEXT, "payments");
	cr_assert_null(strstr(text, "circuit_breaker"));
	expect(text, "# TYPE payments_errors_total counter\n");
	expect(text, "payments_errors_total{component=\"fresh\",type=\"refused\"} 1\n");
	text = rendered(PROMCB_FORMAT_OPENMETRICS, "payments");
	expect(text, "# TYPE payments_errors counter\n");
	expect(text, "payments_errors_total{component=\"fresh\",type=\"refused\"} 1\n");
}

static volatile bool is_held, may_go;

/* Nobody else has the mutex meanwhile. */
static void *hold_mutex(void *unused)
{
	struct promcb_saved_state way;

	cr_assert(promcb_process_enter(&way));
	is_held = true;
	while (!may_go)
		sched_yield();
	promcb_process_leave(&way);
	return unused;
}

/*
 * Where the segment has no room for them, errors wait for nobody, are counted as dropped, and are there as soon as
 * there is room. Each one took the mutex.
 */
Test(errors, without_room)
{
	struct promcb_options options = {.max_bytes = 1 << 20, .components = 250, .lanes = 16};
	struct promcb_session *p = fixture_open(&options);
	struct promcb_component *component = fixture_component(p, "db"), *other;
	struct promcb_metric_family *family;
	struct promcb_saved_state way;
	pthread_t holder;
	char name[32];
	int result = 0;

	for (unsigned i = 0; result == 0; i++) {
		snprintf(name, sizeof(name), "c%u", i);
		result = promcb_component(p, name, &other);
	}
	cr_assert_eq(result, -ENOSPC);
	promcb_record(component, 1000, true);
	promcb_count_error(component, PROMCB_ERROR_TIMEOUT);
	cr_assert_eq(promcb_family_register(p, &(struct promcb_family_spec){.name = "a_total", .type = PROMCB_COUNTER},
					    &family),
		     -ENOSPC);
	cr_assert_eq(pthread_create(&holder, NULL, hold_mutex, NULL), 0);
	while (!is_held)
		sched_yield();
	alarm(60);
	for (unsigned i = 0; i < 1000; i++)
		promcb_count_error(component, PROMCB_ERROR_TIMEOUT);
	may_go = true;
	pthread_join(holder, NULL);
	alarm(0);
	cr_assert_eq(promcb_load_relaxed(&promcb_segment_header(p->segment)->dropped_values), 1001);

	/* The next segment has room. */
	cr_assert_eq(unlink(fixture_segment), 0);
	p->options.max_bytes = 0;
	promcb_store_relaxed(&p->checked_ns, 0);
	promcb_thread.fresh_ns = 0;
	promcb_record(component, 1000, true);
	cr_assert(promcb_process_enter(&way));
	promcb_session_follow(p);
	promcb_process_leave(&way);
	promcb_count_error(component, PROMCB_ERROR_RESET);
	expect(rendered(PROMCB_FORMAT_TEXT, NULL), "circuit_breaker_errors_total{component=\"db\",type=\"reset\"} 1\n");
}

/* Nobody else has a family of promcb's names, or that label. */
Test(errors, family_is_of_one_shape)
{
	struct promcb_session *p = fixture_open(NULL);
	struct promcb_metric_family *family;
	const char *const types[] = {"a", NULL};
	const struct promcb_family_spec specs[] = {
		{.name = "circuit_breaker_errors_total", .type = PROMCB_COUNTER},
		{.name = "circuit_breaker_errors_total",
		 .type = PROMCB_COUNTER,
		 .labels = (const char *const[]){"component", "type", NULL}},
		{.name = "circuit_breaker_errors",
		 .type = PROMCB_LEVEL,
		 .labels = (const char *const[]){"component", NULL}},
		{.name = "mine_total",
		 .type = PROMCB_COUNTER,
		 .labels = (const char *const[]){"component", NULL},
		 .enumerated = types,
		 .enumerated_label = "type"},
	};

	for (size_t i = 0; i < sizeof(specs) / sizeof(specs[0]); i++)
		cr_assert_eq(promcb_family_register(p, &specs[i], &family), -EINVAL, "%zu", i);
	for (unsigned type = 0; type < PROMCB_ERROR_TYPES; type++)
		cr_assert_not_null(promcb_error_type_name((enum promcb_error_type)type));
	cr_assert_null(promcb_error_type_name((enum promcb_error_type)PROMCB_ERROR_TYPES));
}
