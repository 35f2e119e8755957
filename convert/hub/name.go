package hub

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// stateFolder is what the folder of a pull has beside the files.
const stateFolder = ".llada-pull"

const (
	maxName   = 512 // bytes of a path
	maxPart   = 200 // bytes of a name in it: file systems take 255
	maxDepth  = 16
	forbidden = `\:*?"<>|`
)

// checkName returns an error unless a name of the hub's can be a file's below the folder on
// every system: a repository that is fetched on one may be copied to another.
func checkName(name string) error {
	bad := func(why string) error { return fmt.Errorf("%w: the file name %.120q %s", ErrHub, name, why) }
	if len(name) > maxName || !utf8.ValidString(name) {
		return bad("is too long, or not text")
	}
	parts := strings.Split(name, "/")
	if len(parts) > maxDepth {
		return bad("is in too many folders")
	}
	for i, part := range parts {
		switch {
		case part == "" || part == "." || part == "..":
			return bad("is absolute or leaves the folder")
		case len(part) > maxPart:
			return bad("is too long")
		case strings.ContainsAny(part, forbidden) || strings.ContainsFunc(part, hidden):
			return bad("has characters that file names do not have everywhere")
		case strings.HasSuffix(part, ".") || strings.HasSuffix(part, " ") || strings.HasPrefix(part, " "):
			return bad("begins or ends with a space, or ends with a dot")
		case reserved(part):
			return bad("is a device's on Windows")
		case i < len(parts)-1 && shortName.MatchString(part):
			return bad("may be short for another folder's on Windows")
		case strings.EqualFold(part, ".git") || i == 0 && folded(part) == stateFolder:
			return bad("is not for files of a checkpoint")
		}
	}
	return nil
}

// shortName matches how Windows may call a folder beside its name, as GIT~1 for .git.
var shortName = regexp.MustCompile(`~[0-9]+(\.|$)`)

// hidden says whether a character does not show what it does.
func hidden(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) }

// reserved says whether Windows takes a name for a device's, with any ending.
func reserved(part string) bool {
	base, _, _ := strings.Cut(strings.ToUpper(part), ".")
	base = strings.TrimRight(base, " ")
	switch base {
	case "CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$":
		return true
	}
	rest, com := strings.CutPrefix(base, "COM")
	if !com {
		var lpt bool
		if rest, lpt = strings.CutPrefix(base, "LPT"); !lpt {
			return false
		}
	}
	return utf8.RuneCountInString(rest) == 1 && strings.Contains("0123456789¹²³", rest)
}

// folded returns what is the same for two names that some file system takes for one.
func folded(name string) string {
	return norm.NFC.String(cases.Fold().String(norm.NFC.String(name)))
}

// checkNames checks every name, and that no two collide: in case, or as a file and a folder.
func checkNames(files []remote) error {
	type use struct {
		name string
		file bool
	}
	seen := map[string]use{}
	for _, f := range files {
		if err := checkName(f.Name); err != nil {
			return err
		}
		for at := 0; at < len(f.Name); {
			end := len(f.Name)
			if i := strings.IndexByte(f.Name[at:], '/'); i >= 0 {
				end = at + i
			}
			now := use{f.Name[:end], end == len(f.Name)}
			before, there := seen[folded(now.name)]
			if there && (now.file || before != now) {
				return fmt.Errorf("%w: the file names %.120q and %.120q collide", ErrHub, before.name, f.Name)
			}
			seen[folded(now.name)] = now
			at = end + 1
		}
	}
	return nil
}
