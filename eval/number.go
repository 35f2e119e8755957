package eval

import (
	"math/big"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Bounds of what is read as a number, so that no answer costs more than a pass over it.
const (
	maxNumberText = 400 // bytes of the phrase that holds a number
	maxDigits     = 64
)

// gap stands for a space that may separate thousands, such as LaTeX's \, and U+00A0.
const gap = '\u2009'

var (
	negative      = regexp.MustCompile(`-\s*(\\[dtc]?frac)\s*\{`)
	fraction      = regexp.MustCompile(`\\[dtc]?frac\s*\{([^{}]*)\}\s*\{([^{}]*)\}`)
	shortFraction = regexp.MustCompile(`\\[dtc]?frac\s*(\d)\s*(\d)`)
	command       = regexp.MustCompile(`\\[A-Za-z]+\*?`)

	dressing = strings.NewReplacer(
		`{,}`, ",", `\!`, "", `\,`, string(gap), `\;`, string(gap), `\:`, string(gap), `\ `, string(gap), "~", string(gap),
		"\u00a0", string(gap), "\u202f", string(gap),
		`\%`, " ", `\(`, " ", `\)`, " ", `\[`, " ", `\]`, " ", `\{`, " ", `\}`, " ", `\\`, " ", "{", "", "}", "",
		"-$", "-", `-\$`, "-", "−$", "-", `−\$`, "-", `\$`, " ", "$", " ", "€", " ", "£", " ", "¥", " ", "₹", " ", "%", " ", "°", " ",
		"**", " ", "__", " ", "`", "",
		"−", "-", "－", "-", "﹣", "-", "≈", "=", "½", " 1/2", "¼", " 1/4", "¾", " 3/4", "⁄", "/",
		"０", "0", "１", "1", "２", "2", "３", "3", "４", "4", "５", "5", "６", "6", "７", "7", "８", "8", "９", "9",
	)

	// rival, behind a number, says that it is not the whole of the value: it is part of
	// a term, a range, a list, or has a decimal exponent, which is not read.
	rival = regexp.MustCompile(`^(?:[eE][-+]?\d|[.,:]\d|\s*[×÷]|\s*[-–*/^+·]\s*[-\d.(]|\s*[xX]\s*\d|\s*,\s*[-+]?[\d.]|\s+(?:(?:and|or|to)\s+)?[-+]?[\d.])`)

	// ordinal is how a numbered heading goes on.
	ordinal = regexp.MustCompile(`^[.):]\s+\pL`)
)

// undress takes what surrounds numbers from a text: currency and percent signs, LaTeX,
// Markdown. LaTeX commands that format are dropped, those that calculate become a sign
// that no number goes with.
func undress(s string) string {
	s = negative.ReplaceAllString(s, " $1{-") // \frac{-1}{2}, so that the sign stays at the digits
	s = fraction.ReplaceAllString(s, " $1/$2")
	s = shortFraction.ReplaceAllString(s, " $1/$2")
	s = command.ReplaceAllStringFunc(s, func(c string) string {
		switch strings.TrimRight(c[1:], "*") {
		case "times", "cdot", "div", "pm", "sqrt", "pi", "pow", "frac", "dfrac", "tfrac", "cfrac":
			return "×"
		case "approx", "equiv", "simeq":
			return "="
		case "text", "textbf", "textit", "textrm", "mathbf", "mathrm", "mathit", "mbox", "boldsymbol", "bf", "rm", "left", "right", "big", "Big":
			return ""
		}
		return " "
	})
	return dressing.Replace(s)
}

// readNumber reads a phrase that says one number, such as the inside of \boxed: 18,
// $1,234.50, 3\frac{1}{2}, x = 5, 18 \text{ eggs}. What follows the number is its unit.
// A phrase with two numbers of which neither is after "=" says none, nor does one that
// must be calculated, nor a decimal exponent.
func readNumber(phrase string) *big.Rat {
	if len(phrase) > maxNumberText {
		return nil
	}
	s := undress(phrase)
	s = s[strings.LastIndexByte(s, '=')+1:]
	s = strings.Trim(s, " \t\r\n\"'*_()[]"+string(gap))
	if strings.HasPrefix(s, "- ") {
		s = "-" + strings.TrimLeft(s, "- ")
	}
	first, ok := nextNumber(s, 0)
	if !ok || rival.MatchString(s[first.end:]) {
		return nil
	}
	if first.start > 0 {
		if _, second := nextNumber(s, first.end); second {
			return nil
		}
	}
	return first.value(s)
}

// readHeading is readNumber for what follows "####": the number must come first, and
// not be that of a heading, as in "#### 2. Add them up".
func readHeading(line string) *big.Rat {
	if len(line) > maxNumberText {
		return nil
	}
	s := strings.TrimLeft(undress(line), " \t*_:"+string(gap))
	n, ok := nextNumber(s, 0)
	if !ok || n.start > 0 && !strings.Contains(s[:n.start], "=") || ordinal.MatchString(s[n.end:]) {
		return nil
	}
	return readNumber(line)
}

// readSentence finds the number that a sentence states: the one after its last "=", or
// the first that is no part of a term.
func readSentence(sentence string) *big.Rat {
	s := undress(sentence)
	s = s[strings.LastIndexByte(s, '=')+1:]
	term := false
	for at := 0; ; {
		n, ok := nextNumber(s, at)
		if !ok {
			return nil
		}
		was := term
		term = rival.MatchString(s[n.end:])
		if !term && !was {
			return n.value(s)
		}
		at = n.end
	}
}

// lastNumber returns the last number of a text.
func lastNumber(text string) *big.Rat {
	s := undress(text)
	var last *numeral
	for at := 0; ; {
		n, ok := nextNumber(s, at)
		if !ok {
			break
		}
		last, at = &n, n.end
	}
	if last == nil {
		return nil
	}
	return last.value(s)
}

// numeral is where an undressed text has a number.
type numeral struct {
	start, end         int
	digits             string // with the sign and the point
	numerator, divisor string // of a fraction behind the digits, as in 3 1/2; else empty
}

func (n numeral) value(s string) *big.Rat {
	r, ok := new(big.Rat).SetString(n.digits)
	if !ok {
		return nil
	}
	if n.divisor == "" {
		return r
	}
	if n.numerator == "" {
		return r.Quo(r, new(big.Rat).SetInt(whole(n.divisor)))
	}
	part := new(big.Rat).SetFrac(whole(n.numerator), whole(n.divisor))
	if s[n.start] == '-' {
		part.Neg(part)
	}
	return r.Add(r, part)
}

// whole reads decimal digits.
func whole(digits string) *big.Int {
	n, _ := new(big.Int).SetString(digits, 10)
	return n
}

// nextNumber finds the first number in s from at on: a sign, digits with or without
// thousands separated, a decimal part, a fraction. Digits that are part of a word, that
// have an exponent, and more than maxDigits are passed over.
func nextNumber(s string, at int) (numeral, bool) {
	for i := at; i < len(s); {
		c := s[i]
		if !digit(s, i) && (c != '.' || !digit(s, i+1)) {
			i++
			continue
		}
		before, _ := utf8.DecodeLastRuneInString(s[:i])
		n := numeral{start: i}
		if (before == '-' || before == '+') && i > at && !(i >= 2 && wordy(s[:i-1])) {
			n.start--
		}
		n.digits, n.end = digits(s, i)
		word := unicode.IsLetter(before) || before == '_' && i > at
		exponent := exponentAt(s[n.end:])
		if word || exponent || len(n.digits) > maxDigits {
			i = n.end
			for i < len(s) && (digit(s, i) || exponent && (s[i] == 'e' || s[i] == 'E' || s[i] == '-' || s[i] == '+')) {
				i++
			}
			continue
		}
		if s[n.start] == '-' {
			n.digits = "-" + n.digits
		}
		n.fraction(s)
		return n, true
	}
	return numeral{}, false
}

// fraction takes in "/4" behind a whole number, or " 3/4".
func (n *numeral) fraction(s string) {
	if strings.Contains(n.digits, ".") {
		return
	}
	at := n.end
	for at < len(s) && at < n.end+3 && s[at] == ' ' {
		at++
	}
	if at < len(s) && s[at] == '/' {
		from := at + 1
		for from < len(s) && from < at+3 && s[from] == ' ' {
			from++
		}
		if d, end := digits(s, from); positive(d) && !slash(s, end) {
			n.divisor, n.end = d, end
		}
		return
	}
	if at == n.end {
		return
	}
	a, end := digits(s, at)
	if a == "" || !slash(s, end) {
		return
	}
	if b, end := digits(s, end+1); positive(b) && positive(a) && !slash(s, end) && (len(a) < len(b) || len(a) == len(b) && a < b) {
		n.numerator, n.divisor, n.end = a, b, end
	}
}

// digits reads digits at i, without their separators, and where they end. Commas and
// gaps separate groups of three, or of two in the Indian way.
func digits(s string, i int) (string, int) {
	var b strings.Builder
	keep := func(from, to int) {
		if b.Len() <= maxDigits {
			b.WriteString(s[from:min(to, from+maxDigits+1)])
		}
	}
	run := func(i int) int {
		for digit(s, i) {
			i++
		}
		return i
	}
	end := run(i)
	keep(i, end)
	if end-i <= 3 && end > i {
		for {
			width := separator(s, end)
			if width == 0 {
				break
			}
			next := run(end + width)
			size := next - end - width
			indian := size == 2 && separator(s, next) == 1 && run(next+1) > next+2
			if size != 3 && !indian {
				break
			}
			keep(end+width, next)
			end = next
		}
	}
	if end < len(s) && s[end] == '.' && digit(s, end+1) {
		next := run(end + 1)
		keep(end, next)
		end = next
	}
	return b.String(), end
}

// separator returns the length of a separator of thousands at i, 0 if there is none.
func separator(s string, i int) int {
	if i < len(s) && s[i] == ',' {
		return 1
	}
	if strings.HasPrefix(s[min(i, len(s)):], string(gap)) {
		return utf8.RuneLen(gap)
	}
	return 0
}

func digit(s string, i int) bool { return i < len(s) && s[i] >= '0' && s[i] <= '9' }

func slash(s string, i int) bool { return i < len(s) && s[i] == '/' }

// positive says that digits are a whole number above 0 of a size that is read.
func positive(d string) bool {
	return len(d) <= maxDigits && !strings.Contains(d, ".") && strings.Trim(d, "0") != ""
}

// wordy says that a sign behind s is a dash or an operation.
func wordy(s string) bool {
	r, _ := utf8.DecodeLastRuneInString(s)
	return unicode.IsLetter(r) || unicode.IsDigit(r) || r == ')'
}

// exponentAt says that a decimal exponent begins s.
func exponentAt(s string) bool {
	if s == "" || s[0] != 'e' && s[0] != 'E' {
		return false
	}
	return digit(s, 1) || len(s) > 2 && (s[1] == '-' || s[1] == '+') && digit(s, 2)
}

// formatNumber writes a number in its normal form: a decimal one if there is one, else a
// fraction.
func formatNumber(r *big.Rat) string {
	if n, exact := r.FloatPrec(); exact && n <= maxDigits {
		return r.FloatString(n)
	}
	return r.RatString()
}
