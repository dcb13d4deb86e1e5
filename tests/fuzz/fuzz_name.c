/* SPDX-License-Identifier: MIT */
/*
 * fuzz_name.c: names of components, segments and formats. Components against a second judge of UTF-8; segments by what
 * a path must be. May include: name.h, reader.h, fuzz.h.
 */
#include "base/name.h"
#include "format/path.h"

#include "fuzz.h"

#include <promcb/reader.h>

#include <string.h>

static void check_component(const uint8_t *name, size_t length)
{
	bool good = length >= 1 && length <= PROMCB_NAME_MAX && fuzz_is_utf8(name, length);

	for (size_t i = 0; i < length; i++)
		good = good && name[i] >= 0x20 && name[i] != 0x7f;
	FUZZ_REQUIRE(good == (promcb_name_fault((const char *)name, length) == NULL), "a name of %zu bytes", length);
}

static void check_segment(const char *name)
{
	struct promcb_message message = {.text = ""};
	char path[PROMCB_PATH_MAX], again[PROMCB_PATH_MAX];
	int result = promcb_segment_path(name, path, &message);

	FUZZ_REQUIRE(result <= 0 && (result == 0) == (message.text[0] == 0), "%d \"%s\"", result, message.text);
	if (result < 0)
		return;
	FUZZ_REQUIRE(path[0] == '/' && strnlen(path, sizeof(path)) < sizeof(path), "\"%.40s\"", path);
	FUZZ_REQUIRE(strchr(path + 1, '/'), "\"%s\" is no path by its second slash", path);
	FUZZ_REQUIRE(promcb_segment_path(path, again, NULL) == 0 && strcmp(path, again) == 0, "\"%s\" is not \"%s\"",
		     again, path);
	/* A bare name stays in the directory of shared memory. */
	if (!strchr(name + (name[0] == '/'), '/'))
		FUZZ_REQUIRE(strrchr(path, '/') == path + strlen(PROMCB_SHM_DIRECTORY) &&
				     strncmp(path, PROMCB_SHM_DIRECTORY, strlen(PROMCB_SHM_DIRECTORY)) == 0,
			     "\"%s\"", path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum promcb_format format = PROMCB_FORMAT_TEXT;
	char *name = fuzz_string(data, size);

	check_component(data, size);
	check_segment(name);
	if (promcb_format_parse(name, &format) == 0)
		FUZZ_REQUIRE(promcb_format_content_type(format) != NULL, "format %d", (int)format);
	free(name);
	return 0;
}
