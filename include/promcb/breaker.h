/* SPDX-License-Identifier: MIT */
/*
 * breaker.h: one circuit breaker for all threads and processes of a service.
 *
 *     struct promcb_breaker *payments;
 *     struct promcb_token call;
 *
 *     promcb_breaker(component, &(struct promcb_policy){.failure_permille = 500}, &payments);
 *     if (promcb_begin(payments, &call)) {
 *             int result = charge();
 *             promcb_end(payments, &call, result < 0 ? PROMCB_FAILURE : PROMCB_SUCCESS);
 *     } else {
 *             fall_back();
 *     }
 *
 * A breaker belongs to a component, and so does its state, which all processes share. While it is closed, calls go
 * through, at the cost of a record and two nanoseconds. When too many fail it opens: calls are refused, in every
 * process, at once. After a time some are let through as probes; if these succeed it closes, else it stays open for
 * longer. What was let through is recorded as by promcb_record_at(); what was refused is counted apart, and is no
 * failure. promcb_reset() leaves what a breaker counts as it is.
 *
 * It opens when, of the calls that ended in the window, min_calls or more, failure_permille of 1,000 failed, or
 * slow_permille took longer than slow_ns; or when consecutive calls failed in a row, whoever made them. The window is
 * between window_ms and 9/8 of it long. Only calls that fail or are slow look whether it is time to open, and at most
 * every hundredth of the window, or 10 ms. It begins anew with the eighth after the one in which the breaker closes,
 * and where a policy with another window is put in force: until the eighths of the old one that are under way have
 * ended, and one of the new, nobody opens it by rate. A component without a breaker is as if there were none.
 *
 * While half-open, at most probes calls are under way in all processes. Each holds a permit, a lease that ends after
 * lease_ms: whoever hangs with one keeps the others out no longer than that. The lease of a process that died ends
 * within milliseconds: who finds all permits leased asks the kernel, at most each 4 ms, whether their holders' lanes
 * are locked still; but not that of a thread that had no lane. So may that of a thread that ended before its call did.
 * A probe that ends when another has its permit has no say. A policy that makes the lease shorter ends those that are
 * longer.
 *
 * Of what was let through and has not ended, exporters tell how much is in flight, and how much died with its process
 * or thread. A policy with failure_permille = PROMCB_POLICY_OFF, and nothing else that opens, is for these alone: it
 * lets all calls through.
 *
 * Shared are the processes of one segment, so of one host: they see the same network. Hosts stay independent.
 *
 * Concurrency (T any thread; S also from a signal handler, first use included) and progress
 *      promcb_breaker                                  T    blocking (this process; -EBUSY while another resets)
 *      promcb_allow, promcb_begin                      T S  wait-free while closed, once the thread has used the
 *      promcb_done_at, promcb_end                           breaker in the present segment; else lock-free, and so
 *                                                           is the end of a failure if consecutive counts
 *      all others                                      T S  lock-free, likewise
 *
 * fork: the child of a process in the middle of a call has no part in it: to end it there does nothing.
 *
 * A call may end in another thread than it began in. Where that has ended, and another process has its lane by then,
 * the call is one of those that died, and to end it does nothing.
 */
#ifndef PROMCB_BREAKER_H
#define PROMCB_BREAKER_H

#include <promcb/promcb.h>

