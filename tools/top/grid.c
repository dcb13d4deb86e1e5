/* SPDX-License-Identifier: MIT */
#include "grid.h"

#include "common.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

bool promcb_grid_start(struct promcb_grid *grid, int rows, int columns, bool ascii)
{
	size_t count = (size_t)rows * (size_t)columns;

	*grid = (struct promcb_grid){.rows = rows, .columns = columns, .ascii = ascii};
	grid->glyphs = malloc((count + 1) * sizeof(*grid->glyphs));
	for (size_t i = 0; grid->glyphs && i < count; i++)
		grid->glyphs[i] = (struct promcb_glyph){' ', PROMCB_LOOK_PLAIN};
	return grid->glyphs != NULL;
}

void promcb_grid_end(struct promcb_grid *grid)
{
	free(grid->glyphs);
	grid->glyphs = NULL;
}

static struct promcb_glyph *glyph_at(const struct promcb_grid *grid, int row, int column)
{
	if (row < 0 || column < 0 || row >= grid->rows || column >= grid->columns)
		return NULL;
	return &grid->glyphs[(size_t)row * (size_t)grid->columns + (size_t)column];
}

void promcb_grid_set(struct promcb_grid *grid, int row, int column, unsigned look, uint32_t character)
{
	struct promcb_glyph *glyph = glyph_at(grid, row, column);

	if (glyph)
		*glyph = (struct promcb_glyph){character, (uint8_t)look};
}

void promcb_grid_shade(struct promcb_grid *grid, int row, int column, int count, unsigned look)
{
	for (int i = column; i < column + count; i++) {
		struct promcb_glyph *glyph = glyph_at(grid, row, i);

		if (glyph)
			glyph->look |= (uint8_t)look;
	}
}

/* A piece of a text: a character of its own, or an escape for one. */
struct piece {
	uint32_t character; /* 0: the escape stands for it */
	int columns;
	size_t bytes;
	char escape[12];
};

static uint32_t decode(const char *text, size_t length)
{
	static const uint8_t masks[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
	uint32_t character = (uint8_t)text[0] & masks[length];

	for (size_t i = 1; i < length; i++)
		character = character << 6 | ((uint8_t)text[i] & 0x3f);
	return character;
}

static struct piece next_piece(const struct promcb_grid *grid, const char *text)
{
	struct piece piece = {.bytes = promcb_tool_utf8_length(text)};
	int width;

	if (piece.bytes == 0) {
		piece.bytes = 1;
		piece.columns = snprintf(piece.escape, sizeof(piece.escape), "\\x%02x", (uint8_t)*text);
		return piece;
	}
	piece.character = decode(text, piece.bytes);
	width = piece.character < 0x80 ? (piece.character >= 0x20 && piece.character != 0x7f ? 1 : -1)
		: grid->ascii          ? -1
				       : wcwidth((wchar_t)piece.character);
	/* Marks of direction have no width, and turn the rest of the line around. */
	if (width > 0) {
		piece.columns = width;
		return piece;
	}
	if (piece.character < 0x80)
		piece.columns = snprintf(piece.escape, sizeof(piece.escape), "\\x%02x", piece.character);
	else
		piece.columns = snprintf(piece.escape, sizeof(piece.escape), "\\u%04x", piece.character);
	piece.character = 0;
	return piece;
}

int promcb_grid_width(const struct promcb_grid *grid, const char *text)
{
	int width = 0;

	while (*text) {
		struct piece piece = next_piece(grid, text);

		width += piece.columns;
		text += piece.bytes;
	}
	return width;
}

int promcb_grid_put(struct promcb_grid *grid, int row, int column, int limit, unsigned look, const char *text)
{
	bool cut;
	int used = 0;

	if (limit > grid->columns - column)
		limit = grid->columns - column;
	if (limit <= 0)
		return 0;
	cut = promcb_grid_width(grid, text) > limit;
	while (*text) {
		struct piece piece = next_piece(grid, text);

		if (used + piece.columns > limit - cut)
			break;
		for (int i = 0; i < piece.columns; i++)
			promcb_grid_set(grid, row, column + used + i, look,
					!piece.character ? (uint8_t)piece.escape[i]
					: i              ? 0
							 : piece.character);
		used += piece.columns;
		text += piece.bytes;
	}
	if (cut)
		promcb_grid_set(grid, row, column + used++, look, grid->ascii ? '~' : 0x2026);
	return used;
}

void promcb_grid_put_right(struct promcb_grid *grid, int row, int end, int limit, unsigned look, const char *text)
{
	int width = promcb_grid_width(grid, text);

	width = width < limit ? width : limit;
	promcb_grid_put(grid, row, end - width, width, look, text);
}

int promcb_grid_printf(struct promcb_grid *grid, int row, int column, int limit, unsigned look, const char *format, ...)
{
	char text[1024];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	return promcb_grid_put(grid, row, column, limit, look, text);
}

const char *promcb_grid_utf8(uint32_t character, char *bytes)
{
	size_t length = character < 0x80 ? 1 : character < 0x800 ? 2 : character < 0x10000 ? 3 : 4;
	static const uint8_t heads[] = {0, 0, 0xc0, 0xe0, 0xf0};

	bytes[length] = '\0';
	for (size_t i = length; i-- > 1; character >>= 6)
		bytes[i] = (char)(0x80 | (character & 0x3f));
	bytes[0] = (char)(heads[length] | character);
	return bytes;
}

void promcb_grid_print(const struct promcb_grid *grid, FILE *file)
{
	int empty = 0;

	for (int row = 0; row < grid->rows; row++) {
		int end = grid->columns;
		char bytes[5];

		while (end > 0 && glyph_at(grid, row, end - 1)->character == ' ')
			end--;
		if (end == 0) {
			empty++;
			continue;
		}
		for (; empty > 0; empty--)
			fputc('\n', file);
		for (int column = 0; column < end; column++)
			if (glyph_at(grid, row, column)->character)
				fputs(promcb_grid_utf8(glyph_at(grid, row, column)->character, bytes), file);
		fputc('\n', file);
	}
}
