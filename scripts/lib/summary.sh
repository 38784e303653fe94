# Sourced by scripts/test, which sets tier, databases, not_covered, api_result, line_result and browser_result: what a run
# did, from cargo's output.
# shellcheck shell=bash disable=SC2154

# "SQLite 3.50.2 (bundled)": the version that the locked libsqlite3-sys carries.
sqlite_version() {
  local manifest header version=
  manifest=$(cargo metadata --locked --format-version 1 2>/dev/null |
    grep -o '"manifest_path":"[^"]*/libsqlite3-sys-[^"/]*/Cargo.toml"' | head -n 1 | cut -d '"' -f 4) || true
  header=${manifest%/Cargo.toml}/sqlite3/sqlite3.h
  if [ -r "$header" ]; then
    version=$(sed -n 's/^#define SQLITE_VERSION  *"\(.*\)".*/\1/p' "$header")
  fi
  echo "SQLite ${version:-of unknown version} (bundled)"
}

# Prints the summary of the last stage, and of the cargo output in file $1 that ended with status $2.
print_summary() {
  awk -v status="$2" -v tier="$tier" -v databases="$databases" -v not_covered="$not_covered" -v api="$api_result" \
    -v line="$line_result" -v browser="$browser_result" '
    function row(name, text) { printf "  %-12s %s\n", name, text }
    function counts(kind) {
      return n[kind, "ok"] + 0 " passed, " n[kind, "FAILED"] + 0 " failed, " n[kind, "ignored"] + 0 " ignored"
    }
    /^test result: / {
      binaries++; passed += $4; failed += $6; ignored += $8; filtered += $12
      next
    }
    # "test path::sqlite ... ok", "test path::sqlite - should panic ... ok", "test path::sqlite ... ignored, reason"
    /^test .* \.\.\. / {
      kind = match($2, /::(sqlite|postgres|mariadb)$/) ? substr($2, RSTART + 2) : "other"
      result = $0; sub(/^.* \.\.\. /, "", result); sub(/,.*/, "", result)
      n[kind, result]++
      named += result ~ /^(ok|FAILED|ignored)$/
    }
    END {
      print "\nscripts/test " tier
      row("databases", databases)
      row("::sqlite", counts("sqlite"))
      row("::postgres", counts("postgres"))
      row("::mariadb", counts("mariadb"))
      row("without one", counts("other"))
      row("all", passed + 0 " passed, " failed + 0 " failed, " ignored + 0 " ignored, " \
        filtered + 0 " filtered out, in " binaries + 0 " test binaries")
      row("schemathesis", api)
      row("LINE", line)
      row("pages", browser)
      row("not covered", not_covered)
      if (named != passed + failed + ignored)
        row("NOTE", "other output cut through the lines of single tests: the counts per database are not exact")
      if (status != 0 && !failed)
        row("NOTE", "cargo ended with status " status " without a failed test: see its output above")
      print passed + 0 " passed, " failed + (api ~ /^FAILED/) + (line ~ /^FAILED/) + (browser ~ /^FAILED/) " failed"
    }' "$1"
}
