package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"strings"
	"time"
)

// A bom is the part of CycloneDX 1.6 that a Go program fills. It is made from what the
// toolchain wrote into the program, so it says what was linked and not what was meant
// to be, and making it needs no network.
type bom struct {
	Schema       string       `json:"$schema"`
	Format       string       `json:"bomFormat"`
	SpecVersion  string       `json:"specVersion"`
	Serial       string       `json:"serialNumber"`
	Version      int          `json:"version"`
	Metadata     metadata     `json:"metadata"`
	Components   []component  `json:"components"`
	Dependencies []dependency `json:"dependencies"`
}

type metadata struct {
	Timestamp string     `json:"timestamp"`
	Component component  `json:"component"`
	Settings  []property `json:"properties"`
}

type property struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

type component struct {
	Type    string      `json:"type"`
	Ref     string      `json:"bom-ref"`
	Name    string      `json:"name"`
	Version string      `json:"version"`
	Scope   string      `json:"scope,omitempty"`
	Hashes  []hash      `json:"hashes,omitempty"`
	License []licensing `json:"licenses,omitempty"`
	PURL    string      `json:"purl"`
}

type hash struct {
	Algorithm string `json:"alg"`
	Content   string `json:"content"`
}

type licensing struct {
	License struct {
		ID string `json:"id"`
	} `json:"license"`
}

type dependency struct {
	Ref  string   `json:"ref"`
	Uses []string `json:"dependsOn"`
}

// sbom returns the document, the same for equal programs.
func (p *program) sbom(when time.Time) ([]byte, error) {
	data, err := os.ReadFile(p.Path)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(data)
	main := component{
		Type: "application", Name: "llada", Version: p.Version, PURL: purl(p.Info.Main.Path, p.Version),
		Hashes: []hash{{"SHA-256", hex.EncodeToString(sum[:])}},
	}
	main.Ref = main.PURL
	main.License = make([]licensing, 1)
	main.License[0].License.ID = "Apache-2.0"
	standard := component{Type: "library", Name: "std", Version: p.Info.GoVersion, Scope: "required", PURL: purl("std", strings.TrimPrefix(p.Info.GoVersion, "go"))}
	standard.Ref = standard.PURL
	components := []component{standard}
	uses := []string{standard.Ref}
	for _, d := range p.Info.Deps {
		d = linked(d)
		c := component{Type: "library", Name: d.Path, Version: d.Version, Scope: "required", PURL: purl(d.Path, d.Version)}
		c.Ref = c.PURL
		// Of the module's files and their names, as go.sum has it.
		if h1, ok := strings.CutPrefix(d.Sum, "h1:"); ok {
			raw, err := base64.StdEncoding.DecodeString(h1)
			if err != nil {
				return nil, fmt.Errorf("%s: sum %q: %w", d.Path, d.Sum, err)
			}
			c.Hashes = []hash{{"SHA-256", hex.EncodeToString(raw)}}
		}
		components, uses = append(components, c), append(uses, c.Ref)
	}
	var settings []property
	for _, s := range p.Info.Settings {
		settings = append(settings, property{"build:" + s.Key, s.Value})
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	err = enc.Encode(bom{
		Schema: "http://cyclonedx.org/schema/bom-1.6.schema.json",
		Format: "CycloneDX", SpecVersion: "1.6", Serial: serial(sum), Version: 1,
		Metadata:   metadata{when.Format(time.RFC3339), main, settings},
		Components: components, Dependencies: []dependency{{main.Ref, uses}},
	})
	return b.Bytes(), err
}

// serial makes a UUID (RFC 9562, version 8) of the program's digest.
func serial(sum [sha256.Size]byte) string {
	id := sum[:16]
	id[6], id[8] = id[6]&0x0f|0x80, id[8]&0x3f|0x80
	return fmt.Sprintf("urn:uuid:%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:])
}

// purl is the package URL of a module.
func purl(path, version string) string {
	return "pkg:golang/" + path + "@" + url.QueryEscape(version)
}
