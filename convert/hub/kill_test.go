package hub

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// killed makes the test binary a pull that may end itself.
const killed = "LLADA_TEST_HUB_PULL"

// failed is the exit code of one that ended with an error; no system has it for a kill.
const failed = 9

// child is what such a pull does.
type child struct {
	Endpoint, Folder string
	Steps            int64 // it kills itself after so many; 0 for never
}

func TestMain(m *testing.M) {
	if text := os.Getenv(killed); text != "" {
		os.Exit(pullAndDie(text))
	}
	os.Exit(m.Run())
}

func pullAndDie(text string) int {
	var c child
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return failed
	}
	opt := Options{Repo: testRepo, Folder: c.Folder, Endpoint: c.Endpoint, Token: testToken, chunk: testChunk, wait: 1}
	var steps atomic.Int64
	opt.step = func(string) {
		if steps.Add(1) == c.Steps {
			self, err := os.FindProcess(os.Getpid())
			if err == nil {
				self.Kill()
			}
			select {} // until it arrives
		}
	}
	if _, err := Pull(context.Background(), opt); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return failed
	}
	return 0
}

// TestKill kills pulls at random points: some between two things that they do to the disk,
// some wherever they are when so many bytes have gone to them. What has a final name is right
// at every time, and in the end all is.
func TestKill(t *testing.T) {
	kills := 5
	if os.Getenv("LLADA_TEST_FULL") != "" {
		kills = 50
	}
	r := rand.New(rand.NewPCG(9, 50))
	h := newHub(t)
	var left atomic.Int64 // bytes until the pull is killed from here
	var kill atomic.Pointer[func()]
	h.answers = []answer{func(h *fakeHub, w http.ResponseWriter, r *http.Request, data []byte) {
		whole(h, &counted{w, &left, &kill}, r, data)
	}}
	dir := t.TempDir()
	pull := func(c child) *exec.Cmd {
		text, err := json.Marshal(c)
		require.NoError(t, err)
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), killed+"="+string(text))
		cmd.Stderr = os.Stderr
		return cmd
	}
	c := child{Endpoint: h.endpoint.URL, Folder: dir}
	total := len(h.files[large])
	done, completed := 0, 0
	for round := 0; done < kills; round++ {
		require.Less(t, round, 5*kills, "pulls end before they are killed")
		c.Steps = 0
		cmd := pull(c)
		if round%2 == 0 {
			c.Steps = 1 + r.Int64N(12)
			cmd = pull(c)
		}
		require.NoError(t, cmd.Start())
		if c.Steps == 0 {
			end := func() { cmd.Process.Kill() }
			kill.Store(&end)
			left.Store(1 + r.Int64N(int64(total)/4))
		}
		err := cmd.Wait()
		kill.Store(nil)
		h.sound(dir)
		if err != nil {
			require.NotEqual(t, failed, cmd.ProcessState.ExitCode(), "it failed before it was killed")
			done++
			continue
		}
		completed++
		require.NoError(t, os.RemoveAll(dir))
	}
	t.Logf("%d kills, %d pulls that were complete between them", done, completed)
	require.NoError(t, pull(child{Endpoint: h.endpoint.URL, Folder: dir}).Run())
	result, err := Pull(t.Context(), h.options(dir))
	require.NoError(t, err)
	h.pulled(dir, result)
	assert.Empty(t, states(result))
}

// TestProxy: requests go where the environment says, which is read once a process, and without
// a token where no TLS protects it.
func TestProxy(t *testing.T) {
	var asked []string
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.Host+" "+r.Header.Get("Authorization"))
		w.WriteHeader(http.StatusNotFound)
	}))
	defer proxy.Close()
	text, err := json.Marshal(child{Endpoint: "http://hub.example", Folder: t.TempDir()})
	require.NoError(t, err)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), killed+"="+string(text), "HTTP_PROXY="+proxy.URL, "http_proxy="+proxy.URL, "NO_PROXY=", "no_proxy=")
	out, err := cmd.CombinedOutput()
	require.Error(t, err)
	assert.Contains(t, string(out), "needs a token: set HF_TOKEN")
	assert.Equal(t, []string{"hub.example "}, asked)
}

// counted counts what is written to a pull, and kills it when that is enough.
type counted struct {
	http.ResponseWriter
	left *atomic.Int64
	kill *atomic.Pointer[func()]
}

func (c *counted) Write(p []byte) (int, error) {
	var all int
	for len(p) > 0 {
		n, err := c.ResponseWriter.Write(p[:min(len(p), 4<<10)])
		all += n
		if err != nil {
			return all, err
		}
		p = p[n:]
		if end := c.kill.Load(); end != nil && c.left.Add(-int64(n)) <= 0 {
			c.ResponseWriter.(http.Flusher).Flush()
			(*end)()
		}
	}
	return all, nil
}
