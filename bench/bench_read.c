/* SPDX-License-Identifier: MIT */
/*
 * bench_read: how long do a snapshot and its rendering take, of a segment that bench_fill left?
 *
 * x components, y lanes. The snapshot is taken with and without the recent samples: the difference is the quantiles.
 * Each format is rendered from a snapshot at hand. Beside it stand what cannot be saved: reading as many bytes as
 * the blocks have, copying the text, making its digits, and both of that line by line (the floor). Before all that, the
 * most memory that the reader held.
 *
 * Usage: bench_read SEGMENT STATE LANES [ROUNDS]; STATE is the word that bench_fill was given
 */
#include "bench.h"

#include <promcb/inline.h>
#include <promcb/reader.h>

#include <sys/resource.h>

enum { FORMATS_MAX = 8 };

struct output {
	char *bytes;
	size_t length;
	size_t room;
};

static const char *state;
static uint64_t components, lanes;

static int keep(void *context, const void *bytes, size_t length)
{
	struct output *output = context;

	if (output->length + length > output->room) {
		output->room = 2 * (output->length + length);
		char *more = realloc(output->bytes, output->room);

		if (!more)
			return -1;
		output->bytes = more;
	}
	memcpy(output->bytes + output->length, bytes, length);
	output->length += length;
	return 0;
}

/* As a server would that sends pieces on: looked at, not kept. */
static int discard(void *context, const void *bytes, size_t length)
{
	struct output *output = context;

	(void)bytes;
	output->length += length;
	return 0;
}

static void tell(const char *what, const char *who, const char *unit, double value)
{
	char row[96];

	snprintf(row, sizeof(row), "%s (%s)", what, state);
	bench_row("read", row, who, components, lanes, "1 thread", unit, value);
}

static double milliseconds_since(uint64_t begin_ns)
{
	return (double)(bench_now_ns() - begin_ns) * 1e-6;
}

static double snapshot_ms(struct promcb_reader *reader, bool without_recent, struct promcb_snapshot **out)
{
	struct promcb_snapshot_options options = {.flags = without_recent ? PROMCB_SNAPSHOT_WITHOUT_RECENT : 0};
	uint64_t begin_ns = bench_now_ns();

	if (promcb_reader_snapshot(reader, &options, out, NULL) < 0) {
		fprintf(stderr, "bench_read: no snapshot\n");
		exit(1);
	}
	return milliseconds_since(begin_ns);
}

/* The hot parts' bytes, read once: what every snapshot must at least do. */
static void scan_floor(void)
{
	size_t words = (size_t)(components * lanes) * (sizeof(struct promcb_block) / 8 + 2 * PROMCB_BUCKET3_COUNT);
	uint64_t *memory = malloc(words * 8), sum = 0;

	if (!memory)
		return;
	memset(memory, 1, words * 8);
	uint64_t begin_ns = bench_now_ns();

	for (size_t i = 0; i < words; i++)
		sum += memory[i];
	if (sum == 0)
		abort();
	tell("snapshot without recent", "floor", "ms", milliseconds_since(begin_ns));
	free(memory);
}

/* A line of the text: what stands before its number, and how long the number is. */
struct line {
	size_t offset;
	uint32_t bytes;
	uint32_t digits;
};

static struct line *find_lines(const struct output *text, size_t *count)
{
	const char *at = text->bytes, *end = at + text->length;
	struct line *lines = NULL;

	*count = 0;
	while (at < end) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));
		const char *blank = memrchr(at, ' ', (size_t)(newline - at));

		if (*count % 4096 == 0) {
			lines = realloc(lines, (*count + 4096) * sizeof(*lines));
			if (!lines)
				exit(1);
		}
		lines[(*count)++] = (struct line){.offset = (size_t)(at - text->bytes),
						  .bytes = (uint32_t)(blank + 1 - at),
						  .digits = (uint32_t)(newline - blank - 1)};
		at = newline + 1;
	}
	return lines;
}

/* As many digits as each line's number has, of numbers that are not known before; and what stands before, if wanted. */
static void make_lines(const struct output *text, const struct line *lines, size_t count, bool whole, char *to)
{
	uint64_t number = 1234567;

	for (size_t i = 0; i < count; i++) {
		if (whole) {
			memcpy(to, text->bytes + lines[i].offset, lines[i].bytes);
			to += lines[i].bytes;
		}
		number = number * 7 % 9999991;
		uint64_t rest = number;

		for (uint32_t digit = lines[i].digits; digit-- > 0; rest /= 10)
			to[digit] = (char)('0' + rest % 10);
		to += lines[i].digits;
		*to++ = '\n';
	}
}

