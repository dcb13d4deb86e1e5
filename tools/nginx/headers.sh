#!/bin/sh
# SPDX-License-Identifier: MIT
#
# headers.sh: the headers that nginx's configure makes, as Debian's package of nginx had them when it was built.
#
#   headers.sh SOURCE COMPILER MODULE DIRECTORY
#
# SOURCE is what nginx-dev installs (/usr/share/nginx/src), MODULE the directory with the module's config. Leaves
# ngx_auto_config.h, ngx_auto_headers.h and ngx_http_promcb_module_modules.c in DIRECTORY.
set -eu
source=$1 compiler=$2 module=$3 directory=$4
case $directory in /*) ;; *) directory=$PWD/$directory ;; esac
work=$(mktemp -d "$directory/configure.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
# It writes where it stands.
cp -R "$source/auto" "$source/configure" "$source/conf_flags" "$work/"
ln -s "$source/src" "$work/src"
cd "$work"
bash -c '. ./conf_flags && ./configure --builddir="$1" --with-cc="$2" --add-dynamic-module="$3" \
  "${NGX_CONF_FLAGS[@]}"' configure "$work/objs" "$compiler" "$module" >log 2>&1 || {
  tail -n 20 log >&2
  exit 1
}
cp objs/ngx_auto_config.h objs/ngx_auto_headers.h objs/ngx_http_promcb_module_modules.c "$directory/"
