use crate::cost::Cost;
use std::{
    fmt::Write as _,
    fs,
    io::{self, Write as _},
    path::PathBuf,
};

/// Draws four curves over the number of nodes, each with its own scale, both axes logarithmic.
///
/// A plotting library would be a tree of dependencies for these four lines.
pub(crate) fn write(files: &[PathBuf]) -> io::Result<bool> {
    let [lines, picture] = files else {
        return Err(io::Error::other("--plot takes two files"));
    };
    let text = fs::read_to_string(lines)?;
    let costs = text.lines().filter(|line| !line.trim().is_empty());
    let mut costs = costs
        .map(serde_json::from_str)
        .collect::<Result<Vec<Cost>, _>>()?;
    costs.sort_by(|a, b| a.known().total_cmp(&b.known()));
    if costs.is_empty() {
        return Err(io::Error::other("there is nothing to plot"));
    }
    fs::write(picture, svg(&costs))?;
    writeln!(io::stdout(), "{}", table(&costs))?;
    Ok(true)
}

/// What is drawn of the costs.
struct Curve {
    title: &'static str,
    unit: &'static str,
    of: fn(&Cost) -> f64,
}

const CURVES: [Curve; 4] = [
    Curve {
        title: "sent by a node in an hour",
        unit: "bytes",
        of: |cost| cost.quiet.bytes_per_node_hour as f64,
    },
    Curve {
        title: "sent by a node in an hour",
        unit: "messages",
        of: |cost| cost.quiet.messages_per_node_hour as f64,
    },
    Curve {
        title: "processor time of a node in an hour",
        unit: "ms",
        of: |cost| cost.cpu_ms_per_node_hour,
    },
    Curve {
        title: "memory of a node: announcements and graph",
        unit: "bytes",
        of: |cost| (cost.memory.announcements_bytes + cost.memory.graph_bytes) as f64,
    },
];

const WIDTH: f64 = 430.0;
const HEIGHT: f64 = 270.0;
const LEFT: f64 = 70.0;
const TOP: f64 = 44.0;
const RIGHT: f64 = 24.0;
const BOTTOM: f64 = 46.0;

fn svg(costs: &[Cost]) -> String {
    let (width, height) = (2.0 * WIDTH, 2.0 * HEIGHT);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
         font-family=\"sans-serif\" font-size=\"11\">\n\
         <title>What a node costs, over the number of nodes in the mesh</title>\n\
         <rect width=\"{width}\" height=\"{height}\" fill=\"white\"/>\n"
    );
    for (place, curve) in (0_u8..).zip(&CURVES) {
        let (x, y) = (f64::from(place % 2) * WIDTH, f64::from(place / 2) * HEIGHT);
        let _ = writeln!(out, "<g transform=\"translate({x} {y})\">");
        panel(&mut out, curve, costs);
        out.push_str("</g>\n");
    }
    out.push_str("</svg>\n");
    out
}

fn panel(out: &mut String, curve: &Curve, costs: &[Cost]) {
    let points = costs.iter().map(|cost| (cost.known(), (curve.of)(cost)));
    let points: Vec<(f64, f64)> = points.filter(|(_, y)| *y > 0.0).collect();
    let across = Scale::over(points.iter().map(|point| point.0), LEFT, WIDTH - RIGHT);
    let up = Scale::over(points.iter().map(|point| point.1), HEIGHT - BOTTOM, TOP);
    let _ = writeln!(
        out,
        "<text x=\"{LEFT}\" y=\"{}\" font-weight=\"bold\">{}, {}</text>",
        TOP - 18.0,
        curve.title,
        curve.unit
    );
    for decade in across.decades() {
        let x = across.at(decade);
        let _ = writeln!(
            out,
            "<line x1=\"{x:.1}\" y1=\"{TOP}\" x2=\"{x:.1}\" y2=\"{:.1}\" stroke=\"#ddd\"/>\
             <text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
            HEIGHT - BOTTOM,
            HEIGHT - BOTTOM + 16.0,
            short(decade)
        );
    }
    for decade in up.decades() {
        let y = up.at(decade);
        let _ = writeln!(
            out,
            "<line x1=\"{LEFT}\" y1=\"{y:.1}\" x2=\"{:.1}\" y2=\"{y:.1}\" stroke=\"#ddd\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            WIDTH - RIGHT,
            LEFT - 6.0,
            y + 4.0,
            short(decade)
        );
    }
    let _ = writeln!(
        out,
        "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">nodes in the mesh</text>",
        (LEFT + WIDTH - RIGHT) / 2.0,
        HEIGHT - BOTTOM + 32.0
    );
    let line: Vec<String> = points
        .iter()
        .map(|(x, y)| format!("{:.1},{:.1}", across.at(*x), up.at(*y)))
        .collect();
    let _ = writeln!(
        out,
        "<polyline points=\"{}\" fill=\"none\" stroke=\"#c8500a\" stroke-width=\"2\"/>",
        line.join(" ")
    );
    for (x, y) in points {
        let _ = writeln!(
            out,
            "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"3\" fill=\"#c8500a\"><title>{x} nodes: {} {}</title></circle>",
            across.at(x),
            up.at(y),
            grouped(y),
            curve.unit
        );
    }
}

