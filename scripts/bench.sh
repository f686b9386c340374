#!/usr/bin/env bash
# Prints the figures of docs/benchmarks.md. Nothing is asserted.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
echo "== machine: $(nproc) cores, $(awk '/MemTotal/ {printf "%.0f GiB", $2/1048576}' /proc/meminfo), $(go version)"
echo "== main job on the directory store"
go build -o "$bin/bench-mainjob" ./internal/bench/mainjob
"$bin/bench-mainjob" -sohoa "$bin/sohoa"
echo "== the same on an S3 server and PostgreSQL, beside rclone"
go test -run '^$' -bench Cluster -benchtime 3x ./pipeline
echo "== a backfill: its rate beside a plain copy, and what it costs the counters"
go test -run '^$' -bench Backfill -benchtime 3x ./pipeline/backfill
go build -o "$bin/bench-backfill" ./internal/bench/backfill
"$bin/bench-backfill" -sohoa "$bin/sohoa"
echo "== 200 clerks at once through the pages' own API"
SOHOA_LOAD_CLERKS=200 SOHOA_LOAD_FILES=5 go test -count=1 -run TestClerksAtOnce -v -timeout 1h ./web
echo "== pages with 1 million dossiers and 333,000 documents"
SOHOA_BENCH_DOSSIERS=${SOHOA_BENCH_PAGES:-1000000} go test -run '^$' -bench BenchmarkPages -benchtime 20x -timeout 2h ./web
if [ -n "${SOHOA_BENCH_LEDGERS:-}" ]; then
  echo "== a document's whole way on ledgers of different sizes (SOHOA_BENCH_LEDGERS=sqlite:SMALL,sqlite:LARGE, kept by SOHOA_BENCH_DATABASE below)"
  "$bin/bench-mainjob" -ledgers "$SOHOA_BENCH_LEDGERS"
fi
echo "== one, two, four workers against a store that answers 20 ms late"
"$bin/bench-mainjob" -latency 20ms -n 60
echo "== a day of the country in the queue (docs/scale.md)"
go run ./internal/bench/queuesim
echo "== normaliser and signatures"
go test -run '^$' -bench . -benchtime 2s ./pipeline/pdf/...
echo "== judge and normaliser beside other programs"
if ! command -v ocrmypdf >/dev/null && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends ocrmypdf >>"$bin/apt.log" 2>&1 ||
    echo "bench: ocrmypdf is not to be had, see bin/apt.log"
fi
go build -o "$bin/bench-normaliser" ./internal/bench/normaliser
"$bin/bench-normaliser" -sohoa "$bin/sohoa"
echo "== a document's whole way beside OCRmyPDF and mc cp in a shell loop, and beside paperless-ngx (SOHOA_BENCH_PAPERLESS names an installation by scripts/paperless.sh)"
go run ./internal/bench/peers -sohoa "$bin/sohoa" -paperless "${SOHOA_BENCH_PAPERLESS:-}"
echo "== object stores"
go test -run '^$' -bench . -benchtime 2s ./storage ./storage/disk ./storage/s3
echo "== figures"
go test -run '^$' -bench . -benchtime 2s ./tally
echo "== register import"
go test -run '^$' -bench ImportSQLite -benchtime 1x ./pipeline/register
echo "== ledger (SOHOA_BENCH_DOSSIERS=10000000 for ten million)"
go test -run '^$' -bench 'Report|ListPage' -benchtime 20x -timeout 3h ./storage/ledger
go test -run '^$' -bench 'Tallies|Document|Register|Latency|Open|Recount' -benchtime 1x -timeout 3h ./storage/ledger
echo "== serve from start to ready (SOHOA_BENCH_DATABASE names a ledger that the benchmarks above kept)"
go run ./internal/bench/start -sohoa "$bin/sohoa" -database "${SOHOA_BENCH_DATABASE:-}"
echo "== whole archive: verify beside sha256sum, copy beside rclone, rebuild"
go run ./internal/bench/archive -sohoa "$bin/sohoa"
