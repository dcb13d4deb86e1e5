/* SPDX-License-Identifier: MIT */
/*
 * bodies.c: snapshots of all segments, published with what is rendered from them.
 *
 * A take is one round of snapshots and the bodies made from them, each when it is first asked for. The newest take is
 * published by one pointer; one that is young enough is served again. Invariants: a published take never changes but
 * for body slots that go from NULL to a body, once; a take is freed a grace period after it was replaced; a body when
 * nobody sends it any more.
 */
#include "bodies.h"

#include "body.h"
#include "parts.h"
#include "segments.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <urcu/urcu-bp.h>

enum { FORMATS = PROMCB_FORMAT_PROTOBUF + 1 };
enum { FAMILIES_MAX = 32 };

/* Compressing less than a packet saves nothing; compressing for this machine costs 200 ns a line, sending it 5. */
#define GZIP_WORTH_BYTES ((size_t)1400)
#define GZIP_NEAR_BYTES ((size_t)1048576)

/* How long a take is kept for other formats: its snapshots are 5 KiB a component. */
#define TAKE_KEPT_NS ((uint64_t)2000000000)

struct take {
	struct rcu_head head;
	uint64_t taken_ns;      /* monotonic, when its first snapshot began */
	size_t count;           /* of segments */
	size_t part_count;      /* the same, but 1 where there is no segment: that is worth a promcb_up of 0 */
	struct sidecar_attachment **attachments;
	struct promcb_render_segment *parts;
	struct promcb_message *messages;
	/* Some part was not read for want of time or memory: another scrape may have more. Not published. */
	bool is_short;
	struct sidecar_counted_body *bodies[FORMATS][2];
};

struct sidecar_bodies {
	uint64_t started_ns;            /* Unix nanoseconds */
	struct sidecar_bodies_options options;
	struct sidecar_segments *segments;
	struct take *take;              /* RCU: the newest */
	int waiting;                     /* threads that take snapshots now */
	pthread_t reaper;
	sem_t reaper_wakes;            /* posted when is_published goes from 0 to 1, and to stop */
	int is_published;               /* something is there to be swept */
	int stopping;
};

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* -- Takes -------------------------------------------------------------------------------------------------------- */

static int render(struct sidecar_bodies *bodies, const struct take *take, enum promcb_format format,
		  const char *matching, struct sidecar_counted_body **out)
{
	struct promcb_family families[FAMILIES_MAX];
	struct promcb_render_options options = {
		.matching = matching,
		.flags = bodies->options.without_compat ? PROMCB_RENDER_WITHOUT_COMPAT : 0,
		.prefix = bodies->options.prefix,
		.classic_schema = bodies->options.classic_schema,
		.classic_first = bodies->options.classic_first,
		.classic_last = bodies->options.classic_last,
		.families = families,
		.families_since_ns = bodies->started_ns,
	};

	if (bodies->options.families)
		options.family_count =
			bodies->options.families(bodies->options.families_context, families, FAMILIES_MAX);
	return sidecar_body_render(take->parts, take->part_count, format, &options, out);
}

/* The body of a slot, made if nobody made it yet. Inside of the take's read-side section, or with a take of its own. */
static int body_of(struct sidecar_bodies *bodies, struct take *take, enum promcb_format format, bool gzipped,
		   struct sidecar_counted_body **out)
{
	struct sidecar_counted_body **slot = &take->bodies[format][gzipped];
	struct sidecar_counted_body *body = rcu_dereference(*slot), *there;
	int result;

	if (!body) {
		if (gzipped) {
			struct sidecar_counted_body *plain = NULL;

			result = body_of(bodies, take, format, false, &plain);
			if (result == 0)
				result = sidecar_body_compress(plain, &body);
			if (plain)
				sidecar_body_put(&plain->body);
		} else {
			result = render(bodies, take, format, NULL, &body);
		}
		if (result < 0)
			return result;
		there = rcu_cmpxchg_pointer(slot, NULL, body);
		if (there) {
			sidecar_body_put(&body->body);
			body = there;
		}
	}
	/* The slot's own use keeps it alive until the take goes. */
	uatomic_inc(&body->users);
	*out = body;
	return 0;
}

