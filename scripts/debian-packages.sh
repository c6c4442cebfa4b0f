#!/bin/sh
# Installs the Debian packages that are missing; where there is no apt, says what the program will do without them.
set -eu
command -v dpkg >/dev/null 2>&1 || { echo "not Debian: go on without $*"; exit 0; }
missing=
for package in "$@"; do
  dpkg -s "$package" 2>/dev/null | grep -q '^Status: install ok' || missing="$missing $package"
done
[ -n "$missing" ] || exit 0
as_root=
[ "$(id -u)" = 0 ] || as_root=sudo
echo "installing$missing"
$as_root apt-get update -qq
# shellcheck disable=SC2086
DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq --no-install-recommends $missing >/dev/null