/// A logarithmic axis over whole decades.
struct Scale {
    least: f64,
    most: f64,
    from: f64,
    to: f64,
}

impl Scale {
    fn over(values: impl Iterator<Item = f64> + Clone, from: f64, to: f64) -> Self {
        let least = values.clone().fold(f64::MAX, f64::min).log10().floor();
        let most = values.fold(1.0, f64::max).log10().ceil();
        let most = most.max(least + 1.0);
        Self {
            least,
            most,
            from,
            to,
        }
    }

    fn at(&self, value: f64) -> f64 {
        let part = (value.log10() - self.least) / (self.most - self.least);
        self.from + part * (self.to - self.from)
    }

    fn decades(&self) -> impl Iterator<Item = f64> {
        let exponents = self.least as i32..=self.most as i32;
        exponents.map(|exponent| 10_f64.powi(exponent))
    }
}

/// 1, 10, 100, 1 k, 10 k, … 1 G.
fn short(value: f64) -> String {
    let units = [(1e9, " G"), (1e6, " M"), (1e3, " k")];
    let unit = units.into_iter().find(|(size, _)| value >= *size);
    unit.map_or_else(
        || format!("{value}"),
        |(size, unit)| format!("{:.0}{unit}", value / size),
    )
}

fn table(costs: &[Cost]) -> String {
    let heads = [
        "nodes",
        "simulated",
        "all know all after",
        "a change is known after",
        "bytes a node and hour",
        "messages",
        "processor time",
        "announcements",
        "graph",
    ];
    let mut out = format!(
        "| {} |\n{}|\n",
        heads.join(" | "),
        "|---".repeat(heads.len())
    );
    for cost in costs {
        let none = || "–".to_owned();
        let converged = cost
            .converged_secs
            .map_or_else(none, |secs| format!("{secs} s"));
        // In a part of a mesh news have a shorter way.
        let news = cost.news_ms.filter(|_| cost.strangers == 0);
        let news = news.map_or_else(none, |ms| format!("{:.1} s", ms as f64 / 1e3));
        let kilobytes = |bytes: u64| format!("{} KB", grouped(bytes as f64 / 1e3));
        let row = [
            grouped(cost.known()),
            grouped(f64::from(cost.nodes)),
            converged,
            news,
            grouped(cost.quiet.bytes_per_node_hour as f64),
            grouped(cost.quiet.messages_per_node_hour as f64),
            format!("{} ms", grouped(cost.cpu_ms_per_node_hour)),
            kilobytes(cost.memory.announcements_bytes),
            kilobytes(cost.memory.graph_bytes),
        ];
        let _ = writeln!(out, "| {} |", row.join(" | "));
    }
    out.trim_end().to_owned()
}

/// A whole number with commas.
fn grouped(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut out = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use mesh_sim::{Memory, Rates};

    fn cost(nodes: u32) -> Cost {
        Cost {
            nodes: nodes / 10,
            strangers: nodes - nodes / 10,
            links: nodes as usize * 3,
            topology: "small-world".to_owned(),
            seed: 1,
            converged_secs: None,
            news_ms: Some(1_600),
            quiet: Rates {
                bytes_per_node_hour: u64::from(nodes) * 4_200,
                messages_per_node_hour: u64::from(nodes) * 20,
                ..Rates::default()
            },
            memory: Memory::default(),
            cpu_ms_per_node_hour: 2.6,
            peak_bytes: 1,
        }
    }

    #[test]
    fn a_table_has_a_row_for_each_size_with_grouped_figures() {
        let table = table(&[cost(100), cost(10_000)]);
        assert_eq!(table.lines().count(), 4);
        assert!(table.contains("| 10,000 | 1,000 | – | – | 42,000,000 | 200,000 | 3 ms |"));
    }

    #[test]
    fn each_curve_is_drawn_within_its_panel() {
        let svg = svg(&[cost(100), cost(1_000), cost(10_000)]);
        assert_eq!(svg.matches("<polyline").count(), CURVES.len());
        // Nothing is drawn of what was not measured.
        assert_eq!(svg.matches("<circle").count(), 3 * (CURVES.len() - 1));
        let scale = Scale::over([100.0, 10_000.0].into_iter(), 70.0, 406.0);
        assert_eq!((scale.at(100.0), scale.at(10_000.0)), (70.0, 406.0));
        assert_eq!([1.0, 1e3, 1e7].map(short), ["1", "1 k", "10 M"]);
    }
}
