/* SPDX-License-Identifier: MIT */
/* findings.h: what a check found, for check.c, check_metrics.c and check_breakers.c. */
#ifndef PROMCB_FINDINGS_H
#define PROMCB_FINDINGS_H

#include "read/catalog.h"

/* One fault can show in each of a million blocks: what is told suffices to see its kind, and all is counted. */
enum { PROMCB_TOLD_MAX = 20 };

struct promcb_findings {
	void (*report)(void *context, const char *sentence);
	void *context;
	int count;
};

__attribute__((format(printf, 2, 3))) void promcb_find(struct promcb_findings *findings, const char *format, ...);

/*
 * What parts, tables, records, copies and cells should be, beyond what a snapshot needs: whose, counted, where
 * producers look for them, and no two in one place. Returns 0, or -ENOMEM.
 */
int promcb_check_metrics(struct promcb_findings *findings, struct promcb_catalog *catalog,
			 struct promcb_source *source);

/* What the words of breakers should be, in the descriptors of the image's components, */
void promcb_check_breakers(struct promcb_findings *findings, const struct promcb_catalog *image,
			   struct promcb_source *source);

/* and in a row, whose words are given from the head on. */
void promcb_check_breaker_row(struct promcb_findings *findings, const uint64_t *words, uint32_t place);

#endif
