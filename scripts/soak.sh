#!/usr/bin/env bash
# Long runs that have no place in CI: more histories, more kills, a longer outage.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
scripts/tools.sh nginx:nginx-light openssl:openssl iptables:iptables debootstrap:debootstrap podman:podman runc:runc \
  podman-compose:podman-compose /usr/lib/podman/netavark:netavark /usr/lib/podman/aardvark-dns:aardvark-dns
export SOHOA_HISTORIES=${SOHOA_HISTORIES:-100000} SOHOA_LEDGER_HISTORIES=${SOHOA_LEDGER_HISTORIES:-20000} SOHOA_OUTAGE=${SOHOA_OUTAGE:-60s}
export SOHOA_TEST_BACKFILL_ROWS=${SOHOA_TEST_BACKFILL_ROWS:-20000} SOHOA_TEST_RECEIPTS=${SOHOA_TEST_RECEIPTS:-200}
go test -count=1 -timeout 6h -v -run 'Histories|Naive' ./tally ./storage/ledger
go test -count=1 -timeout 6h -v -run 'Fault|Outage|Proxy' ./storage/...
go test -count=1 -timeout 6h -v -run 'Kill|Receipt|QR' ./pipeline/...
go test -count=20 -timeout 6h -run 'Kill|PowerCut' ./storage/disk
go test -count=5 -timeout 6h -run ServerKilled ./storage/s3
SOHOA_CRASH=all go test -count=1 -timeout 6h -v -run 'CrashMatrix|EveryWriteBroken|BitFlips' ./pipeline
SOHOA_KILLS=${SOHOA_KILLS:-200} go test -count=1 -timeout 6h -v -run 'KillLoop|Outages|DiskFull|LedgerLocked' ./cmd/sohoa
go test -count=1 -timeout 1h -v -run TestHosts ./cmd/sohoa
# docs/operations.md, done as it stands there on four machines; needs root.
go test -tags machines -count=1 -timeout 30m -v -run TestOperations ./cmd/sohoa
# The container file, built and run, and the compose file; needs root and podman.
scripts/container.sh
# The program before beside this one; needs the history.
SOHOA_UPGRADE_FROM=${SOHOA_UPGRADE_FROM:-b5c3ec4} go test -tags upgrade -count=1 -timeout 30m -v -run TestRollingUpgrade ./cmd/sohoa
