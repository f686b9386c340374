#!/bin/sh
# Makes web/static/qr.js, the reader of QR codes in the pages, from the npm package
# qr. Its product is kept in the repository: building sohoa needs no Node. For
# whoever takes a newer version; check that what changes is what should.
set -eu
version=0.7.0 esbuild=0.28.2
cd "$(dirname "$0")/.."
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
(cd "$dir" && npm pack --silent "qr@$version" >/dev/null && tar xzf qr-*.tgz &&
	npx --yes "esbuild@$esbuild" package/decode.js --bundle --minify --format=iife --global-name=qr --outfile=qr.js --log-level=error)
{
	echo "/*! Reads QR codes: npm package qr $version (decode.js), MIT or Apache-2.0, (c) Paul Miller, https://github.com/paulmillr/qr."
	echo " *  Made by scripts/qr.sh; loaded only where a camera is used and the browser has no BarcodeDetector of its own. */"
	cat "$dir/qr.js"
} >web/static/qr.js
