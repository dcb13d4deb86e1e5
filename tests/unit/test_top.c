/* SPDX-License-Identifier: MIT */
/*
 * What promcb-top draws: pages of a made-up history at a fixed time, in four sizes, with ASCII and not, held against
 * golden screens; keys; and names that no screen shall act on. PROMCB_GOLDEN_RENEW=yes writes the screens anew.
 */
#include "fixture.h"
#include "top/top.h"

#include <locale.h>
#include <time.h>

#define SECOND ((uint64_t)1000000000)
/* 2026-03-01 14:00:00 UTC. */
#define START ((uint64_t)1772373600 * SECOND)

enum { SECONDS = 150, SLOW = 200, FAST = 100, OPENED = 110 };

static struct promcb_top top;

/* Which bucket a latency is in. */
static size_t bucket_of(uint64_t ns)
{
	struct promcb_bucket bucket;
	size_t i = 0;

	while (promcb_bucket_bounds(3, i, &bucket) == 0 && bucket.most_ns < ns)
		i++;
	return i;
}

static void put_row(struct promcb_view_bytes *rows, uint32_t component, uint64_t succeeded, uint64_t failed,
		    uint64_t ns, uint64_t failed_ns, uint32_t state, uint64_t changed_ns, uint64_t opened)
{
	uint64_t buckets[PROMCB_VIEW_BUCKETS_MAX] = {0};
	struct promcb_view_row row = {
		.component = component, .state = state, .changed_ns = changed_ns, .buckets = buckets};
	struct promcb_view_component *known = &top.history.components[component];

	row.counts.calls[0] = succeeded;
	row.counts.calls[1] = failed;
	row.counts.transitions[PROMCB_OPEN] = opened;
	buckets[bucket_of(ns)] = succeeded - succeeded / 100;
	buckets[bucket_of(ns * 20)] += succeeded / 100;
	buckets[top.history.bucket_count + bucket_of(failed_ns)] = failed;
	if (succeeded + failed + opened)
		promcb_view_row_put(rows, &row, top.history.bucket_count);
	promcb_view_add_counts(&known->total, &row.counts);
	known->state = state;
	known->changed_ns = changed_ns;
	if (succeeded + failed)
		known->last_call_ns = promcb_view_upto_ns(&top.history) + SECOND;
}

/* A partner's API that breaks, a busy database, a search with two speeds, and one that nobody calls. */
static void push(uint64_t second)
{
	struct promcb_view_bytes rows = {.bytes = NULL};
	struct promcb_view_column column = {
		.from_ns = START + second * SECOND, .upto_ns = START + (second + 1) * SECOND, .took_ns = SECOND};
	bool broken = second >= OPENED;

	put_row(&rows, 0, 300 + second % 50, 0, 300000, 1, 0, 0, 0);
	put_row(&rows, 1, broken ? 1 : 8, broken ? 3 : second % 40 == 0, 390000, 1000000000, broken,
		broken ? START + OPENED * SECOND : START, second == OPENED ? 3 : 0);
	put_row(&rows, 2, 100, second % 2, second % 30 < 3 ? 24000000 : 3000000, 50000000, 0, START, 0);
	column.rows = rows.bytes;
	column.length = (uint32_t)rows.length;
	cr_assert_eq(promcb_view_push(&top.history, &column), 0);
}

static void begin(void)
{
	static const char *const names[] = {"db_read", "payment_api", "search \xce\xb1\xce\xb2\xce\xb3",
					    "batch_nightly"};

	setenv("TZ", "UTC", 1);
	tzset();
	setlocale(LC_CTYPE, "C.UTF-8");
	top = (struct promcb_top){.selected = UINT32_MAX,
				  .outcome = PROMCB_OUTCOME_ANY,
				  .started = true,
				  .segment = "/promcb",
				  .window = 1,
				  .interval = 1,
				  .now_ns = START + SECONDS * SECOND,
				  .info = {.components = 4,
					   .producers = 3,
					   .lanes_live = 9,
					   .lanes_idle = 2,
					   .used_bytes = 1310720,
					   .max_bytes = (uint64_t)32 << 20}};
	cr_assert_eq(promcb_view_history_start(&top.history, 3, &promcb_view_default_limits), 0);
	for (size_t i = 0; i < 4; i++)
		cr_assert_eq(promcb_view_add(&top.history, names[i]), i);
	for (uint32_t i = 0; i < 4; i++) {
		top.history.components[i].since_ns = START - 3600 * SECOND;
		top.history.components[i].last_call_ns = START - 7200 * SECOND;
	}
	for (uint64_t second = 0; second < SECONDS; second++)
		push(second);
}

