/* SPDX-License-Identifier: MIT */
/* answer_list.c: what is told of all components at once. */
#include "answer.h"

#include "json.h"

#include <stdlib.h>
#include <string.h>

/* What was not looked at, the newest last; most of it is one column each. */
static void put_gaps(struct promcb_view_bytes *out, const struct promcb_view_history *history)
{
	const char *between = "";

	promcb_view_json_text(out, ",\"gaps\":[");
	for (size_t i = 0; i < history->column_count; i++) {
		const struct promcb_view_column *column = &history->columns[i];

		if (!column->gap)
			continue;
		promcb_view_json_print(out, "%s{", between);
		promcb_view_json_time(out, "from", column->from_ns);
		promcb_view_json_text(out, ",");
		promcb_view_json_time(out, "to", column->upto_ns);
		promcb_view_json_print(out, ",\"why\":\"%s\"}", promcb_view_gap_names[column->gap]);
		between = ",";
	}
	promcb_view_json_text(out, "]");
}

static void put_tiers(struct promcb_view_bytes *out, const struct promcb_view_history *history, uint64_t tick_ns)
{
	promcb_view_json_text(out, ",\"tiers\":[");
	for (size_t i = 0; i < PROMCB_VIEW_TIERS; i++) {
		const struct promcb_view_tier *tier = &history->limits.tiers[i];

		promcb_view_json_print(out, "%s[%.3f,%u]", i ? "," : "",
				       (double)(tier->width_ns ? tier->width_ns : tick_ns) / 1e9, tier->columns);
	}
	promcb_view_json_text(out, "]");
}

static void put_source(const struct promcb_view_sources *sources, const struct promcb_view_source *source,
		       const struct promcb_view_list *list, struct promcb_view_bytes *out)
{
	promcb_view_json_segment(out, source->name, source->info);
	if (!source->info) {
		promcb_view_json_text(out, ",\"message\":");
		promcb_view_json_string(out, source->message);
	}
	if (source->history) {
		promcb_view_json_text(out, ",\"history\":{");
		promcb_view_json_time(out, "from", promcb_view_from_ns(source->history));
		promcb_view_json_text(out, ",");
		promcb_view_json_time(out, "to", promcb_view_upto_ns(source->history));
		promcb_view_json_print(out, ",\"columns\":%zu,\"bytes\":%zu", source->history->column_count,
				       source->history->bytes);
		put_tiers(out, source->history, sources->tick_ns);
		put_gaps(out, source->history);
		promcb_view_json_text(out, "}");
	}
	promcb_view_json_print(out, ",\"listed\":%zu,\"open\":%zu,\"failing\":%zu}", list->all, list->open,
			       list->failing);
}

/* -- Lists --------------------------------------------------------------------------------------------------------- */

/* A line, and whose. */
struct owned {
	struct promcb_view_line line; /* the first member, as it is compared by */
	size_t source;
};

struct all_lines {
	struct promcb_view_list *lists; /* of each source */
	struct owned *lines;
	size_t count, matching;
};

static int compare_owned(const void *left, const void *right, void *choice)
{
	const struct owned *a = left, *b = right;
	int result = promcb_view_line_compare(&a->line, &b->line, choice);

	return result ? result : a->source < b->source ? -1 : a->source > b->source;
}

static void free_lines(struct all_lines *all, size_t count)
{
	for (size_t i = 0; all->lists && i < count; i++)
		promcb_view_list_free(&all->lists[i]);
	free(all->lists);
	free(all->lines);
}

static bool make_lists(const struct promcb_view_sources *sources, const struct promcb_view_listing *listing,
		       const struct promcb_view_choice *choice, struct all_lines *out)
{
	for (size_t i = 0; i < sources->count; i++) {
		const struct promcb_view_history *history = sources->sources[i].history;
		uint64_t upto_ns = history ? promcb_view_upto_ns(history) : 0;

		if (!history)
			continue;
		/* What is not there has no calls now, whatever it had when it was. */
		if (!sources->sources[i].info && upto_ns < sources->now_ns)
			upto_ns = sources->now_ns;
		if (promcb_view_list_make(history, upto_ns > listing->window_ns ? upto_ns - listing->window_ns : 0,
					  upto_ns, choice, &out->lists[i]) < 0)
			return false;
		out->matching += out->lists[i].count;
	}
	return true;
}

/* The lines of all sources, in one order, as many as the limit. Returns whether there was memory. */
static bool gather(const struct promcb_view_sources *sources, const struct promcb_view_listing *listing,
		   struct all_lines *out)
{
	struct promcb_view_choice choice = {.matching = listing->matching, .sort = listing->sort};