static void take_free(struct take *take)
{
	if (!take)
		return;
	for (size_t i = 0; i < take->count; i++) {
		/* A snapshot is const to those who render it, not to its owner. */
		promcb_snapshot_free((struct promcb_snapshot *)(uintptr_t)take->parts[i].snapshot);
		sidecar_attachment_put(take->attachments[i]);
	}
	for (int format = 0; format < FORMATS; format++) {
		for (int gzipped = 0; gzipped < 2; gzipped++) {
			if (take->bodies[format][gzipped])
				sidecar_body_put(&take->bodies[format][gzipped]->body);
		}
	}
	free(take->attachments);
	free(take->parts);
	free(take->messages);
	free(take);
}

static void take_free_later(struct rcu_head *head)
{
	take_free((struct take *)head); /* its first member */
}

/* Snapshots of all there is. Returns 0, or -errno, as sidecar_parts_take(). */
static int take_new(struct sidecar_bodies *bodies, uint64_t flags, const char *matching, uint64_t deadline_ns,
		    struct take **out)
{
	struct sidecar_attachment *held[SIDECAR_SEGMENTS_MAX];
	int count = sidecar_segments_hold(bodies->segments, held);
	struct take *take = count < 0 ? NULL : calloc(1, sizeof(*take));
	int result;

	if (count < 0)
		return count;
	if (take) {
		take->taken_ns = now_ns();
		take->attachments = calloc((size_t)count + 1, sizeof(struct sidecar_attachment *));
		take->parts = calloc((size_t)count + 1, sizeof(*take->parts));
		take->messages = calloc((size_t)count + 1, sizeof(*take->messages));
	}
	if (!take || !take->attachments || !take->parts || !take->messages) {
		for (int i = 0; i < count; i++)
			sidecar_attachment_put(held[i]);
		take_free(take);
		return -ENOMEM;
	}
	for (int i = 0; i < count; i++)
		take->attachments[i] = held[i];
	take->count = (size_t)count;
	take->part_count = count ? take->count : 1;
	result = sidecar_parts_take(&(struct sidecar_parts){take->attachments, take->parts, take->messages, take->count,
							    sidecar_segments_are_several(bodies->segments), flags,
							    matching, bodies->options.idle_ns},
				    deadline_ns, &take->is_short);
	if (result < 0) {
		take_free(take);
		take = NULL;
	}
	*out = take;
	return result;
}

/* Puts a newer take in the place of an older one. Returns whether it did; else it stays the caller's. */
static bool publish(struct sidecar_bodies *bodies, struct take *take)
{
	struct take *there = rcu_dereference(bodies->take);

	for (;;) {
		if (there && there->taken_ns >= take->taken_ns)
			return false;
		struct take *seen = rcu_cmpxchg_pointer(&bodies->take, there, take);

		if (seen == there)
			break;
		there = seen;
	}
	if (there)
		urcu_bp_call_rcu(&there->head, take_free_later);
	if (uatomic_xchg(&bodies->is_published, 1) == 0)
		sem_post(&bodies->reaper_wakes);
	return true;
}

/* Whether a take can be served again: it is young, or hardly older while somebody takes the next one. */
static bool is_fresh(const struct sidecar_bodies *bodies, const struct take *take, uint64_t now)
{
	uint64_t share_ns = bodies->options.share_ns;

	if (!take)
		return false;
	if (uatomic_read(&bodies->waiting) > 0)
		share_ns *= 2;
	return now < take->taken_ns || now - take->taken_ns < share_ns;
}

/*
 * Calls use with a fresh take, in a read-side section. Two that find none at the same time take one each, since
 * waiting for the other could last as long as taking.
 */
