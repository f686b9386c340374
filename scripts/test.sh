#!/usr/bin/env bash
# Every test. What was skipped is listed at the end with how to get it; under
# SOHOA_TEST_REQUIRE=all nothing may be skipped, and a skip is a failure.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
version=v1.13.0
if ! [ -x "$bin/gotestsum-$version" ]; then
  GOBIN=$bin GOFLAGS= go install "gotest.tools/gotestsum@$version"
  mv "$bin/gotestsum" "$bin/gotestsum-$version"
fi
if [ -z "${SOHOA_TEST_JSON:-}" ]; then
  SOHOA_TEST_JSON=$(mktemp)
  trap 'rm -f "$SOHOA_TEST_JSON"' EXIT
fi
json=$SOHOA_TEST_JSON
"$bin/gotestsum-$version" --format pkgname --jsonfile "$json" -- -timeout 25m "${@:-./...}"
if [ "${SOHOA_TEST_REQUIRE:-}" = all ] && grep -q '"Action":"skip","Package":"[^"]*","Test"' "$json"; then
  echo "error: tests were skipped although SOHOA_TEST_REQUIRE=all" >&2
  exit 1
fi
