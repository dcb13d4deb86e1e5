/* SPDX-License-Identifier: MIT */
/*
 * main.c: promcb-top: looks at a segment, draws, and does what keys say; or prints a table.
 *
 * It draws after a look and after a key, and never else. However it ends, but for SIGKILL, the terminal is as before.
 */
#include "common.h"
#include "file.h"
#include "live.h"
#include "options.h"
#include "screen.h"
#include "views/json.h"

#include <promcb/atomic.h>

#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SECOND_NS 1000000000

/* The exit status of --check-breakers. */
enum { BREAKER_OPEN = 3 };

/* The signal that ends the program; 0: none came. */
static uint64_t ending;

static void on_signal(int number)
{
	promcb_store_relaxed(&ending, (uint64_t)number);
}

static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
enum { SIGNALS = sizeof(signals) / sizeof(signals[0]) };

static void catch_signals(void)
{
	const struct sigaction action = {.sa_handler = on_signal};

	for (size_t i = 0; i < SIGNALS; i++)
		sigaction(signals[i], &action, NULL);
	signal(SIGPIPE, SIG_IGN);
}

/* Holds signals back, so that none comes between a look at what the one before did and a wait, which lets them in. */
static void hold_signals(sigset_t *before)
{
	sigset_t held;

	sigemptyset(&held);
	sigaddset(&held, SIGWINCH);
	for (size_t i = 0; i < SIGNALS; i++)
		sigaddset(&held, signals[i]);
	sigprocmask(SIG_BLOCK, &held, before);
}

/* -- Recording ----------------------------------------------------------------------------------------------------- */

/* Returns 0, or -errno, of which it complains. */
static int end_recording(struct promcb_file *file, int result)
{
	const char *path = file->path;
	int closed = promcb_file_close(file);

	result = result < 0 ? result : closed;
	if (result < 0)
		promcb_tool_complain("cannot record to %s: %s", path,
				     result == -ESTALE ? "the segment was recreated with other buckets"
						       : strerror(-result));
	return result;
}

/* A name in the working directory, by the time. */
static void name_file(const struct promcb_top *top, const char *ending_of_name, char *path, size_t size)
{
	time_t now = (time_t)(top->now_ns / SECOND_NS);
	char clock[32];
	struct tm when;

	localtime_r(&now, &when);
	strftime(clock, sizeof(clock), "%Y%m%d-%H%M%S", &when);
	snprintf(path, size, "promcb-top-%s.%s", clock, ending_of_name);
}

/* What came since goes into the file; who looks is told of what went wrong. */
static void keep_recording(struct promcb_file *file, struct promcb_top *top)
{
	int result = promcb_file_write(file, top);

	if (result < 0)
		snprintf(top->said, sizeof(top->said), "no longer recorded to %s: %s", file->path,
			 result == -ESTALE ? "the segment was recreated with other buckets" : strerror(-result));
	top->recording = file->file != NULL;
}

static void switch_recording(struct promcb_file *file, struct promcb_top *top)
{
	static char path[64];
	int result;

	top->wants_recording = false;
	if (file->file) {
		result = promcb_file_close(file);
		snprintf(top->said, sizeof(top->said), "recorded to %s%s%s", file->path,
			 result < 0 ? ", not all: " : "", result < 0 ? strerror(-result) : "");
		top->recording = false;
		return;
	}
	name_file(top, "promcb", path, sizeof(path));
	result = promcb_file_create(file, path);
	if (result < 0) {
		snprintf(top->said, sizeof(top->said), "cannot record to %s: %s", path, strerror(-result));
		return;
	}
	snprintf(top->said, sizeof(top->said), "recording to %s", path);
	keep_recording(file, top);
}

/* -- Printing ------------------------------------------------------------------------------------------------------ */

static int write_stdout(void *context, const void *bytes, size_t length)
{
	(void)context;
	return fwrite(bytes, 1, length, stdout) == length ? 0 : -EIO;
}

