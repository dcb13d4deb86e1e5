/* SPDX-License-Identifier: MIT */
/*
 * metrics.h: what a segment holds beside the calls of components: families of counters, levels, gauges, histograms and
 * infos, their series, and their numbers. All of it lies in chunks of one kind, PROMCB_CHUNK_PARTS, and is led to by
 * one word of the header and two of each lane; a segment without a family has none of it.
 *
 * Words
 *   family    a metric with its name, type, unit and label names; its record says them
 *   series    one family with one set of label values; its record holds them. Removed, it begins a new life at 0, with
 *             the same record and the same cells, since anybody may still lead there
 *   cell      a word of the segment's virtual array of cells. A series owns a run of them for good, and a new series
 *             takes none that was owned before
 *   copy      all cells as one writer has them, sparse. A series' number is the sum over the copies of lanes, and the
 *             shared one. A lane has a second, its live copy, which counts while the lane is held by whom it was made
 *             by
 *   row       64 words of a copy: the piece's head, then 63 cells
 *   part      4 KiB of a chunk, of one lane; line: 64 bytes of a part, the unit of carving
 *   piece     what is carved: lines that lie together. Its first word, the head, says what it is
 *   stretch   2,048 cells that one lane may give to series
 *   place     of a piece: number + 1 of its first line, counted from where chunks begin; 0: none
 *
 * One registry for components and another for this: a component is fixed in size, has a ring, a state and baselines,
 * and is read as it was; to make it a family of 11 rows would save some 400 lines here and cost every proof of what
 * works.
 *
 * A crash at any step leaks nothing. A piece is carved, filled, published (something leads to it), and then counted in
 * its part's word, by the holder of the part's lane alone. The lane's next owner finds at most one piece behind what is
 * counted: if something leads to it, it is counted; else its lines serve again. Cells are counted in their stretch
 * before the record that owns them is counted in its part.
 *
 * Pairs (release here, acquire there; what breaks without): see layout.h for what orders lanes and chunks.
 *   [PIECE]  part.c fills a piece, then publishes its place, in the header, a table, a root, a branch or a lane;
 *            whoever loads the place loads what it leads to after. A reader would refuse a half-made piece.
 *   [LIVE]   row.c empties a lane's live copy, then says by live_taken that it is of the present owner; then home.c
 *            takes the live copy's lock, apart from the lane's, which is taken before the lane's taken goes up. rows.c
 *            loads live_taken before the live copy, asks for that lock after, and loads taken again after that. A
 *            scrape would show a dead process's gauges as a living one's, in the moment between.
 *   [LIFE]   remove.c fills the baseline that does not count, each word with release, then stores the series' life;
 *            records.c loads that before any cell, rows.c each word of a baseline with acquire, and then the life
 *            again: if it is another's, the series was removed just now, and nothing is told of it. A scrape would
 *            subtract what stood there later, and show less than nothing. A series that has it put into the list again
 *            has its place below the cap before. Of series that were never removed the life is looked at again only if
 *            the header's removals have changed, which does so before and after; it would show what two lives have.
 *   Cells have no order at all, as those of blocks.
 */
#ifndef PROMCB_FORMAT_METRICS_H
#define PROMCB_FORMAT_METRICS_H

#include "format/layout.h"

enum {
	PROMCB_LINE_BYTES = 64,
	PROMCB_PART_BYTES = 4096,
	PROMCB_PART_LINES = PROMCB_PART_BYTES / PROMCB_LINE_BYTES,

	PROMCB_ROW_WORDS = 64,          /* the head, and cells */
	PROMCB_ROW_LINES = 8,
	PROMCB_ROWS_TOGETHER_MAX = 8,   /* one head before all: a series wider than a row takes so many */
	PROMCB_WIDTH_MAX = PROMCB_ROWS_TOGETHER_MAX * PROMCB_ROW_WORDS - 1,

	PROMCB_BRANCHES = 126,          /* of a copy's root, and rows of a branch */
	PROMCB_ROWS_MAX = PROMCB_BRANCHES * PROMCB_BRANCHES,

	PROMCB_TABLE_STAGES = 4,        /* of 1, 8, 64 and 512 pages */
	PROMCB_TABLE_PAGES = 1 + 8 + 64 + 512,
	PROMCB_TABLE_WORDS = 512,       /* of a page, its head included, which is no slot */
	PROMCB_TABLE_WINDOW = 8,        /* slots in a page that a hash may be in, but for the last stage */
	PROMCB_TABLE_STEPS = (PROMCB_TABLE_STAGES - 1) * PROMCB_TABLE_WINDOW + 128, /* of a search */

	PROMCB_STRETCHES = 434,
	PROMCB_STRETCHES_KEPT = 34,     /* the last, which the registrar's lane alone takes: it never finds none free */
	PROMCB_STRETCH_CELLS = 2048,    /* the words of heads included */