static void end(void)
{
	promcb_view_history_end(&top.history);
}

TestSuite(top, .init = begin, .fini = end);

/* The screen as text. */
static char *draw(int rows, int columns, bool ascii)
{
	struct promcb_grid grid;
	char *text = NULL;
	size_t length = 0;
	FILE *file = open_memstream(&text, &length);

	cr_assert_not_null(file);
	cr_assert(promcb_grid_start(&grid, rows, columns, ascii));
	cr_assert_eq(promcb_top_draw(&top, &grid), 0);
	promcb_grid_print(&grid, file);
	promcb_grid_end(&grid);
	fclose(file);
	return text;
}

static void check_golden(const char *name, const char *text)
{
	char path[512], kept[65536] = "";
	FILE *file;

	snprintf(path, sizeof(path), "%s/top/%s.txt", getenv("PROMCB_GOLDEN_DIR"), name);
	if (getenv("PROMCB_GOLDEN_RENEW")) {
		file = fopen(path, "w");
		cr_assert_not_null(file, "%s", path);
		fputs(text, file);
		fclose(file);
	}
	file = fopen(path, "r");
	cr_assert_not_null(file, "%s is not there", path);
	kept[fread(kept, 1, sizeof(kept) - 1, file)] = '\0';
	fclose(file);
	cr_expect_str_eq(text, kept, "%s is now:\n%s", name, text);
}

static void check_screen(const char *name, int rows, bool ascii)
{
	char *text = draw(rows, 80, ascii);

	check_golden(name, text);
	free(text);
}

static void check_sizes(const char *name)
{
	static const struct {
		int rows, columns;
	} sizes[] = {{24, 80}, {14, 60}, {10, 36}, {50, 200}};
	char file[64];

	for (size_t i = 0; i < 2 * sizeof(sizes) / sizeof(sizes[0]); i++) {
		char *text = draw(sizes[i / 2].rows, sizes[i / 2].columns, i % 2);

		snprintf(file, sizeof(file), "%s-%dx%d%s", name, sizes[i / 2].columns, sizes[i / 2].rows,
			 i % 2 ? "-ascii" : "");
		check_golden(file, text);
		free(text);
	}
}

Test(top, screens_of_the_list)
{
	check_sizes("list");
}

Test(top, screens_of_a_component)
{
	top.selected = 1;
	promcb_top_press(&top, PROMCB_KEY_ENTER, 24);
	cr_assert_eq(top.page, PROMCB_TOP_COMPONENT);
	check_sizes("heat");
	promcb_top_press(&top, PROMCB_KEY_TAB, 24);
	check_screen("curve-80x24", 24, false);
	promcb_top_press(&top, PROMCB_KEY_TAB, 24);
	check_screen("timeline-80x24", 24, false);
	promcb_top_press(&top, '?', 24);
	check_screen("keys-80x40", 40, true);
}

/* Every size is drawn, down to one place, and no line is longer than the screen. */
Test(top, every_size_is_drawn)
{
	for (int page = 0; page < 4; page++)
		for (int rows = 1; rows < 40; rows += 3)
			for (int columns = 1; columns < 130; columns += 3) {
				char *text, *line, *rest;

				top.page = (enum promcb_top_page)page;
				top.view = (enum promcb_top_view)(rows % PROMCB_TOP_VIEWS);
				top.selected = (uint32_t)(columns % 4);
				text = draw(rows, columns, true);
				for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
					cr_assert_leq(strlen(line), (size_t)columns);
				free(text);
			}
}

