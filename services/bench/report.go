package main

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"
	"time"
)

// report of one run, also as JSON.
type report struct {
	Time        time.Time `json:"time"`
	Quick       bool      `json:"quick"`
	Machine     machine   `json:"machine"`
	LoadBefore  string    `json:"load_before"`
	LoadAfter   string    `json:"load_after"`
	AnswerBytes int       `json:"answer_bytes"`
	Rows        []row     `json:"rows"`
	Start       row       `json:"start"`
	Memory      []memory  `json:"memory"`
	BinaryBytes int64     `json:"binary_bytes"`
}

// table is a heading and rows of cells.
type table [][]string

// conditions of the run, in one line.
func (r report) conditions() string {
	m := r.Machine
	line := fmt.Sprintf("%s: %d cores (%s), %.0f GB memory, %s, %s, Postgres %s; load %s before and %s after.",
		r.Time.Format(time.DateOnly), m.Cores, m.CPU, m.MemoryGB, m.System, m.Go, m.Postgres, r.LoadBefore, r.LoadAfter)
	if r.Quick {
		line += " A quick run: the figures mean nothing."
	}
	return line
}

func (r report) calls() table {
	t := table{{"Where", "What", "Clients", "Samples", "Min ms", "Median ms", "P95 ms", "P99 ms", "Per second", "Times the floor", "Allocations"}}
	for _, x := range r.Rows {
		t = append(t, []string{
			x.Part, x.Name, fmt.Sprint(x.Clients), fmt.Sprint(x.Samples), ms(x.Min), ms(x.Median), ms(x.P95), ms(x.P99),
			fmt.Sprintf("%.0f", x.PerSecond), unlessZero("%.1f", x.Ratio), unlessZero("%.0f", x.Allocs),
		})
	}
	return t
}

func (r report) process() table {
	t := table{{"A node's process", "Figure"}}
	for _, m := range r.Memory {
		t = append(t, []string{
			"memory " + m.When, fmt.Sprintf("%.0f MB resident (%.0f MB of it its own, the rest the program's file); highest until then %.0f MB",
				m.Resident, m.Anonymous, m.Peak),
		})
	}
	return append(t,
		[]string{fmt.Sprintf("%s, median of %d", r.Start.Name, r.Start.Samples), ms(r.Start.Median) + " ms"},
		[]string{"size of the program", fmt.Sprintf("%.0f MB", float64(r.BinaryBytes)/(1<<20))},
		[]string{"size of the largest answer", fmt.Sprintf("%d bytes", r.AnswerBytes)},
	)
}

func ms(us float64) string { return fmt.Sprintf("%.2f", us/1e3) }

func unlessZero(format string, v float64) string {
	if v == 0 {
		return ""
	}
	return fmt.Sprintf(format, v)
}

// plain is the report for a terminal.
func (r report) plain() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\n", r.conditions())
	for _, t := range []table{r.calls(), r.process()} {
		w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
		for _, cells := range t {
			fmt.Fprintln(w, strings.Join(cells, "\t"))
		}
		_ = w.Flush() // into memory
		b.WriteByte('\n')
	}
	return b.String()
}

// markdown is the report for the document.
func (r report) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n", r.conditions())
	for _, t := range []table{r.calls(), r.process()} {
		b.WriteByte('\n')
		for i, cells := range t {
			fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | "))
			if i == 0 {
				fmt.Fprintf(&b, "|%s\n", strings.Repeat("---|", len(cells)))
			}
		}
	}
	return b.String()
}

// The measured part of a document lies between these lines.
const (
	beginMark = "<!-- measured: begin -->\n"
	endMark   = "<!-- measured: end -->\n"
)

// write replaces the measured part of a document.
func (r report) write(path string) error {
	old, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	fresh, err := replaced(old, r.markdown())
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return os.WriteFile(path, fresh, 0o644)
}

func replaced(document []byte, measured string) ([]byte, error) {
	before, rest, ok := bytes.Cut(document, []byte(beginMark))
	_, after, ended := bytes.Cut(rest, []byte(endMark))
	if !ok || !ended {
		return nil, fmt.Errorf("no part between %q and %q", strings.TrimSpace(beginMark), strings.TrimSpace(endMark))
	}
	return []byte(string(before) + beginMark + measured + endMark + string(after)), nil
}
