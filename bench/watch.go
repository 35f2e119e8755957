package bench

import (
	"fmt"
	"math"
	"path"
	"strconv"
	"strings"

	"lladakit/kernels/peak"
)

// Watch remembers how a machine was, to tell later what has disturbed a measurement
// since then.
type Watch struct {
	system system
	before moment
}

// What is below these shares of the processors' time, or of their speed, is no
// disturbance; and of fewer ticks nothing can be said.
const (
	mostLoad   = 0.05
	mostStolen = 0.01
	mostDrift  = 0.05
	leastTicks = 50
)

// NewWatch begins to watch.
func NewWatch() *Watch {
	w := &Watch{system: system{"/", affinity()}}
	w.before = w.now()
	return w
}

// Warnings says what has disturbed the machine since NewWatch, in a sentence for each
// kind of disturbance. It takes some milliseconds.
func (w *Watch) Warnings() []string { return w.before.until(w.now()) }

func (w *Watch) now() moment {
	m := w.system.moment()
	m.speed = peak.Float(peakTrials)
	return m
}

// peakTrials are so many trials of the peak loop, of some microseconds, that the
// fastest is one that nothing has disturbed.
const peakTrials = 400

// moment is what a system has counted up to some moment. What it does not count is
// zero.
type moment struct {
	cpus      int     // processors that are counted
	ticks     float64 // of all of them, in hundredths of a second
	busy      float64 // what they computed
	own       float64 // what this process did, and programs that it started and that have ended
	stolen    float64 // what a hypervisor gave to others
	throttled float64 // how often a processor slowed down for its heat
	held      float64 // seconds that the group's quota has held it
	speed     float64 // of the peak loop
}

// moment reads the system's counters.
func (s *system) moment() moment {
	var m moment
	stat := s.table("proc/stat", " ")
	for _, n := range s.cpus {
		// user nice system idle iowait irq softirq steal guest guest_nice; the guests'
		// time is in user and nice, too.
		ticks := counts(strings.Fields(stat["cpu"+strconv.Itoa(n)]))
		if len(ticks) < 8 {
			continue
		}
		m.cpus++
		for _, x := range ticks[:8] {
			m.ticks += x
		}
		m.busy += ticks[0] + ticks[1] + ticks[2]
		m.stolen += ticks[7]
		if count, ok := s.number(s.cpu(n, "thermal_throttle/core_throttle_count")); ok {
			m.throttled += count
		}
	}
	// The name, in brackets, may have any characters. From the state on, which is the
	// third field, the 14th to 17th are the times of the process and its children.
	own := s.line("proc/self/stat")
	if fields := strings.Fields(own[strings.LastIndexByte(own, ')')+1:]); len(fields) > 14 {
		for _, x := range counts(fields[11:15]) {
			m.own += x
		}
	}
	m.held = s.held()
	return m
}

// held returns how many seconds the quota of the process's control group, or of one
// around it, has kept its threads from running.
func (s *system) held() (most float64) {
	for line := range strings.Lines(s.line("proc/self/cgroup")) {
		_, rest, _ := strings.Cut(strings.TrimSpace(line), ":")
		controllers, dir, _ := strings.Cut(rest, ":")
		mount, key, second := "sys/fs/cgroup", "throttled_usec", 1e6
		switch {
		case strings.Contains(","+controllers+",", ",cpu,"):
			mount, key, second = "sys/fs/cgroup/cpu", "throttled_time", 1e9
		case controllers != "":
			continue
		}
		for dir = path.Clean("/" + dir); ; dir = path.Dir(dir) {
			x := counts([]string{s.table(path.Join(mount, dir, "cpu.stat"), " ")[key]})[0]
			most = max(most, x/second)
			if dir == "/" {
				break
			}
		}
	}
	return most
}

// counts reads whole numbers. What is none is 0.
func counts(words []string) []float64 {
	all := make([]float64, len(words))
	for i, word := range words {
		if x, err := strconv.ParseUint(word, 10, 53); err == nil {
			all[i] = float64(x)
		}
	}
	return all
}

// until says what has happened between two moments.
func (m moment) until(n moment) []string {
	all := []string{}
	warn := func(format string, args ...any) { all = append(all, fmt.Sprintf(format, args...)) }
	if ticks := n.ticks - m.ticks; ticks >= leastTicks && m.cpus == n.cpus {
		others := (n.busy - m.busy) - (n.own - m.own)
		if share := others / ticks; share > mostLoad {
			warn("other processes computed on %.2f of %d processors", share*float64(n.cpus), n.cpus)
		}
		if share := (n.stolen - m.stolen) / ticks; share > mostStolen {
			warn("the hypervisor gave %.1f %% of the processors' time to others", 100*share)
		}
	}
	if m.speed > 0 && n.speed > 0 {
		if change := n.speed/m.speed - 1; math.Abs(change) > mostDrift {
			warn("the processor's speed changed by %+.0f %%: the peak loop ran at %.1f GMAC/s at first and at %.1f in the end",
				100*change, m.speed, n.speed)
		}
	}
	if count := n.throttled - m.throttled; count > 0 {
		warn("the processor slowed down for its heat %.0f times", count)
	}
	if seconds := n.held - m.held; seconds > 0 {
		warn("a quota on the processors' time held the process for %.2f s", seconds)
	}
	return all
}
