//! Where everything stands in the picture. Lengths are in SVG units, which are CSS pixels.

use std::collections::BTreeMap;

use crate::inspect::lines::Line;
use crate::inspect::places::Places;
use crate::link::Part;

/// A character of the monospaced font: 0.6 em of 12 in all that are common.
pub(super) const CHARACTER: f64 = 7.25;
/// From one line to the next.
pub(super) const LINE: f64 = 16.0;
/// Between a tile's border and its text.
pub(super) const PADDING: f64 = 8.0;
/// Between two tiles of a column.
const GAP: f64 = 8.0;
/// Above the tiles, for the names of the columns.
pub(super) const TOP: f64 = 34.0;
/// Between two columns, apart from the lanes of arrows.
const BETWEEN: f64 = 84.0;

/// The columns, from left to right: their class in the page, and their name.
pub(super) const COLUMNS: [(&str, &str); 4] = [
    ("literals", "literal pool"),
    ("hot", "hot"),
    ("cold", "cold"),
    ("trampolines", "trampolines"),
];

/// The column of a section.
fn column(part: Part) -> usize {
    match part {
        Part::Literals => 0,
        Part::Hot => 1,
        Part::Cold => 2,
        Part::Trampolines => 3,
    }
}

/// A word of the trace.
#[derive(Debug)]
pub(super) struct Row {
    /// In words from the trace's start.
    pub(super) at: u32,
    pub(super) encoded: String,
    pub(super) text: String,
    pub(super) remark: String,
}

/// A micro-op, an island, a trampoline, the literal pool, or a function outside.
#[derive(Debug, Default)]
pub(super) struct Tile {
    pub(super) column: usize,
    /// Exits and labels that lie here.
    pub(super) names: Option<String>,
    pub(super) title: String,
    pub(super) operands: Vec<(&'static str, String)>,
    pub(super) rows: Vec<Row>,
    /// The address, of a function outside.
    pub(super) outside: Option<u64>,
    pub(super) y: f64,
}

impl Tile {
    /// The operands in one line.
    pub(super) fn operand_line(&self) -> String {
        let operands = self.operands.iter();
        let operands: Vec<_> = operands
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        operands.join(" ")
    }

    /// The lines above the rows.
    fn head(&self) -> usize {
        usize::from(self.names.is_some())
            + usize::from(!self.title.is_empty())
            + usize::from(!self.operands.is_empty())
    }

    pub(super) fn height(&self) -> f64 {
        (self.head() + self.rows.len()) as f64 * LINE + 2.0 * PADDING - 4.0
    }

    /// The middle of a row.
    pub(super) fn row_y(&self, row: usize) -> f64 {
        self.y + PADDING - 2.0 + (self.head() + row) as f64 * LINE + LINE / 2.0
    }

    /// How many characters its longest line has; `digits` are those of an offset.
    fn characters(&self, digits: usize) -> usize {
        let rows = self.rows.iter().map(|row| {
            let remark = row.remark.chars().count();
            digits + 2 + row.text.chars().count() + if remark > 0 { remark + 3 } else { 0 }
        });
        let heads = [
            self.names.as_ref().map_or(0, |names| names.chars().count()),
            self.title.chars().count(),
            self.operand_line().chars().count(),
        ];
        rows.chain(heads).max().unwrap_or(0)
    }
}

/// A column's place.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Column {
    pub(super) x: f64,
    pub(super) width: f64,
}

/// The tiles of a trace, and the columns they stand in.
#[derive(Debug)]
pub(super) struct Picture {
    pub(super) tiles: Vec<Tile>,
    /// The words in the order of the code, each with its tile and row.
    index: Vec<(u32, usize, usize)>,
    pub(super) columns: [Column; 4],
    /// Digits of an offset.
    pub(super) digits: usize,
    pub(super) address: u64,
    pub(super) width: f64,
    pub(super) height: f64,
}

