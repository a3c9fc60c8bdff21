#!/usr/bin/env bash
# Run all checks that need no GPU: ci/cpu.sh [PYTHON], where PYTHON has the `dev` extra installed.
# A failed check does not stop the other checks. A missing tool is a failure.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

python=$(command -v "${1:-python3}") || { echo "ci/cpu.sh: there is no ${1:-python3}" >&2; exit 1; }
# Many users do not have the folders of mkfs in their PATH.
PATH="$("$python" -c 'import sysconfig; print(sysconfig.get_path("scripts"))'):$PATH:/usr/sbin:/sbin"

failed=""
check() {
    local name=$1
    shift
    echo "== $name"
    "$@" || failed+=" $name"
}

# Tests open reports in a browser, complete commands in shells, and measure on filesystems that they
# create.
packages=()
command -v chromium >/dev/null || command -v google-chrome >/dev/null || packages+=(chromium)
command -v mkfs.xfs >/dev/null || packages+=(xfsprogs)
command -v mkfs.btrfs >/dev/null || packages+=(btrfs-progs)
command -v mkfs.f2fs >/dev/null || packages+=(f2fs-tools)
command -v zsh >/dev/null || packages+=(zsh)
command -v fish >/dev/null || packages+=(fish)
if ((${#packages[@]})); then
    if [[ $(id -u) == 0 ]] && command -v apt-get >/dev/null; then
        { apt-get update -qq && apt-get install -y -qq "${packages[@]}"; } >/dev/null
    else
        echo "ci/cpu.sh: the tests need: apt-get install ${packages[*]}" >&2
    fi
fi

mapfile -t kernels < <(find kernels -name '*.cu' -o -name '*.cuh' | sort)

needs() { # a test that is skipped for want of a tool proves nothing
    local tool missing=0
    for tool; do command -v "$tool" >/dev/null || { echo "there is no $tool" >&2; missing=1; }; done
    return "$missing"
}

check tools needs cc findmnt fish lsblk lscpu openssl unshare zsh
check lint ruff check .
check format ruff format --check .
check types mypy
check floors lint-imports --no-logo
check kernel-format clang-format --dry-run -Werror "${kernels[@]}"
check tests "$python" -m pytest -m "" -n logical --dist worksteal
check soak "$python" ci/soak.py 60

if [[ -n $failed ]]; then
    echo "failed:$failed" >&2
    exit 1
fi
