package stack

// kubernetesAsk asks of one object after the other. A kind that the cluster does not know in the version of an object may be
// there in another, in which the object is the same; may be gone with its definition, and all objects with it; or may be of an
// API whose server is down, so that nobody can say whether the object is there. Kubectl says the same of all three, since it
// passes over what does not answer, and keeps what it has once been told of kinds: the API server is asked of the object's
// group, and of each version of that. What it tells while a kind changes is not of one piece for a moment, and is asked again.
const kubernetesAsk = `
told="$beside/told"
apart() { # FILE FOLDER
  rm -rf "$2"
  mkdir -p "$2"
  awk -v to="$2" '/^\{/ { if (file != "") close(file); n++; file = sprintf("%s/%06d.json", to, n) } { print > file }' "$1"
}
ends_if_stopped() {
  [ -z "$stopped" ] || exit 143
}
passes_on() { # what was said, without the values that the server quotes where a field has another type than it wants
  LC_ALL=C awk '
    /, got &/ { sub(/, got &.*/, ", got something else"); print; of = 1; next }
    of && !/^(  \.|[Ee]rror|Warning: )/ { next }
    { of = 0; print }
  ' "$said" > "$said.plain"
  cat "$said.plain" > "$said"
  cat "$said" >&2
}
clip() { # WORDS
  printf '%s\n' "$1" | LC_ALL=C awk '` + clipping + `
    { text = text (NR > 1 ? " " : "") $0 }
    END { print clipped(text, 500) }
  '
}
first() { # FILE: what it says first, on one line, without warnings and what kubectl logs
  LC_ALL=C awk '` + clipping + `
    /^Warning: / || /^[IWEF][0-9][0-9][0-9][0-9] / || /^[ \t]*$/ { next }
    { sub(/^[ \t]*([*] )?/, ""); sub(/[ \t\r]+$/, ""); text = text (text == "" ? "" : " ") $0 }
    text !~ /:$/ { exit }
    END { print clipped(text, 2000) }
  ' "$1"
}
known() { # FILE OF ONE OBJECT: what it is and what it is called
  api= kind= ns= name=
  {
    IFS= read -r api
    IFS= read -r kind
    IFS= read -r ns
    IFS= read -r name
  } << END || :
$(k label --local --overwrite --filename="$1" --output='jsonpath={.apiVersion}{"\n"}{.kind}{"\n"}{.metadata.namespace}{"\n"}{.metadata.name}{"\n"}' "$ROADBED_LABEL")
END
  case $api in
  */*) group=${api%%/*} ;;
  *) group= ;;
  esac
  address=$(clip "${group:+$group/}$kind ${ns:+$ns/}$name")
}
refused() { # FILE VERB
  passes_on
  ends_if_stopped
  known "$1"
  roadbed_fail 1 "the cluster $2 $address: $(first "$said")"
}
unsure() { # WHY
  roadbed_fail 97 "can't tell whether $address is in the cluster: $1"
}
silence() { # API SEE: why it does not tell what it has, and what to do
  case $(cat "$said") in
  *"(Forbidden)"*) printf '%s\n' "$1 may not be looked at by the user of the kubeconfig ($(first "$said")); give it the cluster role system:discovery" ;;
  *) printf '%s\n' "$1 does not answer ($(first "$said")); ${2}start a new run once it does" ;;
  esac
}
looked() { # found is the version in which the cluster has the kind, "" where it has that in none; 1 where it can't be told yet
  found= silent= versions=v1 base=/api
  if [ -n "$group" ]; then
    base="/apis/$group"
    if ! k get --raw "$base" > "$beside/versions" 2> "$said"; then
      case $(cat "$said") in
      *"(NotFound)"*) return 0 ;;
      esac
      unsure "its API $(silence "$group" "")"
    fi
    versions=$(tr -d ' \n\t' < "$beside/versions" | grep -o '"version":"[a-z0-9]*"' | cut -d '"' -f 4 | awk '!seen[$0]++')
  fi
  unserved=
  [ -n "$versions" ] || unserved="$group tells of no version"
  for version in $versions; do
    version="${group:+$group/}$version"
    if k get --raw "$base/${version##*/}" > "$beside/kinds-in" 2> "$said"; then
      if tr -d ' \n\t' < "$beside/kinds-in" | grep -qF "\"kind\":\"$kind\""; then
        found=$version
        return 0
      fi
      continue
    fi
    case $(cat "$said") in
    *"(NotFound)"*) unserved="$version is told of and not there" ;;
    *) silent=$(silence "$version" "see its APIService, and ") ;;
    esac
  done
  [ -z "$silent" ] || unsure "its API $silent"
  [ -z "$unserved" ]
}
served() { # FILE OF ONE OBJECT: found is the version in which the cluster has its kind; "" where it has that in none
  known "$1"
  case $group$kind$ns$name in
  "$group$ns$name" | *[\"\\]*) unsure "that is no name of an object" ;;
  esac
  case $group$kind in
  *[!A-Za-z0-9.-]*) unsure "that is no name of a kind" ;;
  esac
  looks=0
  until looked; do
    ends_if_stopped
    looks=$((looks + 1))
    [ "$looks" -le 20 ] || unsure "its API $unserved; start a new run once that is settled"
    sleep 1
  done
}
tried() { # FILE COMMAND...
  asked=$1 lacks=
  shift
  if "$@" --filename="$asked" > "$told" 2> "$said" < /dev/null; then
    passes_on # warnings, such as of versions that are going to be removed
    return 0
  fi
  case $(cat "$said") in
  *"admission webhook"* | *"ValidatingAdmissionPolicy '"*) ;;
  *"no matches for kind"* | *"could not find the requested resource"*) lacks=kind ;;
  *"(Forbidden)"*) ;;
  *"namespaces "*" not found"*) lacks=namespace ;;
  *"(NotFound): "*" \""*"\" not found"*)
    gone=$(sed -n 's/.*(NotFound): .* "\([^"]*\)" not found$/\1/p' "$said")
    if [ -n "$gone" ] && grep -qF "\"$gone\"" "$asked"; then lacks=object; fi
    ;;
  esac
  [ -n "$lacks" ] || refused "$asked" "$verb"
  return 1
}
asks() { # FILE COMMAND...: asks of an object, by whatever version; told is empty where it is not there, and 1 where its kind is not
  of=$1 tries=0
  shift
  while ! tried "$of" "$@"; do
    : > "$told"
    [ "$lacks" = kind ] || return 0
    served "$asked"
    [ -n "$found" ] || return 1
    ends_if_stopped
    tries=$((tries + 1))
    [ "$tries" -le 20 ] || refused "$asked" "$verb"
    [ "$tries" = 1 ] || sleep 1
    rm -rf "$beside/cache" # which may know the kind as it was
    of="$beside/found.json"
    printf '{"apiVersion":"%s","kind":"%s","metadata":{"name":"%s"%s}}\n' "$found" "$kind" "$name" "${ns:+,\"namespace\":\"$ns\"}" > "$of"
  done
}
`

