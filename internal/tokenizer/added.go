package tokenizer

// A trie finds added tokens in a text. The zero trie finds none.
//
// Note: an Aho-Corasick automaton would bound the work by the length of the
// text alone. It gains nothing here: nearly all added tokens begin with '<' and
// differ from text within a few bytes.
type trie struct {
	first [256]bool  // the bytes that tokens begin with
	nodes []trieNode // the root first
}

type trieNode struct {
	next map[byte]int
	id   int32 // the token that ends here, or -1
}

// add enters a token, which must not be empty. Of tokens with equal text, the first stays.
func (t *trie) add(text string, id int32) {
	if t.nodes == nil {
		t.nodes = []trieNode{{id: -1}}
	}
	t.first[text[0]] = true
	at := 0
	for _, c := range []byte(text) {
		next, ok := t.nodes[at].next[c]
		if !ok {
			next = len(t.nodes)
			t.nodes = append(t.nodes, trieNode{id: -1})
			if t.nodes[at].next == nil {
				t.nodes[at].next = make(map[byte]int)
			}
			t.nodes[at].next[c] = next
		}
		at = next
	}
	if t.nodes[at].id < 0 {
		t.nodes[at].id = id
	}
}

// split calls f with every part of text in order: the tokens with their id and
// what is between them with -1. Of the tokens that match, the one that begins
// first is taken, and of those that begin there the longest.
func (t *trie) split(text string, f func(part string, id int32)) {
	start := 0
	for i := 0; i < len(text); {
		n, id := t.match(text[i:])
		if n == 0 {
			i++
			continue
		}
		if start < i {
			f(text[start:i], -1)
		}
		f(text[i:i+n], id)
		i += n
		start = i
	}
	if start < len(text) {
		f(text[start:], -1)
	}
}

// match returns the length and the id of the longest token at the start of text,
// which must not be empty, and 0 if there is none.
func (t *trie) match(text string) (n int, id int32) {
	if !t.first[text[0]] {
		return 0, -1
	}
	at := 0
	for i := 0; i < len(text); i++ {
		next, ok := t.nodes[at].next[text[i]]
		if !ok {
			break
		}
		at = next
		if t.nodes[at].id >= 0 {
			n, id = i+1, t.nodes[at].id
		}
	}
	return n, id
}
