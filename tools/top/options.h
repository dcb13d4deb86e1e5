/* SPDX-License-Identifier: MIT */
/* options.h: the command line of promcb-top. */
#ifndef PROMCB_TOP_OPTIONS_H
#define PROMCB_TOP_OPTIONS_H

#include "views/list.h"

enum promcb_top_colour { PROMCB_TOP_COLOUR_AUTO, PROMCB_TOP_COLOUR_NEVER, PROMCB_TOP_COLOUR_ALWAYS };

struct promcb_top_options {
	const char *segment; /* NULL: the default */
	const char *file;    /* a recording, or a segment's file; NULL: none */
	const char *record;  /* a file to record to; NULL: none */
	const char *match;
	double interval;
	unsigned window;     /* of promcb_top_windows */
	enum promcb_view_sort sort;
	unsigned long count; /* of tables; 0: no end */
	bool once, json, ascii, hide_idle, check_breakers;
	enum promcb_top_colour colour;
};

/* Ends the program where it cannot be understood. */
void promcb_top_parse(struct promcb_top_options *options, int argc, char **argv);

#endif