Test(top, keys_move_filter_sort_and_go_back)
{
	char *text = draw(24, 80, true);

	free(text);
	/* What is wrong is first, and selected. */
	cr_assert_eq(top.selected, 1);
	promcb_top_press(&top, 'j', 24);
	cr_assert_eq(top.selected, 2);
	promcb_top_press(&top, 'G', 24);
	cr_assert_eq(top.selected, 3);
	promcb_top_press(&top, 'g', 24);
	cr_assert_eq(top.selected, 1);
	promcb_top_press(&top, 's', 24);
	promcb_top_press(&top, 's', 24);
	cr_assert_eq(top.choice.sort, PROMCB_VIEW_SORT_CALLS);
	promcb_top_press(&top, 'g', 24);
	cr_assert_eq(top.selected, 0);
	promcb_top_press(&top, '/', 24);
	for (const char *typed = "q*\xce"; *typed; typed++)
		promcb_top_press(&top, (uint32_t)(unsigned char)*typed, 24);
	cr_assert_not(top.ended);
	promcb_top_press(&top, PROMCB_KEY_BACKSPACE, 24);
	promcb_top_press(&top, PROMCB_KEY_ENTER, 24);
	cr_assert_str_eq(top.choice.matching, "q*");
	text = draw(24, 80, true);
	cr_assert_not_null(strstr(text, "0 of 4 like \"q*\""));
	free(text);
	promcb_top_press(&top, PROMCB_KEY_ESCAPE, 24);
	cr_assert_null(top.choice.matching);
	promcb_top_press(&top, ' ', 24);
	cr_assert(top.paused);
	push(SECONDS);
	text = draw(24, 80, true);
	cr_assert_not_null(strstr(text, "14:02:30 UTC PAUSED"));
	free(text);
	promcb_top_press(&top, '[', 24);
	cr_assert_eq(promcb_top_upto_ns(&top), START + (SECONDS - 1) * SECOND);
	promcb_top_press(&top, ']', 24);
	promcb_top_press(&top, ']', 24);
	cr_assert_not(top.paused);
	promcb_top_press(&top, 3, 24);
	cr_assert(top.ended);
}

/* The row of the heat map that has the slowest calls, from its first square on; "": there is none. */
static const char *slowest_row(char *text)
{
	char *line, *rest;

	for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		if (strlen(line) > 9 && strncmp(line + 6, " s ", 3) == 0 && strtod(line, NULL) >= 8)
			return line + 9;
	return "";
}

/* For as long as the picture goes back, whatever was joined meanwhile. */
Test(top, one_slow_call_among_a_million_is_seen_at_every_zoom)
{
	static const int sizes[][2] = {{24, 80}, {14, 60}, {10, 36}, {50, 200}};
	uint64_t *buckets = calloc(2 * top.history.bucket_count, sizeof(*buckets)), second = SECONDS, seen = 0;
	struct promcb_view_row row = {.buckets = buckets, .counts.calls = {1000000, 0}};
	struct promcb_view_bytes rows = {.bytes = NULL};
	struct promcb_view_column column = {
		.from_ns = START + second * SECOND, .upto_ns = START + (second + 1) * SECOND, .took_ns = SECOND};

	cr_assert_not_null(buckets);
	buckets[bucket_of(300000)] = 999999;
	buckets[bucket_of(8 * SECOND)] = 1;
	promcb_view_row_put(&rows, &row, top.history.bucket_count);
	column.rows = rows.bytes;
	column.length = (uint32_t)rows.length;
	cr_assert_eq(promcb_view_push(&top.history, &column), 0);
	free(buckets);
	top.selected = 0;
	top.page = PROMCB_TOP_COMPONENT;
	for (uint64_t age = 0; age < 5000; age += age < 400 ? 130 : 1500) {
		while (second < SECONDS + age)
			push(++second);
		for (unsigned i = 0; i < PROMCB_TOP_WINDOWS * 4; i++) {
			uint64_t width = promcb_top_windows[i / 4];
			char *text;

			/* Further back than the picture goes. */
			if (width && age + width >= width * (uint64_t)(sizes[i % 4][1] - 10))
				continue;
			top.window = i / 4;
			top.most = 0;
			text = draw(sizes[i % 4][0], sizes[i % 4][1], i % 2);
			cr_expect_str_neq(slowest_row(text), "", "%u s after %u s:\n%s", (unsigned)width, (unsigned)age,
					  text);
			seen++;
			free(text);
		}
	}
	cr_assert_gt(seen, 70);
}

