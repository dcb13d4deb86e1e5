/* SPDX-License-Identifier: MIT */
/*
 * request.c: from a request that ends to a call that is recorded.
 *
 * A request's start is a token of promcb_start(), taken when its head was read. It lies in the value of a variable that
 * has no name in a configuration: a module's context would be empty after an internal redirect, and take memory. The
 * value's length has the milliseconds that the head took to arrive, as nginx has counted them.
 */
#include "promcb_nginx.h"

/* Bits of a variable's length. */
#define HEAD_MS_MAX ((1 << 28) - 1)

#define NS_PER_MS ((uint64_t)1000000)

/* Milliseconds between a request's first bytes and the event that is being handled. */
static ngx_msec_int_t age_ms(const ngx_http_request_t *r)
{
	ngx_time_t *now = ngx_timeofday();
	ngx_msec_int_t age = (ngx_msec_int_t)((now->sec - r->start_sec) * 1000) +
			     ((ngx_msec_int_t)now->msec - (ngx_msec_int_t)r->start_msec);

	return ngx_max(age, 0);
}

ngx_int_t promcb_nginx_start_request(ngx_http_request_t *r)
{
	const struct promcb_nginx_main *main = ngx_http_get_module_main_conf(r, ngx_http_promcb_module);
	ngx_http_variable_value_t *start = &r->variables[main->start];
	ngx_msec_int_t head_ms = age_ms(r);

	start->data = (u_char *)(uintptr_t)promcb_start();
	start->len = (unsigned)ngx_min(head_ms, HEAD_MS_MAX);
	return NGX_DECLINED;
}

/* A head that could not be read has nginx's milliseconds alone. */
static uint64_t latency_ns(const ngx_http_request_t *r, const ngx_http_variable_value_t *start)
{
	if (!start->data)
		return (uint64_t)age_ms(r) * NS_PER_MS;
	return promcb_elapsed_ns((uintptr_t)start->data) + start->len * NS_PER_MS;
}

ngx_uint_t promcb_nginx_status(const ngx_http_request_t *r)
{
	if (r->err_status)
		return r->err_status;
	if (r->headers_out.status)
		return r->headers_out.status;
	return r->http_version == NGX_HTTP_VERSION_9 ? 9 : 0;
}

void promcb_nginx_record(struct promcb_component *component, const struct promcb_nginx_rules *rules, ngx_uint_t status,
			 bool failed, uint64_t latency_ns)
{
	if (status >= PROMCB_STATUSES)
		status = 0;
	bool success = !failed && !rules->failures.fails[status];

	if (rules->timeless.fails[status])
		promcb_record_outcome(component, success);
	else
		promcb_record_at(component, latency_ns, success, ngx_current_msec * NS_PER_MS);
}

/* Whether promcb_failed says so: neither empty nor "0", as nginx's own conditions have it. */
static bool has_failed(ngx_http_request_t *r, ngx_http_complex_value_t *failed)
{
	ngx_str_t text;

	if (!failed || ngx_http_complex_value(r, failed, &text) != NGX_OK || text.len == 0)
		return false;
	return text.len != 1 || text.data[0] != '0';
}

ngx_int_t promcb_nginx_count_request(ngx_http_request_t *r)
{
	struct promcb_nginx_location *location = ngx_http_get_module_loc_conf(r, ngx_http_promcb_module);
	struct promcb_nginx_main *main = ngx_http_get_module_main_conf(r, ngx_http_promcb_module);
	struct promcb_component *component;

	/* With log_subrequest on nginx comes here for each subrequest, too. */
	if (r != r->main)
		return NGX_OK;
	if (location->counted_component) {
		component = promcb_nginx_component(r, location->counted_component);
		if (component)
			promcb_nginx_record(component, location->rules, promcb_nginx_status(r),
					    has_failed(r, location->failed), latency_ns(r, &r->variables[main->start]));
	}
	if (main->counts_tries)
		promcb_nginx_count_tries(r, main);
	return NGX_OK;
}
