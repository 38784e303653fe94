# Sourced by scripts/test, which sets certificates: a private MariaDB server for one run of the tests.
# shellcheck shell=bash disable=SC2154

mariadb_server=   # mariadbd
mariadb_install=  # mariadb-install-db
mariadb_as=()     # prefix that makes the server end with this script
mariadb_home=     # everything of this run's server; removed at the end
mariadb_pid=
mariadb_port=
# The configuration of a careless operator: greenlit must not depend on any of it. Whoever measures has another.
mariadb_options=(--character-set-server=latin1 --sql-mode= --lc-messages=de_DE)

# Sets mariadb_server and mariadb_install; fails if there is no installation.
find_mariadb() {
  local path=$PATH:/usr/local/sbin:/usr/sbin:/sbin # where Debian keeps servers, and users do not look
  mariadb_server=$(PATH=$path command -v mariadbd || true)
  mariadb_install=$(PATH=$path command -v mariadb-install-db || true)
  [ -n "$mariadb_server" ] && [ -n "$mariadb_install" ]
}

# Installs MariaDB where that needs no question: as root, with apt-get. $1 is a folder for a lock.
install_mariadb() {
  local policy=/usr/sbin/policy-rc.d
  if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    return 1
  fi
  echo "scripts/test: installing MariaDB with apt-get" >&2
  (
    exec 9>"$1/install.lock"
    flock 9
    if find_mariadb; then exit 0; fi # a parallel run was faster
    # Debian starts a server of its own when it installs one, unless this says no.
    if [ ! -e "$policy" ]; then
      printf '#!/bin/sh\nexit 101\n' >"$policy"
      chmod +x "$policy"
      trap 'rm -f "$policy"' EXIT
    fi
    export DEBIAN_FRONTEND=noninteractive
    apt-get -q update && apt-get -q install -y --no-install-recommends mariadb-server
  ) >&2 </dev/null
}

# Sets mariadb_home to an empty folder below $1.
make_mariadb_home() {
  local old
  for old in "$1"/mariadb-*; do # of runs that were killed
    if [ -d "$old" ] && ! kill -0 "${old##*-}" 2>/dev/null; then rm -rf "$old"; fi
  done
  mariadb_home=$1/mariadb-$$
  rm -rf "$mariadb_home"
  mkdir "$mariadb_home"
}

# Starts a server with its data below $1 and exports GREENLIT_TEST_MARIADB.
start_mariadb() {
  local user=()
  if command -v setpriv >/dev/null; then mariadb_as=(setpriv --pdeathsig TERM); fi
  if [ "$(id -u)" = 0 ]; then user=(--user=root); fi
  make_mariadb_home "$1"
  if ! "$mariadb_install" --no-defaults "${user[@]}" --datadir="$mariadb_home/data" \
    --auth-root-authentication-method=normal --skip-test-db >"$mariadb_home/install.log" 2>&1; then
    cat "$mariadb_home/install.log" >&2
    echo "scripts/test: mariadb-install-db failed" >&2
    return 2
  fi
  for _ in 1 2 3 4 5 6 7 8; do
    # Below the ports that systems hand out to clients. Should a parallel run take the same, the server says so by ending.
    mariadb_port=$((20000 + (RANDOM * 32768 + RANDOM) % 12000))
    if launch_mariadb "${user[@]}"; then
      # Without TLS: the laws look at the wire.
      export GREENLIT_TEST_MARIADB="mariadb://root@127.0.0.1:$mariadb_port/mysql?ssl-mode=disabled"
      return 0
    fi
  done
  cat "$mariadb_home/server.log" >&2
  echo "scripts/test: MariaDB did not start" >&2
  return 2
}

# One try on mariadb_port: true once the server takes connections.
launch_mariadb() {
  local try
  set -m # a group of its own: Ctrl-C must end the tests first
  # No fsync: the data is thrown away.
  "${mariadb_as[@]}" "$mariadb_server" --no-defaults "$@" --datadir="$mariadb_home/data" --port="$mariadb_port" \
    --bind-address=127.0.0.1 --socket=socket --pid-file="$mariadb_home/pid" --skip-name-resolve \
    "${mariadb_options[@]}" --max-connections=300 --innodb-flush-log-at-trx-commit=0 \
    --ssl-cert="$certificates/server.pem" --ssl-key="$certificates/server.key" \
    </dev/null >"$mariadb_home/server.log" 2>&1 &
  mariadb_pid=$!
  set +m
  for ((try = 0; try < 300; try++)); do
    # Another server may answer on the port; only our own writes this line.
    if grep -q '^Version: ' "$mariadb_home/server.log"; then return 0; fi
    kill -0 "$mariadb_pid" 2>/dev/null || break
    sleep 0.1
  done
  end_mariadb_process
  return 1
}

end_mariadb_process() {
  local signal try
  [ -n "$mariadb_pid" ] || return 0
  for signal in TERM KILL; do
    kill "-$signal" "$mariadb_pid" 2>/dev/null || break
    for ((try = 0; try < 100; try++)); do
      kill -0 "$mariadb_pid" 2>/dev/null || break 2
      sleep 0.1
    done
  done
  wait "$mariadb_pid" 2>/dev/null || true
  mariadb_pid=
}

stop_mariadb() {
  end_mariadb_process
  if [ -n "$mariadb_home" ]; then rm -rf "$mariadb_home"; fi
  mariadb_home=
}

# One line, such as "MariaDB 10.11.19".
mariadb_version() {
  "$mariadb_server" --no-defaults --version | sed 's/.* Ver \([0-9.]*\)-MariaDB.*/MariaDB \1/'
}
