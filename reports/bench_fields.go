package reports

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// field is a value of a result with the name of its column.
type field struct {
	name  string
	value reflect.Value
}

// fields lists the values of a struct under the names that they have in JSON. Those of
// a struct within have its name before theirs, and are empty or zero if it is absent.
func fields(v reflect.Value, prefix string) []field {
	var all []field
	for i := range v.NumField() {
		f, value := v.Type().Field(i), v.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if value.Kind() == reflect.Pointer {
			if value = value.Elem(); !value.IsValid() {
				value = reflect.Zero(f.Type.Elem())
			}
		}
		switch {
		case f.Anonymous:
			all = append(all, fields(value, prefix)...)
		case value.Kind() == reflect.Struct:
			all = append(all, fields(value, prefix+name+"_")...)
		default:
			all = append(all, field{prefix + name, value})
		}
	}
	return all
}

// text returns the value: lists as JSON, and booleans as 0 or 1, as databases have them.
func (f *field) text() string {
	switch v := f.value; v.Kind() {
	case reflect.String:
		return v.String()
	case reflect.Float64:
		return strconv.FormatFloat(v.Float(), 'g', -1, 64)
	case reflect.Bool:
		if v.Bool() {
			return "1"
		}
		return "0"
	case reflect.Slice, reflect.Map:
		if v.Len() == 0 {
			return map[reflect.Kind]string{reflect.Slice: "[]", reflect.Map: "{}"}[v.Kind()]
		}
		var b strings.Builder
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(v.Interface()); err != nil {
			panic(err) // lists of texts and of finite numbers
		}
		return strings.TrimSuffix(b.String(), "\n")
	default:
		return fmt.Sprint(v.Interface())
	}
}

// csv quotes every field, as llama-bench does.
func (b *Bench) csv(w io.Writer) error {
	out := bufio.NewWriter(w)
	row := func(all []field, text func(*field) string) {
		var cells []string
		for i := range all {
			cells = append(cells, text(&all[i]))
		}
		writeCSV(out, cells)
	}
	row(fields(reflect.ValueOf(benchLine{}), ""), func(f *field) string { return f.name })
	for _, line := range b.lines() {
		row(fields(reflect.ValueOf(line), ""), (*field).text)
	}
	return out.Flush()
}

// writeCSV writes a line, whose error is that of the flush.
func writeCSV(out *bufio.Writer, cells []string) {
	for i, cell := range cells {
		if i > 0 {
			out.WriteByte(',')
		}
		out.WriteString(`"` + strings.ReplaceAll(cell, `"`, `""`) + `"`)
	}
	out.WriteByte('\n')
}

// sql writes statements for SQLite that put every test into the table llada_bench.
func (b *Bench) sql(w io.Writer) error {
	out := bufio.NewWriter(w)
	columns := fields(reflect.ValueOf(benchLine{}), "")
	fmt.Fprint(out, "CREATE TABLE IF NOT EXISTS llada_bench (\n")
	var names []string
	for i, f := range columns {
		comma := ","
		if i == len(columns)-1 {
			comma = ""
		}
		fmt.Fprintf(out, "  %s %s%s\n", f.name, f.sqlType(), comma)
		names = append(names, f.name)
	}
	fmt.Fprint(out, ");\n")
	for _, line := range b.lines() {
		var values []string
		for _, f := range fields(reflect.ValueOf(line), "") {
			values = append(values, f.sqlValue())
		}
		fmt.Fprintf(out, "INSERT INTO llada_bench (%s) VALUES (%s);\n", strings.Join(names, ", "), strings.Join(values, ", "))
	}
	return out.Flush()
}

func (f *field) sqlType() string {
	switch f.value.Kind() {
	case reflect.Float64:
		return "REAL"
	case reflect.Int, reflect.Uint64, reflect.Bool:
		return "INTEGER"
	}
	return "TEXT"
}

func (f *field) sqlValue() string {
	text := f.text()
	if f.sqlType() != "TEXT" {
		return text
	}
	// A NUL would end the statement.
	text = strings.ReplaceAll(strings.ToValidUTF8(text, "\ufffd"), "\x00", "\ufffd")
	return "'" + strings.ReplaceAll(text, "'", "''") + "'"
}

// checkNumbers reports the first number of a result that is negative, infinite or none:
// nothing that is measured is. It also reports a time that cannot be written.
func checkNumbers(v any) error { return checkValue(reflect.ValueOf(v), "") }

func checkValue(v reflect.Value, at string) error {
	switch v.Kind() {
	case reflect.Float64:
		if x := v.Float(); !(x >= 0) || math.IsInf(x, 0) {
			return fmt.Errorf("%s is %g", at, x)
		}
	case reflect.Int:
		if v.Int() < 0 {
			return fmt.Errorf("%s is %d", at, v.Int())
		}
	case reflect.Pointer:
		return checkValue(v.Elem(), at)
	case reflect.Slice:
		for i := range v.Len() {
			if err := checkValue(v.Index(i), fmt.Sprintf("%s[%d]", at, i)); err != nil {
				return err
			}
		}
	case reflect.Map: // of texts
		for _, key := range v.MapKeys() {
			if err := checkValue(v.MapIndex(key), fmt.Sprintf("%s[%.40q]", at, key.String())); err != nil {
				return err
			}
		}
	case reflect.Struct:
		if t, ok := v.Interface().(time.Time); ok {
			if _, err := t.MarshalJSON(); err != nil { // which takes less than its opposite does
				return fmt.Errorf("%s: %w", at, err)
			}
			return nil
		}
		for i := range v.NumField() {
			name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
			if err := checkValue(v.Field(i), strings.TrimPrefix(at+"."+name, ".")); err != nil {
				return err
			}
		}
	}
	return nil
}
