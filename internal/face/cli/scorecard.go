package cli

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/roadbed-dev/roadbed/client"
)

func (s *state) scorecards() *cobra.Command {
	return group("scorecard", "How well things meet what is wanted of them", s.scorecardList(), s.scorecardShow(), s.scorecardEntities(), s.scorecardTeams(), s.scorecardTrend(), s.scorecardEntity(), s.scorecardHistory(), s.scorecardPreview())
}

func teamFlag(c *cobra.Command) *string {
	return c.Flags().String("team", "", "count only what this `group` has, with the groups below it, or this user")
}

// named gives the path of what is called [NAMESPACE/]NAME.
func namedPath(noun, text string) string {
	namespace, name, ok := strings.Cut(text, "/")
	if !ok {
		namespace, name = "default", text
	}
	return "/" + noun + "/" + url.PathEscape(namespace) + "/" + url.PathEscape(name)
}

func (s *state) scorecardList() *cobra.Command {
	var team *string
	c := listing(s, "list", "Scorecards and how many are at which level", cobra.NoArgs, whole, func([]string) (list[client.Scorecard], error) {
		return list[client.Scorecard]{
			path: "/scorecards", query: url.Values{"team": {*team}}, head: "SCORECARD\tTITLE\tSPACE\tENTITIES\tLEVELS",
			row: func(x client.Scorecard) []any {
				return []any{x.Namespace + "/" + x.Name, x.Title, x.Space, x.Entities, levelCounts(x)}
			},
			noun: "scorecards", next: "apply a document of the kind Scorecard",
		}, nil
	})
	team = teamFlag(c)
	return c
}

// cutNote is said of a team with more groups below it than are counted.
const cutNote = "not all: there are more groups below the team than are looked at"

func levelCounts(x client.Scorecard) string {
	parts := make([]string, 0, len(x.Levels)+1)
	for i := len(x.Levels) - 1; i >= 0; i-- {
		parts = append(parts, fmt.Sprintf("%s %d", x.Levels[i].Name, x.Levels[i].Entities))
	}
	return strings.Join(append(parts, fmt.Sprintf("none %d", x.None)), ", ")
}

func (s *state) scorecardShow() *cobra.Command {
	var team *string
	c := s.verb("show [NAMESPACE/]NAME", "A scorecard: its rules, and how many fail each", cobra.ExactArgs(1), func(c *cobra.Command, api *client.Client, args []string) error {
		x, err := client.Get[client.Scorecard](c.Context(), api, namedPath("scorecards", args[0]), url.Values{"team": {*team}})
		if err != nil {
			return err
		}
		return s.show(c, x, func(w io.Writer) {
			fmt.Fprintf(w, "title\t%s\nowner\t%s\nentities\t%d\nlevels\t%s\n", dash(x.Title), dash(x.Owner), x.Entities, levelCounts(x))
			if x.Judging {
				fmt.Fprint(w, "judging\tnot everything is judged by what it says now\n")
			}
			if x.Error != "" {
				fmt.Fprintf(w, "error\t%s\n", x.Error)
			}
			if x.Cut {
				fmt.Fprintf(w, "counted\t%s\n", cutNote)
			}
			for _, r := range x.Rules {
				fmt.Fprintf(w, "rule\t%s\t%s\t%s\t%d fail\n", r.ID, r.Level, dash(r.Title), r.Failing)
			}
		})
	})
	team = teamFlag(c)
	return c
}

func (s *state) scorecardEntities() *cobra.Command {
	var level, failing string
	var team *string
	c := listing(s, "entities [NAMESPACE/]NAME", "What a scorecard says of entities", cobra.ExactArgs(1), whole, func(args []string) (list[client.ScorecardResult], error) {
		return list[client.ScorecardResult]{
			path: namedPath("scorecards", args[0]) + "/entities", query: url.Values{"level": {level}, "failing": {failing}, "team": {*team}}, head: "ENTITY\tOWNER\tLEVEL\tFAILS",
			row: func(r client.ScorecardResult) []any {
				return []any{r.Entity, r.Owner, cmp.Or(r.Level, "none"), strings.Join(r.Failed, " ")}
			},
			noun: "entities that are judged so",
		}, nil
	})
	c.Flags().StringVar(&level, "level", "", "only what is at this `level`; none is what has no level")
	c.Flags().StringVar(&failing, "failing", "", "only what fails this `rule`")
	team = teamFlag(c)
	return c
}

