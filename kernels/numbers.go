package kernels

// Numbers are what the codes of 32 weights stand for: weight k is
//
//	d · factor[k/16] · q[k] + offset[k/16]
//
// and its block's product with a block of activations x is, in this order and
// with one rounding each, added to the sum of the row:
//
//	(d·x.scale) · Σ factor[k/16]·q[k]·x.q[k]
//	offset · x.sum
//
// The sum over k is a whole number below 2^24, hence exact. Where the two offsets
// differ, in Q2_K, each is multiplied with its half of the codes.
type numbers struct {
	q      [blockLen]int8
	factor [2]int32
	d      float32
	offset [2]float32
}

// decode writes the numbers of a block of layout t, len(dst)·32 weights, to dst.
// It knows the block formats alone.
func decode(t Type, dst []numbers, b []byte) {
	switch t {
	case Q4_0:
		dst[0] = numbers{d: half(b, 0), factor: [2]int32{1, 1}}
		for i := range dst[0].q {
			dst[0].q[i] = nibble(b[2:], i) - 8
		}
	case Q4_1:
		m := half(b, 2)
		dst[0] = numbers{d: half(b, 0), factor: [2]int32{1, 1}, offset: [2]float32{m, m}}
		for i := range dst[0].q {
			dst[0].q[i] = nibble(b[4:], i)
		}
	case Q5_0:
		dst[0] = numbers{d: half(b, 0), factor: [2]int32{1, 1}}
		for i := range dst[0].q {
			dst[0].q[i] = nibble(b[6:], i) + int8(le.Uint32(b[2:])>>i&1<<4) - 16
		}
	case Q5_1:
		m := half(b, 2)
		dst[0] = numbers{d: half(b, 0), factor: [2]int32{1, 1}, offset: [2]float32{m, m}}
		for i := range dst[0].q {
			dst[0].q[i] = nibble(b[8:], i) + int8(le.Uint32(b[4:])>>i&1<<4)
		}
	case Q8_0:
		dst[0] = numbers{d: half(b, 0), factor: [2]int32{1, 1}}
		for i := range dst[0].q {
			dst[0].q[i] = int8(b[2+i])
		}
	case IQ4_NL:
		dst[0] = numbers{d: half(b, 0), factor: [2]int32{1, 1}}
		for i := range dst[0].q {
			dst[0].q[i] = ValuesIQ4_NL[nibble(b[2:], i)]
		}
	case MXFP4:
		dst[0] = numbers{d: halfE8M0(b[0]), factor: [2]int32{1, 1}}
		for i := range dst[0].q {
			dst[0].q[i] = ValuesMXFP4[nibble(b[1:], i)]
		}
	default:
		decodeK(t, dst, b)
	}
}

// decodeK is decode of the layouts of 256 weights.
func decodeK(t Type, dst []numbers, b []byte) {
	for j := range dst {
		n := &dst[j]
		*n = numbers{}
		part, at := j/4, j%4 // which half of the block, and which 32 weights of it
		switch t {
		case Q2_K:
			n.d = half(b, 80)
			for h, s := range b[2*j : 2*j+2] {
				n.factor[h], n.offset[h] = int32(s&15), -half(b, 82)*float32(s>>4)
			}
			for i := range n.q {
				n.q[i] = int8(b[16+32*part+i] >> (2 * at) & 3)
			}
		case Q3_K:
			n.d = half(b, 108)
			for h := range n.factor {
				k := 2*j + h
				s := b[96+k%8]>>(k/8*4)&15 | b[104+k%4]>>(k/4*2)&3<<4
				n.factor[h] = int32(s) - 32
			}
			for i := range n.q {
				n.q[i] = int8(b[32+32*part+i]>>(2*at)&3|b[i]>>j&1<<2) - 4
			}
		case Q4_K, Q5_K:
			scale, low := scaleMinK((*[12]byte)(b[4:]), j)
			m := -half(b, 2) * float32(low)
			n.d, n.factor, n.offset = half(b, 0), [2]int32{int32(scale), int32(scale)}, [2]float32{m, m}
			for i := range n.q {
				if t == Q4_K {
					n.q[i] = int8(b[16+j/2*32+i] >> (j % 2 * 4) & 15)
				} else {
					n.q[i] = int8(b[48+j/2*32+i]>>(j%2*4)&15 | b[16+i]>>j&1<<4)
				}
			}
		case Q6_K:
			n.d = half(b, 208)
			n.factor = [2]int32{int32(int8(b[192+2*j])), int32(int8(b[193+2*j]))}
			for i := range n.q {
				n.q[i] = int8(b[64*part+at%2*32+i]>>(at/2*4)&15|b[128+32*part+i]>>(2*at)&3<<4) - 32
			}
		default:
			panic("kernels: numbers of an unknown layout") // NewMatrix keeps such types out
		}
	}
}

func half(b []byte, at int) float32 { return halfs[le.Uint16(b[at:])] }

// nibble returns code i of 32: byte k holds those of weights k and k+16.
func nibble(b []byte, i int) int8 { return int8(b[i%16] >> (i / 16 * 4) & 15) }
