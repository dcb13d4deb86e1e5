/* SPDX-License-Identifier: MIT */
/*
 * world.h: the world as the library sees it while it is fuzzed, so that an input means the same in every run.
 *
 * May include: nothing of promcb. meson.build compiles the library a second time with getrandom(2), clock_gettime(2),
 * mmap(2), munmap(2) and pthread_sigmask(3) renamed to what is here.
 *
 * Invariants
 *   - Clocks begin at one moment with each input, and each look at one of them moves them by the step: no call waits
 *     for real time to pass, and what is bounded by time ends after a bounded number of looks.
 *   - Random bytes are a sequence that begins anew with each input.
 *   - The signals of faults, and of libFuzzer's clock, are never blocked: a fault would end the process without a word.
 *   - A mapping lies between two areas without access: who stores beside it dies.
 */
#ifndef PROMCB_FUZZ_WORLD_H
#define PROMCB_FUZZ_WORLD_H

#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

/* A new input: clocks and random bytes as at first; step_ns is what a look at a clock takes. */
void fuzz_world_begin(uint64_t step_ns);

/* Lets time go by. */
void fuzz_world_pass(uint64_t ns);

/* What the random bytes begin with from now on. */
void fuzz_world_seed(uint64_t seed);

int fuzz_clock_gettime(clockid_t id, struct timespec *out);
ssize_t fuzz_getrandom(void *bytes, size_t length, unsigned flags);
void *fuzz_mmap(void *address, size_t bytes, int protection, int flags, int fd, off_t off);
int fuzz_munmap(void *address, size_t bytes);
int fuzz_sigmask(int how, const sigset_t *set, sigset_t *before);

#endif
