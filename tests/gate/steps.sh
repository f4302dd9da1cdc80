# The steps of tests/run. Sourced; each runs in a subshell with errexit.
# shellcheck shell=bash

about() {
    case $1 in
        rust) echo "the compiler and its parts" ;;
        services) echo "nginx, Apache httpd, lighttpd, Node.js and Python with their packages, curl, jq, minisign, qBittorrent, into tests/.services" ;;
        tools) echo "cargo-nextest, cargo-deny, mdbook" ;;
        fmt) echo "cargo fmt --check" ;;
        clippy) echo "cargo clippy, warnings are errors" ;;
        plugins) echo "built-ins, examples and fixtures as .so files" ;;
        test) echo "all tests" ;;
        interface) echo "plugins and hosts of different interface versions, both ways" ;;
        unit) echo "unit tests only" ;;
        doctest) echo "examples in the documentation of items" ;;
        book) echo "the book builds" ;;
        deny) echo "licences, sources, bans and advisories of dependencies" ;;
    esac
}

# CI must build what is committed; at a desk cargo may complete the lock file.
locked=()
if [[ ${CI-} == true ]]; then
    locked=(--locked)
    export CARGO_INCREMENTAL=0
fi
export COUNTERSIGN_TEST_PLUGINS=$target/test-plugins

step_rust() {
    have cargo || cannot "cargo is missing: install Rust by https://rustup.rs"
    have cc || system_packages build-essential
    local part
    for part in clippy rustfmt; do
        have "cargo-${part/rust/}" && cargo "${part/rust/}" --version >/dev/null 2>&1 && continue
        have rustup && rustup component add "$part" || cannot "Rust's part '$part' is missing: rustup component add $part"
    done
    rustc --version
}

step_services() {
    mkdir -p "$services"
    exec 9>"$services/.lock"
    flock 9
    have openssl || system_packages openssl
    have jq || system_packages jq
    install_servers
    install_clients
    install_minisign
    install_python_packages
    install_session_servers
    install_node
    install_npm_packages
}

# Each step that needs a tool gets it, so that `--only` works by itself too.
need_nextest() { cargo_tool cargo-nextest cargo-nextest@0.9.143 --no-default-features --features default-no-update; }
need_deny() { cargo_tool cargo-deny cargo-deny@0.20.2 --no-default-features; }
need_mdbook() { cargo_tool mdbook mdbook@0.5.4 --no-default-features; }

step_tools() {
    need_nextest
    need_deny
    need_mdbook
    rm -rf "$tools/build"
}

step_fmt() { cargo fmt --all --check; }

step_clippy() {
    cargo clippy --workspace --all-targets "${locked[@]}" -- -D warnings
    cargo clippy -p countersign-host --features otel "${locked[@]}" -- -D warnings
}

# Builds the examples and the fixtures as an author would ship them, and the built-ins, which export the plugin's symbol
# behind their `plugin` feature, in the profile of the tests: nobody ships those, and their dependencies are built already.
step_plugins() {
    local manifest profile=${COUNTERSIGN_PLUGIN_PROFILE:-plugin} count=0
    rm -rf "$COUNTERSIGN_TEST_PLUGINS"
    mkdir -p "$COUNTERSIGN_TEST_PLUGINS"
    for manifest in docs/examples/*/Cargo.toml tests/fixtures/*/Cargo.toml; do
        [[ -e ${manifest%/*}/src/lib.rs ]] && build_plugin "$manifest" "$profile"
    done
    CARGO_TARGET_DIR=$target cargo build --quiet -p countersign-fixture-over-stdio "${locked[@]}"
    cp "$target/debug/countersign-fixture-over-stdio" "$COUNTERSIGN_TEST_PLUGINS/"
    for manifest in plugins/*/Cargo.toml; do
        build_plugin "$manifest" dev --features plugin -- -C strip=symbols
    done
    count=$(find "$COUNTERSIGN_TEST_PLUGINS" -name '*.so' | wc -l)
    echo "$count built in $COUNTERSIGN_TEST_PLUGINS"
    (cd "$COUNTERSIGN_TEST_PLUGINS" && du -h ./*.so)
}

# build_plugin MANIFEST PROFILE [cargo rustc's arguments]
build_plugin() {
    local manifest=$1 profile=$2 name
    shift 2
    name=$(sed -n '/^\[package\]/,/^\[/s/^name *= *"\(.*\)"/\1/p' "$manifest")
    CARGO_TARGET_DIR=$target cargo rustc --quiet --lib --manifest-path "$manifest" --profile "$profile" \
        --crate-type cdylib "${locked[@]}" "$@"
    cp "$target/${profile/#dev/debug}/lib${name//-/_}.so" "$COUNTERSIGN_TEST_PLUGINS/"
}

step_test() {
    need_nextest
    # Features make it another program.
    cargo build -p countersign-host --bin countersign --features otel "${locked[@]}"
    export COUNTERSIGN_TEST_PROGRAM_OTEL=$target/debug/countersign-otel
    cp "$target/debug/countersign" "$COUNTERSIGN_TEST_PROGRAM_OTEL"
    # Built by the same command, for the tests of its own crate.
    export COUNTERSIGN_TEST_PROGRAM=$target/debug/countersign
    cargo nextest run --workspace --no-tests pass "${locked[@]}"
}

step_interface() { tests/abi; }

step_unit() {
    if have cargo-nextest; then
        cargo nextest run --workspace --exclude countersign-tests --lib --bins --no-tests pass "${locked[@]}"
    else
        cargo test --workspace --exclude countersign-tests --lib --bins "${locked[@]}"
    fi
}

step_doctest() { cargo test --doc --workspace "${locked[@]}"; }

step_book() {
    if [[ -e docs/book.toml ]]; then
        need_mdbook
        mdbook build docs
    else
        echo "docs/book.toml does not exist: no book to build"
    fi
}

step_deny() {
    need_deny
    cargo deny check licenses bans sources
    # The advisory database is a git repository outside the package registries.
    local db=https://github.com/RustSec/advisory-db
    if timeout 30 git ls-remote --quiet --exit-code "$db" HEAD >/dev/null 2>&1; then
        cargo deny check advisories
    else
        echo "NOT CHECKED: advisories; $db cannot be reached from here. Where it can, this step checks them."
    fi
}
