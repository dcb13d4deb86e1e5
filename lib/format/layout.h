/* SPDX-License-Identifier: MIT */
/*
 * layout.h: the segment format. The man page promcb-segment(5) says the same, and a test compares the two.
 *
 * Everything in a segment is a fixed-width word, aligned, little-endian; places are offsets from the segment's start
 * (_off) or numbers counted from 1 with 0 for none, never pointers.
 *
 * Words (one per thing, everywhere)
 *   segment     the shared file
 *   component   one named thing whose calls are counted; its descriptor holds the name
 *   lane        the right to record, held by one thread at a time; its counters outlive their holder
 *   chunk       the step of growth: memory of one lane, of one kind
 *   block       the counters of one (component, lane)
 *   ring        the newest samples of a block: a first one in the block itself, then a full one apart
 *   overflow block   one per component, written by atomic read-modify-write by whoever has no lane
 *   baseline    what stood in a component's counters at its last reset
 *
 * The file, in order; each area begins at a multiple of page_bytes
 *   header        struct promcb_header
 *   lanes         struct promcb_lane [lane_slots]: lanes, then the registrar's and the resetter's
 *   chunk table   u32 [chunks]: 0, or promcb_chunk_word(); what was carved may lag by one after a crash
 *   claims        u32 [components]: 0, or the lane + 1 that owns the descriptor
 *   table         u64 [table_slots]: 0, or promcb_table_word(); open addressing, linear
 *   descriptors   struct promcb_descriptor [components]; a page has memory once a component in it is claimed
 *   directories   u32 [lane_slots][directory_words]: per lane and component 0, or block number + 1; has memory once
 *                 lane->used is set
 *   chunks        chunk_bytes each; has memory once its chunk table word is set and something in it was published
 *
 * Locks are open-file-description locks far past the data: byte PROMCB_LOCK_LANES + n is lane n. Holding it is holding
 * the lane. Holding PROMCB_LOCK_LIVE + n as well is to have its live copy count: see metrics.h.
 *
 * Pairs (release here, acquire there; what breaks without). Orders are C11 memory orders; no pair relies on x86's
 * stronger model. Ordering that comes from system calls is noted where it is used: taking a lane's lock after its last
 * holder's unlock or death, and any pread(2) after another. What one pread copies has no order among itself.
 *   [MAGIC]  create.c writes everything, then magic; segment.c and source.c refuse a file without it. A half-made copy
 *            would be believed. The link that names the file comes after, so this is for copies made meanwhile.
 *   [LANE]   lane.c gives a lane's directory memory, then sets used; catalog.c and reset.c read used before the
 *            directory. A reader would touch a hole, which takes memory. Each later owner empties the rings of samples
 *            by another clock, then says by which clock it stamps: clock_offset_ns, time_namespace, boot, birth;
 *            catalog.c reads birth, boot, time_namespace, clock_offset_ns, then the samples. A scrape would take
 *            samples of another boot for its own. A mix of two owners' words gives samples that are off by the
 *            difference of their clocks, in one scrape, and no more.
 *   [DIR]    lane.c zeroes and fills a block's header, then stores its number in the directory; catalog.c and reset.c
 *            load the number before the block. A scrape would count what a dead lane left there. After the number the
 *            chunk's count: the lane's next owner, ordered by the lock, finds at most one number that is not counted.
 *   [RING]   lane.c fills a full ring, then stores its number in block->ring; rings.c loads the number before the
 *            ring. A scrape would show another component's old samples. The head has no part in it: with a new ring it
 *            may be the old one, which misplaces the newest sample and invents none.
 *   [PUB]    component.c writes a descriptor, then the table word; component.c, reset.c and catalog.c load the word
 *            before the descriptor. A scrape would list a component with an empty name. The name, the hash and the
 *            overflow block's number never change afterwards.
 *   [RST]    reset.c fills the inactive baseline, then stores descriptor->reset; catalog.c loads reset before the state
 *            and any counter of that component, collect.c every word of the baseline with acquire, and catalog.c reset
 *            again after. A scrape would subtract half a baseline, and a count would jump; with a state from before
 *            the reset, transitions would be less than what is subtracted from them, and wrap. Of a descriptor copied
 *            in one piece the reset word alone counts; baselines and state are copied again after it.
 *            Between two resets of one component lie an unlock and a lock of the resetter's lane; without, the zeroing
 *            of the other baseline could be seen before the word that gave it up.
 *   [STATE]  state.c changes the state, then stores its time; catalog.c loads the state, then the time, then the state.
 *            The tag in the time tells them apart; without, the time of a change could be unknown for longer.
 *   [CHUNK]  segment.c takes a chunk by a CAS of its table word before anything in it is published; catalog.c loads the
 *            words after the numbers that lead there. A reader would refuse a good block as ownerless.
 *   Counters, heads and samples have no order at all. That counts do not shrink from scrape to scrape is coherence:
 *   loads of one word, one after another, see it grow. That no counter is less than its baseline is [RST].
 */
