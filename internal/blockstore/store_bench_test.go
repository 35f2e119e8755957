package blockstore

import "testing"

// BenchmarkStore uses blobs as large as those of 32 positions of a model with 20
// layers and 4 key-value heads of 128 values, in halfs.
func BenchmarkStore(b *testing.B) {
	const size = 20 * 4 * 128 * 2 * 2 * 32
	blob := blobOf(single(0), size)
	b.Run("get/memory", func(b *testing.B) {
		s := Open(Options{Memory: 1 << 30})
		defer s.Close()
		s.Put(single(0), blob)
		b.SetBytes(size)
		for b.Loop() {
			s.Get(single(0), size)
		}
	})
	b.Run("get/disk", func(b *testing.B) {
		s := Open(Options{Dir: b.TempDir()})
		defer s.Close()
		s.Put(single(0), blob)
		b.SetBytes(size)
		for b.Loop() {
			if _, ok := s.Get(single(0), size); !ok {
				b.Fatal("not found")
			}
		}
	})
	b.Run("put/memory", func(b *testing.B) {
		s := Open(Options{Memory: 1 << 27})
		defer s.Close()
		b.SetBytes(size)
		for i := 0; b.Loop(); i++ {
			s.Put(single(i), blob)
		}
	})
	b.Run("put/disk", func(b *testing.B) {
		s := Open(Options{Dir: b.TempDir(), Disk: 1 << 28})
		defer s.Close()
		b.SetBytes(size)
		for i := 0; b.Loop(); i++ {
			s.Put(single(i), blob)
		}
		if err := s.Stats().Err; err != nil {
			b.Fatal(err)
		}
	})
}
