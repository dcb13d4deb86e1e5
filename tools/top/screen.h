/* SPDX-License-Identifier: MIT */
/*
 * screen.h: a terminal: shows a grid, and gives keys. The one module that knows curses.
 *
 * Invariant: nothing that a terminal cannot do is an error: what it refuses is left out.
 */
#ifndef PROMCB_TOP_SCREEN_H
#define PROMCB_TOP_SCREEN_H

#include "grid.h"

/* Takes the terminal. Returns 0, or -1: it is none that can be drawn on, and is as it was. */
int promcb_screen_start(bool colours);

/* Gives it back as it was. May be called twice. */
void promcb_screen_end(void);

void promcb_screen_size(int *rows, int *columns);

void promcb_screen_show(const struct promcb_grid *grid);

/* A key that was pressed, a character or an enum promcb_top_key; 0: none. Does not wait. */
uint32_t promcb_screen_key(void);

#endif
