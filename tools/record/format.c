/* SPDX-License-Identifier: MIT */
#include "format.h"

#include "json.h"
#include "map.h"

#include <promcb/promcb.h>

#include <string.h>

struct span {
	const char *text;
	size_t bytes;
};

/* A line that is read from the left. */
struct rest {
	const char *at, *end;
};

bool promcb_log_format_parse(const char *name, enum promcb_log_format *out, enum promcb_unit *unit)
{
	static const struct {
		const char *name;
		enum promcb_log_format format;
		enum promcb_unit unit;
	} formats[] = {
		{"lines", PROMCB_LOG_LINES, PROMCB_UNIT_S},      {"nginx", PROMCB_LOG_COMBINED, PROMCB_UNIT_S},
		{"apache", PROMCB_LOG_COMBINED, PROMCB_UNIT_US}, {"haproxy", PROMCB_LOG_HAPROXY, PROMCB_UNIT_MS},
		{"json", PROMCB_LOG_JSON, PROMCB_UNIT_S},        {"ltsv", PROMCB_LOG_LTSV, PROMCB_UNIT_S},
		{"statsd", PROMCB_LOG_STATSD, PROMCB_UNIT_MS},
	};

	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
		if (strcmp(name, formats[i].name) == 0) {
			*out = formats[i].format;
			*unit = formats[i].unit;
			return true;
		}
	return false;
}

const char *promcb_fields_parse(const char *text, struct promcb_fields *out)
{
	char *at = out->text, *name;
	unsigned commas = 0;

	*out = (struct promcb_fields){.names = 0};
	if (strlen(text) >= sizeof(out->text))
		return "it is too long";
	strcpy(out->text, text);
	out->paths[0] = name = at;
	for (; *at; at++) {
		if (*at != ',' && (*at != '+' || commas > 0))
			continue;
		if (commas == 0 && at == name)
			return "a name is empty";
		commas += *at == ',';
		*at = 0;
		if (commas > 2 || (commas == 0 && out->names + 1 == PROMCB_FIELD_NAMES))
			return "there are too many fields";
		out->names += commas < 2;
		out->paths[out->names + (commas == 2)] = name = at + 1;
	}
	if (commas < 2 || !*out->paths[out->names + 1])
		return "three fields separated by commas are expected: NAME,LATENCY,STATUS";
	return NULL;
}

/* -- Pieces of lines ----------------------------------------------------------------------------------------------- */

static void skip(struct rest *rest)
{
	while (rest->at < rest->end && (*rest->at == ' ' || *rest->at == '\t'))
		rest->at++;
}

static struct span take_word(struct rest *rest)
{
	struct span word;

	skip(rest);
	word.text = rest->at;
	while (rest->at < rest->end && *rest->at != ' ' && *rest->at != '\t')
		rest->at++;
	word.bytes = (size_t)(rest->at - word.text);
	return word;
}

/* What is between quotes, after the first; both kinds of server put a backslash before quotes inside, or do not print
 * them. Returns false if the line ends before. */
static bool take_quoted(struct rest *rest, struct span *out)
{
	const char *start = rest->at;

	for (; rest->at < rest->end && *rest->at != '"'; rest->at++)
		if (*rest->at == '\\' && rest->end - rest->at > 1)
			rest->at++;
	if (rest->at >= rest->end)
		return false;
	*out = (struct span){start, (size_t)(rest->at++ - start)};
	return true;
}

/* A word, or the words of a list: "0.1, 0.2", "0.1 : 0.2". */
static struct span take_list(struct rest *rest)
{
	struct span list = take_word(rest);

	for (;;) {
		struct rest ahead = *rest;
		struct span word = take_word(&ahead);
		bool colon = word.bytes == 1 && *word.text == ':';

		if (list.bytes == 0 || word.bytes == 0 || (!colon && list.text[list.bytes - 1] != ','))
			return list;
		if (colon && take_word(&ahead).bytes == 0)
			return list;
		*rest = ahead;
		list.bytes = (size_t)(rest->at - list.text);
	}
}

static struct span find(struct span in, const char *what)
{
	const char *at = memmem(in.text, in.bytes, what, strlen(what));

	return at ? (struct span){at, in.bytes - (size_t)(at - in.text)} : (struct span){NULL, 0};
}

/* -- Calls --------------------------------------------------------------------------------------------------------- */

