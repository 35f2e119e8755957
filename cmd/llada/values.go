package main

import (
	"fmt"
	"strconv"
	"strings"
)

// parseIDs reads token ids separated by commas; nothing gives none.
func parseIDs(s string) ([]int32, error) {
	ids := []int32{}
	if strings.TrimSpace(s) == "" {
		return ids, nil
	}
	for part := range strings.SplitSeq(s, ",") {
		id, err := strconv.ParseInt(strings.TrimSpace(part), 10, 32)
		if err != nil {
			return nil, usagef("--ids: %q is not a token id", part)
		}
		ids = append(ids, int32(id))
	}
	return ids, nil
}

// joinIDs writes what parseIDs reads.
func joinIDs(ids []int32) string {
	return strings.Trim(strings.ReplaceAll(fmt.Sprint(ids), " ", ","), "[]")
}

// units are what may follow the number of a size, in any case.
var units = map[string]float64{
	"": 1, "b": 1, "kb": 1e3, "mb": 1e6, "gb": 1e9, "tb": 1e12,
	"kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30, "tib": 1 << 40,
}

// parseSize reads a number of bytes such as 40GiB, 500MB or 1048576.
func parseSize(s string) (uint64, error) {
	number := strings.TrimRightFunc(s, func(r rune) bool { return r < '0' || r > '9' })
	scale := units[strings.ToLower(strings.TrimSpace(s[len(number):]))]
	v, err := strconv.ParseFloat(number, 64)
	if err != nil || scale == 0 || !(v*scale >= 1 && v*scale < 1<<62) {
		return 0, fmt.Errorf("%q is not a size such as 40GiB", s)
	}
	return uint64(v * scale), nil
}

// size formats a number of bytes.
func size(n uint64) string {
	switch {
	case n >= 1<<30:
		return fmt.Sprintf("%.2f GiB", float64(n)/(1<<30))
	case n >= 1<<20:
		return fmt.Sprintf("%.2f MiB", float64(n)/(1<<20))
	case n >= 1<<10:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	}
	return fmt.Sprintf("%d B", n)
}
