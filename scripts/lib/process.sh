# Sourced by scripts/test and .ci/run: start a command so that it never outlives the script.
# shellcheck shell=bash

group=

# Runs "$@" in a process group of its own and waits for it; returns its status.
#
# Waiting in the background lets a trap run at once (bash would otherwise hold it back until the command ends), and the
# group reaches the children of a command that forwards no signals: cargo leaves its test binaries running.
run_group() {
  local status=0
  set -m
  "$@" </dev/null &
  group=$!
  set +m
  wait "$group" || status=$?
  group=
  return "$status"
}

# Ends what run_group still waits for, when a trap left it.
end_group() {
  [ -n "$group" ] || return 0
  kill -TERM -- "-$group" 2>/dev/null || true
  wait "$group" 2>/dev/null || true
  group=
}

# Calls the function $1 whichever way the script ends.
on_end() {
  # shellcheck disable=SC2064  # the name is known now
  trap "$1" EXIT
  trap 'exit 129' HUP
  trap 'exit 130' INT
  trap 'exit 143' TERM
}
