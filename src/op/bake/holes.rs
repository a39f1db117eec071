//! Holes: which bits of an instruction depend on which bits of an operand.

use super::{Body, Draft, Flaw, Recorder, Site};
use crate::op::template::{Hole, Map};

/// The holes of one site, at most one per bit.
struct SiteHoles {
    holes: [Hole; 32],
    len: usize,
}

pub(super) const NO_HOLE: Hole = Hole {
    word: 0,
    operand: 0,
    source: 0,
    target: 0,
    width: 0,
    map: Map::IDENTITY,
    range: 0,
};

const NO_HOLES: SiteHoles = SiteHoles {
    holes: [NO_HOLE; 32],
    len: 0,
};

impl SiteHoles {
    /// Adds a bit, to the last hole where it goes on there. No bit of the word is added twice.
    const fn push(&mut self, map: u16, source: u32, target: u32) {
        if self.len > 0 {
            let last = &mut self.holes[self.len - 1];
            let goes_on = (last.source + last.width) as u32 == source
                && (last.target + last.width) as u32 == target
                && last.map.0 == map;
            if goes_on {
                last.width += 1;
                return;
            }
        }
        self.holes[self.len] = Hole {
            source: source as u8,
            target: target as u8,
            width: 1,
            map: Map(map),
            ..NO_HOLE
        };
        self.len += 1;
    }
}

/// What a hole adds to its word for a value seen through its map.
pub(crate) const fn patch(hole: Hole, value: u64) -> u32 {
    ((value >> hole.source & ((1 << hole.width) - 1)) as u32) << hole.target
}

/// Finds the holes of all sites. Constants are patched into the words at once.
pub(super) const fn bake<
    const W: usize,
    const R: usize,
    const P: usize,
    const H: usize,
    const T: usize,
>(
    draft: &mut Draft<W, H, R, T>,
    recorded: &Recorder<W, R>,
    probes: &Recorder<P, 0>,
    body: &Body,
) {
    let mut s = 0;
    while s < body.sites.len() {
        let site = &body.sites[s];
        let at = site.word as usize;
        let base = recorded.words[at];
        let words = probes.words.split_at(site.first_probe).1;
        let words = words.split_at(site.probes).0;
        let in_part = if at < body.hot { at } else { at - body.hot } as u16;
        let found = find(site, base, words, in_part);
        let is_constant = site.is_constant(body);
        let flaw = match found {
            Some(found) if is_constant => {
                let value = body.constants[site.operand as usize - body.operands.len()];
                draft.words[at] ^= change(site, &found, value);
                None
            }
            None if is_constant && site.complete => {
                let value = body.constants[site.operand as usize - body.operands.len()];
                let place = value.wrapping_sub(site.base) as usize;
                if place > 0 {
                    draft.words[at] ^= words[place - 1] ^ base;
                }
                None
            }
            Some(found) => add(draft, body, site, &found),
            None if site.complete => {
                let table = add_table(draft, site, base, words, in_part);
                add(draft, body, site, &table)
            }
            None => Some((Flaw::Site, s)),
        };
        if flaw.is_some() {
            draft.flaw = flaw;
            return;
        }
        s += 1;
    }
    check_joints(draft, recorded, probes, body);
}

/// Finds the holes of a site, or says that there are none.
const fn find(site: &Site, base: u32, probes: &[u32], word: u16) -> Option<SiteHoles> {
    let mut found = guess(site, base, probes);
    let mut p = 0;
    while p < probes.len() {
        let mut change = probes[p] ^ base;
        let mut h = 0;
        while h < found.len {
            change ^= patch(found.holes[h], site.views[0].flips[p]);
            h += 1;
        }
        if change != 0 {
            found = match search(site, base, probes) {
                Some(found) => found,
                None => return None,
            };
            break;
        }
        p += 1;
    }
    let mut h = 0;
    while h < found.len {
        found.holes[h].word = word;
        found.holes[h].operand = site.operand;
        h += 1;
    }
    Some(found)
}

/// The holes as the probes suggest them in which one bit changes, seen through the first view. Not
/// checked; nearly always right, and quick to make and to check where the compiler interprets it.
const fn guess(site: &Site, base: u32, probes: &[u32]) -> SiteHoles {
    let view = &site.views[0];
    let mut sources = [0; 32];
    let mut seen = 0u32;
    let mut p = 0;
    while p < probes.len() {
        let flips = view.flips[p];
        let mut change = (probes[p] ^ base) & !seen;
        if flips.is_power_of_two() && change != 0 {
            seen |= change;
            while change != 0 {
                sources[change.trailing_zeros() as usize] = flips.trailing_zeros();
                change &= change - 1;
            }
        }
        p += 1;
    }
    let mut found = NO_HOLES;
    while seen != 0 {
        let target = seen.trailing_zeros();
        found.push(view.number, sources[target as usize], target);
        seen &= seen - 1;
    }
    found
}

