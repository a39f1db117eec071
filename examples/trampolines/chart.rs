//! The chart: how bytes, instructions and cycles come down from rung to rung, each as a part of what it is
//! at the lowest.

use std::fmt::{self, Write};

use super::mca::CORES;
use super::measure::Row;

/// In pixels.
const WIDTH: f64 = 1080.0;
const HEIGHT: f64 = 618.0;
const LEFT: f64 = 56.0;
const TOP: f64 = 134.0;
const PANEL: f64 = 330.0;
const PANEL_HEIGHT: f64 = 300.0;
/// The lowest and the highest per cent of a panel.
const SCALE: [f64; 2] = [50.0, 105.0];
/// From one panel to the next, with room for the names of the lines.
const STRIDE: f64 = 525.0;

/// What a line shows, how it is drawn, and its value in a row.
struct Line {
    name: &'static str,
    style: &'static str,
    value: fn(&Row) -> f64,
}

/// A row without an estimate is not drawn; see `draw`.
fn cycles(row: &Row, core: usize) -> f64 {
    row.cycles[core].unwrap_or(f64::NAN)
}

const LINES: [Line; 4] = [
    Line {
        name: "bytes",
        style: "bytes",
        value: |row| row.bytes,
    },
    Line {
        name: "instructions",
        style: "executed",
        value: |row| row.executed as f64,
    },
    Line {
        name: "cycles, N1",
        style: "n1",
        value: |row| cycles(row, 0),
    },
    Line {
        name: "cycles, V2",
        style: "v2",
        value: |row| cycles(row, 1),
    },
];

