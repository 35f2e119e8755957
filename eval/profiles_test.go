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

// profilesProblems leaves some of the 300 problems out.
var profilesProblems = flag.Int("profiles-problems", 300, "how many problems TestProfiles asks")

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
		{name: "factor, delayed 4", change: func(o *runtime.Options) { o.Policy.Name, o.Delayed = runtime.PolicyFactor, 4 }},
		{name: "factor, delayed 8", change: func(o *runtime.Options) { o.Policy.Name, o.Delayed = runtime.PolicyFactor, 8 }},
		{name: "factor 2, delayed 8", change: func(o *runtime.Options) {
			o.Policy, o.Delayed = runtime.PolicyOptions{Name: runtime.PolicyFactor, Factor: 2}, 8
		}},
		{name: "factor 3, delayed 8", change: func(o *runtime.Options) {
			o.Policy, o.Delayed = runtime.PolicyOptions{Name: runtime.PolicyFactor, Factor: 3}, 8
		}},
		{name: "entropy 0.3, delayed 8", change: func(o *runtime.Options) {
			o.Policy, o.Delayed = runtime.PolicyOptions{Name: runtime.PolicyEntropyBound, EntropyBound: 0.3}, 8
		}},
		{name: "entropy 0.5, delayed 8", change: func(o *runtime.Options) {
			o.Policy, o.Delayed = runtime.PolicyOptions{Name: runtime.PolicyEntropyBound, EntropyBound: 0.5}, 8
		}},
		{name: "entropy 1, delayed 8", change: func(o *runtime.Options) {
			o.Policy, o.Delayed = runtime.PolicyOptions{Name: runtime.PolicyEntropyBound, EntropyBound: 1}, 8
		}},
		{name: "entropy 1, delayed 8, coreset 8", change: func(o *runtime.Options) {
			o.Policy, o.Delayed, o.Coreset.Size = runtime.PolicyOptions{Name: runtime.PolicyEntropyBound, EntropyBound: 1}, 8, 8
		}},
		{name: "entropy 2, delayed 8", change: func(o *runtime.Options) {
			o.Policy, o.Delayed = runtime.PolicyOptions{Name: runtime.PolicyEntropyBound, EntropyBound: 2}, 8
		}},
		{name: "hierarchical 0.6, threshold 0.85, delayed 8", change: func(o *runtime.Options) {
			o.Policy, o.Threshold, o.Delayed = runtime.PolicyOptions{Name: runtime.PolicyHierarchical, LowThreshold: 0.6}, 0.85, 8
		}},
		{name: "hierarchical 0.4, threshold 0.8, delayed 8", change: func(o *runtime.Options) {
			o.Policy, o.Threshold, o.Delayed = runtime.PolicyOptions{Name: runtime.PolicyHierarchical, LowThreshold: 0.4}, 0.8, 8
		}},
		{name: "hierarchical 0.2, threshold 0.7, delayed 8", change: func(o *runtime.Options) {
			o.Policy, o.Threshold, o.Delayed = runtime.PolicyOptions{Name: runtime.PolicyHierarchical, LowThreshold: 0.2}, 0.7, 8
		}},
		{name: "threshold 0.7, delayed 8", change: func(o *runtime.Options) { o.Threshold, o.Delayed = 0.7, 8 }},
		{name: "threshold 0.5, delayed 8", change: func(o *runtime.Options) { o.Threshold, o.Delayed = 0.5, 8 }},
		{name: "delayed 32", change: func(o *runtime.Options) { o.Delayed = 32 }},
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
	n := min(*profilesProblems, len(problems))
	for i := range n {
		p := problems[i*len(problems)/n]
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
		n := float64(n)
		speed := float64(r.tokens) / r.took.Seconds()
		fmt.Printf("| %s | %.2f | %.0f | %.2f × | %d / %d | %.1f %% | %.1f %% |\n", r.name, float64(r.tokens)/float64(r.denoise), speed,
			rows[0].took.Seconds()/r.took.Seconds(), r.right, int(n), 100*float64(r.same)/n, 100*r.agree/n)
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
