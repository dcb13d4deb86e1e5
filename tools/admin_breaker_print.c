/* SPDX-License-Identifier: MIT */
#include "admin_breaker.h"
#include "admin_info.h"
#include "policy.h"

#include <inttypes.h>
#include <time.h>

/* -- Text --------------------------------------------------------------------------------------------------------- */

static void label(FILE *out, const char *text)
{
	fprintf(out, "%-12s ", text);
}

static double percent(uint64_t part, uint64_t whole)
{
	return whole ? 100.0 * (double)part / (double)whole : 0;
}

static const char *milliseconds(uint32_t ms, char text[32])
{
	return promcb_tool_time_print((uint64_t)ms * 1000000, text, 32);
}

static void print_state(FILE *out, const struct promcb_breaker_summary *b, uint64_t now_ns)
{
	time_t seconds = (time_t)(b->open_until_ns / 1000000000);
	char until[64];
	struct tm local;

	label(out, "state");
	fputs(promcb_state_name(b->state), out);
	if (b->open_until_ns > now_ns && localtime_r(&seconds, &local) &&
	    strftime(until, sizeof(until), "%Y-%m-%d %H:%M:%S %z", &local))
		fprintf(out, " until %s, in %.1f s", until, (double)(b->open_until_ns - now_ns) / 1e9);
	else if (b->open_until_ns)
		fputs(", and the next call is let through as a probe", out);
	if (b->last_reason)
		fprintf(out, "; opened last by: %s", b->last_reason);
	fputc('\n', out);
	label(out, "mode");
	fprintf(out, "%s%s\n", promcb_mode_name(b->mode), b->is_forced ? ", forced" : "");
}

static void print_policy(FILE *out, const struct promcb_policy *p)
{
	const char *separator = "";
	char one[32], other[32];

	label(out, "opens at");
	if (p->failure_permille != PROMCB_POLICY_OFF) {
		fprintf(out, "%.1f %% failures", p->failure_permille / 10.0);
		separator = ", or ";
	}
	if (p->slow_permille != PROMCB_POLICY_OFF) {
		fprintf(out, "%s%.1f %% slower than %s", separator, p->slow_permille / 10.0,
			promcb_tool_time_print(p->slow_ns, one, sizeof(one)));
		separator = ", or ";
	}
	if (*separator)
		fprintf(out, " of %" PRIu32 " calls or more in %s", p->min_calls, milliseconds(p->window_ms, one));
	if (p->consecutive != PROMCB_POLICY_OFF) {
		fprintf(out, "%s%" PRIu32 " failures in a row", separator, p->consecutive);
		separator = ", or ";
	}
	fprintf(out, "%s\n", *separator ? "" : "nothing");
	label(out, "open for");
	fprintf(out, "%s, twice as long each time, at most %s", milliseconds(p->open_ms, one),
		milliseconds(p->open_max_ms, other));
	if (p->jitter_percent != PROMCB_POLICY_OFF)
		fprintf(out, ", off by up to %" PRIu32 " %%", p->jitter_percent);
	fputc('\n', out);
	label(out, "half-open");
	fprintf(out,
		"%" PRIu32 " probes at a time, for at most %s each; %" PRIu32 " successes close, %" PRIu32
		" failures open\n",
		p->probes, milliseconds(p->lease_ms, one), p->successes, p->failures);
	label(out, "policy");
	fprintf(out, "version %" PRIu32 "%s\n", p->version, p->flags & PROMCB_POLICY_ANYWAY ? ", an operator's" : "");
}

void promcb_admin_breaker_print(FILE *out, const struct promcb_breaker_summary *b, uint64_t now_ns)
{
	label(out, "component");
	fprintf(out, "%s\n", b->component);
	print_state(out, b, now_ns);
	label(out, "window");
	fprintf(out, "%" PRIu64 " calls, %.1f %% failed, %.1f %% slow\n", b->window_calls,
		percent(b->window_failed, b->window_calls), percent(b->window_slow, b->window_calls));
	print_policy(out, &b->policy);
	label(out, "let through");
	fprintf(out,
		"%" PRIu64 "; under way %" PRIu64 ", slow %" PRIu64 ", ignored %" PRIu64 ", late %" PRIu64
		", died %" PRIu64 "\n",
		b->permitted, b->in_flight, b->slow, b->ignored, b->late, b->died);
	label(out, "refused");
	fprintf(out, "open %" PRIu64 ", half_open %" PRIu64 ", forced %" PRIu64 "; in shadow mode %" PRIu64 "\n",
		b->refused_open, b->refused_half_open, b->refused_forced, b->shadow_refusals);
	label(out, "probes");
	fprintf(out, "good %" PRIu64 ", bad %" PRIu64 ", lost %" PRIu64 "\n", b->probes_good, b->probes_bad,
		b->probes_lost);
}

