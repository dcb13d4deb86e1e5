/* SPDX-License-Identifier: MIT */
#include "record/pin.h"

#include <promcb/atomic.h>

#include <dlfcn.h>
#include <link.h>
#include <stddef.h>

/*
 * No dlopen here, not even a weak one: the linker warns of that in static programs. And before glibc 2.34 a program
 * that loads nothing lacks this, too.
 */
#pragma weak dlsym

static uint32_t pinned;

/* Whether the object has the word above. name: its name; empty for the program itself. */
static int look_for_us(struct dl_phdr_info *info, size_t size, void *context)
{
	const char **name = context;
	uintptr_t here = (uintptr_t)&pinned;

	(void)size;
	for (unsigned i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *part = &info->dlpi_phdr[i];

		if (part->p_type == PT_LOAD && here - info->dlpi_addr - part->p_vaddr < part->p_memsz) {
			*name = info->dlpi_name;
			return 1;
		}
	}
	return 0;
}

void promcb_pin(void)
{
	void *(*open_object)(const char *, int);
	const char *name = NULL;

	if (promcb_load32_relaxed(&pinned))
		return;
	promcb_store32_relaxed(&pinned, 1);
	if (!dl_iterate_phdr(look_for_us, &name) || !*name || !dlsym)
		return;
	*(void **)&open_object = dlsym(RTLD_DEFAULT, "dlopen");
	if (open_object)
		open_object(name, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE);
}
