//go:build unix

package datasets

import "syscall"

// openFlags keep the opening from following a link that somebody laid, and from waiting
// for the other end of a pipe.
const openFlags = syscall.O_NOFOLLOW | syscall.O_NONBLOCK
