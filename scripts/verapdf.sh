#!/usr/bin/env bash
# Validates PDFs with veraPDF, the reference validator of PDF/A.
#
#   scripts/verapdf.sh --fetch        only brings it: from Maven Central into bin/verapdf
#   scripts/verapdf.sh PATH…          PDF/A-2b; one line a file: "PASS file 2b" or "FAIL file 2b",
#                                     the broken rules indented below. Folders are gone through.
#
# Everything is checked in one Java process: starting it costs more than a file.
# Exit 0: all pass, 1: some fail, 2: cannot run.
set -euo pipefail
version=1.28.2
root=$(cd "$(dirname "$0")/.." && pwd)
dir=$root/bin/verapdf
jar=$dir/greenfield-apps-$version.jar

fetch() {
  [ -s "$jar" ] && return 0
  command -v java >/dev/null || { echo "verapdf: needs Java (apt-get install default-jre-headless)" >&2; return 1; }
  command -v mvn >/dev/null || { echo "verapdf: needs Maven (apt-get install maven)" >&2; return 1; }
  mkdir -p "$dir"
  local tmp
  tmp=$(mktemp -d "$dir/fetch.XXXXXX")
  # From a folder of its own, so that no project of Maven's is found above.
  (cd "$tmp" &&
    mvn -q -B dependency:get -Dartifact=org.verapdf.apps:greenfield-apps:$version -Dtransitive=false &&
    mvn -q -B dependency:copy -Dartifact=org.verapdf.apps:greenfield-apps:$version -DoutputDirectory="$tmp") >"$dir/fetch.log" 2>&1 || {
    echo "verapdf: not to be had from Maven Central, see bin/verapdf/fetch.log" >&2
    rm -rf "$tmp"
    return 1
  }
  # Renamed into place, so that a broken fetch leaves nothing that looks whole.
  mv "$tmp/greenfield-apps-$version.jar" "$jar"
  rm -rf "$tmp"
}

fetch || exit 2
[ "${1-}" = --fetch ] && exit 0
[ $# -gt 0 ] || { sed -n '2,10s/^# \{0,1\}//p' "$0" >&2; exit 2; }
status=0
java -Xmx1g -cp "$jar" org.verapdf.apps.GreenfieldCliWrapper --flavour 2b --recurse --verbose --format text --loglevel 0 \
  --maxfailuresdisplayed 1 "$@" || status=$?
# veraPDF: 0 all valid, 1 some not, the rest is trouble of its own
case $status in 0 | 1) exit $status ;; *) echo "verapdf: exit $status" >&2; exit 2 ;; esac
