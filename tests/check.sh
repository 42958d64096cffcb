#!/usr/bin/env bash
# Fast checks of the source text: file sizes, names of types, unfinished work, links in the documentation.
# Prints TAP. tests/run.sh runs it; run it alone before every commit.
set -uo pipefail
cd "$(dirname "$0")/.."

longest=400
number=0
failed=0

# Reports one check: its name, and the findings (one a line) that make it fail.
report() {
  number=$((number + 1))
  if [ -z "$2" ]; then
    echo "ok $number - $1"
  else
    failed=$((failed + 1))
    echo "not ok $number - $1"
    sed 's/^/#   /' <<< "$2"
  fi
}

files() { git ls-files --cached --others --exclude-standard -- "$@" | while read -r file; do [ -f "$file" ] && echo "$file"; done; }

sizes=$(files '*.cs' '*.py' '*.sh' .ci/run | while read -r file; do
  lines=$(wc -l < "$file")
  [ "$lines" -le "$longest" ] || echo "$file: $lines lines; split it by responsibility"
done)
report "no source file has more than $longest lines" "$sizes"

type='\b(class|struct|interface|enum|record|record struct|record class) [A-Z][A-Za-z0-9]*'
names=$(files '*.cs' | xargs -r grep -nHoE "$type" | grep -E '(Manager|Helper|Helpers|Util|Utils|Utilities|Common|Processor|Handler)$|[^:]*Service$' \
  | grep -vE ' (AgentService|UpkeepService)$')
report "types are named after their role" "$names"

words='\b(TODO|FIXME|XXX)\b|NotImplemented(Exception|Error)|Thread\.Sleep\('
unfinished=$(files '*.cs' '*.py' '*.sh' '*.sql' '*.csproj' '*.props' | grep -vx tests/check.sh | xargs -r grep -nHE "$words")
report "nothing is left unfinished" "$unfinished"

links=$(files '*.md' | while read -r page; do
  # Fenced code holds examples, not links.
  awk '/^ *```/ { fenced = !fenced; next } !fenced' "$page" | grep -oE '\]\([^) ]+' | cut -c3- | grep -vE '^(https?:|mailto:|#)' \
    | while read -r link; do
      target=$(dirname "$page")/${link%%#*}
      [ -e "$target" ] || echo "$page: $link leads nowhere"
    done
done)
report "links in the documentation lead somewhere" "$links"

proofs=$(grep -oE '`[A-Za-z]+(Tests|Rounds)`' docs/delivery.md | tr -d '`' | sort -u | while read -r class; do
  [ -n "$(files "tests/*/$class.cs" "tests/*/*/$class.cs")" ] || echo "docs/delivery.md: no test class $class"
done)
report "the tests that docs/delivery.md names are there" "$proofs"

marks=$(files '*.sh' .ci/run packaging/quickq-* | xargs -r grep -LE '^#!' | sed 's/$/: no interpreter line/')
report "scripts name their interpreter" "$marks"

echo "1..$number"
[ "$failed" = 0 ]
