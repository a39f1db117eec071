//! What leads where: branches, calls and literal loads, as paths.

use std::collections::BTreeMap;

use super::tiles::{LINE, PADDING, Picture};
use crate::asm::branch;
use crate::asm::literal::Load;
use crate::inspect::places::{Name, Places};
use crate::link::Part;

/// What an arrow stands for; the name is its class in the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Branch,
    Exit,
    Cold,
    Call,
    Load,
    Veneer,
}

impl Kind {
    pub(super) const ALL: [(Kind, &'static str, &'static str); 6] = [
        (Kind::Branch, "branch", "branch"),
        (Kind::Cold, "cold", "to and from a cold part"),
        (Kind::Exit, "exit", "exit"),
        (Kind::Call, "call", "call"),
        (Kind::Load, "load", "literal load"),
        (Kind::Veneer, "veneer", "veneer"),
    ];

    pub(super) fn class(self) -> &'static str {
        let all = Kind::ALL.iter();
        all.filter(|(kind, ..)| *kind == self)
            .map(|(_, class, _)| *class)
            .next()
            .unwrap_or("")
    }
}

/// An arrow with its place.
#[derive(Debug)]
pub(super) struct Arrow {
    pub(super) kind: Kind,
    /// The tiles it leads from and to.
    pub(super) from: usize,
    pub(super) to: usize,
    /// The path, in SVG's syntax.
    pub(super) path: String,
    /// Whether it passes behind a column.
    pub(super) passes: bool,
}

/// An arrow before its place is known.
#[derive(Debug, Clone, Copy)]
struct Lead {
    kind: Kind,
    /// Tile and row.
    from: (usize, usize),
    /// Tile, and row; `None` for the tile as a whole.
    to: End,
}

/// Where an arrow ends: a tile, and a row of it.
type End = (usize, Option<usize>);

/// Finds the arrows of a trace, and gives everything in the picture its place.
pub(super) fn arrows(places: &Places<'_>, picture: &mut Picture) -> Vec<Arrow> {
    let leads = leads(places, picture);
    let is_local =
        |lead: &&Lead| picture.tiles[lead.from.0].column == picture.tiles[lead.to.0].column;
    let (local, across): (Vec<_>, Vec<_>) = leads.iter().partition(is_local);
    let (lanes, counts) = lanes(&local, picture);
    let ends: Vec<_> = leads.iter().map(|lead| (lead.from, lead.to.0)).collect();
    picture.place(&ends, counts);
    let across = across.into_iter().map(|lead| across_columns(lead, picture));
    let local = local
        .into_iter()
        .map(|lead| in_column(lead, lanes[&lead.to], picture));
    across.chain(local).collect()
}

/// The lanes beside the columns for the arrows that stay in one, by where these end, and how many each column
/// has. Arrows with one end share a lane; others do if they do not meet.
fn lanes(local: &[&Lead], picture: &Picture) -> (BTreeMap<End, usize>, [usize; 4]) {
    // There are no places yet: the numbers of tile and row stand for the height.
    let mut spans: BTreeMap<End, (End, End)> = BTreeMap::new();
    for lead in local {
        let from = (lead.from.0, Some(lead.from.1));
        let (first, last) = spans.entry(lead.to).or_insert((lead.to, lead.to));
        *first = from.min(*first);
        *last = from.max(*last);
    }
    let mut spans: Vec<_> = spans.into_iter().collect();
    // The shortest ones are nearest to the column.
    spans.sort_by_key(|(_, (first, last))| last.0 - first.0);
    let mut taken: [Vec<Vec<(End, End)>>; 4] = Default::default();
    let mut lanes = BTreeMap::new();
    for (to, (first, last)) in spans {
        let column = &mut taken[picture.tiles[to.0].column];
        let free = |lane: &Vec<(End, End)>| lane.iter().all(|&(a, b)| last < a || b < first);
        let lane = column.iter().position(free).unwrap_or_else(|| {
            column.push(Vec::new());
            column.len() - 1
        });
        column[lane].push((first, last));
        lanes.insert(to, lane);
    }
    (lanes, taken.map(|column| column.len()))
}

