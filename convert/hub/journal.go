package hub

import (
	"bytes"
	"fmt"
	"hash/crc32"
)

// maxJournal is more bytes than the parts of the largest file take.
const maxJournal = 32 << 20

// journalHead is the first line of a journal.
func journalHead(f *remote) string {
	kind, digest := f.digest()
	return fmt.Sprintf("llada-pull 1 %s %s %d\n", kind, digest, f.Size)
}

// journalLine says that a span is on the disk. Its last number covers the head too, so that a
// line of another journal is none of this.
func journalLine(head string, s span) string {
	text := fmt.Sprintf("%d %d", s.from, s.to)
	return fmt.Sprintf("%s %08x\n", text, crc32.ChecksumIEEE([]byte(head+text)))
}

// parseJournal returns what a journal says of a file, and how many bytes of the journal can be
// believed: those up to the first line that is torn, or is none.
func parseJournal(data []byte, f *remote) (done spans, valid int) {
	head := journalHead(f)
	if !bytes.HasPrefix(data, []byte(head)) {
		return nil, 0
	}
	valid = len(head)
	for {
		end := bytes.IndexByte(data[valid:], '\n')
		if end < 0 || end > 64 {
			return done, valid
		}
		line := string(data[valid : valid+end+1])
		var s span
		var sum uint32
		if _, err := fmt.Sscanf(line, "%d %d %08x\n", &s.from, &s.to, &sum); err != nil ||
			s.from < 0 || s.from >= s.to || s.to > f.Size || line != journalLine(head, s) {
			return done, valid
		}
		done = done.add(s)
		valid += end + 1
	}
}
