package blockstore

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Tests run this binary again as other processes: these variables say as what, and
// on which folder.
const (
	roleVariable = "BLOCKSTORE_TEST_ROLE"
	dirVariable  = "BLOCKSTORE_TEST_DIR"
	seedVariable = "BLOCKSTORE_TEST_SEED"
)

func TestMain(m *testing.M) {
	role, dir := os.Getenv(roleVariable), os.Getenv(dirVariable)
	seed, _ := strconv.ParseUint(os.Getenv(seedVariable), 10, 64)
	switch role {
	case "":
		os.Exit(m.Run())
	case "until killed":
		writeUntilKilled(dir, seed)
	case "share":
		if err := share(dir, seed); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
	case "read only":
		if err := readOnly(dir); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
	}
}

// start runs this binary in a role. Output ends when the process does.
func start(t testing.TB, role, dir string, seed uint64) (*exec.Cmd, io.Reader) {
	t.Helper()
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), roleVariable+"="+role, dirVariable+"="+dir, seedVariable+"="+strconv.FormatUint(seed, 10))
	out, err := c.StdoutPipe()
	require.NoError(t, err)
	c.Stderr = c.Stdout
	require.NoError(t, c.Start())
	return c, out
}

const (
	sharedTexts  = 6
	sharedBlocks = 8
)

// sharedSize is the size of a block's blob: all kinds of sizes.
func sharedSize(text, block int) int { return (text*sharedBlocks + block) * 2917 % 100_000 }

// writeUntilKilled writes blobs, in no special order and many times. It deletes what
// it wrote, so that there is always something to write.
func writeUntilKilled(dir string, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 5))
	s := Open(Options{Dir: dir})
	fmt.Println("ready")
	for {
		text := rng.IntN(sharedTexts)
		for i, k := range chain(text, sharedBlocks) {
			s.Put(k, blobOf(k, sharedSize(text, i)))
		}
		if rng.IntN(3) == 0 {
			os.Remove(s.disk.path(chain(rng.IntN(sharedTexts), sharedBlocks)[rng.IntN(sharedBlocks)]))
		}
	}
}

// TestKilled: a writer killed at any moment leaves whole blobs or none, and what it
// had not finished is cleaned up.
func TestKilled(t *testing.T) {
	dir := t.TempDir()
	rng := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 1))
	found, interrupted := 0, 0
	for round := range 25 {
		c, out := start(t, "until killed", dir, uint64(round))
		line, err := bufio.NewReader(out).ReadString('\n')
		require.NoError(t, err)
		require.Equal(t, "ready\n", line)
		time.Sleep(time.Duration(rng.IntN(30_000)) * time.Microsecond)
		require.NoError(t, c.Process.Kill())
		require.Error(t, c.Wait())
		for _, path := range files(t, dir) {
			if strings.HasSuffix(path, temporarySuffix) {
				interrupted++
			}
		}

		s := Open(Options{Dir: dir})
		for _, path := range files(t, dir) {
			require.NotContains(t, path, temporarySuffix)
		}
		require.Equal(t, bytesIn(t, dir), s.Stats().Disk)
		for text := range sharedTexts {
			for i, k := range chain(text, sharedBlocks) {
				if b, ok := s.Get(k, sharedSize(text, i)); ok {
					require.True(t, bytes.Equal(blobOf(k, sharedSize(text, i)), b))
					found++
				}
			}
		}
		require.NoError(t, s.Stats().Err)
		require.Zero(t, s.Stats().Damaged)
		s.Close()
	}
	t.Logf("%d blobs found, %d interrupted", found, interrupted)
	assert.Positive(t, found)
	assert.Positive(t, interrupted, "no process was killed while it wrote")
}

const shareLimit = 1 << 20

// share uses blobs that other processes use, too, and some of its own.
func share(dir string, seed uint64) error {
	rng := rand.New(rand.NewPCG(seed, 6))
	s := Open(Options{Dir: dir, Disk: shareLimit})
	defer s.Close()
	for range 60 {
		text := rng.IntN(sharedTexts)
		if rng.IntN(3) == 0 {
			text += sharedTexts * int(1+seed)
		}
		for i, k := range chain(text, sharedBlocks) {
			want := blobOf(k, sharedSize(text, i))
			b, ok := s.Get(k, len(want))
			if !ok {
				s.Put(k, want)
			} else if !bytes.Equal(want, b) {
				return fmt.Errorf("text %d, block %d: another blob", text, i)
			}
		}
	}
	st := s.Stats()
	if st.Err != nil || st.Damaged > 0 || st.DiskHits == 0 || st.Pruned == 0 {
		return fmt.Errorf("%+v", st)
	}
	return nil
}

// TestProcesses: several processes use a folder, and one that opens it again and
// again cleans up after none of the living.
func TestProcesses(t *testing.T) {
	dir := t.TempDir()
	const processes = 3
	largest := fileSize(100_000)
	done := make(chan error, processes)
	for i := range processes {
		c, out := start(t, "share", dir, uint64(i))
		go func() {
			text, _ := io.ReadAll(out)
			if err := c.Wait(); err != nil {
				done <- fmt.Errorf("%w: %s", err, text)
			} else {
				done <- nil
			}
		}()
	}
	for left := processes; left > 0; {
		select {
		case err := <-done:
			assert.NoError(t, err)
			left--
		case <-time.After(5 * time.Millisecond):
			Open(Options{Dir: dir}).Close()
			// Temporary files of all are in this, too.
			assert.LessOrEqual(t, bytesIn(t, dir), shareLimit+processes*(shareLimit/16+2*largest))
		}
	}
	for _, path := range files(t, dir) {
		assert.NotContains(t, path, temporarySuffix)
	}
}
