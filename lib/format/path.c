/* SPDX-License-Identifier: MIT */
#include "format/path.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int promcb_segment_path(const char *segment, char path[PROMCB_PATH_MAX], struct promcb_message *message)
{
	const char *name = segment;
	int length;

	if (!name)
		name = secure_getenv("PROMCB_SEGMENT");
	/* Compose files and units set what they leave empty. An empty argument is an error of its caller. */
	if (!name || (!segment && !*name))
		name = "/promcb";
	const char *bare = name[0] == '/' ? name + 1 : name;

	if (!*bare || strcmp(bare, ".") == 0 || strcmp(bare, "..") == 0)
		return promcb_message_error(message, -EINVAL,
					    "\"%s\" names no segment: use a name such as \"/promcb\" or a path", name);
	if (!strchr(bare, '/'))
		length = snprintf(path, PROMCB_PATH_MAX, PROMCB_SHM_DIRECTORY "/%s", bare);
	else if (name[0] == '/')
		length = snprintf(path, PROMCB_PATH_MAX, "%s", name);
	else if (getcwd(path, PROMCB_PATH_MAX))
		/* Absolute, since the process may change its directory while it has the segment open. */
		length = (int)strlen(path) + snprintf(path + strlen(path), PROMCB_PATH_MAX - strlen(path), "/%s", name);
	else
		length = PROMCB_PATH_MAX;
	if (length >= PROMCB_PATH_MAX)
		return promcb_message_error(message, -EINVAL, "the segment's name has %zu bytes, %d are the most",
					    strlen(name), PROMCB_PATH_MAX - 1);
	return 0;
}