static int print_json(const struct promcb_top *top, struct promcb_view_list *list)
{
	const struct promcb_view_origin origin = {.segment = top->segment, .info = &top->info, .now_ns = top->now_ns};

	return promcb_view_json(&top->history, list, &origin, write_stdout, NULL);
}

/* Names are not cut: it may be for a program. */
static int print_text(struct promcb_top *top, const struct promcb_view_list *list, bool ascii)
{
	struct promcb_grid grid = {.ascii = ascii};
	int longest = 16, result;

	for (size_t i = 0; i < list->count; i++) {
		int width = promcb_grid_width(&grid, list->lines[i].name);

		longest = width > longest ? width : longest;
	}
	if (!promcb_grid_start(&grid, (int)list->count + 4, longest + 100, ascii))
		return -ENOMEM;
	result = promcb_top_draw(top, &grid);
	promcb_grid_print(&grid, stdout);
	promcb_grid_end(&grid);
	return result;
}

static int print(struct promcb_top *top, const struct promcb_top_options *options, bool ascii, size_t *open)
{
	struct promcb_view_list list;
	int result = promcb_view_list_make(&top->history, promcb_top_from_ns(top), promcb_top_upto_ns(top),
					   &top->choice, &list);

	if (result < 0)
		return result;
	*open = list.open;
	result = options->json ? print_json(top, &list) : print_text(top, &list, ascii);
	promcb_view_list_free(&list);
	return result;
}

static void pause_for(double seconds)
{
	const struct timespec pause = {(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * SECOND_NS)};
	sigset_t before;

	hold_signals(&before);
	if (!promcb_load_relaxed(&ending))
		ppoll(NULL, 0, &pause, &before);
	sigprocmask(SIG_SETMASK, &before, NULL);
}

/* A recording, or a segment's file. */
static int read_file(struct promcb_live *live, struct promcb_top *top)
{
	int result = promcb_file_read(live->segment, top);

	return result == -ENOTSUP ? promcb_live_dead(live, top) : result;
}

/* Prints tables; the first look is only what the second is compared with. */
static int print_all(struct promcb_live *live, struct promcb_top *top, const struct promcb_top_options *options,
		     struct promcb_file *file, bool ascii)
{
	unsigned long count = options->count && !options->file ? options->count : 1;
	size_t open = 0;
	int result = options->file ? read_file(live, top) : promcb_live_look(live, top);

	top->plain = true;
	for (unsigned long i = 0; i < count && result == 0 && !promcb_load_relaxed(&ending); i++) {
		if (!options->file) {
			pause_for(options->interval);
			result = promcb_live_look(live, top);
			top->now_ns = promcb_live_now_ns();
		}
		if (result == 0)
			result = print(top, options, ascii, &open);
		if (fflush(stdout) != 0 || ferror(stdout)) {
			promcb_tool_complain("cannot write to standard output: %s", strerror(errno));
			return PROMCB_TOOL_FAILED;
		}
		/* Of what is wrong with it, main() complains. */
		if (result == 0 && promcb_file_write(file, top) < 0)
			return PROMCB_TOOL_FAILED;
	}
	if (result < 0) {
		promcb_tool_complain("%s", top->missing[0] ? top->missing : promcb_strerror(result));
		return PROMCB_TOOL_FAILED;
	}
	return options->check_breakers && open ? BREAKER_OPEN : 0;
}

/* -- A terminal ---------------------------------------------------------------------------------------------------- */

/* Into a file beside the user's others, whose name is told. */
static void write_page(struct promcb_top *top, const struct promcb_grid *grid)
{
	char path[64];
	FILE *file;

	top->wants_page = false;
	name_file(top, "txt", path, sizeof(path));
	file = fopen(path, "wxe");
	if (file) {
		promcb_grid_print(grid, file);
		if (fclose(file) == 0) {
			snprintf(top->said, sizeof(top->said), "written to %s", path);
			return;
		}
	}
	snprintf(top->said, sizeof(top->said), "cannot write %s: %s", path, strerror(errno));
}

