/* SPDX-License-Identifier: MIT */
/*
 * peers.c: how long each try of an upstream takes. nginx itself has milliseconds, of which most tries of an upstream
 * that lies near take none.
 *
 * A try begins when nginx gets a peer to connect to, and ends when it gives that back. As keepalive and the balancers
 * do, functions that stand before an upstream's own see both. Addresses that are made of variables have no upstream in
 * the configuration, and nginx's milliseconds.
 */
#include "promcb_nginx.h"

/* An upstream of the configuration, and the function that these stand before. */
struct promcb_nginx_upstream {
	const ngx_http_upstream_srv_conf_t *upstream;
	ngx_http_upstream_init_peer_pt init;
};

/* A request's dealings with one upstream, in place of the balancer's own. */
struct dealings {
	ngx_http_request_t *request;
	struct promcb_nginx_time *time; /* of the try that goes on */
	void *data;
	ngx_event_get_peer_pt get;
	ngx_event_free_peer_pt free;
	ngx_event_notify_peer_pt notify;
	ngx_event_set_peer_session_pt set_session;
	ngx_event_save_peer_session_pt save_session;
};

static ngx_int_t get_peer(ngx_peer_connection_t *connection, void *data)
{
	struct dealings *dealings = data;
	ngx_http_request_t *r = dealings->request;
	const struct promcb_nginx_main *main = ngx_http_get_module_main_conf(r, ngx_http_promcb_module);
	struct promcb_nginx_time *time = ngx_palloc(r->pool, sizeof(*time));

	dealings->time = time;
	if (time) {
		time->request = r;
		/* nginx has just added this try's state. */
		time->state = r->upstream_states->nelts - 1;
		time->known = 0;
		time->next = (struct promcb_nginx_time *)r->variables[main->times].data;
		r->variables[main->times].data = (u_char *)time;
		time->start = promcb_start();
	}
	return dealings->get(connection, dealings->data);
}

static void free_peer(ngx_peer_connection_t *connection, void *data, ngx_uint_t state)
{
	struct dealings *dealings = data;

	if (dealings->time && !dealings->time->known) {
		dealings->time->latency_ns = promcb_elapsed_ns(dealings->time->start);
		dealings->time->known = 1;
	}
	dealings->free(connection, dealings->data, state);
}

static void notify_peer(ngx_peer_connection_t *connection, void *data, ngx_uint_t type)
{
	struct dealings *dealings = data;

	dealings->notify(connection, dealings->data, type);
}

static ngx_int_t set_session(ngx_peer_connection_t *connection, void *data)
{
	struct dealings *dealings = data;

	return dealings->set_session(connection, dealings->data);
}

static void save_session(ngx_peer_connection_t *connection, void *data)
{
	struct dealings *dealings = data;

	dealings->save_session(connection, dealings->data);
}

static int compare(const void *left, const void *right)
{
	const struct promcb_nginx_upstream *a = left, *b = right;

	return (a->upstream > b->upstream) - (a->upstream < b->upstream);
}

static ngx_int_t init_peer(ngx_http_request_t *r, ngx_http_upstream_srv_conf_t *upstream)
{
	const struct promcb_nginx_location *location = ngx_http_get_module_loc_conf(r, ngx_http_promcb_module);
	const struct promcb_nginx_main *main = ngx_http_get_module_main_conf(r, ngx_http_promcb_module);
	const struct promcb_nginx_upstream key = {.upstream = upstream}, *known;
	ngx_peer_connection_t *peer = &r->upstream->peer;
	struct dealings *dealings;
	ngx_int_t result;

	known = bsearch(&key, main->upstreams, main->upstream_count, sizeof(key), compare);
	/* A copy that some other module has made. */
	if (!known)
		return NGX_ERROR;
	result = known->init(r, upstream);
	if (result != NGX_OK || !location->counted_upstream)
		return result;
	/* Copies of requests, as for slices, begin behind the phase in which others are noted. */
	(void)promcb_nginx_note_subrequest(r);
	dealings = ngx_pcalloc(r->pool, sizeof(*dealings));
	if (!dealings)
		return NGX_OK;
	dealings->request = r;
	dealings->data = peer->data;
	dealings->get = peer->get;
	dealings->free = peer->free;
	peer->data = dealings;
	peer->get = get_peer;
	peer->free = free_peer;
	if (peer->notify) {
		dealings->notify = peer->notify;
		peer->notify = notify_peer;
	}
	if (peer->set_session) {
		dealings->set_session = peer->set_session;
		peer->set_session = set_session;
	}
	if (peer->save_session) {
		dealings->save_session = peer->save_session;
		peer->save_session = save_session;
	}
	return NGX_OK;
}

ngx_int_t promcb_nginx_time_tries(ngx_conf_t *cf, struct promcb_nginx_main *main)
{
	ngx_http_upstream_main_conf_t *all = ngx_http_conf_get_module_main_conf(cf, ngx_http_upstream_module);
	ngx_http_upstream_srv_conf_t **upstreams = all->upstreams.elts;

	main->upstreams = ngx_palloc(cf->pool, all->upstreams.nelts * sizeof(*main->upstreams) + 1);
	if (!main->upstreams)
		return NGX_ERROR;
	for (ngx_uint_t i = 0; i < all->upstreams.nelts; i++) {
		if (!upstreams[i]->peer.init)
			continue;
		main->upstreams[main->upstream_count].upstream = upstreams[i];
		main->upstreams[main->upstream_count++].init = upstreams[i]->peer.init;
		upstreams[i]->peer.init = init_peer;
	}
	qsort(main->upstreams, main->upstream_count, sizeof(*main->upstreams), compare);
	return NGX_OK;
}
