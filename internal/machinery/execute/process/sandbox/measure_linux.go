//go:build linux && (amd64 || arm64)

package sandbox

import (
	"os"
	"strconv"
	"strings"
)

// measure tells by the control group of a container what all that ran in it has used, as far as that can be read there.
// Both versions keep it in files that nobody inside can write.
func measure(f *Frame) {
	const group = "/sys/fs/cgroup/"
	f.Short = int(field(group+"memory.events", "oom_kill") + field(group+"memory/memory.oom_control", "oom_kill"))
	if most := field(group+"memory.peak", "") + field(group+"memory/memory.max_usage_in_bytes", ""); most > 0 {
		f.MaxRSS = most
	}
	if used := 1000*field(group+"cpu.stat", "usage_usec") + field(group+"cpuacct/cpuacct.usage", ""); used > 0 {
		f.CPU = used
	}
}

// field gives the number behind a name in a file of lines; without a name, the file's only number. 0 when it is not there.
func field(file, name string) int64 {
	b, err := os.ReadFile(file)
	if err != nil || len(b) > 64<<10 {
		return 0
	}
	for line := range strings.Lines(string(b)) {
		value := strings.TrimSpace(line)
		if name != "" {
			rest, ok := strings.CutPrefix(value, name+" ")
			if !ok {
				continue
			}
			value = rest
		}
		n, _ := strconv.ParseInt(value, 10, 64)
		return max(n, 0)
	}
	return 0
}
