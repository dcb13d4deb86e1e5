/* SPDX-License-Identifier: MIT */
#include "policy.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

enum kind { COUNT, SHARE, PERCENT, MILLISECONDS, NANOSECONDS, MODE };

static const struct key {
	const char *name;
	enum kind kind;
	bool can_be_off;
	size_t offset;
} keys[] = {
	{"failure_rate", SHARE, true, offsetof(struct promcb_policy, failure_permille)},
	{"slow_rate", SHARE, true, offsetof(struct promcb_policy, slow_permille)},
	{"slow", NANOSECONDS, false, offsetof(struct promcb_policy, slow_ns)},
	{"consecutive", COUNT, true, offsetof(struct promcb_policy, consecutive)},
	{"min_calls", COUNT, false, offsetof(struct promcb_policy, min_calls)},
	{"window", MILLISECONDS, false, offsetof(struct promcb_policy, window_ms)},
	{"open", MILLISECONDS, false, offsetof(struct promcb_policy, open_ms)},
	{"open_max", MILLISECONDS, false, offsetof(struct promcb_policy, open_max_ms)},
	{"jitter", PERCENT, true, offsetof(struct promcb_policy, jitter_percent)},
	{"probes", COUNT, false, offsetof(struct promcb_policy, probes)},
	{"successes", COUNT, false, offsetof(struct promcb_policy, successes)},
	{"failures", COUNT, false, offsetof(struct promcb_policy, failures)},
	{"lease", MILLISECONDS, false, offsetof(struct promcb_policy, lease_ms)},
	{"mode", MODE, false, offsetof(struct promcb_policy, mode)},
	{"version", COUNT, false, offsetof(struct promcb_policy, version)},
};

static const struct unit {
	const char *name;
	uint64_t ns;
} units[] = {
	{"d", 86400000000000}, {"h", 3600000000000}, {"m", 60000000000}, {"s", 1000000000},
	{"ms", 1000000},       {"us", 1000},         {"ns", 1},
};

/* -- Numbers ------------------------------------------------------------------------------------------------------- */

/*
 * A decimal number in units of 10^-decimals, exactly; more decimals than that are none. Returns where it ends, or NULL.
 */
static const char *take_number(const char *text, unsigned decimals, uint64_t most, uint64_t *out)
{
	uint64_t number = 0;
	bool has_point = false;
	const char *first = text;

	for (; (*text >= '0' && *text <= '9') || (*text == '.' && !has_point && text > first); text++) {
		if (*text == '.') {
			has_point = true;
			continue;
		}
		if (has_point && decimals == 0)
			return NULL;
		decimals -= has_point;
		number = number * 10 + (uint64_t)(*text - '0');
		if (number > most)
			return NULL;
	}
	if (text == first || text[-1] == '.')
		return NULL;
	for (; decimals > 0; decimals--)
		number *= 10;
	*out = number;
	return text;
}

bool promcb_tool_time_parse(const char *text, uint64_t *out_ns)
{
	const uint64_t most = (uint64_t)366 * 86400, thousandths = 1000;
	const char *end;
	uint64_t number = 0;

	/* In thousandths of the unit. */
	end = take_number(text, 3, most * thousandths, &number);
	if (!end)
		return false;
	if (!*end)
		end = "s";
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcmp(end, units[i].name) != 0)
			continue;
		if (number / thousandths > most * 1000000000 / units[i].ns)
			return false;
		/* Of nanoseconds there are no parts. */
		*out_ns = number / thousandths * units[i].ns + number % thousandths * units[i].ns / thousandths;
		return units[i].ns > 1 || number % thousandths == 0;
	}
	return false;
}

