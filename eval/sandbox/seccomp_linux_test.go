//go:build amd64

package sandbox

import (
	"encoding/binary"
	"testing"

	"github.com/elastic/go-seccomp-bpf"
	"github.com/elastic/go-seccomp-bpf/arch"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// TestFilter runs the filter on system calls as the kernel would.
func TestFilter(t *testing.T) {
	const pid = 77
	const eperm, enosys = 0x00050000 | uint32(unix.EPERM), 0x00050000 | uint32(unix.ENOSYS)
	const allow = uint32(seccomp.ActionAllow)
	thread := newThread[0]
	all := uint64(1) << 63
	for name, c := range map[string]struct {
		nr     uint32
		arch   uint32
		args   [3]uint64
		a, noA uint32 // in tier A with threads, and in B
	}{
		"read":                   {nr: unix.SYS_READ, a: allow, noA: allow},
		"mkdir":                  {nr: unix.SYS_MKDIR, a: allow, noA: eperm},
		"chmod":                  {nr: unix.SYS_CHMOD, a: eperm, noA: eperm},
		"socket":                 {nr: unix.SYS_SOCKET, a: eperm, noA: eperm},
		"socketpair":             {nr: unix.SYS_SOCKETPAIR, a: eperm, noA: eperm},
		"fork":                   {nr: unix.SYS_FORK, a: eperm, noA: eperm},
		"vfork":                  {nr: unix.SYS_VFORK, a: eperm, noA: eperm},
		"clone3":                 {nr: unix.SYS_CLONE3, a: enosys, noA: enosys},
		"clone as fork":          {nr: unix.SYS_CLONE, args: [3]uint64{uint64(unix.SIGCHLD)}, a: eperm, noA: eperm},
		"clone a thread":         {nr: unix.SYS_CLONE, args: [3]uint64{thread}, a: allow, noA: eperm},
		"clone with high bits":   {nr: unix.SYS_CLONE, args: [3]uint64{thread | all}, a: eperm, noA: eperm},
		"clone with a namespace": {nr: unix.SYS_CLONE, args: [3]uint64{thread | unix.CLONE_NEWNET}, a: eperm, noA: eperm},
		"kill itself":            {nr: unix.SYS_KILL, args: [3]uint64{pid, 9}, a: allow, noA: allow},
		"kill all":               {nr: unix.SYS_KILL, args: [3]uint64{1<<64 - 1, 9}, a: eperm, noA: eperm},
		"kill the group":         {nr: unix.SYS_KILL, args: [3]uint64{0, 9}, a: eperm, noA: eperm},
		"kill another":           {nr: unix.SYS_KILL, args: [3]uint64{1, 9}, a: eperm, noA: eperm},
		"tgkill another":         {nr: unix.SYS_TGKILL, args: [3]uint64{78, 78, 9}, a: eperm, noA: eperm},
		"tkill":                  {nr: unix.SYS_TKILL, args: [3]uint64{pid, 9}, a: eperm, noA: eperm},
		"read a limit":           {nr: unix.SYS_PRLIMIT64, args: [3]uint64{0, 7, 0}, a: allow, noA: allow},
		"set a limit":            {nr: unix.SYS_PRLIMIT64, args: [3]uint64{0, 7, 0x1000}, a: eperm, noA: eperm},
		"limits of another":      {nr: unix.SYS_PRLIMIT64, args: [3]uint64{1, 7, 0}, a: eperm, noA: eperm},
		"fcntl owner":            {nr: unix.SYS_FCNTL, args: [3]uint64{0, unix.F_SETOWN, 1}, a: eperm, noA: eperm},
		"fcntl flags":            {nr: unix.SYS_FCNTL, args: [3]uint64{0, unix.F_GETFL}, a: allow, noA: allow},
		"ioctl terminal input":   {nr: unix.SYS_IOCTL, args: [3]uint64{0, unix.TIOCSTI}, a: eperm, noA: eperm},
		"ioctl with high bits":   {nr: unix.SYS_IOCTL, args: [3]uint64{0, unix.TCGETS | all}, a: eperm, noA: eperm},
		"x32 read":               {nr: unix.SYS_READ | 0x40000000, a: enosys, noA: enosys},
		"32-bit exit":            {nr: 1, arch: uint32(arch.I386.ID), a: eperm, noA: eperm},
		"what is not made yet":   {nr: 9999, a: eperm, noA: eperm},
		"no number":              {nr: 1<<32 - 1, a: enosys, noA: enosys},
	} {
		for tier, want := range map[Tier]uint32{Namespaces: c.a, Landlock: c.noA} {
			st := stage{Tier: tier, Threads: tier == Namespaces}
			policy := st.policy(pid, arch.X86_64.SyscallNames)
			program, err := policy.Assemble()
			require.NoError(t, err)
			vm, err := bpf.NewVM(program)
			require.NoError(t, err)
			// struct seccomp_data. The virtual machine reads numbers in network order.
			data := make([]byte, 64)
			word := func(at int, v uint32) { binary.BigEndian.PutUint32(data[at:], v) }
			word(0, c.nr)
			word(4, c.arch)
			if c.arch == 0 {
				word(4, uint32(arch.X86_64.ID))
			}
			for i, arg := range c.args {
				word(16+8*i, uint32(arg))
				word(20+8*i, uint32(arg>>32))
			}
			got, err := vm.Run(data)
			require.NoError(t, err)
			assert.Equal(t, want, uint32(got), "%s in tier %s", name, tier)
		}
	}
}