static int draw(struct promcb_top *top, bool ascii)
{
	struct promcb_grid grid;
	int rows, columns, result;

	promcb_screen_size(&rows, &columns);
	if (!promcb_grid_start(&grid, rows, columns, ascii))
		return -ENOMEM;
	top->now_ns = promcb_live_now_ns();
	result = promcb_top_draw(top, &grid);
	if (result == 0 && top->wants_page) {
		write_page(top, &grid);
		promcb_top_draw_keys(top, &grid);
	}
	if (result == 0)
		promcb_screen_show(&grid);
	promcb_grid_end(&grid);
	return result;
}

static int look(struct promcb_live *live, struct promcb_top *top, struct promcb_file *file)
{
	int result = promcb_live_look(live, top);

	if (result == 0)
		keep_recording(file, top);
	if (result == 0 && top->page == PROMCB_TOP_COMPONENT && top->view == PROMCB_TOP_CALLS && !top->paused)
		promcb_live_calls(live, top);
	/* What is not there now may come. */
	return result == -ENOMEM ? result : 0;
}

/* All keys that were pressed. Returns how many. */
static unsigned press_keys(struct promcb_live *live, struct promcb_top *top, struct promcb_file *file)
{
	enum promcb_top_view view = top->view;
	enum promcb_top_page page = top->page;
	uint32_t key = promcb_screen_key();
	unsigned pressed = 0;
	int rows, columns;

	for (; key && !top->ended; key = promcb_screen_key(), pressed++) {
		promcb_screen_size(&rows, &columns);
		promcb_top_press(top, key, rows);
	}
	if (top->page == PROMCB_TOP_COMPONENT && top->view == PROMCB_TOP_CALLS &&
	    (view != top->view || page != top->page))
		promcb_live_calls(live, top);
	if (top->wants_recording)
		switch_recording(file, top);
	return pressed;
}

/* Waits for keys and does what they say, until a time; 0: however long. Returns whether the terminal is still there. */
static bool wait_for_keys(struct promcb_live *live, struct promcb_top *top, struct promcb_file *file, uint64_t until_ns)
{
	/* How often there was something to read, and no key. */
	static unsigned in_vain;
	struct pollfd waiting = {.fd = STDIN_FILENO, .events = POLLIN};
	uint64_t now_ns = promcb_tool_now_ns(), left_ns = until_ns > now_ns ? until_ns - now_ns : 0;
	const struct timespec left = {(time_t)(left_ns / SECOND_NS), (long)(left_ns % SECOND_NS)};
	unsigned pressed;
	sigset_t before;
	int ready = 0;

	hold_signals(&before);
	/* Those that came while it was drawn, another size of the screen among them. */
	pressed = press_keys(live, top, file);
	if (!pressed && !promcb_load_relaxed(&ending))
		ready = ppoll(&waiting, 1, until_ns ? &left : NULL, &before);
	sigprocmask(SIG_SETMASK, &before, NULL);
	if (ready != 0)
		pressed = press_keys(live, top, file);
	in_vain = ready > 0 && !pressed ? in_vain + 1 : 0;
	return ready <= 0 || (!(waiting.revents & (POLLHUP | POLLERR | POLLNVAL)) && in_vain < 16);
}

static int run(struct promcb_live *live, struct promcb_top *top, const struct promcb_top_options *options,
	       struct promcb_file *file, bool ascii)
{
	int result = options->file ? read_file(live, top) : look(live, top, file);
	uint64_t next_ns = promcb_tool_now_ns() + (uint64_t)(top->interval * SECOND_NS);

