/* SPDX-License-Identifier: MIT */
/* message.h: fills the sentence that goes with an error. Not async-signal-safe. */
#ifndef PROMCB_MESSAGE_H
#define PROMCB_MESSAGE_H

#include <promcb/promcb.h>

/* message: may be NULL. Returns error, so that a function can end with it. */
__attribute__((format(printf, 3, 4))) int promcb_message_error(struct promcb_message *message, int error,
							       const char *format, ...);

/* A warning: the same for a call that succeeds. */
__attribute__((format(printf, 2, 3))) void promcb_message_warn(struct promcb_message *message, const char *format, ...);

#endif
