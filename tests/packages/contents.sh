#!/usr/bin/env bash
# Part of tests/shell/packages.sh: each function prints what is wrong, and nothing when all is well. Uses its variable work.

completions=packaging/root/usr/share/bash-completion/completions

# The options that a --help names, one a line.
options_of() { "$@" --help | sed -nE '/^Options:/,/^$/p' | grep -oE '^  (-[^ ]+,? ?)+' | grep -oE -- '--?[A-Za-z?][A-Za-z-]*' | sort -u; }

# What completion offers for the last of these words.
completed() {
  bash -c '. "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _${1//-/_}; printf "%s\n" "${COMPREPLY[@]}"' - "$completions/$1" "$@"
}

undocumented_words() {
  local verbs verb option
  python3 packaging/manual.py docs/cli.md quickq-spool 1 x | man -l - | col -b > "$work/quickq-spool.1" || echo "no manual page"
  python3 packaging/manual.py docs/agent.md quickq-agent 8 x | man -l - | col -b > "$work/quickq-agent.8" || echo "no manual page"
  verbs=$("$1" --help | sed -nE '/^(Verbs|Commands):/,/^$/s/^  ([a-z]+) .*/\1/p')
  [ "$(wc -w <<< "$verbs")" -ge 16 ] || echo "--help of $1 names too few verbs: $verbs"
  for verb in $verbs; do
    grep -qE "^[A-Z, ]*\b${verb^^}\b" "$work/quickq-spool.1" || echo "quickq-spool(1): no heading for $verb"
    grep -qx -- "$verb" <<< "$(completed quickq-spool "$verb")" || echo "completion of quickq-spool: no verb $verb"
    options_of "$1" "$verb" > "$work/options"
    [ -s "$work/options" ] || echo "no options in the help of $verb"
    completed quickq-spool "$verb" - | sort -u > "$work/completed"
    diff "$work/options" "$work/completed" | sed -n "s/^</completion of $verb lacks/p; s/^>/completion of $verb has, but not its help:/p"
    section "${verb^^}" < "$work/quickq-spool.1" > "$work/section"
    while read -r option; do
      grep -qE -- "(^|[^-A-Za-z])$option\b" "$work/section" || echo "quickq-spool(1): $verb has no $option"
    done < <(grep -vxE -- '-h|--help|--spool|--json|--direct|--service' "$work/options")
  done
  for option in --spool --json --direct --service; do
    grep -qF -- "$option" "$work/quickq-spool.1" || echo "quickq-spool(1): no $option"
  done
  options_of "$2" > "$work/options"
  completed quickq-agent - > "$work/completed"
  while read -r option; do
    grep -qF -- "$option" "$work/quickq-agent.8" || echo "quickq-agent(8): no $option"
    [ "$option" = '-?' ] || grep -qxF -- "$option" "$work/completed" || echo "completion of quickq-agent: no $option"
  done < "$work/options"
}

# The text under those headings that name a verb, and what they refer to as the options of list.
section() {
  awk -v verb="$1" '/^[A-Z]/ { inside = 0; n = split($0, words, /[^A-Z]+/); for (i = 1; i <= n; i++) if (words[i] == verb) inside = 1 }
    /^LIST/ { inside = 1 } inside'
}

# The agent itself names the settings it knows, when it is given one that it does not.
undocumented_settings() {
  local name
  cat > "$work/unknown.json" << 'JSON'
{ "zzzzzzzzzzzz": 1, "spool": { "zzzzzzzzzzzz": 1 },
  "servers": { "a": { "host": "h", "exchange": "", "zzzzzzzzzzzz": 1, "tls": { "zzzzzzzzzzzz": 1 } } } }
JSON
  "$1" --check-config --config "$work/unknown.json" 2>&1 | sed -n 's/.*known here: //p' | tr -d ' ' | tr ',' '\n' | sort -u > "$work/settings"
  [ "$(wc -l < "$work/settings")" -ge 20 ] || echo "the agent names too few settings: $(tr '\n' ' ' < "$work/settings")"
  while read -r name; do
    grep -qE "(^## |\`)$name\b" docs/configuration.md || echo "docs/configuration.md: no $name"
  done < "$work/settings"
}

