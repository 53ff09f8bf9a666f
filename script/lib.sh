# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# What all scripts share: messages, the cache, and Debian packages and sources
# fetched through a private apt configuration. Source it; it runs nothing.
#
# Functions print their result (a path) on stdout and everything else on
# stderr, so that a caller writes: dir=$(td_unpack bookworm seabios)

# A failure inside $(…) must end the caller as well.
shopt -s inherit_errexit

TD_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
TD_CACHE=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/tracedisk
export TD_ROOT TD_CACHE

# The QEMU that is built in tree. Pinned: mirrors lack the source of others.
TD_TREE_SUITE=trixie
TD_TREE_VERSION=1:10.0.13+ds-0+deb13u1
# Where Debian 12 has a newer QEMU as a package.
TD_NEWER_SUITE=bookworm-backports
export TD_TREE_SUITE TD_TREE_VERSION TD_NEWER_SUITE

# Package indexes older than this many minutes are fetched again.
TD_INDEX_MINUTES=$((7 * 24 * 60))

td_say() {
    printf '%s\n' "$*" >&2
}

td_die() {
    td_say "$(basename "$0"): $*"
    exit 2
}

# Run a command as root: directly, or through sudo.
td_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        td_die "'$*' needs root: run this as root, or install sudo"
    fi
}

# Run a command with its output in a log, whose end is shown if it fails.
td_logged() {
    local log=$1
    shift
    mkdir -p "$(dirname "$log")"
    if ! "$@" >"$log" 2>&1; then
        tail -n 30 "$log" >&2
        td_say "failed: $*"
        td_say "the whole output is in $log"
        return 1
    fi
}

# Write stdin to a file, unless it holds just that: its time stays. Fails when
# it did.
td_update_file() {
    cat >"$1.new"
    if cmp -s "$1.new" "$1"; then
        rm "$1.new"
        return 1
    fi
    mv "$1.new" "$1"
}

# ---- apt, with our own sources and lists ------------------------------------
#
# A suite is a name like trixie, or trixie@arm64 for packages of another
# architecture than amd64.

# The user's own mirror of the archive, or of the security archive.
# td_mirror [-security]
td_mirror() {
    local codename
    codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
    # Lines of "Debian" (known once lists are there) before those of unknown
    # origin; a third party's repository may use the codename as well.
    # shellcheck disable=SC2016
    apt-get indextargets --format '$(ORIGIN)|$(COMPONENT)|$(RELEASE)|$(REPO_URI)' \
        'Created-By: Packages' 2>/dev/null |
        awk -F'|' -v release="$codename${1:-}" '
            $2 != "main" || $3 != release { next }
            $1 == "Debian" { print $4; found = 1; exit }
            !other { other = $4 }
            END { if (!found && other) print other }'
}

# Write the private apt configuration of a suite.
td_apt_config() {
    local suite=${1%@*} arch=amd64 dir=$TD_CACHE/apt/$1 mirror security signed
    [ "$suite" = "$1" ] || arch=${1#*@}
    mirror=$(td_mirror)
    security=$(td_mirror -security)
    [ -n "$mirror" ] ||
        td_die "apt knows no Debian mirror: tracedisk's scripts need Debian with a 'deb' source"
    mkdir -p "$dir/lists/partial" "$dir/archives/partial"
    signed='[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]'
    {
        echo "deb $signed $mirror $suite main"
        echo "deb-src $signed $mirror $suite main"
        # A release, not backports or the like: with its updates and fixes.
        case $suite in *-* | sid) ;; *)
            echo "deb $signed $mirror $suite-updates main"
            echo "deb-src $signed $mirror $suite-updates main"
            if [ -n "$security" ]; then
                echo "deb $signed $security $suite-security main"
                echo "deb-src $signed $security $suite-security main"
            fi ;;
        esac
    } | { ! td_update_file "$dir/sources.list" || rm -f "$dir/updated"; }
    # As if nothing were installed. A new file here makes apt slow.
    [ -e "$dir/status" ] || : >"$dir/status"
    td_update_file "$dir/apt.conf" <<CONF || true
