package quant

import "encoding/binary"

// The K layouts as bytes; kernels/dequantize_k.go describes them.

func packQ2_K(dst *[84]byte, b *super) {
	for j := range 16 {
		dst[j] = byte(b.scale[j] | b.min[j]<<4)
	}
	packPairs((*[64]byte)(dst[16:]), &b.code, 0)
	binary.LittleEndian.PutUint16(dst[80:], b.d)
	binary.LittleEndian.PutUint16(dst[82:], b.dmin)
}

func packQ3_K(dst *[110]byte, b *super) {
	clear(dst[:32])
	for i, q := range b.code {
		if q >= 0 {
			dst[i%32] |= 1 << (i / 32)
		}
	}
	packPairs((*[64]byte)(dst[32:]), &b.code, 4)
	clear(dst[96:108])
	for j, s := range b.scale {
		s := byte(s + 32)
		dst[96+j%8] |= s & 15 << (j / 8 * 4)
		dst[104+j%4] |= s >> 4 << (j / 4 * 2)
	}
	binary.LittleEndian.PutUint16(dst[108:], b.d)
}

// packPairs writes the lower two bits of each code plus base.
func packPairs(dst *[64]byte, codes *[256]int8, base int8) {
	for k := range dst {
		c := codes[k/32*128+k%32:]
		dst[k] = byte(c[0]+base)&3 | byte(c[32]+base)&3<<2 | byte(c[64]+base)&3<<4 | byte(c[96]+base)&3<<6
	}
}

func packQ4_K(dst *[144]byte, b *super) {
	packScaleMin((*[16]byte)(dst[:]), b)
	for k := range 128 {
		c := b.code[k/32*64+k%32:]
		dst[16+k] = byte(c[0] | c[32]<<4)
	}
}

func packQ5_K(dst *[176]byte, b *super) {
	packScaleMin((*[16]byte)(dst[:]), b)
	clear(dst[16:48])
	for i, q := range b.code {
		dst[16+i%32] |= byte(q) >> 4 << (i / 32)
	}
	for k := range 128 {
		c := b.code[k/32*64+k%32:]
		dst[48+k] = byte(c[0])&15 | byte(c[32])<<4
	}
}

// packScaleMin writes d, dmin, and eight scales and mins of 6 bits.
func packScaleMin(dst *[16]byte, b *super) {
	binary.LittleEndian.PutUint16(dst[:], b.d)
	binary.LittleEndian.PutUint16(dst[2:], b.dmin)
	s := dst[4:]
	for j := range 4 {
		scale, min := byte(b.scale[j+4]), byte(b.min[j+4])
		s[j] = byte(b.scale[j]) | scale>>4<<6
		s[j+4] = byte(b.min[j]) | min>>4<<6
		s[j+8] = scale&15 | min<<4
	}
}

func packQ6_K(dst *[210]byte, b *super) {
	clear(dst[:192])
	for i, q := range b.code {
		q := byte(q + 32)
		half, g, l := i/128, i%128/32, i%32
		dst[64*half+g%2*32+l] |= q & 15 << (g / 2 * 4)
		dst[128+32*half+l] |= q >> 4 << (2 * g)
	}
	for j, s := range b.scale {
		dst[192+j] = byte(s)
	}
	binary.LittleEndian.PutUint16(dst[208:], b.d)
}
