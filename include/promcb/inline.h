/* SPDX-License-Identifier: MIT */
/*
 * inline.h: the record path, for callers that want it compiled into their own code, and for the library itself.
 *
 * promcb_record_at_inline() does what promcb_record_at() does, without the call. What it knows of memory (the structs
 * here) is part of the library's ABI, which the soname counts.
 *
 * A record is, by the only writer of these words:
 *   1. histogram[outcome][bucket] += 1    2. latency_sum_ns[outcome] += latency
 *   3. ring[slot] = sample                4. head = now's tick | slot + 1
 * All are relaxed: a reader that sees any mix of them sees genuine samples and monotonic counts. No lock, no fence,
 * no fork check.
 *
 * Finding the block costs one thread-local load and one more. Handles lie in one dense array, a thread's entries in
 * another of the same stride, so the distance between the two, promcb_thread.distance, leads from a handle to its
 * entry. Threads without entries have the distance to an array of zeros; the child of a fork finds its own wiped. Both
 * mean: take the slow path.
 *
 * A thread looks once a second where its segments' names lead, by the stamps of its own calls, however few there are:
 * promcb_thread.fresh_ns.
 *
 * Compiles as C11 and later, strict or GNU, and as C++11 and later.
 */
#ifndef PROMCB_INLINE_H
#define PROMCB_INLINE_H

#include <promcb/atomic.h>
#include <promcb/block.h>
#include <promcb/bucket3.h>
/* Tests of promcb's own define it, and have the header, which is not installed. */
#ifdef PROMCB_INJECTING
#include <promcb/inject.h>
#elif !defined(PROMCB_INJECT)
#define PROMCB_INJECT(point) ((void)0)
#endif
#include <promcb/promcb.h>

#include <time.h>

