/* SPDX-License-Identifier: MIT */
/* bench_record_cxx: does the same cost more from C++? */
#include "bench_record.c"
