/* SPDX-License-Identifier: MIT */
/* web_config_reading.h: what the readers of a web configuration's sections share. */
#ifndef PROMCB_SIDECAR_WEB_CONFIG_READING_H
#define PROMCB_SIDECAR_WEB_CONFIG_READING_H

#include "web_config_file.h"
#include "web_config_yaml.h"

struct reading {
	struct sidecar_yaml yaml;
	struct sidecar_web_settings *settings;
};

/* What a key stands for. The event at hand is its value, of which the last event is at hand afterwards. */
struct key {
	const char *name;
	int (*read)(struct reading *reading, const struct key *key);
	size_t offset; /* of what it is read into, in the settings */
};

/* A mapping of known keys. section: its name; "": the whole file. Returns 0, or -errno with a sentence. */
int sidecar_web_read_keys(struct reading *reading, const char *section, const struct key *keys, size_t count);

/* The sections but for TLS. */
int sidecar_web_read_http(struct reading *reading, const struct key *key);
int sidecar_web_read_users(struct reading *reading, const struct key *key);
int sidecar_web_read_rate_limit(struct reading *reading, const struct key *key);

#endif
