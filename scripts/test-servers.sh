#!/bin/sh
# Builds the S3 servers that the storage tests run against, minio and versitygw,
# and MinIO's client mc, which reads what we wrote, into ./bin. Each is built once a version: bin/<name>-<version> is the stamp and
# the program, bin/<name> a link to it. They are test tools only (MinIO is AGPL)
# and no part of the product.
set -eu
cd "$(dirname "$0")/.."
mkdir -p bin

build() { # name, package, version
	stamp="bin/$1-$3"
	if [ ! -x "$stamp" ]; then
		echo "building $1 $3 (a few minutes, once)" >&2
		tmp="$(mktemp -d "bin/.build-$1.XXXXXX")"
		trap 'rm -rf "$tmp"' EXIT INT TERM
		GOBIN="$PWD/$tmp" GOFLAGS=-trimpath CGO_ENABLED=0 go install -ldflags='-s -w' "$2@$3"
		mv "$tmp/$1" "$stamp"
		rm -rf "$tmp"
		trap - EXIT INT TERM
	fi
	ln -sfn "$1-$3" "bin/$1"
}

for name in ${*:-versitygw minio mc}; do
	case "$name" in
	minio) build minio github.com/minio/minio v0.0.0-20260212201848-7aac2a2c5b7c ;;
	mc) build mc github.com/minio/mc v0.0.0-20250313080218-cf909e1063a9 ;;
	versitygw) build versitygw github.com/versity/versitygw/cmd/versitygw v1.8.0 ;;
	*)
		echo "usage: $0 [minio] [versitygw] [mc]" >&2
		exit 2
		;;
	esac
done
