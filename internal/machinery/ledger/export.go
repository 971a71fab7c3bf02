package ledger

import (
	"bufio"
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// exported is an entry on its line of an export, with all that its hash stands for.
type exported struct {
	Position int64           `json:"position"`
	ID       string          `json:"id"`
	Time     time.Time       `json:"time"`
	Actor    string          `json:"actor"`
	Space    string          `json:"space,omitempty"`
	Type     string          `json:"type"`
	Subject  string          `json:"subject,omitempty"`
	Refs     []string        `json:"refs,omitempty"`
	Run      string          `json:"run,omitempty"`
	Cause    string          `json:"cause,omitempty"`
	Data     json.RawMessage `json:"data,omitempty"`
	Previous string          `json:"previous,omitempty"`
	Hash     string          `json:"hash"`
}

// maxLine bounds the line of an entry, in bytes: its data and refs are bounded, and each of their bytes takes six at most.
const maxLine = 4 << 20

func (e Entry) line() ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false) // the bytes of the data are what the hash stands for
	err := encoder.Encode(exported{
		e.Position, e.ID, e.Time.UTC(), e.Actor, e.Space, e.Type, e.Subject, e.Refs, e.Run, e.Cause, e.Data,
		hex.EncodeToString(e.Previous), hex.EncodeToString(e.Hash),
	})
	return b.Bytes(), err
}

func fromLine(line []byte) (e Entry, err error) {
	var x exported
	if err := json.Unmarshal(line, &x); err != nil {
		return e, err
	}
	e = Entry{
		Position: x.Position, ID: x.ID, Time: x.Time, Actor: x.Actor, Space: x.Space, Type: x.Type, Subject: x.Subject,
		Refs: x.Refs, Run: x.Run, Cause: x.Cause, Data: x.Data,
	}
	if e.Previous, err = hex.DecodeString(x.Previous); err != nil {
		return e, err
	}
	e.Hash, err = hex.DecodeString(x.Hash)
	return e, err
}

// Export writes the sealed entries in their order, each as JSON on a line of its own, for VerifyExport. It checks
// nothing, so that a ledger that is broken can be exported too. The report has the last entry as the head.
func Export(ctx context.Context, db *store.DB, to io.Writer) (report Report, err error) {
	out := bufio.NewWriter(to)
	for {
		var entries []Entry
		err := db.Read(ctx, func(tx *store.Tx) error {
			rows, err := tx.Query(ctx, `SELECT `+columns+` FROM ledger_entries e WHERE e.position > $1 ORDER BY e.position LIMIT $2`, report.Head, maxLimit)
			entries, err = store.Collect(rows, err, scan)
			return err
		})
		if err != nil {
			return report, fault.Wrap(err, "export the ledger after %d", report.Head)
		}
		for _, e := range entries {
			line, err := e.line()
			if err != nil {
				return report, fault.Wrap(err, "export entry %d", e.Position)
			}
			if _, err := out.Write(line); err != nil {
				return report, fault.Errorf(fault.Unavailable, "write the export: %w", err)
			}
			report.Entries, report.Head, report.HeadHash = report.Entries+1, e.Position, e.Hash
		}
		if len(entries) < maxLimit {
			break
		}
	}
	if err := out.Flush(); err != nil {
		return report, fault.Errorf(fault.Unavailable, "write the export: %w", err)
	}
	return report, nil
}

// VerifyExport checks the chain of an export, and that its lines are as they were written: what a reader of the text
// would see and the hash does not stand for is found too. That entries are missing at the end shows only when the head
// is compared with one that was noted elsewhere. Only an export that can't be read is an error.
func VerifyExport(from io.Reader) (report Report, err error) {
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		e, err := fromLine(lines.Bytes())
		var why string
		if err != nil {
			why = fmt.Sprintf("it can't be read: %s", err)
		} else if why = wrong(e, report.Head+1, report.HeadHash); why == "" {
			if line, err := e.line(); err != nil || !bytes.Equal(bytes.TrimSuffix(line, []byte("\n")), lines.Bytes()) {
				why = "its line is not as it was written"
			}
		}
		if why != "" {
			report.Broken = &Break{report.Head + 1, why}
			return report, nil
		}
		report.Entries, report.Head, report.HeadHash = report.Entries+1, e.Position, e.Hash
	}
	if err := lines.Err(); err != nil {
		return report, fault.Errorf(fault.Invalid, "read the export after entry %d: %w", report.Head, err)
	}
	return report, nil
}