const STYLE: &str = "
  text { font: 14px system-ui, 'DejaVu Sans', sans-serif; fill: #222 }
  .title { font-size: 21px; font-weight: 600 }
  .head { font-size: 16px; font-weight: 600 }
  .small { font-size: 12.5px; fill: #555 }
  .grid { stroke: #ddd }
  .elided { fill: #f3f3f3 }
  path { fill: none; stroke-width: 2.5; stroke-linejoin: round }
  path.bytes { stroke: #1558b0; stroke-width: 4 } circle.bytes, text.bytes { fill: #1558b0 }
  path.executed { stroke: #777; stroke-dasharray: 2 4 } circle.executed, text.executed { fill: #666 }
  path.n1 { stroke: #e07b00 } circle.n1, text.n1 { fill: #b35f00 }
  path.v2 { stroke: #b3261e; stroke-dasharray: 9 4 } circle.v2, text.v2 { fill: #b3261e }
";

/// Draws the ladders of two traces side by side.
pub fn draw(ladders: &[(&str, Vec<Row>)], mca: &str) -> Result<String, fmt::Error> {
    let mut svg = String::new();
    writeln!(
        svg,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\">"
    )?;
    writeln!(svg, "<title>The ladder of trampolines</title>")?;
    writeln!(svg, "<style>{STYLE}</style>")?;
    writeln!(
        svg,
        "<rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#fff\"/>"
    )?;
    text(
        &mut svg,
        24.0,
        36.0,
        "title",
        "Fewer trampolines: is a trace faster too, or only smaller?",
    )?;
    text(
        &mut svg,
        24.0,
        58.0,
        "small",
        "In per cent of rung 0; instructions and cycles of one round of the loop",
    )?;
    let panels = std::iter::successors(Some(LEFT), |left| Some(left + STRIDE));
    for ((name, rows), left) in ladders.iter().zip(panels) {
        panel(&mut svg, left, name, rows)?;
    }
    if let Some((_, rows)) = ladders.first() {
        rungs(&mut svg, rows)?;
    }
    let source = format!(
        "Cycles: estimated by llvm-mca ({mca}) for {} and {}. It knows no caches and no branch prediction, \
         where smaller code gains.",
        CORES[0], CORES[1]
    );
    text(&mut svg, 24.0, HEIGHT - 16.0, "small", &source)?;
    writeln!(svg, "</svg>")?;
    Ok(svg)
}

fn text(svg: &mut String, x: f64, y: f64, class: &str, text: &str) -> fmt::Result {
    writeln!(
        svg,
        "<text x=\"{x:.1}\" y=\"{y:.1}\" class=\"{class}\">{text}</text>"
    )
}

/// What all the rungs without trampolines bring, elided fall-throughs apart.
fn answer(rows: &[Row]) -> String {
    let [first, .., direct, _] = rows else {
        return String::new();
    };
    let saved = |line: &Line| 100.0 * (1.0 - (line.value)(direct) / (line.value)(first));
    let [bytes, _, n1, v2] = LINES.each_ref().map(saved);
    let (least, most) = (n1.min(v2), n1.max(v2));
    if most < 0.5 {
        format!("at rung 6, {bytes:.0} % smaller and no faster")
    } else {
        format!("at rung 6, {bytes:.0} % smaller, {least:.0} to {most:.0} % fewer cycles")
    }
}

fn panel(svg: &mut String, left: f64, name: &str, rows: &[Row]) -> fmt::Result {
    let step = PANEL / (rows.len() - 1) as f64;
    let x = |rung: usize| left + step * rung as f64;
    let [lowest, highest] = SCALE;
    let y = |percent: f64| TOP + PANEL_HEIGHT * (highest - percent) / (highest - lowest);
    let head = format!("{name}: {}", answer(rows));
    text(svg, left - 32.0, TOP - 34.0, "head", &head)?;
    let calls = match rows.first().map_or(0, |row| row.calls) {
        0 => "all its calls are out of line: none in a round".to_owned(),
        calls => format!("{calls} calls in a round"),
    };
    text(svg, left - 32.0, TOP - 14.0, "small", &calls)?;

    // The last rung is about something else.
    let last = x(rows.len() - 1);
    writeln!(
        svg,
        "<rect class=\"elided\" x=\"{:.1}\" y=\"{TOP}\" width=\"{step:.1}\" height=\"{PANEL_HEIGHT}\"/>",
        last - step / 2.0
    )?;
    for percent in [50.0, 60.0, 70.0, 80.0, 90.0, 100.0] {
        let at = y(percent);
        writeln!(
            svg,
            "<path class=\"grid\" style=\"stroke-width: 1\" d=\"M{left:.1} {at:.1}H{:.1}\"/>",
            last + step / 2.0
        )?;
        text(
            svg,
            left - 32.0,
            at + 4.0,
            "small",
            &format!("{percent:.0}"),
        )?;
    }
    for (rung, row) in rows.iter().enumerate() {
        text(
            svg,
            x(rung) - 4.0 * row.rung.number.len() as f64,
            y(lowest) + 20.0,
            "",
            row.rung.number,
        )?;
    }

    let mut names = Vec::new();
    for line in LINES.iter().rev() {
        let value = line.value;
        let Some(first) = rows.first().map(value) else {
            return Ok(());
        };
        let percent = |row: &Row| 100.0 * value(row) / first;
        let mut path = String::new();
        for (rung, row) in rows.iter().enumerate() {
            let command = if rung == 0 { 'M' } else { 'L' };
            write!(path, "{command}{:.1} {:.1}", x(rung), y(percent(row)))?;
        }
        writeln!(svg, "<path class=\"{}\" d=\"{path}\"/>", line.style)?;
        for (rung, row) in rows.iter().enumerate() {
            writeln!(
                svg,
                "<circle class=\"{}\" r=\"3.5\" cx=\"{:.1}\" cy=\"{:.1}\"><title>rung {}: {} {:.1}</title></circle>",
                line.style,
                x(rung),
                y(percent(row)),
                row.rung.number,
                line.name,
                value(row)
            )?;
        }
        let end = rows.last().map_or(0.0, percent);
        names.push((y(end), line.style, format!("{} {end:.0} %", line.name)));
    }

    // The names stand at the lines' ends, one below the other.
    names.sort_by(|(one, ..), (other, ..)| one.total_cmp(other));
    let mut free = f64::NEG_INFINITY;
    for (at, style, name) in names {
        let at = at.max(free);
        free = at + 17.0;
        text(svg, last + step / 2.0 + 8.0, at + 4.0, style, &name)?;
    }
    Ok(())
}

/// What the numbers of the rungs mean, in two columns.
fn rungs(svg: &mut String, rows: &[Row]) -> fmt::Result {
    let top = TOP + PANEL_HEIGHT + 56.0;
    let half = rows.len().div_ceil(2);
    for (rung, row) in rows.iter().enumerate() {
        let x = LEFT - 32.0 + STRIDE * (rung / half) as f64;
        let y = top + 22.0 * (rung % half) as f64;
        text(svg, x, y, "", row.rung.number)?;
        text(svg, x + 28.0, y, "", row.rung.what)?;
    }
    Ok(())
}
