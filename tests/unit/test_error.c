/* SPDX-License-Identifier: MIT */
/* Names and meanings: every documented error has a phrase, and no input is without an answer. */
#include <promcb/promcb.h>

#include <criterion/criterion.h>

#include <errno.h>
#include <limits.h>
#include <string.h>

static const char unknown[] = "an error that promcb has no phrase for";

Test(error, both_signs_mean_the_same)
{
	for (int error = 0; error < 4096; error++)
		cr_assert_str_eq(promcb_strerror(error), promcb_strerror(-error), "errno %d", error);
}

Test(error, documented_errors_have_a_phrase)
{
	const int documented[] = {ENOENT, EACCES, EINVAL, ENOSPC, EBADMSG,    EPROTO, ESTALE,
				  EAGAIN, EBUSY,  EEXIST, EMFILE, EOPNOTSUPP, ENOMEM};

	for (size_t i = 0; i < sizeof(documented) / sizeof(documented[0]); i++)
		cr_assert_str_neq(promcb_strerror(-documented[i]), unknown, "errno %d", documented[i]);
}

Test(error, phrases_differ_and_have_no_full_stop)
{
	for (int error = 0; error < 4096; error++) {
		const char *phrase = promcb_strerror(error);

		cr_assert_gt(strlen(phrase), 0);
		cr_assert_neq(phrase[strlen(phrase) - 1], '.', "errno %d", error);
		for (int other = 0; other < error; other++)
			cr_assert(strcmp(phrase, promcb_strerror(other)) != 0 || strcmp(phrase, unknown) == 0,
				  "errno %d and %d", error, other);
	}
}

Test(error, any_integer_has_an_answer)
{
	const int odd[] = {INT_MIN, INT_MIN + 1, INT_MAX, 4095, -4095, 134};

	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++)
		cr_assert_str_eq(promcb_strerror(odd[i]), unknown);
}

Test(error, states_and_levels)
{
	cr_assert_str_eq(promcb_state_name(PROMCB_CLOSED), "closed");
	cr_assert_str_eq(promcb_state_name(PROMCB_OPEN), "open");
	cr_assert_str_eq(promcb_state_name(PROMCB_HALF_OPEN), "half_open");
	cr_assert_null(promcb_state_name((enum promcb_state)3));
	cr_assert_null(promcb_state_name((enum promcb_state) - 1));
	cr_assert_str_eq(promcb_log_level_name(PROMCB_LOG_DEBUG), "debug");
	cr_assert_str_eq(promcb_log_level_name(PROMCB_LOG_INFO), "info");
	cr_assert_str_eq(promcb_log_level_name(PROMCB_LOG_WARNING), "warning");
	cr_assert_str_eq(promcb_log_level_name(PROMCB_LOG_ERROR), "error");
	cr_assert_null(promcb_log_level_name((enum promcb_log_level)4));
	cr_assert_str_eq(promcb_version(), PROMCB_VERSION);
}
