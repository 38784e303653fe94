# Sourced by scripts/test, which sets target and starts the servers: boards that are killed at every step.
# shellcheck shell=bash disable=SC2154

# Runs the campaign that "$@" describes; without arguments the whole one, each part of it though another failed. The tables
# are below target/faults/.
run_faults() {
  local status=0 database media kills=30
  cargo build --locked --package faults >&2 || return
  if [ $# != 0 ]; then
    "$target/debug/faults" "$@"
    return
  fi
  mkdir -p "$target/faults"
  for database in sqlite postgres mariadb; do
    for media in file s3; do
      "$target/debug/faults" --database "$database" --media "$media" --kills "$kills" \
        --report "$target/faults/$database-$media" || status=$?
      kills=10
    done
  done
  return "$status"
}
