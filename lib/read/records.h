/* SPDX-License-Identifier: MIT */
/* records.h: the families and series that a segment lists, and how the cells of each are to be added up. */
#ifndef PROMCB_RECORDS_H
#define PROMCB_RECORDS_H

#include "model/metrics.h"
#include "read/pieces.h"

/* What is made of the words that copies have for a cell. */
enum promcb_cell_use {
	PROMCB_CELL_SUM = 0,            /* modulo 2^64; also of cells that nobody listed owns */
	PROMCB_CELL_SUM_OF_DOUBLES,
	PROMCB_CELL_LIVE_SUM,           /* of live copies: gauges that are set */
	PROMCB_CELL_LIVE_LEAST,
	PROMCB_CELL_LIVE_GREATEST,
	PROMCB_CELL_SHARED,             /* a gauge in the shared copy */
	PROMCB_CELL_USES,
	PROMCB_CELL_USE = 0x0f,
	/* With one of those above: */
	PROMCB_CELL_BASELINE = 0x20,    /* the first baseline is to be subtracted */
	PROMCB_CELL_SECOND = 0x40,      /* the second */
	PROMCB_CELL_IS_SET = 0x80,      /* a gauge was found set */
};

/* The life of a series, which has a number in the metrics, as it was before any cell was read. [LIFE] */
struct promcb_series_life {
	uint32_t series;
	uint32_t place;                 /* of the record */
	uint64_t life;
};

/* Who has a lane, as it was before any row of breakers was read. */
struct promcb_holder {
	uint64_t taken;
	uint64_t cookie;
	bool lives;                     /* the process that had it last has this lane, or another */
};

/* A row of breakers, as one copy has it. */
struct promcb_kept_row {
	uint32_t number;
	uint64_t words[PROMCB_ROW_WORDS];
};

struct promcb_records {
	struct promcb_metrics_root root; /* private */
	uint32_t root_place;
	uint32_t cells;                 /* one past the last that a series owns */
	uint8_t *uses;                  /* of each of them */
	uint8_t *rows;                  /* how many lie together from this one on; 0: none that is listed */
	uint8_t *mixed;                 /* of each row: whether there is any use but PROMCB_CELL_SUM */
	struct promcb_series_life *lives; /* of all series */
	bool has_baselines;             /* something is subtracted */
	uint64_t removals;              /* as they were before any life was read. [LIFE] */
	bool has_breakers;
	uint8_t *breakers;              /* of each row: whether it is of a breaker */
	struct promcb_holder *holders;  /* of each lane; NULL: there are no breakers */
	struct promcb_kept_row *kept;   /* of these rows, what each copy has */
	size_t kept_count, kept_room;
};

/*
 * Fills the metrics' families and series, which are in the order of their cells, and gives them cells, all 0. Returns
 * 1; 0 if the segment has none; or -EBADMSG, -ETIMEDOUT with a message, or -ENOMEM. records: freed by
 * promcb_records_free() in any case.
 */
int promcb_records_read(struct promcb_records *records, struct promcb_metrics *metrics, struct promcb_pieces *pieces);
/* How many removals of series were begun and ended. Odd: one is under way, or died in the middle. */
uint64_t promcb_records_removals(struct promcb_pieces *pieces);

void promcb_records_free(struct promcb_records *records);

#endif
