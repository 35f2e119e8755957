//go:build !linux && !darwin

package bench

import "os"

// affinity returns nil: not known.
func affinity() []int { return nil }

// processorName returns what Windows tells every process, and other systems do not.
func processorName() string { return os.Getenv("PROCESSOR_IDENTIFIER") }