/// Everything that leads somewhere.
fn leads(places: &Places<'_>, picture: &mut Picture) -> Vec<Lead> {
    let mut leads = Vec::new();
    let rows: Vec<_> = picture
        .tiles
        .iter()
        .enumerate()
        .flat_map(|(tile, t)| {
            t.rows
                .iter()
                .enumerate()
                .map(move |(row, r)| (tile, row, r.at))
        })
        .collect();
    for (tile, row, at) in rows {
        let literals = places.trace.range(Part::Literals).start / 4;
        let is_code = places
            .island_at(at)
            .is_none_or(|island| at < island.literals)
            && at < literals;
        let Some(word) = places.word(at).filter(|_| is_code) else {
            continue;
        };
        let Some(to) = leads_to(word, at) else {
            continue;
        };
        let inside = u32::try_from(to)
            .ok()
            .and_then(|to| Some((to, picture.find(to)?)));
        let (kind, to) = match inside {
            Some((word_to, (to, to_row))) => {
                // The first word of a tile stands for the whole; so does a trampoline.
                let whole = to_row == 0 && !is_pool(places, word_to);
                let kind = kind(places, at, word, word_to);
                (kind, (to, (!whole).then_some(to_row)))
            }
            None => {
                let block = places.block_at(at);
                let named = places.target(at, word, block.as_ref());
                let address = places.address(to);
                let name = named.map_or_else(|| format!("{address:#x}"), |named| named.name);
                (Kind::Call, (picture.outside(address, name), None))
            }
        };
        leads.push(Lead {
            kind,
            from: (tile, row),
            to,
        });
    }
    leads
}

/// Where an instruction leads, in words from the trace's start.
fn leads_to(word: u32, at: u32) -> Option<i64> {
    let field = match branch::branch_field(word) {
        Some(field) => field,
        None => {
            Load::of(word)?;
            branch::Field::Imm19
        }
    };
    Some(i64::from(at) + field.displacement(word))
}

fn is_pool(places: &Places<'_>, at: u32) -> bool {
    at >= places.trace.range(Part::Literals).start / 4
        || places
            .island_at(at)
            .is_some_and(|island| at >= island.literals)
}

fn kind(places: &Places<'_>, at: u32, word: u32, to: u32) -> Kind {
    let is_trampoline = |at: u32| places.trace.map().trampoline_at(at).is_some();
    let is_veneer = |at: u32| {
        let island = places.island_at(at);
        island.is_some_and(|island| at < island.literals) && !is_trampoline(at)
    };
    if Load::of(word).is_some() {
        return Kind::Load;
    }
    if is_veneer(at) || is_veneer(to) {
        return Kind::Veneer;
    }
    if branch::is_bl(word) || is_trampoline(to) {
        return Kind::Call;
    }
    let hot = |at: u32| at < places.trace.range(Part::Hot).end / 4;
    if places
        .names_at(to)
        .any(|name| matches!(name, Name::Exit(_)))
    {
        Kind::Exit
    } else if hot(at) != hot(to) {
        Kind::Cold
    } else {
        Kind::Branch
    }
}

/// The height of an arrow's end.
fn end_y(picture: &Picture, (tile, row): End) -> f64 {
    let tile = &picture.tiles[tile];
    match row {
        Some(row) => tile.row_y(row),
        None => tile.y + PADDING - 2.0 + LINE / 2.0,
    }
}

/// A curve from one column to another.
fn across_columns(lead: &Lead, picture: &Picture) -> Arrow {
    let (from, to) = (&picture.tiles[lead.from.0], &picture.tiles[lead.to.0]);
    let (one, other) = (picture.columns[from.column], picture.columns[to.column]);
    let rightwards = from.column < to.column;
    let (x0, x1, side) = match rightwards {
        true => (one.x + one.width, other.x, 1.0),
        false => (one.x, other.x + other.width, -1.0),
    };
    let (y0, y1) = (from.row_y(lead.from.1), end_y(picture, lead.to));
    let bend = side * ((x1 - x0).abs() / 2.0).clamp(24.0, 120.0);
    let tip = x1 - side * 2.0;
    let between = (from.column.min(to.column) + 1)..from.column.max(to.column);
    Arrow {
        kind: lead.kind,
        from: lead.from.0,
        to: lead.to.0,
        path: format!(
            "M{x0:.1} {y0:.1}C{:.1} {y0:.1} {:.1} {y1:.1} {tip:.1} {y1:.1}",
            x0 + bend,
            x1 - bend
        ),
        passes: between
            .into_iter()
            .any(|column| picture.columns[column].width > 0.0),
    }
}

/// An angular way beside a column.
fn in_column(lead: &Lead, lane: usize, picture: &Picture) -> Arrow {
    let from = &picture.tiles[lead.from.0];
    let x = picture.columns[from.column].x;
    let (y0, y1) = (from.row_y(lead.from.1), end_y(picture, lead.to));
    let side = x - 14.0 - 7.0 * lane as f64;
    let down = if y1 >= y0 { 1.0 } else { -1.0 };
    let bend = ((y1 - y0).abs() / 2.0).min(5.0);
    let corner = bend * down;
    Arrow {
        kind: lead.kind,
        from: lead.from.0,
        to: lead.to.0,
        path: format!(
            "M{x:.1} {y0:.1}H{:.1}Q{side:.1} {y0:.1} {side:.1} {:.1}V{:.1}Q{side:.1} {y1:.1} {:.1} {y1:.1}H{:.1}",
            side + bend,
            y0 + corner,
            y1 - corner,
            side + bend,
            x - 2.0,
        ),
        passes: false,
    }
}
