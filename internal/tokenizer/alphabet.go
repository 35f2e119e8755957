package tokenizer

// Byte-level vocabularies spell tokens with one printable character for each
// byte, so that any token is readable text in a JSON file. The mapping was made
// for GPT-2: the bytes that are printable in Latin-1 stand for themselves, and
// the others are given the characters from U+0100 on, in order. A space is thus
// spelled U+0120 (Ġ) and a line feed U+010A (Ċ).

// alphabet is the character of each byte.
var alphabet = func() (a [256]rune) {
	next := rune(256)
	for b := range a {
		if b >= '!' && b <= '~' || b >= 0xA1 && b <= 0xAC || b >= 0xAE {
			a[b] = rune(b)
		} else {
			a[b] = next
			next++
		}
	}
	return a
}()

// alphabetByte is the inverse of alphabet, with -1 for characters that stand for
// no byte.
var alphabetByte = func() (inv [256 + 68]int16) {
	for i := range inv {
		inv[i] = -1
	}
	for b, r := range alphabet {
		inv[r] = int16(b)
	}
	return inv
}()

// spelledBytes returns the bytes that a token's spelling stands for. A token with
// any other character stands for its own text, as in the Hugging Face decoder;
// encoding never produces such a token.
func spelledBytes(text string) string {
	b := make([]byte, 0, len(text))
	for _, r := range text {
		if int(r) >= len(alphabetByte) || alphabetByte[r] < 0 {
			return text
		}
		b = append(b, byte(alphabetByte[r]))
	}
	return string(b)
}
