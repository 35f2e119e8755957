package datasets

import "errors"

// State says whether a data set can be read.
type State string

const (
	Embedded State = "embedded" // in the program
	OK       State = "ok"       // a file with the registered sha256
	Missing  State = "missing"  // not on this machine
	Damaged  State = "damaged"  // a file that is another, or that cannot be read
)

// Found is where a registered data set is.
type Found struct {
	Set
	State   State  `json:"state"`
	Path    string `json:"path"`    // empty for embedded and missing ones
	Problem string `json:"problem"` // of a damaged one, in one line
}

// Status looks for all registered data sets where [Open] does, without fetching them,
// and computes their sha256. opt.File is not looked at.
func Status(opt Options) []Found {
	var all []Found
	for _, set := range sets {
		f := Found{Set: set, State: OK}
		var err error
		_, f.Path, err = set.find(opt)
		switch {
		case errors.Is(err, ErrMissing):
			f.State = Missing
		case err != nil:
			f.State, f.Problem = Damaged, err.Error()
		case set.Embedded():
			f.State = Embedded
		}
		all = append(all, f)
	}
	return all
}