	*out = (struct all_lines){.lists = calloc(sources->count + 1, sizeof(*out->lists))};
	if (!out->lists || !make_lists(sources, listing, &choice, out))
		return false;
	out->lines = calloc(out->matching + 1, sizeof(*out->lines));
	if (!out->lines)
		return false;
	for (size_t i = 0; i < sources->count; i++)
		for (size_t k = 0; k < out->lists[i].count; k++)
			out->lines[out->count++] = (struct owned){out->lists[i].lines[k], i};
	/* Each list is in order already. */
	if (sources->count > 1 && out->count)
		qsort_r(out->lines, out->count, sizeof(*out->lines), compare_owned, &choice);
	out->count = out->count < listing->limit ? out->count : listing->limit;
	return true;
}

void promcb_view_answer_live(const struct promcb_view_sources *sources, const struct promcb_view_listing *listing,
			     struct promcb_view_bytes *out)
{
	struct all_lines all;

	if (!gather(sources, listing, &all)) {
		out->failed = true;
		free_lines(&all, sources->count);
		return;
	}
	promcb_view_answer_head(sources, out);
	promcb_view_json_print(out, ",\"window_seconds\":%.3f,\"sort\":\"%s\",\"matching\":%zu,",
			       (double)listing->window_ns / 1e9, promcb_view_sort_name(listing->sort), all.matching);
	promcb_view_json_print(out, "\"history_bytes\":%zu,\"history_bytes_max\":%zu,\"segments\":[", sources->bytes,
			       sources->bytes_max);
	for (size_t i = 0; i < sources->count; i++) {
		promcb_view_json_text(out, i ? ",\n" : "\n");
		put_source(sources, &sources->sources[i], &all.lists[i], out);
	}
	promcb_view_json_text(out, "],\n\"components\":[");
	for (size_t i = 0; i < all.count; i++) {
		const struct owned *owned = &all.lines[i];

		promcb_view_json_text(out, i ? ",\n" : "\n");
		promcb_view_json_line(out, sources->sources[owned->source].history, &owned->line, owned->source);
	}
	promcb_view_json_text(out, "]}\n");
	free_lines(&all, sources->count);
}

/* -- Strips -------------------------------------------------------------------------------------------------------- */

/* One of no latency that can be told, forty, and one beyond: 2^-30 s to 2^10 s. */
enum { OCTAVES = 42 };

struct strip_part {
	uint64_t calls[PROMCB_VIEW_OUTCOMES];
	uint64_t octaves[OCTAVES];
};

struct strips {
	const struct all_lines *all;
	size_t parts;
	uint64_t base_ns, step_ns;
	struct strip_part *sums; /* of each line */
	bool *looked;            /* of each source */
};

static size_t octave_of(const struct promcb_view_history *history, size_t bucket)
{
	size_t octave = bucket ? 1 + ((bucket - 1) >> history->schema) : 0;

	return octave < OCTAVES ? octave : OCTAVES - 1;
}

static void add_strip_row(const struct promcb_view_history *history, const struct promcb_view_row *row,
			  struct strip_part *sum)
{
	for (size_t i = 0; i < PROMCB_VIEW_OUTCOMES * history->bucket_count; i++)
		if (row->buckets[i])
			sum->octaves[octave_of(history, i % history->bucket_count)] += row->buckets[i];
	for (size_t i = 0; i < PROMCB_VIEW_OUTCOMES; i++)
		sum->calls[i] += row->counts.calls[i];
}

/* All columns of a source. lines: the number of a component's line, or UINT32_MAX. */
static void add_strips(const struct promcb_view_history *history, size_t source, const uint32_t *lines,
		       uint64_t *buckets, struct strips *strips)
{
	for (size_t i = 0; i < history->column_count; i++) {
		const struct promcb_view_column *column = &history->columns[i];
		struct promcb_view_span in = promcb_view_span_of(column->rows, column->length);
		size_t part;

		if (column->upto_ns <= strips->base_ns || column->gap == PROMCB_VIEW_GAP_MISSING)
			continue;
		part = (size_t)((column->upto_ns - strips->base_ns - 1) / strips->step_ns);
		if (part >= strips->parts)
			break;
		strips->looked[source * strips->parts + part] = true;
		while (in.at < in.end) {
			uint32_t line = lines[promcb_view_row_peek(&in)];
			struct promcb_view_row row = {.buckets = buckets};

			if (line == UINT32_MAX) {
				promcb_view_row_skip(&in);
				continue;
			}
			memset(buckets, 0, PROMCB_VIEW_OUTCOMES * history->bucket_count * sizeof(*buckets));
			promcb_view_row_add(&in, &row, history->bucket_count);
			add_strip_row(history, &row, &strips->sums[line * strips->parts + part]);
		}
	}
}

