/* SPDX-License-Identifier: MIT */
/*
 * module.c: directives, and what a configuration is made of. promcb-nginx(7) describes each.
 */
#include "promcb_nginx.h"

#include "directives.h"

/* -- Variables ---------------------------------------------------------------------------------------------------- */

static ngx_int_t no_value(ngx_http_request_t *r, ngx_http_variable_value_t *v, uintptr_t data)
{
	(void)r, (void)data;
	v->not_found = 1;
	return NGX_OK;
}

/* $promcb_peer: of the try that is being counted. */
static ngx_int_t peer_value(ngx_http_request_t *r, ngx_http_variable_value_t *v, uintptr_t data)
{
	const struct promcb_nginx_main *main = ngx_http_get_module_main_conf(r, ngx_http_promcb_module);

	(void)data;
	if (!main->peer) {
		v->not_found = 1;
		return NGX_OK;
	}
	v->data = main->peer->data;
	v->len = (unsigned)main->peer->len;
	v->valid = 1;
	v->no_cacheable = 1;
	v->not_found = 0;
	return NGX_OK;
}

/* With blanks, so that no configuration can name them: their values are room that each request has. */
static ngx_str_t start_name = ngx_string("promcb start");
static ngx_str_t subrequests_name = ngx_string("promcb subrequests");
static ngx_str_t times_name = ngx_string("promcb times");
static ngx_str_t peer_name = ngx_string("promcb_peer");

static ngx_int_t add_variables(ngx_conf_t *cf)
{
	ngx_http_variable_t *peer = ngx_http_add_variable(cf, &peer_name, NGX_HTTP_VAR_NOCACHEABLE);

	if (!peer)
		return NGX_ERROR;
	peer->get_handler = peer_value;
	return NGX_OK;
}

static ngx_int_t add_room(ngx_conf_t *cf, ngx_str_t *name)
{
	ngx_http_variable_t *variable = ngx_http_add_variable(cf, name, NGX_HTTP_VAR_NOHASH);

	if (!variable)
		return NGX_ERROR;
	variable->get_handler = no_value;
	return ngx_http_get_variable_index(cf, name);
}

/* -- A configuration ---------------------------------------------------------------------------------------------- */

static void *create_main(ngx_conf_t *cf)
{
	struct promcb_nginx_main *main = ngx_pcalloc(cf->pool, sizeof(*main));

	if (!main)
		return NULL;
	main->required = NGX_CONF_UNSET;
	main->names_max = NGX_CONF_UNSET;
	main->start = NGX_ERROR;
	main->subrequests = NGX_ERROR;
	main->times = NGX_ERROR;
	if (ngx_array_init(&main->targets, cf->pool, 4, sizeof(struct promcb_nginx_target *)) != NGX_OK)
		return NULL;
	return main;
}

static char *init_main(ngx_conf_t *cf, void *conf)
{
	struct promcb_nginx_main *main = conf;

	(void)cf;
	ngx_conf_init_value(main->required, 0);
	ngx_conf_init_value(main->names_max, 1000);
	return NGX_CONF_OK;
}

static void *create_location(ngx_conf_t *cf)
{
	struct promcb_nginx_location *location = ngx_pcalloc(cf->pool, sizeof(*location));

	if (!location)
		return NULL;
	location->on = NGX_CONF_UNSET;
	location->component = NGX_CONF_UNSET_PTR;
	location->upstream = NGX_CONF_UNSET_PTR;
	location->failures = NGX_CONF_UNSET_PTR;
	location->timeless = NGX_CONF_UNSET_PTR;
	location->failed = NGX_CONF_UNSET_PTR;
	return location;
}

static char *merge_location(ngx_conf_t *cf, void *parent, void *child)
{
	struct promcb_nginx_location *outer = parent, *inner = child;

	ngx_conf_merge_value(inner->on, outer->on, 1);
	ngx_conf_merge_ptr_value(inner->component, outer->component, NULL);
	ngx_conf_merge_ptr_value(inner->upstream, outer->upstream, NULL);
	ngx_conf_merge_ptr_value(inner->failures, outer->failures, NULL);
	ngx_conf_merge_ptr_value(inner->timeless, outer->timeless, NULL);
	ngx_conf_merge_ptr_value(inner->failed, outer->failed, NULL);
	inner->counted_component = inner->on ? inner->component : NULL;
	inner->counted_upstream = inner->on ? inner->upstream : NULL;
	/* The outermost has not been merged into anything, and has none. */
	if (outer->rules && inner->failures == outer->failures && inner->timeless == outer->timeless) {
		inner->rules = outer->rules;
		return NGX_CONF_OK;
	}
	inner->rules = ngx_pcalloc(cf->pool, sizeof(*inner->rules));
	if (!inner->rules)
		return NGX_CONF_ERROR;
	promcb_failures_default(&inner->rules->failures);
	if (inner->failures)
		inner->rules->failures = *inner->failures;
	inner->rules->timeless.fails[PROMCB_STATUS_SWITCHED] = true;
	if (inner->timeless)
		inner->rules->timeless = *inner->timeless;
	return NGX_CONF_OK;
}

