package toolchain

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Resolve gives the newest version that will do and is here; when none is, the newest that can be downloaded. With latest
// it is the newest that there is; where nobody can tell, the newest that is here. Conflict when there is none: the
// message names those that there are. Of a program whose maker has no signed list of all, an exact version is taken as it
// is: whether there is one, its download tells.
func (c *Cache) Resolve(ctx context.Context, name string, w Wanted) (string, error) {
	if !slices.Contains(Names(), name) {
		return "", unknown(name)
	}
	var here []string
	for _, p := range c.Local(ctx, name) {
		here = append(here, p.Version)
	}
	found := w.Newest(here)
	if found != "" && !w.Latest() {
		return found, nil
	}
	if v := w.Exact(); v != "" && IsTool(name) && c.may(name) == nil {
		return v, nil
	}
	l, err := c.available(ctx, name)
	available, away := l.Versions, l.away
	if name == Kubectl && w.minor != "" && w.Newest(available) == "" && c.may(name) == nil { // an older one than the list has
		older, failed := c.newestOf(ctx, w.minor)
		if len(older) > 0 {
			available, err = slices.Concat(available, older), nil
		} else if failed != nil {
			away = failed
		}
	}
	if ctx.Err() != nil { // nothing is known, and nobody waits for it
		return "", ctx.Err()
	}
	if v := w.Newest(available); v != "" && (found == "" || Compare(v, found) > 0) {
		return v, nil
	}
	if found != "" {
		return found, nil
	}
	asked := Title(name)
	if !w.Any() {
		asked += " " + w.String()
	}
	why := fmt.Sprintf("there is no %s here: %s", asked, told(name, here))
	if err != nil && IsTool(name) {
		return "", fault.Errorf(fault.Conflict, "%s; and %s; %s", why, fault.Message(err), c.install(name, asked, "VERSION"))
	}
	if err != nil {
		return "", fault.Errorf(fault.Conflict, "%s; and %s; ask for one of these, or have it brought (docs/engines.md)", why, fault.Message(err))
	}
	if away != nil {
		return "", fault.Errorf(fault.Conflict, "%s; to be downloaded are %s, as far as is known: %s", why, some(available), fault.Message(away))
	}
	return "", fault.Errorf(fault.Conflict, "%s; to be downloaded are %s", why, some(available))
}

func told(name string, here []string) string {
	if len(here) == 0 {
		return "this server has no " + Title(name)
	}
	return "this server has " + some(here)
}

// some names versions without being long; they are in their order, the newest first.
func some(versions []string) string {
	const most = 12
	if len(versions) == 0 {
		return "none"
	}
	released := slices.DeleteFunc(slices.Clone(versions), func(v string) bool { return strings.Contains(v, "-") })
	if len(released) > 0 {
		versions = released
	}
	if len(versions) <= most {
		return strings.Join(versions, ", ")
	}
	return fmt.Sprintf("%s and %d older ones down to %s", strings.Join(versions[:most], ", "), len(versions)-most, versions[len(versions)-1])
}
