package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// person is who sits at the terminal, and is asked there.
type person struct {
	c  *cobra.Command
	in *bufio.Reader
}

func asked(c *cobra.Command) person { return person{c, bufio.NewReader(c.InOrStdin())} }

func isTerminal() bool { return term.IsTerminal(int(os.Stdin.Fd())) }

// say asks for one line. What is hidden is not shown while a person types it. Who stops the verb need not answer first.
func (p person) say(label string, hidden bool) (string, error) {
	fmt.Fprintf(p.c.ErrOrStderr(), "%s: ", label)
	terminal := int(os.Stdin.Fd())
	before, err := term.GetState(terminal)
	hidden = hidden && err == nil && p.c.InOrStdin() == os.Stdin
	type answer struct {
		text string
		err  error
	}
	answers := make(chan answer, 1)
	go func() {
		if hidden {
			text, err := term.ReadPassword(terminal)
			answers <- answer{string(text), err}
			return
		}
		text, err := p.in.ReadString('\n')
		if errors.Is(err, io.EOF) && text != "" {
			err = nil
		}
		answers <- answer{strings.TrimSpace(text), err}
	}()
	select {
	case a := <-answers:
		if hidden {
			fmt.Fprintln(p.c.ErrOrStderr())
		}
		return a.text, a.err
	case <-p.c.Context().Done():
		if hidden {
			_ = term.Restore(terminal, before) // the verb ends, and tells why
		}
		fmt.Fprintln(p.c.ErrOrStderr())
		return "", p.c.Context().Err()
	}
}
