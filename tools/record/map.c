/* SPDX-License-Identifier: MIT */
#include "map.h"

#include "common.h"

#include <promcb/promcb.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Steps of one match: what clients send shall not keep a processor busy. */
enum { STEPS_MAX = 100000, GROUPS = 10, STACK_BYTES_MIN = 32 * 1024, STACK_BYTES_MAX = 1024 * 1024 };

struct rule {
	pcre2_code *code;
	char *name;
	bool told; /* that it took too long */
};

struct promcb_map {
	struct rule *rules;
	size_t count, room;
	pcre2_match_data *match;
	pcre2_match_context *limits;
	pcre2_jit_stack *stack;
};

static bool is_blank(char byte)
{
	return byte == ' ' || byte == '\t';
}

/* Parts a line into pattern and name. Returns the name, NULL if there are not two. */
static char *part(char *line, size_t length)
{
	char *name = line + length;

	while (name > line && !is_blank(name[-1]))
		name--;
	if (name == line)
		return NULL;
	for (char *end = name; end > line && is_blank(end[-1]); end--)
		end[-1] = 0;
	return *line ? name : NULL;
}

/* Only groups that the pattern has, and nothing else after a "$". Returns NULL, or what is wrong. */
static const char *name_fault(const char *name, uint32_t groups)
{
	if (!strchr(name, '$'))
		return promcb_name_error(name, strlen(name));
	for (; (name = strchr(name, '$')); name += 2) {
		if (name[1] == '$')
			continue;
		if (name[1] < '1' || name[1] > '9')
			return "after \"$\" a digit from 1 to 9 is expected, or another \"$\"";
		if ((uint32_t)(name[1] - '0') > groups)
			return "the pattern has no such group";
	}
	return NULL;
}

/* Keeps a rule. Returns false where there is no memory. */
static bool keep(struct promcb_map *map, pcre2_code *code, const char *name)
{
	struct rule rule = {.code = code, .name = strdup(name)};

	if (rule.name && map->count == map->room) {
		size_t room = 2 * map->room + 16;
		struct rule *rules = reallocarray(map->rules, room, sizeof(*rules));

		if (rules) {
			map->rules = rules;
			map->room = room;
		}
	}
	if (!rule.name || map->count == map->room) {
		free(rule.name);
		return false;
	}
	map->rules[map->count++] = rule;
	return true;
}

/* Returns whether the rule was taken; complains if not. */
static bool add(struct promcb_map *map, const char *path, uint64_t line, const char *pattern, const char *name)
{
	PCRE2_UCHAR reason[256];
	PCRE2_SIZE at;
	uint32_t groups = 0;
	int error;
	pcre2_code *code = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED,
					 PCRE2_UTF | PCRE2_MATCH_INVALID_UTF | PCRE2_DOLLAR_ENDONLY, &error, &at, NULL);
	const char *fault;

	if (!code) {
		pcre2_get_error_message(error, reason, sizeof(reason));
		promcb_tool_complain("%s:%" PRIu64 ": \"%s\" is no pattern, at byte %zu: %s", path, line, pattern,
				     (size_t)at + 1, (const char *)reason);
		return false;
	}
	pcre2_pattern_info(code, PCRE2_INFO_CAPTURECOUNT, &groups);
	fault = name_fault(name, groups);
	if (!fault && keep(map, code, name)) {
		/* Without it, or where memory may not be executed, patterns are interpreted. */
		pcre2_jit_compile(code, PCRE2_JIT_COMPLETE);
		return true;
	}
	if (fault)
		promcb_tool_complain("%s:%" PRIu64 ": \"%s\" is no name: %s", path, line, name, fault);
	else
		promcb_tool_complain("%s: no memory", path);
	pcre2_code_free(code);
	return false;
}

