/* SPDX-License-Identifier: MIT */
/* assets.h: the page's script, style and icon: page/ as page/embed.py makes C of it. */
#ifndef PROMCB_SIDECAR_ASSETS_H
#define PROMCB_SIDECAR_ASSETS_H

#include <stddef.h>

struct sidecar_asset {
	const char *name; /* "app.js" */
	const char *path; /* where it is served: another one when it changes */
	const char *type;
	const unsigned char *plain;
	size_t plain_length;
	const unsigned char *gzipped;
	size_t gzipped_length;
};

extern const struct sidecar_asset sidecar_assets[];
extern const size_t sidecar_asset_count;

/* The one that is served at a path; NULL: none. */
const struct sidecar_asset *sidecar_asset_find(const char *path);

#endif
