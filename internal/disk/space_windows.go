package disk

import "golang.org/x/sys/windows"

// free returns how many bytes this user may still write to the file system of dir; false
// if it does not say.
func free(dir string) (uint64, bool) {
	name, err := windows.UTF16PtrFromString(dir)
	if err != nil {
		return 0, false
	}
	var n uint64
	if windows.GetDiskFreeSpaceEx(name, &n, nil, nil) != nil {
		return 0, false
	}
	return n, true
}
