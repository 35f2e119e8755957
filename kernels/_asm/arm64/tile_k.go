package main

// What the stack holds for Q4_K and Q5_K: factors of eight blocks of 32 weights,
// whole numbers, and their offsets, each for eight rows.
const (
	kOffsets = 8 * 32
	kFrame   = 2 * kOffsets
)

// q4K: after 32 bytes of scales and 96 of 6-bit scales and mins, 64 weights have 32
// bytes a row, the first 32 weights in the low nibbles.
func (t *tiler) q4K() { t.pairs(32+96, 0) }

// q5K: as Q4_K, with the fifth bits before the nibbles.
func (t *tiler) q5K() { t.pairs(32+96+256, 32+96) }

// pairs multiplies the 256 weights of Q4_K and Q5_K, 64 at a time.
func (t *tiler) pairs(disp, fifths int) {
	t.idle(t.scalesAndMins)
	q, f, k, n := t.register(), t.register(), t.register(), t.register()
	t.emit("ADD $%d, %s, %s", disp, t.w, q)
	t.emit("ADD $%d, %s, %s", fifths, t.w, f)
	t.emit("MOVD $factors-%d(SP), %s", kFrame, k)
	t.emit("MOVD $4, %s", n)
	t.loop("pair", n, func() {
		for i := range 2 {
			x := i * xBytes
			if fifths == 0 {
				t.begin(unbiased, x)
			} else {
				t.begin(raised, x)
			}
			codes, high := t.pair(), [2]vec{}
			if fifths > 0 {
				high = t.pair()
				t.load2(f, 32*i, high)
				t.flip(high)
			}
			for g := range 8 {
				t.load2(q, 32*g, codes)
				for h := range codes {
					if i == 1 {
						t.do(ushr8, codes[h], codes[h], 4)
					} else if fifths == 0 {
						t.do(and, codes[h], codes[h], t.mask)
					}
				}
				if fifths > 0 {
					t.lower(codes, high, g)
				}
				t.multiply(codes, g)
			}
			t.release(codes[:]...)
			if fifths > 0 {
				t.release(high[:]...)
			}
			factor := t.pair()
			t.load2(k, 32*i, factor)
			for _, s := range t.sum {
				for h := range s {
					t.do(mul32, s[h], s[h], factor[h])
				}
			}
			t.release(factor[:]...)
			t.addScaled(t.scales(0), x)
			offset := t.pair()
			t.load2(k, kOffsets+32*i, offset)
			t.addOffset(offset)
		}
		t.emit("ADD $256, %s", q)
		t.emit("ADD $64, %s", f)
		t.emit("ADD $64, %s", k)
		t.advance(2)
	})
	t.drop(q, f, k, n)
}

// idle prints what needs neither sums nor codes of activations, and may use their
// registers.
func (t *tiler) idle(f func()) {
	before := t.vectors
	for r := range t.sum {
		t.release(t.sum[r][:]...)
		t.release(t.codes[r][:]...)
	}
	f()
	t.vectors = before
}

// scalesAndMins unpacks the scales and mins of Q4_K and Q5_K to the stack. Each row
// has three dwords of them from byte 32 on. Factor j is scale j, and offset j is
// -dmin times min j.
func (t *tiler) scalesAndMins() {
	k := t.register()
	t.emit("MOVD $factors-%d(SP), %s", kFrame, k)
	dmin := t.scales(16)
	six, low, upper := t.bytes(63), t.bytes(15), t.bytes(0x30)
	s, m, v := t.vector(), t.vector(), t.vector()
	for h := range 2 {
		t.do(fneg, dmin[h], dmin[h])
		dword := t.many(3)
		for i := range dword {
			t.load(t.w, 32+32*i+16*h, dword[i])
		}
		for half := range 2 {
			// The first four are six bits of the first two dwords. Of the others, the
			// third has the low four bits, and those two the upper ones.
			if half == 0 {
				t.do(and, s, dword[0], six)
				t.do(and, m, dword[1], six)
			} else {
				t.do(ushr8, m, dword[2], 4)
				t.do(and, s, dword[2], low)
				for i, v := range []vec{s, m} {
					t.do(ushr8, dword[i], dword[i], 2)
					t.do(and, dword[i], dword[i], upper)
					t.do(orr, v, v, dword[i])
				}
			}
			for i := range 4 {
				at := 32*(4*half+i) + 16*h
				t.do(shl32, v, s, 24-8*i)
				t.do(ushr32, v, v, 24)
				t.store(v, k, at)
				t.do(shl32, v, m, 24-8*i)
				t.do(ushr32, v, v, 24)
				t.do(scvtf, v, v)
				t.do(fmul, v, v, dmin[h])
				t.store(v, k, kOffsets+at)
			}
		}
		t.release(dword...)
	}
	t.drop(k)
}