static ngx_int_t add_handler(ngx_conf_t *cf, ngx_http_phases phase, ngx_http_handler_pt handler)
{
	ngx_http_core_main_conf_t *core = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);
	ngx_http_handler_pt *place = ngx_array_push(&core->phases[phase].handlers);

	if (!place)
		return NGX_ERROR;
	*place = handler;
	return NGX_OK;
}

/* A configuration that counts nothing costs nothing. */
static ngx_int_t install(ngx_conf_t *cf)
{
	struct promcb_nginx_main *main = ngx_http_conf_get_module_main_conf(cf, ngx_http_promcb_module);
	struct promcb_message message = {.text = ""};

	if (!main->counts_requests && !main->counts_tries)
		return NGX_OK;
	if (main->required && promcb_nginx_prepare(main, cf->cycle, &message) < 0) {
		ngx_log_error(NGX_LOG_EMERG, cf->log, 0, "promcb_required: %s", message.text);
		return NGX_ERROR;
	}
	main->start = add_room(cf, &start_name);
	if (main->start == NGX_ERROR || add_handler(cf, NGX_HTTP_LOG_PHASE, promcb_nginx_count_request) != NGX_OK ||
	    add_handler(cf, NGX_HTTP_POST_READ_PHASE, promcb_nginx_start_request) != NGX_OK)
		return NGX_ERROR;
	if (!main->counts_tries)
		return NGX_OK;
	main->subrequests = add_room(cf, &subrequests_name);
	main->times = add_room(cf, &times_name);
	if (main->subrequests == NGX_ERROR || main->times == NGX_ERROR || promcb_nginx_time_tries(cf, main) != NGX_OK)
		return NGX_ERROR;
	return add_handler(cf, NGX_HTTP_PREACCESS_PHASE, promcb_nginx_note_subrequest);
}

/*
 * In the master, before its workers: a segment is theirs even where they could not make one. Whoever cannot make it
 * leaves it to them, who say so if they cannot either.
 */
static ngx_int_t prepare(ngx_cycle_t *cycle)
{
	const struct promcb_nginx_main *main = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_promcb_module);
	struct promcb_message message = {.text = ""};

	if (main && (main->counts_requests || main->counts_tries) && !ngx_test_config)
		(void)promcb_nginx_prepare(main, cycle, &message);
	return NGX_OK;
}

/* -- Directives --------------------------------------------------------------------------------------------------- */

#define ANYWHERE (NGX_HTTP_MAIN_CONF | NGX_HTTP_SRV_CONF | NGX_HTTP_LOC_CONF | NGX_HTTP_LIF_CONF)
#define OF_MAIN(field) NGX_HTTP_MAIN_CONF_OFFSET, offsetof(struct promcb_nginx_main, field)
#define OF_LOCATION(field) NGX_HTTP_LOC_CONF_OFFSET, offsetof(struct promcb_nginx_location, field)

static ngx_command_t commands[] = {
	{ngx_string("promcb_segment"), NGX_HTTP_MAIN_CONF | NGX_CONF_1MORE, promcb_nginx_set_segment, OF_MAIN(segment),
	 NULL},
	{ngx_string("promcb_required"), NGX_HTTP_MAIN_CONF | NGX_CONF_FLAG, ngx_conf_set_flag_slot, OF_MAIN(required),
	 NULL},
	{ngx_string("promcb_names"), NGX_HTTP_MAIN_CONF | NGX_CONF_TAKE1, promcb_nginx_set_names, OF_MAIN(names_max),
	 NULL},
	{ngx_string("promcb"), ANYWHERE | NGX_CONF_FLAG, ngx_conf_set_flag_slot, OF_LOCATION(on), NULL},
	{ngx_string("promcb_component"), ANYWHERE | NGX_CONF_TAKE1, promcb_nginx_set_target, OF_LOCATION(component),
	 NULL},
	{ngx_string("promcb_upstream"), ANYWHERE | NGX_CONF_TAKE1, promcb_nginx_set_target, OF_LOCATION(upstream),
	 NULL},
	{ngx_string("promcb_failure"), ANYWHERE | NGX_CONF_1MORE, promcb_nginx_set_statuses, OF_LOCATION(failures),
	 NULL},
	{ngx_string("promcb_failed"), ANYWHERE | NGX_CONF_TAKE1, promcb_nginx_set_condition, OF_LOCATION(failed), NULL},
	{ngx_string("promcb_no_latency"), ANYWHERE | NGX_CONF_1MORE, promcb_nginx_set_statuses, OF_LOCATION(timeless),
	 NULL},
	ngx_null_command,
};

static ngx_http_module_t context = {
	.preconfiguration = add_variables,
	.postconfiguration = install,
	.create_main_conf = create_main,
	.init_main_conf = init_main,
	.create_loc_conf = create_location,
	.merge_loc_conf = merge_location,
};

/* clang-format off: the macros are lists of fields */
ngx_module_t ngx_http_promcb_module = {
	NGX_MODULE_V1,
	&context,
	commands,
	NGX_HTTP_MODULE,
	NULL,
	prepare,
	promcb_nginx_worker_start,
	NULL,
	NULL,
	promcb_nginx_worker_end,
	NULL,
	NGX_MODULE_V1_PADDING,
};
/* clang-format on */
