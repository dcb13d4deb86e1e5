/* SPDX-License-Identifier: MIT */
/*
 * promcb.h: record the latency and the outcome of calls, per component, in shared memory.
 *
 *     #include <promcb/promcb.h>
 *
 *     int main(void)
 *     {
 *             struct promcb_session *metrics;
 *             struct promcb_component *payments;
 *
 *             if (promcb_open(NULL, NULL, &metrics) < 0)
 *                     return 1;
 *             promcb_component(metrics, "payment_api", &payments);
 *             for (int i = 0; i < 1000; i++) {
 *                     uint64_t start = promcb_start();
 *                     bool success = i % 10 != 0;            // the call itself goes here
 *                     promcb_stop(payments, start, success);
 *             }
 *             promcb_close(metrics);
 *             return 0;
 *     }
 *
 * Then "promcb-export" prints what was recorded, as Prometheus text, and goes on doing so after the program has ended.
 *
 * Caveats, before the calls
 *  - A segment is a file in memory. A process that may write it can spoil the numbers in it, and, by truncating it,
 *    kill its producers with SIGBUS. Keep it to one user or group (mode 0640 is the default).
 *  - fork: a child records immediately, in a lane of its own, without a call. A child that drops privileges after fork
 *    or after promcb_open keeps recording. Children made by clone() or _Fork() without exec record too, where the
 *    kernel has MADV_WIPEONFORK (Linux 4.14); before that they must exec. One that neither execs nor records keeps what
 *    its parent had open: until it ends, the lanes of a parent that died are not free to others, nor, if it was made in
 *    just that moment, is what a reset or a registration takes (-EBUSY). The child of vfork() may record and set
 *    states, more slowly, and nothing else of this. Children that share their parent's memory and run beside it,
 *    clone() with CLONE_VM and without CLONE_VFORK, must not record: both would use one thread's storage. Handlers of
 *    pthread_atfork() may call what a signal handler may, promcb_component() too. A lock that handlers take which were
 *    registered before the library was loaded, as where it comes by dlopen(), may be held in what a signal handler may
 *    call, but not in the calls that are marked T and blocking below: these wait for the fork, and it for the lock. So
 *    does the first call of this process, but for promcb_state(), of a component since its segment was replaced, and
 *    any while there is none: it looks the component up. If a signal handler forks while the interrupted
 *    thread is recording, the child completes that one record in the parent's lane, so the call may be counted twice;
 *    on aarch64, where adding takes more than one instruction, the child may also undo what its parent has counted in
 *    the same word since. A handler of a signal
 *    that promcb's own instructions or system calls raised (SIGSYS, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP) may fork
 *    only if its child executes or ends in the handler: the call that it interrupted does not go on in a child.
 *  - exec: the new program opens the segment again.
 *  - Crash: what was recorded stays, SIGKILL included; at most the one call being recorded is missing or without its
 *    sum.
 *  - Files: tmpfs (/dev/shm) and hugetlbfs. ext4 and xfs work, with stalls when the kernel writes back. Network, FUSE
 *    and copy-on-write filesystems are refused, since space cannot be reserved there.
 *  - Containers share a segment by a path on a shared tmpfs volume. Memory is charged to the cgroup that first
 *    touches it.
 *  - Locked memory: mlockall(MCL_CURRENT) fills what a segment has addresses for and no memory yet. Before
 *    promcb_open(), or with MCL_ONFAULT, it does not.
 *  - Removal: a producer finds out that its segment was removed, by rm, by promcb_remove() or by systemd-logind, which
 *    by RemoveIPC= clears /dev/shm of a login user whose last session ends; and goes on in a new segment of the name
 *    with its first call that comes a second after the removal, however seldom it calls. now_ns is what says so where
 *    the caller gives it: stamps that are behind CLOCK_MONOTONIC delay it by up to a ring's round of calls. Where no
 *    new segment can be made, calls are counted, and the next segment reports them: promcb_dropped_calls_total.
 *  - Machines: 64-bit, little-endian, with 64-bit pointers. Others are refused when a program is compiled.
 *  - Nothing here prints, aborts, raises a signal or waits for another process.
 *  - Cancellation: no call is a cancellation point, nor ended by asynchronous cancellation. What a call calls back
 *    (a renderer's write, say) runs with cancellation disabled.
 *  - Sandboxes: promcb(3) lists the system calls of each call. One that is refused costs lanes or space, never a count
 *    of a known component. SIGSYS, SIGSEGV, SIGBUS, SIGFPE, SIGILL and SIGTRAP are never blocked; their handlers may
 *    record, and must return to the call that they interrupted: no siglongjmp() out of promcb.
 *
 * Concurrency (T any thread; S also from a signal handler, first use included) and progress
 *      promcb_open, promcb_close, promcb_default       T    blocking (this process only)
 *      promcb_component, promcb_component_with         T    blocking (this process only)
 *      promcb_record, promcb_record_at                 T S  wait-free once a component was recorded by the thread in
 *                                                           the present segment
 *      promcb_record_many, promcb_record_outcome       T S  wait-free, as promcb_record
 *      promcb_start, promcb_stop, promcb_lap           T S  wait-free, as promcb_record
 *      promcb_start_coarse, promcb_stop_coarse         T S  wait-free, as promcb_record
 *      promcb_elapsed_ns                               T S  wait-free
 *      promcb_prepare                                  T    blocking (this process only)
 *      promcb_call                                     T    wait-free for a name seen before, as promcb_record
 *      promcb_count_log                                T S  wait-free, as promcb_record
 *      promcb_count_error, promcb_record_error         T    blocking with a component's first error (this process
 *                                                           only); then T S, wait-free
 *      promcb_set_state, promcb_count_bad_lines        T S  blocking (this process only)
 *      promcb_state                                    T S  wait-free once the thread has recorded in the component
 *      promcb_reset, promcb_reset_all                  T    blocking (this process; -EBUSY while another resets)
 *      promcb_strerror, promcb_state_name              T S  wait-free
 *      promcb_name_error, promcb_name_trim             T S  wait-free
 *      promcb_labels_error, promcb_name_labels         T S  wait-free
 *
 * Functions that can fail return 0, or a negative errno, which promcb_strerror() explains.
 *
 * Versions
 *   Programs that were built with a version run with each later one of the same soname. A minor version may add
 *   functions, enumerators, flags, and fields in place of `reserved` words; their zero means what was so before.
 *   So zero a struct that you fill. Words and flags that a version does not know must be zero: it refuses others with
 *   -EINVAL, rather than ignoring what was asked of it. Structs that the library fills have reserved words, too, which
 *   it zeroes. Nothing else about a struct changes, neither size nor offsets; nothing exported goes away or means
 *   something else; an enumerator that is not known is to be passed over. Whatever breaks this gets another soname.
 */
