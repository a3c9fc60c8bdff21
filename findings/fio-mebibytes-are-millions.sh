#!/usr/bin/env bash
# Sizes with binary prefixes in fio: --size=1MiB, --bs=4KiB.
#
# Expected: 1MiB is 1048576 bytes and 4KiB is 4096 bytes. Only 1MB is ambiguous.
# Seen (fio 3.33, kb_base with its default, 1024): the meanings are exchanged. 1M, 1MB and even 1Mi
# are 1048576 bytes, 1MiB is 1000000 bytes. 4KiB is 4000 bytes, which direct I/O refuses. The manual
# gives compatibility with old scripts as the reason. With kb_base=1000 before the sizes, MB and MiB
# have their usual meaning.
# For users: if you write MiB, the size is 4.6 % smaller (GiB: 6.9 %, TiB: 9.1 %). The blocks are not
# aligned, and the last block of the file is missing. Write "1m" or plain bytes.
set -euo pipefail
[ "$(id -u)" = 0 ] || { echo "needs root, to fetch a package of Debian" >&2; exit 2; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
# Debian 12: the package and what it needs that is not installed, unpacked into the folder.
mkdir -p "$folder/packages/partial" "$folder/root"
apt-get install -qq -y --reinstall --download-only --no-install-recommends -o Debug::NoLocking=1 \
    -o APT::Sandbox::User=root -o Dir::Cache::archives="$folder/packages" fio=3.33-3 > /dev/null
for package in "$folder"/packages/*.deb; do dpkg -x "$package" "$folder/root"; done
LD_LIBRARY_PATH=$folder/root/usr/lib/$(uname -m)-linux-gnu:$folder/root/lib/$(uname -m)-linux-gnu
export LD_LIBRARY_PATH
fio=$folder/root/usr/bin/fio
echo "version: $("$fio" --version)"
cd "$folder"
still=0
# Blocks of 1000 or 1024 bytes, so that every size is a whole number of blocks.
check() { # SIZE BLOCK EXPECTED SEEN [OPTION]
    "$fio" --name=a --filename=file --rw=write "${@:5}" --size="$1" --bs="$2" --output=out.json --output-format=json
    bytes=$(python3 -c 'import json; print(json.load(open("out.json"))["jobs"][0]["write"]["io_bytes"])')
    rm file
    echo "${*:5} --size=$1: expected: $3 bytes; seen: $bytes"
    [ "$bytes" = "$4" ] || still=1
}
check 1MiB 1000 1048576 1000000
check 1Mi 1024 1048576 1048576
check 1MB 1024 1000000 1048576
check 1M 1024 1048576 1048576
check 1MiB 1024 1048576 1048576 --kb_base=1000
check 1MB 1000 1000000 1000000 --kb_base=1000
"$fio" --name=a --filename=file --rw=write --size=40000 --bs=4KiB --output=out.json --output-format=json
blocks=$(python3 -c 'import json; print(json.load(open("out.json"))["jobs"][0]["write"]["total_ios"])')
echo "--size=40000 --bs=4KiB: expected: 9 whole blocks of 4096 bytes; seen: $blocks blocks of 4000 bytes"
[ "$blocks" = 10 ] || still=1
exit "$still"