	PROMCB_RECORD_LABELS_MAX = 16,  /* of a family */
	PROMCB_LABEL_VALUE_MAX = 1023,  /* bytes */
	PROMCB_RECORD_LINES_MAX = PROMCB_PART_LINES - 1,
};

/* Kinds of piece; those above are of newer minor versions, and passed over. */
enum {
	PROMCB_PIECE_ROOT = 1,          /* struct promcb_metrics_root, 64 lines */
	PROMCB_PIECE_TABLE = 2,         /* 64 lines */
	PROMCB_PIECE_FAMILY = 3,
	PROMCB_PIECE_SERIES = 4,
	PROMCB_PIECE_BRANCH = 5,        /* struct promcb_branch: a copy's root (number 0xffff) or a branch */
	PROMCB_PIECE_ROW = 6,           /* a row, or rows that lie together */
};

#define PROMCB_BRANCH_IS_ROOT 0xffff

/* A type of family that is none of metric.h's: see breaker.h. */
#define PROMCB_FAMILY_BREAKERS 6

/* Copies, as heads of rows and branches name them: a lane, or one of these; with the bit, the lane's live copy. */
#define PROMCB_COPY_LIVE 0x8000
#define PROMCB_COPY_SHARED 0x7fff
#define PROMCB_COPY_BASELINE 0x7ffd /* and the next: what is subtracted, see PROMCB_LIFE_SECOND */

/* -- A piece's head: kind in bits 0 to 7, lines in 8 to 15, the copy in 16 to 31, its number there in 32 to 63 ----- */

static inline uint64_t promcb_piece_head(uint32_t kind, uint32_t lines, uint32_t copy, uint32_t number)
{
	return (uint64_t)number << 32 | copy << 16 | lines << 8 | kind;
}

static inline uint32_t promcb_piece_kind(uint64_t head)
{
	return head & 0xff;
}

static inline uint32_t promcb_piece_lines(uint64_t head)
{
	return head >> 8 & 0xff;
}

static inline uint32_t promcb_piece_copy(uint64_t head)
{
	return head >> 16 & 0xffff;
}

static inline uint32_t promcb_piece_number(uint64_t head)
{
	return (uint32_t)(head >> 32);
}

/*
 * -- Parts and stretches: words as chunks have them, see words.h: lane + 1, how many lines or cells were carved, and a
 * kind: of a part 1, of a stretch how many rows lie together in it; 0: nobody's. A chunk of parts begins with the
 * words of all its parts, u32 each: these lines of its first part, or of its first parts, are never carved. What the
 * chunk's own word says to be carved is 1 once it has memory and a part of it was taken. Nobody looks before. --
 */
#define PROMCB_PART_KIND 1

static inline uint32_t promcb_parts_per_chunk(const struct promcb_geometry *geometry)
{
	return geometry->chunk_bytes / PROMCB_PART_BYTES;
}

/* Lines that the part words of a chunk take. */
static inline uint32_t promcb_part_word_lines(const struct promcb_geometry *geometry)
{
	return (promcb_parts_per_chunk(geometry) * (uint32_t)sizeof(uint32_t) + PROMCB_LINE_BYTES - 1) /
	       PROMCB_LINE_BYTES;
}

/* Of a part, counted in its chunk: the first line that may be carved; PROMCB_PART_LINES: none. */
static inline uint32_t promcb_part_first_line(const struct promcb_geometry *geometry, uint32_t part)
{
	uint32_t words = promcb_part_word_lines(geometry), before = part * PROMCB_PART_LINES;

	if (words <= before)
		return 0;
	return words - before < PROMCB_PART_LINES ? words - before : PROMCB_PART_LINES;
}

/* -- Places: which chunk, which part of it, which line of that ----------------------------------------------------- */

static inline uint32_t promcb_place_of(const struct promcb_geometry *geometry, uint32_t chunk, uint32_t part,
				       uint32_t line)
{
	return (chunk * promcb_parts_per_chunk(geometry) + part) * PROMCB_PART_LINES + line + 1;
}

static inline uint32_t promcb_place_chunk(const struct promcb_geometry *geometry, uint32_t place)
{
	return (place - 1) / PROMCB_PART_LINES / promcb_parts_per_chunk(geometry);
}

static inline uint32_t promcb_place_part(const struct promcb_geometry *geometry, uint32_t place)
{
	return (place - 1) / PROMCB_PART_LINES % promcb_parts_per_chunk(geometry);
}

static inline uint32_t promcb_place_line(uint32_t place)
{
	return (place - 1) % PROMCB_PART_LINES;
}

/* From the segment's start. */
static inline uint64_t promcb_place_off(const struct promcb_geometry *geometry, uint32_t place)
{
	return geometry->chunks_off + (uint64_t)(place - 1) * PROMCB_LINE_BYTES;
}

