# shellcheck shell=bash
# shellcheck disable=SC2154 # `steps` is the sourcing script's
# What .ci/run, tests/run and tests/bench share: finding what is missing, and running steps one
# after the other with a time limit, a log and a table at the end. Sourced, not run.
#
# The sourcing script defines `step_NAME` functions, lists them in `steps` as lines
# "NAME LIMIT_SECONDS what it shows", and calls `run_steps NAME...`. A step passes when its
# function returns 0. A step may print one line "in short: TEXT" for the table.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
target=${CARGO_TARGET_DIR:-$root/target}
logs=$target/tests

say() { printf '%s\n' "== $*"; }
die() { printf '%s\n' "${0##*/}: $*" >&2; exit 2; }

# require COMMAND=PACKAGE... : installs the Debian packages of commands that are not there. Without
# root it names them and ends with status 2. Nothing is fetched when nothing is missing.
require() {
  local pair packages=()
  for pair in "$@"; do
    command -v "${pair%%=*}" >/dev/null || packages+=("${pair#*=}")
  done
  [ ${#packages[@]} -gt 0 ] || return 0
  if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    die "missing; as root: apt-get install --no-install-recommends ${packages[*]}"
  fi
  say "installing ${packages[*]}"
  export DEBIAN_FRONTEND=noninteractive
  apt-get -q update >/dev/null || die "apt-get update failed"
  apt-get install -y -q --no-install-recommends "${packages[@]}" </dev/null >/dev/null ||
    die "could not install ${packages[*]}"
}

# Rust has to be there: which version and from where is the user's choice.
require_rust() {
  command -v cargo >/dev/null || die "cargo is missing: install Rust $(sed -n 's/^rust-version = "\(.*\)"/\1/p' "$root/Cargo.toml") or newer"
}

# Steps as the script lists them.
step_names() { awk 'NF {print $1}' <<< "$steps"; }
step_limit() { awk -v s="$1" '$1 == s {print $2}' <<< "$steps"; }
step_title() { awk -v s="$1" '$1 == s {$1 = $2 = ""; sub(/^ +/, ""); print}' <<< "$steps"; }
list_steps() { awk 'NF {n = $1; l = $2; $1 = $2 = ""; sub(/^ +/, ""); printf "%-10s %s (at most %d s)\n", n, $0, l}' <<< "$steps"; }

# run_steps NAME... : each in a process of its own, under its time limit, output shown and kept.
# Fills `passed` and `failed`, prints the table.
run_steps() {
  local name started took rc n=0 total=$# table='' note
  passed=0 failed=0 running=''
  mkdir -p "$logs"
  trap 'stop_step 130' INT
  trap 'stop_step 143' TERM HUP
  for name in "$@"; do
    n=$((n + 1)) started=$SECONDS rc=0
    say "[$n/$total] $name: $(step_title "$name")"
    # timeout leads a process group of its own, so that the limit ends everything the step started.
    FIGURES=$logs/$name.figures
    rm -f "$FIGURES"
    export FIGURES
    timeout -k 20 "$(step_limit "$name")" "$0" --step "$name" </dev/null > >(exec tee "$logs/$name.log") 2>&1 &
    running=$!
    wait "$running" || rc=$?
    running=''
    took=$((SECONDS - started))
    # tee may still be writing the last lines.
    sleep 0.2
    note=$(sed -n 's/^in short: //p' "$logs/$name.log" | tail -n 1)
    if [ $rc = 0 ]; then
      passed=$((passed + 1)) word=ok
    else
      failed=$((failed + 1)) word=FAILED
      [ $rc != 124 ] && [ $rc != 137 ] || note="over its limit of $(step_limit "$name") s"
      note="${note:+$note; }see $logs/$name.log"
    fi
    say "[$n/$total] $name: $word after $took s"
    table+=$(printf '%-10s %-7s %6d s  %s' "$name" "$word" "$took" "$note")$'\n'
  done
  trap - INT TERM HUP
  printf '\n%-10s %-7s %8s  %s\n%s\n' step result time note "$table"
}

# Ends the running step when the script itself is told to end.
stop_step() {
  [ -z "$running" ] || { kill -TERM "$running" 2>/dev/null; wait "$running" 2>/dev/null; }
  exit "$1"
}

# Runs `cargo test` with the given arguments and fails when it ran no test at all.
cargo_test() {
  local out rc=0
  out=$(mktemp)
  cargo test --locked "$@" 2>&1 | tee "$out" || rc=$?
  tests=$(awk '/^test result:/ {n += $4} END {print n + 0}' "$out")
  rm -f "$out"
  [ "$rc" = 0 ] || return "$rc"
  [ "$tests" -gt 0 ] || { echo "no test was run by: cargo test $*"; return 1; }
}

# figure NAME VALUE UNIT LIMIT OK : a measured figure, shown and kept for tests/RESULTS.md as
# `tests/run --long` writes it. VALUE and LIMIT are numbers (or null), OK is true or false.
figure() {
  printf 'figure: %s: %s %s (limit %s)\n' "$1" "$2" "$3" "$4"
  [ -z "${FIGURES:-}" ] ||
    printf '{"figure": "%s", "value": %s, "unit": "%s", "limit": %s, "ok": %s}\n' "$@" >> "$FIGURES"
}
