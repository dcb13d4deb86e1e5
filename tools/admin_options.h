/* SPDX-License-Identifier: MIT */
/*
 * admin_options.h: the options of "promcb-admin create", from text to struct promcb_options.
 *
 * Zero means the default there, so zero is refused here wherever somebody wrote it.
 */
#ifndef PROMCB_TOOL_ADMIN_OPTIONS_H
#define PROMCB_TOOL_ADMIN_OPTIONS_H

#include <promcb/promcb.h>

#include <argp.h>

/* What the child parser below fills. */
struct promcb_admin_create {
	const char *segment;
	struct promcb_options options;
};

/* The parser of create's options; its input is a struct promcb_admin_create. Ends the process where one is wrong. */
extern const struct argp promcb_admin_create_argp;

#endif