static int with_take(struct sidecar_bodies *bodies, uint64_t budget_ns,
		     int (*use)(struct sidecar_bodies *bodies, struct take *take, void *context), void *context)
{
	uint64_t now = now_ns();
	struct take *take, *own = NULL;
	int result = 0;

	urcu_bp_read_lock();
	take = rcu_dereference(bodies->take);
	if (!is_fresh(bodies, take, now)) {
		uatomic_inc(&bodies->waiting);
		result = take_new(bodies, 0, bodies->options.matching, now + budget_ns, &own);
		if (result == 0) {
			take = own;
			if (!own->is_short && publish(bodies, own))
				own = NULL;
		}
		uatomic_dec(&bodies->waiting);
	}
	if (result == 0)
		result = use(bodies, take, context);
	urcu_bp_read_unlock();
	take_free(own);
	return result;
}

/* Retires the published take if it is old. Returns whether there is another one to come back for. */
static bool sweep_once(struct sidecar_bodies *bodies)
{
	bool is_left;

	urcu_bp_read_lock();
	struct take *take = rcu_dereference(bodies->take);

	/* None: whoever published it said so only after it was retired. */
	if (!take || now_ns() >= take->taken_ns + TAKE_KEPT_NS) {
		/* Whoever publishes from here on posts; whoever did just before is seen below. */
		uatomic_set(&bodies->is_published, 0);
		cmm_smp_mb();
		if (take && rcu_cmpxchg_pointer(&bodies->take, take, NULL) == take)
			urcu_bp_call_rcu(&take->head, take_free_later);
		is_left = rcu_dereference(bodies->take) && uatomic_xchg(&bodies->is_published, 1) == 0;
	} else {
		is_left = true;
	}
	urcu_bp_read_unlock();
	return is_left;
}

/*
 * The thread that retires a take that nobody asks for again, so that an idle sidecar is small. It sleeps until there
 * is one: being idle costs no time.
 */
static void *sweep(void *context)
{
	struct sidecar_bodies *bodies = context;

	while (!uatomic_read(&bodies->stopping)) {
		if (sem_wait(&bodies->reaper_wakes) < 0)
			continue;
		/* What woke it may be the stop, which comes once. */
		while (!uatomic_read(&bodies->stopping)) {
			uint64_t end_ns = now_ns() + TAKE_KEPT_NS;
			const struct timespec until = {(time_t)(end_ns / 1000000000), (long)(end_ns % 1000000000)};

			sem_clockwait(&bodies->reaper_wakes, CLOCK_MONOTONIC, &until);
			if (uatomic_read(&bodies->stopping) || !sweep_once(bodies))
				break;
		}
	}
	return NULL;
}

/* -- Calls of bodies.h -------------------------------------------------------------------------------------------- */

struct wanted {
	enum promcb_format format;
	enum sidecar_gzip gzip;
	const char *matching;
	struct sidecar_body *out;
};

static int use_for_metrics(struct sidecar_bodies *bodies, struct take *take, void *context)
{
	struct wanted *wanted = context;
	struct sidecar_counted_body *plain, *gzipped;
	int result = body_of(bodies, take, wanted->format, false, &plain);
	size_t most = wanted->gzip == SIDECAR_GZIP_SMALL ? GZIP_NEAR_BYTES : SIZE_MAX;

	if (result < 0)
		return result;
	wanted->out = &plain->body;
	if (wanted->gzip == SIDECAR_GZIP_NEVER || plain->body.length < GZIP_WORTH_BYTES || plain->body.length > most)
		return 0;
	/* Without memory for the small form, the large one does. */
	if (body_of(bodies, take, wanted->format, true, &gzipped) == 0) {
		sidecar_body_put(&plain->body);
		wanted->out = &gzipped->body;
	}
	return 0;
}

int sidecar_body_metrics(struct sidecar_bodies *bodies, enum promcb_format format, enum sidecar_gzip gzip,
			 uint64_t budget_ns, struct sidecar_body **out)
{
	struct wanted wanted = {.format = format, .gzip = gzip};
	int result = with_take(bodies, budget_ns, use_for_metrics, &wanted);

	*out = wanted.out;
	return result;
}

