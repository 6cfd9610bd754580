//! A chart with two logarithmic axes as SVG: lines, horizontal levels, marks, a legend. It knows
//! nothing of benchmarks, needs no font and no library, and is made for a light background.

use std::fmt::Write;

/// Colours that people with any colour vision tell apart (Okabe and Ito, 2008), without the light ones.
const COLOURS: [&str; 7] = [
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#a66f00", "#3f9bd0", "#444444",
];
const GREY: &str = "#666666";

/// The whole picture and the margins of the plot in it.
const WIDTH: f64 = 1000.0;
const HEIGHT: f64 = 560.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 290.0;
const TOP: f64 = 60.0;
const BOTTOM: f64 = 60.0;

/// How a line is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dash {
    /// Not at all.
    None,
    /// `- - -`
    Dashes,
    /// `-----`, of short ones
    Short,
    /// `. . .`
    Dots,
    /// `- . -`
    Mixed,
}

impl Dash {
    const fn attribute(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Dashes => r#" stroke-dasharray="7 4""#,
            Self::Short => r#" stroke-dasharray="3 3""#,
            Self::Dots => r#" stroke-dasharray="2 4""#,
            Self::Mixed => r#" stroke-dasharray="9 4 2 4""#,
        }
    }
}

/// A line through points, with a dot at each.
#[derive(Clone, Debug)]
pub struct Line {
    /// What it is, for the legend.
    pub label: String,
    /// Number of its colour.
    pub colour: usize,
    /// How it is broken.
    pub dash: Dash,
    /// Points of positive coordinates, by rising x.
    pub points: Vec<(f64, f64)>,
}

/// A thin line from side to side.
#[derive(Clone, Debug)]
pub struct Level {
    /// Where.
    pub y: f64,
    /// How it is broken.
    pub dash: Dash,
    /// Number of its colour; grey without one.
    pub colour: Option<usize>,
    /// What it is, for the legend; may be empty.
    pub label: String,
}

/// A point of its own, marked with a diamond.
#[derive(Clone, Debug)]
pub struct Mark {
    /// Where.
    pub x: f64,
    /// Where.
    pub y: f64,
    /// Number of its colour.
    pub colour: usize,
    /// What it is, for the legend.
    pub label: String,
}

/// A chart.
#[derive(Clone, Debug)]
pub struct Chart {
    /// Above it.
    pub title: String,
    /// Below the title, smaller.
    pub subtitle: String,
    /// Below the x axis, which counts bytes.
    pub x_title: String,
    /// Beside the y axis.
    pub y_title: String,
    /// The lines.
    pub lines: Vec<Line>,
    /// The levels.
    pub levels: Vec<Level>,
    /// The marks.
    pub marks: Vec<Mark>,
    /// What thin lines mean, for the legend.
    pub keys: Vec<(Dash, String)>,
}

