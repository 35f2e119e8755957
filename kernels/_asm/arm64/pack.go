package main

// packs prints what interleaves the rows of a tile.
func packs(w *writer) {
	w.function("interleave", "dst, src *byte, row, blocks, tileRows, first, size, halfAt, halfs, dwordAt, quads, singles int", "", 0,
		"interleave is interleavePlain of eight rows that are row bytes long, all of a tile, with quads·4 + singles\n"+
			"dwords, at least four of them, one half float and one block.")
	dst, size, blocks := w.argument("dst"), w.argument("size"), w.argument("blocks")
	rows := w.registers(8)
	at, n, from, v := w.register(), w.register(), w.register(), w.register()
	w.reload("src", rows[0])
	w.reload("row", n)
	for r := range rows[1:] {
		w.emit("ADD %s, %s, %s", n, rows[r], rows[r+1])
	}
	w.loop("block", blocks, func() {
		w.reload("halfAt", at)
		w.reload("halfs", n)
		w.loop("half", n, func() {
			for r, p := range rows {
				w.emit("ADD %s, %s, %s", at, p, from)
				w.emit("MOVHU (%s), %s", from, v)
				w.emit("MOVH %s, %d(%s)", v, 2*r, dst)
			}
			w.emit("ADD $2, %s", at)
			w.emit("ADD $16, %s", dst)
		})
		w.reload("dwordAt", at)
		w.reload("quads", n)
		w.loop("quad", n, func() {
			for h := range 2 { // of four rows each
				q := w.many(4)
				for i := range q {
					w.emit("ADD %s, %s, %s", at, rows[4*h+i], from)
					w.load(from, 0, q[i])
				}
				w.transpose(q)
				for i := range q {
					w.store(q[i], dst, 32*i+16*h)
				}
				w.release(q...)
			}
			w.emit("ADD $16, %s", at)
			w.emit("ADD $128, %s", dst)
		})
		w.reload("singles", n)
		w.emit("CBZ %s, next", n)
		w.loop("single", n, func() {
			for r, p := range rows {
				w.emit("ADD %s, %s, %s", at, p, from)
				w.emit("MOVWU (%s), %s", from, v)
				w.emit("MOVW %s, %d(%s)", v, 4*r, dst)
			}
			w.emit("ADD $4, %s", at)
			w.emit("ADD $32, %s", dst)
		})
		w.label("next")
		for _, p := range rows {
			w.emit("ADD %s, %s", size, p)
		}
	})
	w.emit("RET")
}

// transpose makes four vectors of the first dwords of four, the second ones, and so on.
func (w *writer) transpose(v []vec) {
	z := w.many(4)
	for i := range 2 {
		w.do(zip32, z[i], v[i], v[i+2])
		w.do(zip32h, z[i+2], v[i], v[i+2])
	}
	for i := range 2 {
		w.do(zip32, v[2*i], z[2*i], z[2*i+1])
		w.do(zip32h, v[2*i+1], z[2*i], z[2*i+1])
	}
	w.release(z...)
}
