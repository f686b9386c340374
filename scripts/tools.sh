#!/usr/bin/env bash
# Gets what the tests use. Whatever cannot be had is said; the tests that need
# it then skip, or fail under SOHOA_TEST_REQUIRE=all.
set -uo pipefail
. "$(dirname "$0")/lib.sh"

# Debian packages: a program, and the package that brings it; more of them as arguments.
want=(
  qpdf:qpdf mutool:mupdf-tools pdfinfo:poppler-utils gs:ghostscript
  chromium:chromium soffice:libreoffice-calc-nogui rclone:rclone aws:awscli
  java:default-jre-headless mvn:maven ip:iproute2 npm:npm mkfs.ext4:e2fsprogs systemd-analyze:systemd
  "$@"
)
packages=()
for pair in "${want[@]}"; do
  command -v "${pair%%:*}" >/dev/null || packages+=("${pair##*:}")
done
ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 || packages+=(postgresql)
if [ ${#packages[@]} -gt 0 ]; then
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "tools: installing ${packages[*]}"
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}"; } >"$bin/apt.log" 2>&1 ||
      missing "${packages[*]}" "apt-get failed, see bin/apt.log"
  else
    missing "${packages[*]}" "as root on Debian: apt-get install ${packages[*]}"
  fi
fi
# Of Prometheus only the program that checks rules: the package would start a server.
if ! [ -x "$bin/promtool" ] && ! command -v promtool >/dev/null; then
  tmp=$(mktemp -d)
  (cd "$tmp" && { apt-get download -qq prometheus || { apt-get update -qq && apt-get download -qq prometheus; }; } &&
    dpkg -x prometheus_*.deb . && install usr/bin/promtool "$bin/promtool") >>"$bin/apt.log" 2>&1 ||
    missing promtool "on Debian: apt-get download prometheus, unpack usr/bin/promtool into bin/"
  rm -rf "$tmp"
fi
scripts/test-servers.sh || missing "MinIO and versitygw" "they are built from the Go module proxy by scripts/test-servers.sh"
scripts/verapdf.sh --fetch || missing veraPDF "it comes from Maven Central by scripts/verapdf.sh and needs Java and Maven"
scripts/axe.sh || missing axe-core "it comes from the npm registry by scripts/axe.sh and needs npm"
scripts/tus.sh || missing tus-js-client "it comes from the npm registry by scripts/tus.sh and needs npm"
