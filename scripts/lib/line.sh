# Sourced by scripts/test after browser.sh: LINE's official SDKs against line-stub, which plays LINE for the other tests.
# shellcheck shell=bash disable=SC2154

line_modules=          # folder of the npm packages that are needed
line_python=           # Python with LINE's SDK
line_home=             # everything of this run; removed at the end
line_pid=
line_urls=()           # of the stub: the API's, and that of data
line_result="not run" # one line for the summary

# "@line/bot-sdk 11.0.0, line-bot-sdk 3.27.0", as they are locked.
line_versions() {
  echo "@line/bot-sdk $(sed -n 's/.*"@line\/bot-sdk": "\(.*\)".*/\1/p' "$root/scripts/line/package.json" | head -n 1)," \
    "line-bot-sdk $(sed -n 's/^line-bot-sdk==//p' "$root/scripts/line/requirements.txt")"
}

# Whether there are Node and npm. The SDK declares Node 20, and runs on 18, which some distributions still have.
find_node() {
  node -e 'process.exit(parseInt(process.versions.node) < 18 ? 1 : 0)' 2>/dev/null && command -v npm >/dev/null
}

# As install_mariadb, with Node and npm.
install_node() {
  if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    return 1
  fi
  echo "scripts/test: installing Node with apt-get" >&2
  (
    exec 9>"$1/install.lock"
    flock 9
    if find_node; then exit 0; fi # a parallel run was faster
    export DEBIAN_FRONTEND=noninteractive
    apt-get -q update && apt-get -q install -y --no-install-recommends nodejs npm
  ) >&2 </dev/null
}

# Sets line_python, which it installs below $1 with the packages that are locked, if it is not there.
find_line_python() {
  local lock=$root/scripts/line/requirements.txt venv
  venv=$1/line-$(sha256sum <"$lock" | cut -c 1-16)
  line_python=$venv/bin/python
  if [ -e "$venv/complete" ]; then return 0; fi
  echo "scripts/test: installing LINE's SDK for Python with pip" >&2
  (
    exec 9>"$1/install.lock"
    flock 9
    if [ -e "$venv/complete" ]; then exit 0; fi # a parallel run was faster
    rm -rf "$venv"
    python3 -m venv "$venv" && "$venv/bin/pip" install --quiet --no-deps --requirement "$lock" && touch "$venv/complete"
  ) >&2 </dev/null
}

# Everything that the SDKs need, or a sentence about what is missing. $1: the folder below which it is installed.
require_line() {
  if ! find_node && ! { install_node "$1" && find_node; }; then
    echo "scripts/test: Node 18 or newer or npm was not found, and could not be installed." >&2
    return 2
  fi
  if ! find_modules "$1" "$root/scripts/line"; then
    echo "scripts/test: LINE's SDK for Node could not be installed: npm and a package index are needed." >&2
    return 2
  fi
  line_modules=$modules
  if ! find_line_python "$1"; then
    echo "scripts/test: LINE's SDK for Python could not be installed: python3 with venv and a package index are needed." >&2
    return 2
  fi
}

# Starts the program $1; what it leaves lies below $2.
start_line_stub() {
  local try guard=()
  # With it the stub does not even outlive a script that was killed.
  if command -v setpriv >/dev/null; then guard=(setpriv --pdeathsig KILL); fi
  line_home=$2/line-run-$$
  rm -rf "$line_home"
  mkdir -p "$line_home"
  "${guard[@]}" "$1" </dev/null >"$line_home/out" 2>"$line_home/err" &
  line_pid=$!
  for ((try = 0; try < 100; try++)); do
    read -r -a line_urls < <(sed -n 's/^line-stub: api \(.*\) data \(.*\)/\1 \2/p' "$line_home/out") || true
    if [ "${#line_urls[@]}" = 2 ]; then return 0; fi
    kill -0 "$line_pid" 2>/dev/null || break
    sleep 0.1
  done
  cat "$line_home/err" >&2
  echo "scripts/test: line-stub did not start" >&2
  return 2
}

# Both SDKs, one after the other, since the quota is the channel's.
run_line_sdks() {
  local status=0
  export STUB_API=${line_urls[0]} STUB_DATA=${line_urls[1]} no_proxy=127.0.0.1
  NODE_PATH=$line_modules node "$root/scripts/line/sdk.mjs" >"$line_home/node" || status=$?
  # The SDK's dependencies warn of each other.
  PYTHONDONTWRITEBYTECODE=1 "$line_python" -W ignore "$root/scripts/line/sdk.py" >"$line_home/python" || status=$?
  cat "$line_home/node" "$line_home/python" >&2
  return "$status"
}

# Lets LINE's SDKs drive the program $1 and check what it signs; $2: the folder below which it runs.
try_line_sdks() {
  local status=0 passed failed
  line_result="FAILED: not started"
  start_line_stub "$1" "$2" || return 2
  run_group run_line_sdks || status=$?
  passed=$(cat "$line_home/node" "$line_home/python" | grep -c '^ok - ' || true)
  failed=$(cat "$line_home/node" "$line_home/python" | grep -c '^not ok - ' || true)
  line_result="$passed passed, $failed failed ($(line_versions))"
  if [ "$status" != 0 ]; then line_result="FAILED: $line_result"; fi
  stop_line
  return "$status"
}

stop_line() {
  if [ -n "$line_pid" ]; then
    kill -KILL "$line_pid" 2>/dev/null || true
    wait "$line_pid" 2>/dev/null || true
    line_pid=
  fi
  if [ -n "$line_home" ]; then rm -rf "$line_home"; fi
  line_home=
}
