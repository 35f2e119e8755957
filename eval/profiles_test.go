package eval_test

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"lladakit/internal/gguf"
	"lladakit/internal/tokenizer"
	"lladakit/runtime"
)

// The table of runtime/README.md is what
//
//	go test ./eval -run TestProfiles -profiles-table -v -timeout 2h
//
// prints. The settings take turns at every problem, so that a change of the machine's
// speed meets all of them.
var profilesTable = flag.Bool("profiles-table", false, "measure all rows of runtime/README.md")

// profile is a row of the table.
type profile struct {
	name   string
	change func(o *runtime.Options)

	right, tokens, passes, denoise, same int
	agree                                float64
	took                                 time.Duration
}

func profiles() []*profile {
	return []*profile{
		{name: "`exact`", change: func(*runtime.Options) {}},
		{name: "delayed 4", change: func(o *runtime.Options) { o.Delayed = 4 }},
		{name: "coreset 8", change: func(o *runtime.Options) { o.Coreset.Size = 8 }},
		{name: "threshold 0.85", change: func(o *runtime.Options) { o.Threshold = 0.85 }},
	}
}

// TestProfiles measures ways of decoding on the held-out problems.
func TestProfiles(t *testing.T) {
	if !*profilesTable {
		t.Skip("takes long; set -profiles-table")
	}
	m := load(t, plain(gguf.BF16))
	words, codes := heldOut(t)
	type problem struct{ user, right string }
	var problems []problem
	for _, p := range words {
		problems = append(problems, problem{p.User(), `\boxed{` + p.Result() + `}`})
	}
	for _, p := range codes {
		problems = append(problems, problem{p.User(), strings.TrimSpace(p.CanonicalSolution)})
	}
	rows := profiles()
	for _, p := range problems {
		ids, err := m.Tokenizer.EncodeChat([]tokenizer.Message{{Role: "user", Content: p.user}})
		require.NoError(t, err)
		var exact []int32
		for _, row := range rows {
			o := settings(m)
			row.change(&o)
			start := time.Now()
			r, err := m.Generate(t.Context(), ids, o)
			require.NoError(t, err)
			row.took += time.Since(start)
			if exact == nil {
				exact = r.IDs
			}
			row.tokens += len(r.IDs)
			row.denoise += r.Forwards.Denoise
			row.passes += r.Forwards.Passes() - r.Forwards.Prefill
			row.agree += agreement(exact, r.IDs)
			if slices.Equal(exact, r.IDs) {
				row.same++
			}
			if strings.Contains(m.Text(r.IDs), p.right) {
				row.right++
			}
		}
	}
	fmt.Fprintln(os.Stdout, "| decoding | tokens per forward | tokens/s | speed | right | same answer | same tokens |\n|---|---|---|---|---|---|---|")
	for _, r := range rows {
		n := float64(len(problems))
		speed := float64(r.tokens) / r.took.Seconds()
		fmt.Printf("| %s | %.2f | %.0f | %.2f × | %d / %d | %.1f %% | %.1f %% |\n", r.name, float64(r.tokens)/float64(r.denoise), speed,
			rows[0].took.Seconds()/r.took.Seconds(), r.right, len(problems), 100*float64(r.same)/n, 100*r.agree/n)
	}
}

// agreement returns the share of positions at which two answers have the same token.
func agreement(a, b []int32) float64 {
	n := max(len(a), len(b))
	if n == 0 {
		return 1
	}
	same := 0
	for i := range min(len(a), len(b)) {
		if a[i] == b[i] {
			same++
		}
	}
	return float64(same) / float64(n)
}
