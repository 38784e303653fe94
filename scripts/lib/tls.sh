# Sourced by scripts/test: certificates for one run of the tests, from an authority that is thrown away with them.
# shellcheck shell=bash disable=SC2154

certificates= # folder with server.pem and server.key for 127.0.0.1, their authority ca.pem, and other.pem, a stranger

# Makes the folder below $1 and exports GREENLIT_TEST_TLS.
make_certificates() {
  local key=(-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes)
  if ! command -v openssl >/dev/null; then
    echo "scripts/test: openssl is missing, which makes the certificates of the test servers" >&2
    return 2
  fi
  certificates=$1/tls-$$
  rm -rf "$certificates"
  mkdir "$certificates"
  (
    cd "$certificates"
    openssl req -x509 "${key[@]}" -days 2 -subj "/CN=test authority" -keyout ca.key -out ca.pem
    openssl req -x509 "${key[@]}" -days 2 -subj "/CN=another authority" -keyout other.key -out other.pem
    openssl req "${key[@]}" -subj "/CN=test server" -keyout server.key -out server.csr
    printf 'subjectAltName=IP:127.0.0.1\nbasicConstraints=CA:FALSE\n' >server.ext
    openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile server.ext -out server.pem
  ) >"$certificates/openssl.log" 2>&1 || {
    cat "$certificates/openssl.log" >&2
    echo "scripts/test: openssl made no certificates" >&2
    return 2
  }
  export GREENLIT_TEST_TLS=$certificates
}

remove_certificates() {
  if [ -n "$certificates" ]; then rm -rf "$certificates"; fi
  certificates=
}