/* Returns whether all lines were taken. */
static bool read_lines(struct promcb_map *map, const char *path, FILE *file)
{
	char *line = NULL;
	size_t size = 0;
	bool good = true;
	uint64_t number = 0;
	ssize_t length;

	while (good && (length = getline(&line, &size, file)) >= 0) {
		char *start = line, *name;

		number++;
		while (length > 0 && strchr(" \t\r\n", line[length - 1]))
			length--;
		line[length] = 0;
		while (is_blank(*start))
			start++;
		if (!*start || *start == '#')
			continue;
		name = part(start, (size_t)(line + length - start));
		if (!name)
			promcb_tool_complain("%s:%" PRIu64
					     ": a pattern and a name are expected, separated by blanks: \"%s\"",
					     path, number, start);
		good = name && add(map, path, number, start, name);
	}
	if (ferror(file)) {
		promcb_tool_complain("%s: %s", path, strerror(errno));
		good = false;
	}
	free(line);
	return good;
}

static bool read_map(struct promcb_map *map, const char *path)
{
	FILE *file = fopen(path, "re");
	bool good;

	if (!file) {
		promcb_tool_complain("%s: %s", path, strerror(errno));
		return false;
	}
	good = read_lines(map, path, file);
	fclose(file);
	if (good && map->count == 0) {
		promcb_tool_complain("%s: there is no pattern in it", path);
		good = false;
	}
	return good;
}

struct promcb_map *promcb_map_read(const char *path)
{
	struct promcb_map *map = calloc(1, sizeof(*map));

	if (map) {
		map->match = pcre2_match_data_create(GROUPS, NULL);
		map->limits = pcre2_match_context_create(NULL);
	}
	if (!map || !map->match || !map->limits) {
		promcb_tool_complain("%s: no memory", path);
		promcb_map_end(map);
		return NULL;
	}
	if (!read_map(map, path)) {
		promcb_map_end(map);
		return NULL;
	}
	pcre2_set_match_limit(map->limits, STEPS_MAX);
	pcre2_set_depth_limit(map->limits, STEPS_MAX);
	/* Without one, patterns that are compiled have 32 KiB, which a long text may take. */
	map->stack = pcre2_jit_stack_create(STACK_BYTES_MIN, STACK_BYTES_MAX, NULL);
	if (map->stack)
		pcre2_jit_stack_assign(map->limits, NULL, map->stack);
	return map;
}

void promcb_map_end(struct promcb_map *map)
{
	if (!map)
		return;
	for (size_t i = 0; i < map->count; i++) {
		pcre2_code_free(map->rules[i].code);
		free(map->rules[i].name);
	}
	free(map->rules);
	pcre2_match_data_free(map->match);
	pcre2_match_context_free(map->limits);
	pcre2_jit_stack_free(map->stack);
	free(map);
}

/* The name with its groups filled in. */
static size_t expand(const struct promcb_map *map, const struct rule *rule, int groups, const char *text, char *out)
{
	const PCRE2_SIZE *places = pcre2_get_ovector_pointer(map->match);
	size_t used = 0;

	for (const char *from = rule->name; *from; from++) {
		const char *piece = from;
		size_t bytes = 1;

		if (*from == '$' && *++from != '$') {
			int group = *from - '0';
			bool is_set = group < groups && places[2 * group] != PCRE2_UNSET;

			piece = is_set ? text + places[2 * group] : text;
			bytes = is_set ? places[2 * group + 1] - places[2 * group] : 0;
		}
		if (bytes > PROMCB_MAPPED_BYTES - used)
			bytes = PROMCB_MAPPED_BYTES - used;
		memcpy(out + used, piece, bytes);
		used += bytes;
	}
	return used;
}

size_t promcb_map_apply(struct promcb_map *map, const char *text, size_t bytes, char *out)
{
	for (size_t i = 0; i < map->count; i++) {
		struct rule *rule = &map->rules[i];
		int result = pcre2_match(rule->code, (PCRE2_SPTR)text, bytes, 0, 0, map->match, map->limits);

		/* 0: more groups than there is room for, of which the first are there. */
		if (result >= 0)
			return expand(map, rule, result ? result : GROUPS, text, out);
		if (result != PCRE2_ERROR_NOMATCH && !rule->told) {
			rule->told = true;
			promcb_tool_complain(
				"the pattern of \"%s\" takes too many steps for some texts, which count as not "
				"matching it",
				rule->name);
		}
	}
	memcpy(out, PROMCB_MAP_OTHER, strlen(PROMCB_MAP_OTHER));
	return strlen(PROMCB_MAP_OTHER);
}
