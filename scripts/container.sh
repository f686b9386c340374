#!/usr/bin/env bash
# Builds deploy/Containerfile and runs what comes out of it: ready, a scan judged,
# stopped by SIGTERM. Then brings up deploy/compose.yaml: a scan goes in, is
# stored, counted and seen by Prometheus. Needs root, podman and podman-compose;
# nothing stays behind but podman's empty chains of iptables. Where no registry can
# be reached, the Go image is made of this machine's own Go, and the others of Debian
# 13's packages (debootstrap).
set -euo pipefail
. "$(dirname "$0")/lib.sh"
for need in podman podman-compose; do
  command -v $need >/dev/null || {
    missing $need "on Debian: apt-get install --no-install-recommends podman podman-compose runc netavark aardvark-dns"
    exit 0
  }
done
tmp=$(mktemp -d)
# crun refuses machines that have both kinds of cgroups; runc does not.
cat >"$tmp/containers.conf" <<END
[containers]
default_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]
[engine]
cgroup_manager = "cgroupfs"
runtime = "$(basename "$(command -v runc || command -v crun)")"
[network]
network_backend = "netavark"
network_config_dir = "$tmp/networks"
END
cat >"$tmp/storage.conf" <<END
[storage]
driver = "overlay"
graphroot = "$tmp/root"
runroot = "$tmp/run"
END
export CONTAINERS_CONF=$tmp/containers.conf CONTAINERS_STORAGE_CONF=$tmp/storage.conf
# podman asks systemd to do the health checks in their turns.
[ -d /run/systemd/system ] || export DISABLE_HC_SYSTEMD=true
compose() { podman-compose -f "$tmp/deploy/compose.yaml" "$@" >>"$tmp/compose.log" 2>&1; }
running() { podman ps -qf "name=_$1_1"; }
cleanup() {
  [ ! -e "$tmp/deploy/.env" ] || compose down -t 5 || true
  podman rm -fa -t 0 >/dev/null 2>&1 || true
  podman rmi -fa >/dev/null 2>&1 || true
  umount "$tmp/root/overlay" 2>/dev/null || true
  rm -rf "$tmp"
}
trap cleanup EXIT

image=docker.io/library/golang:$(awk '$1 == "go" {split($2, v, "."); print v[1] "." v[2]}' go.mod)
mounts=() offline=
if ! timeout 60 podman pull -q "$image" >/dev/null 2>"$tmp/pull"; then
  echo "container: $image is not to be had ($(tail -1 "$tmp/pull")); this machine's Go takes its place"
  offline=yes image=localhost/go
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
run=(run --network host --read-only --read-only-tmpfs=false --tmpfs /tmp --cap-drop all --security-opt no-new-privileges)
podman "${run[@]}" --rm sohoa --version | grep -q container-test
scan=testdata/accept/scan-a4-colour-linearised.pdf
mkdir -m 755 "$tmp/scans"
install -m 644 "$scan" "$tmp/scans/scan.pdf"
podman "${run[@]}" --rm -v "$tmp/scans:/scans:ro" sohoa inspect --json /scans/scan.pdf | grep -q '"outcome":"accepted"'
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

# The others' images where they cannot be had: the programs from Debian under their
# names, with as much of their entrypoints as deploy/compose.yaml relies on.
if [ -n "$offline" ]; then
  debootstrap --variant=minbase --include=postgresql,prometheus trixie "$tmp/debian" >"$tmp/debootstrap" || {
    tail "$tmp/debootstrap" >&2
    exit 1
  }
  tar -C "$tmp/debian" --exclude './var/cache/*' --exclude './var/lib/apt/*' --exclude './usr/share/doc/*' --exclude './usr/share/locale/*' -c . | podman import -q - localhost/debian >/dev/null
  rm -rf "$tmp/debian"
  named() { awk -v name="$1:" '$1 == "image:" && index($2, name) {print $2}' deploy/compose.yaml; }
  mkdir "$tmp/images"
  cp "$(command -v versitygw)" "$tmp/images/"
  cat >"$tmp/images/postgres" <<'END'
#!/bin/bash
set -euo pipefail
if [ "$(id -u)" = 0 ]; then
  chown postgres "$PGDATA"
  exec setpriv --reuid postgres --regid postgres --clear-groups "$0" "$@"
