package convert

import (
	"fmt"
	"slices"
	"strings"

	"lladakit/internal/arch"
)

const (
	rowsChecked = 4096 // rows of a matrix that are looked at
	rowsMatched = 48   // of those that are not their own, rows for which a place is sought
	mostListed  = 6    // examples in a finding
	mostAlike   = 8    // findings of one kind that a tensor gets
)

// move says that a place of the file holds what belongs to another.
type move struct{ at, holds int }

// rowOrder finds out whether the rows of a part are the source's in another
// order: whether nearly all rows that are wrong are some other row.
func (d *diagnosis) rowOrder(p *part) (Kind, string) {
	var wrong []int
	for i := range min(rowsChecked, p.rows) {
		r := i * p.rows / min(rowsChecked, p.rows)
		if t := d.meter.measure(p, r, p, r, 1); !t.within(maxMatrix) {
			wrong = append(wrong, r)
		}
	}
	n := min(rowsMatched, len(wrong))
	rows, best, at := make([][]float32, n), make([]float64, n), make([]int, n)
	for i := range n {
		rows[i], best[i] = d.row(&p.stored, wrong[i*len(wrong)/n]), 0.8
	}
	source, x := p.given(), make([]float32, p.cols)
	for r := range p.rows {
		source.Row(x, r)
		for i, y := range rows {
			if near := distance(y, x[:min(p.cols, sketchSize)]); near < best[i] {
				best[i], at[i] = near, r
			}
		}
	}
	var moves []move
	for i := range n {
		r := wrong[i*len(wrong)/n]
		if best[i] < 0.8 && at[i] != r {
			if t := d.meter.measure(p, r, p, at[i], 1); t.within(maxMatrix) {
				moves = append(moves, move{r, at[i]})
			}
		}
	}
	if len(moves) < 2 || 10*len(moves) < 9*n {
		return "", ""
	}
	name, kind := func(r int) string { return fmt.Sprint("row ", r) }, KindRows
	if p.group.Role == arch.AttnQKV {
		name, kind = d.qkvRow, KindQKV
	}
	return kind, fmt.Sprintf("has %d rows in other places: %s", len(wrong), list(moves, name))
}

// qkvRow says what a row of the fused projection is.
func (d *diagnosis) qkvRow(r int) string {
	cfg := &d.source.Config
	head, what := r/cfg.HeadDim, "query"
	if head >= cfg.Heads {
		head, what = head-cfg.Heads, "key"
	}
	if what == "key" && head >= cfg.KVHeads {
		head, what = head-cfg.KVHeads, "value"
	}
	return fmt.Sprintf("row %d of %s head %d", r%cfg.HeadDim, what, head)
}

// list shows some moves.
func list(moves []move, name func(int) string) string {
	var all []string
	for _, m := range moves[:min(len(moves), mostListed)] {
		all = append(all, name(m.at)+" holds "+name(m.holds))
	}
	if len(all) < len(moves) {
		all = append(all, "…")
	}
	return strings.Join(all, ", ")
}

// report turns the verdicts on a tensor's parts into findings.
func (d *diagnosis) report(g *group, verdicts []verdict) {
	verdicts = d.misplaced(g, verdicts)
	byKind := map[Kind]int{}
	for _, v := range verdicts {
		byKind[v.kind]++
	}
	for _, v := range verdicts {
		n, expert := byKind[v.kind], v.part.expert
		switch {
		case n == 0: // said
			continue
		case n > mostAlike || n > 2 && n == len(g.parts): // what is the same for many is said once
			byKind[v.kind], expert = 0, -1
			v.text = fmt.Sprintf("%d of %d experts likewise, the first: expert %d %s", n, len(g.parts), v.part.expert, v.text)
		}
		g.fault(v.kind, v.part.in.Name, expert, "%s", v.text)
	}
	g.homeless()
}

// misplaced reports the experts that hold another expert of their own tensor,
// and returns the verdicts on the others.
func (d *diagnosis) misplaced(g *group, verdicts []verdict) (others []verdict) {
	holders := map[*part]int{}
	for _, p := range g.parts {
		holders[p.holds]++
	}
	var moved, order []move
	var tensor string
	for _, v := range verdicts {
		p, q := v.part, v.part.holds
		if q == nil || q.group != g {
			others = append(others, v)
			continue
		}
		tensor = p.in.Name
		moved = append(moved, move{p.expert, q.expert})
		if q.holds != p && holders[q] == 1 {
			order = append(order, move{p.expert, q.expert})
		}
	}
	if len(moved) > 4 {
		order = moved
	}
	if len(order) > 0 {
		g.fault(KindOrder, tensor, -1, "has %d experts in other places: %s", len(order), list(order, func(e int) string { return fmt.Sprint("expert ", e) }))
	}
	for _, m := range moved {
		p, q := g.parts[m.at], g.parts[m.holds]
		switch {
		case slices.Contains(order, m):
		case q.holds == p:
			g.fault(KindSwapped, p.in.Name, p.expert, "holds expert %d's weights, and that expert this one's", q.expert)
		default:
			i := slices.IndexFunc(g.parts, func(o *part) bool { return o != p && o.holds == q })
			g.fault(KindDuplicate, p.in.Name, p.expert, "holds expert %d's weights, as expert %d does", q.expert, i)
		}
	}
	if len(moved) == 0 && d.interleaved(g, verdicts) {
		g.fault(KindOrder, verdicts[0].part.in.Name, -1, "has row 0 of every expert before row 1 of any")
		return nil
	}
	return others
}

// interleaved tests whether the file has the rows of all experts mixed, first
// those number 0 of every expert, then those number 1.
func (d *diagnosis) interleaved(g *group, verdicts []verdict) bool {
	if len(g.parts) == 1 || 2*len(verdicts) < len(g.parts) {
		return false
	}
	for _, v := range verdicts {
		p, r := v.part, v.part.rows/2
		at := p.expert*p.rows + r
		t := d.meter.measure(p, r, g.parts[at%len(g.parts)], at/len(g.parts), 1)
		if !t.within(maxMatrix) {
			return false
		}
	}
	return true
}

// homeless names the experts of a stack with too few places whose weights none
// of them holds.
func (g *group) homeless() {
	held, short := map[*part]bool{}, false
	for _, p := range g.parts {
		held[p.holds] = true
		short = short || p.in == nil
	}
	if !short || g.parts[0].in == nil {
		return
	}
	var missing []int
	for _, p := range g.parts {
		if !held[p] && (p.in == nil || p.holds != nil) {
			missing = append(missing, p.expert)
		}
	}
	for _, e := range missing[:min(len(missing), mostAlike)] {
		g.fault(KindMissingExpert, g.GGUF, e, "no place of the stack holds its weights")
	}
}
