# Sourced by the other scripts: the project's folder and its tools.
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
bin=$root/bin
mkdir -p "$bin"
export PATH="$bin:$PATH"
cd "$root"

# must_have: under SOHOA_TEST_REQUIRE=all what is missing is an error.
missing() { # what, how to get it
  if [ "${SOHOA_TEST_REQUIRE:-}" = all ]; then
    echo "error: $1 is missing: $2" >&2
    exit 1
  fi
  echo "SKIPPED: $1 is missing: $2" >&2
}
