#!/usr/bin/env bash
# Starts the smallest Ceph there is, a monitor, a manager, an OSD of 4 GB in a file
# and a gateway on loopback, and holds it against what the archive needs of an S3
# server. Takes some minutes, needs root, and leaves nothing behind. Ceph
# (radosgw, ceph-mon, ceph-mgr, ceph-osd, ceph-common) is taken from this machine,
# or from the system in another folder:
#
#   debootstrap --variant=minbase sid /srv/sid
#   chroot /srv/sid apt-get install --no-install-recommends radosgw ceph-mon ceph-mgr ceph-osd ceph-common
#   scripts/ceph.sh /srv/sid
#
# (That apt-get may end with an error about cryptsetup, which is not needed here.)
set -euo pipefail
. "$(dirname "$0")/lib.sh"
system=${1:-/}
[ "$(id -u)" = 0 ] && chroot "$system" radosgw --version || {
  missing "Ceph in $system" "as root: apt-get install radosgw ceph-mon ceph-mgr ceph-osd ceph-common"
  exit 0
}
mkdir -p "$system/tmp"
tmp=$(mktemp -d -p "$system/tmp")
cluster=
cleanup() {
  [ -z "$cluster" ] || kill -KILL "$cluster" 2>/dev/null || true
  wait 2>/dev/null || true
  rm -rf "$tmp"
}
trap cleanup EXIT
port=$((20000 + RANDOM % 10000))

cat >"$tmp/start" <<'END'
set -euo pipefail
dir=$1 port=$2
export CEPH_CONF=$dir/ceph.conf
mons="[v2:127.0.0.1:$((port + 1)),v1:127.0.0.1:$((port + 2))]"
fsid=$(cat /proc/sys/kernel/random/uuid) osd=$(cat /proc/sys/kernel/random/uuid)
mkdir "$dir"/{mon,mgr,osd,run,log}
cat >"$CEPH_CONF" <<CONF
[global]
fsid = $fsid
mon_host = $mons
public_addr = 127.0.0.1
keyring = $dir/keyring
run_dir = $dir/run
admin_socket = $dir/run/\$name.asok
log_file = $dir/log/\$name.log
mon_data = $dir/mon
mon_data_avail_crit = 0
mgr_data = $dir/mgr
osd_data = $dir/osd
bluestore_block_size = 4294967296
mon_allow_pool_size_one = true
osd_pool_default_size = 1
osd_pool_default_pg_num = 8
osd_pool_default_pg_autoscale_mode = off
osd_crush_chooseleaf_type = 0
rgw_frontends = beast endpoint=127.0.0.1:$port
CONF
key() { ceph-authtool "$dir/keyring" --gen-key -n "$@"; }
ceph-authtool --create-keyring "$dir/keyring" --gen-key -n mon. --cap mon 'allow *'
key client.admin --cap mon 'allow *' --cap osd 'allow *' --cap mgr 'allow *'
key mgr.x --cap mon 'allow profile mgr' --cap osd 'allow *'
key osd.0 --cap mon 'allow profile osd' --cap osd 'allow *' --cap mgr 'allow profile osd'
key client.rgw --cap mon 'allow rwx' --cap osd 'allow rwx'
monmaptool --create --fsid "$fsid" --addv a "$mons" "$dir/monmap"
ceph-mon --mkfs -i a --monmap "$dir/monmap" --keyring "$dir/keyring"
ceph-mon -i a
ceph-mgr -i x
ceph osd new "$osd"
ceph-osd --mkfs -i 0 --osd-uuid "$osd"
ceph-osd -i 0
radosgw-admin user create --uid=sohoa --display-name=sohoa --access-key=sohoa --secret-key=sohoa-secret
exec radosgw -f -n client.rgw
END
# In a namespace of processes of its own: what ends its first ends all.
unshare --mount --pid --fork --kill-child sh -c '
  mount --make-rprivate / && mount --rbind /dev "$1/dev" && mount -t proc proc "$1/proc" && exec chroot "$1" bash "$2/start" "$2" "$3"' \
  sh "$system" "/tmp/${tmp##*/}" "$port" >"$tmp/said" 2>&1 &
cluster=$!
export SOHOA_TEST_S3=http://127.0.0.1:$port AWS_ACCESS_KEY_ID=sohoa AWS_SECRET_ACCESS_KEY=sohoa-secret
for _ in $(seq 120); do
  ! curl -fs -o /dev/null "$SOHOA_TEST_S3/" || break
  kill -0 "$cluster" 2>/dev/null || break
  sleep 1
done
curl -fs -o /dev/null "$SOHOA_TEST_S3/" || {
  cat "$tmp/said" >&2
  echo "error: the gateway does not answer" >&2
  exit 1
}
go test -tags named -count=1 -run TestNamedServer -v ./storage/s3
