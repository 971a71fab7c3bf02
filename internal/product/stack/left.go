package stack

import (
	"path"

	"github.com/roadbed-dev/roadbed/internal/machinery/worker"
)

// An engine that can't write its state leaves it in a file, errored.tfstate, in its folder. That is taken from a step however
// it ended; what can't be is told, so that the stack is held.

// leaving has a script tell at its end of states that an engine could not write, and put a single one where it is taken from:
// below Terragrunt's folder nobody knows its place before. One that the repository has brought along is nobody's. It also runs
// the engine, and tells of an end that is none of the engine's own, such as 2 and 11 of one that crashed: it has saved nothing
// then. Nor may one have that failed where no file can be written, as on a full disk: room for saying so is taken ahead. What only
// reads has nothing to save, however it ends: "state list | head -n1" ends it by a signal.
const leaving = `
rm -f "$ROADBED_WORK/lost" "$ROADBED_WORK/errored.tfstate" || :
roadbed_home=$PWD roadbed_below=$ROADBED_WORK/engine/terragrunt roadbed_brought=
[ ! -f errored.tfstate ] || roadbed_brought=$(cksum < errored.tfstate)
printf '%016384d' 0 > "$ROADBED_WORK/errored" || :
readonly roadbed_home roadbed_below roadbed_brought roadbed_into
roadbed_lost() { printf '%s\n' "$1" >> "$ROADBED_WORK/lost" || :; }
roadbed_leave() {
  [ -f "$roadbed_home/errored.tfstate" ] || [ -d "$roadbed_below" ] || return 0
  (
    set +eu
    {
      [ ! -f "$roadbed_home/errored.tfstate" ] ||
        { [ -n "$roadbed_brought" ] && [ "$(cksum < "$roadbed_home/errored.tfstate")" = "$roadbed_brought" ]; } ||
        printf '%s\n' "$roadbed_home/errored.tfstate"
      [ ! -d "$roadbed_below" ] || find "$roadbed_below" -type f -name errored.tfstate
    } > "$ROADBED_WORK/errored"
    roadbed_n=0
    while IFS= read -r roadbed_one; do
      roadbed_n=$((roadbed_n + 1)) roadbed_file=$roadbed_one
      [ "$roadbed_n" -gt 20 ] || roadbed_lost "the engine has left a state that it could not write in $roadbed_one"
    done < "$ROADBED_WORK/errored"
    if [ "$roadbed_n" = 1 ] && [ "$roadbed_file" != "$roadbed_into/errored.tfstate" ]; then
      rm -f "$roadbed_into/errored.tfstate"
      ln "$roadbed_file" "$roadbed_into/errored.tfstate" || cp "$roadbed_file" "$roadbed_into/errored.tfstate"
    fi
  ) || :
}
trap roadbed_leave EXIT
roadbed_leaves() {
  [ ! -f errored.tfstate ] || return 0
  [ ! -e errored.tfstate ] || return 1
  roadbed_left=0
  { rm -f errored.roadbed && printf '%065536d' 0 > errored.roadbed; } 2> /dev/null || roadbed_left=1
  rm -f errored.roadbed 2> /dev/null || :
  return "$roadbed_left"
}
roadbed_engine() {
  roadbed_ended=0
  "$ROADBED_ENGINE" "$@" || roadbed_ended=$?
  case $roadbed_ended in
  0 | 126 | 127) return "$roadbed_ended" ;;
  1) ! roadbed_leaves || return 1 ;;
  esac
  while :; do
    case ${1:-} in
    -h | -help | --help | -v | -version | --version) return "$roadbed_ended" ;;
    -*) shift ;;
    *) break ;;
    esac
  done
  case ${1:-} in
  "" | fmt | graph | output | plan | providers | show | validate | version) return "$roadbed_ended" ;;
  state)
    case ${2:-} in
    list | pull | show) return "$roadbed_ended" ;;
    esac
    ;;
  esac
  rm -f "$ROADBED_WORK/errored" || :
  if [ "$roadbed_ended" = 1 ]; then
    roadbed_lost "the engine has failed in $PWD, where no file can be written: it could not leave there a state that it could not write"
  else
    roadbed_lost "the engine ended with exit code $roadbed_ended, which is that of a crash"
  fi
  return "$roadbed_ended"
}
`

// nothingLeft comes before an engine changes something: what was fetched for Terragrunt may have brought such a file along.
const nothingLeft = `
[ ! -d "$roadbed_below" ] || find "$roadbed_below" -type f -name errored.tfstate -exec rm -f {} + || :
`

// leftIn are the outputs of a step that leaves in a folder what its engine could not write.
func leftIn(folder string) []worker.Output {
	return []worker.Output{
		{Name: erroredState, Path: path.Join(folder, "errored.tfstate"), Kind: worker.OutputFile, MaxBytes: StateLimit, Optional: true}, lostSaid,
	}
}
