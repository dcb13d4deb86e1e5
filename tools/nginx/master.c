/* SPDX-License-Identifier: MIT */
/*
 * master.c: what the master does to the segment of its workers: it makes one, if there is none, and looks whether they
 * can use it. It leaves it at once: nothing of it is there when workers are forked.
 */
#include "promcb_nginx.h"

#include <errno.h>
#include <grp.h>
#include <promcb/admin.h>
#include <promcb/reader.h>
#include <pwd.h>
#include <stdio.h>

/* Whose workers are, if they are somebody else's than the master. */
struct identity {
	bool other;
	uid_t user;
	gid_t group;
	const char *name;
};

static struct identity identity_of(const ngx_cycle_t *cycle)
{
	const ngx_core_conf_t *core = (ngx_core_conf_t *)ngx_get_conf(cycle->conf_ctx, ngx_core_module);
	struct identity worker = {.other = geteuid() == 0};
	const struct passwd *user;

	if (!worker.other)
		return worker;
	/* While a configuration is read, the default is not in it yet. */
	if (core->user != (ngx_uid_t)NGX_CONF_UNSET_UINT) {
		worker.user = core->user;
		worker.group = core->group;
		worker.name = core->username;
		return worker;
	}
	user = getpwnam(NGX_USER);
	worker.other = user != NULL;
	if (user) {
		worker.user = user->pw_uid;
		worker.group = user->pw_gid;
		worker.name = NGX_USER;
	}
	return worker;
}

static bool is_member(const struct identity *worker, gid_t group)
{
	gid_t groups[256];
	int count = sizeof(groups) / sizeof(groups[0]);

	if (getgrouplist(worker->name, worker->group, groups, &count) < 0)
		return false;
	for (int i = 0; i < count; i++) {
		if (groups[i] == group)
			return true;
	}
	return false;
}

/* Whether the segment can be read, and workers may write it. */
static int judge(const struct promcb_nginx_main *main, const struct identity *worker, struct promcb_message *message)
{
	struct promcb_reader *reader;
	char path[PROMCB_PATH_MAX];
	struct stat file;
	mode_t needed;
	int result = promcb_reader_open((const char *)main->segment.data, NULL, &reader, message);

	if (result < 0)
		return result;
	promcb_reader_close(reader);
	result = promcb_segment_path((const char *)main->segment.data, path, message);
	if (result < 0 || !worker->other || worker->user == 0)
		return result;
	if (stat(path, &file) < 0)
		return -errno;
	if (file.st_uid == worker->user)
		needed = S_IRUSR | S_IWUSR;
	else
		needed = is_member(worker, file.st_gid) ? S_IRGRP | S_IWGRP : S_IROTH | S_IWOTH;
	if ((file.st_mode & needed) == needed)
		return 0;
	snprintf(message->text, sizeof(message->text),
		 "segment %.300s is not for workers: user %.32s may not write it (owner %u, group %u, mode %04o)", path,
		 worker->name, file.st_uid, file.st_gid, file.st_mode & 07777);
	return -EACCES;
}

int promcb_nginx_prepare(const struct promcb_nginx_main *main, const ngx_cycle_t *cycle, struct promcb_message *message)
{
	const struct identity worker = identity_of(cycle);
	struct promcb_options options = main->options;
	int result;

	if (worker.other) {
		options.owner = worker.user;
		if (!options.group)
			options.group = worker.group;
	}
	result = ngx_test_config ? -EEXIST : promcb_create((const char *)main->segment.data, &options, message);
	if (result != -EEXIST)
		return result;
	result = judge(main, &worker, message);
	/* A configuration that is looked at makes none. */
	return ngx_test_config && result == -ENOENT ? 0 : result;
}