static enum promcb_line_fault set_call(struct span latency, struct span status, const struct promcb_line_rules *rules,
				       struct promcb_line *out)
{
	if (!promcb_outcomes_parse(status.text, status.bytes, &rules->failures, out))
		return PROMCB_LINE_STATUS;
	if (latency.bytes > 0 && !promcb_latencies_parse(latency.text, latency.bytes, rules->unit, out))
		return PROMCB_LINE_TIME;
	return PROMCB_LINE_GOOD;
}

static void set_name(struct span name, struct promcb_line *out)
{
	promcb_name_trim(&name.text, &name.bytes);
	out->component = name.text;
	out->component_bytes = name.bytes;
	out->name_fault = promcb_name_error(name.text, name.bytes);
}

static void map_name(struct span asked, const struct promcb_line_rules *rules, char *room, struct promcb_line *out)
{
	set_name((struct span){room, promcb_map_apply(rules->map, asked.text, asked.bytes, room)}, out);
}

/* The method and the path of a request: "GET /a?b HTTP/1.1" is "GET /a", whatever else clients send is itself. */
static size_t copy_request(struct span request, char *to)
{
	struct rest rest = {request.text, request.text + request.bytes};
	struct span method = take_word(&rest), path;
	const char *end = rest.end;

	for (const char *at = rest.end; at > rest.at; at--)
		if (at[-1] == ' ') {
			if (rest.end - at >= 5 && memcmp(at, "HTTP/", 5) == 0)
				end = at - 1;
			break;
		}
	skip(&rest);
	path = (struct span){rest.at, end > rest.at ? (size_t)(end - rest.at) : 0};
	for (size_t i = 0; i < path.bytes; i++)
		if (path.text[i] == '?' || path.text[i] == '#')
			path.bytes = i;
	memcpy(to, method.text, method.bytes);
	to[method.bytes] = ' ';
	memcpy(to + method.bytes + 1, path.text, path.bytes);
	return method.bytes + 1 + path.bytes;
}

/* The method, if it is one that servers know: any other is what some client made up. */
static struct span method_of(struct span asked)
{
	static const char *const known[] = {"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		size_t bytes = strlen(known[i]);

		if (asked.bytes > bytes && memcmp(asked.text, known[i], bytes) == 0 && asked.text[bytes] == ' ')
			return (struct span){known[i], bytes};
	}
	return (struct span){PROMCB_MAP_OTHER, strlen(PROMCB_MAP_OTHER)};
}

/* -- nginx and Apache: the formats "common" and "combined", with the latency after what these have ----------------- */

static enum promcb_line_fault parse_combined(struct span line, const struct promcb_line_rules *rules, char *room,
					     struct promcb_line *out)
{
	struct span start = find(line, "] \""), request, quoted, status, asked = {room + PROMCB_MAPPED_BYTES, 0};
	struct rest rest;

	if (!start.text)
		return PROMCB_LINE_FORM;
	rest = (struct rest){start.text + strlen("] \""), line.text + line.bytes};
	if (!take_quoted(&rest, &request))
		return PROMCB_LINE_FORM;
	status = take_word(&rest);
	take_word(&rest); /* bytes */
	for (skip(&rest); rest.at < rest.end && *rest.at == '"'; skip(&rest)) {
		rest.at++;
		if (!take_quoted(&rest, &quoted))
			return PROMCB_LINE_FORM;
	}
	asked.bytes = copy_request(request, room + PROMCB_MAPPED_BYTES);
	if (rules->map)
		map_name(asked, rules, room, out);
	else
		set_name(method_of(asked), out);
	return set_call(take_list(&rest), status, rules, out);
}

/* -- HAProxy: option httplog --------------------------------------------------------------------------------------- */

/* The times TR/Tw/Tc/Tr/Ta: the fourth is how long the server took to answer. Returns false if they are not five. */
static bool server_time(struct span times, struct span *out)
{
	struct span part = {times.text, 0};
	unsigned parts = 1;

	for (size_t i = 0; i < times.bytes; i++) {
		if (times.text[i] != '/') {
			part.bytes++;
			continue;
		}
		if (parts++ == 4)
			*out = part;
		part = (struct span){times.text + i + 1, 0};
	}
	return parts == 5;
}

static enum promcb_line_fault parse_haproxy(struct span line, const struct promcb_line_rules *rules, char *room,
					    struct promcb_line *out)
{
	struct span date = find(line, " ["), server, latency = {NULL, 0}, status, request = {"", 0};
	struct rest rest;
	char *to = room + PROMCB_MAPPED_BYTES;