/// Searches the holes bit by bit, in every view.
const fn search(site: &Site, base: u32, probes: &[u32]) -> Option<SiteHoles> {
    let mut changing = 0;
    let mut p = 0;
    while p < probes.len() {
        changing |= probes[p] ^ base;
        p += 1;
    }
    let mut found = NO_HOLES;
    while changing != 0 {
        let target = changing.trailing_zeros();
        changing &= changing - 1;
        // A run of bits goes on where the last one ended, if it can.
        if found.len > 0 {
            let last = found.holes[found.len - 1];
            let next = (last.source + last.width) as u32;
            if (last.target + last.width) as u32 == target && next < 64 {
                let view = view_of(site, last.map);
                if alike(site, view, base, probes, target) >> next & 1 != 0 {
                    found.push(last.map.0, next, target);
                    continue;
                }
            }
        }
        let mut view = 0;
        loop {
            if view == site.views.len() {
                return None;
            }
            let sources = alike(site, view, base, probes, target);
            if sources != 0 {
                let number = site.views[view].number;
                found.push(number, sources.trailing_zeros(), target);
                break;
            }
            view += 1;
        }
    }
    Some(found)
}

/// The bits of the view that change with bit `target` of the instruction in every probe.
const fn alike(site: &Site, view: usize, base: u32, probes: &[u32], target: u32) -> u64 {
    let flips = site.views[view].flips;
    let mut alike = u64::MAX;
    let mut p = 0;
    while p < probes.len() && alike != 0 {
        let changes = (probes[p] ^ base) >> target & 1 != 0;
        alike &= if changes { flips[p] } else { !flips[p] };
        p += 1;
    }
    alike
}

const fn view_of(site: &Site, map: Map) -> usize {
    let mut view = 0;
    while site.views[view].number != map.0 {
        view += 1;
    }
    view
}

/// How the site's word changes from the base value to `value`.
const fn change(site: &Site, found: &SiteHoles, value: u64) -> u32 {
    let (mut change, mut h) = (0, 0);
    while h < found.len {
        let hole = found.holes[h];
        let map = site.views[view_of(site, hole.map)].map;
        change ^= patch(hole, map.apply(value) ^ map.apply(site.base));
        h += 1;
    }
    change
}

/// Adds a site's holes to the draft, and turns its word from that of the base value to that of zero.
const fn add<const W: usize, const R: usize, const H: usize, const T: usize>(
    draft: &mut Draft<W, H, R, T>,
    body: &Body,
    site: &Site,
    found: &SiteHoles,
) -> Option<(Flaw, usize)> {
    let template = &mut draft.template;
    let operand = body.operands[site.operand as usize];
    let hot = (site.word as usize) < body.hot;
    let mut h = 0;
    while h < found.len {
        let mut hole = found.holes[h];
        hole.range = operand.range;
        let len = template.hot_holes as usize + template.cold_holes as usize;
        let count = if hot {
            &mut template.hot_holes
        } else {
            &mut template.cold_holes
        };
        if len == H || *count == u8::MAX {
            return Some((Flaw::TooManyHoles, 0));
        }
        *count += 1;
        draft.holes[len] = hole;
        if hole.map.0 & Map::TABLE == 0 {
            let map = site.views[view_of(site, hole.map)].map;
            draft.words[site.word as usize] ^= patch(hole, map.apply(site.base));
        }
        h += 1;
    }
    None
}

/// A table of the change against the base for every value from the lowest, which is the base, on.
const fn add_table<const W: usize, const R: usize, const H: usize, const T: usize>(
    draft: &mut Draft<W, H, R, T>,
    site: &Site,
    base: u32,
    probes: &[u32],
    word: u16,
) -> SiteHoles {
    let start = draft.table_len;
    draft.table[start] = 0;
    let mut p = 0;
    while p < probes.len() {
        draft.table[start + 1 + p] = probes[p] ^ base;
        p += 1;
    }
    draft.table_len = start + 1 + p;
    let mut table = NO_HOLES;
    table.len = 1;
    table.holes[0] = Hole {
        word,
        operand: site.operand,
        width: 32,
        map: Map(Map::TABLE | start as u16),
        ..NO_HOLE
    };
    table
}

/// Each operand's change on its own, as its probes showed it, must add up to the joint one.
const fn check_joints<
    const W: usize,
    const R: usize,
    const P: usize,
    const H: usize,
    const T: usize,
>(
    draft: &mut Draft<W, H, R, T>,
    recorded: &Recorder<W, R>,
    probes: &Recorder<P, 0>,
    body: &Body,
) {
    let mut j = 0;
    while j < body.joints.len() {
        let joint = &body.joints[j];
        let base = recorded.words[joint.word as usize];
        let mut word = base;
        let mut i = 0;
        while i < joint.single.len() {
            word ^= probes.words[joint.single[i].1] ^ base;
            i += 1;
        }
        if word != probes.words[joint.probe] {
            draft.flaw = Some((Flaw::Joint, j));
            return;
        }
        j += 1;
    }
}
