//! The page: everything in its place, written as HTML.

use std::fmt::Write;

use super::arrows::{Arrow, Kind};
use super::tiles::{CHARACTER, COLUMNS, LINE, PADDING, Picture, TOP, Tile};
use crate::link::LinkedTrace;

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");

/// `text` as HTML has it, in elements and in quoted attributes. What cannot be shown is replaced.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\n' => escaped.push_str("&#10;"),
            character if character.is_control() => escaped.push('\u{fffd}'),
            character => escaped.push(character),
        }
    }
    escaped
}

/// The page of a trace.
pub(super) fn page(
    heading: &str,
    trace: &LinkedTrace,
    picture: &Picture,
    arrows: &[Arrow],
) -> String {
    let mut page = String::new();
    // Writing to a string does not fail.
    let _ = write_page(&mut page, heading, trace, picture, arrows);
    page
}

fn write_page(
    page: &mut String,
    heading: &str,
    trace: &LinkedTrace,
    picture: &Picture,
    arrows: &[Arrow],
) -> std::fmt::Result {
    let heading = escaped(heading);
    let statistics = trace.statistics();
    write!(
        page,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <link rel=\"icon\" href=\"data:,\">\n\
         <title>{heading}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n\
         <header>\n<h1>{heading}</h1>\n<p>"
    )?;
    let parts = [
        ("hot", statistics.hot),
        ("cold", statistics.cold),
        ("trampolines", statistics.trampolines),
        ("literals", statistics.literals),
        ("NOPs among them", statistics.nops),
    ];
    for (number, (name, bytes)) in parts
        .into_iter()
        .filter(|(_, bytes)| *bytes > 0)
        .enumerate()
    {
        let comma = if number > 0 { ", " } else { "" };
        write!(page, "{comma}{name} {bytes}&nbsp;bytes")?;
    }
    writeln!(page, "</p>\n<ul class=\"legend\">")?;
    for (kind, class, what) in Kind::ALL {
        if arrows.iter().any(|arrow| arrow.kind == kind) {
            writeln!(page, "<li class=\"{class}\">{what}</li>")?;
        }
    }
    writeln!(page, "</ul>\n</header>\n<main>")?;
    write_picture(page, picture, arrows)?;
    writeln!(
        page,
        "</main>\n<div id=\"tip\" role=\"status\" hidden></div>\n<script>\n{SCRIPT}</script>\n</body>\n</html>"
    )
}

fn write_picture(page: &mut String, picture: &Picture, arrows: &[Arrow]) -> std::fmt::Result {
    let (width, height) = (picture.width, picture.height);
    writeln!(
        page,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" \
         viewBox=\"0 0 {width:.0} {height:.0}\" role=\"img\" aria-label=\"The trace's code, and what leads where\">\n<defs>"
    )?;
    for (_, class, _) in Kind::ALL {
        writeln!(
            page,
            "<marker id=\"tip-{class}\" class=\"{class}\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" \
             markerWidth=\"7\" markerHeight=\"7\" markerUnits=\"userSpaceOnUse\" orient=\"auto\">\
             <path d=\"M0 0L8 4L0 8z\"/></marker>"
        )?;
    }
    writeln!(page, "</defs>")?;
    // What passes behind a column is drawn first.
    for arrow in arrows.iter().filter(|arrow| arrow.passes) {
        write_arrow(page, arrow)?;
    }
    for (number, column) in picture.columns.iter().enumerate() {
        let name = picture.name(number);
        if column.width > 0.0 {
            writeln!(
                page,
                "<text class=\"column\" x=\"{:.1}\" y=\"{:.1}\">{name}</text>",
                column.x,
                TOP - 14.0
            )?;
        }
    }
    for (number, tile) in picture.tiles.iter().enumerate() {
        write_tile(page, picture, number, tile)?;
    }
    for arrow in arrows.iter().filter(|arrow| !arrow.passes) {
        write_arrow(page, arrow)?;
    }
    writeln!(page, "</svg>")
}

fn write_arrow(page: &mut String, arrow: &Arrow) -> std::fmt::Result {
    let class = arrow.kind.class();
    let passes = if arrow.passes { " passes" } else { "" };
    writeln!(
        page,
        "<path class=\"arrow {class}{passes}\" data-from=\"{}\" data-to=\"{}\" d=\"{}\" marker-end=\"url(#tip-{class})\"/>",
        arrow.from, arrow.to, arrow.path
    )
}

fn write_tile(
    page: &mut String,
    picture: &Picture,
    number: usize,
    tile: &Tile,
) -> std::fmt::Result {
    let column = picture.columns[tile.column];
    let class = match tile.outside {
        Some(_) => "outside",
        None if tile.title.starts_with("island") => "island",
        None => COLUMNS[tile.column].0,
    };
    let about = escaped(&about(picture, tile));
    writeln!(
        page,
        "<g class=\"tile {class}\" tabindex=\"0\" data-tile=\"{number}\" data-tip=\"{about}\">\
         <rect x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\" rx=\"5\"/>",
        column.x,
        tile.y,
        column.width,
        tile.height()
    )?;
    let x = column.x + PADDING;
    let mut y = tile.y + PADDING - 2.0 + LINE * 0.72;
    let operands = tile.operand_line();
    let heads = [
        ("names", tile.names.as_deref().unwrap_or("")),
        ("title", tile.title.as_str()),
        ("operands", operands.as_str()),
    ];
    for (class, text) in heads.into_iter().filter(|(_, text)| !text.is_empty()) {
        writeln!(
            page,
            "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\">{}</text>",
            escaped(text)
        )?;
        y += LINE;
    }
    for row in &tile.rows {
        let (offset, digits) = (row.at * 4, picture.digits);
        let text_x = x + (digits + 2) as f64 * CHARACTER;
        let idle = if row.text == "nop" { " idle" } else { "" };
        write!(
            page,
            "<text class=\"row{idle}\" y=\"{y:.1}\"><tspan class=\"offset\" x=\"{x:.1}\">{offset:0digits$x}</tspan>\
             <tspan x=\"{text_x:.1}\">{}</tspan>",
            escaped(&row.text)
        )?;
        if !row.remark.is_empty() {
            let remark_x = text_x + (row.text.chars().count() + 2) as f64 * CHARACTER;
            write!(
                page,
                "<tspan class=\"remark\" x=\"{remark_x:.1}\">{}</tspan>",
                escaped(&row.remark)
            )?;
        }
        writeln!(page, "</text>")?;
        y += LINE;
    }
    writeln!(page, "</g>")
}

/// What is shown of a tile that is pointed at.
fn about(picture: &Picture, tile: &Tile) -> String {
    let mut lines: Vec<String> = tile.names.iter().cloned().collect();
    lines.extend((!tile.title.is_empty()).then(|| tile.title.clone()));
    lines.extend(
        tile.operands
            .iter()
            .map(|(name, value)| format!("  {name} = {value}")),
    );
    if let Some(address) = tile.outside {
        lines.push(format!("  at {address:#x}"));
    }
    if let (Some(first), bytes) = (
        tile.rows.first(),
        tile.rows
            .iter()
            .map(|row| row.encoded.len() / 2)
            .sum::<usize>(),
    ) {
        let at = picture.address.wrapping_add(u64::from(first.at) * 4);
        lines.push(format!("{bytes} bytes at {at:#x}"));
    }
    for row in &tile.rows {
        let remark = if row.remark.is_empty() {
            String::new()
        } else {
            format!("  ; {}", row.remark)
        };
        lines.push(format!("  {}  {}{remark}", row.encoded, row.text));
    }
    lines.join("\n")
}
