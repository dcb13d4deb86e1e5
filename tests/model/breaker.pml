/* SPDX-License-Identifier: MIT */
/*
 * breaker.pml: a breaker opens, lets a probe through, and closes, while those who call through it hang, are overtaken
 * and die at every step. [BREAK] [PERMIT]
 *
 * Covers episode.c (change, open, close, until, count, is_decided, permits: take, give, reap), guard.c (judge,
 * end_probe, end_call), lane.c (move_in: taken) and lock.c (promcb_lock_is_free). A caller who may die at every
 * step and hang in a call, and his successor in the same lane, who may, too; another who may not, and who calls on when
 * they are gone. One permit, one probe decides; time passes between any two steps, and a call keeps what it began at.
 *
 * Invariants
 *   - A permit in a living hand, whose lease is not over, is neither taken nor ended by another.
 *   - A probe counts once, in its own episode, and not after it lost its permit. What decides an episode is what its
 *     probes were: no fewer good ones close it, nor bad ones open it, than the policy says.
 *   - No word is brought back to an earlier episode.
 *   - Once the others are dead, have ended, or hang, a call gets through after a bounded number of refusals, each a
 *     moment later; and as calls succeed, it closes.
 *
 * Every word is changed by compare and exchange, each of which releases and acquires, so memory is as strong here as it
 * is for them. Does not cover: the window and consecutive failures, modes, several permits, trips and resets by hand.
 *
 * Mutations: M_UNTIL_STORE, M_NO_RECHECK, M_NO_SETTLE, M_SINCE_STORE, M_PERMIT_STORE, M_GIVE_STORE, M_NO_LEASE,
 * M_REAP_STORE, M_REAP_EARLY, M_LATE_COUNTS, M_ANY_EPISODE, M_RESULT_STORE, M_RESULT_ANY
 */
#define CLOSED 0
#define OPEN 1
#define HALF_OPEN 2
#define SUCCESSES 1
#define FAILURES 1
#define TICKS 1
#define PATIENCE 9
#define TAGS 16
#define LANES 2

/* The state: 2 bits, below its tag. A deadline, since: the tag above 4 bits of time. Results: above bad and good. */
#define STATE(word) ((word)&3)
#define TAG(word) ((word) >> 2)
#define CHANGED(word, to) ((TAG(word) + 1) << 2 | (to))
#define TIMED(tag, ms) ((tag) << 4 | (ms))
#define TIMED_TAG(word) ((word) >> 4)
#define TIMED_MS(word) ((word)&15)
#define BAD(word) ((word) >> 2 & 3)
#define GOOD(word) ((word)&3)

/* A permit: when its lease ends, lane + 1, taken, and the tag. */
#define PERMIT(ms, lane, taken, tag) ((ms) << 8 | ((lane) + 1) << 6 | (taken) << 4 | ((tag)&15))
#define PERMIT_MS(word) ((word) >> 8)
#define PERMIT_LANE(word) (((word) >> 6 & 3) - 1)
#define PERMIT_TAKEN(word) ((word) >> 4 & 3)
#define PERMIT_ENDED(word) ((word)&255)

byte now, state;
short until, result, since, permit;
bool locked[LANES];
byte taken[LANES], gone;

/* Which lane's living owner holds the permit, + 1; what became of an episode's probes. Known to nobody. */
byte holder, good_of[TAGS], bad_of[TAGS];

/* A step of who is mortal may be its last. What follows it of its own alone is part of it. */
#define STEP(what)             \
	if                     \
	:: mortal -> goto dead \
	:: d_step { what }     \
	fi

#define SWAP(word, expected, desired) \
	ok = ((word) == (expected));  \
	if                            \
	:: ok -> word = (desired)     \
	:: else                       \
	fi

#define DECIDED(r, w) (TIMED_TAG(r) == TAG(w) && (BAD(r) >= FAILURES || GOOD(r) >= SUCCESSES))

/* Nobody else lives by it. */
#define NOT_ANOTHERS(word) assert(holder == 0 || holder == lane + 1 || now >= PERMIT_MS(word))

