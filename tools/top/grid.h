/* SPDX-License-Identifier: MIT */
/*
 * grid.h: a screen in memory: what stands in each place, and how it looks. Drawing goes here and nowhere else; a
 * terminal shows it, or it is printed as text.
 *
 * Invariants: nothing is drawn outside; text is cut by columns, with a mark, and never in the middle of a character. A
 * character that a terminal would act on, or that has no width of its own (controls, marks of direction, what combines
 * with others, bytes that are no UTF-8), is shown as "\n", "\u202e" or "\xff": nothing is lost, and nothing is done.
 */
#ifndef PROMCB_TOP_GRID_H
#define PROMCB_TOP_GRID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum promcb_look {
	PROMCB_LOOK_PLAIN = 0,
	PROMCB_LOOK_BOLD = 1,
	PROMCB_LOOK_REVERSE = 2,
	PROMCB_LOOK_DIM = 4,
	PROMCB_LOOK_BAD = 8,   /* colours: at most one, and never the only sign */
	PROMCB_LOOK_WARN = 16,
	PROMCB_LOOK_GOOD = 24,
	PROMCB_LOOK_COLOUR = 24,
};

struct promcb_glyph {
	uint32_t character; /* 0: the second column of the one before */
	uint8_t look;
};

struct promcb_grid {
	int rows, columns;
	bool ascii;         /* nothing else can be shown */
	struct promcb_glyph *glyphs;
};

/* An empty grid. Returns whether there is memory for it. */
bool promcb_grid_start(struct promcb_grid *grid, int rows, int columns, bool ascii);
void promcb_grid_end(struct promcb_grid *grid);

/*
 * Puts text at a place, at most limit columns of it. What is longer is cut, and has a mark at its end. Returns how many
 * columns it took.
 */
int promcb_grid_put(struct promcb_grid *grid, int row, int column, int limit, unsigned look, const char *text);

/* The same, so that it ends before a column; limit: its room. */
void promcb_grid_put_right(struct promcb_grid *grid, int row, int end, int limit, unsigned look, const char *text);

/* As printf. */
__attribute__((format(printf, 6, 7))) int promcb_grid_printf(struct promcb_grid *grid, int row, int column, int limit,
							     unsigned look, const char *format, ...);

/* One character, of one column. */
void promcb_grid_set(struct promcb_grid *grid, int row, int column, unsigned look, uint32_t character);

/* Adds to how a row looks. */
void promcb_grid_shade(struct promcb_grid *grid, int row, int column, int count, unsigned look);

/* How many columns a text takes. */
int promcb_grid_width(const struct promcb_grid *grid, const char *text);

/* A character as UTF-8; bytes: room for 5. */
const char *promcb_grid_utf8(uint32_t character, char *bytes);

/* The rows as lines, without blanks at their ends, nor empty lines at the end of all. Looks are not told. */
void promcb_grid_print(const struct promcb_grid *grid, FILE *file);

#endif
