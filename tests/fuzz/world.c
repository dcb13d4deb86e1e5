/* SPDX-License-Identifier: MIT */
/* Here they are the kernel's. */
#undef mmap
#undef munmap
#undef pthread_sigmask
#include "world.h"

#include <promcb/atomic.h>

#include <signal.h>
#include <string.h>
#include <sys/mman.h>

/* Far from zero, so that differences of stamps do not wrap by themselves; a day of uptime in 2023. */
#define MONOTONIC_BEGIN_NS ((uint64_t)86400 * 1000000000)
#define REALTIME_AHEAD_NS ((uint64_t)1700000000 * 1000000000)

enum { GUARD_BYTES = 1 << 20, PAGE_BYTES = 4096 };

/* Several threads look at them. */
static uint64_t passed_ns, step_now_ns, random_state;

void fuzz_world_begin(uint64_t step_ns)
{
	promcb_store_relaxed(&passed_ns, 0);
	promcb_store_relaxed(&step_now_ns, step_ns);
	fuzz_world_seed(0);
}

void fuzz_world_pass(uint64_t ns)
{
	promcb_add_relaxed(&passed_ns, ns);
}

void fuzz_world_seed(uint64_t seed)
{
	promcb_store_relaxed(&random_state, seed * 0x9E3779B97F4A7C15u + 1);
}

int fuzz_clock_gettime(clockid_t id, struct timespec *out)
{
	uint64_t now_ns = MONOTONIC_BEGIN_NS + promcb_add_relaxed(&passed_ns, promcb_load_relaxed(&step_now_ns));

	if (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)
		now_ns += REALTIME_AHEAD_NS;
	*out = (struct timespec){.tv_sec = (time_t)(now_ns / 1000000000), .tv_nsec = (long)(now_ns % 1000000000)};
	return 0;
}

ssize_t fuzz_getrandom(void *bytes, size_t length, unsigned flags)
{
	(void)flags;
	for (size_t i = 0; i < length; i += sizeof(uint64_t)) {
		uint64_t word = promcb_add_relaxed(&random_state, 0x9E3779B97F4A7C15u);

		word = (word ^ word >> 30) * 0xBF58476D1CE4E5B9u;
		word ^= word >> 27;
		memcpy((uint8_t *)bytes + i, &word, length - i < sizeof(word) ? length - i : sizeof(word));
	}
	return (ssize_t)length;
}

static size_t whole_pages(size_t bytes)
{
	return (bytes + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
}

void *fuzz_mmap(void *address, size_t bytes, int protection, int flags, int fd, off_t off)
{
	size_t around = whole_pages(bytes) + 2 * (size_t)GUARD_BYTES;
	uint8_t *area;
	void *inner;

	if (address)
		return mmap(address, bytes, protection, flags, fd, off);
	area = mmap(NULL, around, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (area == MAP_FAILED)
		return MAP_FAILED;
	inner = mmap(area + GUARD_BYTES, bytes, protection, flags | MAP_FIXED, fd, off);
	if (inner == MAP_FAILED)
		munmap(area, around);
	return inner;
}

int fuzz_munmap(void *address, size_t bytes)
{
	return munmap((uint8_t *)address - GUARD_BYTES, whole_pages(bytes) + 2 * (size_t)GUARD_BYTES);
}

int fuzz_sigmask(int how, const sigset_t *set, sigset_t *before)
{
	static const int open[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP, SIGALRM};
	sigset_t ours = *set;

	for (size_t i = 0; i < sizeof(open) / sizeof(open[0]); i++)
		sigdelset(&ours, open[i]);
	return pthread_sigmask(how, &ours, before);
}