func (s *state) scorecardTeams() *cobra.Command {
	return listing(s, "teams [NAMESPACE/]NAME", "What a scorecard says by owner, with nested groups", cobra.ExactArgs(1), whole, func(args []string) (list[client.ScorecardTeam], error) {
		return list[client.ScorecardTeam]{
			path: namedPath("scorecards", args[0]) + "/teams", head: "OWNER\tOWN\tWITH GROUPS BELOW\tLEVELS",
			row: func(t client.ScorecardTeam) []any {
				var parts []string
				for _, level := range slices.Sorted(maps.Keys(t.Levels)) {
					parts = append(parts, fmt.Sprintf("%s %d", level, t.Levels[level]))
				}
				return []any{t.Owner, t.Own, t.Entities, strings.Join(parts, ", ")}
			},
			noun: "owners of what it judges",
		}, nil
	})
}

func (s *state) scorecardTrend() *cobra.Command {
	var team *string
	var days int
	c := s.verb("trend [NAMESPACE/]NAME", "How many were at which level, day by day", cobra.ExactArgs(1), func(c *cobra.Command, api *client.Client, args []string) error {
		at := namedPath("scorecards", args[0])
		x, err := client.Get[client.Scorecard](c.Context(), api, at, url.Values{"team": {*team}})
		if err != nil {
			return err
		}
		all, err := client.Get[client.List[client.ScorecardDay]](c.Context(), api, at+"/trend", url.Values{"team": {*team}, "days": {strconv.Itoa(days)}})
		if err != nil {
			return err
		}
		if x.Cut {
			fmt.Fprintln(c.ErrOrStderr(), cutNote)
		}
		return s.show(c, all.Items, func(w io.Writer) { writeTrend(w, x, all.Items) })
	})
	c.Long = "Tells for each day of which there are counts how many were judged, how many were at\neach level, the highest first, and which rules failed how often. Days are those of UTC." + exitHelp
	c.Example = "  roadbed scorecard trend production --days 30\n  roadbed scorecard trend production --team payments"
	c.Flags().IntVar(&days, "days", 90, "how `many` days, to today; at most 400")
	team = teamFlag(c)
	return c
}

func writeTrend(w io.Writer, x client.Scorecard, days []client.ScorecardDay) {
	levels := []string{"none"}
	for _, l := range x.Levels {
		levels = append(levels, l.Name)
	}
	slices.Reverse(levels)
	fmt.Fprintf(w, "DAY\tENTITIES\t%s\tFAILS\n", strings.ToUpper(strings.Join(levels, "\t")))
	for _, d := range days {
		row := []any{d.Day, d.Entities}
		for _, l := range levels {
			row = append(row, d.Levels[l])
		}
		var fails []string
		for _, rule := range slices.Sorted(maps.Keys(d.Failing)) {
			fails = append(fails, fmt.Sprintf("%s %d", rule, d.Failing[rule]))
		}
		fmt.Fprintln(w, cells(append(row, strings.Join(fails, ", "))))
	}
}

func (s *state) scorecardHistory() *cobra.Command {
	var card string
	c := listing(s, "history [KIND] NAME", "How an entity was judged, the newest first", cobra.RangeArgs(1, 2), newest, func(args []string) (list[client.ScorecardChange], error) {
		at, err := entityPath(args)
		return list[client.ScorecardChange]{
			path: at + "/scorecards/history", query: url.Values{"scorecard": {card}}, head: "WHEN\tSCORECARD\tLEVEL\tFAILS",
			row: func(x client.ScorecardChange) []any {
				level := cmp.Or(x.Level, "none")
				if x.Gone {
					level = "not judged"
				}
				return []any{ago(x.Time), x.Scorecard, level, strings.Join(x.Failed, " ")}
			},
			noun: "changes of what scorecards say of it", next: "`roadbed scorecard list` tells which there are",
		}, err
	})
	c.Flags().StringVar(&card, "scorecard", "", "only what this `scorecard` said, [NAMESPACE/]NAME")
	c.Example = "  roadbed scorecard history shop\n  roadbed scorecard history api orders --scorecard production"
	return c
}

func (s *state) scorecardEntity() *cobra.Command {
	c := s.verb("entity [KIND] NAME", "What all scorecards say of an entity, and what to do for the next level", cobra.RangeArgs(1, 2), func(c *cobra.Command, api *client.Client, args []string) error {
		at, err := entityPath(args)
		if err != nil {
			return err
		}
		all, err := client.Get[client.List[client.Standing]](c.Context(), api, at+"/scorecards", url.Values{"limit": {"200"}})
		if err != nil {
			return err
		}
		return s.show(c, all.Items, func(w io.Writer) {
			if len(all.Items) == 0 {
				fmt.Fprintln(w, "No scorecard judges it.")
			}
			for _, x := range all.Items {
				writeStanding(w, x)
			}
		})
	})
	c.Long = "Tells the level that each scorecard gives an entity, and of the rules that it does\nnot pass those of the next level, with what to do." + exitHelp
	return c
}