#pragma GCC visibility push(default)
#ifdef __cplusplus
extern "C" {
#endif

/*
 * Where a thread records one component. The low 56 bits of each word are an address (64-byte aligned), the rest says
 * what it is.
 *   own block        block: its address.  ring: that of its present ring | log2 of the ring's slots
 *   another schema   the same, and the top bit of block set, below it the segment's slot: block < 0
 *   overflow block   block: 0.  ring: the overflow block's address, above it the segment's slot
 *   none yet         both 0
 *   recalled         block: 0.  ring: PROMCB_ENTRY_RECALLED. The segment was left; as none yet, but for a run that is
 *                    being recorded, which sees that its block was its own to the end
 * A signal handler may change an entry between two loads of the thread that it interrupted, and another thread may
 * recall it. So ring is loaded before block: a block that was put there in between meets a ring whose low bits are 0,
 * which means one slot, and slot 0 is never written here.
 */
#define PROMCB_ENTRY_OTHER_SCHEMA ((uintptr_t)1 << 63)
#define PROMCB_ENTRY_RECALLED ((uintptr_t)64)

struct promcb_entry {
	uintptr_t block;
	uintptr_t ring;
};

struct promcb_thread_words {
	uintptr_t distance;
	uint64_t fresh_ns;              /* CLOCK_MONOTONIC: a later record looks first where the segments have gone */
	int64_t countdown;              /* what has no stamps looks at the clock where this falls below 0 */
};

/*
 * How a thread's words are found. With glibc, at a fixed distance, also by a library that a running program loads: it
 * keeps some room for such. Other C libraries refuse that, and a build may choose not to (-Dtls=descriptors): they are
 * found by a call, which costs half a nanosecond.
 */
#if defined(__GLIBC__) && !defined(PROMCB_TLS_DESCRIPTORS)
#define PROMCB_TLS __attribute__((tls_model("initial-exec")))
#else
#define PROMCB_TLS
#endif

extern __thread struct promcb_thread_words promcb_thread PROMCB_TLS;

/*
 * 1 while the thread is between the loads and the stores of a record. A handler that finds it set records into an
 * overflow block. Always 0 where promcb_add_owned() is whole.
 */
extern __thread uint32_t promcb_thread_busy PROMCB_TLS;

static inline bool promcb_thread_is_busy(void)
{
	return !PROMCB_ADD_OWNED_IS_SIGNAL_ATOMIC && promcb_thread_busy != 0;
}

static inline void promcb_thread_set_busy(uint32_t busy)
{
	if (PROMCB_ADD_OWNED_IS_SIGNAL_ATOMIC)
		return;
	promcb_signal_fence();
	promcb_thread_busy = busy;
	promcb_signal_fence();
}

/* A record that is not the common case, which is a success of 1 ns to the maximum in an own block: see record.c. */
void promcb_record_slow(struct promcb_component *component, uint64_t latency_ns, bool success, uint64_t now_ns);

/* PROMCB_LATENCY_MAX_NS, as what compilers make the shortest test of. */
#define PROMCB_LATENCY_BITS 40

#define PROMCB_UNLIKELY(condition) __builtin_expect(!!(condition), 0)

/* Whether the entry leads to no own block of the common schema, or a look is due: one test of two signs. */
static inline bool promcb_needs_slow_path(const struct promcb_block *block, uint64_t now_ns)
{
	return (int64_t)(((uintptr_t)block - 1) | (promcb_thread.fresh_ns - now_ns)) < 0;
}

static inline void promcb_record_at_inline(struct promcb_component *component, uint64_t latency_ns, bool success,
					   uint64_t now_ns)
{
	const struct promcb_entry *entry = (const struct promcb_entry *)((uintptr_t)component + promcb_thread.distance);
	uintptr_t ring = promcb_load_relaxed(&entry->ring);

	promcb_signal_fence();
	struct promcb_block *block = (struct promcb_block *)promcb_load_relaxed(&entry->block);

	if (!PROMCB_UNLIKELY(promcb_needs_slow_path(block, now_ns) || promcb_thread_is_busy())) {
		promcb_thread_set_busy(1);
		uint32_t slot = (uint32_t)promcb_load_relaxed(&block->head) & ~(UINT32_MAX << (ring & 31));

		/* Not a latency of 0 or too long, not a failure, not the first of a round of the ring. */
		if (!PROMCB_UNLIKELY((latency_ns - 1) >> PROMCB_LATENCY_BITS || !success || slot == 0)) {
			uint64_t *samples = (uint64_t *)(ring & ~(uintptr_t)63);

			promcb_add_owned(promcb_block_buckets(block) + promcb_bucket3(latency_ns), 1);
			PROMCB_INJECT("record: counted");
			promcb_add_owned(&block->latency_sum_ns[0], latency_ns);
			PROMCB_INJECT("record: summed");
			uint64_t tick_ns = now_ns & ~PROMCB_HEAD_POSITION_MASK, ticks = tick_ns;

			/* Compilers would rather shift first, and mask twice. */
			__asm__("" : "+r"(ticks));
			promcb_store_relaxed(samples + slot, promcb_sample_of(latency_ns, true, ticks));
			PROMCB_INJECT("record: sampled");
			/* promcb_head() of a position that cannot run over. */
			promcb_store_relaxed(&block->head, tick_ns + slot + 1);
			promcb_thread_set_busy(0);
			return;
		}
		promcb_thread_set_busy(0);
	}
	/* The arguments as they came: a jump, so that the way above saves no register for it. */
	promcb_record_slow(component, latency_ns, success, now_ns);
}

/*
 * Records count calls of one outcome and one stamp. What a record looks up and stores once per call is looked up and
 * stored once per run here: the entry, the sum, the head. A signal handler's records in between are counted; its
 * samples may be overwritten by those of the run. A handler that forks leaves the child a block that is its parent's,
 * and a sum that its parent adds: the child sees by its entry, which is wiped, that it has none of that to store.
 */
static inline void promcb_record_many_inline(struct promcb_component *component, const uint64_t *latencies_ns,
					     size_t count, bool success, uint64_t now_ns)
{
	size_t done = 0;

	while (done < count) {
		const struct promcb_entry *entry =
			(const struct promcb_entry *)((uintptr_t)component + promcb_thread.distance);
		uintptr_t ring = promcb_load_relaxed(&entry->ring);

		promcb_signal_fence();
		struct promcb_block *block = (struct promcb_block *)promcb_load_relaxed(&entry->block);

		if (!PROMCB_UNLIKELY((intptr_t)block <= 0 || now_ns > promcb_thread.fresh_ns || !success ||
				     promcb_thread_is_busy())) {
			promcb_thread_set_busy(1);
			uint64_t *buckets = promcb_block_buckets(block);
			uint64_t *samples = (uint64_t *)(ring & ~(uintptr_t)63);
			uint64_t position = promcb_load_relaxed(&block->head), sum_ns = 0;
			uint32_t mask = ~(UINT32_MAX << (ring & 31));
			size_t begun = done;

			for (; done < count; done++, position++) {
				uint32_t slot = (uint32_t)position & mask;
				uint64_t latency_ns = latencies_ns[done];

				if (PROMCB_UNLIKELY((latency_ns - 1) >> PROMCB_LATENCY_BITS || slot == 0 ||
						    promcb_load_relaxed(&entry->block) != (uintptr_t)block))
					break;
				promcb_add_owned(buckets + promcb_bucket3(latency_ns), 1);
				promcb_store_relaxed(samples + slot, promcb_sample(latency_ns, true, now_ns));
				sum_ns += latency_ns;
			}
			/* [RECALL] acquire: with a block that is gone comes the mark. */
			if (done > begun && (promcb_load_acquire(&entry->block) == (uintptr_t)block ||
					     promcb_load_relaxed(&entry->ring) == PROMCB_ENTRY_RECALLED)) {
				promcb_add_owned(&block->latency_sum_ns[0], sum_ns);
				promcb_store_relaxed(&block->head, promcb_head(now_ns, position));
			}
			promcb_thread_set_busy(0);
			if (done == count)
				return;
		}
		promcb_record_slow(component, latencies_ns[done++], success, now_ns);
	}
}

static inline void promcb_record_inline(struct promcb_component *component, uint64_t latency_ns, bool success)
{
#ifdef CLOCK_MONOTONIC_COARSE
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	promcb_record_at_inline(component, latency_ns, success,
				(uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec);
#else
	/* With -std=c11 and the like <time.h> has no clock_gettime() but with _POSIX_C_SOURCE or _GNU_SOURCE. */
	promcb_record(component, latency_ns, success);
#endif
}

#ifdef __cplusplus
}
#endif
#pragma GCC visibility pop

#endif