unrendered_pages() {
  local page
  for page in 'cli.md quickq-spool 1' 'agent.md quickq-agent 8' 'configuration.md quickq.json 5' 'spool-format.md quickq-spool 5'; do
    set -- $page
    python3 packaging/manual.py "docs/$1" "$2" "$3" x | LC_ALL=C.UTF-8 MANROFFSEQ='' man --warnings -E UTF-8 -l - 2>&1 > "$work/page"
    [ "$(wc -l < "$work/page")" -gt 50 ] || echo "$2($3) is empty"
    ! grep -nE '\*\*|^ *\||```|\]\(' "$work/page" || echo "$2($3) has marks in it that were not understood"
  done
}

# A comment stands for the directives that follow it up to the next comment or blank line.
unreasoned_lines() {
  awk '/^$/ { reason = 0; next } /^#/ { reason = 1; next } /^\[/ { reason = 1; next } !reason { print FILENAME ": no reason for " $0 }' "$1"
}

configuration_is_right() {
  local file=$work/quickq.json
  cp packaging/root/etc/quickq/quickq.json "$file"
  chmod 640 "$file"
  "$1" --check-config --config "$file" || return
  sed -i -E '/"servers": \{/,/^  \},/s|^( +)// |\1|' "$file"
  "$1" --check-config --config "$file" > "$work/check" 2>&1 || { cat "$work/check"; return 1; }
  [ "$(grep -c '^server ' "$work/check")" = 2 ]
}

careless_scripts() {
  local script action
  for script in preinst postinst prerm postrm; do
    case $script in
      preinst) set -- install upgrade abort-upgrade ;;
      postinst) set -- configure abort-upgrade abort-remove abort-deconfigure ;;
      prerm) set -- remove upgrade deconfigure failed-upgrade ;;
      postrm) set -- remove purge upgrade failed-upgrade abort-install abort-upgrade disappear ;;
    esac
    sh -n "packaging/deb/$script" || echo "$script is not a shell script"
    grep -qx 'set -e' "packaging/deb/$script" || echo "$script goes on after an error"
    sed -nE '/^case/,/^esac/s/^  ([a-z| -]+)\).*/\1/p' "packaging/deb/$script" | tr -d ' ' | tr '|' '\n' > "$work/actions"
    for action in "$@"; do
      grep -qx -- "$action" "$work/actions" || echo "$script does not know $action"
    done
    ! sh "packaging/deb/$script" surprise 2> /dev/null || echo "$script does not refuse an action it does not know"
  done
}