func writeStanding(w io.Writer, x client.Standing) {
	fmt.Fprintf(w, "%s\t%s\t%d of %d rules pass\n", cmp.Or(x.Title, x.Name), cmp.Or(x.Level, "none"), x.Passed, len(x.Rules))
	for _, r := range x.Rules {
		if r.Passed || r.Level != x.Next {
			continue
		}
		fmt.Fprintf(w, "  for %s\t%s\t%s\n", x.Next, cmp.Or(r.Title, r.ID), dash(strings.Join(strings.Fields(cmp.Or(r.Error, r.Remedy)), " ")))
	}
}

func (s *state) scorecardPreview() *cobra.Command {
	var file, entity, space string
	c := s.verb("preview -f FILE [--entity REF]", "What a scorecard would say that is not applied", cobra.NoArgs, func(c *cobra.Command, api *client.Client, _ []string) error {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		p, err := client.Post[client.ScorecardPreview](c.Context(), api, "/scorecards/preview", map[string]string{"document": string(text), "entity": entity, "space": space})
		if err != nil {
			return err
		}
		return s.show(c, p, func(w io.Writer) { writePreview(w, p, entity != "") })
	})
	c.Long = "Judges a sample of what the scorecard would choose, or one entity, and keeps nothing.\nIts rules see what you may see." + exitHelp
	c.Flags().StringVarP(&file, "file", "f", "", "the `file` of a Scorecard")
	c.Flags().StringVar(&entity, "entity", "", "judge this `entity` alone")
	c.Flags().StringVar(&space, "space", "", "the `space` in which it would be")
	_ = c.MarkFlagRequired("file") // the flag is there
	return c
}

func writePreview(w io.Writer, p client.ScorecardPreview, one bool) {
	if one && !p.Chosen {
		fmt.Fprintln(w, "The scorecard is not for this entity; if it were:")
	}
	fmt.Fprintln(w, "ENTITY\tLEVEL\tFAILS")
	for _, r := range p.Results {
		fails := make([]string, len(r.Failed))
		for i, rule := range r.Failed {
			if fails[i] = rule; r.Errors[rule] != "" {
				fails[i] += " (" + r.Errors[rule] + ")"
			}
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", r.Entity, cmp.Or(r.Level, "none"), dash(strings.Join(fails, " ")))
	}
	if !one && !p.Whole {
		fmt.Fprintln(w, "… a sample of "+strconv.Itoa(p.Entities))
	}
}

func (s *state) radars() *cobra.Command {
	return group("radar", "Which technologies the company takes up, tries and leaves", s.radarList(), s.radarShow())
}

func (s *state) radarList() *cobra.Command {
	return listing(s, "list", "Technology radars", cobra.NoArgs, whole, func([]string) (list[client.Radar], error) {
		return list[client.Radar]{
			path: "/radars", head: "RADAR\tTITLE\tENTRIES", row: func(r client.Radar) []any { return []any{r.Namespace + "/" + r.Name, r.Title, len(r.Entries)} },
			noun: "radars", next: "apply a document of the kind TechRadar",
		}, nil
	})
}

func (s *state) radarShow() *cobra.Command {
	return s.verb("show [NAMESPACE/]NAME", "A technology radar, and how many use each entry", cobra.ExactArgs(1), func(c *cobra.Command, api *client.Client, args []string) error {
		r, err := client.Get[client.Radar](c.Context(), api, namedPath("radars", args[0]), nil)
		if err != nil {
			return err
		}
		return s.show(c, r, func(w io.Writer) {
			fmt.Fprintln(w, "QUADRANT\tRING\tENTRY\tMOVED\tUSED BY")
			for _, q := range r.Quadrants {
				for _, ring := range r.Rings {
					for _, e := range r.Entries {
						if e.Quadrant == q.ID && e.Ring == ring.ID {
							fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", cmp.Or(q.Title, q.ID), cmp.Or(ring.Title, ring.ID), cmp.Or(e.Title, e.ID), dash(e.Moved), used(e))
						}
					}
				}
			}
		})
	})
}

func used(e client.RadarEntry) string {
	if e.Tag == "" {
		return "-"
	}
	return strconv.Itoa(e.Users)
}
