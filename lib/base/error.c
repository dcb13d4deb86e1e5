/* SPDX-License-Identifier: MIT */
/*
 * error.c: what errors, states, log levels and versions are called.
 *
 * All of it is constant data and thus safe in a signal handler, which strerror() is not:
 * that is why errors that promcb does not expect get one fixed phrase.
 */
#include <promcb/breaker.h>

#include <errno.h>

static const struct {
	int error;
	const char *meaning;
} meanings[] = {
	{0, "no error"},
	{ENOENT, "no such segment or component"},
	{EEXIST, "the segment exists already"},
	{EACCES, "permission denied"},
	{EPERM, "operation not permitted"},
	{EINVAL, "a name, an option or a value is out of range"},
	{ENOSPC, "no space: the component table, the segment or its file system is full"},
	{EBADMSG, "not a promcb segment, or a corrupt one"},
	{EPROTO, "the segment has a format or ABI that this version does not understand"},
	{ESTALE, "the segment was recreated or truncated"},
	{ENODATA, "no call with a latency"},
	{EAGAIN, "no stable view in time"},
	{ETIMEDOUT, "not done in time"},
	{EBUSY, "in use by another process"},
	{EOPNOTSUPP, "the filesystem cannot reserve space for a segment"},
	{EMFILE, "too many open files, segments or component handles in this process"},
	{ENFILE, "too many open files in the system"},
	{ENOMEM, "out of memory"},
	{EROFS, "read-only filesystem"},
	{ENOTDIR, "part of the segment's path is not a directory"},
	{EISDIR, "the segment's path is a directory"},
	{ELOOP, "the segment's path is a symbolic link"},
	{ENAMETOOLONG, "the segment's name is too long"},
	{ENODEV, "the filesystem cannot map files"},
	{EFBIG, "the segment is larger than a file may be"},
	{EDQUOT, "disk quota exceeded"},
	{ENOLCK, "the filesystem has no locks left"},
	{EINTR, "interrupted by a signal"},
	{EIO, "input or output failed"},
	{EPIPE, "the reader of the output went away"},
	{ENOSYS, "the kernel lacks a system call that promcb needs"},
	{ENXIO, "the segment's path is a socket, or a device that is not there"},
	{ETXTBSY, "the segment's path is a program that is running"},
	{EOVERFLOW, "a number is too large"},
};

const char *promcb_strerror(int error)
{
	/* Negated without sign, since the least int has no positive twin. */
	unsigned positive = error < 0 ? 0u - (unsigned)error : (unsigned)error;

	for (size_t i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++)
		if ((unsigned)meanings[i].error == positive)
			return meanings[i].meaning;
	return "an error that promcb has no phrase for";
}

const char *promcb_state_name(enum promcb_state state)
{
	switch (state) {
	case PROMCB_CLOSED:
		return "closed";
	case PROMCB_OPEN:
		return "open";
	case PROMCB_HALF_OPEN:
		return "half_open";
	}
	return NULL;
}

const char *promcb_log_level_name(enum promcb_log_level level)
{
	switch (level) {
	case PROMCB_LOG_DEBUG:
		return "debug";
	case PROMCB_LOG_INFO:
		return "info";
	case PROMCB_LOG_WARNING:
		return "warning";
	case PROMCB_LOG_ERROR:
		return "error";
	}
	return NULL;
}

const char *promcb_version(void)
{
	return PROMCB_VERSION;
}

const char *promcb_outcome_name(enum promcb_call_outcome outcome)
{
	static const char *const names[PROMCB_CALL_OUTCOMES] = {
		"success", "failure", "timeout", "connect", "reset", "overload", "protocol", "application", "ignored"};

	return (unsigned)outcome < PROMCB_CALL_OUTCOMES ? names[outcome] : NULL;
}

const char *promcb_mode_name(enum promcb_mode mode)
{
	static const char *const names[PROMCB_MODES] = {"automatic", "open", "closed", "shadow"};

	return (unsigned)mode < PROMCB_MODES ? names[mode] : NULL;
}
