/* SPDX-License-Identifier: MIT */
/*
 * atomic.h: the shared word, and the only code that names a memory order.
 *
 * Every word that another thread or process may read or write is touched through these functions alone. The order
 * is in the function's name, so that one search lists every ordering in use. Words are 64 or 32 bits wide and
 * aligned; there is no 128-bit access, which would fault on a read-only mapping.
 *
 * Includes nothing of promcb. Compiles as C11 and as C++11, and later, with gcc and clang.
 */
#ifndef PROMCB_ATOMIC_H
#define PROMCB_ATOMIC_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#if defined(__SANITIZE_THREAD__)
#define PROMCB_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define PROMCB_TSAN 1
#endif
#endif
#ifndef PROMCB_TSAN
#define PROMCB_TSAN 0
#endif

static inline uint64_t promcb_load_relaxed(const uint64_t *word)
{
	return __atomic_load_n(word, __ATOMIC_RELAXED);
}

static inline uint64_t promcb_load_acquire(const uint64_t *word)
{
	return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

static inline void promcb_store_relaxed(uint64_t *word, uint64_t value)
{
	__atomic_store_n(word, value, __ATOMIC_RELAXED);
}

static inline void promcb_store_release(uint64_t *word, uint64_t value)
{
	__atomic_store_n(word, value, __ATOMIC_RELEASE);
}

/* Adds for any number of writers. Returns the value before. */
static inline uint64_t promcb_add_relaxed(uint64_t *word, uint64_t value)
{
	return __atomic_fetch_add(word, value, __ATOMIC_RELAXED);
}

/* Replaces expected by desired. Success is acquire and release, failure acquire. */
static inline bool promcb_cas_acq_rel(uint64_t *word, uint64_t expected, uint64_t desired)
{
	return __atomic_compare_exchange_n(word, &expected, desired, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}

static inline uint32_t promcb_load32_relaxed(const uint32_t *word)
{
	return __atomic_load_n(word, __ATOMIC_RELAXED);
}

static inline uint32_t promcb_load32_acquire(const uint32_t *word)
{
	return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

static inline void promcb_store32_relaxed(uint32_t *word, uint32_t value)
{
	__atomic_store_n(word, value, __ATOMIC_RELAXED);
}

static inline void promcb_store32_release(uint32_t *word, uint32_t value)
{
	__atomic_store_n(word, value, __ATOMIC_RELEASE);
}

static inline bool promcb_cas32_acq_rel(uint32_t *word, uint32_t expected, uint32_t desired)
{
	return __atomic_compare_exchange_n(word, &expected, desired, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}

/* Pointers that threads of one process share. */
static inline void *promcb_load_pointer_relaxed(void *const *pointer)
{
	return __atomic_load_n(pointer, __ATOMIC_RELAXED);
}

static inline void *promcb_load_pointer_acquire(void *const *pointer)
{
	return __atomic_load_n(pointer, __ATOMIC_ACQUIRE);
}

static inline void promcb_store_pointer_release(void **pointer, void *value)
{
	__atomic_store_n(pointer, value, __ATOMIC_RELEASE);
}

/* Whether promcb_add_owned() is whole to a signal handler. 0 can be forced, to try the way of other machines on x86. */
#ifndef PROMCB_ADD_OWNED_IS_SIGNAL_ATOMIC
#if PROMCB_TSAN || defined(__x86_64__)
#define PROMCB_ADD_OWNED_IS_SIGNAL_ATOMIC 1
#else
#define PROMCB_ADD_OWNED_IS_SIGNAL_ATOMIC 0
#endif
#endif

/*
 * Adds to a word that only this thread writes, and its signal handlers.
 *
 * On x86 this is one un-prefixed add to memory: a handler runs before or after it, never inside, so nothing that the
 * handler adds is lost, and no other thread writes. Load, add and store as three instructions lost 60 % of what a
 * handler recorded. ThreadSanitizer cannot see inline assembly and is given the builtin. Other machines have no such
 * instruction: their record path keeps handlers out with a busy flag (inline.h) and this is a load and a store.
 */
static inline void promcb_add_owned(uint64_t *word, uint64_t value)
{
#if PROMCB_TSAN
	__atomic_fetch_add(word, value, __ATOMIC_RELAXED);
#elif PROMCB_ADD_OWNED_IS_SIGNAL_ATOMIC
	__asm__ __volatile__("addq %1, %0" : "+m"(*word) : "er"(value) : "cc");
#else
	__atomic_store_n(word, __atomic_load_n(word, __ATOMIC_RELAXED) + value, __ATOMIC_RELAXED);
#endif
}

/* Takes 1 away from a word of the thread's own. Returns whether it is below 0 now. A handler may come in between. */
static inline bool promcb_count_down(int64_t *word)
{
#if defined(__x86_64__) && !PROMCB_TSAN
	bool over;

	/* Compilers would load, subtract, store and test. */
	__asm__("subq $1, %0" : "+m"(*word), "=@ccs"(over));
	return over;
#else
	return --*word < 0;
#endif
}

static inline uint64_t promcb_double_bits(double value)
{
	uint64_t bits;

	memcpy(&bits, &value, sizeof(bits));
	return bits;
}

static inline double promcb_bits_double(uint64_t bits)
{
	double value;

	memcpy(&value, &bits, sizeof(value));
	return value;
}

/*
 * The same as promcb_add_owned() for a word that holds a double: on x86 an un-prefixed compare and exchange, again if a
 * handler came between, which costs a third of a locked one and loses nothing that a handler adds.
 */
static inline void promcb_add_double_owned(uint64_t *word, double value)
{
#if PROMCB_ADD_OWNED_IS_SIGNAL_ATOMIC && !PROMCB_TSAN
	uint64_t before = __atomic_load_n(word, __ATOMIC_RELAXED);
	bool done;

	do {
		uint64_t after = promcb_double_bits(promcb_bits_double(before) + value);

		__asm__ __volatile__("cmpxchgq %3, %1" : "+a"(before), "+m"(*word), "=@ccz"(done) : "r"(after));
	} while (!done);
#elif PROMCB_TSAN
	uint64_t before = __atomic_load_n(word, __ATOMIC_RELAXED);

	while (!__atomic_compare_exchange_n(word, &before, promcb_double_bits(promcb_bits_double(before) + value),
					    false, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
#else
	__atomic_store_n(word, promcb_double_bits(promcb_bits_double(__atomic_load_n(word, __ATOMIC_RELAXED)) + value),
			 __ATOMIC_RELAXED);
#endif
}

/* Replaces expected by desired, for any number of writers, or tells what is there instead. No order. */
static inline bool promcb_cas_relaxed(uint64_t *word, uint64_t *expected, uint64_t desired)
{
	return __atomic_compare_exchange_n(word, expected, desired, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
}

/* Adds to a double, for any number of writers. */
static inline void promcb_add_double_relaxed(uint64_t *word, double value)
{
	uint64_t before = promcb_load_relaxed(word);

	while (!promcb_cas_relaxed(word, &before, promcb_double_bits(promcb_bits_double(before) + value)))
		;
}

/* Loads from before it are done before loads that come after it. ThreadSanitizer knows no fences. */
static inline void promcb_load_fence(void)
{
#if !PROMCB_TSAN
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
#endif
}

/* Stores from before it are done before stores that come after it. */
static inline void promcb_store_fence(void)
{
#if PROMCB_TSAN
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
#else
	__atomic_thread_fence(__ATOMIC_RELEASE);
#endif
}

/* Keeps the compiler, and nothing else, from moving accesses across: between a thread and its own signal handlers. */
static inline void promcb_signal_fence(void)
{
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

#endif
