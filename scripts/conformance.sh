#!/usr/bin/env bash
# The judge and the normaliser against foreign files and mutants, every copy
# called PDF/A against veraPDF, rendered pages before and after.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
export SOHOA_CONFORMANCE=1
"$root/scripts/test.sh" -count=1 -v ./pipeline/pdf/...
