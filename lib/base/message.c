/* SPDX-License-Identifier: MIT */
#include "base/message.h"

#include <stdarg.h>
#include <stdio.h>

static void fill(struct promcb_message *message, const char *format, va_list arguments)
{
	if (message)
		vsnprintf(message->text, sizeof(message->text), format, arguments);
}

int promcb_message_error(struct promcb_message *message, int error, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	fill(message, format, arguments);
	va_end(arguments);
	return error;
}

void promcb_message_warn(struct promcb_message *message, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	fill(message, format, arguments);
	va_end(arguments);
}
