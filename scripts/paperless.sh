#!/usr/bin/env bash
# Installs paperless-ngx, which internal/bench/peers measures beside sohoa, as its
# docs/setup.md describes for bare metal: its settings as shipped, SQLite, Redis as
# broker. Done once a version; some minutes, 1.5 GB.
#
#   scripts/paperless.sh SRC DIR [VERSION]
#
# SRC is its git repository: a folder (a mirror will do) or a URL. What else it needs
# comes from Debian and PyPI. Left out is what no setting measured here uses: the web
# frontend, which its releases build from src-ui, and torch with sentence-transformers,
# of its language models. In DIR stand afterwards src, venv, static, paperless.conf,
# bin/redis-server, token (of a superuser), version, and new: the data of an
# installation without documents, to be copied.
set -euo pipefail
[ $# -ge 2 ] || { sed -n '6p' "$0" >&2; exit 2; }
version=${3:-v3.0.5}
python=${PYTHON:-/usr/bin/python3}
mkdir -p "$2"
dir=$(cd "$2" && pwd)
# Read from the place that the caller meant; a URL stays as it is.
src=$1
[ ! -d "$src" ] || src=$(cd "$src" && pwd)
if [ -f "$dir/version" ] && [ "$(head -n 1 "$dir/version")" = "$version" ]; then
  echo "paperless: $version is in $dir"
  exit 0
fi
rm -rf "$dir"/{src,venv,static,bin,new,version,paperless.conf,token}

# redis-tools holds the server too, under another of its names; redis-server would
# start one.
packages=(
  python3-venv imagemagick fonts-liberation gnupg libmagic1 poppler-utils redis-tools
  unpaper ghostscript icc-profiles-free qpdf pngquant tesseract-ocr tesseract-ocr-eng git
)
if ! dpkg -s "${packages[@]}" >/dev/null 2>&1; then
  [ "$(id -u)" = 0 ] || { echo "paperless: as root: apt-get install ${packages[*]}" >&2; exit 1; }
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}"
fi

tmp=$(mktemp -d -p "$dir")
trap 'rm -rf "$tmp"' EXIT
if [ ! -d "$src" ]; then
  git clone -q --bare --depth 1 --branch "$version" "$src" "$tmp/git"
  src=$tmp/git
fi
git -C "$src" archive "$version" src pyproject.toml uv.lock | tar x -C "$tmp"
mv "$tmp/src" "$dir/src"

# The versions that its lock names, as its release's requirements.txt has them.
"$python" -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q uv
(cd "$tmp" && "$dir/venv/bin/uv" export -q --frozen --no-dev --extra webserver --no-hashes --prune torch --prune sentence-transformers \
  --format requirements-txt --output-file requirements.txt)
"$dir/venv/bin/uv" pip install -q --python "$dir/venv/bin/python" --no-deps -r "$tmp/requirements.txt"

# Debian forbids ImageMagick to read PDF files. That stays, although its docs/setup.md
# would allow it: thumbnails are then made by Ghostscript, in a fifth of the
# processor time.
mkdir "$dir/bin" "$dir/new"{,/data,/media,/consume}
ln -s "$(command -v redis-check-rdb)" "$dir/bin/redis-server"
cat >"$dir/paperless.conf" <<CONF
PAPERLESS_SECRET_KEY=$(od -An -N 32 -tx1 /dev/urandom | tr -d ' \n')
PAPERLESS_DBENGINE=sqlite
PAPERLESS_CONVERT_BINARY=/usr/bin/convert
CONF

# No broker runs here, so nothing is cached.
export PAPERLESS_CACHE_BACKEND=django.core.cache.backends.dummy.DummyCache
export PAPERLESS_DATA_DIR=$dir/new/data PAPERLESS_MEDIA_ROOT=$dir/new/media PAPERLESS_CONSUMPTION_DIR=$dir/new/consume
cd "$dir/src"
manage() { "$dir/venv/bin/python" manage.py "$@"; }
manage collectstatic --no-input --clear >/dev/null
manage migrate >/dev/null
PAPERLESS_ADMIN_USER=admin PAPERLESS_ADMIN_PASSWORD=$(od -An -N 16 -tx1 /dev/urandom | tr -d ' \n') manage manage_superuser
manage drf_create_token admin | grep -oE '[0-9a-f]{40}' >"$dir/token"
printf '%s\n%s\n' "$version" "$("$dir/venv/bin/python" --version)" >"$dir/version"
echo "paperless: $version is in $dir"
