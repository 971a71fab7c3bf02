package server

import (
	"context"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// auditCommand reads the database itself, so that it needs to trust no server.
func auditCommand(string) *cobra.Command {
	audit := &cobra.Command{Use: "audit", Short: "The ledger as an audit trail, without a server"}
	audit.AddCommand(auditVerify(), auditExport())
	return audit
}

func auditVerify() *cobra.Command {
	var file string
	c := onData("verify", "Check the ledger's chain of hashes", cobra.NoArgs, func(c *cobra.Command, o Options, _ []string) error {
		r, err := verifyAudit(c, o, file)
		if err != nil {
			return err
		}
		if r.Broken != nil {
			return fault.Errorf(fault.Conflict, "the ledger is broken at position %d: %s", r.Broken.Position, r.Broken.Why)
		}
		fmt.Fprintf(c.OutOrStdout(), "the ledger is whole: %d entries, head %d %x\n", r.Entries, r.Head, r.HeadHash)
		if r.Pending > 0 {
			fmt.Fprintf(c.OutOrStdout(), "%d more wait to be sealed; a running server does that\n", r.Pending)
		}
		return nil
	})
	c.Long = `Checks the ledger's chain of hashes, in a database or in an export. Compare the head that it prints with one that you
noted before: it stands for all that came up to it.

Exit codes: 0 it is whole, 1 it could not be read, 2 wrong options, 5 it is broken.`
	c.Example = `  roadbed audit verify --data ./roadbed-data
  roadbed audit verify --file ledger.jsonl`
	c.Flags().StringVar(&file, "file", "", "`file` that audit export has written, instead of a database; - for standard input")
	return c
}

func verifyAudit(c *cobra.Command, o Options, file string) (r ledger.Report, err error) {
	switch file {
	case "":
		err = withDatabase(c.Context(), o, func(db *store.DB) error {
			r, err = ledger.Verify(c.Context(), db)
			return err
		})
		return r, err
	case "-":
		return ledger.VerifyExport(c.InOrStdin())
	}
	f, err := os.Open(file)
	if err != nil {
		return r, fault.Errorf(fault.Invalid, "open the export: %w", err)
	}
	defer f.Close()
	return ledger.VerifyExport(f)
}

func auditExport() *cobra.Command {
	c := onData("export", "Write the ledger to standard output, an entry a line", cobra.NoArgs, func(c *cobra.Command, o Options, _ []string) error {
		return withDatabase(c.Context(), o, func(db *store.DB) error {
			r, err := ledger.Export(c.Context(), db, c.OutOrStdout())
			if err == nil {
				_, err = fmt.Fprintf(c.ErrOrStderr(), "%d entries, head %d %x\n", r.Entries, r.Head, r.HeadHash)
			}
			return err
		})
	})
	c.Long = `Writes the ledger to standard output, from its first entry on, each as JSON on a line of its own, also while its server
runs. "audit verify --file" checks it anywhere, without the database. People are in it by their opaque ids.

Exit codes: 0 done, 1 failed, 2 wrong options.`
	c.Example = "  roadbed audit export --data ./roadbed-data > ledger.jsonl"
	return c
}

func withDatabase(ctx context.Context, o Options, do func(db *store.DB) error) error {
	log, err := o.Logger()
	if err != nil {
		return err
	}
	db, err := store.Open(ctx, o.Database, log)
	if err != nil {
		return err
	}
	defer db.Close()
	return do(db)
}