#ifndef PROMCB_PROMCB_H
#define PROMCB_PROMCB_H

/* A segment is shared, by processes and by copies of its file, and made of words that are updated in one access. */
#if !defined(__LP64__) || !defined(__BYTE_ORDER__) || __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "promcb needs a 64-bit little-endian machine (x86-64, aarch64, riscv64) and its 64-bit ABI"
#endif

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#pragma GCC visibility push(default)
#ifdef __cplusplus
extern "C" {
#endif

#define PROMCB_VERSION "0.1.0"

/* The longest component name, in bytes, without a terminating zero; and with labels, see promcb_component_with(). */
#define PROMCB_NAME_MAX 127
#define PROMCB_FULL_NAME_MAX 230

/* The most labels that a component can have. */
#define PROMCB_COMPONENT_LABELS_MAX 8

/* Latencies above this many nanoseconds (2^40, about 18 minutes) count as this many. */
#define PROMCB_LATENCY_MAX_NS ((uint64_t)1 << 40)

/* options.window_seconds: recent samples of any age. */
#define PROMCB_WINDOW_ANY UINT32_MAX

struct promcb_session;           /* one opened segment */
struct promcb_component; /* one named thing whose calls are counted; valid until the process ends */

enum promcb_state { PROMCB_CLOSED = 0, PROMCB_OPEN = 1, PROMCB_HALF_OPEN = 2 };
#define PROMCB_STATES 3

enum promcb_log_level { PROMCB_LOG_DEBUG = 0, PROMCB_LOG_INFO = 1, PROMCB_LOG_WARNING = 2, PROMCB_LOG_ERROR = 3 };
#define PROMCB_LOG_LEVELS 4

/* What calls fail of; "rejected" is no call: a breaker, a limit or a full queue said no. */
enum promcb_error_type {
	PROMCB_ERROR_TIMEOUT = 0,
	PROMCB_ERROR_REFUSED = 1,
	PROMCB_ERROR_RESET = 2,
	PROMCB_ERROR_REJECTED = 3,
	PROMCB_ERROR_INVALID = 4,
	PROMCB_ERROR_CANCELED = 5,
	PROMCB_ERROR_EXHAUSTED = 6,
	PROMCB_ERROR_OTHER = 7,
};
#define PROMCB_ERROR_TYPES 8

struct promcb_label {
	const char *name;
	const char *value; /* valid UTF-8; is escaped where a format wants it */
};

/* A sentence that says what was wrong, where, and what to do. Empty where nothing was. */
struct promcb_message {
	char text[512];
};

/*
 * How to create a segment, and how to open it. Zero every field (memset, or = {0}) and set what should differ: zero
 * means the default. All but message apply only if this call creates the segment; an existing one keeps its own.
 */
struct promcb_options {
	uint64_t max_bytes;             /* hard bound of the segment's size; default 32 MiB, at most 16 GiB */
	uint32_t components;            /* how many components fit; default 1,024, at most 65,000 */
	uint32_t lanes;                 /* how many threads record without contention; default 256, at most 1,024 */
	uint32_t recent_samples;        /* newest calls that quantiles cover; default 1,000, 32 to 65,536 */
	uint32_t window_seconds;        /* older samples do not count; default 600; PROMCB_WINDOW_ANY: all do */
	uint32_t schema;                /* of native histograms: 3 (4.5 % error), 4 (2.2 %), 5 (1.1 %); default 3 */
	uint32_t mode;                  /* permission bits; default 0640 */
	uint32_t owner;                 /* user id that is to own the segment; 0: the caller's */
	uint32_t group;                 /* group id, likewise */
	struct promcb_message *message; /* filled when the call fails, or when it succeeds with a warning */
	uint64_t reserved[4];           /* zero */
};

/*
 * Opens a segment, creating it if there is none.
 * segment: a POSIX shared-memory name ("/promcb", "promcb") or a path with a second slash ("/run/app/metrics");
 *   NULL: the environment's PROMCB_SEGMENT if it is not empty, else "/promcb". The caller keeps the string.
 * options: NULL for the defaults. out: an opened segment, to be closed once per open. Two opens of one segment in a
 * process share one attachment. Returns 0, or -errno: -EINVAL (an option or the name is out of range), -EACCES,
 * -ENOSPC (no space), -EPROTO (another format version), -EBADMSG (not a segment, or corrupt), -EOPNOTSUPP (a
 * filesystem that cannot reserve space), -EMFILE (descriptors, or 64 segments in this process), -ENOMEM.
 * Thread-safe.
 */
int promcb_open(const char *segment, const struct promcb_options *options, struct promcb_session **out);

/*
 * Gives the segment back. A record through a component after that is dropped without harm, by any thread. Where other
 * threads recorded in it, its memory stays mapped for some seconds: they may be in the middle of a record. p: may be
 * NULL. Thread-safe.
 */
void promcb_close(struct promcb_session *p);

/*
 * The segment named by PROMCB_SEGMENT, else "/promcb", opened at the first call and never closed.
 * Returns NULL with errno set if it cannot be opened; every function here takes that NULL and does nothing.
 * Thread-safe.
 */
struct promcb_session *promcb_default(void);

/*
 * Finds or registers a component. name: 1 to PROMCB_NAME_MAX bytes of UTF-8 without control bytes; the caller keeps
 * it. Blanks, a byte order mark or a zero-width space at its ends do not belong to it. Use fixed names: a route, not a
 * URL. out: always set to a usable handle, even on error: that of "_overflow" if the component cannot be registered,
 * otherwise a no-op handle. Handles are never freed.
 * Returns 0, or -errno: -EINVAL (the name), -ENOSPC (the table or the segment is full: "_overflow"), -EBUSY (no lane
 * was free and another process was registering), -EMFILE (65,535 handles in this process). Thread-safe.
 */
#ifndef __cplusplus
int promcb_component(struct promcb_session *p, const char *name, struct promcb_component **out);
#else
/*
 * In C++ a function hides the struct of its name, and "promcb_component *c" would be no declaration. So there it has
 * another name, with the same symbol behind it, and is called by the macro, which is one before "(" alone.
 */
int promcb_component_get(struct promcb_session *p, const char *name,
			 struct promcb_component **out) __asm__("promcb_component");
#define promcb_component(...) promcb_component_get(__VA_ARGS__)
#endif

/*
 * The same for a component with labels, which each of its series has: "db" with {"op", "read"} is another component
 * than "db" with {"op", "write"}, and than "db" alone. labels: count of them, at most PROMCB_COMPONENT_LABELS_MAX, in
 * any order; the caller keeps them. Their names are [a-zA-Z_][a-zA-Z0-9_]*, each one once, do not begin with "__", and
 * are none that promcb's series have: component, segment, state, level, type, quantile, le, job, instance. Their values
 * are UTF-8 without control bytes; one that is empty is as no label. In readers, in JSON and for promcb_reset() such a
 * component is called by its full name: db{op="read"}, labels sorted by name, " and \ in values behind a \. That has at
 * most PROMCB_FULL_NAME_MAX bytes.
 * out: as above; where the name or labels are against these rules, too, that of "_overflow", so that no call is lost.
 * Returns as above; promcb_labels_error() says what -EINVAL is about. Thread-safe.
 */
int promcb_component_with(struct promcb_session *p, const char *name, const struct promcb_label *labels, size_t count,
			  struct promcb_component **out);

/*
 * Readies the calling thread to record, for who cannot afford the first record that a thread makes of a component, nor
 * the one that its ring of recent calls grows with: takes a lane, makes the components' blocks and full rings, touches
 * their memory, and begins to measure the timer's clock. It records nothing. components: count of them. What it cannot
 * spare: the look at where the segment has gone, once a second, and what comes when it was replaced.
 * Returns 0, or -errno of the first component that is not ready, with all others readied: -ENOSPC (no lane is free, or
 * no space: its calls count, more slowly), -ENOENT (its segment is closed, or removed and cannot be made anew).
 * Thread-safe.
 */
int promcb_prepare(struct promcb_component *const *components, size_t count);

/*
 * Records one finished call.
 * latency_ns: nanoseconds; above PROMCB_LATENCY_MAX_NS it counts as that, and as saturated.
 * now_ns: the CLOCK_MONOTONIC of now, in nanoseconds; event loops keep one. A coarse one will do. One that is
 *   ahead, as CLOCK_REALTIME is, makes each call slower.
 * Thread-safe. Async-signal-safe.
 */
void promcb_record_at(struct promcb_component *component, uint64_t latency_ns, bool success, uint64_t now_ns);

/*
 * Records count finished calls of one component, outcome and stamp, for callers that have many together: a third
 * cheaper than one by one, from runs of 16 on. latencies_ns: count latencies, read once. If the process is killed
 * during this call, up to options.recent_samples calls may be counted without being added to the latency sum; no count
 * is lost. Thread-safe. Async-signal-safe.
 */
void promcb_record_many(struct promcb_component *component, const uint64_t *latencies_ns, size_t count, bool success,
			uint64_t now_ns);

/* As promcb_record_at(), stamped with CLOCK_MONOTONIC_COARSE. Thread-safe. Async-signal-safe. */
void promcb_record(struct promcb_component *component, uint64_t latency_ns, bool success);

/*
 * Records one finished call whose latency is not known, or whose latency says nothing of the service (a connection that
 * was held open for an hour): it counts as a call, as a success or a failure, and among the recent calls in their
 * failure rate; not in the histogram, the sum, the average and the quantiles. Stamped as promcb_record().
 * Thread-safe. Async-signal-safe.
 */
void promcb_record_outcome(struct promcb_component *component, bool success);

/*
 * Counts an error of a component by its type, in circuit_breaker_errors_total{component=...,type=...}: no call, which
 * is recorded apart, or there was none. A type that is none counts as PROMCB_ERROR_OTHER. promcb_reset() leaves errors
 * alone. Thread-safe; async-signal-safe once this process has counted an error of the component.
 */
void promcb_count_error(struct promcb_component *component, enum promcb_error_type type);

/* A failed call, as promcb_record() records it, and its error. Thread-safe; async-signal-safe as the last. */
void promcb_record_error(struct promcb_component *component, uint64_t latency_ns, enum promcb_error_type type);

/*
 * Returns a start token for promcb_stop(), valid in this process. Allocates nothing and need not be paired with a stop.
 * Thread-safe. Async-signal-safe.
 */
uint64_t promcb_start(void);

/*
 * Nanoseconds since promcb_start() gave the token, in the same process; 0 where the clock went backwards. Thread-safe.
 * Async-signal-safe.
 */
uint64_t promcb_elapsed_ns(uint64_t start);

/*
 * Records the call that started at the token. A clock that went backwards gives a latency of 0, and is counted.
 * Thread-safe. Async-signal-safe.
 */
void promcb_stop(struct promcb_component *component, uint64_t start, bool success);

/*
 * Records the call that started at the token as promcb_stop() does, and starts the next: returns its token, of the same
 * reading of the clock. For steps that follow one another, at half of the clock's price; no time is between two of
 * them, or in both. The last step ends with promcb_stop(), or its token is let go. Thread-safe. Async-signal-safe.
 */
uint64_t promcb_lap(struct promcb_component *component, uint64_t start, bool success);

/*
 * The same as promcb_start() and promcb_stop() by the kernel's tick, CLOCK_MONOTONIC_COARSE, at half their price, for
 * calls of many milliseconds: a latency is off by up to a tick (clock_getres(2); 4 ms on Debian, 1 to 10 elsewhere) in
 * either direction. Their sum, and so their average, is right over many calls; quantiles and histograms of calls that
 * take no more than some ticks are not. A call that began and ended in one tick took 1 ns. A coarse token may be given
 * to promcb_stop(), promcb_lap() and promcb_elapsed_ns(), not the other way round: that counts as a clock that went
 * backwards. Thread-safe. Async-signal-safe.
 */
uint64_t promcb_start_coarse(void);
void promcb_stop_coarse(struct promcb_component *component, uint64_t start, bool success);

/*
 * Records one call of a component by name, for callers that keep no handles. latency_seconds: 0 or more. Returns 0,
 * or -errno: -EINVAL (a negative, NaN or infinite latency, counted as rejected and not recorded; or the name), else
 * as promcb_component(). With -ENOSPC, -EBUSY and a name against the rules the call was recorded as "_overflow".
 * A name that the process has used before is found by its bytes, and fastest where it is in the same memory each time,
 * as a string literal is. The memory may be written anew with another name: bytes are compared. Thread-safe.
 */
int promcb_call(struct promcb_session *p, const char *name, double latency_seconds, bool success);

/*
 * Sets the component's circuit-breaker state. Setting the current state changes nothing.
 * Returns 0, or -EINVAL (no such state). Thread-safe. Async-signal-safe.
 */
int promcb_set_state(struct promcb_component *component, enum promcb_state state);

/*
 * The component's circuit-breaker state, as any process has set it last. PROMCB_CLOSED where none did,
 * and where nothing can be recorded. Without a lock and without a system call once the thread has recorded in the
 * component; before, as promcb_set_state(), but that it never waits for a fork. Thread-safe. Async-signal-safe.
 */
#ifndef __cplusplus
enum promcb_state promcb_state(struct promcb_component *component);
#else
/* As promcb_component(): a function would hide the enum of its name. */
enum promcb_state promcb_state_get(struct promcb_component *component) __asm__("promcb_state");
#define promcb_state(...) promcb_state_get(__VA_ARGS__)
#endif

/* Counts one log line of a level. A level that is none counts as an error. Thread-safe. Async-signal-safe. */
void promcb_count_log(struct promcb_component *component, enum promcb_log_level level);

/*
 * Counts lines of a log, or other pieces of input, from which no call could be read: promcb_bad_lines_total says how
 * many, so that a log whose format has changed is not taken for a service without calls. Thread-safe.
 * Async-signal-safe.
 */
void promcb_count_bad_lines(struct promcb_session *p, uint64_t count);

/*
 * Forgets what was recorded of a component, or of all, in every process. Its name stays, and so does its state. The
 * counts in the segment go on; readers subtract what stood at the reset. Returns 0, or -errno: -ENOENT (no such
 * component), -EBUSY (another process is resetting), -ENOSPC (no space to note the counts at the reset). Thread-safe.
 */
int promcb_reset(struct promcb_session *p, const char *name);
int promcb_reset_all(struct promcb_session *p);

/*
 * What an error of promcb means, as a phrase without a full stop. error: negative or positive. Thread-safe.
 * Async-signal-safe.
 */
const char *promcb_strerror(int error);

/* "closed", "open", "half_open"; NULL for no such state. Thread-safe. Async-signal-safe. */
const char *promcb_state_name(enum promcb_state state);

/* "timeout", "refused" and so on; NULL for no such type. Thread-safe. Async-signal-safe. */
const char *promcb_error_type_name(enum promcb_error_type type);

/* "debug", "info", "warning", "error"; NULL for no such level. Thread-safe. Async-signal-safe. */
const char *promcb_log_level_name(enum promcb_log_level level);

/*
 * What is wrong with a name of length bytes, as a phrase for a message, or NULL if a component may be called so: see
 * promcb_component(). Thread-safe. Async-signal-safe.
 */
const char *promcb_name_error(const char *name, size_t length);

/*
 * Strips from a name's ends what does not belong to it: blanks (space, tab, carriage return, line feed, and those of
 * Unicode, U+00A0 and U+3000 among them), the byte order mark, the zero-width space and the word joiner. All names that
 * promcb is given are stripped so. Thread-safe. Async-signal-safe.
 */
void promcb_name_trim(const char **name, size_t *length);

/*
 * What is wrong with a name and labels, as a phrase for a message, or NULL if a component may be called so: see
 * promcb_component_with(). Thread-safe. Async-signal-safe.
 */
const char *promcb_labels_error(const char *name, const struct promcb_label *labels, size_t count);

/*
 * Takes a text apart that people write for a component with labels, such as db{op="read", host="a"}: cuts it to the
 * name, and fills labels, room of them, with what points into the rest of it. The list is what goes on to the text's
 * end and is one by its form; it may have blanks, and a comma behind the last label. Whether names and values are
 * allowed is not looked at. Returns how many labels there are, which may be more than room. 0: the text is a name
 * without labels, whatever braces are in it, as those of "GET /users/{id}", or at its beginning; it is trimmed alone.
 * Not for names that strangers choose: they would choose labels. Thread-safe. Async-signal-safe.
 */
size_t promcb_name_labels(char *text, struct promcb_label *labels, size_t room);

/* The version of the library that runs, as PROMCB_VERSION. Thread-safe. Async-signal-safe. */
const char *promcb_version(void);

#ifdef __cplusplus
}
#endif
#pragma GCC visibility pop

#endif
