/* SPDX-License-Identifier: MIT */
/* routes.h: requests to answers. */
#ifndef PROMCB_SIDECAR_ROUTES_H
#define PROMCB_SIDECAR_ROUTES_H

#include "api.h"
#include "connection.h"
#include "options.h"

struct sidecar_routes;

/* options: borrowed. Returns NULL without memory. */
struct sidecar_routes *sidecar_routes_new(const struct sidecar_options *options, struct sidecar_web_config *web_config);

void sidecar_routes_free(struct sidecar_routes *routes);

/* What is served, once that is known; before the first request. */
void sidecar_routes_set_bodies(struct sidecar_routes *routes, struct sidecar_bodies *bodies, struct sidecar_api *api);

/* As sidecar_connection_options and sidecar_bodies_options have them; the context is the routes. */
void sidecar_routes_answer(void *context, struct sidecar_request *request, struct sidecar_answer *answer);
void sidecar_routes_answered(void *context, const struct sidecar_request *request);
size_t sidecar_routes_families(void *context, struct promcb_family *families, size_t capacity);

#endif
