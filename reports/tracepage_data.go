package reports

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
)

// What a page has at most. A trace may have more, or be made to have more.
const (
	maxPageSteps   = 50_000
	maxPageCells   = 50_000    // positions
	maxPageItems   = 600_000   // predictions and changes
	maxPageExperts = 2_000_000 // numbers of experts
	maxPageLayers  = 512       // no model has more
	maxPageText    = 100_000   // characters of the prompt, and of the answer
	maxPagePiece   = 64        // characters of a token
	maxPagePieces  = 2_000_000 // characters of all tokens
	maxPageLine    = 400       // characters of a setting or an error
	maxPageEntropy = 100       // nats: the logarithm of any vocabulary is far below
)

// pageData is what the page's script reads. It is as compact as JSON may be: texts of tokens
// are there once, probabilities and nats are in thousandths, times in microseconds.
type pageData struct {
	Title    string      `json:"title"`
	Facts    [][2]string `json:"facts"` // names and values
	Settings [][2]string `json:"settings"`
	Notices  []string    `json:"notices"`
	Prompt   string      `json:"prompt"`
	Answer   string      `json:"answer"`
	Block    int         `json:"block"`  // positions of a block
	Pieces   []string    `json:"pieces"` // texts of tokens
	IDs      []int32     `json:"ids"`    // of Pieces
	End      int         `json:"end"`    // index in Pieces of the end token; -1 for none
	Rows     [][2]int    `json:"rows"`   // blocks in the order of their first steps: index, positions of the prompt
	Steps    []pageStep  `json:"steps"`
}

// pageStep is a step.
type pageStep struct {
	Row         int    `json:"r"`           // index in Rows
	Step        int    `json:"n"`           // in the block
	Changes     []int  `json:"c"`           // position in the block, piece or -1 for a mask, and how: see below
	Predictions []int  `json:"p,omitempty"` // position in the block, piece, probability, that of the next best, entropy
	Entropy     int    `json:"e"`
	Margin      int    `json:"m"`
	Change      int    `json:"d"`
	Zone        int    `json:"z,omitempty"` // 1 for one
	Experts     []int  `json:"x,omitempty"`
	Time        [4]int `json:"t"` // attention, feed-forward, head, all
}

// How a position got its token.
const (
	changeGiven = iota // before the steps: by a template
	changeWrote
	changeEdited
)

// pageBuilder makes a pageData.
type pageBuilder struct {
	trace  *Trace
	page   *pageData
	texts  map[int32]string // of tokens, where the trace has some
	pieces map[int32]int    // indices in Pieces
	runes  int              // in Pieces
	rows   map[int]int      // by block
	tokens [][]int32        // of the rows, after the steps so far
	items  int
	all    bool // predictions of what a step did not decide are shown too
}

// newPageData returns a page's data and how many tokens the answer has.
func newPageData(t *Trace) (*pageData, int) {
	b := &pageBuilder{
		trace: t, texts: map[int32]string{}, pieces: map[int32]int{}, rows: map[int]int{},
		page: &pageData{
			Title: shownLine(t.Header.Model, maxPageLine), Block: t.Header.Block, End: -1,
			Prompt: visibleText(t.Header.Prompt, maxPageText),
			// Empty lists, for a script, are not null.
			Facts: [][2]string{}, Settings: [][2]string{}, Notices: []string{}, Pieces: []string{}, IDs: []int32{}, Rows: [][2]int{}, Steps: []pageStep{},
		},
	}
	predictions, experts := 0, 0
	for i := range t.Steps {
		for _, p := range t.Steps[i].Stats {
			if p == nil {
				continue
			}
			predictions++
			if p.Text != "" && b.texts[p.Token] == "" {
				b.texts[p.Token] = p.Text
			}
		}
		experts += min(len(t.Steps[i].Experts), maxPageLayers)
	}
	b.ended()
	if b.all = predictions <= maxPageItems; !b.all {
		b.notice("The trace has %d predictions: only those of tokens that their step decided are here.", predictions)
	}
	if experts > maxPageExperts {
		b.notice("The trace has too many numbers of experts: they are not here.")
	}
	for i := range t.Steps {
		if i == maxPageSteps || b.items >= maxPageItems || !b.step(&t.Steps[i], experts <= maxPageExperts) {
			b.notice("The trace has %d steps: the page has the first %d.", len(t.Steps), i)
			break
		}
	}
	if i, ok := b.pieces[t.Header.EOS]; ok {
		b.page.End = i
	}
	tokens := b.count()
	b.facts(tokens)
	b.settings()
	return b.page, tokens
}

func (b *pageBuilder) notice(format string, args ...any) {
	b.page.Notices = append(b.page.Notices, fmt.Sprintf(format, args...))
}

// ended says what is not as it should be about the trace's end.
func (b *pageBuilder) ended() {
	end := b.trace.End
	switch {
	case end == nil:
		b.notice("The trace has no end: the program was stopped, or still writes. It is shown as far as it goes.")
	case end.Error != "":
		b.notice("The generation ended with an error: %s", shownLine(end.Error, maxPageLine))
	case end.End == "interrupted":
		b.notice("The generation was interrupted: it is shown as far as it goes.")
	}
	if end != nil {
		b.page.Answer = visibleText(end.Text, maxPageText)
	}
	if len(b.trace.Steps) == 0 {
		b.notice("The trace has no denoising step.")
	}
}

