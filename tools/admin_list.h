/* SPDX-License-Identifier: MIT */
/* admin_list.h: "promcb-admin list": which segments there are, and which components one has. */
#ifndef PROMCB_TOOL_ADMIN_LIST_H
#define PROMCB_TOOL_ADMIN_LIST_H

/* Runs the command with options of its own. segment: what was named before it, or NULL. Returns the exit status. */
int promcb_admin_list(const char *segment, int argc, char **argv);

#endif
