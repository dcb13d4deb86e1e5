/* SPDX-License-Identifier: MIT */
#include "screen.h"

#include "top.h"

/* With room for all characters of a line, and without the macros of common names that are in the way. */
#define NCURSES_WIDECHAR 1
#define NCURSES_NOMACROS 1
#include <curses.h>
#include <term.h>
#undef columns
#include <unistd.h>

/* ^L. */
enum { REDRAW = 0x0c };

static SCREEN *screen;
static bool coloured;

/* By enum promcb_look: BAD, WARN, GOOD. */
static void start_colours(void)
{
	static const short colours[] = {COLOR_RED, COLOR_YELLOW, COLOR_GREEN};

	coloured = has_colors() && start_color() == OK;
	if (!coloured)
		return;
	use_default_colors();
	for (short i = 0; i < 3; i++)
		init_pair((short)(i + 1), colours[i], -1);
}

/* Whether text can be put at a place: newterm() takes a terminal where it cannot, and leaks where it knows none. */
static bool can_draw(void)
{
	int known = 0;
	const char *address;
	bool can;

	if (setupterm(NULL, STDOUT_FILENO, &known) != OK)
		return false;
	address = tigetstr("cup");
	can = address && address != (const char *)-1;
	del_curterm(cur_term);
	return can;
}

int promcb_screen_start(bool colours)
{
	/* Not initscr(), which ends the program where it fails. */
	screen = can_draw() ? newterm(NULL, stdout, stdin) : NULL;
	if (!screen)
		return -1;
	cbreak();
	noecho();
	nonl();
	keypad(stdscr, TRUE);
	nodelay(stdscr, TRUE);
	intrflush(stdscr, FALSE);
	set_escdelay(25);
	curs_set(0);
	if (colours)
		start_colours();
	return 0;
}

void promcb_screen_end(void)
{
	if (!screen)
		return;
	curs_set(1);
	endwin();
	delscreen(screen);
	screen = NULL;
}

void promcb_screen_size(int *rows, int *columns)
{
	*rows = getmaxy(stdscr);
	*columns = getmaxx(stdscr);
}

static attr_t attributes_of(unsigned look)
{
	attr_t attributes = A_NORMAL;

	attributes |= look & PROMCB_LOOK_BOLD ? A_BOLD : 0;
	attributes |= look & PROMCB_LOOK_REVERSE ? A_REVERSE : 0;
	attributes |= look & PROMCB_LOOK_DIM ? A_DIM : 0;
	return attributes;
}

void promcb_screen_show(const struct promcb_grid *grid)
{
	for (int row = 0; row < grid->rows; row++)
		for (int column = 0; column < grid->columns; column++) {
			const struct promcb_glyph *glyph =
				&grid->glyphs[(size_t)row * (size_t)grid->columns + (size_t)column];
			wchar_t text[2] = {(wchar_t)glyph->character, 0};
			cchar_t square;

			if (!glyph->character)
				continue;
			setcchar(&square, text, attributes_of(glyph->look),
				 coloured ? (short)((glyph->look & PROMCB_LOOK_COLOUR) >> 3) : (short)0, NULL);
			/* The last place of all gives an error, and is drawn. */
			mvadd_wch(row, column, &square);
		}
	refresh();
}

uint32_t promcb_screen_key(void)
{
	static const struct {
		wint_t code;
		uint32_t key;
	} keys[] = {
		{KEY_UP, PROMCB_KEY_UP},
		{KEY_DOWN, PROMCB_KEY_DOWN},
		{KEY_LEFT, PROMCB_KEY_LEFT},
		{KEY_RIGHT, PROMCB_KEY_RIGHT},
		{KEY_PPAGE, PROMCB_KEY_PAGE_UP},
		{KEY_NPAGE, PROMCB_KEY_PAGE_DOWN},
		{KEY_HOME, PROMCB_KEY_HOME},
		{KEY_END, PROMCB_KEY_END},
		{KEY_ENTER, PROMCB_KEY_ENTER},
		{KEY_F(1), PROMCB_KEY_HELP},
		{KEY_BACKSPACE, PROMCB_KEY_BACKSPACE},
		{KEY_RESIZE, PROMCB_KEY_RESIZE},
	};
	wint_t code = 0;
	int kind = get_wch(&code);

	if (kind == ERR)
		return 0;
	/* What a terminal shows after its size changed is anybody's guess: all is drawn anew, as at ^L. */
	if (kind == KEY_CODE_YES ? code == KEY_RESIZE : code == REDRAW)
		clearok(curscr, TRUE);
	if (kind == KEY_CODE_YES) {
		for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
			if (keys[i].code == code)
				return keys[i].key;
		return PROMCB_KEY_RESIZE;
	}
	switch (code) {
	case '\r':
	case '\n':
		return PROMCB_KEY_ENTER;
	case '\t':
		return PROMCB_KEY_TAB;
	case 0x1b:
		return PROMCB_KEY_ESCAPE;
	case 0x7f:
	case '\b':
		return PROMCB_KEY_BACKSPACE;
	default:
		return code && code != REDRAW ? (uint32_t)code : PROMCB_KEY_RESIZE;
	}
}