fi
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  initdb --username="$POSTGRES_USER" --pwfile=<(echo "$POSTGRES_PASSWORD") $POSTGRES_INITDB_ARGS
  echo 'host all all all scram-sha-256' >>"$PGDATA/pg_hba.conf"
  pg_ctl -w -o "-c listen_addresses=''" start
  createdb -U "$POSTGRES_USER" "$POSTGRES_DB"
  pg_ctl -w -m fast stop
fi
exec "$@" -c listen_addresses='*'
END
  chmod 755 "$tmp/images/postgres"
  podman build -q -t "$(named postgres)" -f - "$tmp/images" >/dev/null <<'END'
FROM localhost/debian
COPY postgres /entrypoint
ENV PATH=/usr/lib/postgresql/17/bin:/usr/bin:/bin PGDATA=/var/lib/postgresql/data LANG=C.UTF-8
VOLUME /var/lib/postgresql/data
STOPSIGNAL SIGINT
ENTRYPOINT ["/entrypoint"]
END
  podman build -q -t "$(named versitygw)" -f - "$tmp/images" >/dev/null <<'END'
FROM scratch
COPY versitygw /versitygw
ENTRYPOINT ["/versitygw"]
END
  podman build -q -t "$(named prometheus)" -f - "$tmp/images" >/dev/null <<'END'
FROM localhost/debian
USER nobody
WORKDIR /tmp
ENTRYPOINT ["prometheus"]
CMD ["--config.file=/etc/prometheus/prometheus.yml", "--storage.tsdb.path=/tmp/prometheus"]
END
  echo "compose: images made of $(podman run --rm --network none --entrypoint dpkg-query localhost/debian -W -f '${Package} ${Version} ' postgresql-17 prometheus)and versitygw"
fi

# As a person does it, with the settings in a file beside it.
cp -r deploy "$tmp/deploy"
port=$((20000 + RANDOM % 10000))
printf '%s\n' POSTGRES_PASSWORD=change-me S3_ACCESS=access S3_SECRET=change-me-too SOHOA_PORT=$port >"$tmp/deploy/.env"
touch "$tmp/deploy/metrics.token"
compose up -d --no-build
base=http://127.0.0.1:$port
until_so() { # what, seconds, command
  local what=$1 end=$((SECONDS + $2))
  shift 2
  until "$@" >"$tmp/said" 2>&1; do
    [ $SECONDS -lt $end ] || {
      compose logs --tail 20 || true
      cat "$tmp/compose.log" "$tmp/said" >&2
      echo "error: compose: not $what" >&2
      exit 1
    }
    sleep 1
  done
  echo "compose: $what"
}
until_so "the database is well" 60 podman healthcheck run "$(running postgres)"
until_so "ready" 120 curl -fsS "$base/readyz"
sohoa() { podman exec "$(running serve)" /sohoa "$@"; }
printf 'code,name,level,parent,valid_from,valid_to,successor\nH51,Tỉnh Sóc Trăng,province,,,,\nH51.10,Huyện Trần Đề,district,H51,,,\n' >"$tmp/units.csv"
podman cp "$tmp/units.csv" "$(running serve)":/data/units.csv
sohoa import units /data/units.csv >/dev/null
token=$(sohoa token create --role operator --unit H51)
sohoa token create --role system --unit H51 >"$tmp/deploy/metrics.token"
stored() {
  curl -fsS -T "$scan" -H "Authorization: Bearer $token" -H 'Prefer: wait=20' \
    "$base/api/v1/dossiers/H51.10-240801-000001/documents?kind=component" | grep '"stored"'
}
until_so "a scan is stored" 60 stored
until_so "verify has no complaint" 60 sohoa verify --deep
metrics() { podman exec "$(running prometheus)" promtool query instant http://127.0.0.1:9090 "$1" | grep -E "=> $2 "; }
until_so "Prometheus asks the server" 120 metrics 'sum(up{job="sohoa"})' 1
until_so "Prometheus sees the document" 60 metrics 'sum(sohoa_documents_total)' 1
[ "$(podman ps -q --filter name=work_ | wc -l)" = 2 ]
compose down -t 60
echo "compose: two workers ran, all is taken down"