const char *promcb_tool_time_print(uint64_t ns, char *text, size_t room)
{
	size_t i = 0;

	/* The largest unit that leaves three decimals at most. */
	while (i + 1 < sizeof(units) / sizeof(units[0]) &&
	       (ns < units[i].ns || (units[i].ns >= 1000 && ns % (units[i].ns / 1000))))
		i++;
	/* Minutes and more are whole. */
	while (units[i].ns > 1000000000 && ns % units[i].ns)
		i++;
	snprintf(text, room, "%.10g %s", (double)ns / (double)units[i].ns, units[i].name);
	return text;
}

/* -- Keys ---------------------------------------------------------------------------------------------------------- */

static bool take_mode(const char *text, uint32_t *out)
{
	for (uint32_t mode = 0; mode < PROMCB_MODES; mode++)
		if (strcmp(text, promcb_mode_name((enum promcb_mode)mode)) == 0) {
			*out = mode;
			return true;
		}
	return false;
}

static const char *expected(enum kind kind)
{
	static const char *const words[] = {
		[COUNT] = "a whole number",
		[SHARE] = "a share such as 30% or 0.5%",
		[PERCENT] = "a share such as 10%",
		[MILLISECONDS] = "a time such as 500ms, 30s or 5m",
		[NANOSECONDS] = "a time such as 250ms or 2s",
		[MODE] = "automatic, open, closed or shadow",
	};

	return words[kind];
}

/* Returns whether that is one. A version may be 0. */
static bool take_value(const struct key *key, const char *text, struct promcb_policy *policy)
{
	uint32_t *field = (uint32_t *)(void *)((char *)policy + key->offset);
	uint64_t number = 0;
	const char *end;

	if (key->kind == MODE)
		return take_mode(text, field);
	if (key->can_be_off && strcmp(text, "off") == 0) {
		*field = PROMCB_POLICY_OFF;
		return true;
	}
	if (key->kind == MILLISECONDS || key->kind == NANOSECONDS) {
		if (!promcb_tool_time_parse(text, &number) || number == 0)
			return false;
		if (key->kind == NANOSECONDS) {
			policy->slow_ns = number;
			return true;
		}
		if (number % 1000000 || number / 1000000 >= PROMCB_POLICY_OFF)
			return false;
		*field = (uint32_t)(number / 1000000);
		return true;
	}
	end = take_number(text, key->kind == SHARE, PROMCB_POLICY_OFF - 1, &number);
	if (!end || strcmp(end, key->kind == COUNT ? "" : "%") != 0 || number >= PROMCB_POLICY_OFF ||
	    (number == 0 && strcmp(key->name, "version") != 0))
		return false;
	*field = (uint32_t)number;
	return true;
}

static bool take_pair(const char *name, size_t length, const char *value, struct promcb_policy *policy,
		      struct promcb_message *message)
{
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		if (strlen(keys[i].name) != length || memcmp(keys[i].name, name, length) != 0)
			continue;
		if (take_value(&keys[i], value, policy))
			return true;
		snprintf(message->text, sizeof(message->text), "invalid %s \"%s\": expected %s%s", keys[i].name, value,
			 expected(keys[i].kind), keys[i].can_be_off ? ", or off" : "");
		return false;
	}
	snprintf(message->text, sizeof(message->text), "unknown key \"%.*s\": expected " PROMCB_TOOL_POLICY_KEYS,
		 (int)length, name);
	return false;
}

bool promcb_tool_policy_parse(const char *text, struct promcb_policy *out, struct promcb_message *message)
{
	char value[32];

	do {
		size_t length = strcspn(text, ","), name = strcspn(text, "=,");

		if (text[name] != '=' || name == 0 || length - name - 1 >= sizeof(value)) {
			snprintf(message->text, sizeof(message->text),
				 "\"%.*s\" is no KEY=VALUE such as failure_rate=30%%", (int)length, text);
			return false;
		}
		memcpy(value, text + name + 1, length - name - 1);
		value[length - name - 1] = 0;
		if (!take_pair(text, name, value, out, message))
			return false;
		text += length;
	} while (*text++ == ',');
	return true;
}
