/* SPDX-License-Identifier: MIT */
/*
 * Pairs, in one process: between threads and the handler
 *   [GUARD]  a range's end before its beginning, a new map before the mark goes, the mark before the zeros. A half-made
 *            range would be mistaken for a stranger's, and zeros for counts. A place that is used again has for a
 *            moment the beginning of one range and the end of another: who reads both looks at the beginning twice.
 */
#include "read/sigbus.h"

#include <promcb/atomic.h>
#include <promcb/reader.h>

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>

/* As many as the sidecar keeps readers of its most segments. Beyond, readers copy. */
enum { RANGES_MAX = 1024 };

/* begin 0: free. Changed by threads, read by the handler. */
static struct range {
	uint64_t taken;
	uint64_t begin;
	uint64_t end;
	uint64_t faulted;
} ranges[RANGES_MAX];

static struct sigaction before;
static uint64_t installed;

bool promcb_sigbus_add(struct promcb_sigbus *guard, void *base, size_t bytes)
{
	guard->number = 0;
	for (uint32_t i = 0; i < RANGES_MAX; i++)
		/* [GUARD] acquire: the range as its last owner left it, before it is filled anew. */
		if (promcb_cas_acq_rel(&ranges[i].taken, 0, 1)) {
			promcb_store_relaxed(&ranges[i].faulted, 0);
			/* [GUARD] release: who finds this end finds that the beginning of before is gone. */
			promcb_store_release(&ranges[i].end, (uintptr_t)base + bytes);
			/* [GUARD] release: the end before the beginning, which makes it a range. */
			promcb_store_release(&ranges[i].begin, (uintptr_t)base);
			guard->number = i + 1;
			return true;
		}
	return false;
}

void promcb_sigbus_remove(struct promcb_sigbus *guard)
{
	if (!guard->number)
		return;
	/* [GUARD] release: no range before it is free. */
	promcb_store_release(&ranges[guard->number - 1].begin, 0);
	promcb_store_release(&ranges[guard->number - 1].taken, 0);
	guard->number = 0;
}

bool promcb_sigbus_is_faulted(const struct promcb_sigbus *guard)
{
	/* [GUARD] acquire: the mark that the handler set. */
	return guard->number && promcb_load_acquire(&ranges[guard->number - 1].faulted);
}

void promcb_sigbus_remap(struct promcb_sigbus *guard)
{
	/* [GUARD] release: the new map before the range is whole again. */
	if (guard->number)
		promcb_store_release(&ranges[guard->number - 1].faulted, 0);
}

static void on_sigbus(int number, siginfo_t *info, void *context)
{
	uint64_t address = (uintptr_t)info->si_addr;

	(void)number;
	(void)context;
	for (uint32_t i = 0; i < RANGES_MAX; i++) {
		/* [GUARD] acquire: the beginning before the end, and the beginning again: both of one range. */
		uint64_t begin = promcb_load_acquire(&ranges[i].begin);
		uint64_t end = promcb_load_acquire(&ranges[i].end);

		if (!begin || address < begin || address >= end || promcb_load_relaxed(&ranges[i].begin) != begin)
			continue;
		/* [GUARD] release: marked before the zeros can be read. */
		promcb_store_release(&ranges[i].faulted, 1);
		/*
		 * The whole range at once, since what was read of it is thrown away. Page by page, a file whose data
		 * lies scattered would take a map for each, and a process may have 65,530; nor do maps of huge pages
		 * break up into small ones.
		 */
		if (mmap((void *)(uintptr_t)begin, end - begin, PROT_READ,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) != MAP_FAILED)
			return;
	}
	/* Not ours: the fault happens again under the handler of before. */
	sigaction(SIGBUS, &before, NULL);
}

int promcb_reader_catch_sigbus(void)
{
	struct sigaction action = {.sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO | SA_ONSTACK};

	/* [GUARD] once. */
	if (!promcb_cas_acq_rel(&installed, 0, 1))
		return 0;
	sigemptyset(&action.sa_mask);
	return sigaction(SIGBUS, &action, &before) < 0 ? -errno : 0;
}
