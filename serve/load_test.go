package serve

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	goruntime "runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lladakit/internal/tiny"
	"lladakit/internal/tokenizer"
	"lladakit/runtime"
)

var (
	loadClients  = flag.Int("load.clients", 50, "clients at a time of TestLoad")
	loadRequests = flag.Int("load.requests", 0, "requests of each; 0: 4, or 12 with LLADA_TEST_FULL")
	loadSeed     = flag.Uint64("load.seed", 1, "what TestLoad's clients do")
)

// A known question has the answer that the model gives when it is asked alone.
type known struct {
	body   map[string]any // of the request, without stream
	text   string
	finish string
}

// knowns returns problems with settings of several kinds, and their answers by the
// runtime alone.
func knowns(t *testing.T, m *runtime.Model) []known {
	words, err := tiny.WordProblems()
	require.NoError(t, err)
	codes, err := tiny.CodeProblems()
	require.NoError(t, err)
	var all []known
	for i := range 12 {
		user := words[i].User()
		if i%2 == 1 {
			user = codes[i].User()
		}
		opt := m.Defaults()
		opt.GenLength = []int{96, 48, 128}[i%3]
		body := map[string]any{
			"model": "tiny", "max_tokens": opt.GenLength,
			"messages": []map[string]string{{"role": "user", "content": user}},
		}
		switch i % 4 {
		case 1:
			opt.Threshold = 0.6
			body["threshold"] = 0.6
		case 2:
			opt.Temperature, opt.Seed = 0.7, uint64(i)
			body["temperature"], body["seed"] = 0.7, i
		case 3:
			opt.Steps = 8
			body["steps"] = 8
		}
		ids, err := m.Tokenizer.EncodeChat([]tokenizer.Message{{Role: "user", Content: user}})
		require.NoError(t, err)
		result, err := m.Generate(t.Context(), ids, opt)
		require.NoError(t, err)
		q := known{body: body, text: m.Text(result.IDs), finish: "length"}
		if result.Finish == "eos" || len(m.Turn(result.IDs)) < len(result.IDs) {
			q.finish = "stop"
		}
		all = append(all, q)
	}
	return all
}

// TestLoad has many clients at once, most of which misbehave: whoever gets an answer gets
// the right one, and when they are gone nothing is left of them.
//
//	go test ./serve -run TestLoad -v -load.clients 50 -load.requests 12
func TestLoad(t *testing.T) {
	requests := *loadRequests
	if requests == 0 {
		requests = 4
		if os.Getenv("LLADA_TEST_FULL") != "" {
			requests = 12
		}
	}
	m := loadTiny(t)
	asked := knowns(t, m)
	engine := NewEngine(m, EngineOptions{Batch: 8, Queue: 24})
	server := httptest.NewServer(NewServer(engine, Options{Name: "tiny", MaxBody: 64 << 10, Deadline: time.Minute}))
	defer server.Close()

	round := func(seed uint64, requests int) *tally {
		sum := newTally()
		var all sync.WaitGroup
		for i := range *loadClients {
			all.Go(func() {
				c := client{
					address: server.Listener.Addr().String(), questions: asked, tally: sum,
					random: rand.New(rand.NewPCG(seed, uint64(i))),
				}
				c.http.Transport = &http.Transport{DisableKeepAlives: i%2 == 0}
				defer c.http.CloseIdleConnections()
				for range requests {
					c.ask(t.Context())
				}
			})
		}
		all.Wait()
		require.Empty(t, sum.wrong)
		return sum
	}
	idle := func() bool { s := engine.Stats(); return s.Waiting == 0 && s.Running == 0 }

	round(*loadSeed+1, 1) // makes what is kept: buffers, pools
	require.Eventually(t, idle, time.Minute, time.Millisecond)
	goroutines, heap := held()

	start := time.Now()
	before := engine.Stats()
	sum := round(*loadSeed, requests)
	took := time.Since(start)
	require.Eventually(t, idle, time.Minute, time.Millisecond)

	for name := range behaviours {
		if requests >= 12 {
			assert.NotZero(t, sum.count[name], "no client was %s", name)
		}
	}
	n, bytes := held()
	for deadline := time.Now().Add(time.Minute); n > goroutines && time.Now().Before(deadline); n, bytes = held() {
		time.Sleep(10 * time.Millisecond) // connections end one after the other
	}
	assert.LessOrEqual(t, n, goroutines, "goroutines are left")
	assert.Less(t, bytes, heap+8<<20, "memory is left")
	t.Logf("\n%s", sum.report(took, before, engine.Stats()))
	t.Logf("goroutines %d before, %d after; heap %.1f MiB before, %.1f MiB after", goroutines, n, float64(heap)/(1<<20), float64(bytes)/(1<<20))

	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	require.NoError(t, engine.Close(ctx))
}

