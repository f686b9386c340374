#!/usr/bin/env bash
# Every fuzz target for FUZZTIME each.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
time=${FUZZTIME:-30s}
n=0
while IFS=: read -r file target; do
  echo "fuzz: ./$(dirname "$file") $target for $time"
  go test "./$(dirname "$file")" -run '^$' -fuzz "^$target\$" -fuzztime "$time"
  n=$((n + 1))
done < <(git grep -oE '^func Fuzz[A-Za-z0-9_]+' -- '*_test.go' | sed 's/:func /:/')
if [ "$n" = 0 ]; then
  echo "error: no fuzz target was found" >&2
  exit 1
fi