static bool add_source(const struct promcb_view_sources *sources, size_t source, struct strips *strips)
{
	const struct promcb_view_history *history = sources->sources[source].history;
	uint32_t *lines;
	uint64_t *buckets;

	if (!history)
		return true;
	lines = malloc((history->component_count + 1) * sizeof(*lines));
	buckets = malloc(PROMCB_VIEW_OUTCOMES * history->bucket_count * sizeof(*buckets));
	if (lines && buckets) {
		memset(lines, 0xff, (history->component_count + 1) * sizeof(*lines));
		for (size_t i = 0; i < strips->all->count; i++)
			if (strips->all->lines[i].source == source)
				lines[strips->all->lines[i].line.component] = (uint32_t)i;
		add_strips(history, source, lines, buckets, strips);
	}
	free(lines);
	free(buckets);
	return lines && buckets;
}

/* A count of each part; null where nobody looked. */
static void put_part_counts(const struct strips *strips, size_t line, bool failed, struct promcb_view_bytes *out)
{
	const struct strip_part *sums = &strips->sums[line * strips->parts];
	const bool *looked = &strips->looked[strips->all->lines[line].source * strips->parts];

	promcb_view_json_print(out, ",\"%s\":[", failed ? "failed" : "calls");
	for (size_t i = 0; i < strips->parts; i++) {
		uint64_t calls = sums[i].calls[1] + (failed ? 0 : sums[i].calls[0]);

		promcb_view_json_text(out, i ? "," : "");
		if (looked[i])
			promcb_view_json_print(out, "%llu", (unsigned long long)calls);
		else
			promcb_view_json_text(out, "null");
	}
	promcb_view_json_text(out, "]");
}

static void put_strip(const struct strips *strips, size_t line, struct promcb_view_bytes *out)
{
	promcb_view_json_text(out, "{\"name\":");
	promcb_view_json_string(out, strips->all->lines[line].line.name);
	promcb_view_json_print(out, ",\"segment\":%zu", strips->all->lines[line].source);
	put_part_counts(strips, line, false, out);
	put_part_counts(strips, line, true, out);
	promcb_view_json_text(out, ",\"cells\":[");
	for (size_t i = 0; i < strips->parts; i++) {
		const uint64_t *octaves = strips->sums[line * strips->parts + i].octaves;
		const char *between = "";

		promcb_view_json_text(out, i ? ",[" : "[");
		for (size_t k = 0; k < OCTAVES; k++)
			if (octaves[k]) {
				promcb_view_json_print(out, "%s%zu,%llu", between, k, (unsigned long long)octaves[k]);
				between = ",";
			}
		promcb_view_json_text(out, "]");
	}
	promcb_view_json_text(out, "]}");
}

static void put_strips(const struct promcb_view_sources *sources, const struct strips *strips,
		       struct promcb_view_bytes *out)
{
	promcb_view_answer_head(sources, out);
	promcb_view_json_print(out, ",\"part_seconds\":%.3f,\"parts\":%zu,", (double)strips->step_ns / 1e9,
			       strips->parts);
	promcb_view_json_time(out, "from", strips->base_ns);
	/* The shortest latency of each octave but the first, which has those below. */
	promcb_view_json_text(out, ",\"octaves_first_seconds\":9.313225746154785e-10,\"components\":[");
	for (size_t i = 0; i < strips->all->count; i++) {
		promcb_view_json_text(out, i ? ",\n" : "\n");
		put_strip(strips, i, out);
	}
	promcb_view_json_text(out, "]}\n");
}

void promcb_view_answer_strips(const struct promcb_view_sources *sources, const struct promcb_view_listing *listing,
			       size_t parts, struct promcb_view_bytes *out)
{
	struct strips strips = {.parts = parts, .step_ns = listing->window_ns / parts};
	uint64_t newest_ns = 0;
	struct all_lines all;
	bool is_good = gather(sources, listing, &all);

	strips.all = &all;
	strips.sums = calloc(all.count * parts + 1, sizeof(*strips.sums));
	strips.looked = calloc(sources->count * parts + 1, sizeof(*strips.looked));
	for (size_t i = 0; i < sources->count; i++) {
		const struct promcb_view_history *history = sources->sources[i].history;
		uint64_t upto_ns = history ? promcb_view_upto_ns(history) : 0;

		newest_ns = upto_ns > newest_ns ? upto_ns : newest_ns;
	}
	/* Parts end with multiples of their length, and the last one is whole: so they stay what they are. */
	newest_ns = newest_ns / strips.step_ns * strips.step_ns;
	strips.base_ns = newest_ns > parts * strips.step_ns ? newest_ns - parts * strips.step_ns : 0;
	is_good = is_good && strips.sums && strips.looked;
	for (size_t i = 0; i < sources->count && is_good; i++)
		is_good = add_source(sources, i, &strips);
	if (is_good)
		put_strips(sources, &strips, out);
	out->failed |= !is_good;
	free(strips.sums);
	free(strips.looked);
	free_lines(&all, sources->count);
}