/// Bytes with a unit: `64 KiB`.
#[must_use]
pub fn bytes(value: f64) -> String {
    match value {
        v if v >= 1_048_576.0 => format!("{} MiB", v / 1_048_576.0),
        v if v >= 1024.0 => format!("{} KiB", v / 1024.0),
        v => format!("{v} B"),
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

fn colour(number: usize) -> &'static str {
    COLOURS.get(number % COLOURS.len()).copied().unwrap_or(GREY)
}

/// A logarithmic scale.
#[derive(Clone, Copy, Debug)]
struct Scale {
    from: f64,
    to: f64,
    start: f64,
    end: f64,
}

impl Scale {
    /// The range of values, widened to whole powers of `base`.
    fn new(values: impl Iterator<Item = f64>, base: f64, start: f64, end: f64) -> Self {
        let positive = values.filter(|v| v.is_finite() && *v > 0.0);
        let (low, high) = positive.fold((f64::INFINITY, 0.0), |(low, high), value| {
            (f64::min(low, value), f64::max(high, value))
        });
        let (low, high) = if high > 0.0 { (low, high) } else { (1.0, base) };
        let from = base.powf(low.log(base).floor());
        let to = base.powf(high.log(base).ceil()).max(from * base);
        Self {
            from,
            to,
            start,
            end,
        }
    }

    fn at(&self, value: f64) -> f64 {
        let share = (value / self.from).ln() / (self.to / self.from).ln();
        self.start + share * (self.end - self.start)
    }

    /// From the first power on, each `step` times the last.
    fn ticks(&self, step: f64) -> impl Iterator<Item = f64> {
        let to = self.to * (1.0 + 1e-9);
        std::iter::successors(Some(self.from), move |tick| Some(tick * step))
            .take_while(move |tick| *tick <= to)
    }
}

impl Chart {
    fn scales(&self) -> (Scale, Scale) {
        let points = || self.lines.iter().flat_map(|line| line.points.iter());
        let marks = || self.marks.iter();
        let xs = points().map(|p| p.0).chain(marks().map(|m| m.x));
        let ys = points()
            .map(|p| p.1)
            .chain(self.levels.iter().map(|level| level.y))
            .chain(marks().map(|m| m.y));
        (
            Scale::new(xs, 2.0, LEFT, WIDTH - RIGHT),
            Scale::new(ys, 10.0, HEIGHT - BOTTOM, TOP),
        )
    }

    fn axes(&self, svg: &mut String, x: &Scale, y: &Scale) -> std::fmt::Result {
        let (right, bottom) = (WIDTH - RIGHT, HEIGHT - BOTTOM);
        for tick in x.ticks(8.0) {
            let at = x.at(tick);
            writeln!(
                svg,
                r##"<path d="M{at:.1} {TOP}V{bottom}" stroke="#e4e4e4"/><text x="{at:.1}" y="{:.1}" text-anchor="middle">{}</text>"##,
                bottom + 18.0,
                bytes(tick)
            )?;
        }
        for tick in y.ticks(10.0) {
            for part in 1..10 {
                let value = tick * f64::from(part);
                if value > y.to * (1.0 + 1e-9) {
                    break;
                }
                let at = y.at(value);
                let stroke = if part == 1 { "#cccccc" } else { "#eeeeee" };
                writeln!(
                    svg,
                    r#"<path d="M{LEFT} {at:.1}H{right}" stroke="{stroke}"/>"#
                )?;
            }
            let at = y.at(tick) + 4.0;
            let label = if tick >= 1.0 {
                format!("{tick:.0}")
            } else {
                format!("{}", (tick * 1e6).round() / 1e6)
            };
            let before = LEFT - 8.0;
            writeln!(
                svg,
                r#"<text x="{before}" y="{at:.1}" text-anchor="end">{label}</text>"#
            )?;
        }
        let middle = f64::midpoint(TOP, bottom);
        writeln!(
            svg,
            r#"<rect x="{LEFT}" y="{TOP}" width="{:.1}" height="{:.1}" fill="none" stroke="{GREY}"/>
<text x="{:.1}" y="{:.1}" text-anchor="middle">{}</text>
<text transform="translate(18 {middle:.1}) rotate(-90)" text-anchor="middle">{}</text>"#,
            right - LEFT,
            bottom - TOP,
            f64::midpoint(LEFT, right),
            HEIGHT - 18.0,
            escaped(&self.x_title),
            escaped(&self.y_title),
        )
    }

    fn levels(&self, svg: &mut String, y: &Scale) -> std::fmt::Result {
        let right = WIDTH - RIGHT;
        for level in &self.levels {
            let at = y.at(level.y);
            let stroke = level.colour.map_or(GREY, colour);
            let dash = level.dash.attribute();
            writeln!(
                svg,
                r#"<path d="M{LEFT} {at:.1}H{right}" stroke="{stroke}" fill="none"{dash}/>"#
            )?;
        }
        Ok(())
    }

    fn curves(&self, svg: &mut String, x: &Scale, y: &Scale) -> std::fmt::Result {
        for line in &self.lines {
            let stroke = colour(line.colour);
            let mut path = String::new();
            let mut dots = String::new();
            for (i, point) in line.points.iter().enumerate() {
                let (px, py) = (x.at(point.0), y.at(point.1));
                write!(path, "{}{px:.1} {py:.1}", if i == 0 { "M" } else { "L" })?;
                write!(
                    dots,
                    r#"<circle cx="{px:.1}" cy="{py:.1}" r="3" fill="{stroke}"/>"#
                )?;
            }
            let dash = line.dash.attribute();
            writeln!(
                svg,
                r#"<path d="{path}" stroke="{stroke}" stroke-width="2" fill="none"{dash}/>{dots}"#
            )?;
        }
        for mark in &self.marks {
            let (px, py) = (x.at(mark.x), y.at(mark.y));
            writeln!(svg, "{}", diamond(px, py, colour(mark.colour)))?;
        }
        Ok(())
    }

    fn legend(&self, svg: &mut String) -> std::fmt::Result {
        let from = WIDTH - RIGHT + 14.0;
        let mut at = TOP + 6.0;
        let mut entry = |svg: &mut String, sign: &str, label: &str| {
            let (text, base) = (from + 34.0, at + 4.0);
            let label = escaped(label);
            at += 18.0;
            writeln!(svg, r#"{sign}<text x="{text}" y="{base}">{label}</text>"#)
        };
        let mut y = TOP + 6.0;
        let mut stroke = |colour: &str, width: u32, dash: Dash| {
            let sign = format!(
                r#"<path d="M{from} {y}h28" stroke="{colour}" stroke-width="{width}" fill="none"{}/>"#,
                dash.attribute()
            );
            y += 18.0;
            sign
        };
        for line in &self.lines {
            let sign = stroke(colour(line.colour), 2, line.dash);
            entry(svg, &sign, &line.label)?;
        }
        for level in self.levels.iter().filter(|level| !level.label.is_empty()) {
            let sign = stroke(level.colour.map_or(GREY, colour), 1, level.dash);
            entry(svg, &sign, &level.label)?;
        }
        for (dash, label) in &self.keys {
            let sign = stroke(GREY, 1, *dash);
            entry(svg, &sign, label)?;
        }
        for mark in &self.marks {
            let sign = diamond(from + 14.0, y, colour(mark.colour));
            y += 18.0;
            entry(svg, &sign, &mark.label)?;
        }
        Ok(())
    }

    fn draw(&self, svg: &mut String) -> std::fmt::Result {
        let (x, y) = self.scales();
        writeln!(
            svg,
            r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12" fill="#222222">
<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>
<text x="{LEFT}" y="24" font-size="16">{}</text>
<text x="{LEFT}" y="44" fill="{GREY}" font-size="11">{}</text>"##,
            escaped(&self.title),
            escaped(&self.subtitle)
        )?;
        self.axes(svg, &x, &y)?;
        self.levels(svg, &y)?;
        self.curves(svg, &x, &y)?;
        self.legend(svg)?;
        writeln!(svg, "</svg>")
    }

    /// The picture.
    #[must_use]
    pub fn svg(&self) -> String {
        let mut svg = String::new();
        // Writing to a string does not fail.
        let _ = self.draw(&mut svg);
        svg
    }
}

fn diamond(x: f64, y: f64, colour: &str) -> String {
    format!(
        r##"<path d="M{:.1} {y:.1}l6 -6l6 6l-6 6z" fill="{colour}" stroke="#ffffff"/>"##,
        x - 6.0
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(label: &str, points: Vec<(f64, f64)>) -> Chart {
        Chart {
            title: "t".into(),
            subtitle: String::new(),
            x_title: String::new(),
            y_title: String::new(),
            lines: vec![Line {
                label: label.into(),
                colour: 8,
                dash: Dash::None,
                points,
            }],
            levels: Vec::new(),
            marks: Vec::new(),
            keys: Vec::new(),
        }
    }

    #[test]
    fn points_lie_where_their_logarithms_do() {
        let chart = chart(
            "a<b & c",
            vec![(1024.0, 0.1), (4096.0, 1.0), (16384.0, 10.0)],
        );
        let (x, y) = chart.scales();
        assert!((x.at(1024.0) - LEFT).abs() < 1e-6);
        assert!((x.at(16384.0) - (WIDTH - RIGHT)).abs() < 1e-6);
        assert!((x.at(4096.0) - f64::midpoint(LEFT, WIDTH - RIGHT)).abs() < 1e-6);
        assert!((y.at(0.1) - (HEIGHT - BOTTOM)).abs() < 1e-6);
        assert!((y.at(1.0) - f64::midpoint(TOP, HEIGHT - BOTTOM)).abs() < 1e-6);
        let svg = chart.svg();
        assert!(svg.contains("a&lt;b &amp; c") && !svg.contains("a<b"));
        assert_eq!(svg.matches("<circle").count(), 3);
        assert!(svg.contains(">16 KiB<") || svg.contains(">8 KiB<"), "{svg}");
    }

    #[test]
    fn no_points_make_an_empty_chart() {
        let svg = chart("none", Vec::new()).svg();
        assert!(svg.starts_with("<svg") && svg.ends_with("</svg>\n"));
        assert!(!svg.contains("NaN") && !svg.contains("inf"));
    }
}
