# Sourced by run.sh and long.sh: makes the machine ready, runs suites, counts. Everything that is fetched stays under target/.
# Never skips silently: with CI=true a missing tool is a failure; elsewhere it is said in capitals and counted as skipped.

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
NODE_VERSION=22.23.3 # what the interop clients are run with where the machine has nothing newer than 22
PASSED=0 FAILED=0 SKIPPED=0 REPORT=""
mkdir -p target/suites

say() { printf '\n── %s\n' "$*"; }

is_ci() { [ "${CI:-}" = true ]; }

# Installs Debian packages; false where that is not possible.
debian() {
    command -v apt-get >/dev/null || return 1
    local as_root=()
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null && sudo -n true 2>/dev/null || return 1
        as_root=(sudo -n)
    fi
    say "installing $*"
    if [ -z "$(find target/suites -name apt-updated -mmin -60)" ]; then
        "${as_root[@]}" apt-get update -qq || return 1
        touch target/suites/apt-updated
    fi
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >target/suites/apt.log 2>&1 ||
        { tail -n 20 target/suites/apt.log; return 1; }
}

has_compiler() { command -v cc >/dev/null && echo 'int main(void){return 0;}' | cc -x c - -o target/suites/cc-works 2>/dev/null; }
has_python() { python3 -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }
has_npm() { command -v npm >/dev/null && command -v node >/dev/null; }
has_rust() { cargo --version >/dev/null && cargo fmt --version >/dev/null && cargo clippy --version >/dev/null; }

# A file's fingerprint, so that a changed list of packages is installed anew and an unchanged one is not.
fingerprint() { cat "$@" | sha256sum | cut -d' ' -f1; }

prepare_python() {
    has_python || debian python3 python3-venv
    has_python || return 1
    local wanted
    wanted=$(fingerprint tests/interop/requirements.txt)
    [ "$(cat target/venv/.installed 2>/dev/null)" = "$wanted" ] && return 0
    rm -rf target/venv
    python3 -m venv target/venv || return 1
    target/venv/bin/pip install --quiet --disable-pip-version-check -r tests/interop/requirements.txt || return 1
    echo "$wanted" >target/venv/.installed
}

node_is_new() { [ -n "${1:-}" ] && "$1" -e 'process.exit(process.versions.node.split(".")[0] >= 22 ? 0 : 1)' 2>/dev/null; }

prepare_node() {
    has_npm || debian nodejs npm
    has_npm || return 1
    NODE=$(command -v node)
    if ! node_is_new "$NODE"; then
        local arch=x64
        [ "$(uname -m)" = aarch64 ] && arch=arm64
        NODE=$PWD/target/node/node_modules/node-linux-$arch/bin/node
        mkdir -p target/node
        node_is_new "$NODE" || npm install --silent --no-save --prefix target/node "node-linux-$arch@$NODE_VERSION" || return 1
        node_is_new "$NODE" || return 1
    fi
    local wanted
    wanted=$(fingerprint tests/interop/package.json tests/interop/package-lock.json)
    [ "$(cat target/npm/.installed 2>/dev/null)" = "$wanted" ] && return 0
    mkdir -p target/npm
    cp tests/interop/package.json tests/interop/package-lock.json target/npm/
    npm ci --silent --ignore-scripts --prefix target/npm || return 1
    echo "$wanted" >target/npm/.installed
}

# need NAME COMMAND…: runs it; where it fails, suites that need NAME cannot run.
need() {
    local name=$1 began=$SECONDS
    shift
    say "preparing: $name"
    if "$@"; then # `if` switches -e off inside: what is prepared returns 1 by itself
        READY="${READY:-} $name "
        note "prepare $name" "$began" ready
    else
        note "prepare $name" "$began" MISSING
        if is_ci || [ "$name" = compiler ] || [ "$name" = rust ]; then
            FAILED=$((FAILED + 1))
            echo "MISSING: $name, and it could not be installed"
            close
        fi
    fi
}

note() { REPORT+=$(printf '%-32s %6s min  %s' "$1" "$(awk "BEGIN{printf \"%.1f\", ($SECONDS-$2)/60}")" "$3")$'\n'; }

# suite NAME NEEDS COMMAND…: runs it, adds up what it passed and failed. NEEDS is a name given to `need`, or "-".
suite() {
    local name=$1 needs=$2 began=$SECONDS status=0 counts passed failed
    shift 2
    if [ "$needs" != - ] && [[ "${READY:-}" != *" $needs "* ]]; then
        SKIPPED=$((SKIPPED + 1))
        say "SKIPPED: $name, BECAUSE $needs IS MISSING HERE. With CI=true this is a failure."
        note "$name" "$began" SKIPPED
        return
    fi
    say "$name"
    "$@" 2>&1 | tee "target/suites/$name.log" || status=$?
    counts=$(count "target/suites/$name.log")
    read -r passed failed <<<"$counts"
    # A suite that only says yes or no counts as one; one that broke without counting a failure counts as one failed.
    [ "$status" -eq 0 ] && [ "$passed" -eq 0 ] && [ "$failed" -eq 0 ] && passed=1
    [ "$status" -ne 0 ] && [ "$failed" -eq 0 ] && failed=1
    PASSED=$((PASSED + passed)) FAILED=$((FAILED + failed))
    note "$name" "$began" "$passed passed, $failed failed"
}

# Sums "test result: … N passed; N failed" (cargo) and closing "N passed, N failed" lines.
count() {
    awk '/^test result: /  { for (i = 1; i < NF; i++) { if ($(i+1) == "passed;") p += $i; if ($(i+1) == "failed;") f += $i } }
         /^[0-9]+ passed, [0-9]+ failed/ { p += $1; f += $3 }
         END { print p + 0, f + 0 }' "$1"
}

close() {
    say "suites"
    printf '%s' "$REPORT"
    printf '%-32s %6s min\n\n' total "$(awk "BEGIN{printf \"%.1f\", $SECONDS/60}")"
    if [ "$SKIPPED" -gt 0 ]; then echo "$PASSED passed, $FAILED failed, $SKIPPED skipped"; else echo "$PASSED passed, $FAILED failed"; fi
    [ "$FAILED" -eq 0 ] && [ "$PASSED" -gt 0 ] && exit 0
    exit 1
}

prepare_compiler() { has_compiler || debian gcc libc6-dev; has_compiler; }
prepare_cxx() { command -v c++ >/dev/null || debian g++; command -v c++ >/dev/null; }
prepare_curl() { command -v curl >/dev/null || debian curl ca-certificates; command -v curl >/dev/null; }
