/* SPDX-License-Identifier: MIT */
/*
 * format.h: a line of a log as servers write it, as a call: nginx, Apache, HAProxy, JSON, LTSV, statsd. Pure
 * functions of bytes, but for the map, which complains.
 *
 * A log names calls by what clients sent; what becomes of that is for the map to say (map.h). It is asked about
 * "METHOD PATH", the path without its query, for nginx and Apache; about "BACKEND/SERVER METHOD PATH" for HAProxy;
 * about the fields of the name, each without its query, with blanks between for JSON and LTSV; about the name for the
 * rest. Without a map calls are named by what no client chooses: the method if it is a common one, else "other";
 * BACKEND/SERVER; the name.
 */
#ifndef PROMCB_TOOL_RECORD_FORMAT_H
#define PROMCB_TOOL_RECORD_FORMAT_H

#include "line.h"

/* "lines", "nginx", ... to a format, and the unit that it has unless told. Returns false for anything else. */
bool promcb_log_format_parse(const char *name, enum promcb_log_format *out, enum promcb_unit *unit);

/*
 * "NAME[+NAME...],LATENCY,STATUS": which fields of JSON and LTSV make the call. LATENCY may be empty. out points into a
 * copy that it has. Returns NULL, or what is wrong.
 */
const char *promcb_fields_parse(const char *text, struct promcb_fields *out);

/* As promcb_line_parse(), for every format. room: PROMCB_FORMAT_ROOM bytes, in which the name may be. */
#define PROMCB_FORMAT_ROOM (2 * PROMCB_LINE_MAX_BYTES + 1024)
enum promcb_line_fault promcb_format_line(const char *line, size_t length, const struct promcb_line_rules *rules,
					  char *room, struct promcb_line *out);

/*
 * What syslog puts before a message that starts with "<PRIORITY>": date, host and tag, as RFC 3164 and RFC 5424 have it
 * and as nginx and HAProxy send it. Returns where the message begins; line if there is none of it.
 */
const char *promcb_syslog_message(const char *line, size_t length);

#endif
