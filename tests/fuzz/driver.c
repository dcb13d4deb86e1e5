/* SPDX-License-Identifier: MIT */
/*
 * driver.c: where there is no libFuzzer: runs each input that the arguments name, files and directories of files, once.
 * So each kept input is a regression test under every compiler and sanitizer. May include: fuzz.h.
 */
#include "fuzz.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

static size_t inputs;

static int run_file(const char *path, size_t bytes)
{
	/* Of its exact size, so that a sanitizer sees a byte read too many. */
	uint8_t *data = malloc(bytes ? bytes : 1);
	FILE *file = fopen(path, "rb");
	int status = 1;

	if (data && file && fread(data, 1, bytes, file) == bytes) {
		LLVMFuzzerTestOneInput(data, bytes);
		inputs++;
		status = 0;
	} else {
		fprintf(stderr, "%s cannot be read: %s\n", path, strerror(errno));
	}
	if (file)
		fclose(file);
	free(data);
	return status;
}

static int run(const char *path)
{
	struct stat status;
	struct dirent **names;
	int count, result = 0;

	if (stat(path, &status) < 0) {
		fprintf(stderr, "%s cannot be found: %s\n", path, strerror(errno));
		return 1;
	}
	if (!S_ISDIR(status.st_mode))
		return run_file(path, (size_t)status.st_size);
	count = scandir(path, &names, NULL, alphasort);
	for (int i = 0; i < count; i++) {
		char inner[4096];

		snprintf(inner, sizeof(inner), "%s/%s", path, names[i]->d_name);
		if (names[i]->d_name[0] != '.')
			result |= run(inner);
		free(names[i]);
	}
	if (count >= 0)
		free(names);
	return count < 0 || result;
}

int main(int argc, char **argv)
{
	int result = 0;

	for (int i = 1; i < argc; i++)
		result |= run(argv[i]);
	printf("%zu inputs\n", inputs);
	return result || inputs == 0;
}
