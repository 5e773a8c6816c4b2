package main

import (
	"image/color"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// panels are what the plot shows, where it was measured.
var panels = []struct{ scenario, metric, title string }{
	{"idle", "memory", "RSS for each idle websocket, KB"},
	{"steady", "cpu", "CPU for each delivery, µs (steady)"},
	{"rooms", "cpu", "CPU for each delivery, µs (1,000 rooms)"},
	{"burst", "percpu", "thousand deliveries / CPU second (burst)"},
}

var (
	oursColor   = color.RGBA{R: 0x1f, G: 0x7a, B: 0x5c, A: 0xff}
	theirsColor = color.RGBA{R: 0xb4, G: 0xb8, B: 0xbd, A: 0xff}
)

// plot draws the medians as bars, a panel for each metric.
func (r *results) plot(path string) error {
	var plots []*plot.Plot
	for _, panel := range panels {
		p, err := r.panel(panel.scenario, panel.metric, panel.title)
		if err != nil {
			return err
		}
		if p != nil {
			plots = append(plots, p)
		}
	}
	if len(plots) == 0 {
		return nil
	}
	const columns = 2
	rows := (len(plots) + columns - 1) / columns
	canvas := vgsvg.New(9*vg.Inch, vg.Length(rows)*2.2*vg.Inch)
	tiles := draw.Tiles{Rows: rows, Cols: columns, PadX: 20, PadY: 16, PadTop: 6, PadBottom: 6, PadLeft: 6, PadRight: 6}
	whole := draw.New(canvas)
	for i, p := range plots {
		p.Draw(tiles.At(whole, i%columns, i/columns))
	}
	return writeTo(path, canvas)
}

// panel is a metric's bars, ours at the top; nil where nothing was measured.
func (r *results) panel(scenarioName, key, title string) (*plot.Plot, error) {
	figures := r.figures[scenarioName]
	if len(figures) == 0 {
		return nil, nil
	}
	p := plot.New()
	p.Title.Text, p.X.Min = title, 0
	var names []string
	contenders := scenarioNamed(scenarioName).contenders(r.settings.peers)
	for i := len(contenders) - 1; i >= 0; i-- {
		values := figures[contenders[i].name][key]
		if len(values) == 0 {
			continue
		}
		bar, err := plotter.NewBarChart(plotter.Values{median(values)}, 12)
		if err != nil {
			return nil, err
		}
		bar.Horizontal, bar.XMin, bar.LineStyle.Width, bar.Color = true, float64(len(names)), 0, theirsColor
		if contenders[i].name == ours {
			bar.Color = oursColor
		}
		p.Add(bar)
		names = append(names, contenders[i].name+"  "+figure(median(values)))
	}
	p.NominalY(names...)
	return p, nil
}