// The user's hooks are not for us.
#clear APT::Update;
#clear DPkg;
APT::Architecture "$arch";
APT::Architectures { "$arch"; };
Dir::Etc::sourcelist "$dir/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
Dir::State "$dir";
Dir::State::lists "$dir/lists";
Dir::State::status "$dir/status";
Dir::Cache "$dir";
Dir::Cache::archives "$dir/archives";
Dir::Cache::pkgcache "pkgcache.bin";
Dir::Cache::srcpkgcache "srcpkgcache.bin";
APT::Sandbox::User "";
APT::Default-Release "";
Acquire::Check-Valid-Until "false";
Acquire::Check-Date "false";
Acquire::Languages "none";
Acquire::Retries "3";
Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
CONF
}

# Run an apt tool with a suite's private configuration.
# td_apt SUITE TOOL ARGUMENTS...
td_apt() {
    local suite=$1 tool=$2
    shift 2
    LC_ALL=C "$tool" -c "$TD_CACHE/apt/$suite/apt.conf" "$@"
}

# Fetch a suite's package index. An old index is better than none.
td_apt_update() {
    local suite=$1 dir=$TD_CACHE/apt/$1
    td_say "fetching the package index of $suite"
    if td_apt "$suite" apt-get -q update -o APT::Update::Error-Mode=any \
        >"$dir/update.log" 2>&1; then
        touch "$dir/updated"
    elif [ -e "$dir/updated" ]; then
        td_say "cannot fetch the package index of $suite (offline?); using the one of" \
            "$(date -r "$dir/updated" +%F)"
    else
        grep -E '^(E|W|Err)' "$dir/update.log" >&2 || true
        td_die "cannot fetch the package index of $suite: is there a network?"
    fi
}

# Make a suite ready for td_apt. Call it with the suite's lock held.
td_apt_ready() {
    local dir=$TD_CACHE/apt/$1
    # Asking the user's apt for its mirror takes a second.
    if [ ! -e "$dir/configured" ] || [ -n "$(find /etc/apt/sources.list* "${BASH_SOURCE[0]}" \
        -newer "$dir/configured" 2>/dev/null)" ]; then
        td_apt_config "$1"
        touch "$dir/configured"
    fi
    if [ ! -e "$dir/updated" ] ||
        [ -n "$(find "$dir/updated" -mmin +"$TD_INDEX_MINUTES")" ]; then
        td_apt_update "$1"
    fi
}

# Run a function with a lock of that name held: others use the cache too.
td_locked() {
    local name=$1
    shift
    mkdir -p "$TD_CACHE/lock"
    (
        flock 9
        "$@" 9>&-
    ) 9>"$TD_CACHE/lock/$name"
}

# ---- packages ----------------------------------------------------------------

# The path of the suite's newest .deb of a package. td_deb SUITE PACKAGE
td_deb() {
    td_locked "apt-$1" td_deb_locked "$1" "$2"
}

