/* SPDX-License-Identifier: MIT */
#include "assets.h"

#include <string.h>

const struct sidecar_asset *sidecar_asset_find(const char *path)
{
	for (size_t i = 0; i < sidecar_asset_count; i++)
		if (strcmp(path, sidecar_assets[i].path) == 0)
			return &sidecar_assets[i];
	return NULL;
}
