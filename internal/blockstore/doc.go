// Package blockstore keeps immutable blobs by key: in memory up to a limit, and on
// request in a folder, for other runs and other processes. It is made for the keys
// and values of the blocks of prompts, and knows nothing about what is in a blob.
//
//	s := blockstore.Open(blockstore.Options{Memory: 1 << 30, Dir: dir})
//	defer s.Close()
//	key := blockstore.Root(model, settings)
//	for block := range slices.Chunk(ids, 32) {
//		key = blockstore.Chain(key, 32, block)
//		blob, ok := s.Get(key, size)
//		if !ok {
//			blob = compute(block)
//			s.Put(key, blob)
//		}
//	}
//
// # Chains
//
// A [Key] names everything from the root to the end of a block, so that equal
// blocks with different beginnings have different keys. A blob is of use only to
// who has those of all earlier blocks. Therefore the store drops the ends of chains
// first: among what was used last it keeps beginnings, and it takes no blob whose
// predecessor it lacks. A prompt larger than the limit keeps as much of its
// beginning as fits, where plain least-recently-used order would keep its end, which
// is worth nothing.
//
// # Only ever a cache
//
// Nothing that goes wrong with the folder is an error to the caller. A file that is
// short, long, damaged, of another version or under a wrong name is deleted, counted
// and not found. When files cannot be written, the store goes on without writing and
// says why in [Stats].
//
// # Privacy
//
// Keys and values of a prompt tell much of what the prompt says, and a key confirms a
// guess of it. The folder and what is in it are therefore made for their owner alone
// (0700, and 0600 for files), and a folder that others may write to, or that belongs
// to somebody else, is not used: who can write to it decides what a model computes.
// Nothing is encrypted, and deleted files are not overwritten. Symbolic links that
// lead out of the folder are not followed.
//
// # Files
//
// A blob with the key 01ab… is the file 01/01ab…: [header] and blob, checked by a
// SHA-256. It is written under a temporary name, synced, and renamed, so that a
// process killed at any moment leaves whole files and at most a temporary one. The
// writer holds a lock on its temporary file; one that nobody holds was left by a dead
// process and is deleted by the next [Open]. Several processes may use one folder.
// The file times order what was used last, a block never later than its predecessor;
// one process at a time, under a lock, deletes the oldest files when the limit is
// reached.
package blockstore
