/* SPDX-License-Identifier: MIT */
/*
 * worker.c: the segment as one worker has it.
 *
 * Names that come of variables are looked up in a table of the worker's own, which has promcb_names of them at most:
 * clients may choose them. What comes beyond, or cannot be a name, is counted as "_overflow".
 *
 * A segment that cannot be opened is tried again, at most once in RETRY_SECONDS, by the requests that would be counted.
 */
#include "promcb_nginx.h"

#define RETRY_SECONDS 10

/* A name as it was given, and its component. handle NULL: a free place. */
struct known_name {
	struct promcb_component *handle;
	uint32_t hash;
	uint32_t length;
	u_char bytes[PROMCB_NAME_MAX + 1];
};

static struct {
	const struct promcb_nginx_main *main; /* of the configuration that this is for */
	struct promcb_session *session;       /* NULL: it cannot be opened */
	struct promcb_component *overflow;
	time_t retry; /* not before */
	struct known_name *names;
	uint32_t names_mask; /* places, a power of two, less one */
	uint32_t names_count;
	uint32_t seed;
	unsigned told_full : 1;
	unsigned told_room : 1;
} worker;

static void look_up_constants(const struct promcb_nginx_main *main, ngx_log_t *log);

static bool open_segment(const struct promcb_nginx_main *main, ngx_log_t *log)
{
	struct promcb_message message = {.text = ""};
	struct promcb_options options = main->options;
	bool again = worker.retry != 0;
	int result;

	worker.retry = ngx_time() + RETRY_SECONDS;
	options.message = &message;
	result = promcb_open((const char *)main->segment.data, &options, &worker.session);
	if (result < 0) {
		worker.session = NULL;
		ngx_log_error(NGX_LOG_ERR, log, 0, "promcb: %s: nothing is counted; the next try is in %d seconds",
			      message.text, RETRY_SECONDS);
		return false;
	}
	if (message.text[0])
		ngx_log_error(NGX_LOG_WARN, log, 0, "promcb: %s", message.text);
	if (again)
		ngx_log_error(NGX_LOG_NOTICE, log, 0, "promcb: the segment is open: what comes is counted");
	/* No name: what is against the rules has the handle of "_overflow". */
	promcb_component_with(worker.session, "", NULL, 0, &worker.overflow);
	look_up_constants(main, log);
	return true;
}

/* Whether there is a segment. Workers come here with their first request and, without a segment, with each. */
static bool has_segment(const struct promcb_nginx_main *main, ngx_log_t *log)
{
	/* A single process goes on as it is when its configuration is read anew. */
	if (worker.main != main) {
		promcb_nginx_worker_end(NULL);
		worker.main = main;
	}
	if (worker.session)
		return true;
	return ngx_time() >= worker.retry && open_segment(main, log);
}

/* The handle is always one that counts; what comes of it otherwise is told once. */
static struct promcb_component *register_name(const char *name, const struct promcb_label *labels, size_t count,
					      ngx_log_t *log)
{
	struct promcb_component *handle;
	int result = promcb_component_with(worker.session, name, labels, count, &handle);

	if (result < 0 && !worker.told_room) {
		worker.told_room = 1;
		ngx_log_error(NGX_LOG_WARN, log, 0,
			      "promcb: \"%s\" and what else cannot be registered is counted as "
			      "\"_overflow\": %s",
			      name, promcb_strerror(result));
	}
	return handle;
}

static void look_up_constants(const struct promcb_nginx_main *main, ngx_log_t *log)
{
	struct promcb_nginx_target **targets = main->targets.elts;

	for (ngx_uint_t i = 0; i < main->targets.nelts; i++) {
		struct promcb_label labels[PROMCB_COMPONENT_LABELS_MAX];
		char text[PROMCB_FULL_NAME_MAX + 1];
		const ngx_str_t *name = &targets[i]->text.value;

		/* Longer ones were refused with the configuration. */
		ngx_cpystrn((u_char *)text, name->data, ngx_min(name->len + 1, sizeof(text)));
		size_t count = promcb_name_labels(text, labels, PROMCB_COMPONENT_LABELS_MAX);

		targets[i]->handle = register_name(text, labels, count, log);
	}
}

/* -- Names that come of variables -------------------------------------------------------------------------------- */

/* Keyed, since clients may choose names: FNV-1a behind a random start. */
static uint32_t hash_of(const u_char *bytes, size_t length)
{
	uint32_t hash = worker.seed;

	for (size_t i = 0; i < length; i++)
		hash = (hash ^ bytes[i]) * 16777619;
	return hash;
}