	while (result == 0 && !top->ended && !promcb_load_relaxed(&ending)) {
		result = draw(top, ascii);
		if (result == 0 && !wait_for_keys(live, top, file, options->file ? 0 : next_ns))
			break;
		if (result == 0 && !options->file && promcb_tool_now_ns() >= next_ns) {
			result = look(live, top, file);
			next_ns = promcb_tool_now_ns() + (uint64_t)(top->interval * SECOND_NS);
		}
	}
	return result;
}

/* Whether a screen can be drawn: it was taken. */
static bool take_terminal(const struct promcb_top_options *options)
{
	const char *no_colour = getenv("NO_COLOR"), *terminal = getenv("TERM");
	bool colours = options->colour == PROMCB_TOP_COLOUR_ALWAYS ||
		       (options->colour == PROMCB_TOP_COLOUR_AUTO && !(no_colour && *no_colour));

	if (options->once || options->count || options->json || options->check_breakers || !terminal || !*terminal)
		return false;
	return isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) && promcb_screen_start(colours) == 0;
}

static int show(struct promcb_live *live, struct promcb_top *top, const struct promcb_top_options *options,
		struct promcb_file *file, bool ascii)
{
	int result = run(live, top, options, file, ascii);

	promcb_screen_end();
	if (result < 0) {
		promcb_tool_complain("%s", top->missing[0] ? top->missing : promcb_strerror(result));
		return PROMCB_TOOL_FAILED;
	}
	return 0;
}

/* What is looked at, and how, as the options say. path: room for the name of a file. */
static void begin(struct promcb_top *top, struct promcb_live *live, const struct promcb_top_options *options,
		  char *path)
{
	live->segment = options->segment;
	if (options->file) {
		/* A name without a slash would be one in shared memory. */
		snprintf(path, PATH_MAX, "%s%s", strchr(options->file, '/') ? "" : "./", options->file);
		live->segment = path;
		top->source = PROMCB_TOP_DEAD;
	}
	top->segment = promcb_tool_segment_name(live->segment);
	top->interval = options->interval;
	top->window = options->window;
	top->choice = (struct promcb_view_choice){.sort = options->sort, .hide_idle = options->hide_idle};
	if (options->match) {
		snprintf(top->filter, sizeof(top->filter), "%s", options->match);
		top->choice.matching = top->filter;
	}
}

int main(int argc, char **argv)
{
	struct promcb_top_options options = {.interval = 1, .window = 1};
	struct promcb_top top = {.selected = UINT32_MAX, .outcome = PROMCB_OUTCOME_ANY};
	struct promcb_live live = {.reader = NULL};
	struct promcb_file file = {.file = NULL};
	char path[PATH_MAX];
	int status, number;
	bool ascii;

	promcb_tool_start("promcb-top");
	setlocale(LC_CTYPE, "");
	promcb_top_parse(&options, argc, argv);
	ascii = options.ascii || strcmp(nl_langinfo(CODESET), "UTF-8") != 0;
	begin(&top, &live, &options, path);
	if (options.record) {
		status = promcb_file_create(&file, options.record);
		if (status < 0)
			return end_recording(&file, status), PROMCB_TOOL_FAILED;
	}
	catch_signals();
	live.access = promcb_reader_catch_sigbus() == 0 ? PROMCB_ACCESS_MAPPED : PROMCB_ACCESS_COPY;
	/* Histograms of all components are wanted each second anew, and need not be cleared by the system each time. */
	mallopt(M_MMAP_THRESHOLD, 1 << 25);
	mallopt(M_TRIM_THRESHOLD, 1 << 25);
	status = take_terminal(&options) ? show(&live, &top, &options, &file, ascii)
					 : print_all(&live, &top, &options, &file, ascii);
	if (end_recording(&file, file.result) < 0)
		status = PROMCB_TOOL_FAILED;
	promcb_live_end(&live, &top);
	number = (int)promcb_load_relaxed(&ending);
	if (number && number != SIGINT) {
		signal(number, SIG_DFL);
		raise(number);
	}
	return status;
}