#ifndef PROMCB_LAYOUT_H
#define PROMCB_LAYOUT_H

#include "format/words.h"

#include <promcb/atomic.h>
#include <promcb/block.h>

#include <stddef.h>

/* "\x89PROMCB\n" as it lies in the file. */
#define PROMCB_MAGIC ((uint64_t)0x0A42434D4F525089)

#define PROMCB_FORMAT_MAJOR 1
#define PROMCB_FORMAT_MINOR 1

/*
 * What both sides must agree on beyond the format: word size 8, line 64, little-endian when this reads back as
 * itself.
 */
#define PROMCB_ABI ((uint64_t)0x0000000001084021)

#define PROMCB_LOCK_LANES ((int64_t)1 << 62)
#define PROMCB_LOCK_LIVE (((int64_t)1 << 62) + ((int64_t)1 << 20))
#define PROMCB_LOCK_REMOVER (((int64_t)1 << 62) + ((int64_t)1 << 39))
#define PROMCB_LOCK_MARKERS (((int64_t)1 << 62) + ((int64_t)1 << 40))

/*
 * Kinds of chunk, of block, and of descriptor. Those above are of newer minor versions, and passed over: nothing that
 * they hold or lead to is looked at, by readers and producers alike.
 */
enum {
	PROMCB_CHUNK_BLOCKS = 1,
	PROMCB_CHUNK_RINGS = 2,
	PROMCB_CHUNK_PARTS = 3,    /* see metrics.h */

	PROMCB_BLOCK_PLAIN = 1,    /* in a directory; written by its lane's owner, plainly */
	PROMCB_BLOCK_OVERFLOW = 2, /* of a descriptor; written by anybody, by read-modify-write */
	PROMCB_BLOCK_BASELINE = 3, /* of a descriptor; written by the resetter */

	PROMCB_DESCRIPTOR_COMPONENT = 0,
	PROMCB_DESCRIPTOR_LABELLED = 1, /* the same, but its name is a full name, with labels: see base/labels.h */
};

/* The reserved component that takes calls of components that did not fit. */
#define PROMCB_OVERFLOW_NAME "_overflow"
#define PROMCB_OVERFLOW_COMPONENT 0

/* Bounds of the geometry, whoever wrote it. */
#define PROMCB_COMPONENTS_MAX 65000
#define PROMCB_LANES_MAX 1024
#define PROMCB_BYTES_MAX ((uint64_t)16 << 30)
#define PROMCB_SPECIAL_LANES 2

