#!/usr/bin/env bash
# gofmt, go vet, staticcheck (fetched into ./bin at a fixed version).
set -euo pipefail
. "$(dirname "$0")/lib.sh"
unformatted=$(git ls-files -z --cached --others --exclude-standard '*.go' | xargs -0 gofmt -l)
if [ -n "$unformatted" ]; then
  printf 'not gofmt-ed:\n%s\n' "$unformatted" >&2
  exit 1
fi
go vet ./...
version=v0.8.2
if ! [ -x "$bin/staticcheck-$version" ]; then
  if GOBIN=$bin GOFLAGS= go install "honnef.co/go/tools/cmd/staticcheck@$version"; then
    mv "$bin/staticcheck" "$bin/staticcheck-$version"
  else
    missing staticcheck "needs the Go module proxy"
    exit 0
  fi
fi
"$bin/staticcheck-$version" ./...
echo "lint: clean"