static void render_floors(const struct output *text, const struct line *lines, size_t count)
{
	char *copy = malloc(text->length + 64);

	if (!copy)
		return;
	memset(copy, 1, text->length);
	uint64_t begin_ns = bench_now_ns();

	memcpy(copy, text->bytes, text->length);
	tell("render text a line", "memcpy", "ns", milliseconds_since(begin_ns) * 1e6 / (double)count);
	begin_ns = bench_now_ns();
	make_lines(text, lines, count, false, copy);
	tell("render text a line", "digits", "ns", milliseconds_since(begin_ns) * 1e6 / (double)count);
	begin_ns = bench_now_ns();
	make_lines(text, lines, count, true, copy);
	tell("render text a line", "floor", "ns", milliseconds_since(begin_ns) * 1e6 / (double)count);
	free(copy);
}

static void render(const struct promcb_snapshot *snapshot, const struct output *text)
{
	static const char *const names[] = {"text", "openmetrics", "protobuf", "json", "health"};
	size_t count;
	struct line *lines = find_lines(text, &count);

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct output output = {0};
		enum promcb_format format;
		char what[64];

		/* Once before: the first has fresh memory to fault in, which a server does not have at each scrape. */
		if (promcb_format_parse(names[i], &format) < 0 ||
		    promcb_render(snapshot, format, NULL, discard, &output) < 0)
			continue;
		uint64_t begin_ns = bench_now_ns();

		if (promcb_render(snapshot, format, NULL, discard, &output) < 0)
			continue;
		double ms = milliseconds_since(begin_ns);

		snprintf(what, sizeof(what), "render %s", names[i]);
		tell(what, "promcb", "ms", ms);
		if (format == PROMCB_FORMAT_TEXT)
			tell("render text a line", "promcb", "ns", ms * 1e6 / (double)count);
	}
	render_floors(text, lines, count);
	free(lines);
}

static void measure(struct promcb_reader *mapped, struct promcb_reader *copying)
{
	struct promcb_snapshot *snapshot, *whole;
	struct output text = {0};
	double without_ms, with_ms, copied_ms;
	uint64_t begin_ns;

	without_ms = snapshot_ms(mapped, true, &snapshot);
	begin_ns = bench_now_ns();
	if (promcb_render(snapshot, PROMCB_FORMAT_TEXT, NULL, discard, &text) < 0)
		exit(1);
	tell("snapshot without recent", "promcb", "ms", without_ms);
	tell("snapshot without recent + render text", "promcb", "ms", without_ms + milliseconds_since(begin_ns));
	promcb_snapshot_free(snapshot);
	copied_ms = snapshot_ms(copying, true, &snapshot);
	tell("snapshot without recent by copy", "promcb", "ms", copied_ms);
	promcb_snapshot_free(snapshot);

	with_ms = snapshot_ms(mapped, false, &whole);
	tell("quantiles", "promcb", "ms", with_ms - without_ms);
	text.length = 0;
	if (promcb_render(whole, PROMCB_FORMAT_TEXT, NULL, keep, &text) < 0)
		exit(1);
	begin_ns = bench_now_ns();
	text.length = 0;
	if (promcb_render(whole, PROMCB_FORMAT_TEXT, NULL, keep, &text) < 0)
		exit(1);
	tell("snapshot + render text", "promcb", "ms", with_ms + milliseconds_since(begin_ns));
	render(whole, &text);
	promcb_snapshot_free(whole);
	free(text.bytes);
}

int main(int argc, char **argv)
{
	struct promcb_reader_options by_map = {.access = PROMCB_ACCESS_MAPPED};
	struct promcb_reader *mapped, *copying;
	struct promcb_snapshot *snapshot;
	struct promcb_segment_info info;
	struct rusage usage;
	char what[64];

	if (argc < 4) {
		fprintf(stderr, "Usage: bench_read SEGMENT STATE LANES [ROUNDS]\n");
		return 2;
	}
	bench_pin(0);
	setvbuf(stdout, NULL, _IOLBF, 0);
	state = argv[2];
	lanes = (uint64_t)atoi(argv[3]);
	if (promcb_reader_open(argv[1], &by_map, &mapped, NULL) < 0 ||
	    promcb_reader_open(argv[1], NULL, &copying, NULL) < 0) {
		fprintf(stderr, "bench_read: no segment %s\n", argv[1]);
		return 1;
	}
	snapshot_ms(mapped, false, &snapshot);
	promcb_snapshot_info(snapshot, &info);
	promcb_snapshot_free(snapshot);
	components = info.components;
	getrusage(RUSAGE_SELF, &usage);
	snprintf(what, sizeof(what), "reader per component and lane (%s)", state);
	bench_row("memory", what, "promcb", components, lanes, "1 thread", "KiB",
		  (double)usage.ru_maxrss / (double)(components * lanes));
	for (int round = argc > 4 ? atoi(argv[4]) : 5; round > 0; round--) {
		measure(mapped, copying);
		scan_floor();
	}
	promcb_reader_close(mapped);
	promcb_reader_close(copying);
	return 0;
}
