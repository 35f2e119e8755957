package stats

import "math"

// Detectable returns the smallest difference of two accuracies on the same n documents
// that the paired test sees with a power of 0.8 at the level 0.05, if the share of
// documents that only one of the runs has right is discordant. It solves Connor's (1987,
// Biometrics 43, 207-211) n = (z₁ √ψ + z₂ √(ψ - δ²))² / δ² for δ. A difference needs as
// large a share of discordant documents: where that is more than was stated, it is taken.
func Detectable(n, discordant float64) float64 {
	if n <= 0 {
		return 1
	}
	// The positive root of (n + z₂²) δ² - 2 z₁ √(ψn) δ + (z₁² - z₂²) ψ = 0.
	root := n + zPower*zPower - z*z
	if root >= 0 {
		d := math.Sqrt(discordant) * (z*math.Sqrt(n) + zPower*math.Sqrt(root)) / (n + zPower*zPower)
		if d <= discordant {
			return d
		}
	}
	// ψ = δ: n = (z₁ + z₂ √(1 - δ))² / δ, which falls with δ.
	low, high := 0.0, 1.0
	for range 60 {
		d := (low + high) / 2
		if needed := z + zPower*math.Sqrt(1-d); needed*needed/d > n {
			low = d
		} else {
			high = d
		}
	}
	return high
}

// Discordant returns a share of documents that only one of two runs has right, where both
// have the accuracy share and their answers correlate by correlation: 2 p (1-p) (1-r).
func Discordant(share, correlation float64) float64 {
	return 2 * share * (1 - share) * (1 - correlation)
}

// DetectableBetween is Detectable for as many documents that differ as pairs do, where
// documents have several answers: (z₁ + z₂) times the standard error of the difference,
// with documents as clusters (Miller 2024, arXiv 2411.00640, section 5). One answer more
// is taken to differ, since pairs without a difference do not mean that there is none.
func DetectableBetween(pairs []Pair) float64 {
	var sum, answers, n float64
	for _, p := range pairs {
		if p.Answers > 0 {
			sum += float64(p.B - p.A)
			answers += float64(p.Answers)
			n++
		}
	}
	if n < 2 {
		return 1
	}
	squares := 1.0
	for _, p := range pairs {
		residual := float64(p.B-p.A) - sum/answers*float64(p.Answers)
		squares += residual * residual
	}
	return min(1, (z+zPower)*math.Sqrt(squares*n/(n-1))/answers)
}
