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
	took, decode                         time.Duration
	batch                                *runtime.Batch
}

func profiles() []*profile {
	rows := []*profile{
		{name: "`exact`", change: func(*runtime.Options) {}},
		{name: "`balanced`", change: func(o *runtime.Options) { o.Use(runtime.Balanced) }},
		{name: "`turbo`", change: func(o *runtime.Options) { o.Use(runtime.Turbo) }},
		{name: "`--eos-early-stop`", change: func(o *runtime.Options) { o.EOSEarlyStop = true }},
		{name: "`--threshold 0.85`", change: func(o *runtime.Options) { o.Threshold = 0.85 }},
		{name: "`--delayed 4`", change: func(o *runtime.Options) { o.Delayed = 4 }},
		{name: "`--delayed 8`", change: func(o *runtime.Options) { o.Delayed = 8 }},
		{name: "`--coreset 8`", change: func(o *runtime.Options) { o.Coreset.Size = 8 }},
		{name: "`--kv-keep 0.5`", change: func(o *runtime.Options) { o.KVKeep = 0.5 }},
		{name: "`--sub-block 16`", change: func(o *runtime.Options) { o.Policy.SubBlock = 16 }},
	}
	for _, p := range runtime.Policies()[1:] {
		rows = append(rows, &profile{name: "`--policy " + p.Name + "`", change: func(o *runtime.Options) { o.Policy.Name = p.Name }})
	}
	for _, more := range []struct {
		flags  string
		policy runtime.PolicyOptions
	}{
		{"--policy factor --factor 2", runtime.PolicyOptions{Name: runtime.PolicyFactor, Factor: 2}},
		{"--policy hierarchical --low-threshold 0.2", runtime.PolicyOptions{Name: runtime.PolicyHierarchical, LowThreshold: 0.2}},
		{"--policy entropy-bound --entropy-bound 0.5", runtime.PolicyOptions{Name: runtime.PolicyEntropyBound, EntropyBound: 0.5}},
	} {
		rows = append(rows, &profile{name: "`" + more.flags + "`", change: func(o *runtime.Options) { o.Policy = more.policy }})
	}
	return rows
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
			if row.batch == nil {
				row.batch = m.NewBatch()
			}
			q, err := row.batch.Add(ids, o)
			require.NoError(t, err)
			for !q.Done() {
				_, err := row.batch.Step(t.Context())
				require.NoError(t, err)
			}
			r, err := q.Result()
			require.NoError(t, err)
			row.took += time.Since(start)
			row.decode += r.Denoise + r.Commit
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
	fmt.Fprintln(os.Stdout, "| decoding | tokens per forward | tokens/s | speed | speed without the prompt | right | same answer | same tokens |\n|---|---|---|---|---|---|---|---|")
	for _, r := range rows {
		n := float64(n)
		speed := float64(r.tokens) / r.took.Seconds()
		fmt.Printf("| %s | %.2f | %.0f | %.2f × | %.2f × | %d / %d | %.1f %% | %.1f %% |\n", r.name, float64(r.tokens)/float64(r.denoise), speed,
			rows[0].took.Seconds()/r.took.Seconds(), rows[0].decode.Seconds()/r.decode.Seconds(), r.right, int(n), 100*float64(r.same)/n, 100*r.agree/n)
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