	if (!date.text || !(date = find(date, "] ")).text)
		return PROMCB_LINE_FORM;
	rest = (struct rest){date.text + 1, line.text + line.bytes};
	take_word(&rest); /* the frontend */
	server = take_word(&rest);
	if (!memchr(server.text, '/', server.bytes) || !server_time(take_word(&rest), &latency))
		return PROMCB_LINE_FORM;
	status = take_word(&rest);
	set_name(server, out);
	if (rules->map) {
		const char *quote = memchr(rest.at, '"', (size_t)(rest.end - rest.at));

		/* Quotes in it are printed as #22; a long line lacks its end. */
		if (quote) {
			const char *end = memchr(quote + 1, '"', (size_t)(rest.end - quote - 1));

			request = (struct span){quote + 1, (size_t)((end ? end : rest.end) - quote - 1)};
		}
		memcpy(to, server.text, server.bytes);
		to[server.bytes] = ' ';
		map_name((struct span){to, server.bytes + 1 + copy_request(request, to + server.bytes + 1)}, rules,
			 room, out);
	}
	return set_call(latency, status, rules, out);
}

/* -- JSON and LTSV ------------------------------------------------------------------------------------------------- */

/* The names with blanks between, which may be one field several times: cut where there is no more room. */
static struct span join_names(const struct promcb_json_value *values, const struct promcb_line_rules *rules, char *to)
{
	size_t used = 0;

	for (unsigned i = 0; i < rules->fields.names; i++) {
		const char *query = NULL;
		size_t bytes = values[i].text ? values[i].bytes : 0;

		if (rules->map && bytes > 0)
			query = memchr(values[i].text, '?', bytes);
		if (query)
			bytes = (size_t)(query - values[i].text);
		if (i > 0 && used < PROMCB_LINE_MAX_BYTES)
			to[used++] = ' ';
		if (bytes > PROMCB_LINE_MAX_BYTES - used)
			bytes = PROMCB_LINE_MAX_BYTES - used;
		if (bytes > 0)
			memcpy(to + used, values[i].text, bytes);
		used += bytes;
	}
	return (struct span){to, used};
}

/* The call that these fields make: names, latency, status. */
static enum promcb_line_fault from_fields(const struct promcb_json_value *values, const struct promcb_line_rules *rules,
					  char *room, struct promcb_line *out)
{
	const struct promcb_json_value *latency = &values[rules->fields.names], *status = latency + 1;
	struct span asked = join_names(values, rules, room + PROMCB_MAPPED_BYTES + PROMCB_LINE_MAX_BYTES);

	if (rules->map)
		map_name(asked, rules, room, out);
	else if (asked.bytes == 0)
		set_name((struct span){PROMCB_MAP_OTHER, strlen(PROMCB_MAP_OTHER)}, out);
	else
		set_name(asked, out);
	if (!status->text)
		return PROMCB_LINE_STATUS;
	return set_call((struct span){latency->text, latency->text ? latency->bytes : 0},
			(struct span){status->text, status->bytes}, rules, out);
}

static enum promcb_line_fault parse_json(struct span line, const struct promcb_line_rules *rules, char *room,
					 struct promcb_line *out)
{
	struct promcb_json_value values[PROMCB_FIELD_NAMES + 2];
	struct span start = find(line, "{");

	if (!start.text || !promcb_json_fields(start.text, start.bytes, rules->fields.paths, rules->fields.names + 2,
					       values, room + PROMCB_MAPPED_BYTES))
		return PROMCB_LINE_FORM;
	return from_fields(values, rules, room, out);
}

static enum promcb_line_fault parse_ltsv(struct span line, const struct promcb_line_rules *rules, char *room,
					 struct promcb_line *out)
{
	struct promcb_json_value values[PROMCB_FIELD_NAMES + 2] = {{NULL, 0}};
	const char *at = line.text, *end = line.text + line.bytes;
	bool is_ltsv = false;

	while (at < end) {
		const char *tab = memchr(at, '\t', (size_t)(end - at)), *stop = tab ? tab : end;
		const char *colon = memchr(at, ':', (size_t)(stop - at));

		for (unsigned i = 0; colon && i < rules->fields.names + 2; i++)
			if (strlen(rules->fields.paths[i]) == (size_t)(colon - at) &&
			    memcmp(rules->fields.paths[i], at, (size_t)(colon - at)) == 0)
				values[i] = (struct promcb_json_value){colon + 1, (size_t)(stop - colon - 1)};
		is_ltsv |= colon != NULL;
		at = stop + 1;
	}
	return is_ltsv ? from_fields(values, rules, room, out) : PROMCB_LINE_FORM;
}

