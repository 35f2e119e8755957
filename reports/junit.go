package reports

import (
	"encoding/xml"
	"fmt"
	"io"
	"time"
)

// junitText is how many runes of a text a report has.
const junitText = 2000

// junitSuite is a list of cases that are made one by one: a run may have a million
// samples.
type junitSuite struct {
	name       string
	started    time.Time
	properties []junitProperty
	n          int
	at         func(i int) junitCase
}

type junitProperty struct {
	Name  string `xml:"name,attr"`
	Value string `xml:"value,attr"`
}

// junitCase is right if it has none of Failure, Error and Skipped.
type junitCase struct {
	XMLName xml.Name      `xml:"testcase"`
	Name    string        `xml:"name,attr"`
	Class   string        `xml:"classname,attr"`
	Time    string        `xml:"time,attr,omitempty"` // seconds
	Failure *junitProblem `xml:"failure"`
	Error   *junitProblem `xml:"error"`
	Skipped *junitProblem `xml:"skipped"`

	seconds float64 // that Time tells
}

type junitProblem struct {
	Message string `xml:"message,attr"`
	Type    string `xml:"type,attr,omitempty"`
	Text    string `xml:",chardata"`
}

// junitCounts are the attributes of a suite that say what its cases are.
type junitCounts struct {
	tests, failures, errors, skipped int
	seconds                          float64
}

// JUnit writes the results as JUnit's XML: a suite for each task of each evaluation with a
// case for each answer, and suites of gates, of verifications, and of files that could not
// be read. An answer that is not right is a failure, and a request without an answer an
// error; what is missing is skipped. Characters that XML does not have are replaced, and
// long answers are cut.
func (c *Collection) JUnit(w io.Writer) error {
	suites := c.junitSuites()
	counts := make([]junitCounts, len(suites))
	var all junitCounts
	for i := range suites {
		counts[i] = suites[i].count()
		all.add(&counts[i])
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	enc := xml.NewEncoder(w)
	enc.Indent("", " ")
	root := xml.StartElement{Name: xml.Name{Local: "testsuites"}, Attr: append(junitAttributes("name", "llada"), all.attributes()...)}
	if err := enc.EncodeToken(root); err != nil {
		return err
	}
	for i := range suites {
		if err := suites[i].encode(enc, &counts[i]); err != nil {
			return err
		}
	}
	if err := enc.EncodeToken(root.End()); err != nil {
		return err
	}
	if err := enc.Close(); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

// junitAttributes makes attributes of names and values.
func junitAttributes(pairs ...string) []xml.Attr {
	var all []xml.Attr
	for i := 0; i < len(pairs); i += 2 {
		all = append(all, xml.Attr{Name: xml.Name{Local: pairs[i]}, Value: pairs[i+1]})
	}
	return all
}

func (n *junitCounts) add(other *junitCounts) {
	n.tests += other.tests
	n.failures += other.failures
	n.errors += other.errors
	n.skipped += other.skipped
	n.seconds += other.seconds
}

func (n *junitCounts) attributes() []xml.Attr {
	return junitAttributes("tests", fmt.Sprint(n.tests), "failures", fmt.Sprint(n.failures), "errors", fmt.Sprint(n.errors),
		"skipped", fmt.Sprint(n.skipped), "time", fmt.Sprintf("%.3f", n.seconds))
}

func (s *junitSuite) count() junitCounts {
	n := junitCounts{tests: s.n}
	for i := range s.n {
		c := s.at(i)
		switch {
		case c.Failure != nil:
			n.failures++
		case c.Error != nil:
			n.errors++
		case c.Skipped != nil:
			n.skipped++
		}
		n.seconds += c.seconds
	}
	return n
}

func (s *junitSuite) encode(enc *xml.Encoder, n *junitCounts) error {
	start := xml.StartElement{Name: xml.Name{Local: "testsuite"}, Attr: append(junitAttributes("name", s.name), n.attributes()...)}
	if !s.started.IsZero() {
		start.Attr = append(start.Attr, junitAttributes("timestamp", s.started.UTC().Format("2006-01-02T15:04:05"))...)
	}
	if err := enc.EncodeToken(start); err != nil {
		return err
	}
	if len(s.properties) > 0 {
		properties := struct {
			XMLName xml.Name        `xml:"properties"`
			All     []junitProperty `xml:"property"`
		}{All: s.properties}
		if err := enc.Encode(properties); err != nil {
			return err
		}
	}
	for i := range s.n {
		c := s.at(i)
		if c.seconds > 0 {
			c.Time = fmt.Sprintf("%.3f", c.seconds)
		}
		if err := enc.Encode(c); err != nil {
			return err
		}
	}
	return enc.EncodeToken(start.End())
}
