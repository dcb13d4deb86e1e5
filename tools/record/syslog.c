/* SPDX-License-Identifier: MIT */
/* syslog.c: where the message begins in what is sent to syslog. */
#include "format.h"

#include <string.h>

static bool is_digit(char byte)
{
	return byte >= '0' && byte <= '9';
}

/* After the next blank; NULL where there is none. */
static const char *after_blank(const char *at, const char *end)
{
	const char *blank = memchr(at, ' ', (size_t)(end - at));

	return blank ? blank + 1 : NULL;
}

/* RFC 5424, after the version: date, host, application, process, message's id, structured data. */
static const char *after_fields(const char *at, const char *end)
{
	for (int field = 0; at && field < 5; field++)
		at = after_blank(at, end);
	if (!at || at == end)
		return NULL;
	if (*at == '[') {
		bool quoted = false;

		/* Elements follow each other without a blank; there are blanks in them. */
		for (; at < end && (quoted || *at != ']' || (end - at > 1 && at[1] == '[')); at++) {
			if (*at == '\\' && quoted && end - at > 1)
				at++;
			else if (*at == '"')
				quoted = !quoted;
		}
		at += at < end;
	} else {
		at++;
	}
	at += at < end;
	return end - at >= 3 && memcmp(at, "\xef\xbb\xbf", 3) == 0 ? at + 3 : at;
}

/* RFC 3164: "Nov  8 10:00:00 ", then a host, which may be missing, and a tag that ends with a colon. */
static const char *after_tag(const char *at, const char *end)
{
	static const char form[] = "Aaa d0 00:00:00 ";
	const char *word;

	if (end - at < (ptrdiff_t)sizeof(form) - 1)
		return at;
	for (size_t i = 0; i < sizeof(form) - 1; i++)
		if ((form[i] == '0' && !is_digit(at[i])) || (form[i] == 'd' && !is_digit(at[i]) && at[i] != ' ') ||
		    ((form[i] == ' ' || form[i] == ':') && at[i] != form[i]))
			return at;
	at += sizeof(form) - 1;
	word = at;
	for (int words = 0; word && words < 2; words++) {
		const char *next = after_blank(word, end);

		if (next && next - word >= 2 && next[-2] == ':')
			return next;
		word = next;
	}
	return at;
}

const char *promcb_syslog_message(const char *line, size_t length)
{
	const char *at = line, *end = line + length, *message;

	if (at == end || *at++ != '<')
		return line;
	while (at < end && is_digit(*at))
		at++;
	if (at == end || *at != '>' || at == line + 1 || at > line + 4)
		return line;
	at++;
	if (end - at > 2 && at[0] == '1' && at[1] == ' ') {
		message = after_fields(at + 2, end);
		return message ? message : at;
	}
	return after_tag(at, end);
}
