# Sourced by scripts/test, which sets root: schemathesis against the running program, by the OpenAPI document it serves.
# shellcheck shell=bash disable=SC2154

schemathesis_version=4.32.0
api_home= # everything of this run; removed at the end
api_pid=

# Gets schemathesis into a folder of its own below $1; sets schemathesis.
find_schemathesis() {
  local tools=$1/schemathesis-$schemathesis_version
  schemathesis=$tools/bin/schemathesis
  if [ -x "$schemathesis" ]; then return 0; fi
  echo "scripts/test: getting schemathesis $schemathesis_version" >&2
  rm -rf "$tools"
  python3 -m venv "$tools" >&2 && "$tools/bin/pip" install --quiet "schemathesis==$schemathesis_version" >&2
}

# Starts the board on SQLite with a user, and lets schemathesis try its routes. $1: the program; $2: a folder for the run.
fuzz_api() {
  local program=$1 try status=0
  api_home=$2/api-$$
  rm -rf "$api_home"
  mkdir -p "$api_home"
  MADANG_LISTEN=127.0.0.1:0 MADANG_DATA=$api_home/data MADANG_LIMITS=off \
    "$program" </dev/null >"$api_home/out" 2>"$api_home/err" &
  api_pid=$!
  for ((try = 0; try < 100; try++)); do
    api_url=$(sed -n 's/^Madang listens on *//p' "$api_home/out")
    if [ -n "$api_url" ]; then break; fi
    kill -0 "$api_pid" 2>/dev/null || break
    sleep 0.1
  done
  if [ -z "$api_url" ]; then
    cat "$api_home/err" >&2
    echo "scripts/test: madang did not start" >&2
    return 2
  fi
  if ! python3 "$root/scripts/api/populate.py" "$api_url" >"$api_home/env"; then return 2; fi
  # shellcheck source=/dev/null
  . "$api_home/env"
  export MADANG_API_PASSWORD MADANG_API_FEED MADANG_API_COMMENT MADANG_API_USER MADANG_API_IMAGE
  (cd "$api_home" && "$schemathesis" --config-file "$root/scripts/api/schemathesis.toml" run "$api_url/openapi.json") || status=$?
  # An answer of 500 is a failure of schemathesis; a panic behind a good answer would be seen here alone.
  if grep -q 'a task panicked' "$api_home/err"; then
    grep 'a task panicked' "$api_home/err" >&2
    status=1
  fi
  stop_api
  return "$status"
}

stop_api() {
  if [ -n "$api_pid" ]; then
    kill -KILL "$api_pid" 2>/dev/null || true
    wait "$api_pid" 2>/dev/null || true
    api_pid=
  fi
  if [ -n "$api_home" ]; then rm -rf "$api_home"; fi
  api_home=
}
