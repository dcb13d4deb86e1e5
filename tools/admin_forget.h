/* SPDX-License-Identifier: MIT */
/* admin_forget.h: "promcb-admin forget": components and series that are no longer of interest. */
#ifndef PROMCB_TOOL_ADMIN_FORGET_H
#define PROMCB_TOOL_ADMIN_FORGET_H

/* Runs the command with options of its own. segment: what was named before it, or NULL. Returns the exit status. */
int promcb_admin_forget(const char *segment, int argc, char **argv);

#endif
