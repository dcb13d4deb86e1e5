/* SPDX-License-Identifier: MIT */
/* descriptors.h: how many connections the limit of open files allows. */
#ifndef PROMCB_SIDECAR_DESCRIPTORS_H
#define PROMCB_SIDECAR_DESCRIPTORS_H

/* For segments, certificates and the rest. */
enum { SIDECAR_SPARE_DESCRIPTORS = 64 };

/* Raises the limit to what the wanted connections need, or as far as we may. Returns how many there may be. */
unsigned sidecar_descriptors_raise(unsigned wanted);

#endif