# What root must not do in a folder of others: walk through links, or open files. The one open of the spool is made as its owner.
followed_links() {
  grep -nHE '(chown|chmod|cp|install) .*-[a-zA-Z]*R|find .*-L|find -L' packaging/deb/* packaging/rpm/quickq.spec packaging/root/usr/lib/quickq/set-permissions
  grep -nHE '(^|[^_-])quickq-spool (status|add|check|--)' packaging/deb/{pre,post}* packaging/rpm/quickq.spec | grep -v 'as_owner quickq-spool'
}

# As systemd reads them, on a host that has the programs.
faulty_units() {
  local units=$work/units
  mkdir -p "$units"
  cp packaging/root/usr/lib/systemd/system/* "$units"
  sed -i 's|^ExecStart=/usr/lib/quickq/[a-z-]*|ExecStart=/bin/true|' "$units"/*
  systemd-analyze verify --man=no "$units"/* 2>&1 || echo "systemd-analyze refuses the units"
}

# has UNIT LINE...: what docs/security.md and docs/install.md promise.
has() {
  local unit=packaging/root/usr/lib/systemd/system/$1 line
  shift
  for line; do
    grep -qxF -- "$line" "$unit" || echo "$unit has no $line"
  done
}

unpromised_units() {
  local both=(User=quickq Group=quickq-agent UMask=0077 StateDirectoryMode=0700 Environment=HOME=/nonexistent StartLimitIntervalSec=0
    EnvironmentFile=-/etc/default/quickq EnvironmentFile=-/etc/sysconfig/quickq LimitCORE=0)
  has quickq-agent.service "${both[@]}" Wants=quickq-spool.socket
  has quickq-spool.service "${both[@]}" PrivateNetwork=yes RestrictAddressFamilies=AF_UNIX OOMPolicy=continue
  has quickq-spool.socket ListenStream=/run/quickq/spool.sock SocketMode=0666 TriggerLimitIntervalSec=0 WantedBy=sockets.target
  # The folder of the socket is the socket unit's; every client would be nobody; the service works without the agent and the network.
  ! grep -nHE '^RuntimeDirectory=' packaging/root/usr/lib/systemd/system/*
  ! grep -nHE '^PrivateUsers=|^(After|Wants|Requires|BindsTo)=.*(quickq-agent|network)' packaging/root/usr/lib/systemd/system/quickq-spool.*
  grep -qE '^MemoryMax=[0-9]+[MG]$' packaging/root/usr/lib/systemd/system/quickq-agent.service || echo "no MemoryMax for the agent"
  grep -qE '^MemoryMax=[0-9]+[MG]$' packaging/root/usr/lib/systemd/system/quickq-spool.service || echo "no MemoryMax for the service"
}

# A spool may come from somebody else: sqlite3 runs what is in it, unless it is told not to.
unsafe_recipes() {
  awk 'FNR == 1 { fenced = 0 } /^ *```/ { fenced = !fenced; next } /(^|[ |`])(sqlite3|flock) / && (fenced || /`(sqlite3|flock) /) && !/sqlite3 -safe -readonly/ {
    print FILENAME ":" FNR ": " $0 }' README.md CONTRIBUTING.md SECURITY.md docs/*.md python-shim/README.md spool/README.md
}

# Owners and modes in the packages of folder $1. An rpm says whose a file is; in a deb all is root's, and set-permissions changes it.
loose_files() {
  local package list
  for package in "$1"/*.deb; do
    list=$(dpkg-deb -c "$package" | awk '{ print $1, $2, substr($6, 2) }')
    grep -E '^.(.....w|........w|..[sS]|.....[sS]|........[tT])' <<< "$list" | grep -v '^l' | sed "s|^|$package: |"
    grep -qx 'drwxr-x--- root/root /etc/quickq/' <<< "$list" || echo "$package: /etc/quickq is not 0750"
    grep -qx -- '-rw-r----- root/root /etc/quickq/quickq.json' <<< "$list" || echo "$package: quickq.json is not 0640"
    [ "$(dpkg-deb -I "$package" conffiles | tr '\n' ' ')" = '/etc/default/quickq /etc/quickq/quickq.json ' ] || echo "$package: its configuration files are others"
  done
  for package in "$1"/*.rpm; do
    list=$(rpm -qp --qf '[%{filemodes:perms} %{fileusername}:%{filegroupname} %{filenames}\n]' "$package")
    grep -E '^.(.....w|........w|..[sS]|.....[sS]|........[tT])' <<< "$list" | grep -v '^l' | sed "s|^|$package: |"
    for line in 'drwxr-x--- root:quickq-agent /etc/quickq' '-rw-r----- root:quickq-agent /etc/quickq/quickq.json' 'drwx------ quickq:quickq-agent /var/lib/quickq'; do
      grep -qx -- "$line" <<< "$list" || echo "$package: no $line"
    done
    rpm -qpc "$package" | grep -qx /etc/sysconfig/quickq || echo "$package: /etc/sysconfig/quickq is no configuration"
  done
}

# Every program and library of the packages in folder $1, against the oldest C library that each package is for.
too_new_symbols() {
  local package promise tree file newest
  for package in "$1"/*.deb "$1"/*.rpm; do
    promise=2.34
    case $package in *deb11* | *.el8.*) promise=2.28 ;; esac
    tree=$work/tree
    rm -rf "$tree"
    mkdir "$tree"
    case $package in
      *.deb) dpkg-deb -x "$package" "$tree" ;;
      *.rpm) rpm2archive -n - < "$package" | tar -x -C "$tree" ;;
    esac
    [ "$(find "$tree/usr/lib/quickq" -type f | wc -l)" -ge 2 ] || echo "$package: no programs in it"
    while read -r file; do
      newest=$(objdump -T "$file" | grep -oE 'GLIBC_[0-9.]+' | cut -d_ -f2 | sort -V | tail -n 1)
      [ -n "$newest" ] || echo "$package: $file asks for no C library"
      [ "$(printf '%s\n%s\n' "$newest" "$promise" | sort -V | tail -n 1)" = "$promise" ] || echo "$package: ${file#"$tree"} needs glibc $newest, promised is $promise"
    done < <(find "$tree" -type f -exec sh -c 'head -c 4 "$1" | grep -q ELF && echo "$1"' - {} \;)
  done
}
