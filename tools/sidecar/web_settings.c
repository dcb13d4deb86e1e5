/* SPDX-License-Identifier: MIT */
/* web_settings.c: settings once they are read: where their files are, and their end. */
#include "web_config_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int locate(char **path, const char *directory)
{
	char *located;

	if (!*path || **path == '/')
		return 0;
	if (asprintf(&located, "%s/%s", directory, *path) < 0)
		return -ENOMEM;
	free(*path);
	*path = located;
	return 0;
}

int sidecar_web_settings_locate(struct sidecar_web_settings *settings, const char *directory)
{
	int result = locate(&settings->cert_path, directory);

	if (result == 0)
		result = locate(&settings->key_path, directory);
	if (result == 0)
		result = locate(&settings->client_ca_path, directory);
	return result;
}

static void wipe(char *text)
{
	if (text)
		explicit_bzero(text, strlen(text));
	free(text);
}

void sidecar_web_settings_free(struct sidecar_web_settings *settings)
{
	if (!settings)
		return;
	free(settings->cert_path);
	free(settings->key_path);
	free(settings->client_ca_path);
	free(settings->cert_text);
	free(settings->client_ca_text);
	wipe(settings->key_text);
	for (size_t i = 0; i < settings->san_count; i++)
		free(settings->sans[i]);
	free(settings->sans);
	for (size_t i = 0; i < settings->header_count; i++)
		free(settings->headers[i].value);
	for (size_t i = 0; i < settings->user_count; i++)
		free(settings->users[i].name);
	if (settings->users)
		explicit_bzero(settings->users, SIDECAR_WEB_USERS_MAX * sizeof(*settings->users));
	free(settings->users);
	free(settings);
}
