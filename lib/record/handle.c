/* SPDX-License-Identifier: MIT */
#include "record/handle.h"

#include <errno.h>

struct promcb_handle_table promcb_handle_table;

uint32_t promcb_handles_used = 1;
/* A breaker has two handles, and so has one that does nothing. */
uint32_t promcb_series_handles_used = 2;

struct promcb_series_handle promcb_series_handles[PROMCB_SERIES_HANDLES_MAX];

/* The key of each handle in its session's names. */
static const char *handle_names[PROMCB_HANDLES_MAX];

const char *promcb_handle_name(const struct promcb_handle *handle)
{
	return handle_names[handle - promcb_handle_table.handles];
}

int promcb_handle_add(struct promcb_names *names, const char *name, size_t length, const struct promcb_handle *words,
		      struct promcb_component **out)
{
	struct promcb_handle *handle = &promcb_handle_table.handles[promcb_handles_used];
	const char *key;

	if (promcb_handles_used == PROMCB_HANDLES_MAX)
		return -EMFILE;
	key = promcb_names_keep(names, name, length);
	if (!key)
		return -ENOMEM;
	handle->component = words->component;
	handle->generation = words->generation;
	/* [HANDLE] release: the rest before the session. */
	promcb_store_pointer_release(&handle->session, words->session);
	handle_names[promcb_handles_used] = key;
	if (promcb_names_put(names, key, length, handle) < 0) {
		/* [HANDLE] release: nobody was given it. */
		promcb_store_pointer_release(&handle->session, NULL);
		return -ENOMEM;
	}
	promcb_handles_used++;
	*out = promcb_handle_component(handle);
	return 0;
}