// kubernetesShow asks of all objects at once. Where that fails because a kind or a namespace is only to come, it asks of one
// after the other: what the server can't know yet is planned as it is written.
const kubernetesShow = `
ask() { # FILE OUT UNKNOWN COMMAND...
  file=$1 out=$2 unknown=$3
  shift 3
  : > "$out"
  [ -s "$file" ] || return 0
  ignores=--ignore-not-found
  [ "$unknown" != write ] || ignores=
  if "$@" $ignores --filename="$file" --output=json > "$out" 2> "$said"; then
    passes_on
    [ "$unknown" = tell ] || return 0
    there=0 # one alone is printed as it is, several as a list
    [ ! -s "$out" ] || there=1
    ! grep -q '^    "kind": "List"' "$out" || there=$(grep -c '^        {$' "$out") || :
    lost=$(($(grep -c '^{' "$file") - there))
    [ "$lost" != 0 ] || return 0
    # What is not there may be passed over for another reason: the server has to say so of each.
    "$@" --filename="$file" --output=name > "$told" 2> "$said" || :
    [ "$(grep -c '^Error from server (NotFound): [^ ]* "[^"]*" not found$' "$said")" != "$lost" ] || return 0
  fi
  : > "$out"
  apart "$file" "$beside/apart"
  for one in "$beside"/apart/*.json; do
    ends_if_stopped
    verb="does not tell of"
    [ "$unknown" != write ] || verb=refuses
    if [ "$unknown" = write ]; then
      if ! tried "$one" "$@" --output=json; then
        [ "$lacks" != object ] || refused "$one" "$verb"
        [ "$lacks" != kind ] || served "$one"
        printf '{"lacks":"%s"}\n' "$lacks" >> "$out"
        cat "$one" > "$told"
      fi
    elif ! asks "$one" "$@" --output=json; then
      [ "$unknown" != tell ] || echo "roadbed: taken for gone, since the cluster has no such kind any more: $(cat "$one")" >&2
      continue
    fi
    cat "$told" >> "$out"
  done
}
plan="$ROADBED_WORK/plan.bin"
ask "$plan" "$beside/after" write within apply --server-side --dry-run=server --field-manager=roadbed --force-conflicts
ask "$plan" "$beside/live" drop within get
ask "$beside/held.json" "$beside/held" tell k get
ns=${ROADBED_NAMESPACE:-$(k config view --minify --output='jsonpath={.contexts[0].context.namespace}')}
{
  printf '{"kubectl":"%s","namespace":"%s"}\n{"part":"after"}\n' "$is" "${ns:-default}"
  cat "$beside/after"
  echo '{"part":"live"}'
  cat "$beside/live"
  echo '{"part":"held"}'
  cat "$beside/held"
} > "$ROADBED_WORK/plan.json"
`
