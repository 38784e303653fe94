# Sourced by scripts/test after mariadb.sh, for its tier 'cluster': a primary with a replica that follows it by GTID, and a
# Galera cluster of three nodes.
# shellcheck shell=bash disable=SC2154

galera_home=      # everything of these servers; removed at the end
galera_as=()      # prefix of a server: the user it runs as, and that it ends with this script
galera_keepers=() # the processes that keep the servers running
galera_library=   # the provider's shared library
galera_port=
mariadb_client=

# Sets galera_library; fails if something is not installed.
find_galera() {
  local file
  for file in /usr/lib/galera/libgalera_smm.so /usr/lib64/galera-4/libgalera_smm.so /usr/lib/libgalera_smm.so; do
    if [ -r "$file" ]; then galera_library=$file; fi
  done
  mariadb_client=$(command -v mariadb || true)
  [ -n "$galera_library" ] && [ -n "$mariadb_client" ] && command -v rsync >/dev/null && find_mariadb
}

# As install_mariadb.
install_galera() {
  install_mariadb "$1" || return 1
  (
    exec 9>"$1/install.lock"
    flock 9
    export DEBIAN_FRONTEND=noninteractive
    apt-get -q install -y --no-install-recommends galera-4 rsync mariadb-client
  ) >&2 </dev/null
}

# Sets galera_as. State is transferred by rsync, whose daemon gives up root's rights where root starts it: root hands the
# servers to a user without rights.
choose_galera_user() {
  local user=nobody
  command -v setpriv >/dev/null || { [ "$(id -u)" != 0 ] && return 0; } || return 1
  galera_as=(setpriv --pdeathsig KILL)
  [ "$(id -u)" = 0 ] || return 0
  if id mysql >/dev/null 2>&1; then user=mysql; fi
  galera_as+=(--reuid "$user" --regid "$(id -g "$user")" --clear-groups)
}

# Makes galera_home below $1, with an empty database to copy.
make_galera_home() {
  [ -z "$galera_home" ] || return 0
  choose_galera_user || return 2
  galera_home=$1/galera-$$
  rm -rf "$galera_home"
  mkdir "$galera_home"
  if [ "$(id -u)" = 0 ]; then chown "$("${galera_as[@]}" id -u)" "$galera_home"; fi
  # A checkout below /root, say, is closed to other users.
  if ! "${galera_as[@]}" test -w "$galera_home" 2>/dev/null; then
    rmdir "$galera_home"
    galera_home=$(mktemp -d "${TMPDIR:-/tmp}/madang-galera-XXXXXX")
    if [ "$(id -u)" = 0 ]; then chown "$("${galera_as[@]}" id -u)" "$galera_home"; fi
  fi
  "${galera_as[@]}" "$mariadb_install" --no-defaults --datadir="$galera_home/empty" \
    --auth-root-authentication-method=normal --skip-test-db >"$galera_home.log" 2>&1 || {
    cat "$galera_home.log" >&2
    echo "scripts/test: mariadb-install-db failed" >&2
    return 2
  }
}

# Sets galera_port to the first of sixteen ports in a row that nobody listens on. The nodes name each other's
# ports, so that all are known before the first of them starts.
choose_galera_ports() {
  local port free
  for _ in 1 2 3 4 5 6 7 8; do
    galera_port=$((20000 + (RANDOM * 32768 + RANDOM) % 12000)) free=yes
    for ((port = galera_port; port < galera_port + 16; port++)); do
      if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then free=; fi
    done
    if [ -n "$free" ]; then return 0; fi
  done
  echo "scripts/test: no free ports were found" >&2
  return 2
}

