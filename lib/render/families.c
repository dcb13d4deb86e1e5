/* SPDX-License-Identifier: MIT */
/* families.c: the table of the metric families of components, and the bounds of classic buckets. */
#include "render/families.h"

#include "base/bucket.h"

const struct promcb_component_family promcb_families[PROMCB_KINDS] = {
	[PROMCB_KIND_CALLS] = {"circuit_breaker_calls_total", PROMCB_TYPE_COUNTER, NULL,
			       "Finished calls of the component.", false},
	[PROMCB_KIND_SUCCESSES] = {"circuit_breaker_successes_total", PROMCB_TYPE_COUNTER, NULL,
				   "Calls that succeeded.", false},
	[PROMCB_KIND_FAILURES] = {"circuit_breaker_failures_total", PROMCB_TYPE_COUNTER, NULL, "Calls that failed.",
				  false},
	[PROMCB_KIND_COMPAT_SUCCESSES] = {"circuit_breaker_calls_success", PROMCB_TYPE_UNTYPED, NULL,
					  "Alias of circuit_breaker_successes_total.", true},
	[PROMCB_KIND_COMPAT_FAILURES] = {"circuit_breaker_calls_failed", PROMCB_TYPE_UNTYPED, NULL,
					 "Alias of circuit_breaker_failures_total.", true},
	[PROMCB_KIND_FAILURE_RATE] = {"circuit_breaker_failure_rate", PROMCB_TYPE_GAUGE, NULL,
				      "Failed calls in percent of all calls, 0 to 100; 0 if there were none.", true},
	[PROMCB_KIND_RECENT_FAILURE_RATE] = {"circuit_breaker_recent_failure_rate", PROMCB_TYPE_GAUGE, NULL,
					     "Failed calls in percent of the recent calls, 0 to 100; NaN if there "
					     "were none.",
					     false},
	[PROMCB_KIND_LATENCY] = {"circuit_breaker_latency_seconds", PROMCB_TYPE_SUMMARY, "seconds",
				 "Call latency: quantiles over the recent calls; sum and count are cumulative.", false},
	[PROMCB_KIND_AVERAGE] = {"circuit_breaker_latency_seconds_avg", PROMCB_TYPE_GAUGE, NULL,
				 "Mean latency of the recent calls in seconds; NaN if there were none.", true},
	[PROMCB_KIND_DURATION] = {"circuit_breaker_call_duration_seconds", PROMCB_TYPE_HISTOGRAM, "seconds",
				  "Call latency distribution.", false},
	[PROMCB_KIND_STATE] = {"circuit_breaker_state", PROMCB_TYPE_GAUGE, NULL,
			       "1 for the current state of the breaker, 0 for the others.", false},
	[PROMCB_KIND_STATE_CODE] = {"circuit_breaker_state_code", PROMCB_TYPE_GAUGE, NULL,
				    "State of the breaker: 0 closed, 1 open, 2 half-open.", false},
	[PROMCB_KIND_TRANSITIONS] = {"circuit_breaker_state_transitions_total", PROMCB_TYPE_COUNTER, NULL,
				     "Changes into that state.", false},
	[PROMCB_KIND_LAST_STATE_CHANGE] = {"circuit_breaker_last_state_change_timestamp_seconds", PROMCB_TYPE_GAUGE,
					   "seconds", "Unix time of the last change of state.", false},
	[PROMCB_KIND_LAST_FAILURE] = {"circuit_breaker_last_failure_timestamp_seconds", PROMCB_TYPE_GAUGE, "seconds",
				      "Unix time of the last failure.", false},
	[PROMCB_KIND_LOG_ENTRIES] = {"log_entries_total", PROMCB_TYPE_COUNTER, NULL, "Log lines by level.", false},
	[PROMCB_KIND_LOG_LEVELS] = {"log_entries_by_level", PROMCB_TYPE_UNTYPED, NULL, "Alias of log_entries_total.",
				    true},
};

bool promcb_classic_is_range(const struct promcb_render_options *options)
{
	int first = options->classic_first, last = options->classic_last;

	return (first == 0 && last == 0) ||
	       (first >= PROMCB_CLASSIC_LEAST && first < last && last <= PROMCB_CLASSIC_MOST);
}

void promcb_classic_make(struct promcb_classic *classic, uint32_t schema, const struct promcb_render_options *options)
{
	bool is_default = options->classic_first == 0 && options->classic_last == 0;
	int first = is_default ? PROMCB_CLASSIC_FIRST : options->classic_first;
	int last = is_default ? PROMCB_CLASSIC_LAST : options->classic_last;
	unsigned classic_schema = options->classic_schema;

	if (classic_schema > PROMCB_CLASSIC_SCHEMA_MAX)
		classic_schema = PROMCB_CLASSIC_SCHEMA_MAX;
	if (classic_schema > schema)
		classic_schema = schema;
	uint32_t step = 1u << (schema - classic_schema);
	uint32_t end = promcb_bucket_end_of_power(schema, first);

	classic->count = ((unsigned)(last - first) << classic_schema) + 1;
	for (unsigned i = 0; i < classic->count; i++, end += step) {
		classic->end[i] = end;
		classic->bound_seconds[i] = promcb_bucket_upper_seconds(schema, end - 1);
	}
}