/* -- Table: the place in bits 0 to 27, the upper 36 bits of the hash in 28 to 63 ----------------------------------- */

#define PROMCB_PLACE_BITS 28
#define PROMCB_PLACE_MASK (((uint32_t)1 << PROMCB_PLACE_BITS) - 1)

static inline uint64_t promcb_slot_word(uint64_t hash, uint32_t place)
{
	return (hash & ~(uint64_t)PROMCB_PLACE_MASK) | place;
}

static inline uint32_t promcb_slot_place(uint64_t word)
{
	return (uint32_t)word & PROMCB_PLACE_MASK;
}

/* Whether the word may be of what has the hash. */
static inline bool promcb_slot_matches(uint64_t word, uint64_t hash)
{
	return word >> PROMCB_PLACE_BITS == hash >> PROMCB_PLACE_BITS;
}

/*
 * Where what has a hash may be: stage by stage, in one page each, in the slots from its window's first on; in the last
 * stage in more of them, around the page. The search ends at the first slot that is 0, or at a page that is not there;
 * slots never become 0 again. So no key is there twice: all go the same way, and take the first free slot by CAS.
 */
static inline uint32_t promcb_table_page(uint64_t hash, uint32_t step)
{
	static const uint32_t before[] = {0, 1, 9, 73};
	uint32_t stage = step / PROMCB_TABLE_WINDOW;

	stage = stage < PROMCB_TABLE_STAGES ? stage : PROMCB_TABLE_STAGES - 1;
	return before[stage] + ((uint32_t)hash & (((uint32_t)1 << 3 * stage) - 1));
}

/* In that page. 0: the head, where none is, and the search goes on. */
static inline uint32_t promcb_table_slot(uint64_t hash, uint32_t step)
{
	uint32_t first = ((uint32_t)(hash >> 9) & (PROMCB_TABLE_WORDS / PROMCB_TABLE_WINDOW - 1)) * PROMCB_TABLE_WINDOW;
	uint32_t last = (PROMCB_TABLE_STAGES - 1) * PROMCB_TABLE_WINDOW;

	return (first + (step < last ? step % PROMCB_TABLE_WINDOW : step - last)) % PROMCB_TABLE_WORDS;
}

/* -- Pieces -------------------------------------------------------------------------------------------------------- */

struct promcb_metrics_root {
	uint64_t head;
	uint32_t tables[PROMCB_TABLE_PAGES];    /* places of pages */
	uint32_t shared;                        /* place of the shared copy's root; rows are put there by CAS */
	uint32_t baselines[2];                  /* of the copies that are subtracted */
	uint32_t stretches[PROMCB_STRETCHES];   /* stretch n has cells n * 2,048 and on */
};

struct promcb_branch {
	uint64_t head;
	uint32_t places[PROMCB_BRANCHES];       /* of branches in a root, of rows in a branch */
};

enum promcb_family_flag {
	PROMCB_FAMILY_DOUBLES = 1,              /* cells of counters and sums of histograms are doubles */
	PROMCB_FAMILY_BOUNDS = 2,               /* a histogram of explicit bounds: doubles, in ascending order */
	PROMCB_FAMILY_ENUMERATED = 4,           /* the last label has the values that the family lists, a cell each */
};

/*
 * Behind it: bounds, a double each; then strings, each u16 length and bytes: name, unit, help, label names, values of
 * the enumerated label. Everything but series is fixed before publication.
 */
struct promcb_family_record {
	uint64_t head;
	uint64_t hash;                          /* see below */
	uint64_t created_realtime_ns;
	uint8_t type;                           /* enum promcb_metric_type, of metric.h, or PROMCB_FAMILY_BREAKERS */
	uint8_t scope;                          /* enum promcb_scope */
	uint8_t decimals;                       /* a whole number n means n x 10^-decimals */
	uint8_t flags;                          /* enum promcb_family_flag */
	uint8_t schema;                         /* of a native histogram: 0 to 5 */
	uint8_t labels;
	uint16_t enumerated;                    /* how many values the enumerated label has */
	uint64_t smallest;                      /* of a native histogram: doubles */
	uint64_t largest;
	uint32_t width;                         /* cells of a series */
	uint32_t bounds;
	uint32_t series_max;                    /* the cap */
	uint32_t overflow;                      /* place of the series whose values are all "_overflow"; 0: none */
	uint64_t series;                        /* how many have a place below the cap. By read-modify-write */
	uint64_t refused;                       /* look-ups that were led to "_overflow". By read-modify-write */
	uint64_t reserved[2];
};

