/* SPDX-License-Identifier: MIT */
#include "http_head.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

/* -- Characters ---------------------------------------------------------------------------------------------------- */

static bool is_digit(char byte)
{
	return byte >= '0' && byte <= '9';
}

static bool is_letter(char byte)
{
	return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
}

static bool is_token(const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		if (!is_letter(text[i]) && !is_digit(text[i]) && (!text[i] || !strchr("!#$%&'*+-.^_`|~", text[i])))
			return false;
	}
	return length > 0;
}

static int hex_of(char byte)
{
	if (is_digit(byte))
		return byte - '0';
	byte = (char)(byte | 0x20);
	return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

static bool is_blank(char byte)
{
	return byte == ' ' || byte == '\t';
}

/* %-decoding in place, or to a place as long. A NUL would end the text: it becomes a byte that stands in no text. */
static size_t decode(const char *from, size_t length, char *to, bool plus_is_blank)
{
	size_t done = 0;

	for (size_t i = 0; i < length; i++) {
		char byte = from[i];

		if (byte == '%' && i + 2 < length && hex_of(from[i + 1]) >= 0 && hex_of(from[i + 2]) >= 0) {
			byte = (char)(hex_of(from[i + 1]) << 4 | hex_of(from[i + 2]));
			i += 2;
		} else if (byte == '+' && plus_is_blank) {
			byte = ' ';
		}
		to[done++] = byte ? byte : '\xff';
	}
	return done;
}

/* -- Where it ends ------------------------------------------------------------------------------------------------- */

size_t sidecar_head_end(const char *bytes, size_t length, size_t seen)
{
	size_t begin = 0;

	while (begin + 1 < length && bytes[begin] == '\r' && bytes[begin + 1] == '\n')
		begin += 2;
	for (size_t at = seen > begin + 3 ? seen - 3 : begin; at + 1 < length; at++) {
		const char *feed = memchr(bytes + at, '\n', length - at);

		if (!feed || (size_t)(feed - bytes) + 1 >= length)
			return 0;
		at = (size_t)(feed - bytes);
		/* A bare line feed ends nothing, but whoever sends those shall be told so, and not waited for. */
		if (bytes[at + 1] == '\n')
			return at + 2;
		if (at + 2 < length && bytes[at + 1] == '\r' && bytes[at + 2] == '\n')
			return at + 3;
	}
	return 0;
}

/* -- The request line ---------------------------------------------------------------------------------------------- */

/* The next line, ended by CR LF, which is taken away. NULL: there is no such line. */
static char *next_line(char **rest, char *end, size_t *length)
{
	char *line = *rest, *feed = memchr(line, '\n', (size_t)(end - line));

	if (!feed || feed == line || feed[-1] != '\r')
		return NULL;
	*length = (size_t)(feed - 1 - line);
	feed[-1] = '\0';
	*rest = feed + 1;
	return line;
}

static unsigned parse_version(struct sidecar_head *head, const char *text, size_t length, const char **reason)
{
	*reason = "The request line must be METHOD TARGET HTTP/1.1.";
	if (length != 8 || memcmp(text, "HTTP/", 5) != 0 || !is_digit(text[5]) || text[6] != '.' || !is_digit(text[7]))
		return 400;
	*reason = "HTTP/1.1 is spoken here.";
	if (text[5] != '1')
		return 505;
	head->is_old = text[7] == '0';
	head->keeps_alive = !head->is_old;
	return 0;
}

/* Those of IANA's registry; all others are none that anybody could have meant. */
static unsigned parse_method(struct sidecar_head *head, const char *method, const char **reason)
{
	static const char *const known[] = {
		"GET",
		"HEAD",
		"OPTIONS",
		"ACL",
		"BASELINE-CONTROL",
		"BIND",
		"CHECKIN",
		"CHECKOUT",
		"CONNECT",
		"COPY",
		"DELETE",
		"LABEL",
		"LINK",
		"LOCK",
		"MERGE",
		"MKACTIVITY",
		"MKCALENDAR",
		"MKCOL",
		"MKREDIRECTREF",
		"MKWORKSPACE",
		"MOVE",
		"ORDERPATCH",
		"PATCH",
		"POST",
		"PROPFIND",
		"PROPPATCH",
		"PUT",
		"QUERY",
		"REBIND",
		"REPORT",
		"SEARCH",
		"TRACE",
		"UNBIND",
		"UNCHECKOUT",
		"UNLINK",
		"UNLOCK",
		"UPDATE",
		"UPDATEREDIRECTREF",
		"VERSION-CONTROL",
	};

	*reason = "The method is not known here.";
	for (unsigned i = 0; i < sizeof(known) / sizeof(*known); i++) {
		if (strcmp(method, known[i]) == 0) {
			head->method = i < SIDECAR_METHOD_OTHER ? (enum sidecar_method)i : SIDECAR_METHOD_OTHER;
			return 0;
		}
	}
	return 501;
}

/* "name", "1.2.3.4:80", "[::1]:80", or nothing at all. */
static bool is_host(const char *host, size_t length)
{
	const char *end = host + length;

	if (host < end && *host == '[') {
		const char *closing = memchr(host, ']', length);
		char text[INET6_ADDRSTRLEN];
		struct in6_addr address;

		if (!closing || (size_t)(closing - host) > sizeof(text))
			return false;
		memcpy(text, host + 1, (size_t)(closing - host - 1));
		text[closing - host - 1] = '\0';
		if (inet_pton(AF_INET6, text, &address) != 1)
			return false;
		host = closing + 1;
	} else {
		for (; host < end && *host != ':'; host++) {
			if (*host == '%' && end - host > 2 && hex_of(host[1]) >= 0 && hex_of(host[2]) >= 0)
				host += 2;
			else if (!is_letter(*host) && !is_digit(*host) && !strchr("-._~!$&'()*+,;=", *host))
				return false;
		}
	}
	if (host < end && *host == ':')
		for (host++; host < end && is_digit(*host); host++)
			continue;
	return host == end;
}

/* "/path?query", "http://host/path?query", "*" of OPTIONS, "host:port" of CONNECT. */
static unsigned parse_target(struct sidecar_head *head, char *target, size_t length, const char **reason)
{
	bool is_tunnel = strcmp(sidecar_head_method(head), "CONNECT") == 0;
	char *path = target, *query;
	size_t scheme = strncasecmp(target, "http://", 7) == 0 ? 7 : strncasecmp(target, "https://", 8) == 0 ? 8 : 0;

	*reason = "The target must be a path, or a URL of http or https.";
	for (size_t i = 0; i < length; i++) {
		if ((unsigned char)target[i] <= ' ' || target[i] == 0x7f || target[i] == '#')
			return 400;
	}
	head->is_for_server = strcmp(target, "*") == 0;
	if (head->is_for_server)
		return head->method == SIDECAR_METHOD_OPTIONS ? 0 : 400;
	if (is_tunnel)
		return *target == '/' || scheme ? 400 : 0;
	if (scheme) {
		path = target + scheme + strcspn(target + scheme, "/?");
		if (path == target + scheme || target[scheme] == ':' ||
		    !is_host(target + scheme, (size_t)(path - target) - scheme))
			return 400;
	} else if (*target != '/') {
		return 400;
	}
	query = strchr(path, '?');
	if (query) {
		*query = '\0';
		head->query_at = (uint16_t)(query + 1 - head->bytes);
	}
	if (!*path) /* of a URL: there is room, where the host was */
		*--path = '/';
	path[decode(path, strlen(path), path, false)] = '\0';
	head->path_at = (uint16_t)(path - head->bytes);
	return 0;
}

static unsigned parse_request_line(struct sidecar_head *head, char *line, size_t length, const char **reason)
{
	char *first = memchr(line, ' ', length), *second;
	unsigned status;

	*reason = "The request line must be METHOD TARGET HTTP/1.1.";
	if (!first || !is_token(line, (size_t)(first - line)))
		return 400;
	second = memchr(first + 1, ' ', (size_t)(line + length - first - 1));
	if (!second || second == first + 1)
		return 400;
	status = parse_version(head, second + 1, (size_t)(line + length - second - 1), reason);
	if (status)
		return status;
	*first = *second = '\0';
	/* Of what is no method, nothing is repeated, not even in the log. */
	head->method_at = (uint16_t)(line - head->bytes);
	status = parse_method(head, line, reason);
	return status ? status : parse_target(head, first + 1, (size_t)(second - first - 1), reason);
}

/* -- Headers ------------------------------------------------------------------------------------------------------- */

static unsigned parse_header(struct sidecar_head *head, char *line, size_t length, const char **reason)
{
	char *colon = memchr(line, ':', length), *value, *end = line + length;

	*reason = "A header line must be NAME: VALUE, and not be continued.";
	if (!colon || !is_token(line, (size_t)(colon - line)))
		return 400;
	for (value = colon + 1; value < end && is_blank(*value); value++)
		continue;
	while (end > value && is_blank(end[-1]))
		end--;
	for (const char *at = value; at < end; at++) {
		if (((unsigned char)*at < ' ' && *at != '\t') || *at == 0x7f) {
			*reason = "A header's value must not hold control characters.";
			return 400;
		}
	}
	*colon = *end = '\0';
	*reason = "There are too many headers.";
	if (head->header_count == SIDECAR_HEADERS_MAX)
		return 431;
	head->headers[head->header_count].name_at = (uint16_t)(line - head->bytes);
	head->headers[head->header_count++].value_at = (uint16_t)(value - head->bytes);
	return 0;
}

/* How often a header is there; the first one's value in *value. */
static unsigned count_of(const struct sidecar_head *head, const char *name, const char **value)
{
	unsigned count = 0;

	for (unsigned i = 0; i < head->header_count; i++) {
		if (strcasecmp(head->bytes + head->headers[i].name_at, name) == 0 && count++ == 0)
			*value = head->bytes + head->headers[i].value_at;
	}
	return count;
}

/* The next word of a list, without the blanks around; empty ones are passed over. */
static const char *next_word(const char **rest, size_t *length)
{
	const char *word = *rest + strspn(*rest, " \t,"), *end = word + strcspn(word, ",");

	*rest = end;
	while (end > word && is_blank(end[-1]))
		end--;
	*length = (size_t)(end - word);
	return *length ? word : NULL;
}

static bool is_word(const char *word, size_t length, const char *other)
{
	return strlen(other) == length && strncasecmp(word, other, length) == 0;
}

static unsigned judge_coding(struct sidecar_head *head, unsigned lengths, const char **reason)
{
	unsigned chunked = 0, others = 0;
	bool ends_chunked = false;

	for (unsigned i = 0; i < head->header_count; i++) {
		const char *rest = head->bytes + head->headers[i].value_at, *word;
		size_t length;

		if (strcasecmp(head->bytes + head->headers[i].name_at, "Transfer-Encoding") != 0)
			continue;
		while ((word = next_word(&rest, &length))) {
			ends_chunked = is_word(word, length, "chunked");
			chunked += ends_chunked;
			others += !ends_chunked;
		}
	}
	*reason = "Transfer-Encoding must end with chunked, once, and come without Content-Length, in HTTP/1.1.";
	if (head->is_old || lengths || !ends_chunked || chunked > 1)
		return 400;
	*reason = "No transfer coding but chunked is known here.";
	if (others)
		return 501;
	head->is_chunked = true;
	return 0;
}

static unsigned judge_length(struct sidecar_head *head, const char *value, const char **reason)
{
	size_t digits = strspn(value, "0123456789");

	*reason = "Content-Length must be one whole number.";
	if (digits == 0 || value[digits])
		return 400;
	value += strspn(value, "0");
	*reason = "The body is too long.";
	if (strlen(value) > 18)
		return 413;
	for (; *value; value++)
		head->body_bytes = head->body_bytes * 10 + (uint64_t)(*value - '0');
	/* Of other methods' bodies nothing is read. */
	return head->body_bytes > SIDECAR_BODY_BYTES_MAX && head->method <= SIDECAR_METHOD_HEAD ? 413 : 0;
}

static void judge_connection(struct sidecar_head *head)
{
	for (unsigned i = 0; i < head->header_count; i++) {
		const char *rest = head->bytes + head->headers[i].value_at, *word;
		size_t length;

		if (strcasecmp(head->bytes + head->headers[i].name_at, "Connection") != 0)
			continue;
		while ((word = next_word(&rest, &length))) {
			if (is_word(word, length, "close")) {
				head->keeps_alive = false;
				return;
			}
			head->keeps_alive |= is_word(word, length, "keep-alive");
		}
	}
}

/* What single lines cannot tell. */
static unsigned judge(struct sidecar_head *head, const char **reason)
{
	const char *host = NULL, *length = NULL, *coding = NULL, *expect = NULL;
	unsigned hosts = count_of(head, "Host", &host), lengths = count_of(head, "Content-Length", &length);
	unsigned status = 0;

	*reason = "There must be one Host, and it must be one.";
	if (hosts > 1 || (hosts == 0 && !head->is_old) || (hosts == 1 && !is_host(host, strlen(host))))
		return 400;
	if (count_of(head, "Transfer-Encoding", &coding))
		status = judge_coding(head, lengths, reason);
	else if (lengths == 1)
		status = judge_length(head, length, reason);
	else if (lengths > 1) {
		*reason = "Content-Length must be one whole number.";
		return 400;
	}
	if (status)
		return status;
	judge_connection(head);
	*reason = "No expectation but 100-continue can be met here.";
	if (count_of(head, "Expect", &expect) && !head->is_old) {
		if (strcasecmp(expect, "100-continue") != 0)
			return 417;
		head->expects_continue = head->is_chunked || head->body_bytes > 0;
	}
	return 0;
}

/* -- The whole ----------------------------------------------------------------------------------------------------- */

unsigned sidecar_head_parse(struct sidecar_head *head, char *bytes, size_t length, const char **reason)
{
	char *rest = bytes, *end = bytes + length, *line;
	unsigned status = 400, blanks = 0;
	size_t line_length = 0;

	*head = (struct sidecar_head){.bytes = bytes, .length = length, .method = SIDECAR_METHOD_OTHER};
	/* The head's own end will be a string with nothing in it. */
	head->method_at = head->path_at = head->query_at = (uint16_t)(length - 2);
	*reason = "Every line must end with CR LF.";
	while ((line = next_line(&rest, end, &line_length)) && line_length == 0 && rest < end && ++blanks <= 2)
		continue;
	if (!line || line_length == 0) {
		bytes[length - 2] = '\0';
		return 400;
	}
	status = parse_request_line(head, line, line_length, reason);
	while (status == 0) {
		*reason = "Every line must end with CR LF.";
		line = next_line(&rest, end, &line_length);
		if (!line)
			status = 400;
		else if (line_length == 0)
			break;
		else
			status = parse_header(head, line, line_length, reason);
	}
	bytes[length - 2] = '\0';
	return status ? status : judge(head, reason);
}

const char *sidecar_head_method(const struct sidecar_head *head)
{
	return head->bytes + head->method_at;
}

const char *sidecar_head_path(const struct sidecar_head *head)
{
	return head->bytes + head->path_at;
}

const char *sidecar_head_value(const struct sidecar_head *head, const char *name, char *room, size_t size)
{
	size_t used = 0;
	bool found = false;

	for (unsigned i = 0; i < head->header_count; i++) {
		const char *value = head->bytes + head->headers[i].value_at;
		size_t length = strlen(value);

		if (strcasecmp(head->bytes + head->headers[i].name_at, name) != 0 || used + length + 2 > size)
			continue;
		if (found)
			room[used++] = ',';
		memcpy(room + used, value, length);
		used += length;
		room[used] = '\0';
		found = true;
	}
	return found ? room : NULL;
}

const char *sidecar_head_argument(const struct sidecar_head *head, const char *name, char *room, size_t size)
{
	const char *pair = head->bytes + head->query_at;
	size_t name_length = strlen(name);

	while (*pair) {
		size_t length = strcspn(pair, "&");

		if (length >= name_length && memcmp(pair, name, name_length) == 0 &&
		    (length == name_length || pair[name_length] == '=')) {
			size_t skipped = name_length + (length > name_length), value = length - skipped;

			/* Decoded, it is not longer. */
			room[decode(pair + skipped, value < size ? value : size - 1, room, true)] = '\0';
			return room;
		}
		pair += length + (pair[length] == '&');
	}
	return NULL;
}
