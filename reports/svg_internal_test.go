package reports

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestSVGText(t *testing.T) {
	assert.Equal(t, "a&lt;/script&gt;&amp;&#34;&#39;", svgText(`a</script>&"'`))
	assert.Equal(t, "a b·c·d\ufffd·e", svgText("a\nb\x00c\u202ed\xff\uffffe"))
	assert.Equal(t, "世界 é🙂", svgText("世界 é🙂"))
}

// TestSVGEdges holds that nothing is drawn outside, nor at what is no number.
func TestSVGEdges(t *testing.T) {
	d := &drawing{height: 100}
	d.line("a", -5, math.NaN(), 1e300, math.Inf(1))
	d.rect("b", 700, -10, 50, 500, "x<y")
	d.circle("c", 1.005, 99.999, 3, "")
	d.text("e", -1, 101, "t")
	o := d.outline()
	o.box(-10, 50, 20, 1e9)
	d.path("f", o, "")
	d.path("g", d.outline(), "")
	assert.Equal(t, `<line class="a" x1="0" y1="0" x2="720" y2="100"/>
<rect class="b" x="700" y="0" width="20" height="100"><title>x&lt;y</title></rect>
<circle class="c" cx="1" cy="100" r="3"/>
<text class="e" x="0" y="100">t</text>
<path class="f" d="M0 50H10V100H0Z"/>
`, d.String())
}

func TestSVGShort(t *testing.T) {
	assert.Equal(t, "short", svgShort("short", 11, 100))
	long := svgShort("a-name-that-begins-like-others-q4_0", 11, 100)
	assert.Regexp(t, "^a-name.*….*q4_0$", long)
	for _, text := range []string{"", "W", strings.Repeat("世", 5000), strings.Repeat("e\u0301", 9000), strings.Repeat("\xff", 300), strings.Repeat("i", 1<<20)} {
		for width := 0.0; width < 300; width += 17 {
			short := svgShort(text, 11, width)
			require.True(t, utf8.ValidString(short))
			require.True(t, svgWidth(short, 11) <= width || short == "…", "%q in %g", short, width)
			require.Less(t, len(short), 2000)
		}
	}
}

// TestAxis holds for any values that ticks are few, within the axis, in order and told
// apart, and that values are where they should be.
func TestAxis(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 5000 {
		values := make([]float64, random.IntN(4))
		for i := range values {
			values[i] = random.NormFloat64() * math.Pow(10, float64(random.IntN(30)-15))
			if random.IntN(2) == 0 {
				values[i] = math.Abs(values[i])
			}
		}
		opt := axisOptions{zero: random.IntN(2) == 0, wide: random.IntN(2) == 0, loose: random.IntN(2) == 0, count: 3 + random.IntN(7)}
		a := newAxis(values, 10, 210, opt)
		require.NotEmpty(t, a.ticks, "%v %+v", values, opt)
		require.LessOrEqual(t, len(a.ticks), 25)
		for i, tick := range a.ticks {
			require.True(t, tick.at >= 10 && tick.at <= 210)
			_, err := strconv.ParseFloat(tick.text, 64)
			require.NoError(t, err)
			if i > 0 {
				require.Greater(t, tick.at, a.ticks[i-1].at)
			}
		}
		for _, v := range values {
			for _, w := range values {
				if v < w {
					require.LessOrEqual(t, a.at(v), a.at(w))
				}
			}
		}
	}
	for values, want := range map[[2]float64]string{
		{0, 10}: "0 2 4 6 8 10", {0, 1}: "0 0.2 0.4 0.6 0.8 1.0", {0.31, 0.69}: "0.4 0.5 0.6", {-3, 3}: "-2 0 2", {5, 5}: "4.6 4.8 5.0 5.2 5.4",
		{0, 0}: "0 0.2 0.4 0.6 0.8 1.0", {0, 3e7}: "0 1e7 2e7 3e7", {1e-3, 10}: "0.001 0.01 0.1 1 10",
	} {
		a := newAxis(values[:], 0, 100, axisOptions{wide: true})
		var texts []string
		for _, tick := range a.ticks {
			texts = append(texts, tick.text)
		}
		assert.Equal(t, want, strings.Join(texts, " "))
	}
	none := newAxis([]float64{math.NaN(), math.Inf(1)}, 0, 100, axisOptions{})
	assert.Equal(t, 0.0, none.at(math.NaN()))
	assert.NotEmpty(t, none.ticks)
}

// TestPointNames holds that names cover neither each other nor points, and that only
// those are missing for which there is no room.
func TestPointNames(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	names := pointNames{room: area{0, 0, 700, 300}}
	d := &drawing{height: 300}
	points := make([]area, 60)
	for i := range points {
		points[i] = area{random.Float64() * 690, random.Float64() * 290, 10, 10}
		names.take(points[i])
	}
	placed := 0
	for i, p := range points {
		if names.place(d, "soft", p.x+5, p.y+5, fmt.Sprintf("point %d", i)) {
			placed++
		}
	}
	assert.Greater(t, placed, 40)
	boxes := names.taken[len(points):]
	require.Len(t, boxes, placed)
	for i, box := range boxes {
		require.True(t, box.within(names.room))
		for _, other := range append(boxes[:i:i], points...) {
			require.False(t, box.meets(other))
		}
	}
	assert.False(t, names.place(d, "soft", 5, 5, strings.Repeat("W", 200)))
}

// TestContrast holds that texts and lines have the contrast that is asked of small text,
// 4.5 to 1, and that the ramp gets lighter.
func TestContrast(t *testing.T) {
	for _, s := range append(shades, shade{inkLight, inkDark}) {
		assert.GreaterOrEqual(t, contrast(t, s.light, paperLight), 4.5, s.light)
		assert.GreaterOrEqual(t, contrast(t, s.dark, paperDark), 4.5, s.dark)
	}
	for i := 1; i < len(ramp); i++ {
		assert.Greater(t, luminance(t, ramp[i]), luminance(t, ramp[i-1])*1.1)
	}
}

func contrast(t *testing.T, a, b string) float64 {
	high, low := luminance(t, a), luminance(t, b)
	if high < low {
		high, low = low, high
	}
	return (high + 0.05) / (low + 0.05)
}

// luminance is that of WCAG 2.
func luminance(t *testing.T, colour string) (sum float64) {
	for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
		v, err := strconv.ParseUint(colour[1+2*i:3+2*i], 16, 8)
		require.NoError(t, err)
		c := float64(v) / 255
		if c <= 0.04045 {
			c /= 12.92
		} else {
			c = math.Pow((c+0.055)/1.055, 2.4)
		}
		sum += weight * c
	}
	return sum
}
