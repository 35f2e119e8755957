package stats

// PassAtK returns the unbiased estimate of the probability that at least one of k answers
// is right, of n answers of which c were (Chen et al. 2021, arXiv 2107.03374, equation 1):
// 1 - C(n-c, k) / C(n, k). It needs n >= k >= 1.
func PassAtK(n, c, k int) float64 {
	if n-c < k {
		return 1
	}
	wrong := 1.0
	for i := n - c + 1; i <= n; i++ {
		wrong *= 1 - float64(k)/float64(i)
	}
	return 1 - wrong
}