/* Whether a key stands in the text between two of its lines, by itself. */
static bool has_key(const char *text, const char *key, size_t length)
{
	for (const char *at = text; (at = strchr(at, key[0])) != NULL; at++)
		if (strncmp(at, key, length) == 0 && strchr(" \n,;", at[length]) && strchr(" \n", at[-1]))
			return true;
	return false;
}

Test(top, each_key_is_in_the_man_page)
{
	char path[512], page[32768] = "", *out, *keys;
	size_t found = 0;
	FILE *file;

	snprintf(path, sizeof(path), "%s/tools/top/promcb-top.1", getenv("PROMCB_SOURCE"));
	file = fopen(path, "r");
	cr_assert_not_null(file, "%s", path);
	page[fread(page, 1, sizeof(page) - 1, file)] = '\0';
	fclose(file);
	keys = strstr(page, ".SH KEYS");
	cr_assert_not_null(keys);
	*strstr(keys, ".SH EXIT") = '\0';
	/* Without quotes and escapes. */
	out = keys;
	for (const char *in = keys; *in; in++)
		if (*in != '"' && *in != '\\')
			*out++ = *in;
	*out = '\0';
	for (size_t i = 0; i < promcb_top_binding_count; i++)
		for (const char *key = promcb_top_bindings[i].keys; *key; key += strspn(key, ", ")) {
			/* A comma may be a key's end, and no key is one. */
			size_t length = strcspn(key, ",");

			cr_expect(has_key(keys, key, length) || strcmp(key, "up") == 0 || strcmp(key, "down") == 0 ||
					  strcmp(key, "Home") == 0 || strcmp(key, "End") == 0,
				  "%.*s", (int)length, key);
			key += length;
			found++;
		}
	cr_assert_gt(found, 30);
}

/* At an earlier moment, the breaker was what it was then. */
Test(top, an_earlier_moment_is_as_it_was)
{
	char *text;

	top.paused = true;
	top.paused_ns = START + FAST * SECOND;
	text = draw(24, 80, true);
	cr_assert_null(strstr(text, "OPEN"), "%s", text);
	free(text);
	top.paused_ns = START + (OPENED + 5) * SECOND;
	text = draw(24, 80, true);
	cr_assert_not_null(strstr(text, "!OPEN 5 s"), "%s", text);
	free(text);
}

Test(top, a_looked_at_segment_that_is_gone_is_stale)
{
	char *text;

	top.now_ns += 14 * SECOND;
	strcpy(top.missing, "there is no segment \"/promcb\"");
	text = draw(24, 80, true);
	cr_assert_not_null(strstr(text, "STALE 14 s"));
	cr_assert_not_null(strstr(text, "there is no segment"));
	free(text);
}

/* Controls, marks of direction, what combines, bytes that are no UTF-8: shown, and not done. */
Test(top, odd_names_are_shown_and_not_done)
{
	static const char *const names[] = {"\x1b[2J", "a\u202eb", "e\xcc\x81", "\xff\xfe", "<b>&\"'/"};
	static const char *const shown[] = {"\\x1b[2J", "a\\u202eb", "e\\u0301", "\\xff\\xfe", "<b>&\"'/"};
	char *text;

	for (size_t i = 0; i < 5; i++)
		promcb_view_add(&top.history, names[i]);
	text = draw(24, 100, false);
	for (size_t i = 0; i < 5; i++)
		cr_expect_not_null(strstr(text, shown[i]), "%s in:\n%s", shown[i], text);
	for (const char *byte = text; *byte; byte++)
		cr_assert(*byte == '\n' || (unsigned char)*byte >= 0x20);
	free(text);
	text = draw(24, 100, true);
	for (const char *byte = text; *byte; byte++)
		cr_assert(*byte == '\n' || (*byte >= 0x20 && *byte < 0x7f));
	free(text);
}
