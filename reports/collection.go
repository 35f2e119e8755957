package reports

// Collection is all results of a folder and the folders in it.
type Collection struct {
	Title string // of its report; empty: NewReport's

	Benches       []Result[Bench]
	Sweeps        []Result[Sweep]
	Evals         []Result[Run]
	Divergences   []Result[Divergence]   // of kld
	Verifications []Result[Verification] // of verify
	Conversions   []Result[Conversion]   // of convert and quantize
	Traces        []Result[Trace]

	Problems []Problem
}

// Result is one result and where it is from.
type Result[T any] struct {
	Path  string // in the folder
	Value *T
}

// Problem is a file that cannot be read as the result that it seems to be, or what is
// missing in one that can.
type Problem struct {
	Path string
	Text string // one line
}

// Collect reads the results in a folder. A file that is none is passed over; one that is
// damaged or of a newer version is a Problem. An error means that the folder cannot be read.
func Collect(dir string) (*Collection, error) { return &Collection{}, nil }
