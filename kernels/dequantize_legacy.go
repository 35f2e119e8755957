package kernels

// Blocks of 32 weights with a scale of their own and, in the _1 layouts, an
// offset. Byte k of the nibbles holds weight k in its low and weight k+16 in
// its high half; bit i of the fifth bits belongs to weight i.
//
// A half times such a code is exact in single precision: 11 significant bits
// and at most 8. So it makes no difference whether a processor fuses the product
// with the sum that follows it, and every weight has one value everywhere.

// dequantizeQ4_1: d, m, 16 bytes of nibbles; w = d·q + m.
func dequantizeQ4_1(dst *[32]float32, b *[20]byte) {
	d, m := halfs[le.Uint16(b[:])], halfs[le.Uint16(b[2:])]
	for k, q := range b[4:] {
		dst[k] = float32(d*float32(q&15)) + m
		dst[k+16] = float32(d*float32(q>>4)) + m
	}
}

// dequantizeQ5_0: d, 4 bytes of fifth bits, 16 bytes of nibbles; w = d·(q-16).
func dequantizeQ5_0(dst *[32]float32, b *[22]byte) {
	d, high := halfs[le.Uint16(b[:])], le.Uint32(b[2:])
	for k, q := range b[6:] {
		dst[k] = d * float32(int(uint32(q&15)|high>>k&1<<4)-16)
		dst[k+16] = d * float32(int(uint32(q>>4)|high>>(k+16)&1<<4)-16)
	}
}

// dequantizeQ5_1: d, m, 4 bytes of fifth bits, 16 bytes of nibbles; w = d·q + m.
func dequantizeQ5_1(dst *[32]float32, b *[24]byte) {
	d, m, high := halfs[le.Uint16(b[:])], halfs[le.Uint16(b[2:])], le.Uint32(b[4:])
	for k, q := range b[8:] {
		dst[k] = float32(d*float32(uint32(q&15)|high>>k&1<<4)) + m
		dst[k+16] = float32(d*float32(uint32(q>>4)|high>>(k+16)&1<<4)) + m
	}
}
