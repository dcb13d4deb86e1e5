/* SPDX-License-Identifier: MIT */
#include "file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* What is read at most: days of thousands of components. */
#define BYTES_MAX ((size_t)1 << 30)

int promcb_file_create(struct promcb_file *file, const char *path)
{
	*file = (struct promcb_file){.file = fopen(path, "wxe"), .path = path};
	return file->file ? 0 : -errno;
}

int promcb_file_close(struct promcb_file *file)
{
	int result = 0;

	if (file->file && fclose(file->file) != 0)
		result = -errno;
	promcb_view_recorder_end(&file->recorder);
	file->file = NULL;
	file->begun = false;
	return result;
}

int promcb_file_write(struct promcb_file *file, const struct promcb_top *top)
{
	struct promcb_view_bytes bytes = {.bytes = NULL};
	int result;

	if (!file->file || !top->started)
		return 0;
	result = file->begun
			 ? promcb_view_record_more(&file->recorder, &top->history, &top->info, &bytes)
			 : promcb_view_record_first(&file->recorder, &top->history, top->segment, &top->info, &bytes);
	file->begun = true;
	errno = 0;
	/* At once: what was recorded is there, whatever becomes of this process. */
	if (result == 0 &&
	    (fwrite(bytes.bytes, 1, bytes.length, file->file) != bytes.length || fflush(file->file) != 0))
		result = errno ? -errno : -EIO;
	promcb_view_bytes_free(&bytes);
	if (result < 0) {
		promcb_file_close(file);
		file->result = result;
	}
	return result;
}

/* All of a file. Returns NULL, with errno, if it cannot be read. */
static uint8_t *read_all(FILE *file, size_t *length)
{
	size_t room = 1 << 16, got;
	uint8_t *bytes = malloc(room);

	*length = 0;
	while (bytes && (got = fread(bytes + *length, 1, room - *length, file)) > 0) {
		uint8_t *grown;

		*length += got;
		if (*length < room)
			continue;
		room *= 2;
		errno = EFBIG;
		grown = room <= BYTES_MAX ? realloc(bytes, room) : NULL;
		if (!grown) {
			free(bytes);
			return NULL;
		}
		bytes = grown;
	}
	if (bytes && ferror(file)) {
		free(bytes);
		return NULL;
	}
	return bytes;
}

static int show(struct promcb_top *top, const struct promcb_view_recording *recording)
{
	top->history = recording->history;
	top->started = true;
	top->info = recording->info;
	top->source = PROMCB_TOP_RECORDING;
	snprintf(top->origin, sizeof(top->origin), "%s", recording->segment);
	top->segment = top->origin;
	top->now_ns = promcb_view_upto_ns(&top->history);
	if (recording->cut)
		snprintf(top->said, sizeof(top->said), "the last entry is not whole, and is left out");
	return 0;
}

int promcb_file_read(const char *path, struct promcb_top *top)
{
	struct promcb_view_recording recording;
	uint8_t mark[PROMCB_VIEW_RECORDING_MARK];
	FILE *file = fopen(path, "re");
	uint8_t *bytes = NULL;
	size_t length;
	int result = -ENOTSUP;

	/* What cannot be read is the library's to tell of, as of a segment. */
	if (!file || fread(mark, 1, sizeof(mark), file) != sizeof(mark) || !promcb_view_is_recording(mark))
		goto out;
	rewind(file);
	bytes = read_all(file, &length);
	result = bytes ? promcb_view_recording_read(bytes, length, PROMCB_VIEW_TO_LOOK, &recording) : -errno;
	if (result == 0)
		result = show(top, &recording);
	else
		snprintf(top->missing, sizeof(top->missing), "%s: %s", path,
			 result == -EBADMSG  ? "the recording is damaged"
			 : result == -EPROTO ? "a recording of a later version"
					     : strerror(-result));
out:
	free(bytes);
	if (file)
		fclose(file);
	return result;
}
