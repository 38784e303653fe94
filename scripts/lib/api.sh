# Sourced by scripts/test, which sets root: schemathesis against the running program, by the OpenAPI document it serves.
# shellcheck shell=bash disable=SC2154

schemathesis_version=4.32.0
schemathesis=
api_home= # everything of this run; removed at the end
api_pid=
api_url=
api_result="not run" # one line for the summary

# Sets schemathesis, which it installs below $1 if it is not there.
find_schemathesis() {
  local venv=$1/schemathesis-$schemathesis_version
  schemathesis=$venv/bin/schemathesis
  if [ -x "$schemathesis" ]; then return 0; fi
  echo "scripts/test: installing schemathesis $schemathesis_version with pip" >&2
  (
    exec 9>"$1/install.lock"
    flock 9
    if [ -x "$schemathesis" ]; then exit 0; fi # a parallel run was faster
    rm -rf "$venv"
    python3 -m venv "$venv" && "$venv/bin/pip" install --quiet "schemathesis==$schemathesis_version" && [ -x "$schemathesis" ]
  ) >&2 </dev/null
}

# Starts the program $1 on the database $2, an empty one, or on SQLite if that is empty; its data lies below $3.
start_api() {
  local try guard=() database=()
  # With it the board does not even outlive a script that was killed.
  if command -v setpriv >/dev/null; then guard=(setpriv --pdeathsig KILL); fi
  if [ -n "$2" ]; then database=(--database-url "$2"); fi
  api_home=$3/api-$$
  rm -rf "$api_home"
  mkdir -p "$api_home"
  "${guard[@]}" "$1" --listen 127.0.0.1:0 --data "$api_home/data" --limits off "${database[@]}" \
    </dev/null >"$api_home/out" 2>"$api_home/err" &
  api_pid=$!
  for ((try = 0; try < 300; try++)); do
    api_url=$(sed -n 's/^Madang listens on *//p' "$api_home/out" 2>/dev/null)
    if [ -n "$api_url" ]; then return 0; fi
    kill -0 "$api_pid" 2>/dev/null || break
    sleep 0.1
  done
  cat "$api_home/err" >&2
  echo "scripts/test: madang did not start" >&2
  return 2
}

run_schemathesis() {
  cd "$api_home" # it leaves a cache behind
  SCHEMATHESIS_HOOKS=$root/scripts/api/hooks.py "$schemathesis" --config-file "$root/scripts/api/schemathesis.toml" \
    run "$api_url/openapi.json" | tee "$api_home/report" >&2
}

# Lets schemathesis try every route, for an account that has something and another whose things it must not touch.
fuzz_api() { # PROGRAM DATABASE-URL FOLDER
  local status=0 started=$SECONDS cases
  api_result="FAILED: not started"
  # With an account at LINE, which nobody reaches: its route is tried like any other.
  MADANG_LINE_CHANNEL_SECRET=secret MADANG_LINE_CHANNEL_TOKEN=token MADANG_LINE_BASE_URL=http://127.0.0.1:9 \
    start_api "$@" || return 2
  python3 "$root/scripts/api/populate.py" "$api_url" || return 2
  run_group run_schemathesis || status=$?
  # An answer of 500 is a failure of schemathesis; what is amiss behind a good answer is told here alone.
  if grep -E '"level":"ERROR"|panicked' "$api_home/err" >&2; then status=1; fi
  cases=$(sed -n '/^Test cases:/{n;s/^ *//p}' "$api_home/report")
  api_result="${cases:-no report}, in $((SECONDS - started)) s"
  if [ "$status" != 0 ]; then api_result="FAILED: $api_result"; fi
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