/* Fixed by the creator; copied to private memory by everybody and never read again. */
struct promcb_geometry {
	uint64_t max_bytes;             /* hard bound of the file's size */
	uint64_t window_ns;             /* recent samples older than this do not count; 0: any age */
	uint32_t page_bytes;            /* areas are aligned to this: 4,096, or the huge page of hugetlbfs */
	uint32_t schema;                /* native histogram schema: 3, 4, 5 */
	uint32_t buckets;               /* per outcome */
	uint32_t lanes;                 /* that threads may take */
	uint32_t components;            /* descriptors, that of "_overflow" included */
	uint32_t table_slots;           /* power of two, at least twice components */
	uint32_t recent_samples;        /* the newest that count */
	uint32_t ring_log2;             /* slots of a full ring, a power of two >= recent_samples */
	uint32_t chunk_bytes;           /* a multiple of page_bytes */
	uint32_t chunks;
	uint32_t block_bytes;           /* stride of blocks in a chunk; never a multiple of 4,096 */
	uint32_t descriptor_bytes;      /* stride */
	uint32_t directory_words;       /* stride of a lane's directory, in u32 */
	uint32_t lane_bytes;            /* stride */
	uint64_t lanes_off;             /* all from the segment's start, in bytes */
	uint64_t chunk_table_off;
	uint64_t claims_off;
	uint64_t table_off;
	uint64_t descriptors_off;
	uint64_t directories_off;
	uint64_t chunks_off;
};

struct promcb_header {
	uint64_t magic;                 /* PROMCB_MAGIC, stored last. [MAGIC] */
	uint32_t format_major;          /* readers and writers refuse another */
	uint32_t format_minor;          /* a newer one adds, and is understood */
	uint64_t abi;                   /* PROMCB_ABI */
	uint64_t created_realtime_ns;
	uint64_t identity[2];           /* random; also the key of the name hash */
	uint64_t boot[2];               /* of the creation, for display */
	struct promcb_geometry geometry;
	uint64_t metrics;               /* place of the root, see metrics.h; 0: no family yet. By CAS, once */
	uint8_t reserved[1024 - 64 - 8 - sizeof(struct promcb_geometry)];
	/* from here on written by anybody, by read-modify-write */
	uint64_t retired;               /* 1: removed by an operator */
	uint8_t pad_retired[120];
	uint64_t components_rejected;   /* registrations that were given "_overflow" */
	uint64_t rejected_calls;        /* latency negative, NaN or infinite */
	uint64_t dropped_calls;         /* could not be recorded at all */
	uint64_t bad_lines;             /* of logs: no call could be read from them */
	uint64_t families_rejected;     /* declared otherwise than they are */
	uint64_t series_rejected;       /* look-ups led to "_overflow": a cap, values against the rules, no room */
	uint64_t rejected_values;       /* negative amounts of counters, NaN, infinities */
	uint64_t dropped_values;        /* could not be recorded at all */
	uint64_t removals;              /* of series, begun and ended: odd: one is under way; by its remover. [LIFE] */
	uint8_t pad_counts[56];
};

struct promcb_lane {
	uint64_t used;                  /* 1: the lane was ever taken, its directory has memory. [LANE] */
	uint64_t owner_cookie;          /* random per process and attach: tells producers apart */
	uint64_t pid;                   /* of the owner, in its own pid namespace; for display */
	uint64_t boot;                  /* hash of the boot id under which the owner stamps; 0: not known */
	uint64_t time_namespace;        /* inode of its time namespace; 0: not known, or there are none */
	uint64_t clock_offset_ns;       /* CLOCK_REALTIME - CLOCK_MONOTONIC when the lane was taken */
	uint64_t comm[2];               /* of the owner, 16 bytes, for display */
	uint64_t taken;                 /* how many times the lane was taken */
	uint64_t birth;                 /* hash of the file, by its birth, as the owner found it; 0: not known */
	uint32_t copy;                  /* place of the root of its copy of the cells of metrics.h */
	uint32_t live;                  /* of its live copy, which counts while it is locked, and only if */
	uint64_t live_taken;            /* this is taken. [LIVE] */
	uint64_t reserved[4];
};

/* Of a breaker: see breaker.h. */
#define PROMCB_POLICIES 2
#define PROMCB_POLICY_WORDS 6
#define PROMCB_PERMITS 8

