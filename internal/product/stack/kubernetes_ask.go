package stack

// kubernetesAsk asks of one object after the other. A kind that the cluster does not know in the version of an object may be
// there in another, in which the object is the same; may be gone with its definition, and all objects with it; or may be of an
// API whose server is down, so that nobody can say whether the object is there. Kubectl says the same of all three, since it
// passes over what does not answer: the API server is asked of the object's group, and of each version of that.
const kubernetesAsk = `
told="$beside/told"
apart() { # FILE FOLDER
  rm -rf "$2"
  mkdir -p "$2"
  awk -v to="$2" '/^\{/ { if (file != "") close(file); n++; file = sprintf("%s/%06d.json", to, n) } { print > file }' "$1"
}
first() { # FILE: what it says first, on one line, without warnings and what kubectl logs
  awk '
    /^Warning: / || /^[IWEF][0-9][0-9][0-9][0-9] / || /^[ \t]*$/ { next }
    { sub(/^[ \t]*[*] /, ""); gsub(/[ \t]+/, " "); sub(/ $/, ""); text = text (text == "" ? "" : " ") $0 }
    text !~ /:$/ { exit }
    END { print substr(text, 1, 2000) }
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
  address="${group:+$group/}$kind ${ns:+$ns/}$name"
}
refused() { # FILE VERB
  cat "$said" >&2
  known "$1"
  roadbed_fail 1 "the cluster $2 $address: $(first "$said")"
}
served() { # FILE OF ONE OBJECT: found is the version in which the cluster has its kind; "" where it has that in none
  found= silent=
  known "$1"
  case $group$kind in
  "$kind" | *[!A-Za-z0-9.-]*) return 0 ;;
  esac
  if ! k get --raw "/apis/$group" > "$beside/versions" 2> "$said"; then
    case $(cat "$said") in
    *NotFound*) return 0 ;;
    esac
    roadbed_fail 97 "can't tell whether $address is in the cluster: its API $group does not answer ($(first "$said")); start a new run once it does"
  fi
  for version in $(tr -d ' \n\t' < "$beside/versions" | grep -o '"version":"[a-z0-9]*"' | cut -d '"' -f 4 | awk '!seen[$0]++'); do
    if k get --raw "/apis/$group/$version" > "$beside/kinds-in" 2> "$said"; then
      if tr -d ' \n\t' < "$beside/kinds-in" | grep -qF "\"kind\":\"$kind\""; then
        found=$version
        return 0
      fi
      continue
    fi
    case $(cat "$said") in
    *NotFound*) ;;
    *) silent="$group/$version does not answer ($(first "$said"))" ;;
    esac
  done
  [ -z "$silent" ] || roadbed_fail 97 "can't tell whether $address is in the cluster: its API $silent; see its APIService, and start a new run once it does"
}
tried() { # FILE COMMAND...
  asked=$1 lacks=
  shift
  if "$@" --filename="$asked" > "$told" 2> "$said" < /dev/null; then
    cat "$said" >&2 # warnings, such as of versions that are going to be removed
    return 0
  fi
  case $(cat "$said") in
  *"no matches for kind"*) lacks=kind ;;
  *"namespaces "*" not found"*) lacks=namespace ;;
  *) refused "$asked" "$verb" ;;
  esac
  return 1
}
asks() { # FILE COMMAND...: asks of an object that is there, by whatever version; 1 where its kind, or its namespace, is not
  verb="does not tell of"
  if tried "$@"; then return 0; fi
  [ "$lacks" = kind ] || return 1
  served "$1"
  [ -n "$found" ] || return 1
  shift
  case $ns$name in
  *[\"\\]*) return 1 ;;
  esac
  printf '{"apiVersion":"%s","kind":"%s","metadata":{"name":"%s"%s}}\n' "$group/$found" "$kind" "$name" "${ns:+,\"namespace\":\"$ns\"}" > "$beside/found.json"
  if tried "$beside/found.json" "$@"; then return 0; fi
  [ "$group/$found" != "$api" ] || refused "$asked" "$verb"
  return 1
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
  if "$@" --filename="$file" --output=json > "$out" 2> "$said"; then
    cat "$said" >&2
    return 0
  fi
  : > "$out"
  apart "$file" "$beside/apart"
  for one in "$beside"/apart/*.json; do
    verb=refuses
    if [ "$unknown" = write ]; then
      if ! tried "$one" "$@" --output=json; then
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
ask "$plan" "$beside/live" drop within get --ignore-not-found
ask "$beside/held.json" "$beside/held" tell k get --ignore-not-found
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
