/* SPDX-License-Identifier: MIT */
/*
 * process_metrics.c: see process_metrics.h. Source of names and meanings: Prometheus' "Writing client libraries"; of
 * the numbers: proc(5).
 */
#include "process_metrics.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* Fields of /proc/self/stat, counted from 1; the second is a name that may hold anything but ends with the last ')'. */
enum {
	STAT_UTIME = 14,
	STAT_STIME = 15,
	STAT_THREADS = 20,
	STAT_START = 22,
	STAT_VSIZE = 23,
	STAT_RSS = 24,
	STAT_FIELDS
};

static int read_stat(double *fields)
{
	char text[1024];
	FILE *file = fopen("/proc/self/stat", "re");
	size_t length = file ? fread(text, 1, sizeof(text) - 1, file) : 0;
	char *at, *rest;

	if (file)
		fclose(file);
	text[length] = '\0';
	at = strrchr(text, ')');
	if (!at)
		return -1;
	at = strtok_r(at + 1, " ", &rest);
	for (unsigned field = 3; at && field < STAT_FIELDS; field++, at = strtok_r(NULL, " ", &rest))
		fields[field] = strtod(at, NULL);
	return at ? 0 : -1;
}

static double boot_time(void)
{
	char line[256];
	double seconds = NAN;
	FILE *file = fopen("/proc/stat", "re");

	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "btime %lf", &seconds) == 1)
			break;
	}
	if (file)
		fclose(file);
	return seconds;
}

static double open_descriptors(void)
{
	DIR *directory = opendir("/proc/self/fd");
	double count = directory ? -3 : (double)NAN; /* ".", ".." and the directory itself */

	while (directory && readdir(directory))
		count++;
	if (directory)
		closedir(directory);
	return count;
}

static double limit(int resource)
{
	struct rlimit limit;

	if (getrlimit(resource, &limit) < 0)
		return (double)NAN;
	return limit.rlim_cur == RLIM_INFINITY ? -1 : (double)limit.rlim_cur;
}

size_t sidecar_process_metrics(struct sidecar_process_metrics *metrics, struct promcb_family *families)
{
	static const struct promcb_family all[SIDECAR_PROCESS_FAMILIES] = {
		{"process_cpu_seconds_total",
		 "Processor time of this process, user and system.",
		 "seconds",
		 PROMCB_FAMILY_COUNTER,
		 NULL,
		 1,
		 {0}},
		{"process_open_fds", "Open file descriptors.", NULL, PROMCB_FAMILY_GAUGE, NULL, 1, {0}},
		{"process_max_fds", "Most file descriptors that may be open.", NULL, PROMCB_FAMILY_GAUGE, NULL, 1, {0}},
		{"process_virtual_memory_bytes", "Virtual memory.", "bytes", PROMCB_FAMILY_GAUGE, NULL, 1, {0}},
		{"process_virtual_memory_max_bytes",
		 "Most virtual memory; -1 if there is no limit.",
		 "bytes",
		 PROMCB_FAMILY_GAUGE,
		 NULL,
		 1,
		 {0}},
		{"process_resident_memory_bytes",
		 "Resident memory, shared segments included.",
		 "bytes",
		 PROMCB_FAMILY_GAUGE,
		 NULL,
		 1,
		 {0}},
		{"process_start_time_seconds",
		 "Unix time of this process's start.",
		 "seconds",
		 PROMCB_FAMILY_GAUGE,
		 NULL,
		 1,
		 {0}},
		{"process_threads", "Threads.", NULL, PROMCB_FAMILY_GAUGE, NULL, 1, {0}},
	};
	double stat[STAT_FIELDS], values[SIDECAR_PROCESS_FAMILIES];
	double ticks = (double)sysconf(_SC_CLK_TCK), page_bytes = (double)sysconf(_SC_PAGESIZE);
	size_t count = 0;

	if (read_stat(stat) < 0) {
		for (unsigned i = 0; i < STAT_FIELDS; i++)
			stat[i] = (double)NAN;
	}
	values[0] = (stat[STAT_UTIME] + stat[STAT_STIME]) / ticks;
	values[1] = open_descriptors();
	values[2] = limit(RLIMIT_NOFILE);
	values[3] = stat[STAT_VSIZE];
	values[4] = limit(RLIMIT_AS);
	values[5] = stat[STAT_RSS] * page_bytes;
	values[6] = boot_time() + stat[STAT_START] / ticks;
	values[7] = stat[STAT_THREADS];
	for (unsigned i = 0; i < SIDECAR_PROCESS_FAMILIES; i++) {
		if (isnan(values[i]))
			continue;
		metrics->series[count] = (struct promcb_series){.number = values[i]};
		families[count] = all[i];
		families[count].series = &metrics->series[count];
		count++;
	}
	return count;
}
