/* SPDX-License-Identifier: MIT */
/*
 * bodies.h: what is served: the attached segments, their snapshots and the bodies rendered from them.
 *
 * Scrapes wait neither for each other nor for an attach: attached segments and rendered bodies are published by one
 * pointer each and retired after a grace period (userspace RCU). A body that is younger than share_ns is served again
 * instead of taking a snapshot, so that a crowd of scrapes costs producers no more than about 1 / share_ns snapshots a
 * second do.
 */
#ifndef PROMCB_SIDECAR_BODIES_H
#define PROMCB_SIDECAR_BODIES_H

#include <promcb/reader.h>

struct sidecar_bodies;

struct sidecar_bodies_options {
	const char *const
		*segments;    /* names or paths, or glob patterns of them; borrowed until sidecar_bodies_stop() */
	size_t segment_count;
	const char *matching;           /* of components, as in promcb_snapshot_options; NULL: all; borrowed likewise */
	const uint64_t *idle_ns;        /* what is idle for so long is left out; NULL: nothing; borrowed likewise */
	const char *prefix; /* as in promcb_render_options; NULL: the default */
	bool without_compat;
	unsigned classic_schema;
	int classic_first, classic_last;
	uint64_t share_ns;              /* how old a body may be that is served again */
	/* Fills in the process's own families, at most capacity; they stay until the next call by the same thread. */
	size_t (*families)(void *context, struct promcb_family *families, size_t capacity);
	void *families_context;
};

/* Bytes to serve, shared by whoever holds a reference. */
struct sidecar_body {
	const void *bytes;
	size_t length;
	const char *content_type;
	bool gzipped;
	bool is_partial; /* of sidecar_body_json(): a segment could not be read */
};

/* Whether a body may be compressed. */
enum sidecar_gzip {
	SIDECAR_GZIP_NEVER = 0,
	SIDECAR_GZIP_ALWAYS = 1,
	SIDECAR_GZIP_SMALL =
		2, /* up to 1 MiB: for a peer on this machine, to whom more bytes cost less than gzip does */
};

/*
 * Starts following the segments, and installs the library's guard against SIGBUS. Missing segments are no error.
 * Returns 0, or -errno.
 */
int sidecar_bodies_start(const struct sidecar_bodies_options *options, struct sidecar_bodies **out);

/* Nobody may be in a call of this module any more. */
void sidecar_bodies_stop(struct sidecar_bodies *bodies);

/*
 * The body of a scrape: text, OpenMetrics or protobuf. gzip: compressed, if it is worth it. budget_ns: give up
 * after this long. Returns 0, or -errno: -EAGAIN, -ETIMEDOUT (of no segment a snapshot within the budget), -ENOMEM. A
 * segment that cannot be read, or not in time, is no error where another can: its promcb_up is 0. The caller puts the
 * body. Thread-safe.
 */
int sidecar_body_metrics(struct sidecar_bodies *bodies, enum promcb_format format, enum sidecar_gzip gzip,
			 uint64_t budget_ns, struct sidecar_body **out);

/* The body of PROMCB_FORMAT_JSON or _HEALTH; matching: as in promcb_render_options. Returns as above. Thread-safe. */
int sidecar_body_json(struct sidecar_bodies *bodies, enum promcb_format format, const char *matching,
		      uint64_t budget_ns, struct sidecar_body **out);

void sidecar_body_put(struct sidecar_body *body);

/* Whether at least one segment is attached, and none that was asked for by name is missing. Thread-safe. */
bool sidecar_bodies_ready(struct sidecar_bodies *bodies);

/* One segment, as a person wants to see it. */
struct sidecar_segment {
	const char *name;        /* as asked for, or as the glob found it */
	bool attached;
	int error;               /* of the last attempt, as -errno */
	const char *message;     /* why it is not attached, or "" */
	const struct promcb_snapshot *snapshot; /* NULL: none */
};

/* Calls each for every segment, with a fresh or shared snapshot, in the order of the names. Returns 0, or -errno. */
int sidecar_bodies_describe(struct sidecar_bodies *bodies, uint64_t budget_ns,
			    void (*each)(void *context, const struct sidecar_segment *segment), void *context);

/* A look that is nobody else's. */
struct sidecar_look {
	uint64_t flags;       /* as in promcb_snapshot_options */
	const char *matching; /* likewise; NULL: as all that is served */
	uint64_t budget_ns;
};

/* The same with snapshots that are neither shared nor kept. Thread-safe. */
int sidecar_bodies_look(struct sidecar_bodies *bodies, const struct sidecar_look *look,
			void (*each)(void *context, const struct sidecar_segment *segment), void *context);

#endif
