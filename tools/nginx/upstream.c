/* SPDX-License-Identifier: MIT */
/*
 * upstream.c: from the tries of upstreams to calls that are recorded.
 *
 * nginx keeps a state of each try until the request is logged: which peer, how long, which status. A state without a
 * peer parts the tries of one upstream from those of another, and is none.
 */
#include "promcb_nginx.h"

#define NS_PER_MS ((uint64_t)1000000)
#define NO_TIME ((ngx_msec_t)-1)

ngx_int_t promcb_nginx_note_subrequest(ngx_http_request_t *r)
{
	const struct promcb_nginx_location *location = ngx_http_get_module_loc_conf(r, ngx_http_promcb_module);
	const struct promcb_nginx_main *main = ngx_http_get_module_main_conf(r, ngx_http_promcb_module);
	ngx_http_variable_value_t *first = &r->variables[main->subrequests];
	struct promcb_nginx_subrequest *link;

	if (r == r->main || !location->counted_upstream)
		return NGX_DECLINED;
	/* One that was redirected, or has an upstream, comes here again. */
	for (link = (struct promcb_nginx_subrequest *)first->data; link; link = link->next) {
		if (link->request == r)
			return NGX_DECLINED;
	}
	link = ngx_palloc(r->pool, sizeof(*link));
	if (!link)
		return NGX_DECLINED;
	link->request = r;
	link->next = (struct promcb_nginx_subrequest *)first->data;
	first->data = (u_char *)link;
	return NGX_DECLINED;
}

/* A try without an answer: it was given up with its client, or there was none. */
static ngx_uint_t status_of(const ngx_http_upstream_state_t *state, const ngx_http_request_t *r)
{
	if (state->status)
		return state->status;
	return promcb_nginx_status(r->main) == NGX_HTTP_CLIENT_CLOSED_REQUEST ? NGX_HTTP_CLIENT_CLOSED_REQUEST : 0;
}

/* As it was measured; else nginx's milliseconds. */
static uint64_t latency_ns(const ngx_http_request_t *r, const struct promcb_nginx_main *main, ngx_uint_t state)
{
	const ngx_http_upstream_state_t *states = r->upstream_states->elts;
	const struct promcb_nginx_time *time = (const struct promcb_nginx_time *)r->variables[main->times].data;

	for (; time; time = time->next) {
		if (time->request == r && time->state == state && time->known)
			return time->latency_ns;
	}
	return states[state].response_time == NO_TIME ? 0 : states[state].response_time * NS_PER_MS;
}

static void count_of_request(ngx_http_request_t *r, struct promcb_nginx_main *main)
{
	const struct promcb_nginx_location *location = ngx_http_get_module_loc_conf(r, ngx_http_promcb_module);
	const ngx_http_upstream_state_t *states;

	if (!location->counted_upstream || !r->upstream_states)
		return;
	states = r->upstream_states->elts;
	for (ngx_uint_t i = 0; i < r->upstream_states->nelts; i++) {
		struct promcb_component *component;

		if (!states[i].peer)
			continue;
		main->peer = states[i].peer;
		component = promcb_nginx_component(r, location->counted_upstream);
		if (component)
			promcb_nginx_record(component, location->rules, status_of(&states[i], r), false,
					    latency_ns(r, main, i));
	}
	main->peer = NULL;
}

void promcb_nginx_count_tries(ngx_http_request_t *r, struct promcb_nginx_main *main)
{
	const struct promcb_nginx_subrequest *link;

	count_of_request(r, main);
	link = (const struct promcb_nginx_subrequest *)r->variables[main->subrequests].data;
	for (; link; link = link->next)
		count_of_request(link->request, main);
}