#pragma GCC visibility push(default)
#ifdef __cplusplus
extern "C" {
#endif

struct promcb_breaker; /* valid until the process ends */

/* What became of a call. All but the first and the last are failures, told apart in what is exported. */
enum promcb_call_outcome {
	PROMCB_SUCCESS = 0,
	PROMCB_FAILURE = 1,             /* none of the following */
	PROMCB_TIMEOUT = 2,
	PROMCB_CONNECT = 3,             /* no connection could be made */
	PROMCB_RESET = 4,               /* the connection broke */
	PROMCB_OVERLOAD = 5,            /* the other side said that it has too much to do: HTTP 429, 503 */
	PROMCB_PROTOCOL = 6,            /* the answer made no sense */
	PROMCB_APPLICATION = 7,         /* the answer says that it failed */
	PROMCB_IGNORED = 8,             /* says nothing of the component: cancelled, a fault of the caller's own */
};
#define PROMCB_CALL_OUTCOMES 9

/* What decides. */
enum promcb_mode {
	PROMCB_MODE_AUTOMATIC = 0,      /* the policy */
	PROMCB_MODE_OPEN = 1,           /* refuses all */
	PROMCB_MODE_CLOSED = 2,         /* lets all through */
	PROMCB_MODE_SHADOW = 3,         /* the policy, but lets all through and counts what it would have refused */
};
#define PROMCB_MODES 4

/* Of a field of a policy: not at all. */
#define PROMCB_POLICY_OFF UINT32_MAX

/*
 * promcb_policy.flags: an operator's: it takes the place of any, whatever its version, and stays until somebody gives
 * one of a higher version. Those who give another of the same version are not told.
 */
#define PROMCB_POLICY_ANYWAY 1u

/* Zero every field and set what should differ: zero means the default. */
struct promcb_policy {
	uint32_t version;               /* of the policy, the application's: the highest that was given counts */
	uint32_t window_ms;             /* 100 to 3,600,000; default 10,000 */
	uint32_t min_calls;             /* to 1,000,000; default 20 */
	uint32_t failure_permille;      /* 1 to 1,000, or off; default 500 */
	uint32_t slow_permille;         /* 1 to 1,000; default off */
	uint32_t consecutive;           /* failures in a row, to 65,535; default off */
	uint64_t slow_ns;               /* longer is slow; needed by slow_permille. To PROMCB_LATENCY_MAX_NS */
	uint32_t open_ms;               /* how long it stays open at first, 1 to 86,400,000; default 5,000 */
	uint32_t open_max_ms;           /* twice as long each time that the probes fail, and at most this; default
					   60,000, or open_ms if that is longer */
	uint32_t jitter_percent;        /* shorter or longer by up to this, 1 to 50, or off; default 10 */
	uint32_t probes;                /* at a time, 1 to 8; default 3 */
	uint32_t successes;             /* of probes that close it, 1 to 255; default as probes */
	uint32_t failures;              /* of probes that open it again, 1 to 255; default 1 */
	uint32_t lease_ms;              /* how long a probe may take, 1 to 86,400,000; default 10,000 */
	uint32_t mode;                  /* enum promcb_mode */
	struct promcb_message *message; /* filled when the call fails */
	uint64_t flags;                 /* PROMCB_POLICY_..., or zero */
	uint64_t reserved[3];           /* zero */
};

/* One call. On the caller's stack, filled by promcb_allow(). */
struct promcb_token {
	uint64_t row;
	uint64_t state;
	uint64_t permit;
	uint64_t start;                 /* of promcb_begin() */
};

/*
 * The breaker of a component. policy: NULL: the one that is in force, or, until somebody gives one, the default. One of
 * a higher version than what is in force takes its place, for all processes, and the state stays; one of a lower
 * version changes nothing: so a rolling deployment does not flap. What a process has given it gives to the next segment
 * as well, where this one is removed or made anew, with its first call there; the state begins as closed. out: always
 * set to a usable handle, even on error: then to the breaker as it is in the segment, or, where there is none, to one
 * that lets all calls through and records them.
 * Returns 0, or -errno: -EINVAL (a field out of range), -EEXIST (another policy of the same version is in force: the
 * message says both), -ENOSPC (no room), -EBUSY (another process is changing a policy, or resetting), -EMFILE, -ENOMEM.
 * Thread-safe.
 */
#ifndef __cplusplus
int promcb_breaker(struct promcb_component *component, const struct promcb_policy *policy, struct promcb_breaker **out);
#else
/* As promcb_component(): a function would hide the struct of its name. */
int promcb_breaker_get(struct promcb_component *component, const struct promcb_policy *policy,
		       struct promcb_breaker **out) __asm__("promcb_breaker");
#define promcb_breaker(...) promcb_breaker_get(__VA_ARGS__)
#endif

/*
 * Asks whether a call may be made. If so, token is to be given to promcb_done_at() or promcb_end(), once; else nothing
 * is to be ended. Thread-safe. Async-signal-safe.
 */
bool promcb_allow(struct promcb_breaker *breaker, struct promcb_token *token);

/*
 * Ends a call that was allowed, and records it; one that is ignored is not recorded. latency_ns, now_ns: as of
 * promcb_record_at(). Thread-safe. Async-signal-safe.
 */
void promcb_done_at(struct promcb_breaker *breaker, struct promcb_token *token, uint64_t latency_ns,
		    enum promcb_call_outcome outcome, uint64_t now_ns);

/* The same, measured from one to the other by the clock of promcb_start(). Thread-safe. Async-signal-safe. */
bool promcb_begin(struct promcb_breaker *breaker, struct promcb_token *token);
void promcb_end(struct promcb_breaker *breaker, struct promcb_token *token, enum promcb_call_outcome outcome);

/*
 * Nanoseconds until a call may be let through: 0 where one may be now, or nothing is known. Thread-safe.
 * Async-signal-safe.
 */
uint64_t promcb_retry_after(struct promcb_breaker *breaker);

/*
 * What decides from now on, whatever the policy says, in all processes; PROMCB_MODE_AUTOMATIC: the policy again.
 * Returns 0, or -errno: -EINVAL, -ENOENT (the segment is closed, away, or without room for the breaker: nothing was
 * changed). Thread-safe. Async-signal-safe.
 */
int promcb_breaker_force(struct promcb_breaker *breaker, enum promcb_mode mode);

/*
 * Opens the breaker now, for at_least_ns (at most an hour), or for as long as its policy says if that is longer: "429,
 * Retry-After: 30". Returns 0, or -ENOENT as above. Thread-safe. Async-signal-safe.
 */
int promcb_breaker_trip(struct promcb_breaker *breaker, uint64_t at_least_ns);

/* Closes the breaker now, and forgets the window. Returns 0, or -ENOENT as above. Thread-safe. Async-signal-safe. */
int promcb_breaker_reset(struct promcb_breaker *breaker);

/* A call that ends with its block: PROMCB_CALL(). */
struct promcb_scoped_call {
	struct promcb_breaker *breaker;
	struct promcb_token token;
	bool allowed;                   /* false: the call may not be made, and nothing is reported */
	enum promcb_call_outcome outcome;
};

#ifndef __cplusplus
/*
 * A call that ends with its block, however that is left: by its end, return, break, continue or goto. What it counts as
 * is its outcome: PROMCB_FAILURE until it is set, so an early return is a failure, and success is to be said.
 *
 *     PROMCB_CALL(call, payments);
 *
 *     if (!call.allowed)
 *             return fall_back();
 *     if (charge() < 0)
 *             return -1;
 *     call.outcome = PROMCB_SUCCESS;
 *     return 0;
 *
 * A block that is left by longjmp(), or by a thread's end without -fexceptions, reports nothing: then the call is one
 * of those that died. No label or case of the block that follows may be jumped to from before. C++ has promcb::Call.
 */
#define PROMCB_CALL(name, breaker)                                                            \
	__attribute__((__cleanup__(promcb_scoped_call_end))) struct promcb_scoped_call name = \
		promcb_scoped_call_begin(breaker)

static inline struct promcb_scoped_call promcb_scoped_call_begin(struct promcb_breaker *breaker)
{
	struct promcb_scoped_call scope;

	scope.breaker = breaker;
	scope.outcome = PROMCB_FAILURE;
	scope.allowed = promcb_begin(breaker, &scope.token);
	return scope;
}

static inline void promcb_scoped_call_end(struct promcb_scoped_call *scope)
{
	if (scope->allowed)
		promcb_end(scope->breaker, &scope->token, scope->outcome);
}
#endif

/* "success", "failure" ...; NULL for none. Thread-safe. Async-signal-safe. */
const char *promcb_outcome_name(enum promcb_call_outcome outcome);

/* "automatic", "open", "closed", "shadow"; NULL for none. Thread-safe. Async-signal-safe. */
const char *promcb_mode_name(enum promcb_mode mode);

#ifdef __cplusplus
}
#endif
#pragma GCC visibility pop

#endif