/* -- JSON --------------------------------------------------------------------------------------------------------- */

static void print_text(FILE *out, const char *key, const char *text)
{
	fprintf(out, ",\n    \"%s\": ", key);
	if (text)
		promcb_admin_json_text(out, text);
	else
		fputs("null", out);
}

/* Shares and times are numbers, those that are off null. */
static void print_policy_json(FILE *out, const struct promcb_policy *p)
{
	const struct {
		const char *key;
		bool is_off;
		double value;
	} fields[] = {
		{"version", false, p->version},
		{"failure_ratio", p->failure_permille == PROMCB_POLICY_OFF, p->failure_permille / 1e3},
		{"slow_ratio", p->slow_permille == PROMCB_POLICY_OFF, p->slow_permille / 1e3},
		{"slow_seconds", p->slow_ns == 0, (double)p->slow_ns / 1e9},
		{"consecutive", p->consecutive == PROMCB_POLICY_OFF, p->consecutive},
		{"min_calls", false, p->min_calls},
		{"window_seconds", false, p->window_ms / 1e3},
		{"open_seconds", false, p->open_ms / 1e3},
		{"open_max_seconds", false, p->open_max_ms / 1e3},
		{"jitter_ratio", p->jitter_percent == PROMCB_POLICY_OFF, p->jitter_percent / 1e2},
		{"probes", false, p->probes},
		{"successes", false, p->successes},
		{"failures", false, p->failures},
		{"lease_seconds", false, p->lease_ms / 1e3},
	};

	fputs(",\n    \"policy\": {", out);
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		fprintf(out, "%s\"%s\": ", i ? ", " : "", fields[i].key);
		if (fields[i].is_off)
			fputs("null", out);
		else
			fprintf(out, "%.15g", fields[i].value);
	}
	fprintf(out, ", \"mode\": \"%s\", \"operators\": %s}", promcb_mode_name((enum promcb_mode)p->mode),
		p->flags & PROMCB_POLICY_ANYWAY ? "true" : "false");
}

void promcb_admin_breaker_json(FILE *out, const struct promcb_breaker_summary *b)
{
	const struct {
		const char *key;
		uint64_t value;
	} counts[] = {
		{"window_calls", b->window_calls},
		{"window_failed", b->window_failed},
		{"window_slow", b->window_slow},
		{"in_flight", b->in_flight},
		{"permitted", b->permitted},
		{"refused_open", b->refused_open},
		{"refused_half_open", b->refused_half_open},
		{"refused_forced", b->refused_forced},
		{"shadow_refusals", b->shadow_refusals},
		{"slow", b->slow},
		{"ignored", b->ignored},
		{"late", b->late},
		{"died", b->died},
		{"probes_good", b->probes_good},
		{"probes_bad", b->probes_bad},
		{"probes_lost", b->probes_lost},
	};

	fputs("  {\n    \"component\": ", out);
	promcb_admin_json_text(out, b->component);
	print_text(out, "state", promcb_state_name(b->state));
	print_text(out, "mode", promcb_mode_name(b->mode));
	fprintf(out, ",\n    \"forced\": %s", b->is_forced ? "true" : "false");
	if (b->open_until_ns)
		fprintf(out, ",\n    \"open_until\": %.3f", (double)b->open_until_ns / 1e9);
	else
		print_text(out, "open_until", NULL);
	print_text(out, "last_reason", b->last_reason);
	print_policy_json(out, &b->policy);
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
		fprintf(out, ",\n    \"%s\": %" PRIu64, counts[i].key, counts[i].value);
	fputs("\n  }", out);
}
