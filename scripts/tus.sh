#!/bin/sh
# Gets tus-js-client, the client that others send with, into ./bin/tus. For tests
# only. Does nothing where it is there already.
set -eu
version=4.3.1
cd "$(dirname "$0")/.."
[ "$(cat bin/tus/version 2>/dev/null)" = "$version" ] && exit 0
command -v npm >/dev/null || { echo "tus.sh: needs npm (apt-get install npm)" >&2; exit 1; }
mkdir -p bin
dir=$(mktemp -d bin/.tus.XXXXXX)
trap 'rm -rf "$dir"' EXIT
echo '{"private": true}' >"$dir/package.json"
(cd "$dir" && npm install --silent --no-audit --no-fund --ignore-scripts "tus-js-client@$version" >/dev/null)
echo "$version" >"$dir/version"
rm -rf bin/tus
mv "$dir" bin/tus
