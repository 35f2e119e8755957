//go:build !unix

package datasets

const openFlags = 0