/* -- statsd -------------------------------------------------------------------------------------------------------- */

/* A share such as 0.1 stands for ten calls. Returns false if it is none. */
static bool take_share(struct span share, struct promcb_line *out)
{
	const uint64_t whole = 1000000000;
	uint64_t ns;

	if (promcb_latency_parse(share.text, share.bytes, PROMCB_UNIT_S, &ns) != PROMCB_LATENCY_KNOWN || ns > whole ||
	    ns < whole / PROMCB_LINE_TIMES_MAX)
		return false;
	out->times = (uint32_t)((whole + ns / 2) / ns);
	return true;
}

/*
 * NAME:VALUE|TYPE[|@SHARE][|#TAGS]. Timers are calls: nothing says that they failed. Histograms and distributions have
 * no unit, and are as often of bytes.
 */
static enum promcb_line_fault parse_statsd(struct span line, const struct promcb_line_rules *rules, char *room,
					   struct promcb_line *out)
{
	const char *end = line.text + line.bytes, *colon = memchr(line.text, ':', line.bytes), *bar, *type;

	bar = colon ? memchr(colon, '|', (size_t)(end - colon)) : NULL;
	if (!bar)
		return PROMCB_LINE_FORM;
	type = bar + 1;
	for (const char *at = bar; at < end;) {
		const char *next = memchr(at + 1, '|', (size_t)(end - at - 1));
		struct span part = {at + 1, (size_t)((next ? next : end) - at - 1)};

		if (at > bar && part.bytes > 0 && *part.text == '@' &&
		    !take_share((struct span){part.text + 1, part.bytes - 1}, out))
			return PROMCB_LINE_FORM;
		if (at == bar && !(part.bytes == 2 && memcmp(type, "ms", 2) == 0))
			return part.bytes == 1 && memchr("cgsmhd", *type, 6) ? PROMCB_LINE_NO_CALL : PROMCB_LINE_FORM;
		at = next ? next : end;
	}
	if (rules->map)
		map_name((struct span){line.text, (size_t)(colon - line.text)}, rules, room, out);
	else
		set_name((struct span){line.text, (size_t)(colon - line.text)}, out);
	out->success = true;
	if (!promcb_latencies_parse(colon + 1, (size_t)(bar - colon - 1), rules->unit, out))
		return PROMCB_LINE_TIME;
	return PROMCB_LINE_GOOD;
}

/* -- All ----------------------------------------------------------------------------------------------------------- */

static enum promcb_line_fault parse_lines(struct span line, const struct promcb_line_rules *rules, char *room,
					  struct promcb_line *out)
{
	enum promcb_line_fault fault = promcb_line_parse(line.text, line.bytes, rules, out);

	if (fault == PROMCB_LINE_GOOD && rules->map)
		map_name((struct span){out->component, out->component_bytes}, rules, room, out);
	return fault;
}

enum promcb_line_fault promcb_format_line(const char *line, size_t length, const struct promcb_line_rules *rules,
					  char *room, struct promcb_line *out)
{
	static enum promcb_line_fault (*const parsers[])(struct span, const struct promcb_line_rules *, char *,
							 struct promcb_line *) = {
		[PROMCB_LOG_LINES] = parse_lines,     [PROMCB_LOG_COMBINED] = parse_combined,
		[PROMCB_LOG_HAPROXY] = parse_haproxy, [PROMCB_LOG_JSON] = parse_json,
		[PROMCB_LOG_LTSV] = parse_ltsv,       [PROMCB_LOG_STATSD] = parse_statsd,
	};
	struct rest rest = {line, line + length};

	*out = (struct promcb_line){.times = 1};
	if (rules->format == PROMCB_LOG_LINES)
		return parse_lines((struct span){line, length}, rules, room, out);
	if (length > PROMCB_LINE_MAX_BYTES)
		return PROMCB_LINE_TOO_LONG;
	skip(&rest);
	while (rest.end > rest.at && memchr(" \t\r", rest.end[-1], 3))
		rest.end--;
	if (rest.at == rest.end)
		return PROMCB_LINE_BLANK;
	return parsers[rules->format]((struct span){rest.at, (size_t)(rest.end - rest.at)}, rules, room, out);
}