td_deb_locked() {
    local suite=$1 package=$2 dir=$TD_CACHE/debs/$1 file
    td_apt_ready "$suite"
    mkdir -p "$dir"
    for attempt in first second; do
        file=$(td_apt "$suite" apt-get download --print-uris "$package" 2>/dev/null |
            awk '{ print $2; exit }') || true
        if [ -n "$file" ]; then
            if [ ! -e "$dir/$file" ]; then
                td_say "downloading $package from $suite"
                rm -rf "$dir/new.$package"
                mkdir "$dir/new.$package"
                (cd "$dir/new.$package" &&
                    td_apt "$suite" apt-get -q download "$package" >apt.log 2>&1 &&
                    mv ./*.deb "$dir/$file") || true
            fi
            if [ -e "$dir/$file" ]; then
                rm -rf "$dir/new.$package"
                echo "$dir/$file"
                return
            fi
            grep -E '^E:' "$dir/new.$package/apt.log" >&2 || true
        fi
        # Versions move and old ones vanish from the pool: look again, once.
        [ "$attempt" = second ] || td_apt_update "$suite"
    done
    if [ -n "$file" ]; then
        td_die "cannot download $file from $suite: offline, or gone from the mirror"
    fi
    td_die "$suite has no package $package"
}

# A package's files, unpacked in the cache. td_unpack SUITE PACKAGE
td_unpack() {
    local deb dir
    deb=$(td_deb "$1" "$2")
    dir=$TD_CACHE/unpacked/$1/$(basename "$deb" .deb)
    [ -d "$dir" ] || td_locked "unpack-$2" td_unpack_debs "$dir" "$deb"
    echo "$dir"
}

# td_unpack_debs FOLDER DEB...
td_unpack_debs() {
    local dir=$1 deb
    shift
    [ ! -d "$dir" ] || return 0
    rm -rf "$dir.new"
    mkdir -p "$dir.new"
    for deb; do
        dpkg -x "$deb" "$dir.new"
    done
    mv "$dir.new" "$dir"
}

# The words of a package's Depends that match a regular expression.
# td_depends SUITE PACKAGE REGEX
td_depends() {
    td_locked "apt-$1" td_apt_ready "$1"
    td_apt "$1" apt-cache show --no-all-versions "$2" 2>/dev/null |
        sed -n 's/^\(Pre-\)\?Depends: //p' | sed 's/[,|] */\n/g' |
        awk '{ print $1 }' | grep -Ex "$3" || true
}

# A suite's kernel: a folder that holds boot/vmlinuz-V and lib/modules/V.
# td_kernel SUITE
td_kernel() {
    local suite=$1 image package deb dir version meta=linux-image-amd64 debs=()
    [ "$suite" = "${suite%@*}" ] || meta=linux-image-${suite#*@}
    image=$(td_depends "$suite" "$meta" 'linux-image-.*' | head -n 1)
    [ -n "$image" ] || td_die "$suite has no package $meta"
    # From 7.x on, the image package has its files in packages of their own.
    for package in "$image" $(td_depends "$suite" "$image" 'linux-(base|modules|binary)-.*'); do
        deb=$(td_deb "$suite" "$package")
        debs+=("$deb")
    done
    dir=$TD_CACHE/kernels/$suite/$(basename "${debs[0]}" .deb)
    [ -d "$dir" ] || td_locked "kernel-$suite" td_unpack_debs "$dir" "${debs[@]}"
    # On a system with merged /usr, modules may come as usr/lib/modules.
    if [ ! -d "$dir/lib/modules" ] && [ -d "$dir/usr/lib/modules" ]; then
        ln -sfn usr/lib "$dir/lib"
    fi
    # From 7.x on, the kernel lies with its modules.
    for version in "$dir"/lib/modules/*; do
        if [ -e "$version/vmlinuz" ]; then
            mkdir -p "$dir/boot"
            ln -sfn "../lib/modules/$(basename "$version")/vmlinuz" \
                "$dir/boot/vmlinuz-$(basename "$version")"
        fi
    done
    [ -n "$(find "$dir/boot" -name 'vmlinuz-*' 2>/dev/null)" ] ||
        td_die "$image of $suite holds no boot/vmlinuz-*: its layout is new to this script"
    echo "$dir"
}

# ---- sources -------------------------------------------------------------------

# An unpacked source tree with Debian's patches. td_source SUITE PACKAGE VERSION
td_source() {
    local dir=$TD_CACHE/source/$2-${3#*:}
    [ -d "$dir" ] || td_locked "apt-$1" td_source_locked "$1" "$2" "$3" "$dir"
    echo "$dir"
}

td_source_locked() {
    local suite=$1 package=$2 version=$3 dir=$4 download=$4.download
    [ ! -d "$dir" ] || return 0
    td_apt_ready "$suite"
    rm -rf "$download"
    mkdir -p "$download"
    td_say "downloading the source of $package $version from $suite"
    if ! (cd "$download" && td_apt "$suite" apt-get -q source --download-only \
        "$package=$version" >apt.log 2>&1); then
        grep -E '^E:' "$download/apt.log" >&2 || true
        td_die "cannot fetch the source package $package $version of $suite:" \
            "offline, or it is missing from the mirror (some that the index names are)"
    fi
    td_say "unpacking $package $version"
    if ! dpkg-source --no-check -x "$download"/*.dsc "$download/tree" \
        >"$download/unpack.log" 2>&1; then
        tail -n 20 "$download/unpack.log" >&2
        td_die "cannot unpack the source of $package $version (in $download)"
    fi
    mv "$download/tree" "$dir"
    rm -rf "$download"
}
