#!/bin/bash
# SPDX-License-Identifier: MIT
# A program under ThreadSanitizer that uses the library as it is installed, compiled without, is told of its own races
# alone, with the suppressions that are installed beside it.
. "${0%/*}/tools_prelude.sh"
command -v setarch >/dev/null || { echo "setarch is not installed"; exit 77; }
cat >"$scratch/program.c" <<'PROGRAM'
#include <promcb/promcb.h>
#include <promcb/reader.h>

#include <pthread.h>
#include <stdio.h>

static struct promcb_session *metrics;
static int own; /* a race, if it is asked for */
static int racing;

static void *record(void *argument)
{
	struct promcb_component *component;

	for (unsigned i = 0; i < 300; i++) {
		char name[32];

		/* Each name is registered by one thread and found by the others meanwhile. */
		snprintf(name, sizeof(name), "component %u", i * 7 % 200);
		promcb_component(metrics, name, &component);
		for (unsigned call = 0; call < 100; call++)
			promcb_record(component, 1000, call % 7 != 0);
		promcb_stop(component, promcb_start(), true);
		promcb_set_state(component, i % 2 ? PROMCB_OPEN : PROMCB_CLOSED);
		promcb_count_log(component, PROMCB_LOG_INFO);
	}
	if (racing)
		own++;
	return argument;
}

static void *look(void *argument)
{
	for (unsigned i = 0; i < 5; i++) {
		struct promcb_snapshot *snapshot;
		struct promcb_reader *reader;

		if (promcb_reader_open(NULL, NULL, &reader, NULL) < 0)
			continue;
		if (promcb_reader_snapshot(reader, NULL, &snapshot, NULL) == 0)
			promcb_snapshot_free(snapshot);
		promcb_reader_close(reader);
	}
	return argument;
}

int main(int argc, char **argv)
{
	pthread_t threads[9];

	(void)argv;
	racing = argc > 1;
	for (unsigned round = 0; round < 3; round++) {
		if (promcb_open(NULL, NULL, &metrics) < 0)
			return 1;
		for (unsigned i = 0; i < 9; i++)
			pthread_create(&threads[i], NULL, i < 8 ? record : look, NULL);
		for (unsigned i = 0; i < 9; i++)
			pthread_join(threads[i], NULL);
		promcb_reset_all(metrics);
		promcb_close(metrics);
	}
	return 0;
}
PROGRAM
cc -g -O1 -fsanitize=thread -I "$PROMCB_SOURCE/include" -o "$scratch/program" "$scratch/program.c" \
  -L"$PROMCB_BUILD/lib" -lpromcb -Wl,-rpath,"$PROMCB_BUILD/lib" 2>"$scratch/err" || {
  echo "the compiler has no ThreadSanitizer: $(tail -n 1 "$scratch/err")"
  exit 77
}
run() {
  TSAN_OPTIONS=suppressions=$PROMCB_SOURCE/lib/promcb.tsan.supp setarch -R "$scratch/program" "$@" >"$scratch/out" 2>&1
}
# Names that threads look up while another makes one, a table that is made again, growth: several runs, as it falls.
for _ in 1 2 3; do
  run || fail "$(head -n 40 "$scratch/out")"
  [ ! -s "$scratch/out" ] || fail "$(head -n 40 "$scratch/out")"
done
succeeds run race && fail "a race of the program's own is not told"
grep -q 'data race .* in record' "$scratch/out" || fail "another race: $(grep SUMMARY "$scratch/out")"
exit 0
