#!/bin/bash
# SPDX-License-Identifier: MIT
# The library with musl: built by its compiler, in static programs, and opened by dlopen() in one that is linked
# dynamically, where threads' words cannot lie at a fixed distance. All is counted, over threads, forks and SIGKILL; and
# the stress programs hold there. Left out: those that need other libraries, torture_lives, which measures how many
# addresses glibc takes, and torture_vfork, since Debian's musl has no close_range().
. "$(dirname "$0")/tools_prelude.sh"
for program in musl-gcc meson ninja readelf; do
  command -v $program >/dev/null || { echo "$program is not installed"; exit 77; }
done
libraries=/usr/lib/$(gcc -print-multiarch)
[ -e "$libraries/libck.a" ] || { echo "there is no static libck"; exit 77; }
quiet() {
  "$@" >"$scratch/out" 2>&1 </dev/null || fail "$*: $(tail -n 20 "$scratch/out")"
}
# The kernel's headers and libck's are where glibc's are.
musl="musl-gcc -idirafter /usr/include -idirafter /usr/include/$(gcc -print-multiarch)"
CC=$musl quiet meson setup "$scratch/build" "$PROMCB_SOURCE" -Dtests=false -Dtools=false -Dsidecar=false \
  -Dpython=disabled -Dwerror=true -Dbuildtype=release
quiet ninja -C "$scratch/build"
library=$scratch/build/lib/libpromcb.so.0
readelf -d "$library" >"$scratch/dynamic" || fail readelf
matches -q STATIC_TLS "$scratch/dynamic" && fail "musl cannot load it: its words want a fixed distance"

# -- dlopen() ---------------------------------------------------------------------------------------------------------
cat >"$scratch/host.c" <<'C'
#include <promcb/promcb.h>

#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CHILDREN = 3, THREADS = 4, CALLS = 100000 };

static struct promcb_component *component;
static void (*record)(struct promcb_component *component, uint64_t latency_ns, bool success);

static void *record_all(void *argument)
{
	for (int i = 0; i < CALLS; i++)
		record(component, 1000, i % 10 != 0);
	return argument;
}

int main(int count, char **arguments)
{
	void *library = count > 1 ? dlopen(arguments[1], RTLD_NOW) : NULL;
	struct promcb_session *(*by_default)(void);
	int (*made)(struct promcb_session *, const char *, struct promcb_component **);

	if (!library)
		return puts(dlerror()), 1;
	*(void **)&record = dlsym(library, "promcb_record");
	*(void **)&by_default = dlsym(library, "promcb_default");
	*(void **)&made = dlsym(library, "promcb_component");
	if (made(by_default(), "dlopen", &component) < 0)
		return puts("no component"), 1;
	for (int child = 0; child < CHILDREN; child++)
		if (fork() == 0) {
			pthread_t threads[THREADS];

			for (int i = 0; i < THREADS; i++)
				pthread_create(&threads[i], NULL, record_all, NULL);
			for (int i = 0; i < THREADS; i++)
				pthread_join(threads[i], NULL);
			kill(getpid(), SIGKILL);
		}
	while (wait(NULL) > 0)
		continue;
	record_all(NULL);
	return 0;
}
C
quiet $musl -O2 -Wall -Werror -I"$PROMCB_SOURCE/include" -o "$scratch/host" "$scratch/host.c"
LD_LIBRARY_PATH=$libraries quiet "$scratch/host" "$library"
has 'circuit_breaker_calls_total{component="dlopen"} 1300000'
has 'circuit_breaker_failures_total{component="dlopen"} 130000'

# -- Static programs --------------------------------------------------------------------------------------------------
export PROMCB_STRESS_SCALE=0.05 PROMCB_STRESS_SECONDS=2
for program in edges fork gauges hosts kill moves processes random remove sandbox series threads totals; do
  quiet $musl -O2 -std=gnu11 -D_GNU_SOURCE -I"$PROMCB_SOURCE/lib" -I"$PROMCB_SOURCE/include" -static \
    -o "$scratch/program" "$PROMCB_SOURCE/tests/stress/torture_$program.c" "$scratch/build/lib/libpromcb.a" \
    "$libraries/libck.a"
  timeout 200 "$scratch/program" >"$scratch/out" 2>&1
  status=$?
  [ $status = 0 ] || [ $status = 77 ] || fail "torture_$program: status $status: $(tail -n 5 "$scratch/out")"
done
exit 0
