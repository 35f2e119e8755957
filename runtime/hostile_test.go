package runtime_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	goruntime "runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"lladakit/internal/gguf"
	"lladakit/internal/tokenizer"
	"lladakit/runtime"
)

// What a damaged file of a few megabytes may cost. Sound ones take a tenth of
// it.
const (
	hostileBytes = 192 << 20
	hostileTime  = 20 * time.Second
)

// place is what an error must name beside the file: the tensor, the key, or at
// least the byte.
var place = regexp.MustCompile(`(tensor|key|architecture) "|tokenizer\.|general\.|split\.|GGUF vocabulary: |metadata: |: byte \d+: ` +
	`|no (mask|end) token|mask and end token|query and key norms`)

// try loads a file and, if that works, uses the model. It returns the error of
// Load. Whatever happens, it must not panic and must stay within bounds.
func try(t *testing.T, path, what string) error {
	t.Helper()
	var before, after goruntime.MemStats
	goruntime.ReadMemStats(&before)
	start := time.Now()
	defer func() {
		if p := recover(); p != nil {
			t.Errorf("%s: %v", what, p)
			panic(p)
		}
		goruntime.ReadMemStats(&after)
		require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(hostileBytes), what)
		require.Less(t, time.Since(start), hostileTime, what)
	}()
	m, err := runtime.Load(path, runtime.LoadOptions{Threads: 2})
	if err != nil {
		require.Nil(t, m, what)
		require.ErrorContains(t, err, filepath.Base(path), what)
		require.Regexp(t, place, err.Error(), what)
		require.NotContains(t, err.Error(), "\n", what)
		require.Less(t, len(err.Error()), 600, what)
		return err
	}
	defer m.Close()
	use(t, m, what)
	return nil
}

// use does with a loaded model what the program does.
func use(t *testing.T, m *runtime.Model, what string) {
	t.Helper()
	require.NotEqual(t, m.MaskID, m.EOSID, what)
	prompt := []int32{0, 1, m.MaskID, m.EOSID, int32(m.Config.Vocab - 1)}
	if m.Tokenizer != nil {
		_ = m.Tokenizer.Encode("What is 2 + 2? Ünïcode <|mask|>")
		_, _ = m.Tokenizer.EncodeChat([]tokenizer.Message{{Role: "user", Content: "Hi"}})
	}
	rows := 0
	err := m.Logits(t.Context(), prompt, m.Config.BlockLength, func(row []float32) error {
		require.Len(t, row, m.Config.Vocab, what)
		rows++
		return nil
	})
	require.True(t, err != nil || rows == len(prompt), what)

	for _, temperature := range []float64{0, 1} {
		o := m.Defaults()
		o.GenLength, o.Temperature, o.TopK = 5, temperature, 40
		ctx, cancel := context.WithTimeout(t.Context(), hostileTime/4)
		got, err := m.Generate(ctx, prompt[:2], o)
		cancel()
		if err != nil {
			require.NotContains(t, err.Error(), "\n", what)
			continue
		}
		require.NotEqual(t, "interrupted", got.Finish, what)
		require.NoError(t, m.CheckIDs(got.IDs), what)
		_ = m.Text(got.IDs)
	}
}

// image is a file on disk that a test changes in place and puts right again.
type image struct {
	path   string
	data   []byte
	header int // bytes before the tensors' data
}

// newImage copies the file that a model was loaded from.
func newImage(t *testing.T, m *runtime.Model) *image {
	t.Helper()
	data, err := os.ReadFile(m.Paths()[0])
	require.NoError(t, err)
	f, err := gguf.Parse(data)
	require.NoError(t, err)
	last := f.Tensors[len(f.Tensors)-1]
	body := last.Offset + (last.Bytes()+f.Alignment-1)/f.Alignment*f.Alignment
	img := &image{path: filepath.Join(t.TempDir(), "damaged.gguf"), data: data, header: len(data) - int(body)}
	require.NoError(t, os.WriteFile(img.path, data, 0o666))
	return img
}