static struct known_name *place_of(const u_char *bytes, size_t length, uint32_t hash)
{
	uint32_t at = hash & worker.names_mask;

	/* There are twice as many places as names. */
	while (worker.names[at].handle) {
		struct known_name *name = &worker.names[at];

		if (name->hash == hash && name->length == length && ngx_memcmp(name->bytes, bytes, length) == 0)
			break;
		at = (at + 1) & worker.names_mask;
	}
	return &worker.names[at];
}

static bool make_table(const struct promcb_nginx_main *main, ngx_log_t *log)
{
	uint32_t places = 2;

	while (places < 2 * (uint32_t)main->names_max)
		places *= 2;
	worker.names = ngx_calloc(places * sizeof(*worker.names), log);
	worker.names_mask = places - 1;
	worker.names_count = 0;
	worker.seed = 2166136261u ^ (uint32_t)ngx_random() ^ (uint32_t)ngx_pid << 16;
	return worker.names != NULL;
}

static struct promcb_component *add_name(struct known_name *place, const ngx_str_t *given, uint32_t hash,
					 ngx_log_t *log)
{
	char name[PROMCB_NAME_MAX + 1];
	const char *trimmed = (const char *)given->data;
	size_t length = given->len;

	promcb_name_trim(&trimmed, &length);
	if (promcb_name_error(trimmed, length))
		return worker.overflow;
	if (worker.names_count >= (uint32_t)worker.main->names_max) {
		if (!worker.told_full) {
			worker.told_full = 1;
			ngx_log_error(NGX_LOG_WARN, log, 0,
				      "promcb: there are %uD names in this worker: others, such as "
				      "\"%V\", are counted as \"_overflow\" (promcb_names)",
				      worker.names_count, given);
		}
		return worker.overflow;
	}
	*ngx_cpymem((u_char *)name, trimmed, length) = 0;
	struct promcb_component *handle = register_name(name, NULL, 0, log);

	/* Room may come, so what found none is not kept. */
	if (handle == worker.overflow)
		return handle;
	place->handle = handle;
	place->hash = hash;
	place->length = (uint32_t)given->len;
	ngx_memcpy(place->bytes, given->data, given->len);
	worker.names_count++;
	return handle;
}

static bool text_of(ngx_http_request_t *r, struct promcb_nginx_target *target, ngx_str_t *text)
{
	const ngx_http_variable_value_t *value;

	if (target->variable < 0)
		return ngx_http_complex_value(r, &target->text, text) == NGX_OK;
	/* Without a copy. */
	value = ngx_http_get_flushed_variable(r, (ngx_uint_t)target->variable);
	if (!value || value->not_found)
		return false;
	text->data = value->data;
	text->len = value->len;
	return true;
}

struct promcb_component *promcb_nginx_component(ngx_http_request_t *r, struct promcb_nginx_target *target)
{
	ngx_log_t *log = r->connection->log;
	ngx_str_t name;

	if (target->handle)
		return target->handle;
	if (!has_segment(ngx_http_get_module_main_conf(r, ngx_http_promcb_module), log))
		return NULL;
	if (target->is_constant)
		return target->handle;
	if (!text_of(r, target, &name) || name.len == 0)
		return NULL;
	if (name.len > PROMCB_NAME_MAX)
		return worker.overflow;
	if (!worker.names && !make_table(worker.main, log))
		return worker.overflow;
	uint32_t hash = hash_of(name.data, name.len);
	struct known_name *place = place_of(name.data, name.len, hash);

	return place->handle ? place->handle : add_name(place, &name, hash, log);
}

/* -- A worker's life ---------------------------------------------------------------------------------------------- */

ngx_int_t promcb_nginx_worker_start(ngx_cycle_t *cycle)
{
	struct promcb_nginx_main *main = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_promcb_module);

	/* Processes that look after caches come here, too. */
	if (ngx_process != NGX_PROCESS_WORKER && ngx_process != NGX_PROCESS_SINGLE)
		return NGX_OK;
	if (main && (main->counts_requests || main->counts_tries))
		(void)has_segment(main, cycle->log);
	return NGX_OK;
}

void promcb_nginx_worker_end(ngx_cycle_t *cycle)
{
	(void)cycle;
	promcb_close(worker.session);
	if (worker.names)
		ngx_free(worker.names);
	ngx_memzero(&worker, sizeof(worker));
}
