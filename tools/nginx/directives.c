/* SPDX-License-Identifier: MIT */
/* directives.c: see directives.h. */
#include "directives.h"

#include <grp.h>
#include <promcb/admin.h>

/* What is wrong with an argument: nginx adds file and line. */
#define REFUSE(cf, ...) (ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, __VA_ARGS__), NGX_CONF_ERROR)

static bool is_word(const ngx_str_t *text, const char *word)
{
	return text->len == ngx_strlen(word) && ngx_strncmp(text->data, word, text->len) == 0;
}

/* -- promcb_segment ----------------------------------------------------------------------------------------------- */

static bool set_number(uint32_t *to, const ngx_str_t *text)
{
	ngx_int_t number = ngx_atoi(text->data, text->len);

	if (number <= 0 || number > UINT32_MAX)
		return false;
	*to = (uint32_t)number;
	return true;
}

static bool set_size(struct promcb_options *options, ngx_str_t *text)
{
	off_t size = ngx_parse_offset(text);

	options->max_bytes = size > 0 ? (uint64_t)size : 0;
	return size > 0;
}

static bool set_window(struct promcb_options *options, ngx_str_t *text)
{
	ngx_int_t seconds = ngx_parse_time(text, 1);

	if (is_word(text, "any"))
		options->window_seconds = PROMCB_WINDOW_ANY;
	else if (seconds > 0 && seconds < UINT32_MAX)
		options->window_seconds = (uint32_t)seconds;
	else
		return false;
	return true;
}

static bool set_mode(struct promcb_options *options, const ngx_str_t *text)
{
	ngx_int_t mode = text->len > 4 ? NGX_ERROR : ngx_hextoi(text->data, text->len);

	/* Octal digits, read as hexadecimal ones. */
	if (mode <= 0 || mode & ~0x777)
		return false;
	options->mode = (uint32_t)((mode >> 8 & 7) << 6 | (mode >> 4 & 7) << 3 | (mode & 7));
	return true;
}

static bool set_group(struct promcb_options *options, const ngx_str_t *text)
{
	/* nginx's words end with a zero. */
	const struct group *group = getgrnam((const char *)text->data);

	if (!group)
		return false;
	options->group = group->gr_gid;
	return true;
}

static bool set_option(struct promcb_options *options, const ngx_str_t *option)
{
	static const char *const names[] = {"size=", "components=", "lanes=", "recent=", "window=", "mode=", "group="};
	uint32_t *const numbers[] = {NULL, &options->components, &options->lanes, &options->recent_samples};
	ngx_uint_t which = 0;
	ngx_str_t value;

	while (which < 7 && ngx_strncmp(option->data, names[which], ngx_strlen(names[which])) != 0)
		which++;
	if (which == 7)
		return false;
	value.data = option->data + ngx_strlen(names[which]);
	value.len = option->len - ngx_strlen(names[which]);
	switch (which) {
	case 0:
		return set_size(options, &value);
	case 4:
		return set_window(options, &value);
	case 5:
		return set_mode(options, &value);
	case 6:
		return set_group(options, &value);
	default:
		return set_number(numbers[which], &value);
	}
}

char *promcb_nginx_set_segment(ngx_conf_t *cf, ngx_command_t *command, void *conf)
{
	struct promcb_nginx_main *main = conf;
	struct promcb_message message = {.text = ""};
	const ngx_str_t *words = cf->args->elts;
	char path[PROMCB_PATH_MAX];

	(void)command;
	if (main->segment.data)
		return "is duplicate";
	main->segment = words[1];
	/* Relative to what the master's directory happens to be, it would be another one after a binary upgrade. */
	if (words[1].data[0] != '/' && ngx_strchr(words[1].data, '/'))
		return REFUSE(cf, "\"%V\" is a relative path: a segment's begins with \"/\"", &words[1]);
	if (promcb_segment_path((const char *)words[1].data, path, &message) < 0)
		return REFUSE(cf, "promcb_segment: %s", message.text);
	for (ngx_uint_t i = 2; i < cf->args->nelts; i++) {
		if (!set_option(&main->options, &words[i]))
			return REFUSE(cf,
				      "invalid parameter \"%V\": size=, components=, lanes=, recent=, window=, "
				      "mode= or group= and a value are expected",
				      &words[i]);
	}
	return NGX_CONF_OK;
}

char *promcb_nginx_set_names(ngx_conf_t *cf, ngx_command_t *command, void *conf)
{
	struct promcb_nginx_main *main = conf;
	const ngx_str_t *words = cf->args->elts;

	(void)command;
	if (main->names_max != NGX_CONF_UNSET)
		return "is duplicate";
	main->names_max = ngx_atoi(words[1].data, words[1].len);
	if (main->names_max < 1 || main->names_max > 60000)
		return REFUSE(cf, "\"%V\" is no number of names: 1 to 60000 are expected", &words[1]);
	return NGX_CONF_OK;
}

/* -- promcb_component, promcb_upstream ---------------------------------------------------------------------------- */

/* NULL, or what is wrong with a constant. */
static const char *fault_of(const ngx_str_t *name)
{
	struct promcb_label labels[PROMCB_COMPONENT_LABELS_MAX];
	char text[PROMCB_FULL_NAME_MAX + 1];

	if (name->len > PROMCB_FULL_NAME_MAX)
		return "a component name with its labels has at most 230 bytes";
	ngx_cpystrn((u_char *)text, name->data, name->len + 1);
	size_t count = promcb_name_labels(text, labels, PROMCB_COMPONENT_LABELS_MAX);

	return promcb_labels_error(text, labels, count);
}

