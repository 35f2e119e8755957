package hub

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"strings"
	"time"
	"unicode"
)

var (
	// ErrOption is what errors are, by errors.Is, for options that no hub could satisfy.
	ErrOption = errors.New("option")

	// ErrUnavailable is returned, wrapped, when the hub cannot be reached or does not give
	// what it is asked for: a wrong name, a missing token, a licence to accept. It is a
	// fs.ErrNotExist.
	ErrUnavailable error = unavailable{}

	// ErrDigest is returned, wrapped, when what a server sends is not what the hub lists.
	ErrDigest = errors.New("not the file that the hub lists")

	// ErrHub is returned, wrapped, for answers that no hub gives, or that are not safe.
	ErrHub = errors.New("the hub's answer cannot be used")
)

// mistake is an ErrOption.
type mistake struct{ error }

func mistakef(format string, args ...any) error { return mistake{fmt.Errorf(format, args...)} }

func (mistake) Is(target error) bool { return target == ErrOption }

type unavailable struct{}

func (unavailable) Error() string { return "not available" }

// Is says that something is missing in the environment.
func (unavailable) Is(target error) bool { return target == fs.ErrNotExist }

// Stage is what a pull is doing.
type Stage string

const (
	Checking Stage = "checking" // files that are there, against their digests
	Fetching Stage = "fetching"
)

const (
	// DefaultParallel is how many connections there are when nothing else is said.
	DefaultParallel = 4

	// MaxParallel is the highest number of connections.
	MaxParallel = 32

	defaultChunk = 16 << 20
)

// Options say what to pull, and where to.
type Options struct {
	Repo     string // OWNER/NAME, or NAME of the oldest ones
	Revision string // branch, tag or commit; empty is main
	Folder   string // made if it is not there

	// Include are globs of the files to fetch. Without one they are those of a checkpoint:
	// see DefaultFiles. A glob without / is for the names in every folder, one with / for
	// the whole path; * does not go over a /. Exclude takes files away again.
	Include, Exclude []string

	Parallel int  // connections; 0 is DefaultParallel
	Verify   bool // hash what is there, also if that was done before and it has not changed since
	Replace  bool // also files that no pull of the repository brought, or that were changed since

	Endpoint string // of the hub; empty is DefaultEndpoint
	Token    Token  // empty for none

	// Progress is told how many bytes of those that a stage has to do are done; nil is
	// allowed. Calls do not overlap.
	Progress func(stage Stage, done, total int64)

	// Waiting is told why something is tried again, and after how long; nil is allowed.
	// Every connection calls it, also while another does, or Progress is called.
	Waiting func(why error, d time.Duration)

	chunk int64                                            // bytes of a part; 0 is defaultChunk
	stall time.Duration                                    // the longest wait for bytes; 0 is a minute
	wait  time.Duration                                    // before the first retry; 0 is a second
	sleep func(ctx context.Context, d time.Duration) error // nil waits
	step  func(what string)                                // called between what is written to the disk; nil does nothing
}

var repoName = regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9._-]{0,94}[A-Za-z0-9_])?$`)

// check returns an ErrOption for what is wrong, and fills in what is not given.
func (o *Options) check() error {
	owner, name, two := strings.Cut(o.Repo, "/")
	if !repoName.MatchString(owner) || two && !repoName.MatchString(name) || strings.Contains(o.Repo, "..") {
		return mistakef("%.120q is not the name of a repository, OWNER/NAME", o.Repo)
	}
	if o.Revision == "" {
		o.Revision = "main"
	}
	if len(o.Revision) > 200 || strings.ContainsFunc(o.Revision, notPlain) || strings.Contains(o.Revision, "..") {
		return mistakef("revision %.120q is not a branch, tag or commit", o.Revision)
	}
	if o.Folder == "" {
		return mistakef("the folder to pull to is empty")
	}
	for _, glob := range append(o.Include[:len(o.Include):len(o.Include)], o.Exclude...) {
		if _, err := path.Match(glob, ""); err != nil || glob == "" {
			return mistakef("%.120q is not a glob such as *.safetensors", glob)
		}
	}
	switch {
	case o.Parallel == 0:
		o.Parallel = DefaultParallel
	case o.Parallel < 0 || o.Parallel > MaxParallel:
		return mistakef("%d connections are not between 1 and %d", o.Parallel, MaxParallel)
	}
	if o.chunk == 0 {
		o.chunk = defaultChunk
	}
	if o.stall == 0 {
		o.stall = time.Minute
	}
	if o.wait == 0 {
		o.wait = time.Second
	}
	if o.sleep == nil {
		o.sleep = pause
	}
	if o.step == nil {
		o.step = func(string) {}
	}
	return nil
}

func notPlain(r rune) bool {
	return r <= ' ' || r > unicode.MaxASCII || r == 0x7f || r == '\\' || r == '?'
}

// FolderOf returns the last name of a repository, which is the natural one for its folder.
func FolderOf(repo string) string { return repo[strings.LastIndexByte(repo, '/')+1:] }

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
