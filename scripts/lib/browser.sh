# Sourced by scripts/test and scripts/lighthouse after api.sh, by scripts/test before line.sh: the board's pages in Chromium.
# shellcheck shell=bash disable=SC2154

browser_program=         # Chromium
browser_modules=         # folder of the npm packages that are needed
modules=                 # that which find_modules found last
browser_home=            # what Chromium leaves behind; removed at the end
browser_result="not run" # one line for the summary

# Sets browser_program; fails if it is not there, or what it needs: a font for the languages of the pages, Node and npm.
find_browser() {
  browser_program=$(command -v chromium || command -v chromium-browser || command -v google-chrome || true)
  [ -n "$browser_program" ] && [ -z "$(missing_for_browser)" ]
}

# Debian's names of the packages that are missing beside Chromium.
missing_for_browser() {
  # Not by the name of the package: any font that has Korean will do, and one that has it has Japanese.
  if [ -z "$(fc-list :lang=ko file 2>/dev/null)" ]; then echo fonts-noto-cjk; fi
  if ! node -e 'process.exit(parseInt(process.versions.node) < 18 ? 1 : 0)' 2>/dev/null; then echo nodejs; fi
  if ! command -v npm >/dev/null; then echo npm; fi
}

# As install_mariadb, with Chromium and what it needs.
install_browser() {
  local packages
  if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    return 1
  fi
  echo "scripts/test: installing Chromium with apt-get" >&2
  (
    exec 9>"$1/install.lock"
    flock 9
    if find_browser; then exit 0; fi # a parallel run was faster
    export DEBIAN_FRONTEND=noninteractive
    mapfile -t packages < <(missing_for_browser)
    if [ -z "$browser_program" ]; then packages+=(chromium); fi
    # fontconfig tells which fonts are there.
    apt-get -q update && apt-get -q install -y --no-install-recommends fontconfig "${packages[@]}"
  ) >&2 </dev/null
}

# One line, such as "Chromium 156.0.8078.108".
browser_version() {
  # Debian's adds where it was built for.
  "$browser_program" --version 2>/dev/null | grep -oE '^[A-Za-z ]+[0-9.]+'
}

# Sets modules to the packages that the lock file in $2 names, which it installs below $1 if they are not there.
find_modules() {
  local home
  home=$1/npm-$(cat "$2/package.json" "$2/package-lock.json" | sha256sum | cut -c 1-16)
  modules=$home/node_modules
  if [ -e "$home/complete" ]; then return 0; fi
  echo "scripts/test: installing the packages of ${2#"$root"/} with npm" >&2
  (
    exec 9>"$1/install.lock"
    flock 9
    if [ -e "$home/complete" ]; then exit 0; fi # a parallel run was faster
    rm -rf "$home"
    mkdir "$home"
    cp "$2/package.json" "$2/package-lock.json" "$home"
    cd "$home" || exit
    # Without the packages' scripts: nothing here needs any, and some would fetch a browser.
    npm ci --ignore-scripts --no-audit --no-fund --no-update-notifier --loglevel=error --logs-max=0 >npm.log ||
      { cat npm.log; exit 1; }
    touch complete
  ) >&2 </dev/null
}

# Everything that the tests need, or a sentence about what is missing. $1: the folder below which it is installed.
require_browser() {
  if ! find_browser && ! { install_browser "$1" && find_browser; }; then
    echo "scripts/test: Chromium, a font with Korean, Node 18 or newer, or npm was not found, and could not be installed." >&2
    echo "Install them (Debian: sudo apt-get install chromium fontconfig fonts-noto-cjk nodejs npm)." >&2
    return 2
  fi
  if ! find_modules "$1" "$root/scripts/browser"; then
    echo "scripts/test: playwright-core and axe-core could not be installed: npm and a package index are needed." >&2
    return 2
  fi
  browser_modules=$modules
}

# Sets browser_home to an empty folder below $1.
make_browser_home() {
  local old
  for old in "$1"/browser-*; do # of runs that were killed
    if [ -d "$old" ] && ! kill -0 "${old##*-}" 2>/dev/null; then rm -rf "$old"; fi
  done
  browser_home=$1/browser-$$
  # Chromium makes a socket in it, whose path may have 107 bytes.
  if [ "${#browser_home}" -gt 60 ]; then
    browser_home=$(mktemp -d "${TMPDIR:-/tmp}/madang-browser-XXXXXX")
  fi
  rm -rf "$browser_home"
  mkdir -p "$browser_home/tmp"
}

# Runs "$@" so that what it and its Chromium write stays in browser_home.
in_browser_home() {
  env -u XDG_CONFIG_HOME -u XDG_CACHE_HOME -u XDG_RUNTIME_DIR HOME="$browser_home" TMPDIR="$browser_home/tmp" \
    NODE_PATH="$browser_modules" BOARD_URL="$api_url" BROWSER="$browser_program" "$@"
}

# Starts the board $1 with the stub $2, to which it talks as to LINE; data of both lies below $3.
start_board_with_line() {
  local channel=()
  start_line_stub "$2" "$3" || return 2
  read -r -a channel < <(node -e "fetch('${line_urls[0]}/_stub/channel').then((answer) => answer.json())
    .then(({ secret, token }) => console.log(secret, token))") || return 2
  MADANG_LINE_CHANNEL_SECRET=${channel[0]} MADANG_LINE_CHANNEL_TOKEN=${channel[1]} \
    MADANG_LINE_BASE_URL=${line_urls[0]} MADANG_LINE_DATA_URL=${line_urls[1]} start_api "$1" "" "$3"
}

run_browser_tests() {
  BROWSER_OUTPUT=$target/browser SCREENSHOTS=$target/screenshots LINE_STUB=${line_urls[0]} \
    in_browser_home node --test-reporter=spec "$root/scripts/browser/run.js" "$@" | tee "$browser_home/report" >&2
}

# Tries the pages of the program $1 beside the stub $2 of LINE, with data of its own below $3; further arguments are words of
# the tests to run.
try_pages() {
  local status=0 started=$SECONDS passed failed program=$1 stub=$2 folder=$3
  shift 3
  browser_result="FAILED: not started"
  make_browser_home "$folder"
  start_board_with_line "$program" "$stub" "$folder" || return 2
  rm -rf "$target/browser"
  mkdir -p "$target/browser"
  run_group run_browser_tests "$@" || status=$?
  if ! kill -0 "$api_pid" 2>/dev/null; then
    echo "scripts/test: the board ended while its pages were tried" >&2
    status=1
  fi
  # What is amiss behind a good page is told here alone.
  if grep -E '"level":"ERROR"|panicked' "$api_home/err" >&2; then status=1; fi
  passed=$(sed -n 's/^ℹ pass //p' "$browser_home/report")
  failed=$(sed -n 's/^ℹ fail //p' "$browser_home/report")
  browser_result="${passed:-0} passed, ${failed:-0} failed, in $((SECONDS - started)) s ($(browser_version))"
  if [ "$status" != 0 ]; then
    cp "$api_home/err" "$target/browser/board.log"
    echo "scripts/test: the board's log and pictures of what failed are in $target/browser" >&2
    browser_result="FAILED: $browser_result"
  fi
  stop_api
  stop_line
  stop_browser
  return "$status"
}

# Chromium ends with the process that started it.
stop_browser() {
  if [ -n "$browser_home" ]; then rm -rf "$browser_home"; fi
  browser_home=
}
