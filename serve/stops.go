package serve

// stop looks for a text in a stream of bytes (Knuth, Morris and Pratt): it knows after
// every byte how many of the stream's last bytes begin the text.
type stop struct {
	text    string
	back    []int // of a beginning of n+1 bytes, the longest shorter one that it ends with
	matched int
}

func newStop(text string) stop {
	s := stop{text: text, back: make([]int, len(text))}
	for i, n := 1, 0; i < len(text); i++ {
		for n > 0 && text[i] != text[n] {
			n = s.back[n-1]
		}
		if text[i] == text[n] {
			n++
		}
		s.back[i] = n
	}
	return s
}

// next takes a byte, and reports whether the text ends with it.
func (s *stop) next(c byte) bool {
	for s.matched > 0 && c != s.text[s.matched] {
		s.matched = s.back[s.matched-1]
	}
	if c == s.text[s.matched] {
		s.matched++
	}
	if s.matched == len(s.text) {
		s.matched = s.back[s.matched-1]
		return true
	}
	return false
}

// stops looks for several texts, and cuts the stream before the first of them.
type stops struct {
	all  []stop
	held []byte // what may be the beginning of one
	cut  bool
}

func newStops(texts []string) stops {
	var s stops
	for _, text := range texts {
		s.all = append(s.all, newStop(text))
	}
	return s
}

// write takes more of the stream, and returns what is in front of the first text,
// whatever follows. After the first text it returns nothing.
func (s *stops) write(text string) string {
	if s.cut {
		return ""
	}
	for i := range len(text) {
		s.held = append(s.held, text[i])
		longest := 0
		for k := range s.all {
			if s.all[k].next(text[i]) {
				longest = max(longest, len(s.all[k].text))
			}
		}
		if longest > 0 {
			s.cut = true
			out := string(s.held[:len(s.held)-longest])
			s.held = nil
			return out
		}
	}
	hold := 0
	for k := range s.all {
		hold = max(hold, s.all[k].matched)
	}
	n := len(s.held) - hold
	out := string(s.held[:n])
	s.held = append(s.held[:0], s.held[n:]...)
	return out
}

// flush returns what was held back, at the end of the stream.
func (s *stops) flush() string {
	out := string(s.held)
	s.held = nil
	return out
}
