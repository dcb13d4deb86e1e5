/* SPDX-License-Identifier: MIT */
/* pin.h: keeps the library in memory. pin.c may include atomic.h. */
#ifndef PROMCB_PIN_H
#define PROMCB_PIN_H

/*
 * From now on dlclose(3) leaves the shared object that this copy of the library is part of: a plugin with the archive
 * in it, which its threads must find when they end. Nothing to do in a program. Blocking. Any number of times.
 */
void promcb_pin(void);

#endif