// q6K: after 16 bytes of scales, 128 weights have 64 bytes of nibbles a row and 32
// bytes of upper bits: the first 64 weights are low nibbles, and the 32 weights g
// have bits 2·g of the upper ones. Then there are 16 bytes of factors a row, each of
// 16 weights.
//
// Sums of 16 weights and their total take the registers of two halfs, so that four
// rows of weights are done after the other four.
func (t *tiler) q6K() {
	const low, high, factors = 16, 16 + 8*128, 16 + 8*(128+64)
	q, u, f, n := t.register(), t.register(), t.register(), t.register()
	t.emit("ADD $%d, %s, %s", low, t.w, q)
	t.emit("ADD $%d, %s, %s", high, t.w, u)
	t.emit("ADD $%d, %s, %s", factors, t.w, f)
	t.emit("MOVD $2, %s", n)
	nibble, two, bias := t.bytes(15), t.bytes(0x30), t.bytes(32)
	t.loop("half", n, func() {
		for g := range 4 {
			for r, x := range t.x {
				t.load2(x, g*xBytes, t.codes[r])
			}
			for h := range 2 {
				for part := range 2 {
					for _, s := range t.sum {
						t.zero(s[0])
					}
					codes, upper := t.vector(), t.vector()
					for k := 4 * part; k < 4*part+4; k++ {
						t.load(q, 256*(g%2)+32*k+16*h, codes)
						t.load(u, 32*k+16*h, upper)
						if g < 2 {
							t.do(and, codes, codes, nibble)
						} else {
							t.do(ushr8, codes, codes, 4)
						}
						if g < 2 {
							t.do(shl8, upper, upper, 4-2*g)
						} else if g > 2 {
							t.do(ushr8, upper, upper, 2*g-4)
						}
						t.do(and, upper, upper, two)
						t.do(orr, codes, codes, upper)
						t.do(sub, codes, codes, bias)
						for r, c := range t.codes {
							t.do(sdot, t.sum[r][0], codes, c[part], k%4)
						}
					}
					t.release(codes, upper)
					factor := t.vector()
					t.load(f, 32*(g/2)+16*h, factor)
					t.do(shl32, factor, factor, 24-8*(g%2*2+part))
					t.do(sshr32, factor, factor, 24)
					for _, s := range t.sum {
						if part == 0 {
							t.do(mul32, s[1], s[0], factor)
						} else {
							t.do(mla32, s[1], s[0], factor)
						}
					}
					t.release(factor)
				}
				scale, d, header := t.vector(), t.vector(), t.vector()
				t.load(t.w, 0, scale)
				t.do([]op{fromHalf, fromHalfs}[h], scale, scale)
				for r, s := range t.sum {
					t.load(t.x[r], g*xBytes+xHeader, header)
					t.do(fmulLane, d, scale, header, xScale)
					t.do(scvtf, s[1], s[1])
					t.do(fmla, t.acc[r][h], d, s[1])
				}
				t.release(scale, d, header)
			}
		}
		t.emit("ADD $512, %s", q)
		t.emit("ADD $256, %s", u)
		t.emit("ADD $64, %s", f)
		t.advance(4)
	})
	t.release(nibble, two, bias)
	t.drop(q, u, f, n)
}