/* "$name" alone: its index; NGX_DECLINED: it is more than that. */
static ngx_int_t single_variable(ngx_conf_t *cf, const ngx_str_t *text)
{
	ngx_str_t name = {text->len - 1, text->data + 1};

	if (text->len < 2 || text->data[0] != '$')
		return NGX_DECLINED;
	for (size_t i = 0; i < name.len; i++) {
		u_char c = name.data[i], lower = c | 0x20;

		/* $1 to $9 are captures. */
		if (!(lower >= 'a' && lower <= 'z') && c != '_' && !(i > 0 && c >= '0' && c <= '9'))
			return NGX_DECLINED;
	}
	return ngx_http_get_variable_index(cf, &name);
}

char *promcb_nginx_set_target(ngx_conf_t *cf, ngx_command_t *command, void *conf)
{
	struct promcb_nginx_main *main = ngx_http_conf_get_module_main_conf(cf, ngx_http_promcb_module);
	struct promcb_nginx_target **field = (void *)((char *)conf + command->offset), *target, **place;
	ngx_str_t *words = cf->args->elts, *text = &words[1];
	ngx_http_compile_complex_value_t compile;

	if (*field != NGX_CONF_UNSET_PTR)
		return "is duplicate";
	*field = NULL;
	if (is_word(text, "off"))
		return NGX_CONF_OK;
	if (text->len == 0)
		return REFUSE(cf, "%V: the name is empty", &command->name);
	target = ngx_pcalloc(cf->pool, sizeof(*target));
	if (!target)
		return NGX_CONF_ERROR;
	*field = target;
	if (command->offset == offsetof(struct promcb_nginx_location, component))
		main->counts_requests = 1;
	else
		main->counts_tries = 1;
	ngx_memzero(&compile, sizeof(compile));
	compile.cf = cf;
	compile.value = text;
	compile.complex_value = &target->text;
	if (ngx_http_compile_complex_value(&compile) != NGX_OK)
		return NGX_CONF_ERROR;
	target->is_constant = !target->text.lengths;
	target->variable = target->is_constant ? NGX_DECLINED : single_variable(cf, text);
	if (target->variable == NGX_ERROR)
		return NGX_CONF_ERROR;
	if (!target->is_constant)
		return NGX_CONF_OK;
	const char *fault = fault_of(text);

	if (fault)
		return REFUSE(cf, "%V: %s: \"%V\"", &command->name, fault, text);
	place = ngx_array_push(&main->targets);
	if (!place)
		return NGX_CONF_ERROR;
	*place = target;
	return NGX_CONF_OK;
}

/* -- promcb_failed */

char *promcb_nginx_set_condition(ngx_conf_t *cf, ngx_command_t *command, void *conf)
{
	ngx_http_complex_value_t **field = (void *)((char *)conf + command->offset);
	ngx_str_t *words = cf->args->elts;
	ngx_http_compile_complex_value_t compile;

	if (*field != NGX_CONF_UNSET_PTR)
		return "is duplicate";
	*field = NULL;
	if (is_word(&words[1], "off"))
		return NGX_CONF_OK;
	*field = ngx_pcalloc(cf->pool, sizeof(**field));
	if (!*field)
		return NGX_CONF_ERROR;
	ngx_memzero(&compile, sizeof(compile));
	compile.cf = cf;
	compile.value = &words[1];
	compile.complex_value = *field;
	if (ngx_http_compile_complex_value(&compile) != NGX_OK)
		return NGX_CONF_ERROR;
	if (!(*field)->lengths)
		return REFUSE(cf, "%V: \"%V\" has no variable: all requests would fail, or none", &command->name,
			      &words[1]);
	return NGX_CONF_OK;
}

/* -- promcb_failure, promcb_no_latency ---------------------------------------------------------------------------- */

char *promcb_nginx_set_statuses(ngx_conf_t *cf, ngx_command_t *command, void *conf)
{
	struct promcb_failures **field = (void *)((char *)conf + command->offset);
	const ngx_str_t *words = cf->args->elts;
	u_char *list, *end;
	size_t bytes = 0;

	if (*field != NGX_CONF_UNSET_PTR)
		return "is duplicate";
	*field = ngx_pcalloc(cf->pool, sizeof(**field));
	if (!*field)
		return NGX_CONF_ERROR;
	if (cf->args->nelts == 2 && is_word(&words[1], "none"))
		return NGX_CONF_OK;
	for (ngx_uint_t i = 1; i < cf->args->nelts; i++)
		bytes += words[i].len + 1;
	list = end = ngx_pnalloc(cf->pool, bytes);
	if (!list)
		return NGX_CONF_ERROR;
	for (ngx_uint_t i = 1; i < cf->args->nelts; i++) {
		end = ngx_cpymem(end, words[i].data, words[i].len);
		*end++ = ',';
	}
	end[-1] = 0;
	const char *wrong = promcb_failures_parse((const char *)list, *field);

	if (wrong)
		return REFUSE(cf,
			      "%V: a status such as 499 or a class such as 5xx, or \"none\" alone, is expected "
			      "where \"%s\" is",
			      &command->name, wrong[0] ? wrong : "nothing");
	return NGX_CONF_OK;
}
