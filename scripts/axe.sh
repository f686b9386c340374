#!/bin/sh
# Gets axe-core, which looks for what keeps people from using a page, into
# ./bin/axe.min.js. For tests only. Does nothing where it is there already.
set -eu
version=4.14.1
cd "$(dirname "$0")/.."
[ -s bin/axe.min.js ] && [ "$(cat bin/axe.version 2>/dev/null)" = "$version" ] && exit 0
command -v npm >/dev/null || { echo "axe.sh: needs npm (apt-get install npm)" >&2; exit 1; }
mkdir -p bin
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
(cd "$dir" && npm pack --silent "axe-core@$version" >/dev/null && tar xzf axe-core-*.tgz package/axe.min.js)
mv "$dir/package/axe.min.js" bin/axe.min.js
echo "$version" >bin/axe.version
