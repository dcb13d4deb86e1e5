/* SPDX-License-Identifier: MIT */
/*
 * promcb_nginx.h: what the parts of nginx's module share.
 *
 *   module.c      directives, and what a configuration is made of
 *   master.c      the segment before there are workers
 *   worker.c      the segment as one worker has it: handles of names, and how many names there may be
 *   request.c     from a request that ends to a call that is recorded
 *   peers.c       how long each try of an upstream takes
 *   upstream.c    from the tries of upstreams to calls that are recorded
 *
 * Invariants
 *   - A segment is opened by workers alone, after they were forked. What the master does to it is over when it returns.
 *   - Nothing here fails a request, and, without promcb_required, no start.
 *   - A request is one call: that of its main request, when it is logged, in the location where it ended, as for
 *     access_log.
 */
#ifndef PROMCB_NGINX_H
#define PROMCB_NGINX_H

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include <promcb/promcb.h>

#include "../record/outcome.h"

#pragma GCC visibility push(hidden)

/* What a call is counted as: a constant, or what a text with variables is at the end of a request. */
struct promcb_nginx_target {
	struct promcb_component *handle; /* of a constant, in this worker; NULL: not looked up yet */
	ngx_http_complex_value_t text;
	ngx_int_t variable; /* the text is this variable alone; below 0: it is more */
	ngx_uint_t is_constant;
};

/* Which calls fail, and which have no latency, by status. */
struct promcb_nginx_rules {
	struct promcb_failures failures;
	struct promcb_failures timeless;
};

struct promcb_nginx_main {
	ngx_str_t segment; /* ends with a zero; data NULL: promcb's default */
	struct promcb_options options;
	ngx_flag_t required;
	ngx_int_t names_max;
	ngx_array_t targets;   /* of struct promcb_nginx_target *: constants, to be looked up by each worker */
	ngx_int_t start;       /* the variable that holds a request's start */
	ngx_int_t subrequests; /* the variable that holds a request's subrequests; NGX_ERROR: nobody asks */
	ngx_int_t times;       /* and of its tries' times */
	struct promcb_nginx_upstream *upstreams;
	size_t upstream_count;
	ngx_str_t *peer;       /* of the try that is being counted */
	unsigned counts_requests : 1;
	unsigned counts_tries : 1;
};

struct promcb_nginx_location {
	ngx_flag_t on;
	/* As directives have them, inherited. */
	struct promcb_nginx_target *component;
	struct promcb_nginx_target *upstream;
	struct promcb_failures *failures;
	struct promcb_failures *timeless;
	ngx_http_complex_value_t *failed;
	/* What comes of it. */
	struct promcb_nginx_target *counted_component; /* NULL: requests are not counted */
	struct promcb_nginx_target *counted_upstream;  /* NULL: tries are not counted */
	struct promcb_nginx_rules *rules;
};

struct promcb_nginx_subrequest {
	ngx_http_request_t *request;
	struct promcb_nginx_subrequest *next;
};

/* The time of one try: of a request, by the number of its state. */
struct promcb_nginx_time {
	struct promcb_nginx_time *next;
	const ngx_http_request_t *request;
	ngx_uint_t state;
	uint64_t start; /* a token of promcb_start() */
	uint64_t latency_ns;
	unsigned known : 1;
};

extern ngx_module_t ngx_http_promcb_module;

/* -- master.c -- */

/*
 * Makes the segment, if there is none, for the workers' user, or looks whether they can use the one that is there.
 * Returns 0, or -errno with a message.
 */
int promcb_nginx_prepare(const struct promcb_nginx_main *main, const ngx_cycle_t *cycle,
			 struct promcb_message *message);

/* -- worker.c -- */

ngx_int_t promcb_nginx_worker_start(ngx_cycle_t *cycle);
void promcb_nginx_worker_end(ngx_cycle_t *cycle);

/* The component that the request is to be counted as, or NULL: none. */
struct promcb_component *promcb_nginx_component(ngx_http_request_t *r, struct promcb_nginx_target *target);

/* -- request.c -- */

/* What a configuration that counts anything has run for each request. */
ngx_int_t promcb_nginx_start_request(ngx_http_request_t *r);
ngx_int_t promcb_nginx_count_request(ngx_http_request_t *r);

/* Records a call that ended with a status. failed: whatever that says. */
void promcb_nginx_record(struct promcb_component *component, const struct promcb_nginx_rules *rules, ngx_uint_t status,
			 bool failed, uint64_t latency_ns);

/* The status that nginx logs. */
ngx_uint_t promcb_nginx_status(const ngx_http_request_t *r);

/* -- peers.c -- */

/* Has the tries of all upstreams timed whose location counts them. Of a configuration, when it has been read. */
ngx_int_t promcb_nginx_time_tries(ngx_conf_t *cf, struct promcb_nginx_main *main);

/* -- upstream.c -- */

/* Has the tries of a subrequest counted, if its location says so, when its main request ends. For each phase, too. */
ngx_int_t promcb_nginx_note_subrequest(ngx_http_request_t *r);

/* Counts the tries of upstreams that a request has made, those of its subrequests included. */
void promcb_nginx_count_tries(ngx_http_request_t *r, struct promcb_nginx_main *main);

#pragma GCC visibility pop

#endif