struct promcb_descriptor {
	char name[PROMCB_NAME_MAX + 1]; /* UTF-8, zero-terminated, padded by zeros; of a full name, its beginning */
	uint64_t hash;                  /* of the name, 48 bits used */
	uint32_t overflow;              /* block number + 1 of the overflow block */
	uint32_t kind;                  /* PROMCB_DESCRIPTOR_; others are passed over. Component may become labelled */
	uint64_t created_realtime_ns;
	char name_more[104];            /* of a full name: what name has no room for; likewise */
	/* written by whoever sets the state */
	uint64_t state;                 /* promcb_state_word(): the state, and changes into each, modulo 2^20 */
	uint64_t state_time;            /* promcb_state_time(): when it last changed, and which change that was */
	/* of the breaker; by compare and exchange. [BREAK] */
	uint64_t until;                 /* how long it stays open */
	uint64_t result;                /* of the probes since it is half-open */
	uint64_t since;                 /* from when on calls count: since it is closed, or its window is another */
	uint64_t streak;                /* failures in a row, of all processes; 0: none */
	uint64_t permits[PROMCB_PERMITS]; /* [PERMIT] */
	uint64_t forced;                /* 1 + the mode that an operator wants; 0: the policy's */
	uint64_t opened;                /* why it was opened */
	/* written by the resetter */
	uint64_t reset;                 /* promcb_reset_word(): which baseline counts; 0: never reset. [RST] */
	uint32_t baseline[2];           /* block numbers + 1: blocks of kind PROMCB_BLOCK_BASELINE, see below */
	/* of the breaker, see breaker.h */
	/*
	 * CLOCK_MONOTONIC ns: while it is closed nobody adds the window up before; while it is half open nobody asks
	 * whether the lanes that hold permits are locked. By read-modify-write.
	 */
	uint64_t next_look;
	uint64_t selector;              /* which policy counts; 0: there is no breaker. By the resetter. [POLICY] */
	uint64_t policy[PROMCB_POLICIES * PROMCB_POLICY_WORDS];
};

/*
 * A baseline is a block that holds what stood in all blocks of the component, with the CLOCK_MONOTONIC ns of the
 * reset as its head, the CLOCK_REALTIME ns as its last_failure_ns, and the state word of then as its position. Three
 * words of its first ring tell what that head is worth, as in a lane; boot and birth 0: nobody knows.
 */
#define PROMCB_BASELINE_TIME_NAMESPACE 0
#define PROMCB_BASELINE_BOOT 1
#define PROMCB_BASELINE_BIRTH 2