/* Behind it: label values, each u16 length and bytes. */
struct promcb_series_record {
	uint64_t head;
	uint64_t hash;                          /* see below */
	uint64_t created_realtime_ns;
	uint32_t family;                        /* place */
	uint32_t cell;                          /* the first */
	/* by read-modify-write */
	uint64_t life;                          /* see below. [LIFE] */
	/* by the holder of the resetter's lane */
	uint64_t noted_ns;                      /* CLOCK_REALTIME: no later than it was noted that what its cells add */
	uint64_t noted;                         /* up to has this hash, see below. noted_ns 0: not in this life */
};

/*
 * -- A series' life: flags in bits 0 to 2; above, when it began by removing the one before, CLOCK_REALTIME ns whose
 * last three bits are 0; 0: it is the first. What stood in a series' cells when its last life was removed stands in
 * one of two baselines, copies that a remover writes and readers subtract; the next removal fills the other. Of gauges
 * and infos nothing is subtracted: they are set, and cleared. --
 */
#define PROMCB_LIFE_PLACED ((uint64_t)1) /* it has a place below the family's cap */
#define PROMCB_LIFE_HIDDEN ((uint64_t)2) /* removed: it is listed only if its cells tell something */
#define PROMCB_LIFE_SECOND ((uint64_t)4) /* the second baseline is subtracted, not the first */
#define PROMCB_LIFE_FLAGS ((uint64_t)7)

static inline uint64_t promcb_life_began_ns(uint64_t life)
{
	return life & ~PROMCB_LIFE_FLAGS;
}

/* Which of the two baselines is subtracted, if any. */
static inline uint32_t promcb_life_baseline(uint64_t life)
{
	return (life & PROMCB_LIFE_SECOND) != 0;
}

/* The hidden life after this one: it has the other baseline, and begins later. */
static inline uint64_t promcb_life_next(uint64_t life, uint64_t now_ns)
{
	uint64_t began = promcb_life_began_ns(life), now = promcb_life_began_ns(now_ns);
	uint64_t second = began && !promcb_life_baseline(life) ? PROMCB_LIFE_SECOND : 0;

	return (now > began ? now : began + PROMCB_LIFE_FLAGS + 1) | second | PROMCB_LIFE_HIDDEN;
}

_Static_assert(sizeof(struct promcb_metrics_root) == PROMCB_PART_BYTES, "a root is a part");
_Static_assert(sizeof(struct promcb_branch) == PROMCB_ROW_LINES * PROMCB_LINE_BYTES, "a branch is like a row");
_Static_assert(sizeof(struct promcb_family_record) == 96, "family record size");
_Static_assert(sizeof(struct promcb_series_record) == 56, "series record size");

/*
 * Hashes are SipHash-1-3, keyed by the segment's identity. A family's is of 'F' and its name without "_total" or
 * "_info": so all that would be one name in OpenMetrics have one hash. A series' begins with that of 'S' and its
 * family's place, 32 bits, little-endian; then comes, label value by label value, that of the value, where the first
 * word of the key is the identity's exclusive or the hash so far. That of its numbers is of what its cells add up to,
 * over all lasting copies, a word each.
 */

/*
 * A gauge's cell is the bits of its double, exclusive or this, a NaN that no arithmetic gives: memory of zeros is a
 * gauge that was not set.
 */
#define PROMCB_GAUGE_UNSET ((uint64_t)0x7ff8505243424755)

/* Cell c of a copy is word c % 64 of row c / 64; word 0 is the head, and no cell. */
static inline uint32_t promcb_cell_row(uint32_t cell)
{
	return cell / PROMCB_ROW_WORDS;
}

/* How many rows lie together for a series of so many cells: one for all that fit beside others. */
static inline uint32_t promcb_rows_together(uint32_t width)
{
	return (width + PROMCB_ROW_WORDS) / PROMCB_ROW_WORDS;
}

/*
 * The first cells from one on, in its stretch, that can be a series' own: in a row, none of them its head. A series
 * that is wider than a row has rows that lie together, of which the first begins at a multiple of so many in the
 * stretch. Where a row begins and ends is settled by its stretch, so one that was made for a series which then never
 * came to be serves the next.
 */
static inline uint32_t promcb_cells_from(uint32_t cell, uint32_t width)
{
	uint32_t together = promcb_rows_together(width) * PROMCB_ROW_WORDS;
	uint32_t word = cell % PROMCB_STRETCH_CELLS % together;

	if (word == 0)
		return cell + 1;
	if (width < PROMCB_ROW_WORDS ? word + width <= PROMCB_ROW_WORDS : word == 1)
		return cell;
	return cell - word + together + 1;
}

/* Where the next series' cells may begin behind it. */
static inline uint32_t promcb_cells_end(uint32_t cell, uint32_t width)
{
	return width < PROMCB_ROW_WORDS ? cell + width : cell - 1 + promcb_rows_together(width) * PROMCB_ROW_WORDS;
}

#endif