# Starts the server $1 on the port $2 with further arguments, and starts it again whenever it was killed, as an operator's
# service manager does. Returns once its log says $3.
keep_mariadb() {
  local name=$1 port=$2 ready=$3 first=$4 try server
  shift 4
  local home=$galera_home/$name
  "${galera_as[@]}" mkdir "$home"
  "${galera_as[@]}" cp -a "$galera_home/empty" "$home/data"
  set -m # a group of its own: Ctrl-C must end the tests first
  (
    set +e
    cd "$home" || exit # the server's user may not be allowed into the caller's folder
    while kill -0 $$; do
      "${galera_as[@]}" "$mariadb_server" --no-defaults --datadir="$home/data" --port="$port" \
        --bind-address=127.0.0.1 --socket="$home/s" --pid-file="$home/pid" --skip-name-resolve \
        --character-set-server=latin1 --sql-mode= --lc-messages=de_DE --innodb-flush-log-at-trx-commit=0 \
        --innodb-buffer-pool-size=64M --binlog-format=ROW "$@" ${first:+"$first"} &
      server=$! first=
      # It does not even outlive a script that was killed.
      while kill -0 $$ && kill -0 "$server"; do sleep 0.3; done
      kill -0 $$ || kill -KILL "$server"
      wait "$server"
    done
  ) </dev/null >"$home/log" 2>&1 &
  galera_keepers+=($!)
  set +m
  for ((try = 0; try < 600; try++)); do
    if grep -q "$ready" "$home/log"; then return 0; fi
    sleep 0.1
  done
  grep -E 'ERROR|rror:' "$home/log" | head -n 20 >&2
  echo "scripts/test: MariaDB $name did not start" >&2
  return 2
}

# A primary and its replica below $1. Exports GREENLIT_TEST_MARIADB_REPLICA: the URLs of both.
start_mariadb_replica() {
  local ready='^Version: ' options=(--log-bin=log --log-slave-updates --gtid-strict-mode=1)
  make_galera_home "$1" && choose_galera_ports || return 2
  keep_mariadb primary "$galera_port" "$ready" "" --server-id=1 "${options[@]}" || return 2
  keep_mariadb replica "$((galera_port + 1))" "$ready" "" --server-id=2 --read-only=1 "${options[@]}" || return 2
  "$mariadb_client" --no-defaults --socket="$galera_home/replica/s" --user=root --execute="change master to \
    master_host = '127.0.0.1', master_port = $galera_port, master_user = 'root', master_use_gtid = slave_pos, \
    master_connect_retry = 1; start slave" >&2 || return 2
  export GREENLIT_TEST_MARIADB_REPLICA
  GREENLIT_TEST_MARIADB_REPLICA="$(galera_url "$galera_port") $(galera_url "$((galera_port + 1))")"
}

# Three nodes below $1. Exports GREENLIT_TEST_GALERA: their URLs.
start_galera() {
  local node first nodes='' ready='Synchronized with group, ready for connections'
  make_galera_home "$1" && choose_galera_ports || return 2
  export GREENLIT_TEST_GALERA=
  for node in 0 1 2; do nodes+=${nodes:+,}127.0.0.1:$((galera_port + 4 * node + 1)); done
  for node in 0 1 2; do
    local port=$((galera_port + 4 * node))
    first=
    if [ "$node" = 0 ]; then first=--wsrep-new-cluster; fi
    keep_mariadb "node$node" "$port" "$ready" "$first" --server-id="$((node + 11))" \
      --wsrep-on=ON --wsrep-provider="$galera_library" --wsrep-cluster-name=laws --wsrep-node-name="node$node" \
      --wsrep-cluster-address="gcomm://$nodes" --wsrep-node-address="127.0.0.1:$((port + 1))" \
      --wsrep-node-incoming-address="127.0.0.1:$port" --wsrep-sst-method=rsync \
      --wsrep-sst-receive-address="127.0.0.1:$((port + 3))" --innodb-autoinc-lock-mode=2 --wsrep-slave-threads=4 \
      --log-bin=log --log-slave-updates --wsrep-gtid-mode=ON --wsrep-gtid-domain-id=7 --gtid-domain-id="$((node + 1))" \
      --wsrep-provider-options="gmcast.listen_addr=tcp://127.0.0.1:$((port + 1));ist.recv_addr=127.0.0.1:$((port + 2))" ||
      return 2
    GREENLIT_TEST_GALERA+="${GREENLIT_TEST_GALERA:+ }$(galera_url "$port")"
  done
}

# Without TLS, as in mariadb.sh.
galera_url() {
  echo "mariadb://root@127.0.0.1:$1/mysql?ssl-mode=disabled"
}

# Ends the servers of both. By force: nothing of them is kept.
stop_galera() {
  local keeper
  for keeper in "${galera_keepers[@]}"; do
    kill -KILL "-$keeper" 2>/dev/null || true
    wait "$keeper" 2>/dev/null || true
  done
  galera_keepers=()
  if [ -n "$galera_home" ]; then rm -rf "$galera_home" "$galera_home.log"; fi
  galera_home=
}