#define PROMCB_ASSERT_OFFSET(type, field, offset) \
	_Static_assert(offsetof(struct type, field) == (offset), #type "." #field " has moved")

PROMCB_ASSERT_OFFSET(promcb_header, magic, 0);
PROMCB_ASSERT_OFFSET(promcb_header, format_major, 8);
PROMCB_ASSERT_OFFSET(promcb_header, format_minor, 12);
PROMCB_ASSERT_OFFSET(promcb_header, abi, 16);
PROMCB_ASSERT_OFFSET(promcb_header, created_realtime_ns, 24);
PROMCB_ASSERT_OFFSET(promcb_header, identity, 32);
PROMCB_ASSERT_OFFSET(promcb_header, boot, 48);
PROMCB_ASSERT_OFFSET(promcb_header, geometry, 64);
PROMCB_ASSERT_OFFSET(promcb_header, metrics, 192);
PROMCB_ASSERT_OFFSET(promcb_header, retired, 1024);
PROMCB_ASSERT_OFFSET(promcb_header, components_rejected, 1152);
PROMCB_ASSERT_OFFSET(promcb_header, rejected_calls, 1160);
PROMCB_ASSERT_OFFSET(promcb_header, dropped_calls, 1168);
PROMCB_ASSERT_OFFSET(promcb_header, bad_lines, 1176);
PROMCB_ASSERT_OFFSET(promcb_header, families_rejected, 1184);
PROMCB_ASSERT_OFFSET(promcb_header, series_rejected, 1192);
PROMCB_ASSERT_OFFSET(promcb_header, rejected_values, 1200);
PROMCB_ASSERT_OFFSET(promcb_header, dropped_values, 1208);
PROMCB_ASSERT_OFFSET(promcb_header, removals, 1216);
_Static_assert(sizeof(struct promcb_header) == 1280, "header size");

PROMCB_ASSERT_OFFSET(promcb_geometry, max_bytes, 0);
PROMCB_ASSERT_OFFSET(promcb_geometry, window_ns, 8);
PROMCB_ASSERT_OFFSET(promcb_geometry, page_bytes, 16);
PROMCB_ASSERT_OFFSET(promcb_geometry, schema, 20);
PROMCB_ASSERT_OFFSET(promcb_geometry, buckets, 24);
PROMCB_ASSERT_OFFSET(promcb_geometry, lanes, 28);
PROMCB_ASSERT_OFFSET(promcb_geometry, components, 32);
PROMCB_ASSERT_OFFSET(promcb_geometry, table_slots, 36);
PROMCB_ASSERT_OFFSET(promcb_geometry, recent_samples, 40);
PROMCB_ASSERT_OFFSET(promcb_geometry, ring_log2, 44);
PROMCB_ASSERT_OFFSET(promcb_geometry, chunk_bytes, 48);
PROMCB_ASSERT_OFFSET(promcb_geometry, chunks, 52);
PROMCB_ASSERT_OFFSET(promcb_geometry, block_bytes, 56);
PROMCB_ASSERT_OFFSET(promcb_geometry, descriptor_bytes, 60);
PROMCB_ASSERT_OFFSET(promcb_geometry, directory_words, 64);
PROMCB_ASSERT_OFFSET(promcb_geometry, lane_bytes, 68);
PROMCB_ASSERT_OFFSET(promcb_geometry, lanes_off, 72);
PROMCB_ASSERT_OFFSET(promcb_geometry, chunk_table_off, 80);
PROMCB_ASSERT_OFFSET(promcb_geometry, claims_off, 88);
PROMCB_ASSERT_OFFSET(promcb_geometry, table_off, 96);
PROMCB_ASSERT_OFFSET(promcb_geometry, descriptors_off, 104);
PROMCB_ASSERT_OFFSET(promcb_geometry, directories_off, 112);
PROMCB_ASSERT_OFFSET(promcb_geometry, chunks_off, 120);
_Static_assert(sizeof(struct promcb_geometry) == 128, "geometry size");

PROMCB_ASSERT_OFFSET(promcb_lane, used, 0);
PROMCB_ASSERT_OFFSET(promcb_lane, owner_cookie, 8);
PROMCB_ASSERT_OFFSET(promcb_lane, pid, 16);
PROMCB_ASSERT_OFFSET(promcb_lane, boot, 24);
PROMCB_ASSERT_OFFSET(promcb_lane, time_namespace, 32);
PROMCB_ASSERT_OFFSET(promcb_lane, clock_offset_ns, 40);
PROMCB_ASSERT_OFFSET(promcb_lane, comm, 48);
PROMCB_ASSERT_OFFSET(promcb_lane, taken, 64);
PROMCB_ASSERT_OFFSET(promcb_lane, birth, 72);
PROMCB_ASSERT_OFFSET(promcb_lane, copy, 80);
PROMCB_ASSERT_OFFSET(promcb_lane, live, 84);
PROMCB_ASSERT_OFFSET(promcb_lane, live_taken, 88);
_Static_assert(sizeof(struct promcb_lane) == 128, "lane size");

PROMCB_ASSERT_OFFSET(promcb_descriptor, name, 0);
PROMCB_ASSERT_OFFSET(promcb_descriptor, hash, 128);
PROMCB_ASSERT_OFFSET(promcb_descriptor, overflow, 136);
PROMCB_ASSERT_OFFSET(promcb_descriptor, kind, 140);
PROMCB_ASSERT_OFFSET(promcb_descriptor, created_realtime_ns, 144);
PROMCB_ASSERT_OFFSET(promcb_descriptor, state, 256);
PROMCB_ASSERT_OFFSET(promcb_descriptor, state_time, 264);
PROMCB_ASSERT_OFFSET(promcb_descriptor, until, 272);
PROMCB_ASSERT_OFFSET(promcb_descriptor, result, 280);
PROMCB_ASSERT_OFFSET(promcb_descriptor, since, 288);
PROMCB_ASSERT_OFFSET(promcb_descriptor, streak, 296);
PROMCB_ASSERT_OFFSET(promcb_descriptor, permits, 304);
PROMCB_ASSERT_OFFSET(promcb_descriptor, forced, 368);
PROMCB_ASSERT_OFFSET(promcb_descriptor, opened, 376);
PROMCB_ASSERT_OFFSET(promcb_descriptor, reset, 384);
PROMCB_ASSERT_OFFSET(promcb_descriptor, baseline, 392);
PROMCB_ASSERT_OFFSET(promcb_descriptor, next_look, 400);
PROMCB_ASSERT_OFFSET(promcb_descriptor, selector, 408);
PROMCB_ASSERT_OFFSET(promcb_descriptor, policy, 416);
_Static_assert(sizeof(struct promcb_descriptor) == 512, "descriptor size");

PROMCB_ASSERT_OFFSET(promcb_block, head, 0);
PROMCB_ASSERT_OFFSET(promcb_block, ring, 8);
PROMCB_ASSERT_OFFSET(promcb_block, latency_sum_ns, 16);
PROMCB_ASSERT_OFFSET(promcb_block, last_failure_ns, 32);
PROMCB_ASSERT_OFFSET(promcb_block, log_entries, 40);
PROMCB_ASSERT_OFFSET(promcb_block, saturated, 72);
PROMCB_ASSERT_OFFSET(promcb_block, backward, 80);
PROMCB_ASSERT_OFFSET(promcb_block, component_lane, 88);
PROMCB_ASSERT_OFFSET(promcb_block, kind, 96);
PROMCB_ASSERT_OFFSET(promcb_block, position, 104);
PROMCB_ASSERT_OFFSET(promcb_block, unmeasured, 112);
PROMCB_ASSERT_OFFSET(promcb_block, first_ring, 128);
_Static_assert(sizeof(struct promcb_block) == 384, "block header size");

static inline uint32_t promcb_per_chunk(const struct promcb_geometry *geometry, uint32_t bytes)
{
	uint32_t fit = geometry->chunk_bytes / bytes;

	return fit < PROMCB_CARVED_MAX ? fit : PROMCB_CARVED_MAX;
}

static inline uint32_t promcb_blocks_per_chunk(const struct promcb_geometry *geometry)
{
	return promcb_per_chunk(geometry, geometry->block_bytes);
}

static inline uint32_t promcb_rings_per_chunk(const struct promcb_geometry *geometry)
{
	return promcb_per_chunk(geometry, (uint32_t)sizeof(uint64_t) << geometry->ring_log2);
}

/* Whether it is taken, and memory was found for it: the first part of a chunk of parts says so. */
static inline bool promcb_chunk_has_memory(uint32_t word)
{
	return word && !(promcb_chunk_kind(word) == PROMCB_CHUNK_PARTS && promcb_chunk_carved(word) == 0);
}

static inline uint64_t promcb_chunk_off(const struct promcb_geometry *geometry, uint32_t chunk)
{
	return geometry->chunks_off + (uint64_t)chunk * geometry->chunk_bytes;
}

static inline uint64_t promcb_block_off(const struct promcb_geometry *geometry, uint32_t block)
{
	uint32_t per_chunk = promcb_blocks_per_chunk(geometry);

	return promcb_chunk_off(geometry, block / per_chunk) + (uint64_t)(block % per_chunk) * geometry->block_bytes;
}

static inline uint64_t promcb_ring_off(const struct promcb_geometry *geometry, uint32_t ring)
{
	uint32_t per_chunk = promcb_rings_per_chunk(geometry);

	return promcb_chunk_off(geometry, ring / per_chunk) +
	       ((uint64_t)(ring % per_chunk) * sizeof(uint64_t) << geometry->ring_log2);
}

#endif
