/* SPDX-License-Identifier: MIT */
/*
 * coverage_exit.h: included before all else by coverage.sh. A process that ends by _exit() or SIGKILL leaves no
 * counters; here it leaves them first. Fuzz targets, which rename what they include, go without.
 */
#ifndef PROMCB_COVERAGE_EXIT_H
#define PROMCB_COVERAGE_EXIT_H

#ifndef getrandom
#include <gcov.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

static inline void promcb_coverage_leave(void)
{
	__gcov_dump();
	__gcov_reset();
}

#define _exit(status) (promcb_coverage_leave(), _exit(status))
#define kill(process, number) (promcb_coverage_leave(), kill(process, number))
#endif

#endif
