package fault

// IfMatch refuses with Stale to change what is not any more as it was seen: want is the etag that was seen, "*" for
// anything that is there, "" for whatever it is; have is the etag now, "" when there is nothing.
func IfMatch(want, have, what string) error {
	switch {
	case want == "" || want == have || want == "*" && have != "":
		return nil
	case have == "":
		return Errorf(Stale, "%s is not there any more; look at what there is", what)
	}
	return Errorf(Stale, "%s has changed meanwhile; read it again", what)
}
