package sandbox

import (
	"context"
	"crypto/rand"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// Attack is an attempt to get out of the sandbox, or to pass without a right to.
type Attack struct {
	Name      string `json:"name"`
	Contained bool   `json:"contained"`
	Detail    string `json:"detail,omitempty"` // what got through, or how it ended
}

// hostile has the attacks: blocks that begin with a comment "# attack: name", after what
// all of them need.
//
//go:embed attacks.py
var hostile string

// endless are the attacks that only the clock ends. The others end by themselves.
var endless = map[string]bool{"sleep for ever": true, "endless output": true, "endless loop": true}

// Attacks tries to break out, in every way that we know, and tells what was contained.
// It makes files and listeners outside for programs to find, and removes them. Not for
// tier D, where attacks would succeed. What other goroutines run meanwhile may be taken
// for what an attack left.
func (s *Sandbox) Attacks(ctx context.Context) (attacks []Attack, err error) {
	if s.tier == Unsafe {
		return nil, errors.New("sandbox: attacks are not for tier D: they would succeed")
	}
	bait, err := newBait()
	if err != nil {
		return nil, fmt.Errorf("sandbox: %w", err)
	}
	defer bait.close()
	parts := strings.Split(hostile, "# attack: ")
	for _, part := range parts[1:] {
		name, source, _ := strings.Cut(part, "\n")
		p := Program{Source: parts[0] + source, Input: bait.text, Time: 10 * time.Second}
		if endless[name] {
			p.Time = time.Second
		}
		v, err := s.Run(ctx, p)
		if err != nil {
			return attacks, fmt.Errorf("%s: %w", name, err)
		}
		a := Attack{Name: name, Detail: string(v.Status)}
		if v.Message != "" {
			a.Detail += ", " + v.Message
		}
		through := s.through(v, bait)
		if endless[name] != (v.Status == Timeout) || len(v.Output) > defaultOutput {
			through = append(through, "wrong end: "+a.Detail)
		}
		if strings.HasPrefix(name, "fake ") && v.Status == Passed {
			through = append(through, "passed")
		}
		if len(through) > 0 {
			a.Detail = strings.Join(through, "; ")
		}
		a.Contained = len(through) == 0
		attacks = append(attacks, a)
	}
	return attacks, nil
}

var got = regexp.MustCompile(`(?m)^got .{0,200}`)

// through lists what an attack got done.
func (s *Sandbox) through(v Verdict, b *bait) []string {
	list := got.FindAllString(v.Output, 5)
	if strings.Contains(v.Output+v.Message, b.Secret) {
		list = append(list, "a file outside was read")
	}
	if !strings.HasPrefix(v.Output, "began\n") {
		list = append(list, "it did not begin: "+string(v.Status)+", "+v.Message)
	}
	if left := s.left(); left > 0 {
		list = append(list, fmt.Sprintf("%d processes are left", left))
	}
	return append(list, b.touched()...)
}

// left counts processes with the sandbox's name among their arguments, of systems that
// show them.
func (s *Sandbox) left() int {
	n := 0
	paths, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, path := range paths {
		text, _ := os.ReadFile(path)
		if strings.Contains(string(text), s.id) {
			n++
		}
	}
	return n
}

// bait is what attacks look for outside.
type bait struct {
	Folder   string // which anybody may write to
	File     string // in it
	Secret   string // in the file, and in our environment
	Port     int    // of 127.0.0.1, on which we listen
	Abstract string // name of a socket, where there are such
	Socket   string // path of a socket
	Parent   int    // our process

	text      []byte
	listeners []net.Listener
	packets   net.PacketConn
	calls     atomic.Int32
}

func newBait() (b *bait, err error) {
	b = &bait{Secret: "secret-" + rand.Text(), Parent: os.Getpid()}
	defer func() {
		if err != nil {
			b.close()
		}
	}()
	if b.Folder, err = os.MkdirTemp("", "llada-bait-*"); err != nil {
		return b, err
	}
	b.File = filepath.Join(b.Folder, "file")
	b.Socket = filepath.Join(b.Folder, "socket")
	if err = os.WriteFile(b.File, []byte(b.Secret), 0o666); err != nil {
		return b, err
	}
	if err = errors.Join(os.Chmod(b.Folder, 0o777), os.Chmod(b.File, 0o666)); err != nil {
		return b, err
	}
	tcp, err := b.listen("tcp", "127.0.0.1:0")
	if err != nil {
		return b, err
	}
	b.Port = tcp.Addr().(*net.TCPAddr).Port
	if b.packets, err = net.ListenPacket("udp", "127.0.0.1:"+strconv.Itoa(b.Port)); err != nil {
		return b, err
	}
	go b.receive(b.packets)
	if _, err = b.listen("unix", b.Socket); err != nil {
		return b, err
	}
	if err = os.Chmod(b.Socket, 0o777); err != nil {
		return b, err
	}
	if runtime.GOOS == "linux" {
		b.Abstract = "llada-" + rand.Text()
		if _, err = b.listen("unix", "@"+b.Abstract); err != nil {
			return b, err
		}
	}
	b.text, err = json.Marshal(b)
	return b, err
}

func (b *bait) listen(network, address string) (net.Listener, error) {
	l, err := net.Listen(network, address)
	if err != nil {
		return nil, err
	}
	b.listeners = append(b.listeners, l)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			b.calls.Add(1)
			conn.Close()
		}
	}()
	return l, nil
}

func (b *bait) receive(conn net.PacketConn) {
	for {
		if _, _, err := conn.ReadFrom(make([]byte, 16)); err != nil {
			return
		}
		b.calls.Add(1)
	}
}

// touched says what changed outside.
func (b *bait) touched() (list []string) {
	if n := b.calls.Swap(0); n > 0 {
		list = append(list, fmt.Sprintf("%d connections or packets came through", n))
	}
	entries, err := os.ReadDir(b.Folder)
	if err != nil || len(entries) != 2 {
		list = append(list, fmt.Sprintf("the folder outside has %d entries, not 2", len(entries)))
	}
	info, err := os.Lstat(b.File)
	if err != nil || info.Mode() != 0o666 {
		list = append(list, "the file outside has another mode, or is gone")
	}
	if text, err := os.ReadFile(b.File); err != nil || string(text) != b.Secret {
		list = append(list, "the file outside has other content")
	}
	return list
}

func (b *bait) close() {
	for _, l := range b.listeners {
		l.Close()
	}
	if b.packets != nil {
		b.packets.Close()
	}
	if b.Folder != "" {
		os.RemoveAll(b.Folder)
	}
}
