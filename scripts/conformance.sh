#!/usr/bin/env bash
# The judge and the normaliser against foreign files and mutants, every copy
# called PDF/A against veraPDF, rendered pages before and after. Writes
# docs/conformance.md, unless this is CI, where nobody would read it.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
export SOHOA_CONFORMANCE=1
out=$(mktemp)
trap 'rm -f "$out"' EXIT
SOHOA_TEST_JSON=$out "$root/scripts/test.sh" ./pipeline/pdf/...
report=$(mktemp)
go run ./pipeline/pdf/pdfa/pdfatest/report <"$out" >"$report"
cat "$report"
[ "${CI:-}" = true ] || cp "$report" docs/conformance.md