static int use_for_json(struct sidecar_bodies *bodies, struct take *take, void *context)
{
	struct wanted *wanted = context;
	struct sidecar_counted_body *body;
	int result = render(bodies, take, wanted->format, wanted->matching, &body);

	if (result < 0)
		return result;
	for (size_t i = 0; i < take->part_count; i++)
		body->body.is_partial |= !take->parts[i].snapshot;
	wanted->out = &body->body;
	return 0;
}

int sidecar_body_json(struct sidecar_bodies *bodies, enum promcb_format format, const char *matching,
		      uint64_t budget_ns, struct sidecar_body **out)
{
	struct wanted wanted = {.format = format, .matching = matching};
	int result = with_take(bodies, budget_ns, use_for_json, &wanted);

	*out = wanted.out;
	return result;
}

struct describing {
	void (*each)(void *context, const struct sidecar_segment *segment);
	void *context;
};

static void describe(const struct take *take, const struct describing *describing)
{
	for (size_t i = 0; i < take->count; i++) {
		const struct sidecar_segment segment = {
			.name = take->attachments[i]->name,
			.attached = take->parts[i].snapshot != NULL,
			.error = uatomic_read(&take->attachments[i]->error),
			.message = take->parts[i].snapshot ? "" : take->messages[i].text,
			.snapshot = take->parts[i].snapshot,
		};

		describing->each(describing->context, &segment);
	}
}

static int use_for_description(struct sidecar_bodies *bodies, struct take *take, void *context)
{
	(void)bodies;
	describe(take, context);
	return 0;
}

int sidecar_bodies_describe(struct sidecar_bodies *bodies, uint64_t budget_ns,
			    void (*each)(void *context, const struct sidecar_segment *segment), void *context)
{
	struct describing describing = {.each = each, .context = context};

	return with_take(bodies, budget_ns, use_for_description, &describing);
}

int sidecar_bodies_look(struct sidecar_bodies *bodies, const struct sidecar_look *look,
			void (*each)(void *context, const struct sidecar_segment *segment), void *context)
{
	struct take *take = NULL;
	int result = take_new(bodies, look->flags, look->matching ? look->matching : bodies->options.matching,
			      now_ns() + look->budget_ns, &take);

	if (result == 0)
		describe(take, &(struct describing){each, context});
	take_free(take);
	return result;
}

bool sidecar_bodies_ready(struct sidecar_bodies *bodies)
{
	struct sidecar_attachment *held[SIDECAR_SEGMENTS_MAX];
	int count = sidecar_segments_hold(bodies->segments, held);
	bool is_ready = count > 0;

	for (int i = 0; i < count; i++) {
		struct promcb_message message;

		if (sidecar_attachment_snapshot(held[i], NULL, NULL, NULL, &message) < 0)
			is_ready = false;
		sidecar_attachment_put(held[i]);
	}
	return is_ready;
}

int sidecar_bodies_start(const struct sidecar_bodies_options *options, struct sidecar_bodies **out)
{
	struct sidecar_bodies *bodies = calloc(1, sizeof(*bodies));
	int result = promcb_reader_catch_sigbus();

	if (!bodies)
		return -ENOMEM;
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	bodies->started_ns = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
	bodies->options = *options;
	bodies->segments = sidecar_segments_new(options->segments, options->segment_count);
	if (!bodies->segments)
		result = -ENOMEM;
	sem_init(&bodies->reaper_wakes, 0, 0);
	if (result == 0)
		result = -pthread_create(&bodies->reaper, NULL, sweep, bodies);
	if (result < 0) {
		sidecar_segments_free(bodies->segments);
		free(bodies);
		return result;
	}
	/* Says in the log what there is, and what is missing. */
	sidecar_bodies_ready(bodies);
	*out = bodies;
	return 0;
}

void sidecar_bodies_stop(struct sidecar_bodies *bodies)
{
	if (!bodies)
		return;
	uatomic_set(&bodies->stopping, 1);
	sem_post(&bodies->reaper_wakes);
	pthread_join(bodies->reaper, NULL);
	urcu_bp_barrier();
	take_free(bodies->take);
	sidecar_segments_free(bodies->segments);
	free(bodies);
}