// step adds a step. It reports false if the page has no room for its block.
func (b *pageBuilder) step(s *TraceStep, experts bool) bool {
	row, ok := b.rows[s.Block]
	if !ok {
		if row = len(b.page.Rows); (row+1)*len(s.Tokens) > maxPageCells {
			return false
		}
		b.rows[s.Block] = row
		b.page.Rows = append(b.page.Rows, [2]int{s.Block, s.Prompt})
		b.tokens = append(b.tokens, slices.Repeat([]int32{b.trace.Header.Mask}, len(s.Tokens)))
	}
	to := pageStep{
		Row: row, Step: s.Step, Changes: []int{},
		Entropy: thousandths(s.Entropy, maxPageEntropy), Margin: thousandths(s.Margin, 1), Change: thousandths(s.Change, 1e6),
		Time: [4]int{microseconds(s.MS.Attention), microseconds(s.MS.FFN), microseconds(s.MS.Head), microseconds(s.MS.Total)},
	}
	if s.Zone {
		to.Zone = 1
	}
	if experts {
		for _, n := range s.Experts[:min(len(s.Experts), maxPageLayers)] {
			to.Experts = append(to.Experts, min(max(n, 0), 1<<20))
		}
	}
	for i := b.page.Rows[row][1]; i < len(s.Tokens); i++ {
		id, decided := s.Tokens[i], s.Wrote[i]
		kind := changeGiven
		switch {
		case s.Edited != nil && s.Edited[i]:
			kind, decided = changeEdited, true
		case s.Wrote[i]:
			kind = changeWrote
		}
		if kind != changeGiven || id != b.tokens[row][i] {
			piece := -1
			if id != b.trace.Header.Mask {
				piece = b.piece(id)
			}
			to.Changes = append(to.Changes, i, piece, kind)
			b.tokens[row][i] = id
			b.items++
		}
		if p := s.Stats[i]; p != nil && (decided || b.all) {
			to.Predictions = append(to.Predictions, i, b.piece(p.Token),
				thousandths(float64(p.Prob), 1), thousandths(float64(p.Second), 1), thousandths(float64(p.Entropy), maxPageEntropy))
			b.items++
		}
	}
	b.page.Steps = append(b.page.Steps, to)
	return true
}

// piece returns the index of a token's text, or of its number if it has none, or if the
// texts before have used up the room.
func (b *pageBuilder) piece(id int32) int {
	i, ok := b.pieces[id]
	if !ok {
		text := visibleText(b.texts[id], maxPagePiece)
		if text == "" || b.runes > maxPagePieces {
			text = fmt.Sprintf("⟨%d⟩", id)
		}
		b.runes += len(text)
		i = len(b.page.Pieces)
		b.pieces[id] = i
		b.page.Pieces, b.page.IDs = append(b.page.Pieces, text), append(b.page.IDs, id)
	}
	return i
}

// count returns how many tokens the answer has; without an end, how many are decided.
func (b *pageBuilder) count() int {
	if b.trace.End != nil {
		return len(b.trace.End.IDs)
	}
	n := 0
	for row, tokens := range b.tokens {
		for _, id := range tokens[b.page.Rows[row][1]:] {
			if id != b.trace.Header.Mask {
				n++
			}
		}
	}
	return n
}

// facts fills the head of the page.
func (b *pageBuilder) facts(tokens int) {
	h, end, ms := &b.trace.Header, "none", 0.0
	for i := range b.trace.Steps {
		ms += float64(microseconds(b.trace.Steps[i].MS.Total)) / 1000
	}
	if b.trace.End != nil {
		end = b.trace.End.End
	}
	forwards, tpf, each := len(b.trace.Steps), "", ""
	if forwards > 0 {
		tpf = strconv.FormatFloat(float64(tokens)/float64(forwards), 'f', 2, 64)
		each = fmt.Sprintf(" (%.1f each)", ms/float64(forwards))
	}
	for _, f := range [][2]string{
		{"type", h.Type}, {"class", h.Class}, {"end", end},
		{"tokens", strconv.Itoa(tokens)}, {"forwards", strconv.Itoa(forwards)}, {"tokens per forward", tpf},
		{"ms of forwards", fmt.Sprintf("%.1f", ms) + each}, {"block", fmt.Sprintf("%d positions", h.Block)},
		{"prompt", fmt.Sprintf("%d tokens", len(h.PromptIDs))}, {"kernels", h.Kernels}, {"threads", strconv.Itoa(h.Threads)}, {"program", h.Program},
	} {
		if f[1] != "" {
			b.page.Facts = append(b.page.Facts, [2]string{f[0], shownLine(f[1], maxPageLine)})
		}
	}
}

// settings lists the settings by name, each with its value as JSON. Those that people
// change are in the head too.
func (b *pageBuilder) settings() {
	var all map[string]json.RawMessage
	if json.Unmarshal(b.trace.Header.Settings, &all) != nil {
		return // what no program of ours wrote
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		var value bytes.Buffer
		if len(b.page.Settings) == 100 || json.Compact(&value, all[name]) != nil {
			return
		}
		setting := [2]string{shownLine(name, maxPageLine), shownLine(value.String(), maxPageLine)}
		b.page.Settings = append(b.page.Settings, setting)
		if name == "steps" || name == "threshold" || name == "temperature" {
			b.page.Facts = append(b.page.Facts, setting)
		}
	}
}

// thousandths rounds a number between 0 and most.
func thousandths(x, most float64) int { return int(math.Round(min(max(x, 0), most) * 1000)) }

// microseconds rounds milliseconds, of at most a day.
func microseconds(ms float64) int { return thousandths(ms, 24*3600*1000) }