// flip inverts bits of the file, runs f, and puts them back.
func (img *image) flip(t *testing.T, bits []int, f func()) {
	t.Helper()
	file, err := os.OpenFile(img.path, os.O_RDWR, 0)
	require.NoError(t, err)
	defer file.Close()
	changed := map[int]byte{}
	for _, bit := range bits {
		if _, ok := changed[bit/8]; !ok {
			changed[bit/8] = img.data[bit/8]
		}
		changed[bit/8] ^= 1 << (bit % 8)
	}
	for at, b := range changed {
		_, err := file.WriteAt([]byte{b}, int64(at))
		require.NoError(t, err)
	}
	f()
	for at := range changed {
		_, err := file.WriteAt(img.data[at:at+1], int64(at))
		require.NoError(t, err)
	}
}

// images are a file without a vocabulary and one with.
func images(t *testing.T) map[string]*image {
	t.Helper()
	return map[string]*image{
		"narrow": newImage(t, load(t, golden(t)[0].Dir, gguf.BF16)),
		"tiny":   newImage(t, loadTiny(t, gguf.Q4_0)),
	}
}

func TestLoadFlippedBits(t *testing.T) {
	rounds := 150
	if os.Getenv(fullVariable) != "" {
		rounds = 4000
	}
	for name, img := range images(t) {
		rng := rand.New(rand.NewPCG(5, uint64(len(name))))
		refused := 0
		for i := range rounds {
			// Mostly in the header, of which the first bytes and the last, the
			// table of tensors, matter most; sometimes anywhere.
			size := 8 * img.header
			var bits []int
			for range 1 + rng.IntN(3) {
				switch rng.IntN(8) {
				case 0:
					bits = append(bits, rng.IntN(8*32))
				case 1, 2:
					bits = append(bits, size-1-rng.IntN(min(size, 8*16<<10)))
				case 3:
					bits = append(bits, rng.IntN(8*len(img.data)))
				case 4, 5:
					bits = append(bits, rng.IntN(min(size, 8*2<<10))) // the model's numbers
				default:
					bits = append(bits, rng.IntN(size))
				}
			}
			img.flip(t, bits, func() {
				if try(t, img.path, fmt.Sprintf("%s, round %d, bits %v", name, i, bits)) != nil {
					refused++
				}
			})
		}
		t.Logf("%s: %d of %d files with flipped bits are refused", name, refused, rounds)
		require.Greater(t, refused, rounds/4)
		require.Less(t, refused, rounds)
		require.NoError(t, try(t, img.path, name+" put right"))
	}
}

func TestLoadTruncated(t *testing.T) {
	cuts := 60
	if os.Getenv(fullVariable) != "" {
		cuts = 2000
	}
	for name, img := range images(t) {
		rng := rand.New(rand.NewPCG(6, uint64(len(name))))
		lengths := []int{0, 1, 3, 4, 7, 8, 16, 23, 24, 25, img.header - 1, img.header, img.header + 1, len(img.data) - 33, len(img.data) - 1}
		for range cuts {
			lengths = append(lengths, rng.IntN(img.header), rng.IntN(len(img.data)))
		}
		for _, n := range lengths {
			require.NoError(t, os.WriteFile(img.path, img.data[:n], 0o666))
			err := try(t, img.path, fmt.Sprintf("%s, the first %d bytes", name, n))
			require.True(t, errors.Is(err, gguf.ErrFormat), "%s, the first %d bytes: %v", name, n, err)
			if n >= img.header {
				require.Regexp(t, `tensor ".*truncated|padding`, err.Error())
			}
		}
		require.NoError(t, os.WriteFile(img.path, append(img.data[:len(img.data):len(img.data)], 0), 0o666))
		require.ErrorContains(t, try(t, img.path, name), "follow the last tensor")
	}
}
