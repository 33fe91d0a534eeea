package main

import (
	"encoding/xml"
	"io"
	"os"
	"strings"
	"testing"
	"time"
)

func TestPlot(t *testing.T) {
	r := report{Date: time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC), Machine: machine{CPU: "Some \"CPU\" @ 3_GHz", Processors: 4, Kernel: "9.8.7"}, Rounds: 3, Seconds: 2}
	if _, err := r.script(); err == nil || !strings.Contains(err.Error(), "-only") {
		t.Errorf("nothing to draw: %v", err)
	}
	for _, depth := range []int{1, 4, 16} {
		name := strings.Replace("4 KiB reads, depth N", "N", number(float64(depth)), 1)
		for round := range 2 {
			r.Measurements = append(r.Measurements,
				measurement{Row: name, Contender: ours, Round: round, Load: load{"randread", "4k", depth, 0}, IOPS: float64(1000 * depth), P99: 20},
				measurement{Row: name, Contender: "vblade", Round: round, Load: load{"randread", "4k", depth, 0}, IOPS: float64(500 * depth), P99: 40})
		}
	}
	r.Measurements = append(r.Measurements, measurement{Row: "4 KiB reads, 2000 a second", Contender: ours, Load: load{"randread", "4k", 1, 2000}})
	names, points := r.curves()
	if strings.Join(names, " ") != "ours vblade" || len(points[ours]) != 3 || points["vblade"][2] != (point{16, 8000, 40}) {
		t.Errorf("%v: %v", names, points)
	}
	picture, err := r.plot()
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	checkSVG(t, picture, "9.8.7", "2030-01-02", "4 processors", "ours", "vblade")
}

// checkSVG holds a picture to be well-formed and to have these words.
func checkSVG(t *testing.T, picture []byte, words ...string) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(string(picture)))
	for {
		token, err := d.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatalf("the picture is not well-formed: %v", err)
		}
		if text, ok := token.(xml.StartElement); ok && text.Name.Local == "svg" {
			words = append(words, "</svg>")
		}
	}
	for _, w := range words {
		if !strings.Contains(string(picture), w) {
			t.Errorf("the picture does not have %q", w)
		}
	}
}