proctype caller(byte lane; byte calls; bool mortal)
{
	byte w, seen, patience;
	short u, r, mine;
	bool has, ok, asking, reaped, bad, ignored, well;

	/* lock.c: promcb_lock_take(), lane.c: move_in() */
end:
	atomic { !locked[lane] -> locked[lane] = true };
	STEP(taken[lane] = (taken[lane] + 1) & 3);
again:
	atomic {
		w = 0; u = 0; r = 0; mine = 0; has = false; ok = false; reaped = false; bad = false; ignored = false;
		asking = true;
		if
		:: calls > 0 -> calls--
		:: calls == 0 && mortal -> goto over
		:: calls == 0 && !mortal && gone == 2 ->
			well = true;
			if
			:: STATE(state) == CLOSED -> goto over
			:: else -> assert(patience < PATIENCE); patience++
			fi
		fi;
		seen = now
	}

	/* guard.c: judge() */
ask:
	atomic {
		STEP(w = state);
		if
		:: STATE(w) == CLOSED -> goto call
		:: STATE(w) == OPEN -> goto settle
		:: STATE(w) == HALF_OPEN
		fi
	}
	/* promcb_episode_is_decided(), for whoever died. */
	atomic {
		STEP(r = result);
		if
		:: DECIDED(r, w) -> goto decide
		:: else -> r = 0
		fi
	}
	/* promcb_permit_take() */
	atomic {
		STEP(u = permit; mine = PERMIT(seen + 1, lane, taken[lane], TAG(w)));
		if
		:: u == mine -> goto reap
#ifndef M_NO_LEASE
		:: u != mine && PERMIT_MS(u) <= seen
#endif
		:: u != mine && (u == 0 || taken[PERMIT_LANE(u)] != PERMIT_TAKEN(u))
		:: else -> goto reap
		fi
	}
	atomic {
		STEP(
#ifdef M_PERMIT_STORE
			ok = true;
			permit = mine;
#else
			SWAP(permit, u, mine);
#endif
			if
			:: ok ->
				assert(holder == 0 || (u && now >= PERMIT_MS(u)));
				holder = lane + 1;
				has = true
			:: else
			fi;
			u = 0
		);
		if
		:: ok -> ok = false; goto call
		:: else
		fi
	}
	/* promcb_permits_reap(), if it is his turn. */
reap:
	atomic {
		if
		:: !reaped -> reaped = true
		:: goto refused
		fi;
#ifdef M_REAP_EARLY
		STEP(ok = !locked[1 - lane])
	}
	atomic {
#endif
		STEP(u = permit);
		if
		:: u == 0 || PERMIT_MS(u) <= seen || PERMIT_LANE(u) == lane -> goto refused
		:: else
		fi
	}
	atomic {
#ifndef M_REAP_EARLY
		STEP(ok = !locked[PERMIT_LANE(u)]);
#endif
		if
		:: ok -> ok = false
		:: else -> goto refused
		fi
	}
	atomic {
		STEP(
#ifdef M_REAP_STORE
			ok = true;
			permit = PERMIT_ENDED(u);
#else
			SWAP(permit, u, PERMIT_ENDED(u));
#endif
			if
			:: ok -> NOT_ANOTHERS(u); ok = false
			:: else
			fi;
			u = 0
		);
		goto ask
	}
refused:
	atomic {
		if
		:: well -> now++
		:: else
		fi;
		goto again
	}

	/* promcb_episode_until() */
settle:
	atomic {
		STEP(u = until);
		if
		:: TIMED_TAG(u) == TAG(w) && !asking -> goto again
		:: TIMED_TAG(u) == TAG(w) && asking && seen < TIMED_MS(u) -> goto refused
		:: TIMED_TAG(u) == TAG(w) && asking && seen >= TIMED_MS(u) -> u = 0
		:: TIMED_TAG(u) != TAG(w) -> goto unsettled
		fi
	}
	/* promcb_episode_change() */
	atomic {
		STEP(SWAP(state, w, CHANGED(w, HALF_OPEN)); ok = false);
		goto ask
	}
unsettled:
#ifdef M_NO_SETTLE
	if
	:: asking -> goto refused
	:: else
	fi;
#endif
#if !defined(M_NO_RECHECK) && !defined(M_UNTIL_STORE)
	atomic {
		STEP(ok = (TAG(state) == TAG(w)));
		if
		:: ok -> ok = false
		:: !ok && asking -> goto ask
		:: !ok && !asking -> goto again
		fi
	}
#endif
	atomic {
		STEP(
#ifdef M_UNTIL_STORE
			ok = true;
#else
			ok = (until == u);
#endif
			if
			:: ok ->
				assert(TIMED_TAG(until) <= TAG(w));
				until = TIMED(TAG(w), seen + 1)
			:: else
			fi;
			ok = false;
			u = 0
		);
		goto settle
	}

	/* The call, then guard.c: promcb_guard_end(). Who is mortal may hang in it for good. */
call:
	atomic {
		if
		:: true
		:: !well -> bad = true
		:: !well && has -> ignored = true
		:: mortal -> goto hung
		fi;
		if
		:: has
		:: !has && !bad -> goto again
		:: !has && bad -> goto end_call
		fi
	}
	/* end_probe() */
	atomic {
		STEP(
#ifdef M_GIVE_STORE
			ok = true;
			NOT_ANOTHERS(permit);
			permit = 0;
#else
			SWAP(permit, mine, 0);
#endif
			if
			:: holder == lane + 1 -> holder = 0
			:: else
			fi
		);
#ifndef M_LATE_COUNTS
		if
		:: ok
		:: else -> goto again
		fi
#endif
	}
	/* From now on has says whether it had its permit to the end. */
	atomic {
		STEP(has = ok; ok = (TAG(state) == TAG(w)); u = state);
		if
		:: ignored -> goto again
#ifndef M_ANY_EPISODE
		:: !ignored && !ok -> goto again
#endif
		:: else -> ok = false
		fi
	}
	/* promcb_episode_count() */
count:
	STEP(r = result);
	atomic {
		STEP(ok = (state == u));
		if
		:: !ok -> goto again
		:: else -> ok = false
		fi
	}
	atomic {
		STEP(
#ifdef M_RESULT_STORE
			ok = true;
#else
			ok = (result == r);
#endif
			if
			:: ok ->
				assert(TIMED_TAG(result) <= TAG(u));
#ifdef M_RESULT_ANY
				r = TIMED(TAG(u), TIMED_MS(r));
#else
				r = (TIMED_TAG(r) == TAG(u) -> r : TIMED(TAG(u), 0));
#endif
				r = (bad -> r + (BAD(r) < 3) * 4 : r + (GOOD(r) < 3));
				result = r;
				/* It had its permit to the end, and that was of this episode. */
				assert(has && TAG(u) == TAG(w) && (mine & 15) == TAG(u));
				bad_of[TAG(u)] = bad_of[TAG(u)] + bad;
				good_of[TAG(u)] = good_of[TAG(u)] + !bad;
				assert(BAD(r) == bad_of[TAG(u)] || BAD(r) == 3);
				assert(GOOD(r) == good_of[TAG(u)] || GOOD(r) == 3)
			:: else
			fi;
			r = 0
		);
		if
		:: ok -> ok = false
		:: else -> goto count
		fi;
		w = u; u = 0; mine = 0; has = false; bad = false; asking = false
	}
	atomic {
		STEP(r = result);
		if
		:: DECIDED(r, w)
		:: else -> goto again
		fi
	}
decide:
	atomic {
		if
		:: BAD(r) >= FAILURES -> r = 0; goto open
		:: else -> r = 0
		fi;
		/* promcb_episode_close() */
		STEP(u = since)
	}
	atomic {
		STEP(
			SWAP(state, w, CHANGED(w, CLOSED));
			if
			:: ok -> assert(good_of[TAG(w)] >= SUCCESSES); w = CHANGED(w, CLOSED)
			:: else
			fi
		);
		if
		:: ok -> ok = false
		:: !ok && asking -> u = 0; goto ask
		:: !ok && !asking -> goto again
		fi
	}
	atomic {
		STEP(
#ifdef M_SINCE_STORE
			ok = true;
#else
			ok = (since == u);
#endif
			if
			:: ok ->
				assert(TIMED_TAG(since) <= TAG(w));
				since = TIMED(TAG(w), 0)
			:: else
			fi;
			ok = false;
			u = 0
		);
		if
		:: asking -> goto ask
		:: else -> goto again
		fi
	}

	/* Of a policy that opens with the first failure. */
end_call:
	atomic {
		asking = false;
		STEP(ok = (TAG(state) == TAG(w)));
		if
		:: ok -> ok = false
		:: else -> goto again
		fi
	}
	/* promcb_episode_open() */
open:
	atomic {
		STEP(
			SWAP(state, w, CHANGED(w, OPEN));
			if
			:: ok -> assert(STATE(w) == CLOSED || bad_of[TAG(w)] >= FAILURES); w = CHANGED(w, OPEN)
			:: else
			fi
		);
		if
		:: ok -> ok = false; goto settle
		:: !ok && asking -> goto ask
		:: !ok && !asking -> goto again
		fi
	}

	/* It keeps its lane, so nobody follows. */
hung:
	atomic {
		gone = gone + (gone == 0 -> 2 : 1);
		goto out
	}
	/* The kernel drops the lock of the dead. */
dead:
over:
	atomic {
		holder = (holder == lane + 1 -> 0 : holder);
		locked[lane] = false;
		gone++
	}
out:
	atomic {
		w = 0; u = 0; r = 0; mine = 0; seen = 0; calls = 0; patience = 0;
		has = false; ok = false; asking = false; reaped = false; bad = false; ignored = false
	}
}

active proctype clock()
{
end:
	do
	:: atomic { now < TICKS -> now++ }
	od
}

init
{
	atomic {
		state = 1 << 2 | OPEN;
		run caller(0, 1, true);
		run caller(0, 1, true);
		run caller(1, 2, false)
	}
}
