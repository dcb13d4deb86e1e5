/* SPDX-License-Identifier: MIT */
/*
 * inject.h: named points between the steps of a protocol, where tests kill or stop a process. Nothing, unless
 * PROMCB_INJECTING is defined; then the program that defines it supplies promcb_inject(). A leaf.
 */
#ifndef PROMCB_INJECT_H
#define PROMCB_INJECT_H

#ifdef __cplusplus
extern "C" {
#endif

void promcb_inject(const char *point);

#ifdef __cplusplus
}
#endif

#ifdef PROMCB_INJECTING
#define PROMCB_INJECT(point) promcb_inject(point)
#elif !defined(PROMCB_INJECT)
#define PROMCB_INJECT(point) ((void)0)
#endif

#endif