impl Picture {
    /// The tiles of a trace, without a place yet.
    pub(super) fn new(places: &Places<'_>, lines: &[Line]) -> Picture {
        let address = places.trace.address();
        let mut tiles: Vec<Tile> = Vec::new();
        let (mut now, mut names) = (0, None);
        let mut opened = false;
        for line in lines {
            let mut open =
                |title: String, operands: &[(&'static str, String)], names: Option<String>| {
                    tiles.push(Tile {
                        column: now,
                        names,
                        title,
                        operands: operands.to_vec(),
                        ..Tile::default()
                    });
                };
            match line {
                Line::Section { part, .. } => {
                    now = column(*part);
                    opened = false;
                }
                Line::Names(text) => {
                    // A micro-op that has no instructions stands for itself.
                    names = Some(text.clone());
                    opened = false;
                }
                Line::Block { title, operands } => {
                    open(title.clone(), operands, names.take());
                    opened = true;
                }
                Line::Island { bytes } => {
                    open(format!("island, {bytes} bytes"), &[], names.take());
                    opened = true;
                }
                Line::BehindIsland => opened = false,
                Line::Trampoline(name) => {
                    open(name.clone(), &[], None);
                    opened = true;
                }
                Line::Word {
                    at,
                    encoded,
                    text,
                    remark,
                } => {
                    if !opened {
                        open(String::new(), &[], names.take());
                        opened = true;
                    }
                    if let Some(tile) = tiles.last_mut() {
                        tile.rows.push(Row {
                            at: *at,
                            encoded: encoded.clone(),
                            text: text.clone(),
                            remark: remark.clone(),
                        });
                    }
                }
            }
        }
        let rows = tiles.iter().enumerate().flat_map(|(tile, t)| {
            let rows = t.rows.iter().enumerate();
            rows.map(move |(row, r)| (r.at, tile, row))
        });
        let index = rows.collect();
        Picture {
            tiles,
            index,
            columns: [Column::default(); 4],
            digits: format!("{:x}", places.trace.bytes().len()).len().max(3),
            address,
            width: 0.0,
            height: 0.0,
        }
    }

    /// The tile and the row of a word.
    pub(super) fn find(&self, at: u32) -> Option<(usize, usize)> {
        let found = self.index.binary_search_by_key(&at, |&(at, ..)| at).ok()?;
        let (_, tile, row) = self.index[found];
        Some((tile, row))
    }

    /// What a column is called.
    pub(super) fn name(&self, column: usize) -> &'static str {
        let mut tiles = self.tiles.iter().filter(|tile| tile.column == column);
        match (column, tiles.next().and_then(|tile| tile.outside)) {
            (3, Some(_)) => "outside the trace",
            _ => COLUMNS[column].1,
        }
    }

    /// The tile of a function outside; there is one from then on.
    pub(super) fn outside(&mut self, address: u64, name: String) -> usize {
        let known = self
            .tiles
            .iter()
            .position(|tile| tile.outside == Some(address));
        known.unwrap_or_else(|| {
            self.tiles.push(Tile {
                column: 3,
                title: name,
                outside: Some(address),
                ..Tile::default()
            });
            self.tiles.len() - 1
        })
    }

    /// Gives everything its place. `leads` are tile and row that each arrow starts at, and the tile it
    /// ends at; `lanes` is how many lanes of arrows there are beside each column.
    pub(super) fn place(&mut self, leads: &[((usize, usize), usize)], lanes: [usize; 4]) {
        let mut x = 16.0;
        for column in 0..4 {
            let tiles = self.tiles.iter().filter(|tile| tile.column == column);
            let characters = tiles.map(|tile| tile.characters(self.digits)).max();
            let Some(characters) = characters else {
                continue;
            };
            let gutter = match lanes[column] {
                0 => 0.0,
                lanes => 14.0 + 7.0 * lanes as f64,
            };
            if x > 16.0 {
                x += BETWEEN;
            }
            self.columns[column] = Column {
                x: x + gutter,
                width: characters as f64 * CHARACTER + 2.0 * PADDING,
            };
            x = self.columns[column].x + self.columns[column].width;
        }
        self.width = x + 16.0;
        let mut sources: BTreeMap<usize, Vec<(usize, usize)>> = BTreeMap::new();
        for &(from, to) in leads {
            sources.entry(to).or_default().push(from);
        }
        // The hot column is packed; each tile of another stands beside what first leads to it, as far as
        // the order of the column and its length allow.
        self.stack(1, &BTreeMap::new(), 0.0);
        let bottom = self.bottom();
        for column in [2, 0, 3] {
            self.stack(column, &sources, bottom);
        }
        self.height = self.bottom() + 16.0;
    }

    fn bottom(&self) -> f64 {
        let bottoms = self.tiles.iter().filter(|tile| tile.y > 0.0);
        bottoms
            .map(|tile| tile.y + tile.height())
            .fold(TOP, f64::max)
    }

    /// Stacks the tiles of a column.
    fn stack(
        &mut self,
        column: usize,
        sources: &BTreeMap<usize, Vec<(usize, usize)>>,
        bottom: f64,
    ) {
        let tiles = 0..self.tiles.len();
        let tiles: Vec<_> = tiles
            .filter(|&tile| self.tiles[tile].column == column)
            .collect();
        let heights = tiles.iter().map(|&tile| self.tiles[tile].height() + GAP);
        let mut left: f64 = heights.sum();
        let mut y = TOP;
        for tile in tiles {
            let sources = sources.get(&tile).into_iter().flatten();
            let wanted = sources
                .map(|&(from, row)| (&self.tiles[from], row))
                .filter(|(source, _)| source.y > 0.0)
                .map(|(source, row)| source.row_y(row) - LINE)
                .reduce(f64::min);
            let latest = bottom - left;
            y = wanted.map_or(y, |wanted| wanted.min(latest).max(y));
            self.tiles[tile].y = y;
            let height = self.tiles[tile].height() + GAP;
            y += height;
            left -= height;
        }
    }
}
