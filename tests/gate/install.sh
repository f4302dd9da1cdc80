# How tests/run gets what a machine lacks. Sourced; every function installs one thing and is quick when it is there.
# Nothing here changes the system where it can be helped: servers are unpacked into tests/.services, and so never start
# by themselves, and need no root.
# shellcheck shell=bash

services=$root/tests/.services
tools=${COUNTERSIGN_TOOLS:-${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/countersign-tools}
target=${CARGO_TARGET_DIR:-$root/target}
export PATH=$tools/bin:$PATH:${CARGO_HOME:-${HOME:-}/.cargo}/bin

have() { command -v "$1" >/dev/null 2>&1; }

# Says why something cannot be had and what a person can do, and ends the step.
cannot() {
    printf 'tests/run: %s\n' "$@" >&2
    exit 1
}

# Installs Debian packages into the system: only compilers and Node.js, which start nothing by themselves.
system_packages() {
    local as_root=()
    if ((EUID != 0)); then
        have sudo && sudo -n true 2>/dev/null && as_root=(sudo -n)
        [[ ${#as_root[@]} -gt 0 ]] || cannot "$* must be installed, and this is not root:" "  sudo apt-get install $*"
    fi
    have apt-get || cannot "$* must be installed, and this is not Debian: install them in this system's own way"
    echo "installing from Debian: $*"
    "${as_root[@]}" apt-get -qq update || true
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install "$@" >/dev/null ||
        cannot "apt-get could not install $*: the words above tell why"
}

# Unpacks Debian packages, and whatever of their dependencies the system lacks, into $services/debian.
unpacked_packages() {
    local apt=$services/apt packages=("$@") archive
    have apt-get && have dpkg-deb || cannot "$* are taken from Debian packages, and this is not Debian:" \
        "  install them in this system's own way"
    rm -rf "$apt"
    mkdir -p "$apt/archives/partial" "$apt/lists/partial"
    local options=(-qq -y --no-install-recommends --download-only -o Debug::NoLocking=1 -o "Dir::Cache=$apt"
        -o APT::Sandbox::User=root)
    echo "unpacking from Debian: $*"
    if ! apt-get "${options[@]}" install "${packages[@]}" 2>/dev/null; then
        # The machine's package lists are missing or old: take new ones, into a folder of ours.
        options+=(-o "Dir::State::lists=$apt/lists")
        apt-get "${options[@]}" update && apt-get "${options[@]}" install "${packages[@]}" ||
            cannot "the Debian packages $* could not be downloaded: the words above tell why"
    fi
    mkdir -p "$services/debian"
    for archive in "$apt"/archives/*.deb; do
        [[ -e $archive ]] && dpkg-deb -x "$archive" "$services/debian"
    done
    rm -rf "$apt"
}

# True if each FILE is in the system or unpacked.
have_files() {
    local file
    for file; do [[ -e $file || -e $services/debian$file ]] || return 1; done
}

install_servers() {
    local nginx=/usr/sbin/nginx httpd=/usr/sbin/apache2 openidc=/usr/lib/apache2/modules/mod_auth_openidc.so
    local lighttpd=/usr/sbin/lighttpd
    have_files "$nginx" || unpacked_packages nginx
    have_files "$httpd" "$openidc" || unpacked_packages apache2-bin libapache2-mod-auth-openidc
    have_files "$lighttpd" || unpacked_packages lighttpd
    have_files "$nginx" "$httpd" "$openidc" "$lighttpd" ||
        cannot "nginx, Apache httpd or lighttpd is still missing after unpacking"
}

# Servers that give a session for a login.
install_session_servers() {
    have_files /usr/bin/qbittorrent-nox || unpacked_packages qbittorrent-nox
    have_files /usr/bin/qbittorrent-nox || cannot "qBittorrent is still missing after unpacking"
    have python3 || system_packages python3
    has_python_packages rest_framework_simplejwt || unpacked_packages python3-djangorestframework-simplejwt
    has_python_packages rest_framework_simplejwt || cannot "Simple JWT is still missing after unpacking"
}

# The tool whose signatures plugin files carry.
install_minisign() {
    have_files /usr/bin/minisign || unpacked_packages minisign
    have_files /usr/bin/minisign || cannot "minisign is still missing after unpacking"
}

# The clients that call through the proxy. (Java's is tested where a JDK is at hand.)
install_clients() {
    have curl || system_packages curl
    have python3 || system_packages python3
    has_python_packages requests || unpacked_packages python3-requests
    has_python_packages requests || cannot "Python's package requests is still missing after unpacking: python3 -m pip install requests"
}

# True if Python has the package, be it of its own or Debian's; program.rs looks in the same places.
has_python_packages() {
    local packages=/usr/lib/python3/dist-packages
    PYTHONPATH=$services/debian$packages:$packages python3 -c "import $1" 2>/dev/null
}

# Python's packages for the services that run on it, into $services/python.
install_python_packages() {
    local lock=tests/services/requirements.txt debian=$services/debian/usr/lib/python3/dist-packages
    cmp -s "$lock" "$services/python/installed.txt" && return
    # Debian's Python comes without pip.
    local path=
    if ! python3 -m pip --version >/dev/null 2>&1; then
        [[ -e $debian/pip/__main__.py ]] || unpacked_packages python3-pip python3-setuptools python3-wheel
        path=$debian
    fi
    echo "installing from PyPI: $(sed -n 's/^\([^#=]*\)==.*/\1/p' "$lock" | paste -sd ' ')"
    rm -rf "$services/python"
    PYTHONPATH=$path python3 -m pip install --quiet --disable-pip-version-check --root-user-action ignore --no-deps \
        --only-binary :all: --target "$services/python" --requirement "$lock" ||
        cannot "pip could not install the packages of $lock: the words above tell why"
    cp "$lock" "$services/python/installed.txt"
}

# The oldest Node.js that oidc-provider runs on.
node_major=20

install_node() {
    have node && have npm || system_packages nodejs npm
    if (($(node -p 'parseInt(process.versions.node)') < node_major)) && [[ ! -x $services/node/bin/node ]]; then
        local machine=x64
        [[ $(uname -m) == aarch64 ]] && machine=arm64
        echo "Node.js $(node -v) is too old for oidc-provider: taking node-linux-$machine from npm"
        npm install --loglevel error --no-update-notifier --no-audit --no-fund --no-save --prefix "$services/node-package" "node-linux-$machine@22.23.3" ||
            cannot "npm could not install Node.js $node_major or newer"
        mkdir -p "$services/node/bin"
        ln -sf "$services/node-package/node_modules/node-linux-$machine/bin/node" "$services/node/bin/node"
    fi
}

install_npm_packages() {
    local lock=tests/services/package-lock.json
    cmp -s "$lock" "$services/npm/installed.json" && return
    echo "installing from npm: http-message-signatures, oidc-provider, ws"
    rm -rf "$services/npm"
    mkdir -p "$services/npm"
    cp tests/services/package.json "$lock" "$services/npm/"
    (cd "$services/npm" && npm ci --loglevel error --no-update-notifier --ignore-scripts --no-audit --no-fund) ||
        cannot "npm could not install the packages of $lock: the words above tell why"
    cp "$lock" "$services/npm/installed.json"
}

# Builds a cargo tool, as fast as can be, unless PROGRAM is there: cargo_tool PROGRAM CRATE@VERSION [cargo option...]
cargo_tool() {
    local program=$1 crate=$2
    shift 2
    have "$program" && return
    echo "building $crate (once, into $tools)"
    CARGO_PROFILE_RELEASE_OPT_LEVEL=0 CARGO_PROFILE_RELEASE_DEBUG=0 CARGO_PROFILE_RELEASE_LTO=off \
        CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 CARGO_TARGET_DIR=$tools/build \
        cargo install --quiet --locked --root "$tools" "$@" "$crate" || cannot "cargo could not install $crate"
}
