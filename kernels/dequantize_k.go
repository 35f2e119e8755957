package kernels

// Blocks of 256 weights ("K"): sub-blocks of 16 or 32 weights have small integer
// scales, which count in units of one half float per block.
//
// Two of the layouts have offsets: w = d·scale·q - dmin·min. The products are
// exact in single precision (11 significant bits, 6 and 5), so that fusing them
// with the subtraction changes nothing. Q6_K has no sum, and rounds once.

// scaleMinK returns the scale and the min of sub-block j of a Q4_K or Q5_K
// block, each of 6 bits. Bytes 0 to 3 hold the scales and 4 to 7 the mins of the
// first four sub-blocks. Bytes 8 to 11 hold the low nibbles of the others, scale
// low and min high; their upper 2 bits are on top of bytes 0 to 3 and 4 to 7.
func scaleMinK(s *[12]byte, j int) (scale, min byte) {
	if j < 4 {
		return s[j] & 63, s[j+4] & 63
	}
	return s[j+4]&15 | s[j-4]>>6<<4, s[j+4]>>4 | s[j]>>6<<4
}

// dequantizeQ2_K: 16 bytes of scale (low nibble) and min (high), 64 bytes of 2
// bits, d, dmin. Weight i is in byte 32·(i/128) + i%32, at bit 2·(i%128/32).
func dequantizeQ2_K(dst *[256]float32, b *[84]byte) {
	d, dmin := halfs[le.Uint16(b[80:])], halfs[le.Uint16(b[82:])]
	for j, s := range b[:16] {
		scale, offset := d*float32(s&15), dmin*float32(s>>4)
		qs, shift := b[16+j/8*32+j%2*16:], j%8/2*2
		out := dst[16*j : 16*j+16]
		for i := range out {
			out[i] = float32(scale*float32(qs[i]>>shift&3)) - offset
		}
	}
}

// dequantizeQ3_K: 32 bytes of high bits, 64 bytes of 2 bits as in Q2_K, 12 bytes
// of scales, d. Bit i/32 of high byte i%32 is worth 4; w = d·scale·(q-4).
//
// The scales have 6 bits and count from -32. The low four bits of scale j are
// nibble j/8 of byte j%8, the upper two at bit 2·(j/4) of byte 8 + j%4.
func dequantizeQ3_K(dst *[256]float32, b *[110]byte) {
	d := halfs[le.Uint16(b[108:])]
	scales := b[96:108]
	for j := range 16 {
		s := scales[j%8]>>(j/8*4)&15 | scales[8+j%4]>>(j/4*2)&3<<4
		scale := d * float32(int(s)-32)
		high, qs := b[j%2*16:], b[32+j/8*32+j%2*16:]
		out := dst[16*j : 16*j+16]
		for i := range out {
			q := qs[i]>>(j%8/2*2)&3 | high[i]>>(j/2)&1<<2
			out[i] = scale * float32(int(q)-4)
		}
	}
}

// dequantizeQ4_K: d, dmin, 12 bytes of scales and mins, 128 bytes of nibbles.
// Weight i is in byte 32·(i/64) + i%32, in the low nibble where i/32 is even.
func dequantizeQ4_K(dst *[256]float32, b *[144]byte) {
	d, dmin := halfs[le.Uint16(b[:])], halfs[le.Uint16(b[2:])]
	for j := range 8 {
		s, m := scaleMinK((*[12]byte)(b[4:]), j)
		scale, offset := d*float32(s), dmin*float32(m)
		qs, shift := b[16+j/2*32:], j%2*4
		out := dst[32*j : 32*j+32]
		for i := range out {
			out[i] = float32(scale*float32(qs[i]>>shift&15)) - offset
		}
	}
}

// dequantizeQ5_K: as Q4_K, with 32 bytes of fifth bits before the nibbles: bit
// i/32 of byte i%32.
func dequantizeQ5_K(dst *[256]float32, b *[176]byte) {
	d, dmin := halfs[le.Uint16(b[:])], halfs[le.Uint16(b[2:])]
	high := b[16:48]
	for j := range 8 {
		s, m := scaleMinK((*[12]byte)(b[4:]), j)
		scale, offset := d*float32(s), dmin*float32(m)
		qs, shift := b[48+j/2*32:], j%2*4
		out := dst[32*j : 32*j+32]
		for i := range out {
			out[i] = float32(scale*float32(qs[i]>>shift&15|high[i]>>j&1<<4)) - offset
		}
	}
}

// dequantizeQ6_K: 128 bytes of low nibbles, 64 bytes of upper 2 bits, 16 signed
// scales, d; w = d·scale·(q-32). With g = i%128/32, the nibble of weight i is
// nibble g/2 of byte 64·(i/128) + 32·(g%2) + i%32, and its upper bits are at bit
// 2·g of byte 32·(i/128) + i%32.
func dequantizeQ6_K(dst *[256]float32, b *[210]byte) {
	d := halfs[le.Uint16(b[208:])]
	for j, s := range b[192:208] {
		scale := d * float32(int8(s))
		half, g, from := j/8, j%8/2, j%2*16
		low, high := b[64*half+g%2*32+from:], b[128+32*half+from:]
		out := dst[16*j : 16*j+16]
		for i := range out {
			q := low[i]>>(g/2*4)&15 | high[i]>>(2*g)&3<<4
			out[i] = scale * float32(int(q)-32)
		}
	}
}
