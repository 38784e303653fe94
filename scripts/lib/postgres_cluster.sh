# Sourced by scripts/test after postgres.sh, for its tier 'cluster': pairs of primary and replica, and PgBouncer.
# shellcheck shell=bash disable=SC2154

cluster_pids=() # the servers
cluster_port=   # of the server that was started last
pgbouncer=

# Sets pgbouncer; fails if something is not installed.
find_postgres_cluster() {
  find_postgres && [ -x "$postgres_bin/pg_basebackup" ] &&
    pgbouncer=$(PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin command -v pgbouncer)
}

# As install_postgres.
install_postgres_cluster() {
  install_postgres "$1" || return 1
  (
    exec 9>"$1/install.lock"
    flock 9
    export DEBIAN_FRONTEND=noninteractive
    apt-get -q install -y --no-install-recommends pgbouncer
  ) >&2 </dev/null
}

# Sets postgres_home, which stop_postgres removes.
make_cluster_home() {
  [ -z "$postgres_home" ] || return 0
  choose_postgres_user && make_postgres_home "$1"
}

# A port below those that systems hand out to clients. Should somebody take the same, the server says so by ending.
choose_cluster_port() {
  cluster_port=$((20000 + (RANDOM * 32768 + RANDOM) % 12000))
}

# Starts the server with its data in $postgres_home/$1 on a port that it finds, with further arguments.
launch_member() {
  local name=$1 try
  shift
  cd "$postgres_home" # the server's user may not be allowed into the caller's folder
  for _ in 1 2 3 4 5 6 7 8; do
    choose_cluster_port
    set -m # a group of its own: Ctrl-C must end the tests first
    # No fsync: the data is thrown away. synchronous_commit keeps its default, as the tests rely on what COMMIT means.
    "${postgres_as[@]}" "$postgres_bin/postgres" -D "$postgres_home/$name" -p "$cluster_port" \
      -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c max_connections=300 -c fsync=off "$@" \
      </dev/null >>"$postgres_home/$name.log" 2>&1 &
    cluster_pids+=($!)
    set +m
    for ((try = 0; try < 300; try++)); do
      if sed -n 8p "$postgres_home/$name/postmaster.pid" 2>/dev/null | grep -q ready; then
        cd "$root"
        return 0
      fi
      kill -0 "${cluster_pids[-1]}" 2>/dev/null || break
      sleep 0.1
    done
  done
  cat "$postgres_home/$name.log" >&2
  echo "scripts/test: PostgreSQL $name did not start" >&2
  return 2
}

# A primary $2 and its replica $2-replica below $1; $3 is an argument for the primary. Sets cluster_primary and
# cluster_replica, their ports.
start_postgres_pair() {
  local primary
  make_cluster_home "$1" || return 2
  cd "$postgres_home"
  "${postgres_as[@]}" "$postgres_bin/initdb" -D "$postgres_home/$2" -U postgres -A trust --encoding=UTF8 --no-locale \
    --no-sync >"$postgres_home/$2.log" 2>&1 || { cat "$postgres_home/$2.log" >&2; return 2; }
  launch_member "$2" || return 2
  cluster_primary=$cluster_port
  cd "$postgres_home"
  "${postgres_as[@]}" "$postgres_bin/pg_basebackup" -D "$postgres_home/$2-replica" -R -X stream -c fast --no-sync \
    -d "host=127.0.0.1 port=$cluster_primary user=postgres application_name=replica" >>"$postgres_home/$2.log" 2>&1 ||
    { cat "$postgres_home/$2.log" >&2; return 2; }
  launch_member "$2-replica" || return 2
  cluster_replica=$cluster_port
}

postgres_url() {
  echo "postgres://postgres@127.0.0.1:$1/postgres?sslmode=disable"
}

# A primary and its replica below $1. Exports GREENLIT_TEST_POSTGRES_REPLICA: the URLs of both.
start_postgres_replica() {
  start_postgres_pair "$1" primary || return 2
  export GREENLIT_TEST_POSTGRES_REPLICA
  GREENLIT_TEST_POSTGRES_REPLICA="$(postgres_url "$cluster_primary") $(postgres_url "$cluster_replica")"
}

# Another pair, of which the tests kill the primary. Exports GREENLIT_TEST_POSTGRES_FAILOVER: the URLs of both.
start_postgres_failover() {
  start_postgres_pair "$1" failover || return 2
  export GREENLIT_TEST_POSTGRES_FAILOVER
  GREENLIT_TEST_POSTGRES_FAILOVER="$(postgres_url "$cluster_primary") $(postgres_url "$cluster_replica")"
}

# PgBouncer in transaction mode below $1, in front of the primary. Exports GREENLIT_TEST_PGBOUNCER: its URL.
start_pgbouncer() {
  local try
  make_cluster_home "$1" || return 2
  cd "$postgres_home"
  for _ in 1 2 3 4 5 6 7 8; do
    choose_cluster_port
    printf '%s\n' '[databases]' "* = host=127.0.0.1 port=$2 user=postgres" '[pgbouncer]' 'pool_mode = transaction' \
      'auth_type = any' 'listen_addr = 127.0.0.1' "listen_port = $cluster_port" 'unix_socket_dir =' \
      'max_client_conn = 500' 'default_pool_size = 20' >"$postgres_home/pgbouncer.ini"
    set -m
    "${postgres_as[@]}" "$pgbouncer" "$postgres_home/pgbouncer.ini" </dev/null >"$postgres_home/pgbouncer.log" 2>&1 &
    cluster_pids+=($!)
    set +m
    for ((try = 0; try < 100; try++)); do
      sleep 0.1
      kill -0 "${cluster_pids[-1]}" 2>/dev/null || break
      if (exec 3<>"/dev/tcp/127.0.0.1/$cluster_port") 2>/dev/null; then
        export GREENLIT_TEST_PGBOUNCER
        GREENLIT_TEST_PGBOUNCER=$(postgres_url "$cluster_port")
        cd "$root"
        return 0
      fi
    done
  done
  cat "$postgres_home/pgbouncer.log" >&2
  echo "scripts/test: PgBouncer did not start" >&2
  return 2
}

# One line, such as "PgBouncer 1.18.0".
pgbouncer_version() {
  "$pgbouncer" --version | head -n 1
}

cluster_alive() {
  local pid
  for pid in "${cluster_pids[@]}"; do
    if kill -0 "$pid" 2>/dev/null; then return 0; fi
  done
  return 1
}

# Ends the servers; stop_postgres removes what they leave.
stop_postgres_cluster() {
  local signal try pid
  for signal in INT QUIT KILL; do # fast shutdown, immediate shutdown, by force
    for pid in "${cluster_pids[@]}"; do kill "-$signal" "$pid" 2>/dev/null || true; done
    for ((try = 0; try < 50; try++)); do
      cluster_alive || break 2
      sleep 0.1
    done
  done
  cluster_pids=()
}
