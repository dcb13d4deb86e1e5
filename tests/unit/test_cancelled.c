/* SPDX-License-Identifier: MIT */
/*
 * No call uses the heap while its thread can be cancelled: whoever is cancelled asynchronously in malloc(3) or free(3)
 * leaves the heap's lock held, and the next thread that wants memory waits for ever.
 */
#include "fixture.h"

#include <promcb/breaker.h>

#include <pthread.h>

#if defined(__GLIBC__) && defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__)
#define HEAP_IS_OURS 1

/* While the thread is in a call of promcb: how often it used the heap, and how often where it could be cancelled. */
static __thread bool is_inside;
static __thread unsigned uses, unguarded_uses;

/* The C library's own, under the names that its malloc(3) has beside it. */
extern void *__libc_malloc(size_t bytes);
extern void *__libc_calloc(size_t count, size_t bytes);
extern void *__libc_realloc(void *memory, size_t bytes);
extern void __libc_free(void *memory);

static void note(void)
{
	int state;

	if (!is_inside)
		return;
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
	pthread_setcancelstate(state, NULL);
	uses++;
	unguarded_uses += state != PTHREAD_CANCEL_DISABLE;
}

void *malloc(size_t bytes)
{
	note();
	return __libc_malloc(bytes);
}

void *calloc(size_t count, size_t bytes)
{
	note();
	return __libc_calloc(count, bytes);
}

void *realloc(void *memory, size_t bytes)
{
	note();
	return __libc_realloc(memory, bytes);
}

void free(void *memory)
{
	if (memory)
		note();
	__libc_free(memory);
}
#else
#define HEAP_IS_OURS 0
static bool is_inside;
static unsigned uses, unguarded_uses;
#endif

TestSuite(cancelled, .init = fixture_begin, .fini = fixture_end);

/* A call of promcb. heap: whether it is known to use the heap, so that the test looks at something. */
#define CALL(heap, call)                                                                                             \
	do {                                                                                                         \
		uses = unguarded_uses = 0;                                                                           \
		is_inside = true;                                                                                    \
		call;                                                                                                \
		is_inside = false;                                                                                   \
		cr_assert(uses || !(heap), "%s does not use the heap here", #call);                                  \
		cr_assert_eq(unguarded_uses, 0, "%s uses the heap %u times where it can be cancelled, of %u", #call, \
			     unguarded_uses, uses);                                                                  \
	} while (0)

static int take_bytes(void *context, const void *bytes, size_t length)
{
	(void)context;
	(void)bytes;
	(void)length;
	return 0;
}

static int look_at(void *context, const char *segment, bool usable)
{
	(void)context;
	(void)segment;
	(void)usable;
	return 0;
}

static void ignore(void *context, const char *sentence)
{
	(void)context;
	(void)sentence;
}

static void produce(void)
{
	const struct promcb_family_spec spec = {
		.name = "sent_total", .type = PROMCB_COUNTER, .labels = (const char *const[]){"peer", NULL}};
	const char *const values[] = {"a", NULL};
	struct promcb_metric_family *family, *found;
	struct promcb_family_spec *declared;
	struct promcb_component *component;
	struct promcb_session *p, *again;
	struct promcb_counter *counter;
	struct promcb_breaker *breaker;
	struct promcb_token token;
	uint64_t removed;

	CALL(true, promcb_open(fixture_segment, NULL, &p));
	CALL(true, promcb_open(fixture_segment, NULL, &again));
	CALL(false, promcb_close(again));
	CALL(false, promcb_component(p, "calls", &component));
	CALL(false, promcb_prepare(&component, 1));
	CALL(false, promcb_call(p, "by name", 0.001, true));
	CALL(true, promcb_family_register(p, &spec, &family));
	CALL(true, promcb_family_find(p, "sent_total", NULL, &found, &declared));
	free(declared);
	CALL(true, promcb_family_find(p, "sent_total", NULL, &found, NULL));
	CALL(false, promcb_counter_with(family, values, &counter));
	CALL(false, promcb_counter_add_with(family, values, 1));
	CALL(true, promcb_count_error(component, PROMCB_ERROR_TIMEOUT));
	CALL(true, promcb_breaker(component, NULL, &breaker));
	CALL(false, promcb_begin(breaker, &token));
	CALL(false, promcb_end(breaker, &token, PROMCB_SUCCESS));
	CALL(false, promcb_series_remove(family, values, NULL, 0));
	CALL(false, promcb_family_clear(family));
	CALL(false, promcb_series_remove_idle(p, 0, &removed));
	CALL(false, promcb_reset_all(p));
	promcb_counter_add(counter, 1);
}

static void consume(enum promcb_access access)
{
	struct promcb_reader_options options = {.access = access};
	struct promcb_snapshot *earlier, *later, *between;
	struct promcb_reader *reader;
	struct promcb_idle *idle;

	CALL(true, promcb_reader_open(fixture_segment, &options, &reader, NULL));
	CALL(false, promcb_reader_validate(reader));
	CALL(true, promcb_reader_snapshot(reader, NULL, &earlier, NULL));
	CALL(false, promcb_reader_refresh(reader, NULL));
	CALL(true, promcb_reader_snapshot(reader, NULL, &later, NULL));
	CALL(true, promcb_reader_check(reader, ignore, NULL));
	CALL(true, promcb_snapshot_difference(later, earlier, &between));
	CALL(true, idle = promcb_idle_new());
	CALL(true, promcb_snapshot_hide_idle(earlier, idle, 0));
	CALL(true, promcb_snapshot_hide_idle(later, idle, 0));
	CALL(true, promcb_idle_free(idle));
	for (unsigned format = PROMCB_FORMAT_TEXT; format <= PROMCB_FORMAT_METRICS; format++)
		CALL(true, promcb_render(later, (enum promcb_format)format, NULL, take_bytes, NULL));
	CALL(true, promcb_snapshot_free(between));
	CALL(true, promcb_snapshot_free(later));
	CALL(true, promcb_snapshot_free(earlier));
	CALL(true, promcb_reader_close(reader));
}

Test(cancelled, heap_is_used_where_no_thread_is_cancelled)
{
	if (!HEAP_IS_OURS)
		cr_skip_test("the heap is not this test's");
	produce();
	consume(PROMCB_ACCESS_COPY);
	consume(PROMCB_ACCESS_MAPPED);
	CALL(true, promcb_list(NULL, look_at, NULL));
	CALL(false, promcb_remove(fixture_segment, true, NULL));
	CALL(false, promcb_create(fixture_segment, NULL, NULL));
}
