/* SPDX-License-Identifier: MIT */
/*
 * directives.h: what is written behind a directive, judged. Each returns NGX_CONF_OK, or has told, by file and line,
 * what is wrong. What they fill, and where it lies, is in the directives' own table.
 */
#ifndef PROMCB_NGINX_DIRECTIVES_H
#define PROMCB_NGINX_DIRECTIVES_H

#include "promcb_nginx.h"

#pragma GCC visibility push(hidden)

/* NAME and options such as size=32m. */
char *promcb_nginx_set_segment(ngx_conf_t *cf, ngx_command_t *command, void *conf);

/* A number of names. */
char *promcb_nginx_set_names(ngx_conf_t *cf, ngx_command_t *command, void *conf);

/* A name, a text with variables, or "off". */
char *promcb_nginx_set_target(ngx_conf_t *cf, ngx_command_t *command, void *conf);

/* A text with variables, or "off". */
char *promcb_nginx_set_condition(ngx_conf_t *cf, ngx_command_t *command, void *conf);

/* Statuses and classes of them, or "none". */
char *promcb_nginx_set_statuses(ngx_conf_t *cf, ngx_command_t *command, void *conf);

#pragma GCC visibility pop

#endif
