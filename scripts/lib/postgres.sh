# Sourced by scripts/test, which sets root and certificates: a private PostgreSQL server for one run of the tests.
# shellcheck shell=bash disable=SC2154

postgres_bin=     # folder of initdb and postgres
postgres_as=()    # prefix that makes a server's process: the user it runs as, and that it ends with this script
postgres_home=    # everything of this run's server; removed at the end
postgres_pid=
postgres_port=
postgres_options=() # more of them, where somebody measures

# Sets postgres_bin to the newest installation found; fails if there is none.
find_postgres() {
  local dir
  for dir in $(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -rV) \
    "$(pg_config --bindir 2>/dev/null || true)" \
    "$(dirname "$(readlink -f "$(command -v postgres || true)")")"; do
    if [ -x "$dir/initdb" ] && [ -x "$dir/postgres" ]; then
      postgres_bin=$dir
      return 0
    fi
  done
  return 1
}

# Installs PostgreSQL where that needs no question: as root, with apt-get. $1 is a folder for a lock.
install_postgres() {
  local config=/etc/postgresql-common/createcluster.d
  if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    return 1
  fi
  echo "scripts/test: installing PostgreSQL with apt-get" >&2
  (
    exec 9>"$1/install.lock"
    flock 9
    if find_postgres; then exit 0; fi # a parallel run was faster
    # Debian starts a server of its own when it installs one, unless it is told not to.
    if [ ! -e /etc/postgresql-common ]; then
      mkdir -p "$config"
      echo 'create_main_cluster = false' >"$config/madang-tests.conf"
      trap 'rm -f "$config/madang-tests.conf"' EXIT
    fi
    export DEBIAN_FRONTEND=noninteractive
    apt-get -q update && apt-get -q install -y --no-install-recommends postgresql
  ) >&2 </dev/null
}

# Sets postgres_as. initdb and postgres refuse root, so root hands them to a user without rights.
choose_postgres_user() {
  local user
  if ! command -v setpriv >/dev/null; then
    [ "$(id -u)" != 0 ] && return 0
    echo "scripts/test: PostgreSQL does not run as root, and setpriv (util-linux) is missing" >&2
    return 1
  fi
  postgres_as=(setpriv --pdeathsig INT)
  [ "$(id -u)" = 0 ] || return 0
  user=nobody
  if id postgres >/dev/null 2>&1; then user=postgres; fi
  postgres_as+=(--reuid "$user" --regid "$(id -g "$user")" --clear-groups)
}

# Sets postgres_home to an empty folder below $1, owned by the user the server runs as.
make_postgres_home() {
  local old
  for old in "$1"/postgres-*; do # of runs that were killed
    if [ -d "$old" ] && ! kill -0 "${old##*-}" 2>/dev/null; then rm -rf "$old"; fi
  done
  postgres_home=$1/postgres-$$
  rm -rf "$postgres_home"
  mkdir "$postgres_home"
  [ "$(id -u)" = 0 ] || return 0
  own_postgres_home
  # A checkout below /root, say, is closed to other users.
  if ! "${postgres_as[@]}" test -w "$postgres_home" 2>/dev/null; then
    rmdir "$postgres_home"
    postgres_home=$(mktemp -d "${TMPDIR:-/tmp}/madang-postgres-XXXXXX")
    own_postgres_home
  fi
}

own_postgres_home() {
  chown "$("${postgres_as[@]}" id -u):$("${postgres_as[@]}" id -g)" "$postgres_home"
  chmod 700 "$postgres_home"
}

# Starts a server with its data below $1 and exports GREENLIT_TEST_POSTGRES.
start_postgres() {
  choose_postgres_user || return 2
  make_postgres_home "$1"
  cd "$postgres_home" # the server's user may not be allowed into the caller's folder
  if ! "${postgres_as[@]}" "$postgres_bin/initdb" -D "$postgres_home/data" -U postgres -A trust \
    --encoding=UTF8 --no-locale --no-sync >"$postgres_home/initdb.log" 2>&1; then
    cat "$postgres_home/initdb.log" >&2
    echo "scripts/test: initdb failed" >&2
    return 2
  fi
  install -m 600 "$certificates/server.pem" "$certificates/server.key" "$postgres_home"
  if [ "$(id -u)" = 0 ]; then chown "$("${postgres_as[@]}" id -u)" "$postgres_home"/server.*; fi
  for _ in 1 2 3 4 5 6 7 8; do
    # Below the ports that systems hand out to clients. Should a parallel run take the same, the server says so by ending.
    postgres_port=$((20000 + (RANDOM * 32768 + RANDOM) % 12000))
    if launch_postgres; then
      # Without TLS: the laws look at the wire.
      export GREENLIT_TEST_POSTGRES="postgres://postgres@127.0.0.1:$postgres_port/postgres?sslmode=disable"
      cd "$root"
      return 0
    fi
  done
  cat "$postgres_home/server.log" >&2
  echo "scripts/test: PostgreSQL did not start" >&2
  return 2
}

# One try on postgres_port: true once the server takes connections.
launch_postgres() {
  local try
  set -m # a group of its own: Ctrl-C must end the tests first
  # No fsync: the data is thrown away. synchronous_commit keeps its default, as the tests rely on what COMMIT means.
  "${postgres_as[@]}" "$postgres_bin/postgres" -D "$postgres_home/data" -p "$postgres_port" \
    -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c max_connections=300 -c fsync=off \
    "${postgres_options[@]}" -c ssl=on -c ssl_cert_file="$postgres_home/server.pem" -c ssl_key_file="$postgres_home/server.key" \
    </dev/null >"$postgres_home/server.log" 2>&1 &
  postgres_pid=$!
  set +m
  for ((try = 0; try < 300; try++)); do
    # Another server may answer on the port; only our own writes this file. Line 8 is its state.
    if sed -n 8p "$postgres_home/data/postmaster.pid" 2>/dev/null | grep -q ready; then return 0; fi
    kill -0 "$postgres_pid" 2>/dev/null || break
    sleep 0.1
  done
  end_postgres_process
  return 1
}

end_postgres_process() {
  local signal try
  [ -n "$postgres_pid" ] || return 0
  for signal in INT QUIT KILL; do # fast shutdown, immediate shutdown, by force
    kill "-$signal" "$postgres_pid" 2>/dev/null || break
    for ((try = 0; try < 100; try++)); do
      kill -0 "$postgres_pid" 2>/dev/null || break 2
      sleep 0.1
    done
  done
  wait "$postgres_pid" 2>/dev/null || true
  postgres_pid=
}

stop_postgres() {
  end_postgres_process
  cd "$root"
  if [ -n "$postgres_home" ]; then rm -rf "$postgres_home"; fi
  postgres_home=
}

# One line, such as "PostgreSQL 15.18".
postgres_version() {
  "$postgres_bin/postgres" --version | sed 's/^postgres (\(.*\)) \([^ ]*\).*/\1 \2/'
}
