#!/usr/bin/env bash
# Builds deploy/Containerfile and runs what comes out of it: ready, a scan judged,
# stopped by SIGTERM. Needs root and podman, and leaves nothing behind. Where no
# registry can be reached, the Go image is made of this machine's own Go.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
command -v podman >/dev/null || {
  missing podman "on Debian: apt-get install --no-install-recommends podman runc"
  exit 0
}
tmp=$(mktemp -d)
# crun refuses machines that have both kinds of cgroups; runc does not.
podman() { command podman --root "$tmp/root" --runroot "$tmp/run" --cgroup-manager cgroupfs --runtime "$(command -v runc || command -v crun)" "$@"; }
cleanup() {
  podman rm -fa -t 0 >/dev/null 2>&1 || true
  podman rmi -fa >/dev/null 2>&1 || true
  umount "$tmp/root/overlay" 2>/dev/null || true
  rm -rf "$tmp"
}
trap cleanup EXIT

image=docker.io/library/golang:$(awk '$1 == "go" {split($2, v, "."); print v[1] "." v[2]}' go.mod)
mounts=()
if ! timeout 60 podman pull -q "$image" >/dev/null 2>"$tmp/pull"; then
  echo "container: $image is not to be had ($(tail -1 "$tmp/pull")); this machine's Go takes its place"
  image=localhost/go
  mkdir -p "$tmp/go/etc/ssl/certs" "$tmp/go/tmp"
  cp /etc/ssl/certs/ca-certificates.crt "$tmp/go/etc/ssl/certs/"
  cat >"$tmp/go/Containerfile" <<END
FROM scratch
COPY etc /etc
COPY tmp /tmp
ENV PATH=$(go env GOROOT)/bin:/usr/bin:/bin GOPROXY=off GOSUMDB=off HOME=/tmp GOMODCACHE=/mod GOCACHE=/cache
END
  podman build -q -t "$image" "$tmp/go" >/dev/null
  go mod download
  for d in /usr /bin /lib /lib64; do [ ! -e "$d" ] || mounts+=(-v "$d:$d:ro"); done
  mounts+=(-v "$(go env GOMODCACHE):/mod:ro" -v "$(go env GOCACHE):/cache")
fi
podman build -q --isolation chroot --network host --build-arg "GO_IMAGE=$image" --build-arg VERSION=container-test "${mounts[@]}" -f deploy/Containerfile -t sohoa . >"$tmp/id"
echo "container: built, $(podman image inspect --format '{{.Size}}' sohoa | awk '{printf "%.0f MB", $1/1e6}')"

# Nothing but what the file promises: no rights, nothing writable but /data and /tmp.
run=(run --network host --ulimit nofile=4096:4096 --ulimit nproc=4096:4096
  --read-only --read-only-tmpfs=false --tmpfs /tmp --cap-drop all --security-opt no-new-privileges)
podman "${run[@]}" --rm sohoa --version | grep -q container-test
mkdir -m 755 "$tmp/scans"
install -m 644 testdata/accept/scan-a4-colour-linearised.pdf "$tmp/scans/"
podman "${run[@]}" --rm -v "$tmp/scans:/scans:ro" sohoa inspect --json /scans/scan-a4-colour-linearised.pdf | grep -q '"outcome":"accepted"'
podman "${run[@]}" -d --name serve sohoa serve --data /data --listen 127.0.0.1:0 --log-level warn >/dev/null
for _ in $(seq 100); do
  base=$(podman logs serve 2>/dev/null | sed -n 's/.*serves at //p')
  [ -z "$base" ] || break
  sleep 0.1
done
[ "$(curl -fsS "$base/readyz" -o /dev/null -w '%{http_code}')" = 200 ]
echo "container: a scan is judged, the server is ready"
podman stop -t 30 serve >/dev/null
[ "$(podman inspect --format '{{.State.ExitCode}}' serve)" = 0 ] || {
  podman logs serve >&2
  echo "error: SIGTERM did not end it with 0" >&2
  exit 1
}
echo "container: ends by SIGTERM with 0"