// held returns the goroutines there are and the bytes in use.
func held() (goroutines int, bytes uint64) {
	var mem goruntime.MemStats
	goruntime.GC()
	goruntime.GC() // what pools held until the first
	goruntime.ReadMemStats(&mem)
	return goruntime.NumGoroutine(), mem.HeapAlloc
}

// tally is what the clients saw.
type tally struct {
	sync.Mutex
	count  map[string]int // of requests, by behaviour
	busy   int            // refusals with 429
	whole  []time.Duration
	first  []time.Duration // to the first text of streams
	tokens int
	wrong  []string
}

func newTally() *tally { return &tally{count: map[string]int{}} }

func (s *tally) fail(format string, args ...any) {
	s.Lock()
	defer s.Unlock()
	if len(s.wrong) < 20 {
		s.wrong = append(s.wrong, fmt.Sprintf(format, args...))
	}
}

// report is Markdown for docs/serving.md.
func (s *tally) report(took time.Duration, before, after EngineStats) string {
	var b strings.Builder
	names := make([]string, 0, len(s.count))
	total := 0
	for name, n := range s.count {
		names, total = append(names, name), total+n
	}
	slices.Sort(names)
	for i, name := range names {
		names[i] = fmt.Sprintf("%d %s", s.count[name], name)
	}
	passes := after.Passes - before.Passes
	fmt.Fprintf(&b, "%d requests in %.1f s: %s; %d refusals with 429\n\n", total, took.Seconds(), strings.Join(names, ", "), s.busy)
	fmt.Fprintf(&b, "| | p50 | p90 | p99 | most |\n|:--|--:|--:|--:|--:|\n")
	for _, row := range []struct {
		name  string
		times []time.Duration
	}{{"whole answer, ms", s.whole}, {"first text of a stream, ms", s.first}} {
		slices.Sort(row.times)
		fmt.Fprintf(&b, "| %s |", row.name)
		for _, p := range []float64{0.5, 0.9, 0.99, 1} {
			at := 0.0
			if n := len(row.times); n > 0 {
				at = float64(row.times[min(n-1, int(p*float64(n)))]) / 1e6
			}
			fmt.Fprintf(&b, " %.0f |", at)
		}
		fmt.Fprintln(&b)
	}
	fmt.Fprintf(&b, "\n%.0f tokens/s of answers that were wanted to their end; %.1f sequences a pass",
		float64(s.tokens)/took.Seconds(), float64(after.Sequences-before.Sequences)/float64(max(1, passes)))
	return b.String()
}

// chunk is one event of a stream, and with Message a whole answer.
type chunk struct {
	Choices []struct {
		Delta, Message struct{ Content string }
		FinishReason   string `json:"finish_reason"`
	}
	Usage *struct {
		CompletionTokens int `json:"completion_tokens"`
	}
	Error *struct{ Message, Type string }
}

func parseChunk(data []byte) (c chunk, err error) {
	err = json.Unmarshal(data, &c)
	return c, err
}
